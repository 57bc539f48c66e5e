"""One file a fault that can be planted, found by module scan."""

import importlib
import pkgutil
from collections.abc import Sequence
from functools import cache

from custody.errors import CustodyError, UsageError
from custody.simulation.fault import Change, Fault, Planting

ALL = "all"


@cache
def load() -> tuple[Fault, ...]:
    """Every fault, sorted by name; two of one name are refused."""
    found: dict[str, Fault] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        for fault in importlib.import_module(f"{__name__}.{module}").FAULTS:
            if fault.name in found:
                raise CustodyError("two faults have one name", where=module, found=fault.name)
            found[fault.name] = fault
    return tuple(found[name] for name in sorted(found))


def chosen(names: Sequence[str]) -> tuple[str, ...]:
    """The names of faults that were asked for, sorted; ``all`` is every one. UsageError for one that there is not."""
    known = tuple(fault.name for fault in load())
    for name in names:
        if name not in (*known, ALL):
            raise UsageError("there is no such fault", where="--fault", found=name, expected=", ".join((*known, ALL)))
    return known if ALL in names else tuple(sorted(set(names)))


def plant(planting: Planting, names: Sequence[str]) -> list[Change]:
    """Plant the faults of these names; gives what is to be done to files at the end."""
    for fault in load():
        if fault.name in names:
            fault.plant(planting)
    return planting.changes
