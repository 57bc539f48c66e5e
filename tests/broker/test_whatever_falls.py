"""What must not happen however the steps fall: nobody gets what is another's, or what is over, or more than once."""

from __future__ import annotations

import msgspec
import pytest

from custody.broker.broker import Broker
from custody.broker.desk import Caller, Standing
from custody.broker.proof.prover import Presented, Proved
from custody.errors import ApprovalNeeded, IdentityRefused, IntentRefused, PolicyDenied
from custody.model.broker_terms import Asked, Verdict
from custody.model.brokered import Issued, Service
from tests.broker.trial import ANNA, BERT, SECOND, Trial, caller, played, wants

DAY = 86_400 * SECOND


class Clusters(Trial):
    """``SUBJECT@CLUSTER`` is of an issuer of its own: the same subject there is another workload."""

    async def _prove(self, presented: Presented, now: int) -> Proved:
        proved = await super()._prove(presented, now)
        subject, _, cluster = presented.token.decode().partition("@")
        if not cluster:
            return proved
        proof = msgspec.structs.replace(
            proved.proof,
            subject=subject,
            issuer=f"https://{cluster}.example",
            workload=f"k8s_sa:{cluster}:{subject}-{cluster}",
        )
        return msgspec.structs.replace(proved, proof=proof)


def need_approval(trial: Trial, within: int = 600) -> None:
    """From now on one person has to approve, in so many seconds."""
    trial.says.verdict, trial.says.asked = Verdict.APPROVAL, Asked(count=1, group="leads", within=within)


class TestRepetition:
    @pytest.mark.parametrize("backend", ["vault", "quick"])
    @pytest.mark.parametrize("end", ["contain", "complete", "revoke"])
    def test_what_is_over_is_not_handed_over_again(self, end: str, backend: str) -> None:
        trial = Trial()

        async def play(broker: Broker) -> None:
            handed = await broker.exchange(caller("deploy", once="k1"), wants(backend))
            if end == "contain":
                await broker.contain(ANNA, "deploy", reason="used from elsewhere")
            elif end == "complete":
                await broker.complete(caller("deploy"), handed.chain)
            else:
                await broker.revoke(ANNA, handed.chain, reason="leaked")
            with pytest.raises(PolicyDenied):
                await broker.exchange(caller("deploy", once="k1"), wants(backend))

        played(trial, play)
        assert len(trial.bodies(Issued)) == 1

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            (caller("deploy/1", once="k1"), caller("deploy/2", once="k1")),
            (caller("anna", actor="agent", once="k1"), caller("bert", actor="agent", once="k1")),
        ],
        ids=["another-run", "another-subject"],
    )
    def test_a_key_is_of_one_run_and_one_subject(self, first: Caller, second: Caller) -> None:
        trial = Trial()

        async def play(broker: Broker) -> None:
            await broker.exchange(first, wants())
            with pytest.raises(IntentRefused) as caught:
                await broker.exchange(second, wants())
            assert caught.value.reason == "idempotency-key-used"

        played(trial, play)
        assert len(trial.bodies(Issued)) == 1


class TestActors:
    def test_a_contained_identity_gets_nothing_itself_or_through_an_actor(self) -> None:
        trial = Trial()

        async def play(broker: Broker) -> None:
            await broker.contain(ANNA, "deploy", reason="used from elsewhere")
            for who in (caller("deploy"), caller("deploy", actor="agent")):
                with pytest.raises(PolicyDenied) as caught:
                    await broker.exchange(who, wants())
                assert caught.value.reason == "contained"

        played(trial, play)
        assert not trial.memory.made

    def test_an_actor_gives_its_own_credential_back(self) -> None:
        trial = Trial()

        async def play(broker: Broker) -> None:
            handed = await broker.exchange(caller("anna", actor="agent"), wants())
            ended = await broker.complete(caller("anna", actor="agent"), handed.chain)
            assert ended.lease.standing is Standing.ENDED

        played(trial, play)

    def test_what_was_approved_for_one_actor_is_not_fetched_by_another_of_the_same_subject(self) -> None:
        trial = Clusters()
        need_approval(trial)

        async def play(broker: Broker) -> None:
            with pytest.raises(ApprovalNeeded) as asked:
                await broker.exchange(caller("anna", actor="agent@prod"), wants())
            trial.approve(asked.value.found, BERT)
            with pytest.raises(IdentityRefused) as caught:
                await broker.fetch(caller("anna", actor="agent@staging"), asked.value.found)
            assert caught.value.reason == "another-requester"
            await broker.fetch(caller("anna", actor="agent@prod"), asked.value.found)

        played(trial, play)
        assert [each.identity for each in trial.bodies(Issued)] == ["agent-prod"]


