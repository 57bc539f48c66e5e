"""``custody incident act``, ``request``, ``done`` and ``settle``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from custody.cli import options
from custody.cli.exits import CODES
from custody.cli.incident.signing import reason, sign_with, signer_of
from custody.errors import UsageError
from custody.model.incidents import ActionKind
from custody.settings.catalog import Settings

if TYPE_CHECKING:
    from custody.pipeline.incidents.acting import Told


@click.command("act")
@click.argument("incident")
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
    contain or revoke, the commands that `custody contain` knows are the content unless --content says another.
    Nothing is run: whoever does it says so with `custody incident done`.
    """
    from custody.incidents.acting import Draft
    from custody.pipeline.incidents.acting import STOPPING, act, ways
    from custody.pipeline.incidents.sealing import desk_of

    wanted = ActionKind(kind)
    if not content and wanted in STOPPING:
        content = ways(settings, target)
    if not content:
        why = "nothing is known that would end it: it is over, or not in the logs that were read"
        raise UsageError(
            "what is to be done is not said",
            found=why if wanted in STOPPING else "",
            expected="--content TEXT, once for each command or path",
            advice=f"`custody contain {target[0]}` shows what is alive." if wanted in STOPPING else "",
        )
    draft = Draft(
        kind=wanted,
        targets=target,
        reason=reason,
        content=content,
        executor=executor,
        until=until,
        break_glass=break_glass,
    )
    return _tell(act(desk_of(settings), incident, draft, signer_of(sign_with)), settings, as_json=as_json)


@click.command("request")
@click.argument("action")
@options.reading
@options.as_json
def REQUEST(action: str, settings: Settings, as_json: bool) -> None:  # noqa: N802
    """Show the exact text of the request ACTION, and its digest: what is approved is this text and no other."""
    from custody.cli.output import emit
    from custody.model.incidents import text_of
    from custody.pipeline.incidents.reading import read

    found = read(settings).of_action(action).action(action)
    assert found is not None
    text = text_of(found.request).decode()
    if as_json:
        leaf = {"log": found.asked.leaf.log, "index": found.asked.leaf.index}
        emit({"action": action, "text": text, "digest": found.asked.digest, "leaf": leaf})
        return
    click.echo(text)
    click.echo(f"digest {found.asked.digest}", err=True)


@click.command("done")
@click.argument("action")
@click.option("--did", multiple=True, metavar="TEXT", help="What was done.  [default: the content of the request]")
@click.option("--at", metavar="TIME", help="When it was done, RFC 3339.  [default: now]")
@click.option("--how", type=click.Choice(["broker", "elsewhere"]), default="elsewhere", show_default=True)
@click.option("--told", default="", metavar="TEXT", help="What the other system answered.")
@sign_with
@options.responding
@options.as_json
def DONE(  # noqa: N802
    action: str, did: tuple[str, ...], at: str | None, how: Literal["broker", "elsewhere"], told: str,
    sign_with: Path | None, settings: Settings, as_json: bool,
) -> int:  # fmt: skip
    """Say that ACTION was done. It is a claim until the target's own log shows it.

    It is sealed also where nobody approved it, and shown as done without approval for good.
    """
    from custody.pipeline.incidents.acting import done
    from custody.pipeline.incidents.sealing import desk_of

    found = done(desk_of(settings), action, did, signer_of(sign_with), at=at, how=how, told=told)
    return _tell(found, settings, as_json=as_json)


@click.command("settle")
@click.argument("action")
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


def _tell(told: Told, settings: Settings, *, as_json: bool) -> int:
    from custody.cli.incident.page import told_fields
    from custody.cli.incident.saying import put
    from custody.cli.output import note
    from custody.incidents.record import Where
    from custody.model.incidents import Asked

    loud = told.where is Where.UNAPPROVED
    why = f"{told.where.value}{f' ({told.why})' if told.why else ''}"
    put(told.sealed, settings, told_fields(told), [("it is", why.upper() if loud else why)], as_json=as_json)
    if loud:
        note(f"DONE WITHOUT APPROVAL: {told.why}. It is sealed as that.")
    denied = isinstance(told.sealed.step, Asked) and told.where is Where.DENIED
    return CODES["refused" if denied else "done"]
