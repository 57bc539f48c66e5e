"""Preparing: decided and sealed before the backend is called, prepared in the log before there is a file, or undone."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from custody.broker.broker import Broker
from custody.broker.desk import Standing
from custody.broker.glass import file as glass_file
from custody.broker.glass import shares
from custody.errors import (
    ApprovalNeeded,
    BackendFailed,
    BrokerError,
    CustodyError,
    EvidenceUnavailable,
    IdentityRefused,
    IntentRefused,
    NotFound,
    PolicyDenied,
    UsageError,
)
from custody.model.broker_terms import Asked, Verdict
from custody.model.brokered import EndAsked, Ended, Failed, Glass, Issued, Refused, Request, Service, line
from custody.pipeline.glass.known import Card
from custody.pipeline.glass.preparing import Prepared, Wish, end_left, prepare
from custody.sources.custody_broker import SOURCE
from tests.broker.glass.sealed import KEYS, PEOPLE, draft
from tests.broker.trial import ANNA, BERT, NOON, SECOND, Trial, played

WISH = Wish(
    backend="vault",
    account="payments",
    holders=draft().holders,
    until=NOON + 600 * SECOND,
    reason="the broker may be down",
    by="root@host",
    scope=("read",),
)


class Scene:
    """A trial broker, a folder, and the cards that were kept."""

    def __init__(self, folder: Path) -> None:
        self.trial, self.out, self.cards = Trial(), folder / "sealed.glass", list[Card]()

    def play(self, **wish: object) -> Prepared:
        return played(self.trial, lambda broker: self.prepare(broker, **wish))

    async def prepare(self, broker: Broker, **wish: object) -> Prepared:
        return await prepare(broker, msgspec.structs.replace(WISH, **wish), self.out, self.cards.append)

    def refused(self, error: type[CustodyError], **wish: object) -> CustodyError:
        """Nothing is given, nothing is left: no file, no card, no credential."""
        with pytest.raises(error) as told:
            self.play(**wish)
        assert not self.out.exists()
        assert self.cards == []
        assert not [each for each in self.trial.memory.made.values() if each.live]
        return told.value


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_what_is_said_and_when(scene: Scene) -> None:
    done = scene.play()
    request, issued, made, told = scene.trial.evidence.said[-4:]

    assert isinstance(request.body, Request)
    assert isinstance(issued.body, Issued)
    assert isinstance(made.body, Glass)
    assert isinstance(told.body, Service)
    assert request.chain == issued.chain == made.chain == done.sealed.chain
    assert request.body.plan is not None
    assert issued.body.decided == request.seq
    assert made.body.step == "prepared"
    assert made.body.people == PEOPLE
    assert made.body.keys == issued.body.keys == done.sealed.keys
    assert made.body.not_after == issued.body.not_after == done.sealed.not_after == "2026-11-22T12:10:00Z"
    assert (done.sealed.prepared, done.card.prepared, told.seq) == (made.seq, made.seq, made.seq + 1)
    assert told.body.fields["file"] == glass_file.digest_of(done.sealed)
    assert scene.cards == [done.card]
    assert glass_file.read(scene.out.read_bytes(), "f") == done.sealed
    assert scene.out.stat().st_mode & 0o777 == 0o600


def test_the_policies_are_asked_about_break_glass_the_account_and_the_holders(scene: Scene) -> None:
    scene.play()
    (asked,) = scene.trial.says.situations

    assert (asked.action, asked.proof.method, asked.ttl) == ("BreakGlass", "break-glass", 600)
    assert asked.proof.workload == "break_glass:trial:payments"
    assert asked.registered.identity == "payments"
    assert [asked.proof.claims[f"holder {each}"].split()[0] for each in (1, 2, 3)] == list(PEOPLE)


def test_two_holders_have_the_credential_and_the_log_has_no_word_of_it(scene: Scene) -> None:
    done = scene.play()
    opened = shares.both(done.sealed, KEYS[0], KEYS[2])
    record = scene.trial.memory.made[done.sealed.chain]
    secret = record.password.reveal()

    assert opened.contents.secrets["password"].reveal() == secret
    assert not [each for each in (*scene.trial.evidence.lines, scene.out.read_bytes()) if secret.encode() in each]
    assert secret not in repr((done, opened, scene.cards))


def test_every_line_is_read_as_a_line_of_a_broker(scene: Scene) -> None:
    scene.play()
    for entry in scene.trial.evidence.said:
        identity = SOURCE.identify(line(entry))
        assert identity is not None
        assert identity.secrets == ()
        assert isinstance(SOURCE.read(line(entry), ""), tuple)


@pytest.mark.parametrize(
    ("policy", "until", "expected"), [(None, 600, 600), (60, 600, 60), (None, 86_400 * 90, 3600), (7200, 86_400, 3600)]
)
def test_the_life_is_the_least_of_wish_policy_and_the_files_backend(
    scene: Scene, policy: int | None, until: int, expected: int
) -> None:
    scene.trial.says.max_ttl = policy
    done = scene.play(until=NOON + until * SECOND)

    assert scene.trial.memory.made[done.sealed.chain].not_after == NOON + expected * SECOND


@pytest.mark.parametrize(
    ("wish", "error", "reason"),
    [
        ({"account": "stranger"}, IdentityRefused, "not-registered"),
        ({"backend": "nowhere"}, IntentRefused, "unknown-backend"),
        ({"backend": "quick"}, IntentRefused, "cannot-be-ended"),
        ({"scope": ("everything",)}, IntentRefused, "unknown-scope"),
        ({"scope": ("a\x1b",)}, IntentRefused, "invalid-parameter"),
        ({"until": NOON}, IntentRefused, "invalid-parameter"),
        ({"until": NOON - SECOND}, IntentRefused, "invalid-parameter"),
    ],
)
def test_a_refusal_is_sealed_and_leaves_nothing(
    scene: Scene, wish: dict[str, object], error: type[BrokerError], reason: str
) -> None:
    told = scene.refused(error, **wish)
    last = scene.trial.evidence.said[-1].body

    assert isinstance(told, BrokerError)
    assert isinstance(last, Refused)
    assert (told.reason, last.reason) == (reason, reason)


@pytest.mark.parametrize("wish", [{"holders": draft().holders[:1]}, {"reason": " "}, {"account": "A b"}], ids=str)
def test_a_wish_without_sense_is_refused_before_anything_is_said(scene: Scene, wish: dict[str, object]) -> None:
    scene.refused(UsageError, **wish)

    assert [type(each.body) for each in scene.trial.evidence.said] == [Service]


def test_a_deny_is_a_deny(scene: Scene) -> None:
    scene.trial.says.verdict = Verdict.DENY
    scene.refused(PolicyDenied)

    assert isinstance(scene.trial.evidence.said[-1].body, Request)


def test_a_contained_identity_gets_no_glass(scene: Scene) -> None:
    async def play(broker: Broker) -> None:
        await broker.contain(ANNA, "payments", reason="it is under suspicion")
        with pytest.raises(PolicyDenied, match="do not allow"):
            await scene.prepare(broker)

    played(scene.trial, play)
    assert not scene.out.exists()


def test_a_file_that_is_there_is_left_alone(scene: Scene) -> None:
    scene.out.write_text("another one")
    with pytest.raises(FileExistsError):
        scene.play()

    assert scene.out.read_text() == "another one"
    assert not scene.trial.memory.made


def test_a_backend_that_fails_leaves_no_file(scene: Scene) -> None:
    scene.trial.memory.fail("issue", persisted=False, certain=True)
    told = scene.refused(BackendFailed)
    request, failed = scene.trial.evidence.said[-2:]

    assert isinstance(told, BackendFailed)
    assert isinstance(request.body, Request)
    assert isinstance(failed.body, Failed)
    assert (failed.chain, failed.body.reason, failed.body.left) == (request.chain, told.reason, "nothing")
    assert scene.trial.bodies(Glass) == []


def test_a_card_that_cannot_be_kept_ends_the_credential(scene: Scene) -> None:
    def refuse(_: Card) -> None:
        raise UsageError("the disk is full")

    with pytest.raises(UsageError, match="full"):
        played(scene.trial, lambda broker: prepare(broker, WISH, scene.out, refuse))
    ending, ended = scene.trial.evidence.said[-2:]

    assert isinstance(ending.body, EndAsked)
    assert ending.body.cause == "break-glass"
    assert isinstance(ended.body, Ended)
    assert ended.body.effect == "gone"
    assert not scene.out.exists()


@pytest.mark.parametrize("after", range(5))
def test_a_log_that_fails_at_any_line_leaves_no_credential_and_no_file(scene: Scene, after: int) -> None:
    """0 fails the request, 1 the outcome, 2 the preparation, 3 who can open it; at 4 everything was said."""
    trial = scene.trial

    async def play(broker: Broker) -> None:
        first = len(trial.evidence.said)
        broker.running.parts.evidence.watch(lambda entry: trial.evidence.fail() if entry.seq == first + after else None)
        if after == 0:
            trial.evidence.fail()
        await scene.prepare(broker)

    if after == 4:
        played(trial, play)
        assert scene.out.exists()
        return
    with pytest.raises(EvidenceUnavailable):
        played(trial, play)
    assert not scene.out.exists()
    assert not [each for each in trial.memory.made.values() if each.live]


def test_what_was_issued_and_never_sealed_is_ended_by_the_next_one(scene: Scene) -> None:
    async def play(broker: Broker) -> int:
        lost, kept = await scene.prepare(broker), Scene(scene.out.parent)
        kept.trial, kept.out = scene.trial, scene.out.with_name("second.glass")
        other = await kept.prepare(broker)
        ended = await end_left(broker.running, frozenset([other.sealed.chain]), "root@host")
        assert (await broker.lease(lost.sealed.chain)).standing is Standing.ENDED
        assert (await broker.lease(other.sealed.chain)).standing is Standing.LIVE
        return ended

    assert played(scene.trial, play) == 1


class Asks:
    """A scene in which two people have to approve."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        scene.trial.says.verdict, scene.trial.says.asked = Verdict.APPROVAL, Asked(count=2, group="leads", within=900)

    async def ask(self, broker: Broker) -> str:
        with pytest.raises(ApprovalNeeded) as told:
            await self.scene.prepare(broker)
        assert not self.scene.out.exists()
        return told.value.found


