"""Two people at once, and a kill before every operation of the disk: a step is sealed once and whole, or not at all."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from custody.errors import CustodyError, UsageError
from custody.incidents.record.weighing import approved
from custody.model.incidents import ActionKind, Item, Seed, SeedKind
from custody.pipeline.incidents import acting, closing, deciding, reading
from custody.pipeline.incidents.closing import Judgement
from custody.store.disk import RealDisk
from custody.store.verification import verify
from tests.pipeline.incidents.scene import CARL, DORA, MINUTE, Scene, signer
from tests.ssh_signing import ANN, BOB

ADDRESS = Seed(kind=SeedKind.ADDRESS, value="203.0.113.9")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without records, to be copied."""
    return Scene(tmp_path_factory.mktemp("fresh")).folder


@pytest.fixture
def scene(tmp_path: Path, fresh: Path) -> Scene:
    shutil.copytree(fresh, tmp_path, dirs_exist_ok=True)
    return Scene(tmp_path)


def test_two_people_settle_at_once_and_one_of_them_is_told(scene: Scene) -> None:
    name = scene.open()
    actions = [scene.asked(name, reason=f"r{number}") for number in range(3)]

    def settle(job: tuple[str, str]) -> object:
        action, how = job
        try:
            return acting.settle(scene.desk, action, how, "r", signer(ANN)).sealed.sealed  # type: ignore[arg-type]
        except UsageError as error:
            return error.message

    jobs = [(action, how) for action in actions for how in ("failed", "accepted")]
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(settle, jobs))

    assert sorted(map(str, told)) == ["True"] * 3 + ["it is settled already"] * 3
    assert scene.incident(name).odd == ()


def test_two_people_approve_at_once_and_both_are_there(scene: Scene) -> None:
    action = scene.asked(scene.open(), kind=ActionKind.ENABLE)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda person: scene.decide(action, person), (BOB, CARL)))

    assert scene.whys(action) == ["", ""]
    assert approved(scene.action(action), scene.now)


def _kill_after(scene: Scene, operations: int, say: Callable[[], object]) -> bool:
    """Say something in a process of its own that is killed at an operation of the disk; whether it came to its end."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return not os.WIFSIGNALED(status)
    left = [operations]

    def counted(name: str) -> Callable[..., object]:
        real = getattr(RealDisk, name)

        def call(*arguments: object, **named: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **named)

        return call

    for name in ("write", "append", "sync_all", "sync_file", "sync_folder", "rename", "delete"):
        setattr(RealDisk, name, counted(name))
    code = 1
    try:
        say()
        code = 0
    finally:
        os._exit(code)


def _steps(scene: Scene) -> list[str]:
    return [type(each.step).__name__ for each in reading.read(scene.settings).heard]


Say = Callable[[], object]


def _saying(scene: Scene, command: str) -> tuple[Say, str]:
    """A command to be killed, after what has to be there before; and the step that it seals."""
    title = f"killed {scene.now}"
    if command == "open":
        return lambda: scene.open(title=title), "Opened"
    name = scene.open(title=title)
    if command == "reopen":
        closing.close(scene.desk, name, "r", lambda _: Judgement(), signer(ANN))
    found = _of_incident(scene, name).get(command)
    return found or _of_action(scene, scene.asked(name), command)


def _of_incident(scene: Scene, name: str) -> dict[str, tuple[Say, str]]:
    desk, ann = scene.desk, signer(ANN)
    return {
        "act": (lambda: scene.asked(name), "Asked"),
        "note": (lambda: closing.note(desk, name, "seen", [], ann), "Noted"),
        "claim": (lambda: closing.claim(desk, name, Item.CAUSE_REMOVED, "pay", "r", [], ann), "Claimed"),
        "widen": (lambda: closing.widen(desk, name, (ADDRESS,), "r", ann), "Widened"),
        "vouch": (lambda: _vouch(scene, name), "Vouched"),
        "close": (lambda: closing.close(desk, name, "r", lambda _: Judgement(), ann), "Closed"),
        "reopen": (lambda: closing.reopen(desk, name, "r", ann), "Reopened"),
    }


def _of_action(scene: Scene, action: str, command: str) -> tuple[Say, str]:
    scene.now += MINUTE
    if command == "withdraw":
        scene.decide(action, BOB)
    if command == "review":
        scene.done(action)
    verdicts: dict[str, deciding.Verdict] = {"approve": "grant", "deny": "deny", "withdraw": "withdraw"}
    if command in verdicts:
        return lambda: scene.decide(action, BOB, verdicts[command]), "Decided"
    others: dict[str, tuple[Say, str]] = {
        "done": (lambda: scene.done(action), "Done"),
        "settle": (lambda: acting.settle(scene.desk, action, "failed", "r", signer(ANN)), "Settled"),
        "review": (lambda: scene.review(action, BOB), "Reviewed"),
    }
    return others[command]


def _vouch(scene: Scene, name: str) -> object:
    prepared = deciding.vouch(scene.desk, name, "pay", "r")
    return deciding.decide(scene.desk, prepared, DORA.sign(prepared.text, space="custody-approval"))


COMMANDS = (
    "open", "act", "note", "widen", "claim", "vouch", "close", "reopen", "approve", "deny", "withdraw", "done",
    "settle", "review",
)  # fmt: skip
"""Every command that seals a step; ``do`` is killed in test_doing."""


def _killed_everywhere(scene: Scene, command: str, points: Callable[[int], bool]) -> int:
    """Kill a command at every point; each time the step is there or not, and saying it again seals it once."""
    operations = 0
    while True:
        if operations > 200:
            raise AssertionError("it never came to its end")
        if points(operations):
            say, step = _saying(scene, command)
            before = _steps(scene)
            finished = _kill_after(scene, operations, say)
            after = _steps(scene)
            assert sorted(after) in (sorted(before), sorted([*before, step]))
            say()
            assert sorted(_steps(scene)) == sorted([*before, step])
            assert reading.read(scene.settings).unread == ()
            if finished:
                return operations
        operations += 1
        scene.now += MINUTE


@pytest.mark.parametrize("command", ["act", "approve"])
def test_a_command_is_killed_and_nothing_is_half_said(scene: Scene, command: str) -> None:
    """At a few points here, at every one in the slow tests: the first comes before its end, the last after it."""
    assert _killed_everywhere(scene, command, lambda operations: operations in (9, 200)) == 200


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_killed_before_every_operation_of_the_disk(scene: Scene, command: str) -> None:
    assert _killed_everywhere(scene, command, lambda _: True) > 10
    assert verify(scene.settings.store, processes=1).problems == ()


class Race:
    """An incident with an action of each state, and what two people say of it at the same moment."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.name = scene, scene.open(title=f"race {scene.now}")
        self.waiting, self.done = (scene.asked(self.name, targets=(each,)) for each in ("waiting", "done"))
        scene.decide(self.done, BOB)
        scene.now += MINUTE
        scene.done(self.done)

    def run(self, first: Callable[[], object], second: Callable[[], object]) -> list[str]:
        """What became of both: ``sealed``, ``known`` (the same was sealed already), or what was told."""
        with ThreadPoolExecutor(2) as pool:
            jobs = [pool.submit(first), pool.submit(second)]
        found = [self._said(each.exception() or each.result()) for each in jobs]
        assert verify(self.scene.settings.store, processes=1).problems == ()
        assert [each.why for each in self.scene.incident(self.name).odd] == []
        return sorted(found)

    def _said(self, found: object) -> str:
        if isinstance(found, CustodyError):
            return found.message
        assert not isinstance(found, BaseException), found
        sealed = getattr(found, "sealed", None)
        return "sealed" if getattr(sealed, "sealed", sealed) else "known"


