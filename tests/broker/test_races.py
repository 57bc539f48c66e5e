"""What must not happen however the steps fall: when two do something at once, or one stops halfway."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

import pytest

from custody.broker import ending
from custody.broker.backends.backend import Made, Order
from custody.broker.broker import Broker
from custody.broker.desk import Lease, Page, Standing
from custody.broker.state.tables import Changes, MemoryTables
from custody.errors import ApprovalNeeded, PolicyDenied, StoreError
from custody.model.broker_terms import Asked, Ending, Plan, Verdict
from custody.model.brokered import Contained, Issued, Service
from tests.broker.trial import ANNA, BERT, SECOND, Trial, before, caller, played, swap, wants

PATIENCE = 5
"""How long (s) anything waits for another step before the test is given up."""


class SlowTables(MemoryTables):
    """Tables that take their time to save."""

    delay = 0.0

    def save(self, changes: Changes) -> None:
        time.sleep(self.delay)
        super().save(changes)


class GatedTables(MemoryTables):
    """Tables of which each save waits at a gate of its own, and some fail there; only after ``gated`` was set."""

    def __init__(self) -> None:
        super().__init__()
        self.gated = False
        self.gates = [threading.Event() for _ in range(9)]
        self.failing: set[int] = set()
        self.calls = 0

    def save(self, changes: Changes) -> None:
        if self.gated:
            number, self.calls = self.calls, self.calls + 1
            self.gates[number].wait(PATIENCE)
            if number in self.failing:
                raise StoreError("the database is away")
        super().save(changes)


class LateTables(MemoryTables):
    """Tables that say what is below a chain only when they are let."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.gate = threading.Event(), threading.Event()
        self.gate.set()

    def below(self, chain: str, *, now: int) -> Sequence[Lease]:
        self.asked.set()
        self.gate.wait(PATIENCE)
        return super().below(chain, now=now)


class Midway:
    """A backend that stops before it makes a credential, until it is let go on."""

    def __init__(self, trial: Trial) -> None:
        self.chains: list[str] = []
        self.gate = threading.Event()
        swap(trial.memory, before(trial.memory.issue, self._wait))

    def _wait(self, order: Order) -> None:
        self.chains.append(order.chain)
        self.gate.wait(PATIENCE)

    async def reached(self) -> str:
        async with asyncio.timeout(PATIENCE):
            while not self.chains:
                await asyncio.sleep(0.001)
        return self.chains[0]


class TestWritingBehind:
    def test_two_who_write_at_once_lose_no_change(self) -> None:
        tables = SlowTables()
        trial = Trial(tables)

        async def play(broker: Broker) -> list[int | Sequence[Lease] | BaseException]:
            running = broker.running
            await running.write_behind()
            tables.delay = 0.1
            await broker.exchange(caller("deploy"), wants())
            ticking = asyncio.ensure_future(running.write_behind())
            await asyncio.sleep(0.03)
            await running.say(Contained(identity="other", by=ANNA.key, reason="used from elsewhere"))
            listing = asyncio.ensure_future(broker.leases(Page()))
            await asyncio.sleep(0.12)
            results = await asyncio.gather(ticking, listing, return_exceptions=True)
            await running.write_behind()
            return list(results)

        assert [each for each in played(trial, play) if isinstance(each, BaseException)] == []
        kept = tables.load(trial.clock.time)
        assert [each.identity for each in kept.containments] == ["other"]
        assert len(kept.leases) == 1

    def test_a_save_that_fails_loses_no_change(self) -> None:
        tables = GatedTables()
        trial = Trial(tables)

        async def play(broker: Broker) -> None:
            running = broker.running
            await running.write_behind()
            tables.gated, tables.failing = True, {2}
            await running.say(Service(what="policies", version="1"))
            ticking = asyncio.ensure_future(running.write_behind())
            await asyncio.sleep(0.02)
            await running.say(Contained(identity="deploy", by=ANNA.key, reason="used from elsewhere"))
            listing = asyncio.ensure_future(broker.leases(Page()))
            await asyncio.sleep(0.02)
            for gate in tables.gates[:3]:
                gate.set()
                await asyncio.sleep(0.05)
            for gate in tables.gates:
                gate.set()
            await asyncio.gather(ticking, listing, return_exceptions=True)
            await running.say(Service(what="policies", version="1"))
            with suppress(StoreError):
                await running.write_behind()
            assert tables.calls > 2, "a save has failed"

        played(trial, play)
        tables.gated = False
        trial.again()
        assert [each.identity for each in played(trial, lambda broker: broker.containments())] == ["deploy"]