def test_people_approve_exactly_what_is_prepared(scene: Scene) -> None:
    asks = Asks(scene)

    async def play(broker: Broker) -> Prepared:
        request = await asks.ask(broker)
        shown = (await broker.request(request)).shown
        assert all(person in shown for person in PEOPLE)
        scene.trial.approve(request, ANNA)
        with pytest.raises(IntentRefused, match="cannot be issued"):
            await scene.prepare(broker, request=request)
        scene.trial.approve(request, BERT)
        for other in ({"holders": draft().holders[:2]}, {"account": "other"}, {"backend": "quick"}):
            with pytest.raises(IntentRefused, match="not what was approved"):
                await scene.prepare(broker, request=request, **other)
        with pytest.raises(NotFound):
            await scene.prepare(broker, request="rq-none")
        assert not scene.trial.memory.made
        return await scene.prepare(broker, request=request)

    done = played(scene.trial, play)
    requests = [each for each in scene.trial.bodies(Request) if each.plan is not None]

    assert [each.approver for each in requests[0].approvals] == [ANNA.key, BERT.key]
    assert requests[0].request == done.request
    assert scene.trial.bodies(Issued)[0].approval == f"approval:trial:{done.request}"


def test_an_approval_that_was_denied_gives_nothing(scene: Scene) -> None:
    asks = Asks(scene)

    async def play(broker: Broker) -> None:
        request = await asks.ask(broker)
        scene.trial.approve(request, ANNA)
        scene.trial.approve(request, BERT, "deny")
        with pytest.raises(IntentRefused) as told:
            await scene.prepare(broker, request=request)
        assert told.value.reason == "request-rejected"

    played(scene.trial, play)
    assert not scene.out.exists()
