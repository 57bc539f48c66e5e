"""Break-glass while the broker is up: a policy that says so, two people, bounded, said aloud; and never by a slip."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from custody.broker import issuing
from custody.broker.broker import Broker
from custody.broker.desk import Handed, RequestState, Standing
from custody.broker.policy.cedar import CedarEngine
from custody.broker.policy.engine import PolicyEngine
from custody.broker.policy.folder import PolicyFolder
from custody.errors import IntentRefused, PolicyDenied
from custody.model.broker_terms import Intent, Verdict
from custody.model.brokered import EndAsked, Glass, Issued, Refused, Request
from custody.model.times import microseconds
from tests.broker.trial import ANNA, BERT, NOON, SECOND, Trial, caller, played, wants

WHEN = "when { context has break_glass }"
HEAD = 'permit (principal in Identity::"deploy", action == Action::"BreakGlass", resource == Backend::"vault")'
EMERGENCY = f'@id("emergency") @approval("1 of oncall within 30m") @max_ttl("20m") {HEAD} {WHEN};'
TORN: dict[str, object] = {"break_glass": True, "reason": "approvers cannot be reached", "ticket": "INC-7"}


class Judged(Trial):
    """A broker of fakes that decides by real policies."""

    def __init__(self, place: Path, *policies: str) -> None:
        place.mkdir(exist_ok=True)
        (place / "one.cedar").write_text("\n".join(policies), "utf-8")
        self.engine: PolicyEngine = CedarEngine(PolicyFolder(place))
        super().__init__()

    def _made(self) -> Broker:
        return Broker(replace(super()._made().running.parts, policies=self.engine))


@pytest.fixture
def trial(tmp_path: Path) -> Judged:
    return Judged(tmp_path / "policies", EMERGENCY)


def torn(trial: Trial, **more: object) -> Handed:
    return played(trial, lambda broker: broker.exchange(caller("deploy"), wants("vault", **{**TORN, **more})))


def test_the_request_to_people_is_sealed_before_anything_is_made_and_all_of_it_is_said_aloud(trial: Judged) -> None:
    handed = torn(trial)
    asked, request, issued, told, due = (each.body for each in trial.evidence.said[-5:])
    assert isinstance(asked, Request)
    assert isinstance(request, Request)
    assert isinstance(issued, Issued)
    assert isinstance(told, Glass)
    assert isinstance(due, Glass)
    assert {each.chain for each in trial.evidence.said[-5:]} == {handed.chain}
    assert (asked.plan, asked.decision.verdict, asked.request) == (None, Verdict.APPROVAL, handed.review)
    assert (request.decision.verdict, request.decision.why, request.review) == (
        Verdict.ALLOW,
        "break-glass",
        handed.review,
    )
    assert request.request == handed.request != handed.review
    assert [each.id for each in request.decision.policies] == ["emergency"]
    assert request.review_by == asked.review_by == handed.review_by == due.not_after
    assert microseconds(handed.review_by) == NOON + 1800 * SECOND
    glass = f"bg-{handed.chain.removeprefix('cc-')}"
    assert (told.step, told.glass, told.keys, told.reason) == ("issued", glass, handed.keys, TORN["reason"])
    assert (due.step, due.glass) == ("review-by", glass)
    assert (
        b'"break_glass": true' in trial.evidence.lines[-5] or '"break_glass":true' in trial.evidence.lines[-5].decode()
    )


def test_the_one_who_is_asked_afterwards_sees_what_for(trial: Judged) -> None:
    async def play(broker: Broker) -> str:
        handed = await broker.exchange(caller("deploy"), wants("vault", **TORN))
        pending = await broker.request(handed.review or "")
        assert (pending.state, pending.needed, pending.group, pending.chain) == (
            RequestState.PENDING,
            1,
            "oncall",
            handed.chain,
        )
        return pending.shown

    shown = played(trial, play)
    assert '"break_glass": true' in shown
    assert "INC-7" in shown


@pytest.mark.parametrize(
    ("ttl", "within", "bound", "expected"),
    [
        (None, "30m", '@max_ttl("20m")', 1200),
        (60, "30m", '@max_ttl("20m")', 60),
        (None, "10m", '@max_ttl("20m")', 600),
        (None, "2h", "", 3600),
    ],
)
def test_it_lives_no_longer_than_anybody_says_and_is_over_when_it_should_be_approved(
    tmp_path: Path, ttl: int | None, within: str, bound: str, expected: int
) -> None:
    trial = Judged(tmp_path / "p", f'@id("emergency") @approval("1 of oncall within {within}") {bound} {HEAD} {WHEN};')
    handed = torn(trial, ttl=ttl)
    assert (handed.not_after - NOON) // SECOND == expected
    assert handed.not_after <= (microseconds(handed.review_by) or 0)


ORDINARY = '@id("ordinary") @approval("1 of oncall within 30m") permit (principal, action, resource);'
REFUSED = {
    "no permit": ([], "no-permit-matched"),
    "a permit of ordinary requests": (['@id("a") permit (principal, action == Action::"Issue", resource);'],
                                      "no-permit-matched"),
    "a permit of everything that does not speak of it": ([ORDINARY], "break-glass-not-named"),
    "a permit that everything else rests on": (
        [ORDINARY, '@id("f") forbid (principal, action, resource) unless { context has break_glass };'],
        "break-glass-not-named",
    ),
    "nobody who approves": ([f'@id("a") {HEAD} {WHEN};'], "break-glass-without-approval"),
    "a permit of sealed ones": ([f'@id("a") @approval("1 of oncall within 30m") {HEAD};'], "break-glass-not-named"),
    "several who approve": (
        [f'@id("a") @approval("2 of oncall within 30m") {HEAD} {WHEN};'],
        "break-glass-approval-of-several",
    ),
    "what forbids it": ([EMERGENCY, '@id("f") forbid (principal, action, resource);'], "forbidden"),
    "what forbids to issue at all": (
        [EMERGENCY, '@id("f") forbid (principal, action == Action::"Issue", resource);'],
        "forbidden",
    ),
    "a permit that errs": (
        [EMERGENCY, '@id("e") permit (principal, action, resource) when { context.ttl * 9223372036854775807 > 0 };'],
        "engine-errors",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_nothing_but_a_permit_that_says_so_and_names_who_approves_allows_it(tmp_path: Path, name: str) -> None:
    policies, why = REFUSED[name]
    trial = Judged(tmp_path / "p", *policies)
    with pytest.raises(PolicyDenied):
        torn(trial)
    (request,) = trial.bodies(Request)
    assert (request.decision.verdict, request.decision.why, request.plan) == (Verdict.DENY, why, None)
    assert request.intent.break_glass
    assert not trial.memory.made
    assert not trial.bodies(Glass)


def test_it_is_lifted_past_what_exempts_it(tmp_path: Path) -> None:
    forbid = '@id("f") forbid (principal, action in Action::"Obtain", resource) unless { context has break_glass };'
    trial = Judged(tmp_path / "p", EMERGENCY, forbid)
    assert torn(trial).review is not None


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"reason": None}, "reason-missing"),
        ({"reason": "  "}, "reason-missing"),
        ({"ticket": None}, "ticket-missing"),
    ],
)
def test_it_takes_a_reason_and_a_ticket(trial: Judged, more: dict[str, object], reason: str) -> None:
    with pytest.raises(IntentRefused) as caught:
        torn(trial, **more)
    assert caught.value.reason == reason
    (refused,) = trial.bodies(Refused)
    assert refused.reason == reason
    assert not trial.memory.made


def test_who_does_not_ask_for_it_does_not_get_it(trial: Judged) -> None:
    with pytest.raises(PolicyDenied):
        played(trial, lambda broker: broker.exchange(caller("deploy"), wants(reason="approvers", ticket="INC-7")))
    (request,) = trial.bodies(Request)
    assert request.decision.why == "no-permit-matched"
    assert "break_glass" not in request.decision.context
    assert Intent(backend="vault").break_glass is False


def test_it_is_neither_renewed_nor_fetched_again(trial: Judged) -> None:
    async def play(broker: Broker) -> None:
        handed = await broker.exchange(caller("deploy"), wants("vault", **TORN))
        with pytest.raises(IntentRefused) as renewed:
            await broker.renew(caller("deploy"), handed.chain, reason="longer")
        assert renewed.value.reason == "break-glass-renewed"
        trial.approve(handed.review or "", BERT)
        with pytest.raises(IntentRefused) as fetched:
            await broker.fetch(caller("deploy"), handed.review or "")
        assert fetched.value.reason == "break-glass-issued"

    played(trial, play)
    assert len(trial.bodies(Issued)) == 1


def test_asked_for_again_with_the_same_key_it_is_the_same_one(trial: Judged) -> None:
    async def play(broker: Broker) -> None:
        first = await broker.exchange(caller("deploy", once="k"), wants("vault", **TORN))
        again = await broker.exchange(caller("deploy", once="k"), wants("vault", **TORN))
        assert (again.chain, again.review) == (first.chain, first.review)

    played(trial, play)
    assert len(trial.bodies(Issued)) == 1


def test_a_contained_identity_has_no_break_glass(trial: Judged) -> None:
    async def play(broker: Broker) -> None:
        await broker.contain(ANNA, "deploy", reason="stolen")
        with pytest.raises(PolicyDenied) as caught:
            await broker.exchange(caller("deploy"), wants("vault", **TORN))
        assert caught.value.reason == "contained"

    played(trial, play)
    assert not trial.memory.made


def test_who_is_asked_afterwards_and_denies_it_ends_it(trial: Judged) -> None:
    async def play(broker: Broker) -> str:
        handed = await broker.exchange(caller("deploy"), wants("vault", **TORN))
        trial.approve(handed.review or "", BERT, "deny")
        (denied,) = trial.given
        await broker.poll_approvals()
        assert (await broker.lease(handed.chain)).standing is Standing.ENDED
        await issuing.answered(broker.running, denied)
        return handed.chain

    chain = played(trial, play)
    (ending,) = trial.bodies(EndAsked)
    assert (ending.cause, ending.by) == ("break-glass", BERT.key)
    assert not trial.memory.made[chain].live


@pytest.mark.parametrize(
    "said", [{"verdict": "grant"}, {"counts": False, "why": "barred: requester"}, {"request": "rq-" + "0" * 26}]
)
def test_nothing_but_a_denial_that_counts_ends_it(trial: Judged, said: dict[str, object]) -> None:
    async def play(broker: Broker) -> None:
        handed = await broker.exchange(caller("deploy"), wants("vault", **TORN))
        trial.approve(handed.review or "", BERT, "deny")
        await issuing.answered(broker.running, msgspec.structs.replace(trial.given.pop(), **said))
        assert (await broker.lease(handed.chain)).standing is Standing.LIVE

    played(trial, play)
    assert not trial.bodies(EndAsked)


def test_nobody_approves_and_it_is_ended_also_by_a_broker_that_starts_again(trial: Judged) -> None:
    handed = torn(trial)
    broker = trial.again()
    trial.clock.time = microseconds(handed.review_by) or 0

    async def play(_: Broker) -> Standing:
        await broker.tick()
        return (await broker.lease(handed.chain)).standing

    assert played(trial, play) is Standing.ENDED
    assert not trial.memory.made[handed.chain].live
