"""The way of a request: what is sealed, in which order, and what is handed over."""

from __future__ import annotations

import asyncio

import pytest

from custody.broker.broker import Broker
from custody.broker.desk import RequestState, Standing
from custody.errors import (
    ApprovalNeeded,
    BackendFailed,
    EvidenceUnavailable,
    IdentityRefused,
    IntentRefused,
    NotFound,
    PolicyDenied,
)
from custody.model.broker_terms import Asked, Verdict
from custody.model.brokered import EndAsked, Failed, Issued, Refused, Request
from custody.model.times import microseconds
from tests.broker.trial import ANNA, BERT, NOON, SECOND, Trial, before, caller, played, swap, then, wants


def test_the_intent_is_sealed_before_the_backend_is_called_and_the_outcome_before_it_is_handed_over() -> None:
    trial = Trial()
    seen: list[tuple[str, int]] = []
    whole = trial.memory.issue
    swap(trial.memory, before(whole, lambda order: seen.append((order.chain, len(trial.evidence.said)))))
    handed = played(trial, lambda broker: broker.exchange(caller("deploy/7"), wants()))
    request, issued = trial.evidence.said[-2:]
    assert isinstance(request.body, Request)
    assert isinstance(issued.body, Issued)
    assert seen == [(handed.chain, request.seq)], "the backend was called when the request was the last that was said"
    assert request.chain == issued.chain == handed.chain
    assert handed.receipt == f"{handed.chain}@{request.seq}"
    assert issued.body.decided == request.seq
    assert issued.body.keys == handed.keys
    assert request.body.plan is not None
    assert request.body.plan.name == handed.chain
    assert (issued.body.run, issued.body.requester) == ("ci_run:idp.example:7", "oidc_subject:idp.example:deploy")


def test_no_secret_is_in_anything_that_is_said() -> None:
    trial = Trial()
    handed = played(trial, lambda broker: broker.exchange(caller("deploy"), wants()))
    password = handed.secrets["password"].reveal()
    assert len(password) == 40
    assert not [line for line in trial.evidence.lines if password.encode() in line]
    assert password not in repr(handed)


@pytest.mark.parametrize(
    ("asked", "policy", "expected"),
    [(None, None, 3600), (60, None, 60), (7200, None, 3600), (None, 120, 120), (60, 120, 60), (600, 120, 120)],
)
def test_the_life_is_the_least_of_request_policy_and_backend(
    asked: int | None, policy: int | None, expected: int
) -> None:
    trial = Trial()
    trial.says.max_ttl = policy
    handed = played(trial, lambda broker: broker.exchange(caller("deploy"), wants(ttl=asked)))
    assert (handed.not_after - NOON) // SECOND == expected


REFUSED = [
    ("bad", wants(), IdentityRefused, "bad-signature"),
    ("stranger", wants(), IdentityRefused, "not-registered"),
    ("deploy", wants("nowhere"), IntentRefused, "unknown-backend"),
    ("deploy", wants(scope=["drop"]), IntentRefused, None),
    ("deploy", wants(purpose="a\x1b[2Jb"), IntentRefused, "invalid-parameter"),
    ("deploy", wants(purpose="a\u202eb"), IntentRefused, "invalid-parameter"),
    ("deploy", wants(ttl=0), IntentRefused, "invalid-parameter"),
    ("deploy", wants(scope=["read", "read"]), IntentRefused, "invalid-parameter"),
    ("deploy", wants(details=["[1]"]), IntentRefused, "invalid-authorization-details"),
    ("deploy", wants(details=['{"type":"' + "a" * 5000 + '"}']), IntentRefused, "invalid-authorization-details"),
    ("deploy", wants(parent="cc-nothing"), IntentRefused, "invalid-parameter"),
    ("deploy", wants(parent="cc-" + "0" * 26), PolicyDenied, "parent-over"),
    ("deploy", wants(renews="cc-" + "0" * 26, reason="more"), IntentRefused, "invalid-parameter"),
]


