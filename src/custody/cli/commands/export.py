"""``custody export``: what the store knows, for other tools."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from custody.cli import options
from custody.errors import UsageError
from custody.settings.catalog import Settings

if TYPE_CHECKING:
    from custody.pipeline.export import Exported, Wanted
    from custody.pipeline.sending import Sender

TOKEN = "CUSTODY_EXPORT_TOKEN"  # noqa: S105  # the name of a variable
FORMATS = ("ocsf", "ocsf-findings", "oscal", "oscal-catalog", "csv")


@click.command("export")
@click.option("--format", "form", type=click.Choice(FORMATS), required=True, help="What to write.")
@click.option(
    "--table", metavar="NAME", help="csv: findings, credentials, identities, population; or the name of a catalog."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to write; stdout without.")
@click.option("--to", metavar="URL", help="POST it there: https, or http to this machine.")
@click.option("--since", type=click.IntRange(min=0), metavar="LEAF", help="ocsf: events from this leaf on.")
@click.option("--since-time", metavar="TIME", help="ocsf: events at or after this time (RFC 3339).")
@click.option(
    "--token-file", type=click.Path(path_type=Path), metavar="FILE", help=f"Holds the token.  [default: ${TOKEN}]"
)
@click.option("--auth-scheme", default="Bearer", show_default=True, help="What stands before the token.")
@click.option("--insecure-http", is_flag=True, help="Send over http to another machine.")
@options.reading
@options.as_json
def COMMAND(  # noqa: N802
    form: str,
    table: str | None,
    output: Path | None,
    to: str | None,
    since: int | None,
    since_time: str | None,
    token_file: Path | None,
    auth_scheme: str,
    insecure_http: bool,
    settings: Settings,
    as_json: bool,
) -> None:
    """Write what the store knows for other tools: a SIEM, a GRC tool, a spreadsheet.

    ocsf: events of OCSF 1.8.0, one JSON object a line. ocsf-findings: findings, likewise. oscal: assessment results of
    OSCAL 1.2.1. oscal-catalog: a catalogue of controls. csv: a table, safe for spreadsheets.

    What was sent is not remembered: the last line says from which leaf to go on (--since).
    """
    from custody.pipeline import export

    if output is not None and to is not None:
        raise UsageError("one place at a time", where="--to", found="-o and --to", expected="one of them")
    if as_json and output is None and to is None:
        raise UsageError("stdout cannot hold both", where="--json", expected="-o FILE or --to URL beside it")
    wanted = export.checked(_wanted(form, table, since, since_time))
    with _watching() as progress:
        if to is not None:
            sender = _sender(to, token_file, auth_scheme, insecure_http)
            exported = export.to_url(settings, wanted, sender, progress)
        elif output is not None:
            exported = export.to_file(settings, wanted, output, progress)
        else:
            exported = export.to_stdout(settings, wanted, progress)
    _tell(exported, as_json)


def _wanted(form: str, table: str | None, since: int | None, since_time: str | None) -> Wanted:
    from custody.model.times import microseconds
    from custody.pipeline.export import Wanted

    try:
        moment = microseconds(since_time)
    except (TypeError, ValueError, OverflowError):
        expected = "a time with its zone, such as 2026-03-02T12:00:00Z"
        raise UsageError("not a time", where="--since-time", found=str(since_time), expected=expected) from None
    return Wanted(form=form, table=table, since=since, since_time=moment)


def _sender(url: str, token_file: Path | None, scheme: str, insecure: bool) -> Sender:
    from custody.pipeline.sending import Sender, token_of

    if not scheme.isascii() or not scheme.isalnum():
        raise UsageError("not an authentication scheme", where="--auth-scheme", expected="one word, such as Bearer")
    token = None
    if token_file is not None:
        try:
            token = token_of(token_file.read_text(encoding="ascii"), str(token_file))
        except (OSError, UnicodeError):
            raise UsageError("cannot be read", where=str(token_file), expected="a file with a token") from None
    elif TOKEN in os.environ:
        token = token_of(os.environ[TOKEN], TOKEN)
    return Sender(url, token=token, scheme=scheme, insecure=insecure)


def _tell(exported: Exported, as_json: bool) -> None:
    from custody.cli.output import emit, note

    if as_json:
        emit(exported)
        return
    if exported.to == "stdout" and exported.next is None:
        return
    verb = "sent to" if exported.batches is not None else "written:"
    what = "object" if exported.format != "csv" else "row"
    count = exported.lines
    retried = f", {exported.retries} tried again" if exported.retries else ""
    note(f"{verb} {exported.to}, {count:,} {what}{'' if count == 1 else 's'}, {exported.bytes:,} bytes{retried}")
    if exported.next is not None:
        note(f"to go on from here: --since {exported.next}")


@contextmanager
def _watching() -> Iterator[Callable[[int], None]]:
    """Live progress on stderr, only where somebody watches and the export itself goes elsewhere."""
    if not sys.stderr.isatty() or sys.stdout.isatty():
        yield lambda done: None  # noqa: ARG005  # a count that nobody watches
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("exporting  {task.completed:,}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("exporting", total=None)
        yield lambda done: bar.update(task, completed=done)
