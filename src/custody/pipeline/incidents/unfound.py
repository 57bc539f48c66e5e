"""What was named and means nothing to the derived tables: said at once, so that a slip of the pen is seen.

Nothing is refused for it but a finding, which is a thing of the tables alone: what is stolen can be named before any
record of it is read. Where nothing was derived nobody can tell, and nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from custody.errors import CustodyError, NotFound
from custody.incidents.record.response import Response
from custody.incidents.scope.grounds import Grounds
from custody.incidents.scope.seeds import of_name, planted
from custody.model.incidents import Seed, SeedKind
from custody.pipeline.incidents.judging import grounds_of
from custody.pipeline.incidents.reading import signers_of
from custody.pipeline.tables import answers
from custody.settings.catalog import Settings


def seeds(settings: Settings, given: Sequence[Seed]) -> tuple[str, ...]:
    """A note where seeds mean nothing; none where that cannot be told. What an alert names is in its own record."""
    asked = [each for each in given if each.kind is not SeedKind.ALERT]
    if not asked:
        return ()
    try:
        with _grounds(settings) as grounds:
            unknown = planted(grounds, asked).unknown
    except CustodyError:
        return ()
    whole = len({each.value for each in given}) == len(unknown)
    scope = "the scope is empty" if whole else "the scope has nothing of it"
    return (f"nothing was found for {', '.join(unknown)}; {scope} until records name it",) if unknown else ()


def targets(settings: Settings, given: Sequence[str]) -> tuple[str, ...]:
    """The same of the targets of a request."""
    try:
        with _grounds(settings) as grounds:
            unknown = [each for each in given if not grounds.find(each) and not of_name(grounds, each)]
    except CustodyError:
        return ()
    told = "no effect can be shown until records name it"
    return (f"nothing was found for {', '.join(unknown)}; {told}",) if unknown else ()


def check_findings(settings: Settings, given: Sequence[Seed]) -> None:
    """NotFound where a finding is none of the last audit. Where nothing was derived there is nothing to look in."""
    wanted = [each.value for each in given if each.kind is SeedKind.FINDING]
    if not wanted:
        return
    try:
        with answers(settings) as tables:
            known = {each.id for each in (*tables.report.findings, *tables.report.suppressed)}
    except NotFound:
        return
    missing = next((each for each in wanted if each not in known), None)
    if missing is not None:
        raise NotFound("no finding has this id", where=missing[:80], advice="custody findings lists them")


def executor(response: Response, name: str | None) -> tuple[str, ...]:
    """A note where nobody signs as who is to do it: then nothing keeps that person from approving it first."""
    signers = signers_of(response)
    if name is None or (signers is not None and any(name in line.names() for line in signers.lines)):
        return ()
    told = "who that is cannot be known before they do it, so nobody is kept from approving it for being them"
    return (f"no allowed signer is called {name} (--executor): {told}",)


@contextmanager
def _grounds(settings: Settings) -> Iterator[Grounds]:
    with answers(settings) as tables:
        yield grounds_of(tables)
