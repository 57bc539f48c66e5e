"""Options that commands share, and the settings that they give."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

if TYPE_CHECKING:
    from custody.settings.catalog import Settings

P = ParamSpec("P")
R = TypeVar("R")

SHARED = ("store", "keys", "contract", "jobs", "memory", "max_record", "max_ratio", "max_content", "color")

_OPTIONS = (
    click.option("--store", metavar="DIR", help="The folder of the store.  [default: custody-store]"),
    click.option("--keys", metavar="DIR", help="The folder of the signing keys, never under the store.  [default: ~/.local/share/custody/keys]"),
    click.option("--contract", metavar="FILE", help="The contract: what is asked of each class of identity."),
    click.option("--jobs", metavar="N", help="Worker processes.  [default: one a core]"),
    click.option("--memory", metavar="SIZE", help="Memory limit of the query engine.  [default: 700MiB]"),
    click.option("--max-record", metavar="SIZE", help="Withhold records larger than this.  [default: 16MiB]"),
    click.option("--max-ratio", metavar="N", help="Decompressed bytes per byte received.  [default: 200]"),
    click.option("--max-content", metavar="SIZE", help="Decompressed bytes of one file, at most.  [default: 16GiB]"),
    click.option("--color", type=click.Choice(["auto", "always", "never"]), help="Colour in the output."),
    click.option("--config", metavar="FILE", help="The settings file.  [default: custody.toml, where there is one]"),
)
_READING = (0, 1, 2, 4, 8, 9)


def settings(function: Callable[P, R]) -> Callable[P, R]:
    """Add every shared option; the command gets one ``settings``."""
    return _add(function, range(len(_OPTIONS)))


def reading(function: Callable[P, R]) -> Callable[P, R]:
    """Add the shared options of a command that only reads a store; the command gets one ``settings``."""
    return _add(function, _READING)


def as_json(function: Callable[P, R]) -> Callable[P, R]:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout (docs/json.md).")(function)


def _add(function: Callable[P, R], which: range | tuple[int, ...]) -> Callable[P, R]:
    @functools.wraps(function)
    def wrapped(*arguments: P.args, **options: P.kwargs) -> R:
        flags = {name: options.pop(name, None) for name in (*SHARED, "config")}
        options["settings"] = resolved(flags)
        return function(*arguments, **options)

    for position in reversed(which):
        wrapped = _OPTIONS[position](wrapped)
    return wrapped


def resolved(flags: dict[str, object]) -> Settings:
    """The settings that hold: flags, then the environment, then the settings file."""
    from custody.settings.options import resolve

    config = flags.pop("config", None)
    return resolve(
        flags,
        os.environ,
        Path(str(config)) if config else None,
        home=Path.home(),
        cwd=Path.cwd(),
        cores=os.cpu_count() or 1,
    )


def colored(settings: Settings) -> bool:
    """Whether to style output: by setting, else on a terminal without NO_COLOR."""
    if settings.color.value != "auto":
        return settings.color.value == "always"
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ
