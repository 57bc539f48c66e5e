"""A broker that is stopped and started at any time knows what one knows that never stopped.

Its life is drawn: what it says (``life``), and in between when it writes behind, when it cannot, and when it stops. Who
feeds the fold takes what was let go back from the tables first, as the broker does.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from custody.broker.state.database import DatabaseTables
from custody.broker.state.fold import State
from custody.broker.state.rows import METADATA, PROGRESS
from custody.broker.state.tables import Changes, MemoryTables, Tables, is_open, parents_of
from custody.model.brokered import Issued
from tests.broker.state.conftest import KINDS
from tests.broker.state.life import IDENTITIES, STEPS, Life

Steps = list[tuple[str, int]]


class Broker:
    """The part of a broker that keeps its state: ``Running`` without anything else."""

    def __init__(self, life: Life, tables: Tables) -> None:
        self.life, self.tables = life, tables
        self.unsaved: list[Changes] = []
        self.state = State(tables.load(life.time))

    def follow(self) -> None:
        """Take in what was said since."""
        for entry in self.life.entries[self.state.through :]:
            renews = entry.body.renews if isinstance(entry.body, Issued) else None
            for chain in (entry.chain, renews):
                kept = None if chain is None or chain in self.state.leases else self.tables.lease(chain)
                if kept is not None:
                    self.state.adopt(kept)
            self.state.apply(entry)

    def drain(self) -> None:
        """The tables cannot be reached: what is to be written waits."""
        changes = self.state.drain()
        if changes is not None:
            self.unsaved.append(changes)

    def save(self) -> None:
        self.drain()
        while self.unsaved:
            done = self.unsaved.pop(0)
            self.tables.save(done)
            self.state.let_go(self.life.time, done)

    def save_again(self) -> None:
        """A save whose answer was lost is made again."""
        self.drain()
        for each in self.unsaved[:1] * 2:
            self.tables.save(each)

    def restart(self) -> None:
        """Stop without a word, and start on the tables and the entries; of these some that the tables have already."""
        self.unsaved = []
        self.state = State(self.tables.load(self.life.time))
        for entry in self.life.entries[max(0, self.state.through - 7) : self.state.through]:
            self.state.apply(entry)
        self.follow()


DOES: dict[str, Callable[[Broker], None]] = {
    "save": Broker.save,
    "save again": Broker.save_again,
    "drain": Broker.drain,
    "restart": Broker.restart,
}
OFTEN = ("ask", "issue", "approve", "end", "find", "save") * 2
lives = st.lists(st.tuples(st.sampled_from([*STEPS, *DOES, *OFTEN]), st.integers(0, 431)), min_size=60, max_size=90)
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def live(steps: Steps, tables: Tables) -> int:
    """Live through the steps, with and without stopping, and compare what is known; gives through which entry."""
    life = Life()
    broker = Broker(life, tables)
    for word, number in steps:
        if word in STEPS:
            life.step(word, number)
            broker.follow()
        else:
            DOES[word](broker)
    broker.restart()
    broker.save()
    whole = State()
    for entry in life.entries:
        whole.apply(entry)

    assert {chain: tables.lease(chain) for chain in whole.leases} == whole.leases
    assert {request: tables.request(request) for request in whole.requests} == whole.requests
    holding = {key: each for key, each in whole.once.items() if each.until > life.time}
    assert {key: tables.once(key) for key in holding} == holding
    assert [key for key in whole.once.keys() - holding if tables.once(key) not in (None, whole.once[key])] == []
    loaded = tables.load(life.time)
    assert {each.chain for each in loaded.leases} == {
        each.chain for each in whole.leases.values() if is_open(each, life.time)
    }
    assert {each.identity: each for each in loaded.containments} == whole.contained
    assert (loaded.through, loaded.approvals) == (whole.through, whole.approvals)
    held = [each for each in whole.leases.values() if is_open(each, life.time)]
    for chain in whole.leases:
        below = {each.chain for each in held if chain in parents_of(each)}
        assert {each.chain for each in tables.below(chain, now=life.time)} == below
        assert below <= whole.below.get(chain, set())
    for identity in IDENTITIES:
        taking_part = {each.chain for each in held if identity in (each.identity, *each.identities)}
        assert {each.chain for each in tables.held_by(identity, now=life.time)} == taking_part
    return loaded.through


def said(steps: Steps) -> int:
    """The number of the last entry of a life that never stops."""
    life = Life()
    for word, number in steps:
        if word in STEPS:
            life.step(word, number)
    return len(life.entries)


@settings(patient, max_examples=120)
@given(lives)
@example([("ask", 6), ("issue", 0), ("save", 0), ("end", 0), ("wait", 3), ("restart", 0)])
@example([("ask", 0), ("issue", 0), ("end", 0), ("find", 0), ("save", 0), ("again", 0), ("restart", 0), ("save", 0)])
@example([("ask", 6), ("issue", 0), ("save", 0), ("renew", 1), ("wait", 3), ("restart", 0)])
def test_a_broker_that_stops_at_any_time_knows_the_same_in_memory(steps: Steps) -> None:
    assert live(steps, MemoryTables()) == said(steps)


@pytest.mark.parametrize("url", KINDS, indirect=True)
def test_a_broker_that_stops_at_any_time_knows_the_same_in_a_database(url: str) -> None:
    with _kept(url) as (tables, engine):

        @settings(patient, max_examples=12)
        @given(lives)
        def lived(steps: Steps) -> None:
            _empty(engine)
            assert live(steps, tables) == said(steps)

        lived()


@pytest.mark.slow
@settings(patient, max_examples=3000)
@given(lives)
def test_a_broker_that_stops_at_any_time_knows_the_same_in_many_lives(steps: Steps) -> None:
    assert live(steps, MemoryTables()) == said(steps)


@contextmanager
def _kept(url: str) -> Iterator[tuple[DatabaseTables, Engine]]:
    tables = DatabaseTables(url)
    try:
        yield tables, tables._engine
    finally:
        tables.close()


def _empty(engine: Engine) -> None:
    with engine.begin() as connection:
        for table in METADATA.tables.values():
            if table is not PROGRESS:
                connection.execute(table.delete())
        connection.execute(PROGRESS.update().values(through=0, approvals=0))
