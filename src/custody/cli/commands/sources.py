"""``custody sources``: what is understood."""

from __future__ import annotations

import click

from custody.cli import options


@click.command("sources")
@options.as_json
def COMMAND(as_json: bool) -> None:  # noqa: N802
    """List the kinds of log that are understood: what each proves, its delays, and how to switch it on."""
    from custody.cli.output import emit
    from custody.model.times import duration
    from custody.sources.registry import sources

    found = sources()
    if as_json:
        emit(
            {
                "sources": [
                    {
                        "name": source.name,
                        "title": source.title,
                        "forms": [wrapping.form for wrapping in source.wrappings],
                        "time_resolution": source.time_resolution,
                        "delivery_delay": source.delivery_delay,
                        "proves": source.proves,
                        "enable": source.enable,
                    }
                    for source in found
                ]
            }
        )
        return
    for source in found:
        click.echo(f"{source.name}  {source.title}")
        click.echo(f"  forms    {', '.join(wrapping.form for wrapping in source.wrappings)}")
        click.echo(f"  clock    {duration(source.time_resolution)}; delivered within {duration(source.delivery_delay)}")
        click.echo(f"  proves   {source.proves}")
        click.echo(f"  enable   {source.enable}")
