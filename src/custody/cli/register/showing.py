"""``custody register show``: one identity."""

from __future__ import annotations

import click

from custody.cli import options
from custody.cli.register.asking import asking, register
from custody.errors import NotFound
from custody.settings.catalog import Settings


@click.command("show")
@click.argument("name")
@asking
@options.reading
@options.as_json
def COMMAND(  # noqa: N802
    name: str, as_of: str | None, known_at: str | None, settings: Settings, as_json: bool
) -> None:
    """Show the identity NAME (its id, a key, an ARN or a short name): every claim, who made it, its credentials.

    --as-of gives what held at a time, --known-at what was known then: both take a date or an RFC 3339 time.
    """
    from custody.cli.output import emit, style
    from custody.cli.register.entry_page import entry_page
    from custody.model.times import text
    from custody.pipeline.registering.objects import plain
    from custody.register.entries import ending_in, entry

    with register(settings, as_of, known_at) as found:
        one = entry(found.engine, name, found.when)
        if one is None:
            raise NotFound(
                "no identity goes by this name, or did not yet",
                where=f"register of {settings.store}",
                found=name,
                expected="an id, key, ARN or short name, exactly",
                advice=_meant(ending_in(found.engine, name)),
            )
        if as_json:
            emit({"as_of": text(found.moment), "identity": plain(one)})
        else:
            click.echo(entry_page(one, found.moment, style(settings)), nl=False)


def _meant(names: list[str]) -> str:
    """What else the name could stand for; a name of part of a name would be a guess."""
    from custody.reports.safe import plain

    near = " or ".join(plain(each) for each in names)
    return f"did you mean {near}?" if near else "`custody register list` shows every one."
