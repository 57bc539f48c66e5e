"""The end of a credential: what is asked for, what is seen, what follows from it, and what a restart finds."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import pytest

from custody.broker import ending
from custody.broker.broker import Broker
from custody.broker.desk import Standing
from custody.errors import BackendFailed, EvidenceUnavailable, IdentityRefused, IntentRefused, PolicyDenied
from custody.model.broker_terms import Ending
from custody.model.brokered import Contained, Effect, Enabled, EndAsked, Ended, Failed, Issued, Probed, Request, Service
from tests.broker.trial import ANNA, BERT, SECOND, Trial, caller, played, swap, then, wants


def test_a_credential_that_is_given_back_is_ended_at_once_and_looked_at() -> None:
    trial = Trial()

    async def play(broker: Broker) -> None:
        handed = await broker.exchange(caller("deploy/7"), wants())
        trial.memory.open(handed.chain, 2)
        ended = await broker.complete(caller("deploy/7"), handed.chain)
        assert (ended.lease.standing, ended.lease.effect) == (Standing.ENDED, Effect.GONE)
        again = await broker.complete(caller("deploy/7"), handed.chain)
        assert again.lease == ended.lease

    played(trial, play)
    (asked,), (ended,) = trial.bodies(EndAsked), trial.bodies(Ended)
    assert (asked.cause, asked.by) == ("complete", "oidc_subject:idp.example:deploy")
    assert (ended.effect, ended.basis, ended.sessions) == (Effect.GONE, "state", 0)
    assert ended.keys == trial.bodies(Issued)[0].keys


@pytest.mark.parametrize("other", ["other", "deploy/8", "deploy"])
def test_nobody_gives_back_or_renews_what_is_anothers(other: str) -> None:
    trial = Trial()

    async def play(broker: Broker) -> None:
        handed = await broker.exchange(caller("deploy/7"), wants())
        with pytest.raises(IdentityRefused):
            await broker.complete(caller(other), handed.chain)
        with pytest.raises(IdentityRefused):
            await broker.renew(caller(other), handed.chain, reason="more")
        assert (await broker.lease(handed.chain)).standing is Standing.LIVE

    played(trial, play)


def test_a_session_that_survives_is_said_and_the_reaper_tries_again() -> None:
    trial = Trial()

    async def play(broker: Broker) -> None:
        handed = await broker.exchange(caller("deploy"), wants())
        trial.memory.open(handed.chain, 1, stubborn=True)
        ended = await broker.revoke(ANNA, handed.chain, reason="leaked")
        assert (ended.lease.standing, ended.lease.effect) == (Standing.SURVIVING, Effect.SESSIONS)
        await broker.reaper.tick()
        assert len(trial.bodies(Ended)) == 1, "what is no news is not said again"
        assert await broker.reaper.tick() == 0, "it is tried again later, not at once"
        trial.memory.made[handed.chain].stubborn = 0
        trial.clock.time += 2 * SECOND
        await broker.reaper.tick()
        assert (await broker.lease(handed.chain)).standing is Standing.ENDED

    played(trial, play)
    assert [each.effect for each in trial.bodies(Ended)] == [Effect.SESSIONS, Effect.GONE]
    assert [(each.cause, each.by, each.reason) for each in trial.bodies(EndAsked)] == [("operator", ANNA.key, "leaked")]


def test_a_backend_out_of_reach_proves_nothing_until_it_is_back() -> None:
    trial = Trial()

    async def play(broker: Broker) -> None:
        handed = await broker.exchange(caller("deploy"), wants())
        trial.memory.reachable = False
        ended = await broker.revoke(ANNA, handed.chain, reason="leaked")
        assert (ended.lease.standing, ended.lease.effect) == (Standing.ENDING, Effect.UNKNOWN)
        trial.memory.reachable = True
        await broker.reaper.tick()
        assert (await broker.lease(handed.chain)).effect is Effect.GONE

    played(trial, play)
    assert [(each.effect, each.basis) for each in trial.bodies(Ended)] == [
        (Effect.UNKNOWN, "none"),
        (Effect.GONE, "state"),
    ]


def test_a_probe_is_sealed_before_it_is_made_and_only_where_the_state_cannot_be_had() -> None:
    trial = Trial()

    async def play(broker: Broker) -> None:
        handed = await broker.exchange(caller("deploy", once="k"), wants())
        trial.memory.fail("end", persisted=False)
        trial.memory.fail("look", persisted=False)
        ended = await broker.revoke(ANNA, handed.chain, reason="leaked")
        assert (ended.lease.standing, ended.lease.effect) == (Standing.SURVIVING, Effect.ALIVE)
        await broker.reaper.tick()
        assert (await broker.lease(handed.chain)).standing is Standing.ENDED

    played(trial, play)
    kinds = [type(each.body) for each in trial.evidence.said if isinstance(each.body, Probed | Ended)]
    assert kinds == [Probed, Ended, Ended]
    assert [each.basis for each in trial.bodies(Ended)] == ["probe", "state"]


def test_what_has_expired_is_ended_in_the_target_and_what_only_expires_needs_nothing() -> None:
    trial = Trial()

    async def play(broker: Broker) -> None:
        role = await broker.exchange(caller("deploy"), wants(ttl=60))
        token = await broker.exchange(caller("deploy"), wants("quick", ttl=60))
        assert await broker.reaper.tick() == 0
        trial.clock.time += 61 * SECOND
        said = len(trial.evidence.said)
        await broker.reaper.tick()
        assert [each.chain for each in trial.after(said)] == [role.chain, role.chain]
        assert (await broker.lease(role.chain)).cause == "expired"
        assert (await broker.lease(token.chain)).standing is Standing.ENDED

    played(trial, play)
    assert [each.cause for each in trial.bodies(EndAsked)] == ["expired"]


def test_what_nothing_can_end_is_said_to_wait_for_its_expiry() -> None:
    trial = Trial()

    async def play(broker: Broker) -> None:
        handed = await broker.exchange(caller("deploy"), wants("quick"))
        ended = await broker.revoke(ANNA, handed.chain, reason="leaked")
        assert (ended.lease.standing, ended.lease.effect) == (Standing.WAITING, Effect.WAITING)

    played(trial, play)
    assert [each.effect for each in trial.bodies(Ended)] == [Effect.WAITING]


class TestRenewal:
    def test_a_successor_takes_over_and_the_old_one_ends(self) -> None:
        trial = Trial()

        async def play(broker: Broker) -> None:
            old = await broker.exchange(caller("deploy/7"), wants())
            new = await broker.renew(caller("deploy/7"), old.chain, reason="the report takes longer")
            assert new.chain != old.chain
            assert (await broker.lease(old.chain)).standing is Standing.ENDED
            assert (await broker.lease(new.chain)).renews == old.chain
            assert trial.says.situations[-1].action == "Renew"
            with pytest.raises(IntentRefused) as caught:
                await broker.renew(caller("deploy/7"), old.chain, reason="again")
            assert caught.value.reason == "not-live"

        played(trial, play)
        assert [each.cause for each in trial.bodies(EndAsked)] == ["renewed"]
        assert trial.bodies(Issued)[1].reason == "the report takes longer"

    def test_two_at_once_make_one_successor(self) -> None:
        trial = Trial()

        async def play(broker: Broker) -> None:
            old = await broker.exchange(caller("deploy/7"), wants())
            both = [broker.renew(caller("deploy/7"), old.chain, reason="longer") for _ in range(2)]
            results = await asyncio.gather(*both, return_exceptions=True)
            assert sorted(isinstance(each, IntentRefused) for each in results) == [False, True]

        played(trial, play)
        assert len(trial.bodies(Issued)) == 2

    def test_it_needs_a_reason_and_a_fresh_decision(self) -> None:
        trial = Trial()

        async def play(broker: Broker) -> None:
            old = await broker.exchange(caller("deploy/7"), wants())
            with pytest.raises(IntentRefused) as caught:
                await broker.renew(caller("deploy/7"), old.chain, reason=" ")
            assert caught.value.reason == "reason-missing"
            trial.says.verdict = trial.says.verdict.DENY
            with pytest.raises(PolicyDenied):
                await broker.renew(caller("deploy/7"), old.chain, reason="longer")
            assert (await broker.lease(old.chain)).standing is Standing.LIVE

        played(trial, play)


class TestDescent:
    async def family(self, broker: Broker) -> tuple[str, str, str]:
        top = await broker.exchange(caller("agent"), wants("quick"))
        child = await broker.exchange(caller(top.chain), wants(ttl=3000))
        other = await broker.exchange(caller("other"), wants())
        return top.chain, child.chain, other.chain

    def test_the_token_of_the_broker_itself_makes_a_child_that_lives_no_longer(self) -> None:
        trial = Trial()

        async def play(broker: Broker) -> None:
            top, child, _ = await self.family(broker)
            lease, above = await broker.lease(child), await broker.lease(top)
            assert lease.parent == top
            assert lease.not_after <= above.not_after

        played(trial, play)

    def test_the_end_of_the_parent_ends_the_child_and_nothing_else(self) -> None:
        trial = Trial()

        async def play(broker: Broker) -> None:
            top, child, other = await self.family(broker)
            ended = await broker.revoke(ANNA, top, reason="leaked")
            assert [each.chain for each in ended.below] == [child]
            assert (await broker.lease(child)).cause == "parent"
            assert (await broker.lease(other)).standing is Standing.LIVE
            with pytest.raises(IdentityRefused) as caught:
                await broker.exchange(caller(top), wants())
            assert caught.value.reason == "token-revoked"

        played(trial, play)

    def test_the_child_of_a_parent_that_was_written_behind_and_let_go_ends_too(self) -> None:
        trial = Trial()

        async def play(broker: Broker) -> None:
            top, child, _ = await self.family(broker)
            await broker.running.write_behind()
            assert top not in broker.running.state.leases
            ended = await broker.revoke(ANNA, top, reason="leaked")
            assert [each.chain for each in ended.below] == [child]

        played(trial, play)

    def test_nobody_makes_a_child_of_what_is_not_theirs(self) -> None:
        trial = Trial()

        async def play(broker: Broker) -> None:
            top = await broker.exchange(caller("deploy"), wants())
            with pytest.raises(PolicyDenied) as caught:
                await broker.exchange(caller("other"), wants(parent=top.chain))
            assert caught.value.reason == "parent-over"

        played(trial, play)


class TestContainment:
    def test_nothing_is_issued_and_what_lives_ends(self) -> None:
        trial = Trial()

        async def play(broker: Broker) -> None:
            one = await broker.exchange(caller("deploy/1"), wants())
            two = await broker.exchange(caller("deploy/2"), wants("quick"))
            other = await broker.exchange(caller("other"), wants())
            await broker.running.write_behind()
            leases = await broker.contain(ANNA, "deploy", reason="used from elsewhere", incident="inc-1")
            assert {each.chain: each.standing for each in leases} == {
                one.chain: Standing.ENDED,
                two.chain: Standing.WAITING,
            }
            assert (await broker.lease(other.chain)).standing is Standing.LIVE
            with pytest.raises(PolicyDenied) as caught:
                await broker.exchange(caller("deploy/3"), wants())
            assert caught.value.reason == "contained"
            assert trial.bodies(Request)[-1].decision.why == "contained"

        played(trial, play)

    def test_a_containment_in_the_middle_of_an_issue_lets_nothing_out(self) -> None:
        trial = Trial()
        whole = trial.memory.issue

        async def play(broker: Broker) -> None:
            def slow(order, plan):  # type: ignore[no-untyped-def]
                asyncio.run_coroutine_threadsafe(broker.contain(ANNA, "deploy", reason="now"), loop)
                while not trial.bodies(Contained):
                    time.sleep(0.001)
                return whole(order, plan)

            loop = asyncio.get_running_loop()
            swap(trial.memory, slow)
            with pytest.raises(PolicyDenied) as caught:
                await broker.exchange(caller("deploy"), wants())
            assert caught.value.reason == "contained"

        played(trial, play)
        assert not any(each.live for each in trial.memory.made.values())

    def test_it_survives_a_restart_in_the_middle_and_the_reaper_goes_on(self) -> None:
        trial = Trial()

        async def first(broker: Broker) -> str:
            handed = await broker.exchange(caller("deploy"), wants())
            await broker.running.write_behind()
            await broker.running.say(Contained(identity="deploy", by=ANNA.key, reason="now"))
            return handed.chain

        chain = played(trial, first)
        trial.again()

        async def second(broker: Broker) -> None:
            await broker.reaper.tick()
            assert (await broker.lease(chain)).cause == "containment"
            assert [each.identity for each in await broker.containments()] == ["deploy"]

        played(trial, second)

    def test_it_is_over_only_when_every_item_is_shown_and_by_another_person(self) -> None:
        trial = Trial()

        async def play(broker: Broker) -> None:
            handed = await broker.exchange(caller("deploy"), wants())
            trial.memory.open(handed.chain, 1, stubborn=True)
            await broker.contain(ANNA, "deploy", reason="used from elsewhere")
            assert {each.item: each.grade for each in await broker.checklist("deploy")} == {
                "credentials-ended": "open",
                "owner-signed": "open",
                "another-person": "open",
            }
            trial.memory.made[handed.chain].stubborn = 0
            trial.clock.time += 2 * SECOND
            await broker.reaper.tick()
            trial.book.signed["deploy"] = 99
            with pytest.raises(PolicyDenied) as caught:
                await broker.enable(ANNA, "deploy", reason="fixed")
            assert caught.value.found == "another-person"
            items = await broker.enable(BERT, "deploy", reason="fixed")
            assert {each.grade for each in items} == {"proved"}
            await broker.exchange(caller("deploy"), wants())

        played(trial, play)
        (enabled,) = trial.bodies(Enabled)
        assert ("owner-signed", "proved", "operations:99") in enabled.items


class TestRestart:
    def test_a_plan_without_an_outcome_is_ended_whatever_became_of_it(self) -> None:
        trial = Trial()
        whole = trial.memory.issue

        async def first(broker: Broker) -> None:
            swap(trial.memory, then(whole, trial.evidence.fail))
            trial.memory.fail("end", persisted=False, times=1)
            with pytest.raises(Exception, match="told to fail"):
                await broker.exchange(caller("deploy"), wants())
            assert [each.live for each in trial.memory.made.values()] == [True]

        played(trial, first)
        swap(trial.memory, whole)
        trial.evidence._failed = False
        trial.again()

        async def second(broker: Broker) -> None:
            assert [each.live for each in trial.memory.made.values()] == [False]
            (chain,) = trial.memory.made
            assert (await broker.lease(chain)).standing is Standing.ENDED

        played(trial, second)
        assert [each.cause for each in trial.bodies(EndAsked)] == ["recovered"]
        assert [each.what for each in trial.bodies(Service)] == ["started", "started", "recovered"]

    def test_a_plan_of_what_is_made_in_memory_alone_left_nothing(self) -> None:
        trial = Trial()
        whole = trial.quick.issue

        async def first(broker: Broker) -> None:
            swap(trial.quick, then(whole, trial.evidence.fail))
            with pytest.raises(Exception, match="told to fail"):
                await broker.exchange(caller("deploy"), wants("quick"))

        played(trial, first)
        trial.evidence._failed = False
        trial.again()
        played(trial, lambda broker: broker.containments())
        (failed,) = trial.bodies(Failed)
        assert (failed.left, failed.reason) == ("nothing", "stopped-before-outcome")

    def test_leases_live_on_over_a_restart_with_or_without_the_tables(self) -> None:
        for saved in (True, False):
            trial = Trial()

            async def first(broker: Broker, saved: bool = saved) -> str:
                handed = await broker.exchange(caller("deploy/7"), wants())
                if saved:
                    await broker.running.write_behind()
                return handed.chain

            chain = played(trial, first)
            trial.again()

            async def second(broker: Broker, chain: str = chain) -> None:
                assert (await broker.lease(chain)).standing is Standing.LIVE
                ended = await broker.complete(caller("deploy/7"), chain)
                assert ended.lease.standing is Standing.ENDED

            played(trial, second)

    def test_a_credential_with_a_receipt_that_the_log_does_not_know_is_said_and_left(self) -> None:
        trial = Trial()
        played(trial, lambda broker: broker.exchange(caller("deploy"), wants()))
        trial.evidence.said.clear()
        trial.evidence._sequence.seq = 0
        trial.again()
        played(trial, lambda broker: broker.containments())
        orphan = [each for each in trial.bodies(Service) if each.what == "orphan"]
        assert [each.fields["chain"] for each in orphan] == list(trial.memory.made)
        assert [each.live for each in trial.memory.made.values()] == [True]


STEPS = ["issue", "end", "look"]


@pytest.mark.parametrize("ends", [Ending.KILLED, Ending.KILLED_WITH_SESSIONS])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("persisted", [False, True])
@pytest.mark.parametrize("restart", [False, True])
def test_whatever_step_of_the_backend_fails_nothing_lives_that_is_not_said(
    ends: Ending, step: str, persisted: bool, restart: bool
) -> None:
    trial = Trial(ends=ends)

    async def first(broker: Broker) -> None:
        trial.memory.fail(step, persisted=persisted)  # type: ignore[arg-type]
        with suppress(BackendFailed):
            handed = await broker.exchange(caller("deploy"), wants())
            await broker.complete(caller("deploy"), handed.chain)
        assert not trial.memory._faults, "the step was reached"

    async def second(broker: Broker) -> None:
        for _ in range(3):
            trial.clock.time += 10 * SECOND
            await broker.reaper.tick()
        assert not any(each.live for each in trial.memory.made.values())
        assert not [each for each in broker.running.state.leases.values() if each.standing is Standing.LIVE]
        last = {each.chain: each.body for each in trial.evidence.said if isinstance(each.body, Ended)}
        assert {each.effect for each in last.values()} == {Effect.GONE}

    played(trial, first)
    if restart:
        trial.again()
        played(trial, second)
    else:
        asyncio.run(second(trial.broker))


def test_ending_many_side_by_side_ends_each_once() -> None:
    trial = Trial()

    async def play(broker: Broker) -> None:
        handed = [await broker.exchange(caller(f"deploy/{number}"), wants()) for number in range(20)]
        chains = [each.chain for each in handed]
        ended = await ending.several(broker.running, chains, cause="operator", by=ANNA.key)
        assert [each.standing for each in ended] == [Standing.ENDED] * 20

    played(trial, play)
    assert len(trial.bodies(EndAsked)) == len(trial.bodies(Ended)) == 20


def test_a_journal_that_was_set_back_issues_nothing() -> None:
    trial = Trial()

    async def first(broker: Broker) -> None:
        await broker.exchange(caller("deploy"), wants())
        await broker.running.write_behind()

    played(trial, first)
    del trial.evidence.said[1:]
    trial.evidence._sequence.seq = 1
    trial.again()
    with pytest.raises(EvidenceUnavailable) as caught:
        played(trial, lambda broker: broker.exchange(caller("deploy"), wants()))
    assert caught.value.reason == "journal-set-back"
    assert len(trial.memory.made) == 1
