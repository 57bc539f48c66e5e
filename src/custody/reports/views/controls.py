"""The controls that findings bear on, by catalogue, beside those that the rules speak to."""

from collections.abc import Iterable, Sequence

import msgspec

from custody.model.controls import CATALOGUE, Control
from custody.model.verdicts import Finding, State
from custody.reports.frameworks import UNLISTED, control
from custody.reports.words import SEVERITIES


class ControlRow(msgspec.Struct, frozen=True):
    """A control on which findings bear: how many show a violation, how many an indication, and the worst of them."""

    id: str
    title: str
    violated: int
    indicated: int
    worst: str


class FrameworkRows(msgspec.Struct, frozen=True):
    """One catalogue: the controls with findings, and the ids of those that rules speak to and no finding bears on."""

    name: str
    rows: tuple[ControlRow, ...]
    quiet: tuple[str, ...]


class ControlsView(msgspec.Struct, frozen=True):
    """The whole table: ``touched`` of ``examined`` controls have a finding."""

    frameworks: tuple[FrameworkRows, ...]
    touched: int
    examined: int


def controls_view(findings: Sequence[Finding], examined: Iterable[str]) -> ControlsView:
    """The findings by control. ``examined`` are the ids of the controls that the rules speak to."""
    bearing: dict[str, list[Finding]] = {}
    for finding in findings:
        for name in dict.fromkeys(_id(each) for each in finding.controls):
            bearing.setdefault(name, []).append(finding)
    every = dict.fromkeys((*map(_id, examined), *bearing))
    known = {each.id: each for each in CATALOGUE if each.id in every}
    frameworks: dict[str, list[Control]] = {}
    for each in known.values():
        frameworks.setdefault(each.framework.value, []).append(each)
    shown = [
        _framework(name, [(each.id, each.title) for each in each_of], bearing) for name, each_of in frameworks.items()
    ]
    others = [(name, "") for name in bearing if name not in known]
    return ControlsView(
        frameworks=(*shown, *([_framework(UNLISTED, others, bearing)] if others else [])),
        touched=len(bearing),
        examined=len(every),
    )


def _framework(name: str, controls: Sequence[tuple[str, str]], bearing: dict[str, list[Finding]]) -> FrameworkRows:
    return FrameworkRows(
        name=name,
        rows=tuple(_row(id_, title, bearing[id_]) for id_, title in controls if id_ in bearing),
        quiet=tuple(id_ for id_, _ in controls if id_ not in bearing),
    )


def _row(name: str, title: str, findings: Sequence[Finding]) -> ControlRow:
    violated = sum(each.state == State.VIOLATED for each in findings)
    worst = min((each.severity.value for each in findings), key=SEVERITIES.index)
    return ControlRow(name, title, violated, len(findings) - violated, worst)


def _id(name: str) -> str:
    known = control(name)
    return name if known is None else known.id
