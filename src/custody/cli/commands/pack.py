"""``custody pack``: evidence for a stranger, in one file."""

from __future__ import annotations

from pathlib import Path

import click

from custody.cli import options
from custody.settings.catalog import Settings


@click.command("pack")
@click.option("--identity", "identities", multiple=True, metavar="NAME", help="An identity, by any name it has.")
@click.option("--credential", "credentials", multiple=True, metavar="KEY", help="One credential, as trace takes it.")
@click.option("--rule", "rules", multiple=True, metavar="ID", help="What a rule looks at (custody rules).")
@click.option("--control", "controls", multiple=True, metavar="ID", help="What the rules of a control look at.")
@click.option("--period", metavar="FROM..TO", help="Dates or RFC 3339 times; TO as a date is its end.")
@click.option("--incident", metavar="ID", help="All of one incident: its steps, decisions, answers and timeline.")
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Draw N credentials of all that fit.")
@click.option("--seed", default="0", show_default=True, metavar="TEXT", help="What the sample is drawn by.")
@click.option("--for", "made_for", metavar="WHOM", help="Who the pack is for; it is sealed with it.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FILE.zip", help="The pack.")
@options.packing
@options.as_json
def COMMAND(  # noqa: N802
    identities: tuple[str, ...],
    credentials: tuple[str, ...],
    rules: tuple[str, ...],
    controls: tuple[str, ...],
    period: str | None,
    incident: str | None,
    sample: int | None,
    seed: str,
    made_for: str | None,
    output: Path,
    settings: Settings,
    as_json: bool,
) -> None:
    """Write the evidence about some credentials into one ZIP file that anybody can check: custody verify FILE.zip.

    Values of one option add up, different options narrow each other. The same store and options give the same bytes.
    That the pack was made, by whom and for whom, is sealed; the proof of that is written beside it.
    """
    from msgspec import UNSET

    from custody.cli.output import emit
    from custody.cli.progress import watching
    from custody.packs.manifest import Options
    from custody.pipeline.packing.pack import pack

    asked = Options(
        identities=identities,
        credentials=credentials,
        rules=rules,
        controls=controls,
        period=None if period is None else options.period(period),
        sample=sample,
        seed=seed,
        made_for=made_for,
        incident=UNSET if incident is None else incident,
    )
    with watching() as observer:
        made = pack(settings, asked, output, observer)
    if as_json:
        emit(made)
    else:
        from custody.cli.packed import described

        click.echo(described(made))
