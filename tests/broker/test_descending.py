"""What descends from two tokens of the broker, its subject's and its actor's; and what is found again after its end."""

from __future__ import annotations

import pytest

from custody.broker import ending
from custody.broker.broker import Broker
from custody.broker.desk import Standing
from custody.errors import ApprovalNeeded, PolicyDenied
from custody.model.broker_terms import Asked, Verdict
from custody.model.brokered import Issued, Request
from tests.broker.trial import ANNA, BERT, SECOND, Trial, caller, played, wants

EITHER = pytest.mark.parametrize("which", [0, 1], ids=["subject", "actor"])


async def parents(broker: Broker) -> tuple[str, str]:
    subject = await broker.exchange(caller("agent"), wants("quick"))
    actor = await broker.exchange(caller("agent"), wants("quick"))
    return subject.chain, actor.chain


async def child(broker: Broker, both: tuple[str, str]) -> str:
    return (await broker.exchange(caller(both[0], actor=both[1]), wants())).chain


@EITHER
@pytest.mark.parametrize("written", [False, True])
def test_the_end_of_either_ends_the_child(which: int, written: bool) -> None:
    trial = Trial()

    async def play(broker: Broker) -> None:
        both = await parents(broker)
        below = await child(broker, both)
        lease = await broker.lease(below)
        assert (lease.parent, lease.parents) == (both[1], (both[0],))
        if written:
            await broker.running.write_behind()
            broker.running.state.below.clear()
            broker.running.state.leases.clear()
        ended = await broker.revoke(ANNA, both[which], reason="leaked")
        assert [each.chain for each in ended.below] == [below]
        assert ((await broker.lease(below)).standing, (await broker.lease(below)).cause) == (Standing.ENDED, "parent")
        assert (await broker.lease(both[1 - which])).standing is Standing.LIVE

    played(trial, play)
    (request,) = [each for each in trial.bodies(Request) if each.parents]
    (issued,) = [each for each in trial.bodies(Issued) if each.parents]
    assert (request.intent.parent, request.parents) == (issued.descends, issued.parents)


@EITHER
def test_a_broker_that_starts_again_ends_what_is_below_either(which: int) -> None:
    trial = Trial()

    async def first(broker: Broker) -> str:
        both = await parents(broker)
        below = await child(broker, both)
        await broker.running.write_behind()
        await ending.end(broker.running, both[which], cause="operator", by=ANNA.key)
        await broker.running.write_behind()
        return below

    below = played(trial, first)
    trial.again()

    async def second(broker: Broker) -> None:
        for _ in range(3):
            trial.clock.time += SECOND
            await broker.reaper.tick()
        assert (await broker.lease(below)).standing is Standing.ENDED

    played(trial, second)


@EITHER
def test_the_successor_of_a_child_descends_from_both_as_well(which: int) -> None:
    trial = Trial()

    async def play(broker: Broker) -> None:
        both = await parents(broker)
        below = await child(broker, both)
        new = await broker.renew(caller("agent"), below, reason="it takes longer")
        assert (await broker.lease(new.chain)).parents == (both[0],)
        await broker.revoke(ANNA, both[which], reason="leaked")
        assert (await broker.lease(new.chain)).standing is Standing.ENDED

    played(trial, play)


def test_what_was_approved_is_not_made_when_a_token_that_was_presented_then_is_over() -> None:
    trial = Trial()

    async def play(broker: Broker) -> None:
        both, others = await parents(broker), await parents(broker)
        trial.says.verdict, trial.says.asked = Verdict.APPROVAL, Asked(count=1, group="leads", within=600)
        with pytest.raises(ApprovalNeeded) as caught:
            await broker.exchange(caller(both[0], actor=both[1]), wants())
        trial.approve(caught.value.found, BERT)
        await broker.revoke(ANNA, both[0], reason="leaked")
        with pytest.raises(PolicyDenied) as refused:
            await broker.fetch(caller(others[0], actor=both[1]), caught.value.found)
        assert refused.value.reason == "parent-over"

    played(trial, play)
    assert not trial.memory.made


@pytest.mark.parametrize("ended", [True, False])
def test_an_artifact_of_a_chain_that_is_over_is_ended_again_and_said(ended: bool) -> None:
    trial = Trial()

    async def play(broker: Broker) -> None:
        handed = await broker.exchange(caller("deploy"), wants())
        await broker.complete(caller("deploy"), handed.chain)
        await broker.running.write_behind()
        assert handed.chain not in broker.running.state.leases
        assert await broker.reaper.orphans() == []
        trial.memory.made[handed.chain].live = True
        trial.memory.open(handed.chain, 1, stubborn=not ended)
        said = len(trial.evidence.said)
        assert await broker.reaper.orphans() == [handed.chain]
        lease = await broker.lease(handed.chain)
        assert lease.standing is (Standing.ENDED if ended else Standing.SURVIVING)
        assert not trial.memory.made[handed.chain].live
        told = [type(each.body).__name__ for each in trial.after(said)]
        assert told == ["EndAsked", "Ended", "Service"]
        assert trial.after(said)[-1].body.fields["standing"] == "ended"  # type: ignore[union-attr]
        assert await broker.reaper.orphans() == [], "it is not said again"
        trial.memory.made[handed.chain].stubborn = 0
        trial.clock.time += 2 * SECOND
        await broker.reaper.tick()
        assert (await broker.lease(handed.chain)).standing is Standing.ENDED
        await broker.running.write_behind()
        assert handed.chain not in broker.running.state.leases

    played(trial, play)


def test_an_artifact_that_was_gone_before_it_was_looked_at_is_let_be() -> None:
    trial = Trial()

    async def play(broker: Broker) -> None:
        handed = await broker.exchange(caller("deploy"), wants())
        await broker.complete(caller("deploy"), handed.chain)
        said = len(trial.evidence.said)
        trial.memory.orphans = lambda known: (handed.chain,)  # type: ignore[method-assign]
        assert await broker.reaper.orphans() == []
        trial.memory.made[handed.chain].live = True
        trial.memory.fail("look", persisted=False)
        assert await broker.reaper.orphans() == []
        assert trial.after(said) == []
        assert await broker.reaper.orphans() == [handed.chain]

    played(trial, play)


def test_containing_one_who_takes_part_ends_also_what_is_in_the_tables_alone() -> None:
    trial = Trial()

    async def play(broker: Broker) -> None:
        held = await broker.exchange(caller("anna", actor="agent"), wants("quick"))
        other = await broker.exchange(caller("other"), wants("quick"))
        old = [await broker.exchange(caller("anna"), wants("quick", ttl=1)) for _ in range(3)]
        trial.clock.time += 2 * SECOND
        await broker.running.write_behind()
        assert not broker.running.state.leases
        ended = await broker.contain(ANNA, "anna", reason="used from elsewhere")
        assert [(each.chain, each.standing) for each in ended] == [(held.chain, Standing.WAITING)]
        assert (await broker.lease(other.chain)).standing is Standing.LIVE
        assert {(await broker.lease(each.chain)).cause for each in old} == {"expired"}
        (item, *_) = await broker.checklist("anna")
        assert (item.grade, item.shown_by) == ("open", f"{held.chain} waiting")

    played(trial, play)
