"""Reviews of access as tables, what became of decisions, and the rules that look at them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from custody.model.contracts import EMPTY
from custody.model.register import Declared, Document, IdentityKind, SealedDocument, Signature
from custody.model.reviews import (
    Choice,
    Closing,
    Decision,
    Decisions,
    Fact,
    Member,
    Opening,
    Review,
    digest_of,
    known_by,
    members_of,
    population_bytes,
    standing,
    undecided,
)
from custody.model.times import microseconds
from custody.model.verdicts import Finding, Severity, State
from custody.register import build as register
from custody.register import reviews
from custody.register.carried import Action, Carried, actions
from custody.register.entries import entries
from custody.register.entry import Granted
from custody.register.reviews import granted
from custody.rules import judging, review_waved_through
from custody.rules.registry import load
from tests.chains.running import Derived, derived
from tests.rules.test_judges import of

CHAIN = Path(__file__).resolve().parents[1] / "cases" / "chains" / "chain_of_three" / "input.ndjson"
RULES = [rule for rule in load() if rule.id.startswith("review-")]
ROLE = "aws_arn:111122223333:arn:aws:iam::111122223333:role/app"
ANN, BOB = "ann@example.com", "bob@example.com"
LONG_BEFORE = "2025-12-01T00:00:00Z"
JUST_BEFORE = "2026-01-05T10:00:00Z"
AFTER = "2026-02-01T00:00:00Z"


def at(text: str) -> int:
    found = microseconds(text)
    assert found is not None
    return found


def member(identity: str = ROLE, *owners: str, granted: tuple[str, ...] | None = None) -> Member:
    return Member(
        identity=identity, kind="role", population="machine",
        owner=tuple(Fact(value=each, said_by="register:x", signer=None) for each in owners), purpose=(), declared=(),
        granted=granted, credentials=1, alive=1, last_used=None, exception=(), missing=(), names=(identity,),
    )  # fmt: skip


def opened(*members: Member, when: str = LONG_BEFORE, name: str = "q1", due: str = "2026-01-03T00:00:00Z") -> Opening:
    return Opening(
        name=name, leaf=1, at=at(when), by="carl@host", reviewer=ANN, due=at(due), as_of=None,
        digest=digest_of(members), members=members,
    )  # fmt: skip


def decided(
    choice: Choice, *identities: str, when: str = LONG_BEFORE, by: str | None = ANN, seen: int = 1, to: str = ""
) -> Decisions:
    signature = None if by is None else Signature(method="ssh", principals=(by,), key="SHA256:k", anchor="0" * 64)
    return Decisions(
        leaf=4, at=at(when), by="carl@host", digest="0" * 64, seen=seen, signature=signature,
        decisions=tuple(
            Decision(identity=each, choice=choice, reason="looked at it", to=(to,) if to else ())
            for each in identities or (ROLE,)
        ),
    )  # fmt: skip


def reviewed(*given: Decisions, closing: Closing | None = None, opening: Opening | None = None) -> Review:
    return Review(opening=opening or opened(member()), decisions=given, closing=closing)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Derived]:
    with derived(tmp_path_factory.mktemp("reviews"), [CHAIN.read_bytes()]) as case:
        yield case


def judged(case: Derived, *given: Review) -> list[Finding]:
    """What the rules about reviews find, over the tables of the chains and the register as they are."""
    as_of = microseconds(case.report.as_of)
    reviews.build(case.engine, given, as_of)
    return judging.judge_all(case.engine, RULES, case.versions, as_of).findings


def only(case: Derived, *given: Review, rule: str) -> list[Finding]:
    return [each for each in judged(case, *given) if each.rule == f"review-{rule}"]


@contextmanager
def declared(case: Derived, document: SealedDocument) -> Iterator[None]:
    """With a document of the register in force."""
    as_of = microseconds(case.report.as_of)
    register.build(case.engine, (document,), EMPTY, as_of)
    yield
    register.build(case.engine, (), EMPTY, as_of)


def test_a_population_is_the_same_bytes_in_any_order() -> None:
    one, two = member("b"), member("a", ANN)
    data = population_bytes([one, two])

    assert data == population_bytes([two, one])
    assert members_of(data) == (two, one)
    assert digest_of([one, two]) == sha256(data).hexdigest()
    assert b'"leaf"' not in data
    assert digest_of([one]) != digest_of([member("b", ANN)])


def test_the_last_decision_about_an_identity_counts() -> None:
    first, second = decided(Choice.KEEP, "a", "b"), decided(Choice.REMOVE, "b", by=None)
    review = reviewed(first, second, opening=opened(member("a"), member("b"), member("c")))

    found = standing(review)

    assert {name: each.decision.choice for name, each in found.items()} == {"a": Choice.KEEP, "b": Choice.REMOVE}
    assert (found["a"].signed_by(ANN), found["a"].signed_by(BOB), found["b"].signed_by(ANN)) == (True, False, False)
    assert undecided(review) == ("c",)


def test_what_was_known_at_a_time_leaves_out_what_was_sealed_later() -> None:
    closing = Closing(leaf=8, at=at(AFTER), by="carl@host")
    review = reviewed(decided(Choice.KEEP, when=JUST_BEFORE), closing=closing)

    assert known_by([review], at(LONG_BEFORE) - 1) == ()
    assert known_by([review], at(LONG_BEFORE)) == (reviewed(),)
    assert known_by([review], at(AFTER)) == (review,)


def test_removed_and_still_at_work_is_violated_where_the_reviewer_signed(chain: Derived) -> None:
    (found,) = only(chain, reviewed(decided(Choice.REMOVE)), rule="not-carried-out")

    assert (found.state, found.severity, found.who) == (State.VIOLATED, Severity.HIGH, ROLE)
    assert "signed by ann@example.com" in found.text
    assert "1 credential was issued since" in found.text
    assert "approvals:4" in found.text
    assert 1 in found.leaves


@pytest.mark.parametrize(("by", "told"), [(None, "nobody signed"), (BOB, "bob@example.com, who was not asked")])
def test_a_removal_that_is_claimed_is_no_violation(chain: Derived, by: str | None, told: str) -> None:
    (found,) = only(chain, reviewed(decided(Choice.REMOVE, by=by)), rule="not-carried-out")

    assert (found.state, found.severity) == (State.UNPROVEN, Severity.MEDIUM)
    assert told in found.text


@pytest.mark.parametrize(
    "given",
    [
        [decided(Choice.KEEP)],
        [decided(Choice.REMOVE, when="2025-12-30T00:00:00Z")],
        [decided(Choice.REMOVE, when=AFTER)],
        [decided(Choice.REMOVE, seen=10_000)],
        [decided(Choice.REMOVE), decided(Choice.KEEP, when="2025-12-02T00:00:00Z")],
    ],
    ids=["kept", "within the week", "before the decision", "read before the decision", "kept after all"],
)
def test_nothing_is_found_where_nothing_went_on(chain: Derived, given: list[Decisions]) -> None:
    assert only(chain, reviewed(*given), rule="not-carried-out") == []


def test_a_later_review_that_keeps_it_ends_the_removal(chain: Derived) -> None:
    later = opened(member(), when="2025-12-20T00:00:00Z", name="q2")
    kept = reviewed(decided(Choice.KEEP, when="2025-12-20T00:00:00Z"), opening=later)

    assert only(chain, reviewed(decided(Choice.REMOVE)), kept, rule="not-carried-out") == []


def test_the_close_ends_the_time_to_carry_it_out(chain: Derived) -> None:
    closing = Closing(leaf=9, at=at("2025-12-31T00:00:00Z"), by="carl@host", unfinished=(ROLE,), accepted="later")
    review = reviewed(decided(Choice.REMOVE, when="2025-12-30T00:00:00Z"), closing=closing)

    (found,) = only(chain, review, rule="not-carried-out")

    assert "with this left open" in found.text


def test_an_identity_that_goes_by_another_name_since_is_still_found(chain: Derived) -> None:
    renamed = Declared(identity="payments", kind=IdentityKind.ROLE, names=(ROLE,), owner=ANN)
    document = SealedDocument(
        document=Document(name="x", digest="0" * 64, identities=(renamed,)), leaf=900, at=at(AFTER), by="carl@host"
    )

    with declared(chain, document):
        (found,) = only(chain, reviewed(decided(Choice.REMOVE)), rule="not-carried-out")

    assert found.state is State.VIOLATED


def test_what_only_a_document_calls_by_the_name_proves_nothing(chain: Derived) -> None:
    renamed = Declared(identity="payments", kind=IdentityKind.ROLE, names=(ROLE,), owner=ANN)
    document = SealedDocument(
        document=Document(name="x", digest="0" * 64, identities=(renamed,)), leaf=900, at=at(LONG_BEFORE), by="carl"
    )
    shown = msgspec.structs.replace(member("payments"), names=("payments",))

    with declared(chain, document):
        review = reviewed(decided(Choice.REMOVE, "payments"), opening=opened(shown))
        (found,) = only(chain, review, rule="not-carried-out")

    assert (found.state, found.severity) == (State.UNPROVEN, Severity.MEDIUM)


def test_a_review_is_overdue_once_its_date_is_past_and_something_undecided(chain: Derived) -> None:
    half = reviewed(decided(Choice.KEEP, "a"), opening=opened(member("a"), member("b")))

    (found,) = only(chain, half, rule="overdue")

    assert (found.severity, found.subject) == (Severity.MEDIUM, "review:q1")
    assert "1 of 2 identities not decided" in found.text
    assert "2026-01-02" in found.text


@pytest.mark.parametrize(
    "review",
    [
        reviewed(decided(Choice.KEEP)),
        reviewed(opening=opened(member(), due="2026-02-01T00:00:00Z")),
        reviewed(closing=Closing(leaf=9, at=at(JUST_BEFORE), by="carl@host")),
    ],
    ids=["decided", "not due", "closed"],
)
def test_a_review_that_is_decided_closed_or_not_due_is_not_overdue(chain: Derived, review: Review) -> None:
    assert only(chain, review, rule="overdue") == []


def test_a_statement_that_was_sealed_later_tells_the_time_too(chain: Derived) -> None:
    waiting = reviewed(opening=opened(member(), due="2026-01-20T00:00:00Z"))
    later = reviewed(opening=opened(member(), when=AFTER, name="q2", due="2026-03-01T00:00:00Z"))

    assert [each.who for each in only(chain, waiting, later, rule="overdue")] == ["review q1"]


def test_a_sound_review_is_no_finding(chain: Derived) -> None:
    assert judged(chain, reviewed(decided(Choice.KEEP, when="2025-12-02T00:00:00Z"))) == []


@pytest.mark.parametrize(
    ("review", "words"),
    [
        (reviewed(decided(Choice.KEEP, by=None, when=JUST_BEFORE)), "nobody signed"),
        (reviewed(decided(Choice.KEEP, by=BOB, when=JUST_BEFORE)), "of the others signed by bob@example.com"),
        (
            reviewed(decided(Choice.KEEP, when=JUST_BEFORE), opening=opened(member(ROLE, "Ann@example.com"))),
            "is the owner of all of it",
        ),
    ],
)
def test_what_is_unusual_about_who_decided_is_worth_a_look(chain: Derived, review: Review, words: str) -> None:
    (found,) = only(chain, review, rule="waved-through")

    assert (found.severity, found.state) == (Severity.LOW, State.UNPROVEN)
    assert "worth a look" in found.text
    assert words in found.text


def test_an_owner_beside_another_is_not_alone(chain: Derived) -> None:
    both = reviewed(decided(Choice.KEEP, when=JUST_BEFORE), opening=opened(member(ROLE, ANN, BOB)))

    assert only(chain, both, rule="waved-through") == []


@pytest.mark.parametrize(
    ("identities", "seconds", "kept", "reasons", "found"),
    [(10, 19, 9, 2, True), (10, 20, 9, 2, False), (9, 1, 9, 1, False), (20, 9999, 20, 1, True),
     (20, 9999, 20, 2, False), (20, 9999, 19, 1, False), (19, 9999, 19, 1, False)],
)  # fmt: skip
def test_what_nobody_can_have_looked_at(identities: int, seconds: int, kept: int, reasons: int, found: bool) -> None:
    row = of(
        review_waved_through.Row, subject="review:q1", who="review q1", reviewer=ANN, identities=identities,
        signed=identities, kept=kept, reasons=reasons, took=seconds * 1_000_000,
    )  # fmt: skip

    verdict = review_waved_through.judge(row, EMPTY)

    assert (verdict is not None and verdict.severity is Severity.MEDIUM) is found


def told(case: Derived, review: Review, as_of: str | None = None) -> list[Action]:
    moment = microseconds(as_of or case.report.as_of)
    return list(actions(case.engine, review.opening.name, moment))


def test_what_is_still_there_of_a_removed_identity_is_open(chain: Derived) -> None:
    review = reviewed(decided(Choice.REMOVE))
    judged(chain, review)

    (found,) = told(chain, review)

    assert found.state is Carried.OPEN
    assert found.text.startswith("1 credential alive, 1 credential issued since, 1 credential used since")


def test_nothing_is_known_while_the_records_end_before_the_decision(chain: Derived) -> None:
    review = reviewed(decided(Choice.REMOVE, "role/none", when=AFTER), opening=opened(member("role/none")))
    judged(chain, review)

    assert [(one.state, one.text) for one in told(chain, review)] == [
        (Carried.NOT_SHOWN, "the records end at 2026-01-05T10:00:08Z, before the decision")
    ]
    assert [one.state for one in told(chain, review, "2026-02-02T00:00:00Z")] == [Carried.DONE]
    assert [one.text for one in actions(chain.engine, "q1", None)] == ["no record was read"]


GIVEN = Granted(
    principal=ROLE, kind="managed", what="arn:aws:iam::aws:policy/Admin", through=None, since=None, until=None,
    since_how="observed", by_principal=None, approver=None, approved_at=None, leaf=3,
)  # fmt: skip
THROUGH = msgspec.structs.replace(GIVEN, kind="role-binding", what="edit", through="rolebindings/x")


@pytest.mark.parametrize(
    ("to", "left", "state"),
    [
        ("", (GIVEN, THROUGH), Carried.OPEN),
        ("", (GIVEN,), Carried.DONE),
        (granted(GIVEN), (GIVEN, THROUGH), Carried.OPEN),
        (granted(GIVEN), (GIVEN,), Carried.DONE),
        ("only what it needs", (GIVEN, THROUGH), Carried.OPEN),
    ],
)
def test_what_was_narrowed_is_held_against_the_grants(
    chain: Derived, to: str, left: tuple[Granted, ...], state: Carried
) -> None:
    shown = member(ROLE, granted=(granted(GIVEN), granted(THROUGH)))
    review = reviewed(decided(Choice.NARROW, to=to or "less"), opening=opened(shown))
    judged(chain, review)
    for each in left:
        chain.engine.run(
            "INSERT INTO grants (principal, kind, what, through, leaf) VALUES (?, ?, ?, ?, 3)",
            [each.principal, each.kind, each.what, each.through],
        )

    assert [one.state for one in told(chain, review)] == [state]
    chain.engine.run("DELETE FROM grants WHERE leaf = 3")


def test_narrowing_what_no_record_shows_cannot_be_shown(chain: Derived) -> None:
    review = reviewed(decided(Choice.NARROW, to="less"))
    judged(chain, review)

    assert [one.state for one in told(chain, review)] == [Carried.NOT_SHOWN]


def test_stored_tables_are_made_anew_with_what_was_sealed_since(chain: Derived) -> None:
    judged(chain, reviewed())
    for name in ("reviews", "review_decisions", "review_names", "review_keys", "review_grants"):
        chain.engine.run(f"CREATE TABLE stored_{name} AS SELECT * FROM {name}")
        chain.engine.run(f"DROP TABLE {name}")
        chain.engine.run(f"CREATE VIEW {name} AS SELECT * FROM stored_{name}")

    reviews.rebuild(chain.engine, [reviewed(decided(Choice.KEEP))], microseconds(chain.report.as_of))

    assert chain.engine.number("SELECT sum(decided) FROM reviews") == 1
    assert chain.engine.number("SELECT sum(decided) FROM stored_reviews") == 0


def test_the_whole_derivation_takes_reviews(tmp_path: Path) -> None:
    with derived(tmp_path, [CHAIN.read_bytes()], reviews=(reviewed(decided(Choice.REMOVE)),)) as case:
        rules = {each.rule for each in case.report.findings}
        known = [one.identity for one in entries(case.engine)]

    assert "review-not-carried-out" in rules
    assert ROLE in known
