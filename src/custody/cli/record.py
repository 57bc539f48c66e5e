"""One sealed record, as text."""

from __future__ import annotations

import msgspec

from custody.model.events import Event
from custody.model.times import text
from custody.pipeline.show import Shown
from custody.reports.safe import plain
from custody.reports.terminal.style import Style

PART_FIELDS = ("key", "parent", "subject", "workload", "session_name", "method", "effect", "object", "related")


def described(one: Shown, style: Style) -> str:
    """Where it came from, its leaf, what it means, then the kept bytes."""
    member = f": {one.member}" if one.member else ""
    lines = [
        style.strong(f"{one.source} {plain(one.id)}"),
        f"leaf      {one.leaf.log}:{one.leaf.index}",
        f"file      {plain(one.file + member)}  bytes {one.at} to {one.at + one.length}  ({one.form})",
        f"acquired  {one.acquired}  leaf {one.file_leaf.index}",
        f"sealed    SHA-256(salt, kept) {one.kept_sha256}",
    ]
    if one.skip is not None:
        lines.append(f"skipped   {one.skip.reason} {plain(one.skip.detail)}".rstrip())
    for event in one.events:
        lines += _event(event)
    raw = one.raw()
    absent = "withheld" if one.erased is None else plain(one.erased.sentence())
    lines.append("kept      " + (absent if raw is None else plain(raw.decode("utf-8", "backslashreplace"))))
    return "\n".join(lines)


def _event(event: Event) -> list[str]:
    origin = f" from {plain(event.origin)}" if event.origin else ""
    lines = [f"event     {text(event.time)}  {plain(event.service)} {plain(event.action)}  {event.outcome}{origin}"]
    for part in event.parts:
        plain_part = msgspec.to_builtins(part)
        named = [f"{name} {plain(str(plain_part[name]))}" for name in PART_FIELDS if plain_part.get(name)]
        lines.append(f"  {part.stage.value:<8}" + "\n          ".join(named))
    return lines
