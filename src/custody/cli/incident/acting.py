"""``custody incident act``, ``request``, ``done`` and ``settle``."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from custody.cli import options
from custody.cli.exits import CODES
from custody.cli.incident.completing import ACTION, INCIDENT
from custody.cli.incident.signing import reason, sign_with, signer_of
from custody.errors import UsageError
from custody.model.incidents import ActionKind
from custody.settings.catalog import Settings

if TYPE_CHECKING:
    from custody.pipeline.incidents.acting import Told


WORDS = "Write what whoever does it will type or click; that text is what is approved."


@click.command("act")
@click.argument("incident", shell_complete=INCIDENT)
@click.argument("kind", type=click.Choice([each.value for each in ActionKind]))
@click.argument("target", nargs=-1, required=True)
@reason
@click.option("--content", multiple=True, metavar="TEXT", help="What is to be done exactly: commands, console paths.")
@click.option("--executor", metavar="NAME", help="Who is to do it, as the allowed signers name them.")
@click.option("--until", metavar="TIME", help="When what is given ends, RFC 3339.")
@click.option("--break-glass", is_flag=True, help="Do it without waiting: a second person decides, another reviews.")
@sign_with
@options.responding
@options.as_json
def ACT(  # noqa: N802
    incident: str, kind: str, target: tuple[str, ...], reason: str, content: tuple[str, ...], executor: str | None,
    until: str | None, break_glass: bool, sign_with: Path | None, settings: Settings, as_json: bool,
) -> int:  # fmt: skip
    """Ask to do KIND to each TARGET (a key, or a name of the register) in INCIDENT.

    The policies say whether it may be done, is denied (exit code 7; that is sealed, too) or has to be approved. To
    contain or revoke, the narrowest command that `custody contain` knows for each credential is the content unless
    --content says another; its other ways are only named.
    Nothing is run: whoever does it says so with `custody incident done`.
    """
    from custody.incidents.record.acting import Draft, check_open
    from custody.pipeline.incidents.acting import STOPPING, Ways, act, ways
    from custody.pipeline.incidents.reading import one
    from custody.pipeline.incidents.sealing import desk_of

    check_open(one(settings, incident))
    wanted = ActionKind(kind)
    found = ways(settings, target) if not content and wanted in STOPPING else Ways(content=content)
    if not found.content:
        why = "nothing is known that would end it: it is over, or not in the logs that were read"
        raise UsageError(
            "what is to be done is not said",
            where=f"{kind} {' '.join(target)}"[:200],
            found=why if wanted in STOPPING else "",
            expected="--content TEXT, once for each command or path",
            advice=f"`custody contain {target[0]}` shows what is alive." if wanted in STOPPING else WORDS,
        )
    draft = Draft(
        kind=wanted,
        targets=target,
        reason=reason,
        content=found.content,
        executor=executor,
        until=until,
        break_glass=break_glass,
    )
    told = act(desk_of(settings), incident, draft, signer_of(sign_with))
    return _tell(told, settings, found.others, as_json=as_json)


@click.command("request")
@click.argument("action", shell_complete=ACTION)
@options.reading
@options.as_json
def REQUEST(action: str, settings: Settings, as_json: bool) -> None:  # noqa: N802
    """Show the exact text of the request ACTION, and its digest: what is approved is this text and no other."""
    from custody.cli.incident.summary import summary
    from custody.cli.output import emit
    from custody.model.incidents import text_of
    from custody.pipeline.incidents.reading import read
    from custody.reports.safe import plain

    incident = read(settings).of_action(action)
    found = incident.action(action)
    assert found is not None
    text = text_of(found.request).decode()
    if as_json:
        leaf = {"log": found.asked.leaf.log, "index": found.asked.leaf.index}
        emit({"action": action, "text": text, "digest": found.asked.digest, "leaf": leaf})
        return
    if sys.stdout.isatty():  # nothing hidden from who reads it; exact where it is kept
        text = "\n".join([*summary(incident, found, time.time_ns() // 1000), "", "the exact text:", plain(text)])
    click.echo(text)
    click.echo(f"digest {found.asked.digest}", err=True)


@click.command("done")
@click.argument("action", shell_complete=ACTION)
@click.option("--did", multiple=True, metavar="TEXT", help="What was done.  [default: the content of the request]")
@click.option("--at", metavar="TIME", help="When it was done, RFC 3339.  [default: now]")
@click.option("--told", default="", metavar="TEXT", help="What the other system answered.")
@sign_with
@options.responding
@options.as_json
def DONE(  # noqa: N802
    action: str, did: tuple[str, ...], at: str | None, told: str,
    sign_with: Path | None, settings: Settings, as_json: bool,
) -> int:  # fmt: skip
    """Say that ACTION was done. It is a claim until the target's own log shows it.

    It is sealed also where nobody approved it, and shown as done without approval for good.
    """
    from custody.pipeline.incidents.acting import done
    from custody.pipeline.incidents.sealing import desk_of

    found = done(desk_of(settings), action, did, signer_of(sign_with), at=at, told=told)
    return _tell(found, settings, as_json=as_json)


@click.command("settle")
@click.argument("action", shell_complete=ACTION)
@click.option("--how", type=click.Choice(["withdrawn", "failed", "accepted"]), required=True)
@reason
@sign_with
@options.responding
@options.as_json
def SETTLE(  # noqa: N802
    action: str,
    how: Literal["withdrawn", "failed", "accepted"],
    reason: str,
    sign_with: Path | None,
    settings: Settings,
    as_json: bool,
) -> int:
    """Say that ACTION is over without proof of its effect."""
    from custody.pipeline.incidents.acting import settle
    from custody.pipeline.incidents.sealing import desk_of

    return _tell(settle(desk_of(settings), action, how, reason, signer_of(sign_with)), settings, as_json=as_json)


def _tell(told: Told, settings: Settings, others: tuple[str, ...] = (), *, as_json: bool) -> int:
    from custody.cli.incident.page import told_fields
    from custody.cli.incident.saying import put
    from custody.cli.output import note
    from custody.incidents.record.folding import Where
    from custody.model.incidents import Asked
    from custody.reports.safe import plain

    loud = told.where is Where.UNAPPROVED
    why = f"{told.where.value}{f' ({told.why})' if told.why else ''}"
    fields = told_fields(told) | ({"other_ways": list(others)} if others else {})
    put(told.sealed, settings, fields, [("it is", why.upper() if loud else why)], as_json=as_json)
    if others:
        note("other ways, which are not asked for (--content asks for one of them instead):")
        for each in others:
            note(f"  {plain(each)}")
    if loud:
        note(f"DONE WITHOUT APPROVAL: {told.why}. It is sealed as that.")
    denied = isinstance(told.sealed.step, Asked) and told.where is Where.DENIED
    return CODES["refused" if denied else "done"]
