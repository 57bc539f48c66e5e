"""Options that commands share, and the settings that they give."""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from custody.errors import UsageError

if TYPE_CHECKING:
    from custody.settings.catalog import Settings

P = ParamSpec("P")
R = TypeVar("R")

SHARED = (
    "store",
    "keys",
    "contract",
    "mapping",
    "jobs",
    "memory",
    "max_record",
    "max_ratio",
    "max_content",
    "color",
    "signers",
    "approval_keys",
    "response",
)

_OPTIONS = {
    "store": click.option("--store", metavar="DIR", help="The folder of the store.  [default: custody-store]"),
    "keys": click.option(
        "--keys",
        metavar="DIR",
        help="The folder of the signing keys, never under the store.  [default: ~/.local/share/custody/keys]",
    ),
    "unused keys": click.option("--keys", metavar="DIR", hidden=True),
    "approval_keys": click.option(
        "--approval-keys",
        metavar="DIR",
        help="The folder of the key of the log of approvals.  [default: ~/.local/share/custody/approval-keys]",
    ),
    "contract": click.option("--contract", metavar="FILE", help="The contract: what is asked of each class."),
    "mapping": click.option(
        "--mapping", metavar="FILE", multiple=True, help="How to read a log of your own; once for each log."
    ),
    "signers": click.option(
        "--signers", metavar="FILE", help="The allowed-signers file: whose the keys are that sign the register."
    ),
    "response": click.option(
        "--response", metavar="FILE", help="The response file: who may do and approve what in an incident."
    ),
    "jobs": click.option("--jobs", metavar="N", help="Worker processes.  [default: one a core]"),
    "memory": click.option("--memory", metavar="SIZE", help="Memory limit of the query engine.  [default: 700MiB]"),
    "max_record": click.option("--max-record", metavar="SIZE", help="Withhold larger records.  [default: 16MiB]"),
    "max_ratio": click.option("--max-ratio", metavar="N", help="Decompressed bytes per byte received.  [default: 200]"),
    "max_content": click.option(
        "--max-content", metavar="SIZE", help="Decompressed bytes of one file, at most.  [default: 16GiB]"
    ),
    "color": click.option("--color", type=click.Choice(["auto", "always", "never"]), help="Colour in the output."),
    "config": click.option(
        "--config", metavar="FILE", help="The settings file.  [default: custody.toml, where there is one]"
    ),
}
_ALWAYS = ("color", "config")
_READING = ("store", "unused keys", "memory", *_ALWAYS)
_VERIFYING = ("store", "keys", "approval_keys", "jobs", *_ALWAYS)
_OPENING = ("store", "keys", "memory", *_ALWAYS)
_APPROVING = ("store", "keys", "approval_keys", "signers", "memory", *_ALWAYS)
_RESPONDING = ("store", "keys", "approval_keys", "signers", "response", "memory", *_ALWAYS)
_LOCATING = ("store", "unused keys", "mapping", "max_record", "max_ratio", "max_content", *_ALWAYS)
_LISTING = ("store", "unused keys", "mapping", *_ALWAYS)
_REBUILDING = ("store", "keys", "contract", "jobs", "memory", *_ALWAYS)
_PACKING = ("store", "keys", "jobs", "memory", *_ALWAYS)
_SIGNING = ("store", "keys", "signers", "contract", "jobs", "memory", *_ALWAYS)
_CHECKING = ("store", "unused keys", "signers", "memory", *_ALWAYS)


def every(function: Callable[P, R]) -> Callable[P, R]:
    """Add every shared option; the command gets one ``settings``."""
    return _add(function, (*SHARED, "config"))


def settings(function: Callable[P, R]) -> Callable[P, R]:
    """Add the shared options that ``audit`` uses; the command gets one ``settings``."""
    return _add(
        function, (*(name for name in SHARED if name not in ("signers", "approval_keys", "response")), "config")
    )


def reading(function: Callable[P, R]) -> Callable[P, R]:
    """Add the shared options of a command that only reads a store; the command gets one ``settings``.

    It takes ``--keys`` without a use for it, so that the same options can follow every command. It takes no contract:
    what it shows was judged by an audit or a rebuild, with theirs.
    """
    return _add(function, _READING)


def verifying(function: Callable[P, R]) -> Callable[P, R]:
    """Add the shared options that ``verify`` uses."""
    return _add(function, _VERIFYING)


def locating(function: Callable[P, R]) -> Callable[P, R]:
    """Add the shared options that ``locate`` uses."""
    return _add(function, _LOCATING)


def listing(function: Callable[P, R]) -> Callable[P, R]:
    """Add the shared options that ``sources`` uses."""
    return _add(function, _LISTING)