class TestWhileItIsMade:
    @pytest.mark.parametrize("written", [False, True])
    def test_what_is_revoked_meanwhile_is_not_handed_over(self, written: bool) -> None:
        trial = Trial()
        midway = Midway(trial)

        async def play(broker: Broker) -> None:
            work = asyncio.ensure_future(broker.exchange(caller("deploy"), wants()))
            chain = await midway.reached()
            revoking = asyncio.ensure_future(broker.revoke(ANNA, chain, reason="leaked"))
            await asyncio.sleep(0.01)
            if written:
                await broker.running.write_behind()
            midway.gate.set()
            (result,) = await asyncio.gather(work, return_exceptions=True)
            assert isinstance(result, PolicyDenied), "it is not handed over"
            assert (await revoking).lease.standing is Standing.ENDED
            trial.clock.time += 7200 * SECOND
            await broker.reaper.tick()
            assert (await broker.lease(chain)).standing is Standing.ENDED
            assert not trial.memory.made[chain].live

        played(trial, play)

    def test_what_is_made_for_an_identity_that_is_contained_meanwhile_ends(self) -> None:
        trial = Trial()
        midway = Midway(trial)

        async def play(broker: Broker) -> None:
            work = asyncio.ensure_future(broker.exchange(caller("deploy"), wants()))
            chain = await midway.reached()
            containing = asyncio.ensure_future(broker.contain(ANNA, "deploy", reason="used from elsewhere"))
            await asyncio.sleep(0.01)
            await broker.running.write_behind()
            midway.gate.set()
            await containing
            (result,) = await asyncio.gather(work, return_exceptions=True)
            assert isinstance(result, PolicyDenied), "it is not handed over"
            for _ in range(3):
                trial.clock.time += 7200 * SECOND
                await broker.reaper.tick()
                await broker.reaper.orphans()
            assert (await broker.lease(chain)).standing is Standing.ENDED
            assert not trial.memory.made[chain].live
            grades = {each.item: each.grade for each in await broker.checklist("deploy")}
            assert grades["credentials-ended"] == "proved"

        played(trial, play)

    def test_an_error_that_nobody_foresaw_leaves_no_plan_open(self) -> None:
        trial = Trial()
        whole = trial.memory.issue

        def odd(order: Order, plan: Plan) -> Made:
            whole(order, plan)
            raise RuntimeError("nobody foresaw it")

        swap(trial.memory, odd)

        async def play(broker: Broker) -> None:
            with pytest.raises(RuntimeError, match="nobody foresaw it"):
                await broker.exchange(caller("deploy"), wants())
            (chain,) = trial.memory.made
            for _ in range(5):
                trial.clock.time += 7200 * SECOND
                await broker.reaper.tick()
                await broker.reaper.orphans()
            assert (await broker.lease(chain)).standing is Standing.ENDED
            assert not trial.memory.made[chain].live

        played(trial, play)

    def test_one_approval_is_one_credential_also_when_who_fetches_it_goes_away(self) -> None:
        trial = Trial(ends=Ending.EXPIRY)
        trial.says.verdict, trial.says.asked = Verdict.APPROVAL, Asked(count=1, group="leads", within=600)
        whole = trial.memory.issue
        gate, started = threading.Event(), threading.Event()

        def issue(order: Order, plan: Plan) -> Made:
            if not started.is_set():
                started.set()
                gate.wait(PATIENCE)
            trial.memory.made.pop(order.chain, None)  # to some backends a second one of the same name is no error
            return whole(order, plan)

        swap(trial.memory, issue)

        async def play(broker: Broker) -> None:
            with pytest.raises(ApprovalNeeded) as caught:
                await broker.exchange(caller("deploy"), wants())
            trial.approve(caught.value.found, BERT)
            gone = asyncio.ensure_future(broker.fetch(caller("deploy"), caught.value.found))
            await asyncio.to_thread(started.wait, PATIENCE)
            gone.cancel()
            with pytest.raises(asyncio.CancelledError):
                await gone
            back = asyncio.ensure_future(broker.fetch(caller("deploy"), caught.value.found))
            await asyncio.sleep(0.05)
            gate.set()
            await asyncio.gather(back, return_exceptions=True)
            await asyncio.sleep(0.05)

        played(trial, play)
        assert len(trial.bodies(Issued)) == 1


