"""What a decision weighs: every way in which one does not count, and the ones that do."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from custody.broker.approvals.decision import Decision, Given, fields_of, read
from custody.broker.approvals.people import Persons, ssh_key, webhook_key
from custody.broker.approvals.tally import tally
from custody.broker.approvals.weighing import WHY, View, approved_of, stands, weigh
from custody.ledger.entry import StatementEntry
from custody.model.broker_terms import Asked
from custody.model.brokered import Approved, Request
from custody.model.times import text
from tests.broker.approvals.requests import (
    ANN,
    BOB,
    EVE,
    GITHUB,
    GROUPS,
    NOW,
    SECOND,
    WITHIN,
    acting,
    decision,
    held,
    proof,
    request,
)

SEEN = NOW + 61 * SECOND
LOGIN = "person:login.example.com:"


def view(found: Decision, *, now: int = SEEN, persons: Persons | None = None, **changed: object) -> View:
    whole = View(broker="tunnel", now=now, persons=persons or Persons(), groups=GROUPS, proved=(found.approver,))
    return msgspec.structs.replace(whole, **changed)


def why(found: Decision, body: Request | None = None, before: Sequence[Given] = (), **changed: object) -> str:
    return weigh(found, held(body), view(found, **changed), before)  # type: ignore[arg-type]


def at(seconds: int) -> str:
    return str(text(NOW + seconds * SECOND))


def test_a_grant_of_one_who_may_counts() -> None:
    assert why(decision()) == ""
    assert why(decision(verdict="deny", until=None)) == ""


@pytest.mark.parametrize(
    ("word", "changed"),
    [
        ("other-broker", {"broker": "another"}),
        ("unknown-request", {"request": "rq-another"}),
        ("wrong-digest", {"digest": request(2).digest}),
        ("wrong-digest", {"digest": ""}),
        ("wrong-digest", {"chain": "cc-another"}),
        ("too-early", {"at": at(-61)}),
        ("too-late", {"at": at(WITHIN)}),
        ("too-late", {"at": "yesterday"}),
        ("too-late", {"until": "for ever"}),
        ("too-late", {"at": "2026-11-22T10:01:00"}),
        ("expired", {"until": at(61)}),
        ("not-in-group", {"approver": ssh_key("zoe@example.com")}),
        ("not-in-group", {"approver": LOGIN + "ann@example.com", "method": "oidc"}),
        ("not-in-group", {"approver": LOGIN + "zoe", "method": "oidc", "groups": ("others",)}),
        ("not-in-group", {"approver": webhook_key("chat", "zoe"), "method": "webhook", "groups": ("releasers",)}),
    ],
)
def test_what_does_not_count_says_why(word: str, changed: dict[str, object]) -> None:
    found = why(decision(**changed))

    assert found.partition(":")[0] == word
    assert word in WHY


def test_without_the_request_nothing_counts() -> None:
    found = decision()

    assert weigh(found, None, view(found), ()) == "unknown-request"


def test_a_request_that_asks_for_no_approval_is_not_approved() -> None:
    body = request()
    allowed = msgspec.structs.replace(body, decision=msgspec.structs.replace(body.decision, asked=None))

    assert why(decision(), allowed) == "not-asked"


def test_a_request_whose_own_digest_is_not_that_of_its_text_is_not_approved() -> None:
    forged = msgspec.structs.replace(request(), proof=proof(subject="repo:acme/other"))

    assert why(decision(), forged) == "wrong-digest"


def test_a_grant_that_is_found_after_the_request_lapsed_is_too_late() -> None:
    assert why(decision(), now=NOW + WITHIN * SECOND) == "too-late"
    assert why(decision(), now=NOW + WITHIN * SECOND - 1) == ""


def test_a_clock_that_is_a_little_behind_is_no_reason() -> None:
    assert why(decision(at=at(-60))) == ""


@pytest.mark.parametrize("proved", [(), (BOB,)])
def test_a_signature_that_does_not_prove_the_approver_proves_nothing(proved: tuple[str, ...]) -> None:
    assert why(decision(), proved=proved) == "unsigned"


def test_a_group_that_no_file_lists_is_that_of_the_token() -> None:
    body = request()
    asked = msgspec.structs.replace(body.decision, asked=Asked(count=1, group="on-call", within=WITHIN))
    body = request(decision=asked)
    token = decision(body, approver=LOGIN + "zoe", method="oidc", groups=("on-call",))

    assert why(token, body) == ""
    assert why(msgspec.structs.replace(token, method="webhook"), body) == "not-in-group: on-call"


def test_where_the_groups_are_not_known_nobody_is_refused_for_one() -> None:
    assert why(decision(approver=ssh_key("zoe@example.com")), groups=None) == ""


WITH_A_TOKEN = (msgspec.structs.replace(acting("x")[0], proof=proof(subject="annie")),)
SELF = [
    ("the subject", {"proof": proof(issuer="https://login.example.com", subject="ann", person=True)}, LOGIN + "ann"),
    ("the subject, written so", {"proof": proof(issuer="https://login.example.com", subject="Ann")}, LOGIN + "aNN"),
    ("an actor", {"actors": acting("ann")}, LOGIN + "ann"),
    ("an actor without an issuer", {"actors": acting("ann", None)}, LOGIN + "ann"),
    ("an inner actor", {"actors": (*acting("agent"), *acting("ann"))}, LOGIN + "ann"),
    ("an actor with a token", {"actors": WITH_A_TOKEN}, ANN),
    ("who started the run", {"proof": proof(claims={"actor": "ann"})}, "github_user:github:ann"),
    ("who started it, by address", {"proof": proof(claims={"user_email": "ann@example.com"})}, ANN),
    ("who started it, by number", {"proof": proof(claims={"actor_id": "7"})}, f"person:{GITHUB[8:]}:7"),
    ("who started it, elsewhere", {"proof": proof(claims={"actor": "ann"})}, webhook_key("chat", "ANN")),
]  # fmt: skip


@pytest.mark.parametrize(("changed", "approver"), [each[1:] for each in SELF], ids=[each[0] for each in SELF])
def test_nobody_approves_what_they_take_part_in(changed: dict[str, object], approver: str) -> None:
    persons = Persons([("annie", ANN)])
    body = request(**changed)

    found = why(decision(body, approver=approver), body, persons=persons, groups=None)

    assert found.startswith("barred: ")


@pytest.mark.parametrize("approver", [LOGIN + "u-1", webhook_key("chat", "U0AA")])
def test_one_person_under_two_names_is_one_where_the_register_says_so(approver: str) -> None:
    body, persons = request(), Persons([("dora", LOGIN + "u-1", webhook_key("chat", "U0AA")), ("bob", BOB)])

    assert why(decision(body, approver=approver), body, groups=None, persons=persons) == "barred: starter"
    assert why(decision(body, approver=approver), body, groups=None) == ""
    assert why(decision(body, approver=BOB), body, persons=persons) == ""


def test_another_name_that_the_same_proof_gives_bars_too() -> None:
    body = request(proof=proof(claims={"actor": "ann-gh"}))

    assert why(decision(body, names=(ssh_key("ann-gh"),)), body) == "barred: starter"


def test_numbers_of_two_systems_are_two_people() -> None:
    body = request(proof=proof(claims={"actor_id": "7"}))

    assert why(decision(body, approver=LOGIN + "7"), body, groups=None) == ""


def test_the_owner_of_the_identity_may_approve() -> None:
    body = request(registered=msgspec.structs.replace(request().registered, owner="ann@example.com"))  # type: ignore[type-var]

    assert why(decision(body), body) == ""


BEFORE = Given(0, decision())


@pytest.mark.parametrize(
    ("word", "changed"),
    [
        ("replayed: 0", {}),
        ("replayed: 0", {"at": at(90)}),
        ("second-decision: 0", {"verdict": "deny", "until": None}),
        ("second-decision: 0", {"reason": "another reason"}),
        ("withdrawn: 0", {"verdict": "withdraw", "until": None}),
        ("nothing-to-withdraw", {"verdict": "withdraw", "until": None, "approver": BOB}),
        ("", {"approver": BOB}),
    ],
)
def test_the_first_decision_of_a_person_stands(word: str, changed: dict[str, object]) -> None:
    assert why(decision(**changed), before=[BEFORE]) == word


def test_after_a_withdrawal_nothing_of_the_same_person_counts() -> None:
    before = [BEFORE, Given(2, decision(verdict="withdraw"))]

    assert why(decision(), before=before) == "replayed: 0"
    assert why(decision(verdict="withdraw"), before=before) == "second-decision"
    assert why(decision(approver=BOB), before=before) == ""


def test_a_deny_is_not_taken_back() -> None:
    assert why(decision(verdict="withdraw"), before=[Given(0, decision(verdict="deny"))]) == "nothing-to-withdraw"


def test_one_person_under_two_keys_decides_once() -> None:
    hook = decision(approver=webhook_key("chat", "U0AA"), method="webhook")
    persons = Persons([(ANN, hook.approver)])

    assert why(hook, before=[BEFORE], groups=None, persons=persons) == "replayed: 0"
    assert why(hook, before=[BEFORE], groups=None) == ""


def test_who_asked_is_named_where_both_are_known_to_one_system() -> None:
    body = request(actors=acting("zoe"))

    assert approved_of(Given(4, decision(body, approver=LOGIN + "eve")), held(body), "").requester == LOGIN + "zoe"
    assert approved_of(Given(4, decision(body)), held(body), "").requester is None


def test_a_statement_gives_the_decision_back() -> None:
    found = decision(names=("a",), groups=("b",), oidc={"issuer": "c"})

    assert read(4, StatementEntry("request-decision", fields_of(found))) == Given(4, found)


@pytest.mark.parametrize(
    ("what", "changed"),
    [
        ("review-decisions", {}),
        ("request-withdraw", {}),
        ("request-decision", {"verdict": "withdraw"}),
        ("request-decision", {"verdict": "maybe"}),
        ("request-decision", {"method": "word of mouth"}),
        ("request-decision", {"digest": 5}),
    ],
)
def test_a_statement_that_is_none_gives_none(what: str, changed: dict[str, object]) -> None:
    assert read(0, StatementEntry(what, {**fields_of(decision()), **changed})) is None


def counted(*given: tuple[str, str] | tuple[str, str, dict[str, object]], count: int = 2, now: int = SEEN) -> object:
    """The tally of (approver, verdict) decisions in their order."""
    before: list[Given] = []
    found: list[Approved] = []
    for leaf, (approver, verdict, *more) in enumerate(given):
        one = decision(request(count=count), approver=approver, verdict=verdict, **(more[0] if more else {}))
        word = why(one, request(count=count), before)
        if stands(word):
            before.append(Given(leaf, one))
        found.append(approved_of(Given(leaf, one), held(), word))
    told = tally(found, Asked(count=count, group="releasers", within=WITHIN), request(count=count).digest, now)
    return [each.leaf for each in told.granted], told.denied.leaf if told.denied else None, told.met


GRANT, DENY, BACK = "grant", "deny", "withdraw"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ([], ([], None, False)),
        ([(ANN, GRANT)], ([0], None, False)),
        ([(ANN, GRANT), (ANN, GRANT)], ([0], None, False)),
        ([(ANN, GRANT), (BOB, GRANT)], ([0, 1], None, True)),
        ([(ANN, GRANT), (BOB, GRANT), (EVE, DENY)], ([0, 1], 2, False)),
        ([(EVE, DENY), (ANN, GRANT), (BOB, GRANT)], ([1, 2], 0, False)),
        ([(ANN, GRANT), (BOB, GRANT), (BOB, BACK)], ([0], None, False)),
        ([(ANN, GRANT), (BOB, GRANT), (BOB, BACK), (BOB, GRANT)], ([0], None, False)),
        ([(ANN, GRANT), (BOB, GRANT), (BOB, BACK), (EVE, GRANT)], ([0, 3], None, True)),
        ([(ANN, GRANT), (BOB, GRANT, {"digest": "0" * 64})], ([0], None, False)),
    ],
)  # fmt: skip
def test_k_of_n_counts_people(given: list[tuple[str, str]], found: object) -> None:
    assert counted(*given) == found


def test_a_grant_that_ended_is_counted_no_more() -> None:
    given = [(ANN, GRANT), (BOB, GRANT, {"until": at(120)})]

    assert counted(*given) == ([0, 1], None, True)  # type: ignore[arg-type]
    assert counted(*given, now=NOW + 120 * SECOND) == ([0], None, False)  # type: ignore[arg-type]
