"""``custody simulate``: an invented organisation's logs, in their native files, with the truth beside them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from custody.cli import options

if TYPE_CHECKING:
    from custody.pipeline.simulate import Written


@click.command("simulate")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Same seed, same files.")
@click.option("--hours", type=click.IntRange(1, 24 * 90), default=6, show_default=True, help="How long it lives.")
@click.option("--workloads", type=click.IntRange(1, 5000), default=20, show_default=True, help="How many it runs.")
@click.option(
    "--fault", "faults", multiple=True, metavar="NAME", help="Plant a fault; may be repeated; all plants every one."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, metavar="DIR", help="An empty or new folder."
)
@options.as_json
def COMMAND(  # noqa: N802
    seed: int, hours: int, workloads: int, faults: tuple[str, ...], output: Path, as_json: bool
) -> int:
    """Write the logs of an invented organisation, a contract for it, and truth.json.

    The logs are in the products' own file formats: CloudTrail with signed digests, Kubernetes, OpenBao, PostgreSQL,
    GitHub, OpenTelemetry and more. truth.json says what is true of them: docs/simulation.md.
    """
    from custody.cli.output import emit
    from custody.pipeline.simulate import simulate

    written = simulate(output, seed=seed, hours=hours, workloads=workloads, names=faults)
    if as_json:
        emit(written)
        return 0
    for line in _lines(written):
        click.echo(line)
    return 0


def _lines(written: Written) -> list[str]:
    people = "  ".join(f"{name} {count:,}" for name, count in written.credentials.items())
    total = sum(written.records.values())
    faults = [each for each in written.faults if each.required]
    return [
        f"{'wrote':<12} {written.files:,} files  {total:,} records  {written.bytes / 1e6:.1f} MB  in {written.folder}",
        *(f"  {name:<22} {count:>9,}" for name, count in written.records.items()),
        f"{'runs':<12} {written.runs:,}",
        f"{'credentials':<12} {people}",
        f"{'links':<12} {written.links:,}",
        f"{'faults':<12} {len(faults):,}",
        *(f"  {each.fault:<28} {each.subject}" for each in faults),
        f"{'truth':<12} {written.truth}",
        f"{'next':<12} custody audit {written.folder}/logs --contract {written.contract}",
    ]
