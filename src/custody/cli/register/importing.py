"""``custody register import``: seal a document, and judge again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from custody.cli import options
from custody.cli.register.signing import given_of, signing
from custody.settings.catalog import Settings

if TYPE_CHECKING:
    from custody.model.report import Report
    from custody.pipeline.registering.importing import Imported


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--no-judge", is_flag=True, help="Seal it only: the next audit, import or rebuild judges.")
@signing
@options.signing
@options.as_json
def COMMAND(file: Path, no_judge: bool, settings: Settings, as_json: bool, **given: object) -> None:  # noqa: N802
    """Seal the register document FILE as it is, and judge every chain again.

    With --signature (ssh-keygen -Y sign -n custody-register, checked against --signers) or --token-file it says who
    answers for it; a signature that does not hold is refused. Without either what it says is claimed.
    """
    from custody.cli.output import emit
    from custody.cli.progress import watching
    from custody.pipeline.registering.importing import import_document

    with watching() as observer:
        found = import_document(settings, file, given_of(given), observer, judge=not no_judge)
    if as_json:
        emit(_fields(found))
        return
    click.echo("\n".join(_lines(found)))


def _fields(found: Imported) -> dict[str, object]:
    from custody.reports.words import LOG

    names = ("document", "digest", "sealed", "by", "signature", "identities", "parties", "notes")
    told = {name: getattr(found, name) for name in names}
    judged = None if found.report is None else _judged(found.report)
    return {**told, "leaf": {"log": LOG, "index": found.leaf}, "judged": judged}


def _judged(report: Report) -> dict[str, object]:
    from custody.reports.words import SEVERITIES

    counts = [one.severity.value for one in report.findings]
    tally = {name: counts.count(name) for name in SEVERITIES}
    return {"as_of": report.as_of, "findings": tally, "checkpoint": report.checkpoint}


def _lines(found: Imported) -> list[str]:
    from custody.cli.register.signing import signed_by
    from custody.reports.safe import plain
    from custody.reports.terminal.layout import COLUMNS, labelled, wrapped
    from custody.reports.words import counted

    what = f"{counted(found.identities, 'identity', 'identities')}, {counted(found.parties, 'party', 'parties')}"
    state = "sealed" if found.sealed else "known already"
    rows = (
        ("register", f"{plain(found.document)}  {what}"),
        (state, f"leaf operations:{found.leaf}  SHA-256 {found.digest[:16]}…"),
        ("signed by", signed_by(found.signature)),
        ("imported by", f"{plain(found.by)}, as the system names them"),
        *(("note", plain(note)) for note in found.notes),
        ("judged", _verdict(found.report)),
    )
    return [line for label, text in rows for line in labelled(label, wrapped(text, COLUMNS - 14))]


def _verdict(report: Report | None) -> str:
    from custody.reports.terminal.findings import tally
    from custody.reports.words import stamp

    if report is None:
        return "not yet: the next audit, import or rebuild does"
    return f"as of {stamp(report.as_of)}: findings {tally(report.findings)}"
