"""``custody sources``: what is understood."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from custody.cli import options
from custody.settings.catalog import Settings

if TYPE_CHECKING:
    from custody.sources.source import Source

STANDINGS = {
    "laboratory": "proved in the laboratory against the product itself",
    "samples": "read against published samples",
    "documentation": "after the documentation only; no sample was seen",
}


@click.command("sources")
@options.listing
@options.as_json
def COMMAND(settings: Settings, as_json: bool) -> None:  # noqa: N802
    """List the kinds of log that are understood: what each proves, its delays, and how to switch it on.

    With those that mapping files describe: the files given here, and those in force in the store.
    """
    from custody.cli.output import emit
    from custody.pipeline.mappings import held
    from custody.sources.registry import sources

    found = sources(held(settings))
    if as_json:
        emit({"sources": [_fields(source) for source in found]})
        return
    click.echo("\n\n".join("\n".join(_described(source)) for source in found))


def _fields(source: Source) -> dict[str, object]:
    """Everything that a source says of itself; times are microseconds."""
    return {
        "name": source.name,
        "title": source.title,
        "standing": source.standing,
        "forms": _forms(source),
        "texts": [framing.form for framing in source.texts],
        "time_resolution": source.time_resolution,
        "delivery_delay": source.delivery_delay,
        "retention": source.retention,
        "proves": source.proves,
        "enable": source.enable,
    }


def _forms(source: Source) -> list[str]:
    return list(dict.fromkeys(wrapping.form for wrapping in source.wrappings))


def _described(source: Source) -> list[str]:
    """What it is in lines of 80 columns; how to switch it on stays one line, because it holds commands."""
    from custody.model.times import duration
    from custody.reports.terminal.layout import COLUMNS, labelled, wrapped

    forms = list(dict.fromkeys([*_forms(source), *(framing.form for framing in source.texts)]))
    exact = duration(source.time_resolution) if source.time_resolution >= 1_000_000 else "finer than a second"
    kept = f"; kept {duration(source.retention)} by the product" if source.retention is not None else ""
    rows = (
        ("standing", f"{source.standing}: {STANDINGS[source.standing]}"),
        ("forms", ", ".join(forms) or "one record a line or document"),
        ("clock", f"{exact}; delivered within {duration(source.delivery_delay)}{kept}"),
        ("proves", source.proves),
    )
    lines = [f"{source.name}  {source.title}"]
    for label, text in rows:
        lines += labelled(f"  {label}", wrapped(text, COLUMNS - 12), 12)
    return [*lines, f"  enable    {source.enable}"]
