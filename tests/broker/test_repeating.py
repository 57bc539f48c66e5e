"""The same request again with the same idempotency key, within a minute: what was handed over, if it still may be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from custody.broker.broker import Broker
from custody.broker.desk import Containment, Handed
from custody.errors import ApprovalNeeded, CustodyError, IdentityRefused, PolicyDenied
from custody.model.broker_terms import Asked, Proof, Registered, Verdict
from custody.model.brokered import Issued, Refused, Request, Service
from tests.broker.trial import ANNA, BERT, SECOND, Trial, caller, played, wants

Again = Callable[[], Awaitable[Handed]]
ONCE = "k1"


class Shelf:
    """A register that can forget everybody."""

    def __init__(self, trial: Trial) -> None:
        self._whole = trial.book.find
        self.empty = False

    def find(self, proof: Proof) -> Registered | None:
        return None if self.empty else self._whole(proof)


def repeated(trial: Trial) -> list[Service]:
    return [each for each in trial.bodies(Service) if each.what == "repeated"]


async def exchanged(broker: Broker) -> tuple[Handed, Again]:
    def again() -> Awaitable[Handed]:
        return broker.exchange(caller("deploy", once=ONCE), wants("quick"))

    return await again(), again


async def renewed(broker: Broker) -> tuple[Handed, Again]:
    old = await broker.exchange(caller("deploy"), wants("quick"))

    def again() -> Awaitable[Handed]:
        return broker.renew(caller("deploy", once=ONCE), old.chain, reason="it takes longer")

    return await again(), again


async def fetched(broker: Broker) -> tuple[Handed, Again]:
    """One that people had to approve."""
    policies = broker.running.parts.policies
    policies.verdict, policies.asked = Verdict.APPROVAL, Asked(count=1, group="leads", within=600)  # type: ignore[attr-defined]
    with pytest.raises(ApprovalNeeded) as caught:
        await broker.exchange(caller("deploy", once=ONCE), wants("quick"))
    TRIALS[-1].approve(caught.value.found, BERT)

    def again() -> Awaitable[Handed]:
        return broker.fetch(caller("deploy", once=ONCE), caught.value.found)

    return await again(), again


TRIALS: list[Trial] = []
WAYS = pytest.mark.parametrize("way", [exchanged, renewed, fetched])
Way = Callable[[Broker], Awaitable[tuple[Handed, Again]]]


@pytest.fixture
def trial() -> Trial:
    TRIALS[:] = [Trial()]
    return TRIALS[0]


@WAYS
def test_what_may_still_be_had_is_handed_over_again_and_the_policies_are_asked_again(trial: Trial, way: Way) -> None:
    async def play(broker: Broker) -> None:
        handed, again = await way(broker)
        asked = len(trial.says.situations)
        assert await again() is handed
        assert len(trial.says.situations) == asked + 1
        first, second = trial.says.situations[-2:]
        assert (second.action, second.intent, second.approvers) == (first.action, first.intent, first.approvers)

    played(trial, play)
    assert [(each.fields["policy_set"], each.fields["decided"]) for each in repeated(trial)] == [("11" * 32, "44" * 32)]


@WAYS
@pytest.mark.parametrize("verdict", [Verdict.DENY, Verdict.APPROVAL])
def test_what_the_policies_do_not_allow_now_is_refused_under_seal(trial: Trial, way: Way, verdict: Verdict) -> None:
    async def play(broker: Broker) -> None:
        _, again = await way(broker)
        issued, said, waiting = len(trial.bodies(Issued)), len(trial.evidence.said), len(await _waiting(broker))
        trial.says.verdict = verdict
        trial.says.asked = Asked(count=3, group="leads", within=600) if verdict is Verdict.APPROVAL else None
        for _ in range(2):
            with pytest.raises(PolicyDenied) as caught:
                await again()
            assert caught.value.reason == "policy-denied"
        sealed = [each.body for each in trial.after(said) if isinstance(each.body, Request)]
        assert [(each.decision.verdict, each.plan) for each in sealed] == [(Verdict.DENY, None)] * 2
        assert len(await _waiting(broker)) == waiting, "nobody is asked to approve a repetition"
        assert len(trial.bodies(Issued)) == issued

    played(trial, play)
    assert repeated(trial) == []


async def _waiting(broker: Broker) -> list[str]:
    return sorted(broker.running.state.requests)


async def _contained(trial: Trial, broker: Broker, handed: Handed) -> None:
    await broker.contain(ANNA, "deploy", reason="used from elsewhere")


async def _revoked(trial: Trial, broker: Broker, handed: Handed) -> None:
    await broker.revoke(ANNA, handed.chain, reason="leaked")


async def _given_back(trial: Trial, broker: Broker, handed: Handed) -> None:
    await broker.complete(caller("deploy"), handed.chain)


async def _over(trial: Trial, broker: Broker, handed: Handed) -> None:
    trial.clock.time = handed.not_after


async def _forgotten(trial: Trial, broker: Broker, handed: Handed) -> None:
    shelf = Shelf(trial)
    trial.book.find = shelf.find  # type: ignore[method-assign]
    shelf.empty = True


CHANGES = [
    (_contained, PolicyDenied, "revoked"),
    (_revoked, PolicyDenied, "revoked"),
    (_given_back, PolicyDenied, "revoked"),
    (_over, PolicyDenied, "revoked"),
    (_forgotten, IdentityRefused, "not-registered"),
]


@pytest.mark.parametrize(("change", "kind", "reason"), CHANGES)
def test_what_changed_in_between_is_looked_at_and_the_refusal_is_sealed(
    trial: Trial,
    change: Callable[[Trial, Broker, Handed], Awaitable[None]],
    kind: type[CustodyError],
    reason: str,
) -> None:
    async def play(broker: Broker) -> None:
        handed = await broker.exchange(caller("deploy", once=ONCE), wants("quick", ttl=30))
        await change(trial, broker, handed)
        with pytest.raises(kind) as caught:
            await broker.exchange(caller("deploy", once=ONCE), wants("quick", ttl=30))
        assert getattr(caught.value, "reason", None) == reason

    played(trial, play)
    assert [each.reason for each in trial.bodies(Refused)] == [reason]
    assert len(trial.bodies(Issued)) == 1
    assert repeated(trial) == []


def test_one_that_is_contained_while_the_repetition_is_sealed_is_not_handed_over(trial: Trial) -> None:
    async def play(broker: Broker) -> None:
        await broker.exchange(caller("deploy", once=ONCE), wants("quick"))
        contained = Containment(identity="deploy", by=ANNA.key, reason="x", since=0, seq=1)
        whole = trial.says.decide

        def decide(situation):  # type: ignore[no-untyped-def]
            broker.running.state.contained["deploy"] = contained
            return whole(situation)

        trial.says.decide = decide  # type: ignore[method-assign]
        with pytest.raises(PolicyDenied):
            await broker.exchange(caller("deploy", once=ONCE), wants("quick"))

    played(trial, play)
    assert len(trial.bodies(Issued)) == 1


def test_after_a_minute_the_key_was_used(trial: Trial) -> None:
    async def play(broker: Broker) -> None:
        await broker.exchange(caller("deploy", once=ONCE), wants("quick"))
        trial.clock.time += 61 * SECOND
        with pytest.raises(CustodyError) as caught:
            await broker.exchange(caller("deploy", once=ONCE), wants("quick"))
        assert getattr(caught.value, "reason", None) == "idempotency-key-used"

    played(trial, play)
