"""``custody break-glass``: credentials under seal, for when the broker is down (docs/break-glass.md)."""

from __future__ import annotations

import asyncio
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from custody.cli import options
from custody.cli.glass.telling import listed_fields, listed_lines, put, sealed_fields, tell
from custody.cli.register.signing import given_of, signing
from custody.errors import UsageError

if TYPE_CHECKING:
    from custody.pipeline.glass.listing import Listed
    from custody.serve.composing import Composed
    from custody.settings.catalog import Settings

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_NEW = click.Path(path_type=Path, dir_okay=False)

file_of_glass = click.argument("glass", type=_FILE, metavar="FILE")
reason = click.option("--reason", required=True, metavar="TEXT", help="Why: it is kept, and everybody can read it.")
passphrases = click.option(
    "--passphrase-file", "passphrases", type=_FILE, multiple=True, metavar="FILE",
    help="The passphrase of each key, in order.  [default: it is asked for]",
)  # fmt: skip
broker_file = click.option("--broker-file", type=_FILE, required=True, metavar="FILE", help="The broker's file.")
until = click.option("--until", required=True, metavar="TIME", help="How long it is good at most: a date, or RFC 3339.")
rotate_by = click.option(
    "--rotate-by", metavar="TIME", help="When another one has to be in its place at the latest: it is watched."
)
out = click.option("--out", type=_NEW, required=True, metavar="FILE", help="The file to write; it must not be there.")


@click.group("break-glass")
def COMMAND() -> None:  # noqa: N802
    """Credentials under seal for when the broker is down: two people open one, loudly (docs/break-glass.md)."""


@COMMAND.command("key")
@click.option("--holder", required=True, metavar="PERSON", help="Whose it is: person:SYSTEM:NAME.")
@click.option("--out", type=_NEW, required=True, metavar="FILE", help="The private key; FILE.pub is the public one.")
@passphrases
@options.as_json
def key(holder: str, out: Path, passphrases: tuple[Path, ...], as_json: bool) -> None:
    """Make the key pair of a holder. The private key is encrypted; give FILE.pub to those who prepare."""
    from custody.broker.glass import holders
    from custody.cli.glass.opening import passphrase

    made = holders.new_key(secrets.token_bytes)
    public = holders.holder_of(holder, made)
    phrase = passphrase(passphrases, 0, out, again=True)
    put(out, holders.private_file(made, phrase))
    put(Path(f"{out}.pub"), holders.public_file(public))
    tell(as_json, {"holder": public.holder, "key": public.key, "file": str(out), "public": f"{out}.pub"})


@COMMAND.command("prepare")
@broker_file
@click.option("--backend", required=True, metavar="NAME", help="The backend of the broker file that makes it.")
@click.option("--account", required=True, metavar="NAME", help="As break_glass:BROKER:NAME it is in the register.")
@click.option("--scope", multiple=True, metavar="WORD", help="What it may do, as the backend has it.")
@click.option("--resource", multiple=True, metavar="NAME", help="What it is for, as the backend has it.")
@click.option("--audience", multiple=True, metavar="NAME", help="For whom it is, as the backend has it.")
@click.option(
    "--holder", "public", type=_FILE, multiple=True, required=True, metavar="FILE",
    help="A holder's public key; two or more. Any two of them open it.",
)  # fmt: skip
@click.option("--request", metavar="RQ-ID", help="The request that people approved meanwhile.")
@until
@rotate_by
@reason
@out
@options.every
@options.as_json
def prepare(broker_file: Path, settings: Settings, as_json: bool, **given: object) -> None:
    """Let the policies decide (action BreakGlass), issue a credential and seal it for its holders.

    It takes the place of the broker while it works: none may be running. Exit code 7 where nothing is given, or people
    have to approve first.
    """
    from custody.broker.glass import holders
    from custody.pipeline.audit import whoami
    from custody.pipeline.glass import acting
    from custody.pipeline.glass.preparing import Wish

    public = given["public"]
    assert isinstance(public, tuple)
    wish = Wish(
        backend=str(given["backend"]),
        account=str(given["account"]),
        holders=tuple(holders.read_public(each.read_bytes(), str(each)) for each in public),
        until=_end(given["until"]),
        reason=str(given["reason"]),
        by=whoami(),
        scope=_words(given["scope"]),
        resource=_words(given["resource"]),
        audience=_words(given["audience"]),
        request=None if given["request"] is None else str(given["request"]),
        rotate_by=None if given["rotate_by"] is None else _end(given["rotate_by"]),
    )
    composed = _composed(settings, broker_file)
    try:
        done = asyncio.run(acting.prepared(composed, wish, Path(str(given["out"]))))
    finally:
        composed.tables.close()
    tell(as_json, sealed_fields(done.sealed, Path(str(given["out"])), done.receipt))


