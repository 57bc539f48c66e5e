"""``custody policy``: are the broker's policies sound, do they say what they should, and why do they say it?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click
import msgspec

from custody.cli import options
from custody.cli.exits import CODES
from custody.errors import UsageError

if TYPE_CHECKING:
    from custody.broker.policy.explaining import Weighed
    from custody.broker.policy.texts import Flaw, Policy
    from custody.model.broker_terms import Asked, Decision
    from custody.pipeline.policies import Sealed
    from custody.settings.catalog import Settings

FOLDER = click.argument("folder", type=click.Path(path_type=Path))
INDENT = 2


@click.group("policy")
def COMMAND() -> None:  # noqa: N802
    """Policies of a broker: Cedar files in a folder, with a schema and cases (docs/policies.md)."""


@COMMAND.command("check")
@FOLDER
@options.as_json
def check(folder: Path, as_json: bool) -> int:
    """Parse the policies in FOLDER and validate them strictly against the schema."""
    from custody.cli.output import emit
    from custody.pipeline import policies

    found = policies.check(folder)
    code = CODES["done" if found.found else "usage"]
    if as_json:
        sound = found.found
        emit(
            {
                "sound": sound is not None,
                "policy_set": sound and sound.sha256,
                "schema": sound and sound.schema.sha256,
                "commit": sound and sound.commit,
                "policies": [_policy(each) for each in found.policies],
                "flaws": found.flaws,
                "notes": found.notes,
            }
        )
        return code
    _print_policies(found.policies)
    for word, flaws in (("wrong", found.flaws), ("note", found.notes)):
        for each in flaws:
            _echo(f"{word}  {_flaw(each)}")
    if found.found:
        _echo(f"\nsound: {_count(len(found.policies), 'policy', 'policies')}")
        _echo(f"policy set {found.found.sha256}")
        _echo(f"schema     {found.found.schema.sha256}")
        _echo(f"commit     {found.found.commit or 'not known: the files are not exactly those of a commit'}")
    else:
        _echo(f"\nnot sound: {_count(len(found.flaws), 'thing is', 'things are')} wrong; a broker would not start")
    return code


@COMMAND.command("test")
@FOLDER
@options.as_json
def test(folder: Path, as_json: bool) -> int:
    """Decide every case in FOLDER/tests and compare with what it expects. Exit code 5 where one comes out otherwise."""
    from custody.cli.output import emit
    from custody.pipeline import policies

    ran = policies.test(folder)
    failed = [each for each in ran if each.differences]
    code = CODES["findings" if failed else "done"]
    if as_json:
        cases = [
            {
                "file": each.case.file,
                "name": each.case.name,
                "passed": not each.differences,
                "differences": each.differences,
                "verdict": each.decision.verdict,
                "policies": [policy.id for policy in each.decision.policies],
            }
            for each in ran
        ]
        emit({"cases": cases, "passed": len(ran) - len(failed), "failed": len(failed)})
        return code
    for each in ran:
        mark = "FAIL" if each.differences else "ok  "
        _echo(f"{mark}  {each.decision.verdict.value:<17} {each.case.file}: {each.case.name}")
        for difference in each.differences:
            _echo(f"      {difference}")
    _echo(f"\n{len(ran) - len(failed)} passed, {len(failed)} failed" if ran else f"no cases in {folder / 'tests'}")
    return code


@COMMAND.command("explain")
@FOLDER
@click.option(
    "--case",
    "case",
    type=click.File("rb"),
    help="A situation (YAML, TOML, JSON), or a request's line of a broker's log; - is stdin.",
)
@click.option("--request", metavar="RQ-ID", help="A request as it is sealed in the store: what was decided, and why.")
@options.reading
@options.as_json
def explain(folder: Path, case: BinaryIO | None, request: str | None, settings: Settings, as_json: bool) -> None:
    """Say what the policies in FOLDER decide in one situation, which determined it, and what kept the others out.

    With --request: what was decided then, by which policies (their texts where FOLDER still has them), resting on what.
    """
    from custody.cli.output import emit
    from custody.pipeline import policies

    if (case is None) == (request is None):
        raise UsageError("what is to be explained is not clear", expected="--case FILE, or --request RQ-ID")
    if request is not None:
        sealed = policies.explain_sealed(settings.store, folder, request)
        if as_json:
            emit({"request": request, "decisions": sealed})
        else:
            for each in sealed:
                _print_sealed(each, folder)
        return
    assert case is not None
    found = policies.explain(folder, case.read(policies.MAX_BYTES + 1), getattr(case, "name", "-"))
    if as_json:
        emit(found)
        return
    _print_decision(found.decision)
    _print_weighed(found.policies)
    if found.recorded is not None:
        other = [name for name, same in found.same.items() if not same]
        _echo(f"\nrecorded: {found.recorded.verdict.value}; " + (f"other: {', '.join(other)}" if other else "the same"))


def _print_decision(decision: Decision) -> None:
    why = f"  ({decision.why})" if decision.why else ""
    _echo(f"{decision.verdict.value}{why}")
    _echo_all(f"by {each.id}  sha256 {each.sha256}" for each in decision.policies)
    _echo_all(f"error: {each}" for each in decision.errors)
    if decision.asked:
        _echo_all([f"asks for {_asked(decision.asked)}"])
    if decision.max_ttl is not None:
        _echo_all([f"for {decision.max_ttl} s at most"])


def _print_weighed(policies: Iterable[Weighed]) -> None:
    for each in policies:
        _echo(f"\n{each.effect} {each.id}: {_state(each)}")
        _echo_all(f"not so: {part}" for part in each.missing)
        _echo_all(f"error: {error}" for error in each.errors)


def _print_sealed(one: Sealed, folder: Path) -> None:
    """One sealed decision: what it was, the policies as they were, what they were asked, and whether that holds."""
    place = f"operations:{one.leaf}" if one.leaf is not None else "not found in the log"
    _echo(f"{one.request}  {one.broker}/{one.seq}  {place}  {one.at}")
    _print_decision(one.decision)
    for each in one.determined:
        _echo(f"\npolicy {each.id}:")
        if each.text is not None:
            _echo_all(each.text.splitlines())
        else:
            there = f"changed since: sha256 {each.now} now" if each.now else "not there any more"
            _echo_all([f"{there}; its text then is not known here"])
    _echo("\nrested on:")
    _echo_all(_rested(one.rested_on))
    _echo(f"\n{_agreement(one, folder)}\n")
    if one.same["policy_set"] and one.same["schema"]:
        _print_weighed(one.now.policies)


def _rested(whole: object) -> Iterable[str]:
    """The principal, action and resource, then the context, a line each."""
    asked = msgspec.convert(whole, dict[str, dict[str, object]])
    for name in ("principal", "action", "resource"):
        yield f"{name} {asked[name]['type']}::{msgspec.json.encode(asked[name]['id']).decode()}"
    for name, value in sorted(asked["context"].items()):
        yield f"context.{name} = {msgspec.json.encode(value).decode()}"


def _agreement(one: Sealed, folder: Path) -> str:
    """What of it can be shown to be as it was, and what cannot."""
    made = all(one.same[name] for name in ("entities", "request"))
    told = [
        "what the engine was asked, made again from the log, has " + ("" if made else "NOT ") + "the sealed digests"
    ]
    if one.same["policy_set"] and one.same["schema"]:
        told.append(f"{folder} has the policies and the schema of then" + _verdict_now(one))
    else:
        commit = f"; they were those of commit {one.decision.commit}" if one.decision.commit else ""
        told.append(f"{folder} has changed since: policy set {one.decision.policy_set} then{commit}")
    return "\n".join(told)


def _verdict_now(one: Sealed) -> str:
    if one.same["verdict"]:
        return ", and they come to the same"
    said = one.now.decision.verdict.value
    return f"; they alone come to {said}: the broker decided by more ({one.decision.why or 'not recorded'})"


@COMMAND.command("schema")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@options.as_json
def schema(folder: Path | None, as_json: bool) -> None:
    """Print the schema: everything that a policy may speak of, with what FOLDER adds to it."""
    from custody.cli.output import emit
    from custody.pipeline import policies

    text = policies.schema(folder)
    if as_json:
        emit({"schema": text})
    else:
        click.echo(text, nl=False)


def _policy(policy: Policy) -> dict[str, object]:
    names = ("id", "effect", "place", "sha256", "asked", "max_ttl", "description")
    return {name: getattr(policy, name) for name in names}


def _print_policies(policies: Sequence[Policy]) -> None:
    widest = max((len(each.id) for each in policies), default=0)
    for each in policies:
        bounds = [f"asks for {_asked(each.asked)}"] if each.asked else []
        bounds += [f"{each.max_ttl} s at most"] if each.max_ttl is not None else []
        _echo(f"{each.effect:<6}  {each.id:<{widest}}  {each.sha256[:12]}  {each.place}  {'; '.join(bounds)}".rstrip())


def _state(weighed: Weighed) -> str:
    if weighed.state != "holds":
        return "does not hold" if weighed.state == "does-not-hold" else "cannot be evaluated"
    if weighed.asked is None:
        return "holds"
    return f"holds, and asks for {_asked(weighed.asked)}: " + (
        f"{weighed.lacking} to go" if weighed.lacking else "there"
    )


def _asked(asked: Asked) -> str:
    return f"{asked.count} of {asked.group} within {asked.within} s"


def _flaw(flaw: Flaw) -> str:
    sides = [f"{name} {value}" for name, value in (("found", flaw.found), ("expected", flaw.expected)) if value]
    return (f"{flaw.where}: " if flaw.where else "") + flaw.message + (f" ({', '.join(sides)})" if sides else "")


def _count(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _echo_all(lines: Iterable[str]) -> None:
    for line in lines:
        _echo(f"{'':<{INDENT}}{line}")


def _echo(text: str) -> None:
    """A line whose text was written by others: nothing in it steers the terminal."""
    from custody.reports.safe import plain

    click.echo("\n".join(plain(line) for line in text.split("\n")))
