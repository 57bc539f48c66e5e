"""What a drill is measured by: the seconds of each step beside a target, and the line of the log that says so."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec

from custody.broker.clock import Clock, Random
from custody.broker.glass import journal as lines
from custody.broker.glass.journal import Tip
from custody.broker.glass.names import drill_id
from custody.errors import UsageError
from custody.model.brokered import Drilled, Service
from custody.pipeline.glass.ingesting import seal
from custody.pipeline.glass.known import entry_at
from custody.settings.catalog import Settings
from custody.settings.settings_file import read_settings_file
from custody.store.reader import Reader

TARGETS = {
    "prepare": 30.0,
    "broker-down": 5.0,
    "open": 15.0,
    "use": 15.0,
    "detect": 60.0,
    "revoke": 15.0,
    "rotate": 30.0,
    "ingest": 30.0,
    "review": 30.0,
}
"""Seconds of each step, where nobody says others: of the machine's part. How long people take is not in them."""


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """A step that was played. ``done`` is False where what it is for was not seen; ``told`` says what was."""

    step: str
    seconds: float
    target: float
    done: bool
    told: str

    @property
    def met(self) -> bool:
        """Whether it was done, and in time."""
        return self.done and self.seconds <= self.target


class Drill(msgspec.Struct, frozen=True, kw_only=True):
    """A drill: against what it was played, its steps, and how the log of its own store stood at the end."""

    drill: str
    target: str
    steps: tuple[Played, ...]
    size: int
    root: str

    @property
    def met(self) -> bool:
        """Whether every step was done in time."""
        return all(each.met for each in self.steps)


def targets_of(path: Path | None) -> dict[str, float]:
    """The targets in seconds, those of a TOML file over the usual ones. UsageError names what is no step or time."""
    found = dict(TARGETS)
    for name, value in (read_settings_file(path) if path is not None else {}).items():
        if name not in TARGETS:
            raise UsageError("no such step", where=str(path), found=name[:60], expected=", ".join(TARGETS))
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 86_400:
            raise UsageError("not a time in seconds", where=f"{path}: {name}", found=str(value)[:60])
        found[name] = float(value)
    return found


def keep(settings: Settings, drill: Drill, version: str, clock: Clock) -> int:
    """Seal a drill into the store of ``settings``, as a log of its own of two lines; the leaf of the first."""
    now = clock.now()
    steps = tuple((each.step, round(each.seconds, 3), each.target, each.met) for each in drill.steps)
    first, tip = lines.told(Tip(drill.drill), now, Drilled(drill=drill.drill, steps=steps, met=drill.met))
    told = {f"step {each.step}": each.told for each in drill.steps}
    fields = {"target": drill.target, "size": str(drill.size), "root": drill.root, **told}
    second, _ = lines.told(tip, now, Service(what="drill", version=version, fields=fields))
    with tempfile.TemporaryDirectory(prefix="custody-") as folder:
        path = Path(folder) / "drill.ndjson"
        path.write_bytes(first + b"\n" + second + b"\n")
        seal(settings, drill.drill, path, f"break-glass/{drill.drill}.ndjson")
    with Reader.open(settings.store) as reader:
        return entry_at(reader, drill.drill, 1)[1]


def new_id(clock: Clock, random: Random) -> str:
    """The id of a drill."""
    return drill_id(clock.now(), random)
