"""``custody findings``: what asks for action."""

from __future__ import annotations

import click
import msgspec

from custody.cli import options
from custody.cli.exits import CODES
from custody.errors import UsageError
from custody.settings.catalog import Settings

SEVERITIES = ("low", "medium", "high", "critical")


@click.command("findings")
@click.option("--rule", help="Only findings of this rule (custody rules lists them).")
@click.option("--severity", type=click.Choice(SEVERITIES), help="Only findings this severe or more.")
@click.option("--fail-on", type=click.Choice(SEVERITIES), help="Exit with 5 on a finding this severe or more.")
@options.reading
@options.as_json
def COMMAND(  # noqa: N802
    rule: str | None, severity: str | None, fail_on: str | None, settings: Settings, as_json: bool
) -> int:
    """List what asks for action, most severe first, each with its evidence and what to do."""
    from custody.cli.output import emit, style
    from custody.model.verdicts import SEVERITY_ORDER
    from custody.pipeline.report import stored
    from custody.reports.json_object import cited

    if rule is not None:
        _known(rule)
    found = stored(settings)
    least = SEVERITY_ORDER[severity] if severity else 0
    chosen = tuple(
        each
        for each in found.findings
        if SEVERITY_ORDER[each.severity] >= least and (rule is None or each.rule == rule)
    )
    if as_json:
        emit(cited({"as_of": found.as_of, "findings": chosen}))
    else:
        from custody.reports.terminal.findings import findings

        click.echo(findings(msgspec.structs.replace(found, findings=chosen), style(settings)), nl=False)
    failed = fail_on is not None and any(SEVERITY_ORDER[each.severity] >= SEVERITY_ORDER[fail_on] for each in chosen)
    return CODES["findings"] if failed else CODES["done"]


def _known(rule: str) -> None:
    from custody.rules.registry import load

    names = [each.id for each in load()]
    if rule not in names:
        raise UsageError("no such rule", where="--rule", found=rule, expected=f"one of {', '.join(names)}")
