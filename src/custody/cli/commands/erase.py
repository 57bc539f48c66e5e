"""``custody erase``: bytes and salts of records go for good, their proof stays."""

from __future__ import annotations

import click

from custody.cli import options
from custody.settings.catalog import Settings


@click.command("erase")
@options.leaves
@click.option("--before", metavar="TIME", help="Records of before TIME: a date, or an RFC 3339 time.")
@click.option("--retention", is_flag=True, help="Records of chains that are over and whose class's retention passed.")
@click.option("--source", "sources", multiple=True, metavar="NAME", help="Records of a source (custody sources).")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is sealed for good, so name no person in it.")
@click.option("--except-held", is_flag=True, help="Leave what is under a legal hold, and erase the rest.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and write nothing.")
@options.packing
@options.as_json
def COMMAND(  # noqa: N802
    leaves: tuple[tuple[int, int], ...],
    before: str | None,
    retention: bool,
    sources: tuple[str, ...],
    reason: str,
    except_held: bool,
    dry_run: bool,
    settings: Settings,
    as_json: bool,
) -> None:
    """Erase the kept bytes and salts of records for good. Entries, hashes and proofs stay; nothing brings them back.

    Values of one option add up, different options narrow each other. What a legal hold covers (custody hold) is never
    erased: with any such record chosen nothing is done, unless --except-held leaves those out. That it was done, why
    and by whom is sealed. Every derived table is then made again from what is left.
    """
    from custody.cli.erasure import described
    from custody.cli.output import emit
    from custody.cli.progress import watching
    from custody.pipeline.erasing.choice import Asked
    from custody.pipeline.erasing.erase import erase
    from custody.settings.moments import parse_start

    moment = None if before is None else parse_start(before)
    asked = Asked(leaves=leaves, before=moment, retention=retention, sources=sources)
    with watching() as observer:
        done = erase(settings, asked, reason, observer, dry_run=dry_run, except_held=except_held)
    if as_json:
        emit(done)
    else:
        click.echo(described(done))
