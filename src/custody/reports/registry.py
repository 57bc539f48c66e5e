"""The report formats there are: every module of this room that has a ``FORMAT``. Adding one is adding a file."""

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache
from itertools import pairwise

import custody.reports
from custody.errors import UsageError
from custody.reports.format import ReportFormat


@cache
def formats() -> tuple[ReportFormat, ...]:
    """All formats, sorted by id. Raises UsageError where two have one id."""
    return collect(_declared())


def collect(found: Iterable[ReportFormat]) -> tuple[ReportFormat, ...]:
    """``found`` sorted by id; raises UsageError for an id that is there twice."""
    ordered = tuple(sorted(found, key=lambda each: each.id))
    for before, after in pairwise(ordered):
        if before.id == after.id:
            raise UsageError("two report formats have one id", found=before.id, expected="an id of its own for each")
    return ordered


def named(name: str) -> ReportFormat:
    """The format with the id ``name``; raises UsageError, with the ids there are, where there is none."""
    for each in formats():
        if each.id == name:
            return each
    raise UsageError("no such report format", found=name, expected=" or ".join(each.id for each in formats()))


def _declared() -> Iterable[ReportFormat]:
    for info in pkgutil.iter_modules(custody.reports.__path__):
        module = importlib.import_module(f"{custody.reports.__name__}.{info.name}")
        candidate = getattr(module, "FORMAT", None)
        if isinstance(candidate, ReportFormat):
            yield candidate