class TestTheEnd:
    def test_one_that_failed_is_tried_again_where_only_expiry_ends(self) -> None:
        trial = Trial(ends=Ending.EXPIRY)

        async def play(broker: Broker) -> None:
            handed = await broker.exchange(caller("deploy"), wants())
            await broker.running.write_behind()
            trial.memory.fail("end", persisted=False)
            trial.memory.fail("look", persisted=False)
            ended = await broker.revoke(ANNA, handed.chain, reason="leaked")
            assert ended.lease.standing is Standing.ENDING
            await broker.running.write_behind()
            calls = len(trial.memory.calls)
            for _ in range(5):
                trial.clock.time += 10 * SECOND
                await broker.reaper.tick()
            assert len(trial.memory.calls) > calls, "the backend is asked again"

        played(trial, play)

    def test_the_backend_is_told_of_the_expiry_of_what_was_revoked_before_it(self) -> None:
        trial = Trial(ends=Ending.EXPIRY)

        async def play(broker: Broker) -> None:
            handed = await broker.exchange(caller("deploy"), wants())
            await broker.revoke(ANNA, handed.chain, reason="leaked")
            calls = len(trial.memory.calls)
            for _ in range(5):
                trial.clock.time += 3700 * SECOND
                await broker.reaper.tick()
            assert ("end", handed.chain) in trial.memory.calls[calls:], "what it left there to deny is taken away"

        played(trial, play)

    def test_children_end_also_when_the_broker_stops_between_the_parent_and_them(self) -> None:
        trial = Trial()

        async def first(broker: Broker) -> str:
            parent = await broker.exchange(caller("deploy"), wants())
            child = await broker.exchange(caller("deploy"), wants(parent=parent.chain))
            await broker.running.write_behind()
            await ending.end(broker.running, parent.chain, cause="operator", by=ANNA.key)
            await broker.running.write_behind()
            return child.chain

        chain = played(trial, first)
        trial.again()

        async def second(broker: Broker) -> None:
            for _ in range(5):
                trial.clock.time += SECOND
                await broker.reaper.tick()
            assert (await broker.lease(chain)).standing is Standing.ENDED

        played(trial, second)

    def test_a_child_that_goes_while_its_parent_ends_is_no_error(self) -> None:
        tables = LateTables()
        trial = Trial(tables)

        async def play(broker: Broker) -> None:
            running = broker.running
            parent = await broker.exchange(caller("deploy"), wants())
            child = await broker.exchange(caller("deploy"), wants(parent=parent.chain))
            await running.write_behind()
            await ending.end(running, child.chain, cause="complete", by="oidc_subject:idp.example:deploy")
            tables.asked.clear()
            tables.gate.clear()
            work = asyncio.ensure_future(ending.cascade(running, parent.chain, by=ANNA.key))
            await asyncio.to_thread(tables.asked.wait, PATIENCE)
            await running.write_behind()
            tables.gate.set()
            assert await work == []
            assert (await broker.lease(child.chain)).cause == "complete"

        played(trial, play)
