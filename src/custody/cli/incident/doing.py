"""``custody incident do``: the broker does what was approved, and that is sealed with what it answered."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from custody.cli import options
from custody.cli.incident.completing import ACTION
from custody.cli.incident.items import ItemChoice
from custody.cli.incident.signing import sign_with, signer_of
from custody.errors import UsageError
from custody.model.incidents import Item
from custody.settings.catalog import Settings

if TYPE_CHECKING:
    from custody.client.operating import Operator
    from custody.incidents.judging.checklist import Listed
    from custody.incidents.record.folding import Incident
    from custody.pipeline.incidents.acting import Told
    from custody.pipeline.incidents.doing import Judge

BROKER, TOKEN_FILE = "CUSTODY_BROKER", "CUSTODY_TOKEN_FILE"


@click.command("do")
@click.argument("action", shell_complete=ACTION)
@click.option("--broker", metavar="URL", help=f"The broker: https, or http to this machine.  [{BROKER}]")
@click.option("--token-file", metavar="FILE", help=f"Your ID token, with the role operator or admin.  [{TOKEN_FILE}]")
@click.option("--token-env", metavar="NAME", help="The variable with your ID token.")
@click.option("--authority", metavar="FILE", help="The only authorities for the broker's certificate.")
@click.option(
    "--accept", multiple=True, type=ItemChoice(),
    help="re-enable: an item of the checklist that may be claimed and not proved; it is sealed that it was.",
)  # fmt: skip
@sign_with
@options.responding
@options.as_json
def COMMAND(  # noqa: N802
    action: str, broker: str | None, token_file: str | None, token_env: str | None, authority: str | None,
    accept: tuple[str, ...], sign_with: Path | None, settings: Settings, as_json: bool,
) -> int:  # fmt: skip
    """Have the broker contain, revoke or enable again what ACTION names, once it may be done, and seal that it did.

    The exit code is 7 where it is not approved, its checklist is not proved, or the broker refuses. Asking again is
    harmless: the broker does it once, and what it did before this command was cut off is found and sealed.
    """
    from custody.pipeline.incidents.doing import Wanted, do
    from custody.pipeline.incidents.sealing import desk_of

    wanted = Wanted(action=action, accepted=frozenset(map(Item, accept)))
    with _operator(broker, token_file, token_env, authority) as operator:
        from custody.cli.incident.operating import Asked

        told = do(desk_of(settings), wanted, Asked(operator), _judge(settings), signer_of(sign_with))
    return _tell(told, settings, as_json=as_json)


def _judge(settings: Settings) -> Judge:
    from custody.pipeline.incidents.judging import judged

    def judge(incident: Incident, items: tuple[Item, ...]) -> Iterable[Listed]:
        return judged(settings, incident, items=items).checklist

    return judge


def _operator(url: str | None, file: str | None, variable: str | None, authority: str | None) -> Operator:
    try:
        from custody.client import TokenFile, TokenVariable
        from custody.client.operating import Operator
    except ImportError as error:
        advice = "Install it with: pip install 'custody[client]'"
        raise UsageError("the client is not installed", found=str(error.name), advice=advice) from None
    url, file = url or os.environ.get(BROKER), file or (None if variable else os.environ.get(TOKEN_FILE))
    if not url:
        raise UsageError(
            "no broker",
            found="none is named",
            expected=f"--broker URL, or {BROKER} in the environment",
            advice="What no broker holds is done elsewhere: then `custody incident done ACTION` says so.",
        )
    if (file is None) == (variable is None):
        raise UsageError(
            "nothing proves who asks",
            found="no ID token" if file is None else "two ID tokens",
            expected="--token-file FILE or --token-env NAME: your ID token",
            advice="It needs the role operator or admin at the broker.",
        )
    return Operator(url, TokenVariable(variable) if variable else TokenFile(str(file)), authority=authority)


def _tell(told: Told, settings: Settings, *, as_json: bool) -> int:
    from custody.cli.incident.page import told_fields
    from custody.cli.incident.saying import put
    from custody.incidents.record.folding import Where
    from custody.model.incidents import Done

    step = told.sealed.step
    assert isinstance(step, Done)
    loud = told.where is Where.UNAPPROVED
    why = f"{told.where.value}{f' ({told.why})' if told.why else ''}"
    rows = [("did", each) for each in step.did] + [("broker", step.told), ("it is", why.upper() if loud else why)]
    put(told.sealed, settings, told_fields(told), rows, as_json=as_json)
    return 0
