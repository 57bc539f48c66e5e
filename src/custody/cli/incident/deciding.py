"""``custody incident approve``, ``deny``, ``withdraw``, ``review`` and ``vouch``: signed, in the log of approvals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, ParamSpec, TypeVar

import click

from custody.cli import options
from custody.cli.incident.completing import ACTION, INCIDENT
from custody.cli.incident.saying import tell
from custody.cli.incident.signing import FILE, reason, sign_with
from custody.cli.ssh_keygen import signature
from custody.errors import UsageError
from custody.settings.catalog import Settings

if TYPE_CHECKING:
    from custody.pipeline.incidents.deciding import Prepared, Verdict
    from custody.pipeline.incidents.sealing import Desk

P = ParamSpec("P")
R = TypeVar("R")

digest = click.option("--digest", metavar="HEX", help="The digest of the request that you were shown.")


def deciding(function: Callable[P, R]) -> Callable[P, R]:
    """Add the options by which a decision is signed, and those of the log of approvals."""
    write = click.Path(path_type=Path, dir_okay=False)
    for option in (
        options.as_json,
        options.responding,
        sign_with,
        click.option("--signature", type=FILE, metavar="FILE", help="A signature by ssh-keygen -Y sign."),
        click.option("--write", type=write, metavar="FILE", help="Write what is to be signed, and seal nothing."),
        reason,
    ):
        function = option(function)
    return function


@click.command("approve")
@click.argument("action", shell_complete=ACTION)
@click.option("--until", metavar="TIME", help="When the grant ends, RFC 3339.  [default: when the request lapses]")
@digest
@deciding
def APPROVE(  # noqa: N802
    action: str, until: str | None, digest: str | None, reason: str, settings: Settings, **given: object
) -> None:
    """Approve the request ACTION exactly as it is sealed.

    A summary, its text and what is signed are printed first. Who asked for it, is to do it or did it cannot approve it.
    """
    _decide(settings, action, "grant", reason, given, until=until, digest=digest)


@click.command("deny")
@click.argument("action", shell_complete=ACTION)
@digest
@deciding
def DENY(action: str, digest: str | None, reason: str, settings: Settings, **given: object) -> None:  # noqa: N802
    """Deny the request ACTION."""
    _decide(settings, action, "deny", reason, given, digest=digest)


@click.command("withdraw")
@click.argument("action", shell_complete=ACTION)
@deciding
def WITHDRAW(action: str, reason: str, settings: Settings, **given: object) -> None:  # noqa: N802
    """Take back a grant of your own of the request ACTION, once and for all."""
    _decide(settings, action, "withdraw", reason, given)


@click.command("review")
@click.argument("action", shell_complete=ACTION)
@click.option("--verdict", type=click.Choice(["justified", "not-justified"]), required=True)
@deciding
def REVIEW(  # noqa: N802
    action: str, verdict: Literal["justified", "not-justified"], reason: str, settings: Settings, **given: object
) -> None:
    """Review ACTION, which was done as break-glass or without approval: by somebody who took no part in it."""
    from custody.pipeline.incidents.deciding import review
    from custody.pipeline.incidents.sealing import desk_of

    desk = desk_of(settings)
    _seal(desk, review(desk, action, verdict, reason), given)


@click.command("vouch")
@click.argument("incident", shell_complete=INCIDENT)
@click.argument("identity")
@deciding
def VOUCH(incident: str, identity: str, reason: str, settings: Settings, **given: object) -> None:  # noqa: N802
    """Sign, as its owner, that IDENTITY may work again."""
    from custody.pipeline.incidents.deciding import vouch
    from custody.pipeline.incidents.sealing import desk_of

    desk = desk_of(settings)
    _seal(desk, vouch(desk, incident, identity, reason), given)


def _decide(
    settings: Settings,
    action: str,
    verdict: Verdict,
    reason: str,
    given: dict[str, object],
    *,
    until: str | None = None,
    digest: str | None = None,
) -> None:
    from custody.pipeline.incidents.deciding import decision
    from custody.pipeline.incidents.sealing import desk_of

    desk = desk_of(settings)
    _seal(desk, decision(desk, action, verdict, reason, until=until, digest=digest), given)


def _seal(desk: Desk, prepared: Prepared, given: dict[str, object]) -> None:
    """Show what is signed, have it signed, seal it."""
    from custody.incidents.record.weighing import where
    from custody.ledger.sshsig import MAX_SIGNATURE
    from custody.model.incidents import DECISION_NAMESPACE
    from custody.pipeline.incidents.deciding import decide
    from custody.pipeline.signatures import read_bounded
    from custody.reports.safe import plain

    written, key, path = given["write"], given["sign_with"], given["signature"]
    if sum(each is not None for each in (written, key, path)) != 1:
        names = ("--write", "--sign-with", "--signature")
        chosen = [name for name, each in zip(names, (written, key, path), strict=True) if each is not None]
        raise UsageError(
            "how it is signed is not clear",
            found=" and ".join(chosen) or "none of them",
            expected="one of --sign-with, --signature and --write",
            advice="--sign-with KEY signs here; --write FILE writes what is to be signed elsewhere.",
        )
    if written is not None:
        _write(Path(str(written)), prepared, as_json=bool(given["as_json"]))
        return
    action = prepared.incident.action(str(getattr(prepared.step, "action", "")))
    for line in _summary(prepared, desk.now()):
        click.echo(line, err=True)
    for shown in filter(None, (prepared.about, prepared.text)):
        click.echo(plain(shown.decode()), err=True)
    armored = (
        signature(Path(str(key)), prepared.text, DECISION_NAMESPACE)
        if key is not None
        else read_bounded(Path(str(path)), MAX_SIGNATURE)
    )
    found = decide(desk, prepared, armored)
    at = "" if action is None else where(action, desk.now()).value
    tell(found, desk.settings, as_json=bool(given["as_json"]), at=at)


def _summary(prepared: Prepared, now: int) -> Iterator[str]:
    """What is decided about, for people; what an owner signs speaks for itself."""
    from custody.cli.incident.summary import summary

    action = prepared.incident.action(str(getattr(prepared.step, "action", "")))
    if action is not None:
        yield from summary(prepared.incident, action, now)
        yield ""
        yield "the exact texts of the request, and of what is signed:"


def _write(path: Path, prepared: Prepared, *, as_json: bool) -> None:
    from custody.cli.output import emit, note
    from custody.model.incidents import DECISION_NAMESPACE, digest_of
    from custody.pipeline import output

    output.check(path)
    path.write_bytes(prepared.text)
    if as_json:
        emit({"incident": prepared.incident.id, "digest": digest_of(prepared.step), "file": str(path)})
    note(f"wrote {path}; nothing is sealed. Sign it, then decide again with the same options:")
    note(f"  ssh-keygen -Y sign -n {DECISION_NAMESPACE} -f KEY {path}")
    note(f"  … --signature {path}.sig")
