"""The controls that findings name, by the catalogue that each is of."""

from collections.abc import Iterable
from functools import cache

from custody.model.controls import CATALOGUE, CONTROLS, Control

UNLISTED = "other"
"""Where an id of no catalogue stands."""


def control(name: str) -> Control | None:
    """The control that a finding names by its id or another spelling of it; None where it is of no catalogue.

    A spelling that several controls share gives none of them: a guess would put a finding beside the wrong one.
    """
    return CONTROLS.get(name) or _spelled().get(name)


def by_framework(names: Iterable[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Each catalogue that is named, with the ids in the order given; catalogues in the order of the first of each."""
    found: dict[str, list[str]] = {}
    for name in names:
        known = control(name)
        ids = found.setdefault(UNLISTED if known is None else known.framework.value, [])
        ids.append(name if known is None else known.id)
    return [(framework, tuple(ids)) for framework, ids in found.items()]


@cache
def _spelled() -> dict[str, Control]:
    spelled: dict[str, list[Control]] = {}
    for each in CATALOGUE:
        for alias in each.aliases:
            spelled.setdefault(alias, []).append(each)
    return {alias: several[0] for alias, several in spelled.items() if len(several) == 1}
