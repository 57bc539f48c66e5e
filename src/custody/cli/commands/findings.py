"""``custody findings``: what asks for action."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from custody.cli import options
from custody.cli.exits import CODES
from custody.errors import UsageError

if TYPE_CHECKING:
    from custody.model.sampling import Sample
    from custody.model.verdicts import Finding
    from custody.settings.catalog import Settings

WIDE = 14
SEVERITIES = ("low", "medium", "high", "critical")


@click.command("findings")
@click.option("--rule", help="Only findings of this rule (custody rules lists them).")
@click.option("--control", metavar="ID", help="Only findings that bear on this control (docs/controls.md).")
@click.option("--severity", type=click.Choice(SEVERITIES), help="Only findings this severe or more.")
@click.option("--sample", "size", type=click.IntRange(min=1), metavar="N", help="A random sample of N of these.")
@click.option("--seed", metavar="TEXT", help="What the sample is drawn by: same seed and findings, same sample.")
@click.option("--suppressed", is_flag=True, help="What the contract suppresses instead: by whom, why, until when.")
@click.option("--fail-on", type=click.Choice(SEVERITIES), help="Exit with 5 on a finding this severe or more.")
@options.reading
@options.as_json
def COMMAND(  # noqa: N802
    rule: str | None,
    control: str | None,
    severity: str | None,
    size: int | None,
    seed: str | None,
    suppressed: bool,
    fail_on: str | None,
    settings: Settings,
    as_json: bool,
) -> int:
    """List what asks for action, most severe first, each with its evidence and what to do."""
    from custody.model.controls import resolve
    from custody.pipeline.report import stored

    if rule is not None:
        _known(rule)
    controls = None if control is None else {each.id for each in resolve(control)}
    _check_sample(size, seed)
    found = stored(settings)
    listed = found.suppressed if suppressed else found.findings
    wanted = tuple(each for each in listed if _wanted(each, rule, controls, severity))
    drawn = _drawn(wanted, size, seed)
    chosen = wanted if drawn is None else tuple(each for each in wanted if each.id in drawn.chosen)
    if as_json:
        _emit(found.as_of, chosen, controls, drawn)
    else:
        from custody.cli.output import style
        from custody.reports.terminal.findings import findings

        shown = msgspec.structs.replace(found, findings=chosen)
        if control is not None and controls is not None:
            click.echo("\n".join(_meant(control, controls)))
        click.echo(findings(shown, style(settings), sample=drawn, suppressed=suppressed), nl=False)
        if not suppressed and control is None and drawn is None:
            click.echo("".join(_next(chosen, settings)), nl=False)
    failed = fail_on is not None and not suppressed and any(_at_least(each, fail_on) for each in chosen)
    return CODES["findings"] if failed else CODES["done"]


def _next(chosen: tuple[Finding, ...], settings: Settings) -> list[str]:
    """How to open an incident on the most severe of them that is about a credential."""
    from custody.cli.incident.next_steps import opening
    from custody.reports.safe import plain

    first = next((each for each in chosen if each.credential), None)
    return [] if first is None else [f"\n→ {plain(opening(f'--finding {first.id}', settings))}\n"]


def _wanted(found: Finding, rule: str | None, controls: set[str] | None, severity: str | None) -> bool:
    if rule is not None and found.rule != rule:
        return False
    if controls is not None and controls.isdisjoint(found.controls):
        return False
    return severity is None or _at_least(found, severity)


def _at_least(found: Finding, severity: str) -> bool:
    from custody.model.verdicts import SEVERITY_ORDER

    return SEVERITY_ORDER[found.severity] >= SEVERITY_ORDER[severity]


def _check_sample(size: int | None, seed: str | None) -> None:
    """Both or neither: who examines chooses the seed, so that nobody can choose the sample."""
    if (size is None) != (seed is None):
        given, missing = ("--seed", "--sample") if size is None else ("--sample", "--seed")
        raise UsageError(f"{given} without {missing}", where=missing, advice="give --sample N and --seed TEXT together")


def _drawn(found: tuple[Finding, ...], size: int | None, seed: str | None) -> Sample | None:
    from custody.model.sampling import sample

    return None if size is None or seed is None else sample((each.id for each in found), size, seed)


def _emit(as_of: str | None, chosen: tuple[Finding, ...], controls: set[str] | None, drawn: Sample | None) -> None:
    from custody.cli.output import emit
    from custody.reports.json_object import cited

    answer: dict[str, object] = {"as_of": as_of, "findings": chosen}
    if controls is not None:
        answer["controls"] = sorted(controls)
        answer["rules"] = _speaking(controls)
    if drawn is not None:
        answer["sample"] = drawn
    emit(cited(answer))


def _speaking(controls: set[str]) -> list[str]:
    """The rules that bear on ``controls``."""
    from custody.rules.registry import load

    return [each.id for each in load() if not controls.isdisjoint(each.controls)]


def _meant(control: str, controls: set[str]) -> list[str]:
    """Which controls were meant, and how many rules speak to them: with none, no finding says nothing."""
    from custody.reports.safe import plain
    from custody.reports.terminal.layout import COLUMNS, labelled, wrapped
    from custody.reports.words import counted

    rules = len(_speaking(controls))
    speak = f"{counted(rules, 'rule speaks', 'rules speak')} to {'it' if len(controls) == 1 else 'them'}"
    told = f"{plain(control)} means {', '.join(sorted(controls))}; {speak if rules else 'no rule speaks to it'}"
    return labelled("CONTROL", wrapped(told, COLUMNS - WIDE), WIDE)


def _known(rule: str) -> None:
    from custody.rules.registry import load

    names = [each.id for each in load()]
    if rule not in names:
        raise UsageError("no such rule", where="--rule", found=rule, expected=f"one of {', '.join(names)}")
