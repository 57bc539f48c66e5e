"""Deciding about sealed requests: what is sealed, what is refused, and who comes first."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from custody.broker.approvals.people import Persons, webhook_key
from custody.broker.approvals.weighing import Held
from custody.broker.desk import RequestState
from custody.errors import BrokerError, IntentRefused, NotFound, PolicyDenied, UsageError
from custody.ledger import allowed_signers
from custody.pipeline import approvals
from custody.pipeline.approving.deciding import Decided, Place, Wanted, Who, decide, drafted, signable, ssh_who
from custody.pipeline.approving.desk import ApprovalDesk
from custody.pipeline.approving.rechecking import persons, recheck
from custody.pipeline.approving.requests import Requests
from custody.pipeline.approving.watched import watcher
from custody.pipeline.signatures import verified
from custody.settings.broker_file import Approvals, BrokerFile
from custody.store.history import Closed
from custody.store.reader import Reader
from custody.store.verification import verify
from tests.broker.approvals.requests import (
    ANN,
    BOB,
    BROKER,
    CHAIN,
    GITHUB,
    GROUPS,
    NOW,
    RQ,
    SECOND,
    WITHIN,
    Estate,
    identifier,
    issued,
    proof,
    request,
)
from tests.ssh_signing import ANN as ANN_SIGNS
from tests.ssh_signing import BOB as BOB_SIGNS
from tests.ssh_signing import Person

SPACE = "custody-approval"
ALLOWED = (ANN_SIGNS.line() + BOB_SIGNS.line()).encode()
GRANT = Wanted(verdict="grant", reason="the release is planned")
DENY = Wanted(verdict="deny", reason="not today")


class Desk:
    """A store with sealed requests, and people who decide at a time."""

    def __init__(self, folder: Path) -> None:
        self.estate = Estate(folder)
        self.now = NOW + 60 * SECOND
        self.desk = ApprovalDesk(
            self.estate.root, self.estate.approver, lambda: self.now, by="ops@host", groups=GROUPS, broker=BROKER
        )

    def signed(self, person: Person, wanted: Wanted = GRANT, name: str = RQ, digest: str | None = None) -> Decided:
        """What somebody signs and hands over."""
        shown = self.desk.one(name).shown
        draft = drafted(shown, wanted, self.now)
        armored = person.sign(signable(draft), space=SPACE)
        found = verified(signable(draft), armored, SPACE, allowed_signers.parse(ALLOWED, "allowed"), self.now)
        who = ssh_who(ALLOWED, armored, [f"person:ssh:{each}" for each in found.principals])
        return self.desk.decide(name, digest or shown.digest, wanted, who)

    def watched(self) -> list[tuple[str, str, str]]:
        """What a broker with this request takes of it."""
        held = {request(number).request: Held(BROKER, CHAIN, request(number)) for number in (1, 2)}
        file = BrokerFile(broker=BROKER, issuer="https://x.example", approvals=Approvals(groups=GROUPS))
        found = watcher(self.estate.root, file, held.get).since(0, self.now)
        return [(each.approver, each.verdict, each.why) for each in found]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    found = Desk(tmp_path)
    found.estate.seal([request()])
    return found


def token(name: str = "zoe", *groups: str) -> Who:
    return Who(approver=f"person:login.example.com:{name}", method="oidc", groups=groups, oidc={"issuer": "x"})


def hook(name: str, message: str = "msg-1") -> Who:
    return Who(approver=webhook_key("chat", name), method="webhook", webhook="chat", message=message)


def test_a_request_is_shown_as_it_is_sealed(desk: Desk) -> None:
    found = desk.desk.one(RQ)

    assert found.shown.digest == request().digest
    assert found.state is RequestState.PENDING
    assert desk.desk.every(RequestState.PENDING)[0].shown == found.shown
    assert desk.desk.every(RequestState.APPROVED) == []


def test_a_signed_grant_is_sealed_and_the_broker_takes_it(desk: Desk) -> None:
    done = desk.signed(ANN_SIGNS)

    assert (done.sealed, done.decision.approver, done.decision.until) == (True, ANN, "2026-11-22T10:15:00Z")
    assert desk.desk.one(RQ).state is RequestState.APPROVED
    assert desk.watched() == [(ANN, "grant", "")]
    assert verify(desk.estate.root, processes=1).problems == ()


def test_the_signature_of_a_sealed_decision_is_checked_again_from_the_log_alone(desk: Desk) -> None:
    done = desk.signed(ANN_SIGNS)
    log = approvals.everything(desk.estate.root)

    assert recheck(done.decision, log.said) == (ANN,)
    for forged in (
        msgspec.structs.replace(done.decision, verdict="deny", until=None),
        msgspec.structs.replace(done.decision, reason="another"),
        msgspec.structs.replace(done.decision, digest="0" * 64),
        msgspec.structs.replace(done.decision, signers="0" * 64),
        msgspec.structs.replace(done.decision, signature=None),
    ):
        assert recheck(forged, log.said) == ()


def test_two_decisions_under_one_signers_file_seal_it_once(desk: Desk) -> None:
    desk.signed(ANN_SIGNS)
    desk.signed(BOB_SIGNS)

    assert len(approvals.everything(desk.estate.root).statements("signers")) == 1
    assert desk.watched() == [(ANN, "grant", ""), (BOB, "grant", "")]


@pytest.mark.parametrize("digest", ["", "0" * 64, request(2).digest])
def test_only_the_digest_of_the_request_is_approved(desk: Desk, digest: str) -> None:
    desk.estate.seal([request(2)], first=2)

    with pytest.raises(UsageError, match="another digest"):
        desk.desk.decide(RQ, digest, GRANT, token("zoe"))
    assert approvals.everything(desk.estate.root).said == ()


def test_a_signature_under_another_text_is_refused(desk: Desk) -> None:
    shown = desk.desk.one(RQ).shown
    armored = ANN_SIGNS.sign(signable(drafted(shown, DENY, desk.now)), space=SPACE)

    with pytest.raises(BrokerError) as caught:
        desk.desk.decide(RQ, shown.digest, GRANT, msgspec.structs.replace(ssh_who(ALLOWED, armored, [ANN]), proved=()))
    assert caught.value.reason == "unsigned"


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (Wanted(verdict="grant", reason="  "), "reason-or-time"),
        (Wanted(verdict="grant", reason="x" * 501), "reason-or-time"),
        (Wanted(verdict="grant", reason="x", until="soon"), "reason-or-time"),
        (Wanted(verdict="grant", reason="x", until="2026-11-22T10:01:00Z"), "until"),
        (Wanted(verdict="grant", reason="x", until="2026-11-22T10:15:01Z"), "until"),
    ],
)
def test_a_decision_that_cannot_be_made_is_not(desk: Desk, wanted: Wanted, reason: str) -> None:
    with pytest.raises(IntentRefused) as caught:
        desk.signed(ANN_SIGNS, wanted)
    assert caught.value.reason == reason


def test_a_shorter_grant_ends_when_it_says(desk: Desk) -> None:
    desk.signed(ANN_SIGNS, Wanted(verdict="grant", reason="x", until="2026-11-22T10:05:00Z"))
    assert desk.desk.one(RQ).state is RequestState.APPROVED
    desk.now = NOW + 300 * SECOND

    assert desk.desk.one(RQ).state is RequestState.PENDING


def test_a_lapsed_request_is_decided_no_more(desk: Desk) -> None:
    desk.now = NOW + WITHIN * SECOND

    assert desk.desk.one(RQ).state is RequestState.LAPSED
    with pytest.raises(IntentRefused) as caught:
        desk.signed(ANN_SIGNS, DENY)
    assert caught.value.reason == "too-late"


def test_a_deny_beats_a_grant(desk: Desk) -> None:
    desk.signed(ANN_SIGNS)
    desk.signed(BOB_SIGNS, DENY)

    assert desk.desk.one(RQ).state is RequestState.REJECTED


def test_who_gave_a_grant_takes_it_back_once_and_for_all(desk: Desk) -> None:
    desk.signed(ANN_SIGNS)
    desk.signed(ANN_SIGNS, Wanted(verdict="withdraw", reason="wrong release"))

    assert desk.desk.one(RQ).state is RequestState.PENDING
    assert [why for _, _, why in desk.watched()] == ["", "withdrawn: 4"]
    for wanted, reason in ((GRANT, "replayed"), (DENY, "second-decision")):
        with pytest.raises(IntentRefused) as caught:
            desk.signed(ANN_SIGNS, wanted)
        assert caught.value.reason == reason


def test_nothing_is_granted_once_a_credential_was_issued(desk: Desk) -> None:
    desk.estate.seal([issued(request())], first=2)

    assert desk.desk.one(RQ).state is RequestState.ISSUED
    with pytest.raises(IntentRefused, match="issued"):
        desk.signed(ANN_SIGNS)


def test_two_of_n_are_two_people(tmp_path: Path) -> None:
    desk, body = Desk(tmp_path), request(count=2)
    desk.estate.seal([body])
    desk.signed(ANN_SIGNS)
    assert desk.desk.one(RQ).state is RequestState.PENDING
    desk.signed(BOB_SIGNS)

    assert desk.desk.one(RQ).state is RequestState.APPROVED


def test_who_started_the_run_is_refused(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.estate.seal([request(proof=proof(claims={"user_email": "ann@example.com"}))])

    with pytest.raises(PolicyDenied) as caught:
        desk.signed(ANN_SIGNS)
    assert caught.value.reason == "barred"


def test_who_belongs_to_no_group_is_refused(desk: Desk) -> None:
    with pytest.raises(PolicyDenied) as caught:
        desk.desk.decide(RQ, request().digest, GRANT, token("zoe", "releasers"))
    assert caught.value.reason == "not-in-group"


def test_people_are_those_of_the_register(desk: Desk) -> None:
    with Reader.open(desk.estate.root) as reader:
        assert not persons(reader).one(("a",), ("b",))
    place = Place(
        root=desk.estate.root,
        keys=desk.estate.approver,
        by="x",
        groups=None,
        persons=Persons([("dora", webhook_key("chat", "U0AA"))]),
    )
    shown = desk.desk.one(RQ).shown

    with pytest.raises(PolicyDenied, match="started the run"):
        decide(place, shown, drafted(shown, GRANT, desk.now), hook("U0AA"), desk.now)


def test_a_webhook_that_is_sent_again_is_sealed_once_and_its_id_stands_for_nothing_else(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.estate.seal([request()])
    open_desk = ApprovalDesk(desk.estate.root, desk.estate.approver, lambda: desk.now, by="x", groups=None)
    digest = request().digest
    first = open_desk.decide(RQ, digest, GRANT, hook("U1"))
    again = open_desk.decide(RQ, digest, GRANT, hook("U1"))

    assert (first.sealed, again.sealed, again.leaf) == (True, False, first.leaf)
    for wanted, who in ((DENY, hook("U1")), (GRANT, hook("U2"))):
        with pytest.raises(IntentRefused) as caught:
            open_desk.decide(RQ, digest, wanted, who)
        assert caught.value.reason == "replayed"


def test_two_people_at_once_are_both_sealed_and_one_of_them_twice_counts_once(desk: Desk) -> None:
    """Each in a desk of its own, as two processes are: the lock of the log is what orders them."""
    people = [ANN_SIGNS, BOB_SIGNS, ANN_SIGNS, BOB_SIGNS]
    desks = [Desk.__new__(Desk) for _ in people]
    for each in desks:
        each.estate, each.now = desk.estate, desk.now
        each.desk = ApprovalDesk(
            desk.estate.root, desk.estate.approver, lambda: desk.now, by="x", groups=GROUPS, broker=BROKER
        )

    def sealed(one: Desk, person: Person) -> str:
        try:
            return one.signed(person).decision.approver
        except IntentRefused as error:
            return error.reason

    with ThreadPoolExecutor(len(people)) as pool:
        found = sorted(pool.map(sealed, desks, people))

    assert found == [ANN, BOB, "replayed", "replayed"]
    assert sorted(desk.watched()) == [(ANN, "grant", ""), (BOB, "grant", "")]
    assert verify(desk.estate.root, processes=1).problems == ()


def test_a_request_that_is_not_sealed_is_not_found(desk: Desk) -> None:
    with pytest.raises(NotFound):
        desk.desk.one(identifier(5))
    desk.estate.seal([request(5)], first=2)

    assert desk.desk.one(identifier(5)).shown.digest == request(5).digest


def test_a_line_whose_digest_is_not_that_of_its_text_is_shown_to_nobody(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.estate.seal([msgspec.structs.replace(request(), proof=proof(subject="repo:acme/other"))])

    with pytest.raises(NotFound):
        desk.desk.one(RQ)


def test_of_two_texts_under_one_id_the_digest_says_which(desk: Desk) -> None:
    """Somebody audits a file that looks like the broker's: it is worth nothing, and it is not taken for it."""
    forged = request(proof=proof(issuer=GITHUB, subject="repo:evil/pay", workload="custom:x:y"))
    desk.estate.seal([forged], first=900)
    desk.estate.seal([request()], first=900, broker="another")

    with pytest.raises(UsageError, match="different texts"):
        desk.desk.one(RQ)
    assert desk.desk.one(RQ, request().digest).shown.leaf < desk.desk.one(RQ, forged.digest).shown.leaf
    desk.desk.decide(RQ, forged.digest, DENY, msgspec.structs.replace(token("zoe"), approver=BOB))
    assert [why for _, _, why in desk.watched()] == ["wrong-digest"]


def test_each_commit_is_read_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Requests(desk.estate.root)
    found.look()
    desk.estate.seal([request(2)], first=2)
    read: list[int] = []
    entries = Reader.raw_entries

    def counted(reader: Reader, closed: Closed) -> Iterator[bytes]:
        read.append(closed.first)
        return entries(reader, closed)

    monkeypatch.setattr(Reader, "raw_entries", counted)
    found.look()
    found.look()

    assert len(read) == 1
    assert [each.request.request for each in found.every()] == [RQ, identifier(2)]