def _both(race: Race, what: str) -> tuple[Callable[[], object], Callable[[], object]]:
    """What two people say at once."""
    scene, name = race.scene, race.name
    desk = scene.desk
    both: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "act": (lambda: scene.act(name, ANN, targets=("x",)), lambda: scene.act(name, ANN, targets=("x",))),
        "act, two people": (lambda: scene.act(name, ANN), lambda: scene.act(name, BOB)),
        "done": (lambda: scene.done(race.waiting), lambda: scene.done(race.waiting)),
        "note": (
            lambda: closing.note(desk, name, "seen", [], signer(ANN)),
            lambda: closing.note(desk, name, "seen", [], signer(BOB)),
        ),
        "claim": (
            lambda: closing.claim(desk, name, Item.CAUSE_REMOVED, "pay", "r", [], signer(ANN)),
            lambda: closing.claim(desk, name, Item.CAUSE_REMOVED, "pay", "r", [], signer(ANN)),
        ),
        "widen": (
            lambda: closing.widen(desk, name, (ADDRESS,), "r", signer(ANN)),
            lambda: closing.widen(desk, name, (ADDRESS,), "r", signer(BOB)),
        ),
        "review": (lambda: scene.review(race.done, DORA), lambda: scene.review(race.done, DORA)),
        "approve and deny": (lambda: scene.decide(race.waiting, BOB), lambda: scene.decide(race.waiting, CARL, "deny")),
        "approve and settle": (
            lambda: scene.decide(race.waiting, BOB),
            lambda: acting.settle(desk, race.waiting, "withdrawn", "r", signer(ANN)),
        ),
        "vouch": (lambda: _vouch(scene, name), lambda: _vouch(scene, name)),
    }
    return both[what]


TOLD: dict[str, list[str]] = {
    "act": ["known", "sealed"],
    "act, two people": ["sealed", "sealed"],
    "done": ["known", "sealed"],
    "note": ["sealed", "sealed"],
    "claim": ["known", "sealed"],
    "widen": ["it grows from all of these already", "sealed"],
    "review": ["known", "sealed"],
    "approve and deny": ["sealed", "sealed"],
    "approve and settle": ["sealed", "sealed"],
    "vouch": ["known", "sealed"],
}


@pytest.mark.slow
@pytest.mark.parametrize("what", TOLD)
def test_of_two_who_say_something_at_once_each_is_sealed_once_or_told(scene: Scene, what: str) -> None:
    race = Race(scene)

    assert race.run(*_both(race, what)) == TOLD[what]


def test_a_close_and_a_request_at_once_leave_nothing_open_in_a_closed_incident(scene: Scene) -> None:
    """Whichever is first, the other is told; there is no close that forgets the request."""
    name = scene.open()
    both: list[Say] = [
        lambda: closing.close(scene.desk, name, "r", lambda _: Judgement(), signer(ANN)),
        lambda: scene.act(name, BOB),
    ]
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(each) for each in both]
    told = [type(each.exception()).__name__ for each in jobs]
    found = scene.incident(name)

    assert sorted(told) == ["NoneType", "UsageError"]
    assert (found.closed is None, len(found.actions), found.odd) in ((True, 1, ()), (False, 0, ()))


@pytest.mark.slow
def test_close_and_reopen_at_once(scene: Scene) -> None:
    name = scene.open()
    closing.close(scene.desk, name, "r", lambda _: Judgement(), signer(ANN))
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(lambda: closing.reopen(scene.desk, name, "r", signer(BOB))) for _ in range(2)]
    told = sorted("known" if not each.result().sealed else "sealed" for each in jobs)

    assert told == ["known", "sealed"]
    assert scene.incident(name).closed is None
    assert reading.read(scene.settings).unread == ()
