"""The sources there are: every module of this room that has a ``SOURCE``, and those that mapping files describe.

Adding one is adding a file.
"""

import importlib
import itertools
import pkgutil
from collections.abc import Iterable
from functools import cache

import custody.sources
from custody.errors import UsageError
from custody.sources.mapped import source_of
from custody.sources.mapped.mapping import Mapping
from custody.sources.source import Source


@cache
def sources(mappings: tuple[Mapping, ...] = ()) -> tuple[Source, ...]:
    """All sources, sorted by name, and behind them those that ``mappings`` describe, so that none takes what is theirs.

    Raises UsageError where two have one name.
    """
    return (*collect(_declared()), *collect(source_of(mapping) for mapping in mappings))


def collect(found: Iterable[Source]) -> tuple[Source, ...]:
    """``found`` sorted by name; raises UsageError for a name that is there twice."""
    ordered = tuple(sorted(found, key=lambda source: source.name))
    for before, after in itertools.pairwise(ordered):
        if before.name == after.name:
            raise UsageError("two sources have one name", found=before.name, expected="a name of its own for each")
    return ordered


def _declared() -> Iterable[Source]:
    for info in pkgutil.iter_modules(custody.sources.__path__):
        module = importlib.import_module(f"{custody.sources.__name__}.{info.name}")
        candidate = getattr(module, "SOURCE", None)
        if isinstance(candidate, Source):
            yield candidate