@pytest.mark.parametrize(("who", "intent", "kind", "reason"), REFUSED)
def test_a_refusal_is_sealed_and_nothing_is_made(
    who: str, intent: object, kind: type[Exception], reason: str | None
) -> None:
    trial = Trial()
    with pytest.raises(kind) as caught:
        played(trial, lambda broker: broker.exchange(caller(who), intent))  # type: ignore[arg-type]
    last = trial.evidence.said[-1].body
    assert isinstance(last, Refused | Request)
    if isinstance(last, Refused):
        assert last.reason == caught.value.reason  # type: ignore[attr-defined]
        assert last.origin == "192.0.2.7"
    else:
        assert last.decision.verdict is Verdict.DENY
        assert last.plan is None
    assert reason is None or caught.value.reason == reason  # type: ignore[attr-defined]
    assert not trial.memory.made


def test_a_token_that_does_not_verify_is_nobodys_word() -> None:
    trial = Trial()
    with pytest.raises(IdentityRefused):
        played(trial, lambda broker: broker.exchange(caller("bad"), wants()))
    (refused,) = trial.bodies(Refused)
    assert refused.proof is None
    assert refused.digest is not None


def test_a_denied_request_is_evidence() -> None:
    trial = Trial()
    trial.says.verdict = Verdict.DENY
    with pytest.raises(PolicyDenied) as caught:
        played(trial, lambda broker: broker.exchange(caller("deploy"), wants()))
    (request,) = trial.bodies(Request)
    assert request.decision.verdict is Verdict.DENY
    assert request.plan is None
    assert caught.value.where == request.request
    assert not trial.memory.made


def test_what_a_backend_says_was_not_made_is_over_and_what_it_may_have_made_is_ended() -> None:
    trial = Trial()
    trial.memory.fail("issue", persisted=False, certain=True)
    trial.memory.fail("issue", persisted=True)

    async def play(broker: Broker) -> None:
        for _ in range(2):
            with pytest.raises(BackendFailed):
                await broker.exchange(caller("deploy"), wants())
        first, second = trial.bodies(Failed)
        assert (first.left, second.left) == ("nothing", "unknown")
        assert [each.live for each in trial.memory.made.values()] == [True]
        assert await broker.reaper.tick() == 1
        assert [each.live for each in trial.memory.made.values()] == [False]
        leases = [each.standing for each in broker.running.state.leases.values()]
        assert leases == [Standing.FAILED, Standing.ENDED]

    played(trial, play)


def test_where_the_outcome_cannot_be_sealed_nothing_is_handed_over_and_what_was_made_is_ended() -> None:
    trial = Trial()
    whole = trial.memory.issue
    swap(trial.memory, then(whole, trial.evidence.fail))
    with pytest.raises(EvidenceUnavailable):
        played(trial, lambda broker: broker.exchange(caller("deploy"), wants()))
    assert [each.live for each in trial.memory.made.values()] == [False]


def test_where_the_intent_cannot_be_sealed_the_backend_is_never_called() -> None:
    trial = Trial()

    async def play(broker: Broker) -> None:
        trial.evidence.fail()
        with pytest.raises(EvidenceUnavailable):
            await broker.exchange(caller("deploy"), wants())

    played(trial, play)
    assert "issue" not in {step for step, _ in trial.memory.calls}


def test_a_caller_who_goes_away_leaves_no_credential() -> None:
    trial = Trial()

    async def play(broker: Broker) -> None:
        work = asyncio.ensure_future(broker.exchange(caller("deploy"), wants()))
        while not trial.bodies(Request):
            await asyncio.sleep(0)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        while not trial.bodies(EndAsked):
            await asyncio.sleep(0.001)

    played(trial, play)
    (asked,) = trial.bodies(EndAsked)
    assert asked.cause == "undelivered"