@COMMAND.command("share")
@file_of_glass
@click.option("--key", "key_file", type=_FILE, required=True, metavar="FILE", help="Your private key.")
@click.option("--to", "taker", required=True, metavar="PERSON", help="Who opens it with your share: another holder.")
@passphrases
@reason
@out
@options.as_json
def share(
    glass: Path, key_file: Path, taker: str, passphrases: tuple[Path, ...], reason: str, out: Path, as_json: bool
) -> None:
    """Give your half of FILE to another holder, who opens it with theirs, on another machine."""
    from custody.broker.glass import file, shares
    from custody.broker.glass.names import reason_of
    from custody.cli.glass.opening import private_keys

    sealed = file.read(glass.read_bytes(), str(glass))
    (own,) = private_keys((key_file,), passphrases)
    made = shares.give(sealed, own, taker, reason_of(reason), secrets.token_bytes)
    put(out, shares.encoded(made))
    tell(as_json, {"glass": sealed.glass, "giver": made.giver, "taker": made.taker, "file": str(out)})


@COMMAND.command("open")
@file_of_glass
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--key", "keys", type=_FILE, multiple=True, required=True, metavar="FILE", help="A private key.")
@click.option("--share", type=_FILE, metavar="FILE", help="The other holder's share, for a second key.")
@passphrases
@reason
@click.option("--journal", type=_NEW, metavar="FILE", help="Where it is written down.  [default: FILE.journal.ndjson]")
@click.option("--print", "print_", is_flag=True, help="Print the credential, instead of running a command with it.")
@click.option("--env", "prefix", metavar="PREFIX", help="Hand it over as PREFIX_FIELD, not by the names of its kind.")
def open_(
    glass: Path,
    command: tuple[str, ...],
    keys: tuple[Path, ...],
    share: Path | None,
    passphrases: tuple[Path, ...],
    reason: str,
    journal: Path | None,
    print_: bool,
    prefix: str | None,
) -> int:
    """Open FILE by two keys (or a key and a share), and run COMMAND with the credential in its environment.

    Every step is in the journal, signed, before it is taken. Hand the journal in when the broker is back.
    """
    from custody.broker.glass import file
    from custody.cli.glass.opening import Ways, now, use
    from custody.pipeline.glass.opening import is_over, journal_beside

    if bool(command) == print_:
        raise UsageError("give a command after --, or --print")
    sealed = file.read(glass.read_bytes(), str(glass))
    if is_over(sealed, now()):
        click.echo(f"note: the credential was good until {sealed.not_after}", err=True)
    ways = Ways(
        keys=keys, passphrases=passphrases, share=share, reason=reason, journal=journal or journal_beside(glass)
    )
    return use(sealed, ways, command, prefix)


@COMMAND.command("ingest")
@click.argument("journal", type=_FILE)
@click.option("--glass", metavar="GLASS", help="Of which glass it is: its id or file.  [default: as it says]")
@options.signing
@options.as_json
def ingest(journal: Path, glass: str | None, settings: Settings, as_json: bool) -> None:
    """Check JOURNAL against the sealed preparation, and seal it. The broker may be running."""
    from custody.pipeline.glass.ingesting import ingest

    found = ingest(settings, journal, glass)
    checked = found.checked
    told = {
        "glass": checked.glass,
        "log": checked.tip.log,
        "lines": len(checked.entries),
        "fresh": found.fresh,
        "people": list(checked.people),
        "ended": checked.ended,
        "leaf": {"log": "operations", "index": found.leaf},
    }
    tell(as_json, told, () if checked.ended else ("its last line ends no use: what came after it is not known",))


