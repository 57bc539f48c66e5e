"""What a source's own records say should be there: pairs, sequences and stages, counted against what was read."""

import importlib
import pkgutil

import msgspec

from custody.errors import CustodyError


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """One expectation.

    ``sql`` gives one row: ``expected`` and ``received`` (counts), ``since`` and ``until`` (µs) and ``example`` (what
    shows the first that is missing, in words), over ``every_part``. ``how`` says in words what is counted. None of
    these proves that a source is complete: what left no trace at all is missed by none of them.
    """

    id: str
    source: str
    how: str
    sql: str


def load() -> tuple[Expectation, ...]:
    """Every expectation in ``chains/expectations``, found by module scan, sorted by id; duplicate ids are refused."""
    package = importlib.import_module("custody.chains.expectations")
    found: dict[str, Expectation] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
        each = importlib.import_module(f"custody.chains.expectations.{module}").EXPECTATION
        if each.id in found:
            raise CustodyError("two expectations have one id", where=module, found=each.id)
        found[each.id] = each
    return tuple(found[name] for name in sorted(found))
