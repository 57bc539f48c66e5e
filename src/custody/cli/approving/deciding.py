"""What ``custody approve`` and ``custody deny`` do: show what is signed, have it signed, seal it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, ParamSpec, TypeVar

import click
import msgspec

from custody.cli.register.signing import given_of, signing
from custody.cli.ssh_keygen import command, signature
from custody.errors import UsageError
from custody.settings.catalog import Settings

if TYPE_CHECKING:
    from custody.pipeline.approving.signing import Approved, Prepared
    from custody.pipeline.signatures import Given
    from custody.settings.broker_file import BrokerFile

P = ParamSpec("P")
R = TypeVar("R")

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
NAMESPACE = "custody-approval"

broker_file = click.option("--broker-file", type=_FILE, metavar="FILE", help="The broker's file: who may approve.")
digest = click.option("--digest", metavar="HEX", help="The digest of the request that you were shown.")


def deciding(function: Callable[P, R]) -> Callable[P, R]:
    """Add the options of a command that decides; it gets them by their own names, for ``decide``."""
    for option in (
        signing,
        click.option("--sign-with", type=_FILE, metavar="KEY", help="Sign by ssh-keygen with this key, here and now."),
        click.option(
            "--write", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
            help="Write what is to be signed, and seal nothing.",
        ),
        broker_file,
        digest,
        click.option("--reason", required=True, metavar="TEXT", help="Why: it is sealed, and everybody can read it."),
    ):  # fmt: skip
        function = option(function)
    return function


def decide(
    settings: Settings, request: str, verdict: Literal["grant", "deny", "withdraw"], options: dict[str, object]
) -> None:
    """Decide as the options say, and tell what was sealed."""
    from custody.cli.output import emit
    from custody.pipeline.approving import signing as approving
    from custody.pipeline.approving.deciding import Wanted

    file = broker_file_of(options)
    until = options.get("until")
    wanted = Wanted(verdict=verdict, reason=str(options["reason"]), until=None if until is None else str(until))
    chosen = options["digest"]
    prepared = approving.prepare(settings, request, wanted, digest=None if chosen is None else str(chosen), file=file)
    if options["write"] is not None:
        _write(Path(str(options["write"])), prepared, as_json=bool(options["as_json"]))
        return
    click.echo(prepared.shown.text.decode("ascii") + prepared.text.decode("ascii"), err=True, nl=False)
    with tempfile.TemporaryDirectory(prefix="custody-") as folder:
        given = _signed(options, prepared.text, Path(folder))
        found = approving.seal(settings, prepared, given, file)
    if options["as_json"]:
        emit(_fields(found))
    else:
        click.echo("\n".join(_lines(found)))


def broker_file_of(options: dict[str, object]) -> BrokerFile | None:
    """The broker file of ``--broker-file``, None where there is none."""
    from custody.settings.broker_file import read_broker_file

    path = options["broker_file"]
    return None if path is None else read_broker_file(Path(str(path)))


def _write(path: Path, prepared: Prepared, *, as_json: bool) -> None:
    from custody.cli.output import emit, note

    path.write_bytes(prepared.text)
    if as_json:
        emit({"request": prepared.shown.request.request, "digest": prepared.shown.digest, "file": str(path)})
    note(f"wrote {path}; nothing is sealed. Sign it, then decide again with the same options:")
    note(f"  {' '.join(command(NAMESPACE))} KEY {path}")
    note(f"  … --signature {path}.sig")


def _signed(options: dict[str, object], text: bytes, folder: Path) -> Given:
    """What the options hand over; with ``--sign-with`` the signature that ssh-keygen makes now."""
    given = given_of(options)
    key = options["sign_with"]
    if key is None:
        return given
    if any(getattr(given, name) is not None for name in given.__struct_fields__):
        raise UsageError("two ways to sign", expected="--sign-with, or --signature, or a token")
    path = folder / "signature"
    path.write_bytes(signature(Path(str(key)), text, NAMESPACE))
    return msgspec.structs.replace(given, signature=path)


def _fields(found: Approved) -> dict[str, object]:
    decision = found.decided.decision
    names = ("request", "broker", "chain", "digest", "verdict", "approver", "method", "reason", "at", "until", "by")
    return {
        **{name: getattr(decision, name) for name in names},
        "leaf": {"log": "approvals", "index": found.decided.leaf},
        "separated": found.separated,
        "notes": list(found.notes),
    }


def _lines(found: Approved) -> list[str]:
    from custody.reports.safe import plain
    from custody.reports.terminal.layout import COLUMNS, labelled, wrapped

    decision = found.decided.decision
    rows = [
        (decision.verdict, f"{decision.request}  digest {decision.digest[:16]}…"),
        ("by", f"{decision.approver}  ({decision.method})"),
        ("sealed", f"leaf approvals:{found.decided.leaf}, by {decision.by}, as the system names them"),
    ]
    rows += [("until", decision.until)] if decision.until is not None else []
    rows += [("note", each) for each in found.notes]
    return [line for label, told in rows for line in labelled(label, wrapped(plain(told), COLUMNS - 14))]
