"""``custody drill break-glass``: a break-glass from beginning to end, on a broker and a store that are thrown away.

Every step is the real one, by the code that an emergency would use; nothing waits and no figure is made up. The broker
that is put together is handed in (``Compose``), as this room does not know the service.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Protocol

from custody.broker.clock import Random
from custody.errors import CustodyError
from custody.pipeline.drills.scoring import Drill, Played, new_id
from custody.pipeline.glass.playing import ACCOUNT, BROKER, Play, step_of
from custody.pipeline.glass.session import Parts
from custody.pipeline.glass.targets import NAME, Target
from custody.pipeline.registering.importing import import_document
from custody.pipeline.signatures import Given
from custody.settings.broker_file import BrokerFile
from custody.settings.catalog import Settings
from custody.settings.options import resolve
from custody.store.reader import Reader

IDENTITY = "break-glass-drill"
WITH_LOG = ("prepare", "broker-down", "open", "use", "detect", "revoke", "rotate", "ingest", "review")
"""The order of steps: the target's own log raises the alarm."""
WITHOUT_LOG = ("prepare", "broker-down", "open", "use", "revoke", "rotate", "ingest", "detect", "review")
"""Where the target keeps none, the journal is the first to tell."""
_POLICY = f"""@id("drill/break-glass")
permit (principal in Identity::"{IDENTITY}", action == Action::"BreakGlass", resource == Backend::"{NAME}")
when {{ context has reason }};
"""
_REGISTER = f"""version: 1
register: drill
identities:
  {IDENTITY}:
    kind: workload
    names: ["break_glass:{BROKER}:{ACCOUNT}"]
    owner: team:drill
    purpose: is there for the drill alone
"""


class Closed(Protocol):
    """Something that is let go of at the end."""

    def close(self) -> None:
        """Let go."""
        ...


class Stage(Parts, Protocol):
    """A broker that was put together, and the tables that have to be closed after it."""

    @property
    def tables(self) -> Closed: ...  # noqa: D102  # a plain part


Compose = Callable[[Settings, BrokerFile], Stage]


def lay_out(folder: Path, target: Target) -> tuple[Settings, BrokerFile]:
    """The files of the broker that is thrown away, in ``folder``; its register is sealed."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "policies").mkdir(exist_ok=True)
    (folder / "policies" / "drill.cedar").write_text(_POLICY, encoding="utf-8")
    document = folder / "register.yaml"
    document.write_text(_REGISTER, encoding="utf-8")
    flags: dict[str, object] = {"store": str(folder / "store"), "keys": str(folder / "keys"), "jobs": "1"}
    settings = resolve(flags, {}, None, home=folder, cwd=folder, cores=1)
    import_document(settings, document, Given(), lambda _: None, judge=False)
    file = BrokerFile(broker=BROKER, issuer="https://drill.invalid", backends=(target.table(),), folder=str(folder))
    return settings, file


async def drill(
    folder: Path,
    target: Target,
    compose: Compose,
    targets: Mapping[str, float],
    random: Random,
    watch: Callable[[Played], None],
    seconds: Callable[[], float] = time.monotonic,
) -> Drill:
    """Play every step; ``watch`` is told of each. After one that was not done the others are not played."""
    settings, file = lay_out(folder, target)
    stage = compose(settings, file)
    try:
        target.take(stage.backends)
        play = Play(folder, stage, target, random)
        played = [each async for each in _timed(play, targets, watch, seconds)]
        with Reader.open(settings.store) as reader:
            checkpoint = reader.checkpoint()
        return Drill(
            drill=new_id(stage.clock, random),
            target=target.kind,
            steps=tuple(played),
            size=checkpoint.size,
            root=checkpoint.root.hex(),
        )
    finally:
        stage.tables.close()


async def _timed(
    play: Play, targets: Mapping[str, float], watch: Callable[[Played], None], seconds: Callable[[], float]
) -> AsyncIterator[Played]:
    going = True
    for name in WITH_LOG if play.target.keeps_log else WITHOUT_LOG:
        began = seconds()
        done, told = await _one(play, name) if going else (False, "not played")
        going = going and done
        one = Played(step=name, seconds=seconds() - began, target=targets[name], done=done, told=told)
        watch(one)
        yield one


async def _one(play: Play, name: str) -> tuple[bool, str]:
    try:
        return True, await step_of(play, name)
    except CustodyError as error:
        return False, str(error)[:300]
