"""``custody register list``: every identity."""

from __future__ import annotations

import click

from custody.cli import options
from custody.cli.register.asking import asking, register
from custody.model.register import IdentityKind
from custody.settings.catalog import Settings

MISSING = ("owner", "purpose", "privileges", "lifecycle")


@click.command("list")
@click.option("--kind", type=click.Choice([kind.value for kind in IdentityKind]), help="Only identities of this kind.")
@click.option("--missing", type=click.Choice(MISSING), help="Only those of which this is not known.")
@asking
@options.reading
@options.as_json
def COMMAND(  # noqa: N802
    kind: str | None, missing: str | None, as_of: str | None, known_at: str | None, settings: Settings, as_json: bool
) -> None:
    """List every non-human identity: who owns it, why it is there, who says so, and what is missing.

    --as-of gives what held at a time, --known-at what was known then: both take a date or an RFC 3339 time.
    """
    from custody.cli.output import emit, style
    from custody.cli.register.page import page
    from custody.model.times import text
    from custody.pipeline.registering.objects import plain
    from custody.register.entries import entries

    with register(settings, as_of, known_at) as found:
        chosen = (
            one
            for one in entries(found.engine, found.when)
            if (kind is None or one.kind == kind) and (missing is None or missing in one.missing)
        )
        if as_json:
            emit({"as_of": text(found.moment), "identities": [plain(one) for one in chosen]})
            return
        for line in page(chosen, found.moment, style(settings)):
            click.echo(line)
