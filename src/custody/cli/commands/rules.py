"""``custody rules``: what is asked."""

from __future__ import annotations

import click

from custody.cli import options


@click.command("rules")
@options.as_json
def COMMAND(as_json: bool) -> None:  # noqa: N802
    """List the rules: what each asks, how severe a violation is, why it matters, its controls."""
    from custody.cli.output import emit
    from custody.rules.registry import load

    found = load()
    if as_json:
        names = ("id", "title", "question", "severity", "why", "action", "fix", "controls", "populations")
        emit({"rules": [{name: getattr(rule, name) for name in names} for rule in found]})
        return
    for rule in found:
        question = rule.question.value if rule.question else "about records and sources"
        click.echo(f"{rule.id:<20} {rule.severity.value:<7} {question}")
        click.echo(f"{'':<20} {rule.why}")
        click.echo(f"{'':<20} {', '.join(rule.controls)}\n")
