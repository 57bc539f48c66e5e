"""What a drill is measured by: seconds of each step and other figures beside targets, and the log that keeps them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, Protocol

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

Kind = Literal["break-glass", "incident"]
Held = Literal["right", "not known", "wrong"]
"""How an answer is by the truth."""
Answered = tuple[str, str, Held]
"""A question, the state of its answer, and how that is."""
Targets = Mapping[str, float]
GLASS: Targets = {
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
"""Seconds of each step of a break-glass, where nobody says others: of the machine's part. No people are in them."""
INCIDENT: Targets = {
    "generate": 60.0,
    "collect": 60.0,
    "detect": 5.0,
    "open": 15.0,
    "scope": 30.0,
    "ask": 15.0,
    "own-approval": 15.0,
    "approve": 15.0,
    "done": 15.0,
    "survivor": 90.0,
    "contain-again": 45.0,
    "enable-early": 60.0,
    "outcome": 90.0,
    "answers": 15.0,
    "timeline": 15.0,
    "close": 45.0,
    "pack": 60.0,
    "again": 90.0,
}
"""The same of an incident."""
MEASURES: Targets = {
    "scope-recall": 1.0,
    "scope-wrong": 0.0,
    "answers-wrong": 0.0,
    "answers-not-known": 0.625,
    "times-apart": 60.0,
    "exposure-to-containment": 60.0,
}
"""What an incident is measured by besides, and the target of each. docs/drill.md says what each one is."""
LEAST = frozenset(("scope-recall",))
"""Of these the target is the least; of the others it is the most."""
ZERO = frozenset(("scope-wrong", "answers-wrong"))
"""Of these no other target is taken: what is wrong is wrong."""
STEPS: Mapping[Kind, Targets] = {"break-glass": GLASS, "incident": INCIDENT}


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


class Scored(Protocol):
    """What meets its target or does not."""

    @property
    def met(self) -> bool: ...  # noqa: D102  # a plain part


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A figure beside its target. ``value`` is None where it could not be taken, which meets no target."""

    name: str
    value: float | None
    target: float
    told: str = ""

    @property
    def met(self) -> bool:
        """Whether the target is met."""
        if self.value is None:
            return False
        return self.value >= self.target if self.name in LEAST else self.value <= self.target


class Drill(msgspec.Struct, frozen=True, kw_only=True):
    """A drill: of what kind, against what it was played, its steps and figures, and its own log at the end.

    Of an incident: ``seed`` plays it again, ``answers`` are question, what was told, and how that is by the truth,
    ``pack`` is the SHA-256 (hex) of its pack, None where none was made.
    """

    kind: Kind = "break-glass"
    drill: str
    target: str
    steps: tuple[Played, ...]
    size: int
    root: str
    measures: tuple[Measured, ...] = ()
    seed: int | None = None
    answers: tuple[Answered, ...] = ()
    pack: str | None = None

    @property
    def met(self) -> bool:
        """Whether every step was done in time, and every figure met its target."""
        scored: tuple[Scored, ...] = (*self.steps, *self.measures)
        return all(each.met for each in scored)

    @property
    def misses(self) -> tuple[str, ...]:
        """Why it was not met: the first step that was not done, each that took too long, each figure."""
        failed = [f"{each.step}: {each.told}" for each in self.steps if not each.done][:1]
        slow = [f"{each.step} took {each.seconds:.3f} s" for each in self.steps if each.done and not each.met]
        off = [f"{each.name}: {each.told or each.value}" for each in self.measures if not each.met]
        return (*failed, *slow, *off)


def targets_of(path: Path | None, kind: Kind = "break-glass") -> dict[str, float]:
    """The targets of a kind, those of a TOML file over the usual ones. UsageError names what is none.

    Those of a drill stand in a table of its name. Names outside of any table are steps of a break-glass. The whole file
    is checked, whatever kind is asked for.
    """
    file = read_settings_file(path) if path is not None else {}
    found = {"break-glass": dict(GLASS), "incident": {**INCIDENT, **MEASURES}}
    for name, value in file.items():
        if name not in found:
            _take(found["break-glass"], name, value, f"{path}")
        elif isinstance(value, Mapping):
            for one, target in value.items():
                _take(found[name], str(one), target, f"{path}: {name}")
        else:
            raise UsageError("not a table of targets", where=f"{path}: {name}", found=str(value)[:60])
    return found[kind]


def _take(known: dict[str, float], name: str, value: object, where: str) -> None:
    if name not in known:
        raise UsageError("no such step", where=where, found=name[:60], expected=", ".join(known))
    if name in ZERO:
        raise UsageError("no other target is taken", where=f"{where}: {name}", expected="0: left out")
    low_enough = not isinstance(value, bool) and isinstance(value, int | float) and 0 < value < 86_400
    if not low_enough or (name in LEAST and float(str(value)) > 1):
        raise UsageError("not a time in seconds, or a share", where=f"{where}: {name}", found=str(value)[:60])
    known[name] = float(str(value))


def keep(settings: Settings, drill: Drill, version: str, clock: Clock) -> int:
    """Seal a drill into the store of ``settings``, as a log of its own of two lines; the leaf of the first."""
    now = clock.now()
    steps = tuple((each.step, round(each.seconds, 3), each.target, each.met) for each in drill.steps)
    first, tip = lines.told(Tip(drill.drill), now, Drilled(drill=drill.drill, steps=steps, met=drill.met))
    second, _ = lines.told(tip, now, Service(what="drill", version=version, fields=dict(_fields(drill))))
    with tempfile.TemporaryDirectory(prefix="custody-") as folder:
        path = Path(folder) / "drill.ndjson"
        path.write_bytes(first + b"\n" + second + b"\n")
        seal(settings, drill.drill, path, f"{drill.kind}/{drill.drill}.ndjson")
    with Reader.open(settings.store) as reader:
        return entry_at(reader, drill.drill, 1)[1]


def _fields(drill: Drill) -> Iterator[tuple[str, str]]:
    """What is told of it in words, by name."""
    yield from (("kind", drill.kind), ("target", drill.target), ("size", str(drill.size)), ("root", drill.root))
    if drill.seed is not None:
        yield "seed", str(drill.seed)
    if drill.pack is not None:
        yield "pack", drill.pack
    yield from ((f"step {each.step}", each.told) for each in drill.steps)
    yield from ((f"measure {each.name}", said_of(each)) for each in drill.measures)
    yield from ((f"answer {question}", f"{held}: {state}") for question, state, held in drill.answers)


def said_of(each: Measured) -> str:
    """A figure in words: what it is, what it may be, whether it is met."""
    value = "not known" if each.value is None else f"{each.value:g}"
    bound = "at least" if each.name in LEAST else "at most"
    return f"{value}, {bound} {each.target:g}: {'met' if each.met else 'not met'}"


def new_id(clock: Clock, random: Random) -> str:
    """The id of a drill."""
    return drill_id(clock.now(), random)
