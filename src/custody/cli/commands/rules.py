"""``custody rules``: what is asked."""

from __future__ import annotations

import click

from custody.cli import options

INDENT = 20


@click.command("rules")
@click.option("--control", metavar="ID", help="Only rules that bear on this control (docs/controls.md).")
@options.as_json
def COMMAND(control: str | None, as_json: bool) -> None:  # noqa: N802
    """List the rules: what each asks, how severe a violation is, why it matters, its controls."""
    from custody.cli.output import emit
    from custody.model.controls import resolve
    from custody.reports.terminal.layout import COLUMNS, labelled, listed, wrapped
    from custody.rules.registry import load

    controls = () if control is None else resolve(control)
    asked = {each.id for each in controls}
    found = [rule for rule in load() if control is None or not asked.isdisjoint(rule.controls)]
    if as_json:
        names = ("id", "title", "question", "severity", "why", "action", "fix", "controls", "populations")
        emit({"rules": [{name: getattr(rule, name) for name in names} for rule in found]})
        return
    for each in controls:
        lines = wrapped(f"{each.framework.value}: {each.title}", COLUMNS - INDENT)
        click.echo("\n".join(labelled(each.id, lines, INDENT)))
    if controls:
        click.echo("" if found else "\nno rule bears on it")
    for rule in found:
        question = rule.question.value if rule.question else "about records and sources"
        click.echo(f"{rule.id:<{INDENT}} {rule.severity.value:<7} {question}")
        for line in (*wrapped(rule.why, COLUMNS - INDENT - 1), *listed(rule.controls, COLUMNS - INDENT - 1)):
            click.echo(f"{'':<{INDENT}} {line}")
        click.echo()
