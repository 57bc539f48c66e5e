"""What the commands about break-glass say, to people and to programs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from custody.errors import UsageError

if TYPE_CHECKING:
    from custody.broker.glass.file import Sealed
    from custody.pipeline.glass.listing import Listed

WIDE = 10


def tell(as_json: bool, fields: Mapping[str, object], notes: Sequence[str] = ()) -> None:
    """One JSON object, or a line for each field; notes go to stderr."""
    from custody.cli.output import emit, note
    from custody.reports.safe import plain

    if as_json:
        emit({**fields, "notes": list(notes)} if notes else fields)
        return
    for name, value in fields.items():
        click.echo(f"{name:<{WIDE}}{plain(_text(value))}")
    for each in notes:
        note(f"note: {each}")


def sealed_fields(sealed: Sealed, path: Path, receipt: str) -> dict[str, object]:
    """A glass that was prepared."""
    return {
        "glass": sealed.glass,
        "file": str(path),
        "holders": [each.holder for each in sealed.holders],
        "until": sealed.not_after,
        "chain": sealed.chain,
        "receipt": receipt,
        "keys": list(sealed.keys),
    }


def listed_fields(each: Listed) -> dict[str, object]:
    """A glass of the list."""
    names = ("glass", "standing", "backend", "account", "holders", "not_after", "chain")
    steps = [
        {
            "step": one.body.step,
            "at": one.at,
            "people": list(one.body.people),
            "reason": one.body.reason,
            "offline": one.body.offline,
            "leaf": {"log": "operations", "index": one.leaf},
        }
        for one in each.steps
    ]
    return {**{name: getattr(each, name) for name in names}, "steps": steps}


def listed_lines(each: Listed) -> list[str]:
    """A glass of the list, for people."""
    from custody.reports.safe import plain

    lines = [f"{each.glass}  {each.standing}  {each.backend} for {each.account}, until {each.not_after}"]
    for one in each.steps:
        people = f" by {', '.join(one.body.people)}" if one.body.people else ""
        lines.append(f"  {one.at[:19]}Z  {one.body.step:<9}{people}: {one.body.reason}  operations:{one.leaf}")
    return [plain(line) for line in lines]


def put(path: Path, data: bytes) -> None:
    """Write a new file that only its owner can read. UsageError where there is one."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise UsageError("there is a file of this name", where=str(path), expected="a new name") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _text(value: object) -> str:
    if isinstance(value, dict):
        return f"{value['log']}:{value['index']}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
