"""``custody demo``: the main job on sample logs that custody makes."""

from __future__ import annotations

from pathlib import Path

import click

from custody.cli.options import resolved


@click.command("demo")
@click.option("--folder", type=click.Path(path_type=Path), default=Path("custody-demo"), show_default=True)
def COMMAND(folder: Path) -> int:  # noqa: N802
    """Generate sample logs, audit them, print the page and write the HTML report, all under one folder."""
    from custody.cli.output import style
    from custody.cli.progress import watching
    from custody.pipeline.audit import audit
    from custody.pipeline.report import write
    from custody.pipeline.sample import write_sample
    from custody.reports.terminal.page import page

    logs = folder / "logs"
    click.echo(f"writing sample logs to {logs}", err=True)
    truth = write_sample(logs)
    flags: dict[str, object] = {
        "store": str(folder / "store"),
        "keys": str(folder / "keys"),
        "contract": str(folder / "logs" / "contract.yaml"),
    }
    settings = resolved(flags)
    with watching() as observer:
        report = audit(settings, [logs], observer)
    click.echo(page(report, style(settings)), nl=False)
    write(settings, "html", folder / "report.html")
    click.echo(f"\nreport   {folder / 'report.html'}")
    click.echo(f"next     custody findings --store {folder / 'store'}")
    _ = truth
    return 0
