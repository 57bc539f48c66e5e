"""``custody joins``: how records of one system are joined to those of another."""

from __future__ import annotations

import click

from custody.cli import options


@click.command("joins")
@options.as_json
def COMMAND(as_json: bool) -> None:  # noqa: N802
    """List the joins: what each links, on which fields, how surely, who asserts them, and the pitfalls."""
    from custody.chains.join import load
    from custody.cli.output import emit

    found = load()
    if as_json:
        names = ("id", "relation", "grade", "fields", "asserter", "pitfalls", "types")
        emit({"joins": [{name: getattr(join, name) for name in names} for join in found]})
        return
    for join in found:
        click.echo(f"{join.id}  {join.relation}  {join.grade.value}")
        click.echo(f"  fields    {join.fields}")
        click.echo(f"  asserter  {join.asserter}")
        click.echo(f"  pitfalls  {join.pitfalls}\n")
