"""``custody trace``: one credential, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from custody.cli import options
from custody.cli.exits import CODES
from custody.settings.catalog import Settings

if TYPE_CHECKING:
    from custody.pipeline.trace import Traced


@click.command("trace")
@click.argument("key")
@click.option("--tree", "as_tree", is_flag=True, help="The whole delegation: from its root to every descendant.")
@options.reading
@options.as_json
def COMMAND(key: str, as_tree: bool, settings: Settings, as_json: bool) -> int:  # noqa: N802
    """Show the chain of the credential that KEY means.

    KEY is an access key, session ARN, event id, leaf (operations:1204), address, instance, role, resource, user agent,
    credential id, or the id of a finding. Of what a broker issued or refused: the chain id (cc-…), its receipt
    (cc-…@12) or the request id (rq-…). A W3C trace id (32 hex digits or a whole traceparent), or a name of the
    register: everything that goes by it.
    Where it means several, they are listed, most used first.
    """
    from custody.cli.output import emit, style
    from custody.pipeline.trace import delegation, find

    found = delegation(settings, key) if as_tree else find(settings, key)
    if as_json:
        emit(found.delegation or found.chain or found)
    else:
        from custody.reports.safe import plain
        from custody.reports.terminal import chain, hits, nothing, requests, tree

        if found.delegation is not None:
            click.echo(tree(found.delegation, style(settings)), nl=False)
        elif found.chain is not None:
            click.echo(chain(found.chain, style(settings)), nl=False)
        elif found.forwarded is not None:
            from custody.cli.forwarded import described

            click.echo(described(found.forwarded, style(settings)))
        elif found.hits:
            click.echo(hits(found.searched_for(), found.names, style(settings)), nl=False)
        elif not found.requests:
            click.echo(nothing(found.searched_for(), key), nl=False)
        if found.requests:
            click.echo("", nl=bool(found.hits))
            click.echo(requests(found.requests, style(settings)), nl=False)
        _mentions(found)
        for each in found.erased:
            click.echo(f"leaf {each.leaf.index} was {plain(each.sentence())}")
    return CODES["done" if found.is_anything else "not found"]


def _mentions(found: Traced) -> None:
    if found.mentions:
        leaves = " ".join(str(each.index) for each in found.mentions[:8])
        count = len(found.mentions)
        what = "1 record" if count == 1 else f"{count} records"
        click.echo(f"also named in {what} with duplicate keys, not understood: leaves {leaves} (custody show LEAF)")
