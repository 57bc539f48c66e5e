"""``custody demo``: the main job on the logs of an organisation that custody invents."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from custody.cli import options

if TYPE_CHECKING:
    from custody.model.verdicts import Finding

SEED, HOURS, WORKLOADS = 1, 6, 10
FAULTS = ("stolen-key", "surviving-session", "self-approval", "use-after-end", "tampered-log")
"""What went wrong in the organisation of the demo; ``truth.json`` says where."""


@click.command("demo")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("custody-demo"),
    show_default=True,
    help="Where logs, store, keys and report go.",
)
@options.as_json
def COMMAND(folder: Path, as_json: bool) -> int:  # noqa: N802
    """Invent an organisation's logs, audit them, print the page and write the HTML report, all under one folder."""
    from custody.cli.incident.next_steps import opening
    from custody.cli.output import emit, style
    from custody.cli.progress import watching
    from custody.pipeline.audit import audit
    from custody.pipeline.report import write
    from custody.pipeline.simulate import simulate
    from custody.reports.json_object import cited
    from custody.reports.terminal.page import page
    from custody.simulation.run import TRUTH

    estate = folder / "estate"
    if not (estate / TRUTH).exists():
        click.echo(f"writing the logs of an invented organisation to {estate}", err=True)
        simulate(estate, seed=SEED, hours=HOURS, workloads=WORKLOADS, names=FAULTS)
    flags: dict[str, object] = {
        "store": str(folder / "store"),
        "keys": str(folder / "keys"),
        "contract": str(estate / "contract.yaml"),
    }
    settings = options.resolved(flags)
    with watching() as observer:
        report = audit(settings, [estate / "logs"], observer)
    write(settings, "html", folder / "report.html")
    if as_json:
        emit(cited(report))
        return 0
    click.echo(page(report, style(settings)), nl=False)
    click.echo(f"\nreport   {folder / 'report.html'}")
    first = next((found for found in report.findings if found.credential), None)
    for label, question in zip(("next", "", ""), _asked(first), strict=False):
        click.echo(f"{label:<8} {_command()} {question} --store {folder / 'store'}")
    if first is not None:
        seed, more = f"--finding {first.id}", f"--store {folder / 'store'} --keys {folder / 'keys'}"
        click.echo(f"{'':<8} {opening(seed, settings, more).replace('custody', _command(), 1)}")
    return 0


def _asked(first: Finding | None) -> tuple[str, ...]:
    """What to ask next: about the credential of the first finding that is about one."""
    if first is None:
        return ("findings",)
    from custody.reports.words import short_key

    key = short_key(first.subject)
    return (f"trace {key}", f"contain {key}", "findings")


def _command() -> str:
    """How to call custody from here: by name where the shell finds it, else by its path."""
    if shutil.which("custody"):
        return "custody"
    beside = Path(sys.executable).with_name("custody")
    return str(beside.relative_to(Path.cwd())) if beside.is_relative_to(Path.cwd()) else str(beside)
