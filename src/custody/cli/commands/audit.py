"""``custody audit``: the main job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from custody.cli import options
from custody.cli.exits import CODES
from custody.errors import UsageError
from custody.model.report import Report, Run
from custody.settings.catalog import Settings

SHOWN = 20
"""Problems and notes that are written out, at most."""


def _within(low: float, high: float) -> Callable[[click.Context, click.Parameter, float], float]:
    """A check that a number lies between two; ``nan`` does not, though a range of click takes it."""

    def check(ctx: click.Context, param: click.Parameter, value: float) -> float:
        if not low <= value <= high:
            raise click.BadParameter(f"{value} is not in the range {low:g} to {high:g}", ctx, param)
        return value

    return check


SECONDS = _within(0.05, 3600)
TIMES = _within(0, 1000)
SEVERITIES = ("low", "medium", "high", "critical")


@click.command("audit")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(readable=False))
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Also write the report as one HTML file.")
@click.option("--fail-on", type=click.Choice(SEVERITIES), help="Exit with 5 on a finding this severe or more.")
@click.option("--follow", is_flag=True, help="Keep going as files grow and appear, until SIGINT or SIGTERM.")
@click.option(
    "--interval",
    type=float,
    callback=SECONDS,
    default=1.0,
    metavar="S",
    help="Follow: seconds between looks.  [default: 1]",
)
@click.option(
    "--quiet",
    type=float,
    callback=SECONDS,
    default=2.0,
    metavar="S",
    help="Follow: rest before a file is read whole.  [default: 2]",
)
@click.option(
    "--pace",
    type=float,
    callback=TIMES,
    default=4.0,
    metavar="N",
    help="Follow: judge N times its own length apart.  [default: 4]",
)
@options.settings
@options.as_json
def COMMAND(  # noqa: N802  # the name under which the command is looked up
    paths: tuple[str, ...],
    html: Path | None,
    fail_on: str | None,
    follow: bool,
    interval: float,
    quiet: float,
    pace: float,
    settings: Settings,
    as_json: bool,
) -> int:
    """Read logs, seal them, join them into chains, judge every chain, and show it.

    PATH is a file or folder of logs of any kind that `custody sources` lists, as their products write them or wrapped
    by what carried them, mixed as they come; .gz, .zip and .tar.gz of them. Run it again: nothing is counted twice.
    With --follow it goes on as files grow, appear and are rotated, says each step on stderr, and shows the same page
    at its end.
    """
    from custody.cli.output import emit, emit_line, style
    from custody.cli.progress import watching
    from custody.pipeline.audit import audit
    from custody.pipeline.output import check
    from custody.reports.json_object import cited

    if "" in paths:
        raise UsageError("an empty path", where="PATH", expected="a file or folder")
    written = () if html is None else (html,)
    for path in written:
        check(path)
    given = [Path(path) for path in paths]
    if follow:
        from custody.cli.following import followed
        from custody.pipeline.growing import Timing

        timing = Timing(interval=interval, quiet=quiet, pace=pace)
        report = followed(settings, given, written, timing, as_json=as_json)
    else:
        with watching() as observer:
            report = audit(settings, given, observer, written)
    if html is not None:
        from custody.pipeline.report import write

        write(settings, "html", html)
    if as_json and follow:
        emit_line({"report": cited(report)})
    elif as_json:
        emit(cited(report))
    else:
        from custody.reports.terminal.page import page

        _done(report)
        click.echo(page(report, style(settings)), nl=False)
    _problems(report)
    return outcome(report, fail_on)


def outcome(report: Report, fail_on: str | None) -> int:
    """The exit code: findings only where asked, then bad input."""
    from custody.model.verdicts import SEVERITY_ORDER

    if fail_on is not None:
        worst = max((SEVERITY_ORDER[found.severity] for found in report.findings), default=-1)
        if worst >= SEVERITY_ORDER[fail_on]:
            return CODES["findings"]
    if report.run is not None and report.run.problems:
        return CODES["input"]
    return CODES["done"]


def _done(report: Report) -> None:
    run = report.run or Run()
    known = f", {run.known_files:,} of them known" if run.known_files else ""
    files = f"{run.files:,} file{'' if run.files == 1 else 's'}"
    click.echo(f"read {files}{known}; {run.new:,} new records in {run.seconds:.1f} s", err=True)
    if not report.understood:
        click.echo("nothing in the store is understood: custody sources lists the logs that custody reads", err=True)


def _problems(report: Report) -> None:
    from custody.reports.safe import plain

    run = report.run or Run()
    for text in run.recovered:
        click.echo(f"recovered: {plain(text)}", err=True)
    for label, texts in (("note", run.notes), ("problem", run.problems)):
        for text in texts[:SHOWN]:
            click.echo(f"{label}: {plain(text)}", err=True)
        if len(texts) > SHOWN:
            click.echo(f"{label}: and {len(texts) - SHOWN} more; --json lists all", err=True)