def test_an_agent_that_acts_for_a_person_holds_the_credential_and_the_chain_says_for_whom() -> None:
    trial = Trial()
    played(trial, lambda broker: broker.exchange(caller("anna", actor="agent/5"), wants()))
    (request,), (issued,) = trial.bodies(Request), trial.bodies(Issued)
    assert request.proof.subject == "anna"
    assert [each.subject for each in request.actors] == ["agent"]
    assert issued.workload.endswith(":agent")
    assert issued.identity == "agent"
    assert trial.says.situations[-1].proof.subject == "agent"


class TestApproval:
    def start(self, count: int = 1) -> Trial:
        trial = Trial()
        trial.says.verdict = Verdict.APPROVAL
        trial.says.asked = Asked(count=count, group="release-managers", within=600)
        return trial

    async def asked(self, broker: Broker, who: str = "deploy/7") -> str:
        with pytest.raises(ApprovalNeeded) as caught:
            await broker.exchange(caller(who), wants())
        return caught.value.found

    def test_enough_people_approve_and_exactly_what_was_shown_is_issued_once(self) -> None:
        trial = self.start(2)

        async def play(broker: Broker) -> None:
            request = await self.asked(broker)
            shown = (await broker.request(request)).shown
            assert '"deploy"' in shown
            trial.approve(request, ANNA)
            said = len(trial.evidence.said)
            with pytest.raises(ApprovalNeeded) as asked:
                await broker.fetch(caller("deploy/7"), request)
            assert asked.value.found == request
            assert not [each for each in trial.after(said) if isinstance(each.body, Refused)]
            trial.approve(request, BERT)
            handed = await broker.fetch(caller("deploy/7"), request)
            assert handed.request == request
            with pytest.raises(IntentRefused) as caught:
                await broker.fetch(caller("deploy/7"), request)
            assert caught.value.reason == "request-issued"
            first, second = (each for each in trial.bodies(Request) if each.request == request)
            assert first.digest == second.digest
            assert [each.approver for each in second.approvals] == [ANNA.key, BERT.key]
            (issued,) = trial.bodies(Issued)
            assert issued.approval == f"approval:trial:{request}"
            assert (await broker.request(request)).state is RequestState.ISSUED

        played(trial, play)

    @pytest.mark.parametrize("other", ["other", "deploy/8", "deploy"])
    def test_nobody_else_and_no_other_run_gets_what_was_approved(self, other: str) -> None:
        trial = self.start()

        async def play(broker: Broker) -> None:
            request = await self.asked(broker)
            trial.approve(request, ANNA)
            with pytest.raises(IdentityRefused) as caught:
                await broker.fetch(caller(other), request)
            assert caught.value.reason == "another-requester"

        played(trial, play)
        assert not trial.memory.made

    def test_a_denial_beats_every_grant_that_was_not_used_yet(self) -> None:
        trial = self.start()

        async def play(broker: Broker) -> None:
            request = await self.asked(broker)
            trial.approve(request, ANNA)
            trial.approve(request, BERT, "deny")
            with pytest.raises(IntentRefused) as caught:
                await broker.fetch(caller("deploy/7"), request)
            assert caught.value.reason == "request-rejected"

        played(trial, play)

    def test_an_approval_lapses(self) -> None:
        trial = self.start()

        async def play(broker: Broker) -> None:
            request = await self.asked(broker)
            trial.approve(request, ANNA)
            await broker.poll_approvals()
            trial.clock.time += 601 * SECOND
            with pytest.raises(IntentRefused) as caught:
                await broker.fetch(caller("deploy/7"), request)
            assert caught.value.reason == "request-lapsed"

        played(trial, play)

    def test_two_who_fetch_at_once_get_one_credential(self) -> None:
        trial = self.start()

        async def play(broker: Broker) -> None:
            request = await self.asked(broker)
            trial.approve(request, ANNA)
            both = [broker.fetch(caller("deploy/7"), request) for _ in range(2)]
            results = await asyncio.gather(*both, return_exceptions=True)
            assert sorted(isinstance(each, IntentRefused) for each in results) == [False, True]

        played(trial, play)
        assert len(trial.memory.made) == 1

    def test_an_approval_survives_a_restart(self) -> None:
        trial = self.start()

        async def first(broker: Broker) -> str:
            request = await self.asked(broker)
            trial.approve(request, ANNA)
            await broker.poll_approvals()
            await broker.running.write_behind()
            return request

        request = played(trial, first)
        trial.again()
        assert played(trial, lambda broker: broker.fetch(caller("deploy/7"), request)).request == request