class TestApprovedRenewal:
    async def asked(self, broker: Broker, chain: str) -> str:
        with pytest.raises(ApprovalNeeded) as caught:
            await broker.renew(caller("deploy"), chain, reason="it takes longer")
        return caught.value.found

    def test_it_ends_the_old_credential_and_happens_once(self) -> None:
        trial = Trial()

        async def play(broker: Broker) -> None:
            handed = await broker.exchange(caller("deploy"), wants())
            need_approval(trial)
            one, two = await self.asked(broker, handed.chain), await self.asked(broker, handed.chain)
            trial.approve(one, BERT)
            trial.approve(two, BERT)
            await broker.fetch(caller("deploy"), one)
            assert (await broker.lease(handed.chain)).standing is Standing.ENDED
            with pytest.raises(IntentRefused) as caught:
                await broker.fetch(caller("deploy"), two)
            assert caught.value.reason == "not-live"

        played(trial, play)
        assert len(trial.bodies(Issued)) == 2

    def test_of_what_was_revoked_meanwhile_there_is_none(self) -> None:
        trial = Trial()

        async def play(broker: Broker) -> None:
            handed = await broker.exchange(caller("deploy"), wants())
            need_approval(trial)
            request = await self.asked(broker, handed.chain)
            await broker.revoke(ANNA, handed.chain, reason="leaked")
            trial.approve(request, BERT)
            with pytest.raises(IntentRefused) as caught:
                await broker.fetch(caller("deploy"), request)
            assert caught.value.reason == "not-live"

        played(trial, play)
        assert len(trial.bodies(Issued)) == 1


class TestDescent:
    def test_the_children_of_a_renewed_parent_end_with_it(self) -> None:
        trial = Trial()

        async def play(broker: Broker) -> None:
            parent = await broker.exchange(caller("deploy"), wants())
            child = await broker.exchange(caller("deploy"), wants(parent=parent.chain))
            await broker.renew(caller("deploy"), parent.chain, reason="it takes longer")
            await broker.running.write_behind()
            for _ in range(5):
                trial.clock.time += SECOND
                await broker.reaper.tick()
            assert (await broker.lease(child.chain)).standing is Standing.ENDED

        played(trial, play)

    def test_a_revoked_token_is_no_subject_behind_an_actor_whose_token_lives(self) -> None:
        trial = Trial()

        async def play(broker: Broker) -> None:
            revoked = await broker.exchange(caller("deploy"), wants("quick"))
            living = await broker.exchange(caller("agent"), wants("quick"))
            await broker.revoke(ANNA, revoked.chain, reason="leaked")
            for who in (caller(revoked.chain), caller(revoked.chain, actor=living.chain)):
                with pytest.raises(IdentityRefused) as caught:
                    await broker.exchange(who, wants())
                assert caught.value.reason == "token-revoked"

        played(trial, play)
        assert not trial.memory.made

    def test_what_is_got_with_a_token_of_the_broker_hangs_on_that_token(self) -> None:
        trial = Trial()

        async def play(broker: Broker) -> None:
            parent = await broker.exchange(caller("agent"), wants("quick", ttl=60))
            other = await broker.exchange(caller("agent"), wants("quick"))
            with pytest.raises(IntentRefused) as caught:
                await broker.exchange(caller(parent.chain), wants(parent=other.chain))
            assert caught.value.reason == "parent-not-presented"
            child = await broker.exchange(caller(parent.chain), wants())
            await broker.revoke(ANNA, parent.chain, reason="leaked")
            lease = await broker.lease(child.chain)
            assert lease.standing is Standing.ENDED
            assert lease.not_after <= parent.not_after

        played(trial, play)


def test_a_clock_that_ran_ahead_makes_nothing_live_longer() -> None:
    trial = Trial()

    async def play(broker: Broker) -> None:
        trial.clock.time += 30 * DAY
        await broker.exchange(caller("deploy"), wants("quick"))
        trial.clock.time -= 30 * DAY
        handed = await broker.exchange(caller("deploy"), wants("quick"))
        assert handed.not_after - trial.clock.time <= 900 * SECOND

    played(trial, play)


class TestMemory:
    def test_requests_that_lapsed_are_let_go(self) -> None:
        trial = Trial()
        need_approval(trial, within=60)

        async def play(broker: Broker) -> None:
            for _ in range(50):
                with pytest.raises(ApprovalNeeded):
                    await broker.exchange(caller("deploy"), wants())
            assert len(broker.running.state.requests) == 50
            trial.clock.time += DAY
            for _ in range(3):
                await broker.reaper.tick()
                await broker.poll_approvals()
                await broker.running.say(Service(what="policies", version="1"))
                await broker.running.write_behind()
            assert len(broker.running.state.requests) == 0
            assert len(trial.tables.load(trial.clock.time).requests) == 0

        played(trial, play)

    def test_leases_that_were_only_read_are_let_go(self) -> None:
        trial = Trial()

        async def play(broker: Broker) -> None:
            chains = []
            for _ in range(20):
                handed = await broker.exchange(caller("deploy"), wants())
                await broker.complete(caller("deploy"), handed.chain)
                chains.append(handed.chain)
            await broker.running.write_behind()
            assert not broker.running.state.leases
            for chain in chains:
                assert (await broker.lease(chain)).standing is Standing.ENDED
            await broker.running.say(Service(what="policies", version="1"))
            await broker.running.write_behind()
            assert len(broker.running.state.leases) == 0

        played(trial, play)
