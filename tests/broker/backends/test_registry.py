"""Which backends there are, and what a table of the broker file must be."""

import msgspec
import pytest

from custody.broker.backends.backend import Door, Secret
from custody.broker.backends.memory import MemoryBackend, Options
from custody.broker.backends.memory import build as build_memory
from custody.broker.backends.registry import Build, Kind, build, collect, kinds
from custody.errors import BackendFailed, UsageError
from custody.model.broker_terms import Ending
from custody.model.brokered import Effect
from custody.settings.broker_file import BackendTable
from tests.broker.backends import rigs
from tests.broker.backends.rigs import Rig, held


def make(name: str, options: msgspec.Struct, door: Door) -> MemoryBackend:
    assert isinstance(options, Options)
    return build_memory(name, options, door)


MAKE: Build = make


@pytest.fixture
def rig(tmp_path_factory: pytest.TempPathFactory) -> Rig:
    with rigs.memory(tmp_path_factory.getbasetemp()) as made:
        return made


def fake(rig: Rig, **options: object) -> MemoryBackend:
    backend = rig.other(**options)
    assert isinstance(backend, MemoryBackend)
    return backend


def test_the_kinds_are_found_by_scan_and_sorted() -> None:
    assert list(kinds()) == ["aws_sts", "jwt", "memory", "postgresql"]


def test_two_of_one_kind_are_refused() -> None:
    with pytest.raises(UsageError, match="two backends have one kind"):
        collect([Kind("x", Options, MAKE), Kind("y", Options, MAKE), Kind("x", Options, MAKE)])


@pytest.mark.parametrize(
    ("table", "where", "found"),
    [
        ({"kind": "vault"}, "backends.x", "vault"),
        ({"max_ttl": 0}, "backends.x.max_ttl", "0"),
        ({"options": {"scopes": "read"}}, "backends.x.options", "scopes"),
        ({"options": {"scope": ["read"]}}, "backends.x.options", "scope"),
        ({"options": {"quick": 1}}, "backends.x.options", "quick"),
        ({"options": {"ends": "soon"}}, "backends.x.options", "ends"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(rig: Rig, table: dict[str, object], where: str, found: str) -> None:
    given = msgspec.convert({"name": "x", "kind": "memory", **table}, BackendTable)

    with pytest.raises(UsageError) as refused:
        build(given, rig.door)

    assert refused.value.where == where
    assert found in refused.value.found


@pytest.mark.parametrize("step", ["issue", "end"])
@pytest.mark.parametrize("persisted", [True, False])
def test_the_fake_fails_as_it_is_told_once_with_the_step_done_or_not(rig: Rig, step: str, persisted: bool) -> None:
    backend, order = fake(rig), rig.order()
    plan = backend.plan(order)
    if step == "issue":
        backend.fail("issue", persisted=persisted)
        with pytest.raises(BackendFailed) as failed:
            backend.issue(order, plan)
        assert (backend.look(held(order, plan)).effect is Effect.ALIVE) is persisted
    else:
        made = backend.issue(order, plan)
        backend.fail("end", persisted=persisted)
        with pytest.raises(BackendFailed) as failed:
            backend.end(held(order, plan, made))
        assert (backend.look(held(order, plan)).effect is Effect.GONE) is persisted
        backend.end(held(order, plan, made))
        assert backend.look(held(order, plan)).effect is Effect.GONE
    assert (failed.value.reason, failed.value.left_unknown) == ("told", True)
    assert backend.calls[0] == ("issue", order.chain)


def test_the_fake_can_be_sure_that_nothing_was_made(rig: Rig) -> None:
    backend, order = fake(rig), rig.order()
    backend.fail("issue", persisted=False, certain=True)

    with pytest.raises(BackendFailed) as failed:
        backend.issue(order, backend.plan(order))

    assert failed.value.left_unknown is False
    with pytest.raises(UsageError):
        backend.fail("issue", persisted=True, certain=True)


@pytest.mark.parametrize(
    ("ends", "stubborn", "effect", "sessions"),
    [
        (Ending.KILLED_WITH_SESSIONS, False, Effect.GONE, 0),
        (Ending.KILLED_WITH_SESSIONS, True, Effect.SESSIONS, 2),
        (Ending.KILLED, False, Effect.SESSIONS, 2),
        (Ending.EXPIRY, False, Effect.WAITING, None),
    ],
)
def test_the_fake_keeps_sessions_as_its_ending_says(
    rig: Rig, ends: Ending, stubborn: bool, effect: Effect, sessions: int | None
) -> None:
    backend, order = fake(rig, ends=ends.value), rig.order()
    plan = backend.plan(order)
    one = held(order, plan, backend.issue(order, plan))
    backend.open(order.chain, 2, stubborn=stubborn)

    backend.end(one)

    seen = backend.look(one)
    assert (seen.effect, seen.sessions) == (effect, sessions)


def test_the_fake_out_of_reach_does_nothing(rig: Rig) -> None:
    backend, order = fake(rig), rig.order()
    plan = backend.plan(order)
    backend.reachable = False

    for call in (backend.end, backend.look):
        with pytest.raises(BackendFailed):
            call(held(order, plan))
    with pytest.raises(BackendFailed) as failed:
        backend.issue(order, plan)
    assert failed.value.left_unknown is False
    backend.reachable = True
    assert backend.made == {}


def test_the_fake_takes_its_password_while_it_lives(rig: Rig) -> None:
    backend, order = fake(rig), rig.order()
    plan = backend.plan(order)
    made = backend.issue(order, plan)
    one = held(order, plan, made)

    before = backend.probe(one, made.secrets["password"])
    wrong = backend.probe(one, Secret("wrong"))
    backend.end(one)
    after = backend.probe(one, made.secrets["password"])

    assert [each and each.told["login"] for each in (before, wrong, after)] == ["taken", "refused", "refused"]