class TestIdempotency:
    def test_the_same_key_gives_the_same_credential_and_never_a_second_one(self) -> None:
        trial = Trial()

        async def play(broker: Broker) -> None:
            both = [broker.exchange(caller("deploy", once="k1"), wants()) for _ in range(3)]
            one, two, three = await asyncio.gather(*both)
            assert one is two is three
            assert await broker.exchange(caller("deploy", once="k1"), wants()) is one
            with pytest.raises(IntentRefused):
                await broker.exchange(caller("deploy", once="k1"), wants(scope=["write"]))
            other = await broker.exchange(caller("other", once="k1"), wants())
            assert other.chain != one.chain, "the key is the workload's own"
            trial.clock.time += 61 * SECOND
            with pytest.raises(IntentRefused) as caught:
                await broker.exchange(caller("deploy", once="k1"), wants())
            assert caught.value.reason == "idempotency-key-used"

        played(trial, play)
        assert len(trial.memory.made) == 2

    def test_a_key_that_was_used_before_a_restart_gives_no_second_credential(self) -> None:
        trial = Trial()
        played(trial, lambda broker: broker.exchange(caller("deploy", once="k1"), wants()))
        trial.again()
        with pytest.raises(IntentRefused) as caught:
            played(trial, lambda broker: broker.exchange(caller("deploy", once="k1"), wants()))
        assert caught.value.reason == "idempotency-key-used"
        assert len(trial.memory.made) == 1

    def test_a_key_asks_for_approval_once(self) -> None:
        trial = TestApproval().start()

        async def play(broker: Broker) -> None:
            found = []
            for _ in range(2):
                with pytest.raises(ApprovalNeeded) as caught:
                    await broker.exchange(caller("deploy/7", once="k1"), wants())
                found.append(caught.value.found)
            assert found[0] == found[1]
            trial.approve(found[0], ANNA)
            handed = await broker.fetch(caller("deploy/7", once="k1"), found[0])
            assert await broker.fetch(caller("deploy/7", once="k1"), found[0]) is handed

        played(trial, play)


def test_a_broker_that_stands_by_issues_nothing() -> None:
    trial = Trial()

    async def play() -> None:
        with pytest.raises(EvidenceUnavailable) as caught:
            await trial.broker.exchange(caller("deploy"), wants())
        assert caught.value.reason == "standby"

    asyncio.run(play())
    assert not trial.evidence.said


def test_a_clock_that_is_set_back_makes_nothing_live_longer() -> None:
    trial = Trial()

    async def play(broker: Broker) -> None:
        handed = await broker.exchange(caller("deploy"), wants(ttl=60))
        await broker.reaper.tick()
        trial.clock.time -= 3600 * SECOND
        await broker.reaper.tick()
        trial.clock.time += 61 * SECOND
        await broker.reaper.tick()
        assert (await broker.lease(handed.chain)).cause == "expired"

    played(trial, play)


def test_nothing_is_found_that_never_was() -> None:
    trial = Trial()

    async def play(broker: Broker) -> None:
        for find in (broker.lease, broker.request, broker.checklist):
            with pytest.raises(NotFound):
                await find("cc-" + "0" * 26)

    played(trial, play)
    assert microseconds("2026-11-22T12:00:00Z") == NOON
