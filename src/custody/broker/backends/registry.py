"""The backends there are: every module of this room that has a ``KIND``. Adding one is adding a file."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache
from types import ModuleType
from typing import Protocol, cast

import msgspec

import custody.broker.backends
from custody.broker.backends.backend import Backend, Door
from custody.errors import UsageError
from custody.settings.broker_file import BackendTable
from custody.settings.wrong_value import allowed


class Build(Protocol):
    """How a kind makes a backend of its options."""

    def __call__(self, name: str, options: msgspec.Struct, door: Door) -> Backend:
        """The backend. UsageError where the options cannot be used; nothing is called or written yet."""
        ...


class Kind(msgspec.Struct, frozen=True):
    """A kind of backend: its word in the broker file, the shape of its options, what builds it."""

    kind: str
    options: type[msgspec.Struct]
    build: Build


@cache
def kinds() -> dict[str, Kind]:
    """All kinds by their word, sorted. UsageError where two have one word."""
    return collect(_declared())


def collect(found: Iterable[Kind]) -> dict[str, Kind]:
    """The kinds by their word, sorted; refuses a word that is there twice."""
    by_word: dict[str, Kind] = {}
    for each in sorted(found, key=lambda kind: kind.kind):
        if each.kind in by_word:
            raise UsageError("two backends have one kind", found=each.kind, expected="a kind of its own for each")
        by_word[each.kind] = each
    return by_word


def build(table: BackendTable, door: Door) -> Backend:
    """The backend of a table of the broker file. UsageError names the table and what in it is wrong."""
    where = f"backends.{table.name}"
    kind = kinds().get(table.kind)
    if kind is None:
        raise UsageError("an unknown kind of backend", where=where, found=table.kind, expected=", ".join(kinds()))
    if table.max_ttl < 1:
        raise UsageError("no time to live", where=f"{where}.max_ttl", found=str(table.max_ttl), expected="seconds")
    backend = kind.build(table.name, _options(table, kind, where), door)
    backend.max_ttl = min(backend.max_ttl, table.max_ttl)
    return backend


def _options(table: BackendTable, kind: Kind, where: str) -> msgspec.Struct:
    try:
        return msgspec.convert(table.options, kind.options, strict=True)
    except msgspec.ValidationError as error:
        said = str(error)[:300]
        raise UsageError(
            "the options of a backend are wrong",
            where=f"{where}.options",
            found=said,
            expected=allowed(kind.options, said),
        ) from None


def _declared() -> Iterable[Kind]:
    for info in pkgutil.iter_modules(custody.broker.backends.__path__):
        module = importlib.import_module(f"{custody.broker.backends.__name__}.{info.name}")
        if isinstance(getattr(module, "KIND", None), str):
            yield _kind(module)


def _kind(module: ModuleType) -> Kind:
    options, build_one = getattr(module, "OPTIONS", None), getattr(module, "build", None)
    if not (isinstance(options, type) and issubclass(options, msgspec.Struct) and callable(build_one)):
        raise UsageError("a backend without OPTIONS or build", where=module.__name__)
    return Kind(module.KIND, options, cast("Build", build_one))
