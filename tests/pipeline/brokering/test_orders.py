"""What the sealing process is told next, and who is told when it answered: no process, a clock that is set."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from custody.broker.evidence.epochs import Epoch
from custody.errors import CustodyError, SourceError, StoreError, StoreLocked
from custody.pipeline.brokering.child import Derive, Derived, Order, Seal, Sealed
from custody.pipeline.brokering.orders import IDLE, MOST_EPOCHS, MOST_FILES, PACE, Orders
from custody.pipeline.brokering.sealing import Pushed, Taken

TAKEN = Taken(leaf=7, records=3, duplicates=0)
LOCKED = StoreLocked("another writer is at work on this store")


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Desk:
    """Orders, their time, and futures of a loop."""

    def __init__(self, derive_every: float = 0.0) -> None:
        self.time = Time()
        self.orders = Orders(self.time, derive_every)

    def push(self, name: str) -> asyncio.Future[Taken]:
        future: asyncio.Future[Taken] = asyncio.get_running_loop().create_future()
        self.orders.push(Pushed(Path(name), name), future)
        return future

    def wait(self, seq: int) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.orders.wait(seq, future)
        return future

    def ask(self) -> asyncio.Future[str]:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.orders.ask(future)
        return future

    def next(self) -> Order | None:
        return self.orders.next(stopping=False)

    def seal(self) -> Seal:
        order = self.next()
        assert isinstance(order, Seal)
        return order


def epoch(first: int, last: int) -> Epoch:
    return Epoch(first, last, 100, Path(f"{first:012d}.ndjson"))


def run(case: Callable[[], Coroutine[object, object, None]]) -> None:
    asyncio.run(case())


def test_nothing_is_asked_for_at_first() -> None:
    desk = Desk()
    assert desk.next() is None
    assert desk.orders.until_derive() is None
    health = desk.orders.health()
    assert (health.through, health.waiting, health.lag, health.error, health.derived) == (0, 0, 0.0, None, None)


def test_epochs_gather_while_an_order_is_under_way() -> None:
    async def case() -> None:
        desk = Desk()
        told = desk.wait(5)
        desk.orders.offer([epoch(1, 3)])
        first = desk.seal()
        desk.time.now += 2
        desk.orders.offer([epoch(1, 3), epoch(4, 5)])
        desk.orders.offer([epoch(4, 5)])
        assert [each.first for each in first.epochs] == [1]
        assert (desk.orders.health().waiting, desk.orders.health().lag) == (2, 2.0)
        assert desk.orders.answered(first, Sealed(()))
        assert not told.done()
        second = desk.seal()
        assert [each.first for each in second.epochs] == [4]
        assert (desk.orders.health().waiting, desk.orders.health().lag) == (1, 0.0)
        assert desk.orders.answered(second, Sealed(()))
        assert told.done()
        assert desk.wait(5).done()
        assert not desk.wait(6).done()
        desk.orders.offer([epoch(1, 3), epoch(4, 5)])
        assert desk.next() is None
        assert desk.orders.health().through == 5

    run(case)


def test_an_order_is_of_a_bounded_size() -> None:
    async def case() -> None:
        desk = Desk()
        desk.orders.offer([epoch(number, number) for number in range(1, MOST_EPOCHS + 2)])
        files = [desk.push(str(number)) for number in range(MOST_FILES + 1)]
        order = desk.seal()
        assert (len(order.epochs), len(order.files)) == (MOST_EPOCHS, MOST_FILES)
        desk.orders.answered(order, Sealed((TAKEN,) * MOST_FILES))
        assert [file.done() for file in files] == [True] * MOST_FILES + [False]
        order = desk.seal()
        assert ([each.first for each in order.epochs], len(order.files)) == ([MOST_EPOCHS + 1], 1)

    run(case)


def test_an_error_keeps_epochs_and_tells_who_pushed() -> None:
    async def case() -> None:
        desk = Desk()
        desk.orders.offer([epoch(1, 3)])
        file = desk.push("a")
        order = desk.seal()
        later = desk.push("b")
        assert not desk.orders.answered(order, LOCKED)
        assert file.exception() is LOCKED
        assert not later.done()
        desk.time.now += 30
        health = desk.orders.health()
        assert (health.error, health.lag) == ("another writer is at work on this store", 30.0)
        again = desk.seal()
        assert (again.epochs, [each.name for each in again.files]) == (order.epochs, ["b"])
        assert desk.orders.answered(again, Sealed((TAKEN,)))
        assert later.result() == TAKEN
        assert desk.orders.health().error is None

    run(case)


def test_a_file_that_cannot_be_read_is_told_alone() -> None:
    async def case() -> None:
        desk = Desk()
        bad, good, gone = desk.push("bad"), desk.push("good"), desk.push("gone")
        order = desk.seal()
        gone.cancel()
        refused = SourceError("nothing in it can be read")
        assert desk.orders.answered(order, Sealed((refused, TAKEN, TAKEN)))
        assert bad.exception() is refused
        assert good.result() == TAKEN
        assert desk.next() is None

    run(case)


def test_who_went_away_is_not_sealed_for() -> None:
    async def case() -> None:
        desk = Desk()
        desk.push("gone").cancel()
        assert desk.next() is None

    run(case)


def test_a_child_that_ends_gets_its_order_again_but_not_a_file_over_which_it_ends_twice() -> None:
    async def case() -> None:
        desk = Desk()
        desk.orders.offer([epoch(1, 3)])
        file = desk.push("poison")
        first = desk.seal()
        desk.orders.died(first)
        second = desk.seal()
        assert second == first
        assert not file.done()
        desk.orders.died(second)
        assert isinstance(file.exception(), SourceError)
        third = desk.seal()
        assert (third.epochs, third.files) == (first.epochs, ())
        assert desk.orders.health().restarts == 2
        assert "ended" in (desk.orders.health().error or "")

    run(case)


@pytest.mark.parametrize(
    ("reply", "said"), [(Derived("built", 0.5), "built"), (LOCKED, None), (StoreError("the disk failed"), None)]
)
def test_who_asks_for_tables_is_told(reply: Derived | CustodyError, said: str | None) -> None:
    async def case() -> None:
        desk = Desk()
        asked = [desk.ask(), desk.ask()]
        order = desk.orders.next(stopping=True)
        assert isinstance(order, Derive)
        assert desk.orders.answered(order, reply) is (said is not None)
        for each in asked:
            assert (each.result() if said else each.exception()) == (said or reply)
        health = desk.orders.health()
        assert health.derived == 0.0
        assert health.derive_error == (None if said else str(reply))
        assert desk.next() is None

    run(case)


def test_tables_are_made_when_they_are_due_and_when_nothing_is_going_on() -> None:
    desk = Desk(derive_every=300)
    assert desk.orders.until_derive() == IDLE
    desk.orders.offer([epoch(1, 1)])
    assert desk.orders.until_derive() == 300
    desk.orders.answered(desk.seal(), Sealed(()))
    desk.time.now += IDLE
    order = desk.next()
    assert isinstance(order, Derive)
    desk.time.now += 10
    desk.orders.answered(order, Derived("built", 10.0))
    assert (desk.next(), desk.orders.until_derive()) == (None, None)
    desk.orders.offer([epoch(2, 2)])
    desk.orders.answered(desk.seal(), Sealed(()))
    assert desk.orders.until_derive() == PACE * 10
    began, number = desk.time.now, 3
    desk.orders.offer([epoch(3, 3)])
    while isinstance(desk.next(), Seal):  # work without a pause: when it is due, it goes first all the same
        desk.orders.answered(desk.seal(), Sealed(()))
        desk.time.now += 1
        number += 1
        desk.orders.offer([epoch(number, number)])
    assert isinstance(desk.next(), Derive)
    assert desk.time.now - began == 300


def test_a_failure_to_make_tables_waits_for_its_time() -> None:
    desk = Desk(derive_every=300)
    desk.time.now += IDLE
    order = desk.next()
    assert order is not None
    desk.orders.answered(order, LOCKED)
    assert desk.orders.until_derive() == 300
    desk.orders.died(Derive())
    assert desk.orders.until_derive() == 300
    assert desk.orders.next(stopping=True) is None


def test_nobody_waits_for_what_will_not_be_done() -> None:
    async def case() -> None:
        desk = Desk()
        desk.orders.offer([epoch(1, 3)])
        futures = (desk.push("a"), desk.wait(3), desk.ask())
        desk.orders.let_go()
        for future in futures:
            assert "stopped" in str(future.exception())

    run(case)