@COMMAND.command("rotate")
@click.argument("glass")
@broker_file
@until
@rotate_by
@reason
@out
@options.every
@options.as_json
def rotate(
    glass: str,
    broker_file: Path,
    until: str,
    rotate_by: str | None,
    reason: str,
    out: Path,
    settings: Settings,
    as_json: bool,
) -> None:
    """End the credential of GLASS (id or file), see that it is gone, and prepare another for the same holders."""
    from custody.pipeline.audit import whoami
    from custody.pipeline.glass import acting

    composed = _composed(settings, broker_file)
    try:
        due = None if rotate_by is None else _end(rotate_by)
        work = acting.rotated(composed, glass, out, until=_end(until), by=whoami(), reason=reason, rotate_by=due)
        done = asyncio.run(work)
    finally:
        composed.tables.close()
    new = sealed_fields(done.new.sealed, out, done.new.receipt)
    tell(as_json, new | {"old": done.old.chain, "seen": done.old.effect or done.old.standing})


@COMMAND.command("end")
@click.argument("glass")
@broker_file
@reason
@options.every
@options.as_json
def end(glass: str, broker_file: Path, reason: str, settings: Settings, as_json: bool) -> None:
    """End the credential of GLASS (id or file) and look: exit code 7 where it was not seen to be gone."""
    from custody.pipeline.audit import whoami
    from custody.pipeline.glass import acting

    composed = _composed(settings, broker_file)
    try:
        lease = asyncio.run(acting.ended(composed, glass, by=whoami(), reason=reason))
    finally:
        composed.tables.close()
    tell(as_json, {"chain": lease.chain, "standing": lease.standing, "seen": lease.effect, "keys": list(lease.keys)})


@COMMAND.command("review")
@click.argument("glass")
@reason
@click.option("--write", type=_NEW, metavar="FILE", help="Write what is to be signed, and seal nothing.")
@click.option("--by", "claimed", metavar="PERSON", help="Who reviews, where nobody signs: person:SYSTEM:NAME.")
@signing
@options.signing
@options.as_json
def review(
    glass: str, reason: str, write: Path | None, claimed: str | None, settings: Settings, as_json: bool, **given: object
) -> None:
    """Say that what was done with GLASS (id or file) was looked at, by somebody who did not open it or ask for it.

    Sign it: --write FILE, then ssh-keygen -Y sign -n custody-glass-review, then --signature FILE.sig with --signers.
    """
    from custody.pipeline.glass import reviewing

    made = reviewing.draft(settings, glass, reason)
    if write is not None:
        put(write, made.text)
        tell(as_json, {"glass": made.card.glass, "file": str(write)})
        return
    click.echo(made.text.decode(), err=True, nl=False)
    done = reviewing.review(settings, made, given_of(given), claimed, _Clock(), secrets.token_bytes)
    told = {
        "glass": done.card.glass,
        "reviewer": done.reviewer,
        "signed": done.signed,
        "leaf": {"log": "operations", "index": done.leaf},
    }
    tell(as_json, told, done.notes)


@COMMAND.command("list")
@options.reading
@options.as_json
def list_(settings: Settings, as_json: bool) -> None:
    """List what is under seal, and what brokers gave under break-glass: how each stands, and what is due by when."""
    from custody.cli.output import emit
    from custody.pipeline.glass.listing import listed

    found = listed(settings, _Clock().now())
    if as_json:
        names = ("rotate_by", "review_by", "approve_by", "overdue")
        emit({"glasses": [listed_fields(each) | {name: getattr(each, name) for name in names} for each in found]})
        return
    for each in found:
        click.echo("\n".join((*listed_lines(each), *_due_lines(each))))
    if not found:
        click.echo("no glass was prepared here")


def _due_lines(each: Listed) -> list[str]:
    due = (("rotate", each.rotate_by), ("approve", each.approve_by), ("review", each.review_by))
    return [
        f"  {name} by {by[:19]}Z{' (overdue)' if name in each.overdue else ''}" for name, by in due if by is not None
    ]


class _Clock:
    def now(self) -> int:
        """Microseconds since 1970-01-01T00:00:00Z."""
        return time.time_ns() // 1000


def _end(text: object) -> int:
    from custody.settings.moments import parse_end

    return parse_end(str(text))


def _words(given: object) -> tuple[str, ...]:
    assert isinstance(given, tuple)
    return tuple(map(str, given))


def _composed(settings: Settings, path: Path) -> Composed:
    try:
        from custody.serve.composing import compose
    except ImportError as error:
        advice = "Install it with: pip install 'custody[broker]'"
        raise UsageError("the broker is not installed", found=str(error.name), advice=advice) from None
    from custody.settings.broker_file import read_broker_file

    return compose(settings, read_broker_file(path))
