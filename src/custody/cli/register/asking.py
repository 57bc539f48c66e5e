"""The options by which a register is asked for another time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from custody.settings.catalog import Settings

if TYPE_CHECKING:
    from custody.pipeline.registering.known import Opened

P = ParamSpec("P")
R = TypeVar("R")


def asking(function: Callable[P, R]) -> Callable[P, R]:
    """Add ``--as-of`` and ``--known-at``."""
    function = click.option("--known-at", metavar="TIME", help="With only what had arrived by then.")(function)
    return click.option("--as-of", metavar="TIME", help="As it was then; a date is its end.")(function)


@contextmanager
def register(settings: Settings, as_of: str | None, known_at: str | None) -> Iterator[Opened]:
    """The register at the times that were asked for."""
    from custody.pipeline.registering.known import moment_of, opened

    with opened(settings, moment_of(as_of, "--as-of"), moment_of(known_at, "--known-at")) as found:
        yield found