def rebuilding(function: Callable[P, R]) -> Callable[P, R]:
    """Add the shared options that ``rebuild`` uses."""
    return _add(function, _REBUILDING)


def signing(function: Callable[P, R]) -> Callable[P, R]:
    """Add the shared options of a command that seals what somebody says, signed or not, and judges anew."""
    return _add(function, _SIGNING)


def checking(function: Callable[P, R]) -> Callable[P, R]:
    """Add the shared options of a command that checks what somebody would say, and seals nothing."""
    return _add(function, _CHECKING)


def opening(function: Callable[P, R]) -> Callable[P, R]:
    """Add the shared options of a command that seals something about what is derived, and judges nothing."""
    return _add(function, _OPENING)


def approving(function: Callable[P, R]) -> Callable[P, R]:
    """Add the shared options of a command that writes the log of approvals."""
    return _add(function, _APPROVING)


def responding(function: Callable[P, R]) -> Callable[P, R]:
    """Add the shared options of a command that seals a step of an incident."""
    return _add(function, _RESPONDING)


def packing(function: Callable[P, R]) -> Callable[P, R]:
    """Add the shared options that ``pack`` uses."""
    return _add(function, _PACKING)


def as_json(function: Callable[P, R]) -> Callable[P, R]:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout (docs/json.md).")(function)


class _Leaves(click.ParamType[tuple[int, int]]):
    """One leaf or several: ``1204``, ``operations:1204``, ``1204-1300``. The value is a range [first, end)."""

    name = "leaves"

    def convert(
        self,
        value: str | tuple[int, int],
        param: click.Parameter | None,  # noqa: ARG002  # click's signature
        ctx: click.Context | None,  # noqa: ARG002
    ) -> tuple[int, int]:
        """UsageError for another form."""
        if isinstance(value, tuple):
            return value
        found = _LEAVES.fullmatch(value)
        if found is None or int(found[2] or found[1]) < int(found[1]):
            raise UsageError("not a leaf", where="--leaf", found=value[:80], expected="N, or FIRST-LAST")
        return int(found[1]), int(found[2] or found[1]) + 1


_LEAVES = re.compile(r"(?:operations:)?([0-9]{1,15})(?:-([0-9]{1,15}))?", re.ASCII)


def leaves(function: Callable[P, R]) -> Callable[P, R]:
    """Add ``--leaf``; the command gets ``leaves``, ranges [first, end)."""
    told = "A record by its leaf, or several: FIRST-LAST."
    return click.option("--leaf", "leaves", multiple=True, type=_Leaves(), metavar="N", help=told)(function)


def period(text: str) -> tuple[str, str]:
    """The two ends of FROM..TO; UsageError for another form."""
    since, dots, until = text.partition("..")
    if not dots or not since or not until:
        raise UsageError("not a period", where="--period", found=text[:80], expected="FROM..TO")
    return since, until


def _add(function: Callable[P, R], which: tuple[str, ...]) -> Callable[P, R]:
    @functools.wraps(function)
    def wrapped(*arguments: P.args, **options: P.kwargs) -> R:
        flags = {name: options.pop(name, None) for name in (*SHARED, "config")}
        options["settings"] = resolved(flags)
        return function(*arguments, **options)

    for name in reversed(which):
        wrapped = _OPTIONS[name](wrapped)
    return wrapped


def resolved(flags: dict[str, object]) -> Settings:
    """The settings that hold: flags, then the environment, then the settings file."""
    from custody.settings.options import resolve

    config = flags.pop("config", None)
    flags["mapping"] = flags.get("mapping") or None  # a flag that can be repeated and was not given is empty
    found = resolve(
        flags,
        os.environ,
        Path(str(config)) if config else None,
        home=Path.home(),
        cwd=Path.cwd(),
        cores=os.cpu_count() or 1,
    )
    named = (("store", found.store), ("keys", found.keys), ("approval keys", found.approval_keys))
    for name, path in named:
        check_text(str(path), f"the folder of the {name}")
    return found


def check_text(given: str, what: str) -> None:
    """UsageError for an argument or path whose bytes are not UTF-8: nothing could name it in a log or in JSON."""
    try:
        given.encode()
    except UnicodeEncodeError:
        found = given.encode("utf-8", "backslashreplace").decode()
        raise UsageError("not UTF-8", where=what, found=found[:200]) from None


def colored(settings: Settings) -> bool:
    """Whether to style output: by setting, else on a terminal without NO_COLOR."""
    if settings.color.value != "auto":
        return settings.color.value == "always"
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ
