"""``custody register check``: documents before they are imported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from custody.cli import options
from custody.cli.exits import CODES
from custody.cli.register.signing import given_of, signing
from custody.settings.catalog import Settings

if TYPE_CHECKING:
    from custody.pipeline.registering.check import Check, FileChecked

SHOWN = 20
"""Names that are written out, at most."""


@click.command("check")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--strict", is_flag=True, help="Exit with 5 where documents and logs do not agree on who there is.")
@signing
@options.checking
@options.as_json
def COMMAND(  # noqa: N802
    files: tuple[Path, ...], strict: bool, settings: Settings, as_json: bool, **given: object
) -> int:
    """Check register documents FILES: their form, the signature where one is given, and the names in them.

    Nothing is sealed. Where there is a store, it says which declared identities no record has shown, and which machine
    identities were seen and are declared nowhere.
    """
    from custody.cli.output import emit
    from custody.pipeline.registering.check import check

    found = check(settings, files, given_of(given))
    if as_json:
        emit(found)
    else:
        click.echo("\n".join(_lines(found)))
    if found.wrong:
        return CODES["usage"]
    return CODES["findings"] if strict and found.apart else CODES["done"]


def _lines(found: Check) -> list[str]:
    from custody.reports.terminal.layout import COLUMNS, wrapped
    from custody.reports.words import counted, stamp

    lines = [line for each in found.files for line in _file(each)]
    if found.wrong:
        return [*lines, "mend what is wrong first: then this also tells who is declared nowhere"]
    if found.undeclared is None:
        return [*lines, "no store was looked in: --store DIR compares names with what its records show"]
    if not found.undeclared:
        return [*lines, f"every machine identity seen by {stamp(found.as_of)} is declared"]
    verb = "is" if len(found.undeclared) == 1 else "are"
    many = counted(len(found.undeclared), "machine identity", "machine identities")
    head = wrapped(f"{many} seen by {stamp(found.as_of)} {verb} declared nowhere:", COLUMNS)
    return [*lines, *head, *_names(found.undeclared)]


def _file(each: FileChecked) -> list[str]:
    from custody.cli.register.signing import signed_by
    from custody.reports.safe import plain
    from custody.reports.terminal.layout import COLUMNS, labelled, wrapped
    from custody.reports.words import counted

    if each.problem is not None:
        first, *rest = each.problem.split("\n")
        return [f"wrong         {plain(first)}", *(f"              {plain(line.strip())}" for line in rest)]
    what = f"{counted(each.identities, 'identity', 'identities')}, {counted(each.parties, 'party', 'parties')}"
    lines = labelled("good", wrapped(f"{plain(each.file)}  {plain(each.document or '')}  {what}", COLUMNS - 14))
    if each.signature is not None:
        lines += labelled("signed by", wrapped(signed_by(each.signature), COLUMNS - 14))
    if each.bare:
        many = counted(each.bare, "entry says", "entries say")
        lines += labelled(
            "", wrapped(f"{many} no owner or no purpose: declared by name, answered for by nobody", COLUMNS - 14)
        )
    if each.unseen:
        lines += ["never seen under any of their names:", *_names(each.unseen)]
    return lines


def _names(names: tuple[str, ...]) -> list[str]:
    from custody.reports.safe import plain, shortened
    from custody.reports.terminal.layout import COLUMNS

    lines = [f"  {shortened(plain(name), COLUMNS - 2)}" for name in names[:SHOWN]]
    return [*lines, f"  … {len(names) - SHOWN} more: --json"] if len(names) > SHOWN else lines
