"""``custody drill incident``: an incident from the alarm to the pack, on an estate and a store that are thrown away.

Every step is the real one, by the code that an incident uses; what came of it is held against what is true of the
estate, and nothing waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from custody.broker.clock import Clock, Random
from custody.errors import CustodyError
from custody.pipeline.drills.comparing import truth_of
from custody.pipeline.drills.playing import Knowing, Play
from custody.pipeline.drills.scoring import INCIDENT, MEASURES, Drill, Measured, Played, Targets, new_id
from custody.pipeline.drills.script import step_of
from custody.store.reader import Reader

TARGET = "estate"
MOST_TOLD = 300


class Watched:
    """Whom a drill is told to while it goes on: each step, and how long it took by a clock of seconds."""

    def __init__(self, watch: Callable[[Played], None], seconds: Callable[[], float] = time.monotonic) -> None:
        self.watch, self.seconds = watch, seconds


def drill(
    folder: Path,
    seed: int,
    targets: Targets,
    parts: tuple[Clock, Random],
    watched: Watched,
    knowing: Knowing = truth_of,
) -> Drill:
    """Play every step; after one that was not done the others are not played, and no figure is taken after it.

    The folder is a new one. ``seed`` decides the estate and its theft, ``parts`` give the id and the people's keys.
    """
    clock, random = parts
    play = Play(folder, seed, random, knowing)
    steps = tuple(_timed(play, targets, watched))
    size, root = _log(folder)
    return Drill(
        kind="incident",
        drill=new_id(clock, random),
        target=TARGET,
        steps=steps,
        size=size,
        root=root,
        measures=_measures(play, targets),
        seed=seed,
        answers=() if play.compared is None else play.compared.answers,
        pack=None if play.packed is None else play.packed.sha256,
    )


def _timed(play: Play, targets: Targets, watched: Watched) -> Iterator[Played]:
    going = True
    for name in INCIDENT:
        began = watched.seconds()
        done, told = _one(play, name) if going else (False, "not played")
        going = going and done
        one = Played(step=name, seconds=watched.seconds() - began, target=targets[name], done=done, told=told)
        watched.watch(one)
        yield one


def _one(play: Play, name: str) -> tuple[bool, str]:
    try:
        return True, step_of(play, name)
    except CustodyError as error:
        return False, str(error)[:MOST_TOLD]


def _measures(play: Play, targets: Targets) -> tuple[Measured, ...]:
    if play.compared is not None:
        return play.compared.measures(targets)
    return tuple(Measured(name=name, value=None, target=targets[name], told="not taken") for name in MEASURES)


def _log(folder: Path) -> tuple[int, str]:
    """Size and root of the drill's own log; those of an empty one where it did not come so far."""
    try:
        with Reader.open(folder / "store") as reader:
            point = reader.checkpoint()
    except CustodyError:
        return 0, ""
    return point.size, point.root.hex()
