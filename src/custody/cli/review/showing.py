"""``custody review show``: every review, or one."""

from __future__ import annotations

from pathlib import Path

import click

from custody.cli import options
from custody.settings.catalog import Settings


@click.command("show")
@click.argument("name", required=False)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Write the population of NAME: .csv, .json or .ndjson.",
)  # fmt: skip
@options.reading
@options.as_json
def COMMAND(name: str | None, output: Path | None, settings: Settings, as_json: bool) -> None:  # noqa: N802
    """List every review, or show NAME: what is decided, by whom, why, and what became of it.

    Dates are held against today's clock, decisions against the tables of the last audit or rebuild.
    """
    from custody.cli.output import emit, style
    from custody.cli.review.page import listing, page
    from custody.errors import UsageError
    from custody.pipeline.reviewing import showing as review_showing
    from custody.pipeline.reviewing.files import form_of, written

    if name is None:
        if output is not None:
            raise UsageError("the population of which review?", where="-o", expected="the name of a review")
        every = review_showing.every(settings)
        if as_json:
            emit({"reviews": [review_showing.summary(each) for each in every]})
        else:
            click.echo("\n".join(listing(every, style(settings))))
        return
    shown = review_showing.one(settings, name)
    if output is not None:
        output.write_bytes(written(shown.review.opening, form_of(output)))
    if as_json:
        emit({"review": review_showing.full(shown)})
    elif output is not None:
        click.echo(f"wrote {output}", err=True)
    else:
        click.echo("\n".join(page(shown, style(settings))))
