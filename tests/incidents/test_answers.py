"""The eight questions: who and by which policy, when, inside the contract, verified, surviving, touched, how long."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from custody.incidents.judging import answers as questions
from custody.incidents.judging import conduct, exposure
from custody.incidents.judging.answers import QUESTIONS, answers
from custody.incidents.judging.outcomes import outcomes
from custody.incidents.judging.surviving import SURVIVES
from custody.incidents.record.folding import Incident
from custody.incidents.scope.grounds import Grounds
from custody.incidents.scope.reaching import scope
from custody.model.broker_terms import Verdict
from custody.model.incident_view import Judged
from custody.model.incidents import ActionKind, SeedKind
from custody.pipeline.incidents.judging import judged
from custody.store.writer import Writer
from tests.end_to_end.conftest import settings_for
from tests.incidents.evidence_estate import at, key, user
from tests.incidents.evidence_grounds import grounds_over, inputs
from tests.incidents.evidence_steps import ALLOWED, TWO, Told, seed

REVOKE, GIVE = ActionKind.REVOKE, ActionKind.EMERGENCY
VICTIM = seed(SeedKind.KEY, key("victim"))


def all_of(grounds: Grounds, incident: Incident) -> dict[str, Judged]:
    reach = scope(grounds, incident.seeds)
    return {each.question: each for each in answers(grounds, incident, reach, outcomes(grounds, incident))}


def answer(found: Judged) -> str:
    return " ".join(filter(None, (found.state, found.basis, found.best)))


def test_every_question_is_answered_in_the_order_of_the_list(grounds: Grounds) -> None:
    found = all_of(grounds, Told(VICTIM).incident())

    assert tuple(found) == QUESTIONS
    assert len(QUESTIONS) == 8
    assert [answer(each) for each in found.values()] == [
        "n/a",
        "n/a",
        "n/a",
        "n/a",
        "open",
        "unproven indicated",
        "unproven nothing",
        "unproven indicated",
    ]


def _who(grounds: Grounds, by: str | None, approver: str | None) -> Judged:
    told = Told(VICTIM)
    asked = told.ask(REVOKE, key("good"), by=by, decision=ALLOWED if approver is None else TWO)
    if approver is not None:
        told.decide(asked, "11:01", approver)
    told.done(asked)
    return conduct.who(grounds, told.incident())


@pytest.mark.parametrize(
    ("by", "approver", "expected", "words"),
    [
        ("ann", None, "proved observed", "asked by ann, allow by responders, approved by nobody"),
        ("ann", "lea", "proved observed", "approved by lea"),
        ("ann", "max", "proved observed", "approved by nobody"),
        (None, "lea", "unproven claimed", "asked by account:shared"),
        (None, None, "unproven claimed", "asked by account:shared"),
    ],
)
def test_who_asked_is_proved_by_signatures_alone(
    grounds: Grounds, by: str | None, approver: str | None, expected: str, words: str
) -> None:
    found = _who(grounds, by, approver)

    assert answer(found) == expected
    assert words in found.parts[0]


def _inside(grounds: Grounds, told: Told) -> Judged:
    incident = told.incident()
    return conduct.inside(grounds, incident, outcomes(grounds, incident))


@pytest.mark.parametrize(
    ("asker", "approver", "approver_key", "when", "doer", "expected", "words"),
    [
        ("ann", "lea", None, "11:01", "ann", "proved observed", ""),
        ("ann", "lea", None, "11:01", None, "unproven claimed", ""),
        (None, "lea", None, "11:01", "lou", "unproven claimed", ""),
        ("ann", "lea", None, "11:10", "ann", "violated observed", "nobody had approved it"),
        ("ann", "ann", None, "11:01", "ann", "violated observed", "nobody had approved it"),
        ("ann", "lea", "ann", "11:01", "ann", "violated observed", "nobody had approved it"),
        ("ann", "lea", None, "11:01", "lea", "violated observed", "nobody had approved it"),
        ("ann", "max", None, "11:01", "ann", "violated observed", "nobody had approved it"),
    ],
)
def test_separate_people_are_proved_only_where_both_signed(
    grounds: Grounds,
    asker: str | None,
    approver: str,
    approver_key: str | None,
    when: str,
    doer: str | None,
    expected: str,
    words: str,
) -> None:
    told = Told(VICTIM)
    asked = told.ask(REVOKE, key("good"), by=asker, decision=TWO)
    told.decide(asked, when, approver, key=approver_key)
    told.done(asked, "11:05", doer)
    found = _inside(grounds, told)

    assert answer(found) == expected
    assert words in found.text


def test_what_the_logs_show_before_it_was_approved_was_documented_later(grounds: Grounds) -> None:
    told = Told(VICTIM)
    told.done(told.ask(REVOKE, key("before")))
    late = told.ask(REVOKE, key("good"), decision=TWO)
    told.decide(late, "11:08", "lea")
    told.done(late, "11:09")
    found = _inside(grounds, told)

    assert answer(found) == "unproven indicated"
    assert sum("before it was approved or asked for" in part for part in found.parts) == 2


def test_one_key_under_two_names_is_never_two_people(grounds: Grounds) -> None:
    """Even where the weighing of decisions let it pass."""
    told = Told(VICTIM)
    asked = told.ask(REVOKE, key("good"), decision=TWO)
    told.decide(asked, "11:01", "lea", key="ann")
    told.done(asked)
    (action,) = told.incident().actions
    let_pass = tuple(msgspec.structs.replace(each, why="") for each in action.decisions)
    incident = msgspec.structs.replace(told.incident(), actions=(msgspec.structs.replace(action, decisions=let_pass),))
    found = conduct.inside(grounds, incident, outcomes(grounds, incident))

    assert found.state == "violated"
    assert "have one key or name" in found.text


@pytest.mark.parametrize(
    ("second", "review", "expected"),
    [
        ("11:10", "12:00", "proved observed"),
        (None, "12:00", "violated observed"),
        ("11:10", None, "open"),
        ("11:40", "12:00", "violated observed"),
    ],
)
def test_break_glass_needs_a_second_person_and_a_review(
    grounds: Grounds, second: str | None, review: str | None, expected: str
) -> None:
    told = Told(VICTIM)
    limits = {"second_by": "2026-03-02T11:30:00Z", "review_by": "2026-03-03T11:00:00Z", "break_glass": True}
    asked = told.ask(REVOKE, key("good"), decision=TWO, **limits)  # type: ignore[arg-type]
    told.done(asked, "11:05")
    if second is not None:
        told.decide(asked, second, "lea")
    if review is not None:
        told.review(asked, review, "lou")

    assert answer(_inside(grounds, told)) == expected


@pytest.mark.parametrize(
    ("name", "until", "done", "expected", "words"),
    [
        ("emerg", "2026-03-02T12:00:00Z", "11:06", "proved observed", "demands"),
        ("emlate", "2026-03-02T12:00:00Z", "11:06", "violated observed", "after its time"),
        ("emerg", None, "11:06", "violated observed", "without an end"),
        ("emopen", "2026-03-02T13:30:00Z", "11:06", "open", ""),
    ],
)
def test_emergency_access_is_bound_in_time(
    grounds: Grounds, name: str, until: str | None, done: str, expected: str, words: str
) -> None:
    told = Told(VICTIM)
    told.done(told.ask(GIVE, user(name), until=until), done)
    found = _inside(grounds, told)

    assert answer(found) == expected
    assert words in found.text


@pytest.mark.parametrize(
    ("asked", "done", "sealed", "expected"),
    [
        ("11:00", "11:06", "11:06", "proved: "),
        ("11:00", "11:06", "20:30", "unproven: "),
        ("11:00", "20:30", "20:30", "unproven: "),
        ("11:55", "20:30", "20:30", "violated: "),
        ("11:55", "12:00", "12:00", "unproven: "),
    ],
)
def test_access_within_the_hours_of_its_class_is_what_the_logs_show(
    grounds: Grounds, asked: str, done: str, sealed: str, expected: str
) -> None:
    """It was given at 11:05, as the log says; of what is asked for later no log shows anything."""
    told = Told(VICTIM)
    step = told.ask(GIVE, key("emerg"), clock=asked, until="2026-03-02T22:00:00Z", lapses="23:00")
    told.done(step, done, sealed=sealed)
    found = [each for each in _inside(grounds, told).parts if "its hours" in each]

    assert [each.startswith(expected) for each in found] == [True], found


@pytest.mark.parametrize(
    ("name", "done", "verified", "changed"),
    [
        ("good", "11:05", "proved issuer-enforced", "proved issuer-enforced"),
        ("late", "11:05", "violated observed", "unproven indicated"),
        ("open", "11:05", "unproven claimed", "unproven claimed"),
        ("open", None, "open", "open"),
    ],
)
def test_whether_revocation_was_verified(
    grounds: Grounds, name: str, done: str | None, verified: str, changed: str
) -> None:
    told = Told(seed(SeedKind.KEY, key(name)))
    asked = told.ask(REVOKE, key(name))
    if done is not None:
        told.done(asked, done)
    found = all_of(grounds, told.incident())

    assert answer(found[questions.VERIFIED]) == verified
    assert answer(found[questions.CHANGED]) == changed
    last = "the last success after it was at 2026-03-02T11:20:00Z" in found[questions.VERIFIED].text
    assert last == (name == "late")


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (SeedKind.KEY, key("good"), "proved issuer-enforced"),
        (SeedKind.KEY, key("late"), "violated observed"),
        (SeedKind.KEY, key("child"), "open"),
        (SeedKind.KEY, key("nosuch"), "unproven nothing"),
    ],
)
def test_whether_anything_survives(grounds: Grounds, kind: SeedKind, value: str, expected: str) -> None:
    found = all_of(grounds, Told(seed(kind, value)).incident())[SURVIVES]

    assert answer(found) == expected


def test_a_child_that_worked_after_its_parent_was_said_to_be_revoked_survived(grounds: Grounds) -> None:
    told = Told(seed(SeedKind.KEY, key("child")))
    told.done(told.ask(REVOKE, key("child")))
    found = all_of(grounds, told.incident())[SURVIVES]

    assert answer(found) == "violated observed"
    assert key("kid", "ASIA") in found.text


def test_what_an_address_did_is_only_indicated(grounds: Grounds) -> None:
    told = Told(seed(SeedKind.ADDRESS, "203.0.113.66"))
    found = all_of(grounds, told.incident())

    assert answer(found[questions.TOUCHED]) == "unproven indicated"
    assert found[questions.TOUCHED].text.startswith("at least 2 secrets, 1 key, 1 user, 1 trust, 1 grant")
    assert "is inferred" in found[questions.TOUCHED].text


def _points(grounds: Grounds, told: Told) -> dict[str, str]:
    found = all_of(grounds, told.incident())[exposure.QUESTION]
    return {line.partition(": ")[0]: line.partition(": ")[2] for line in found.parts}


def test_times_without_a_record_are_unknown(grounds: Grounds) -> None:
    found = _points(grounds, Told(VICTIM))

    assert found["exposure"].startswith("unknown (unknown)")
    assert found["first abuse"].startswith("unknown (unknown)")
    assert found["detection"].startswith("2026-03-02T10:55:00Z (claimed)")
    assert found["containment"].startswith("unknown (unknown)")
    assert found["detection to containment"] == "unknown"


def test_from_an_address_the_first_abuse_is_indicated(grounds: Grounds) -> None:
    found = _points(grounds, Told(seed(SeedKind.ADDRESS, "203.0.113.66")))

    assert found["first abuse"].startswith("2026-03-02T10:31:00Z (indicated)")
    assert found["first abuse to detection"] == "24 m (claimed)"


def test_containment_is_when_the_last_credential_was_over(grounds: Grounds) -> None:
    told = Told(seed(SeedKind.KEY, key("good")), aware="10:57")

    assert _points(grounds, told)["containment"].startswith("2026-03-02T11:05:00Z (proved)")
    assert _points(grounds, told)["detection"].startswith("2026-03-02T10:56:00Z (proved)")


def _first_abuse(there: Grounds) -> str:
    rows = there.engine.rows("SELECT DISTINCT key FROM key_origins WHERE unexplained > 0")
    return _points(there, Told(*(seed(SeedKind.KEY, str(name)) for (name,) in rows)))["first abuse"]


def test_abuse_is_proved_where_the_holder_is_proved_to_be_elsewhere(stolen: Grounds) -> None:
    assert "(proved)" in _first_abuse(stolen)


def test_a_strange_origin_alone_only_indicates(tmp_path: Path) -> None:
    with grounds_over(tmp_path, inputs("holder_strange_origin_without_a_stranger")) as there:
        assert "(indicated)" in _first_abuse(there)


@pytest.mark.parametrize(("name", "grade"), [("NAMED", "proved"), ("SCANNED", "indicated"), ("FIRST", "indicated")])
def test_exposure_comes_from_a_record_of_it(several: Grounds, name: str, grade: str) -> None:
    told = Told(seed(SeedKind.KEY, f"aws_akid:aws:AKIA{name:0>16}"))

    assert f"({grade})" in _points(several, told)["exposure"]


def test_a_decision_that_is_not_believed_proves_nothing(grounds: Grounds) -> None:
    told = Told(VICTIM)
    told.done(told.ask(REVOKE, key("good")))
    (action,) = told.incident().actions
    doubted = msgspec.structs.replace(action, overruled="the sealed policies deny it")
    incident = msgspec.structs.replace(told.incident(), actions=(doubted,))

    assert conduct.who(grounds, incident).state == "unproven"
    assert conduct.inside(grounds, incident, ()).state == "violated"
    assert ALLOWED.verdict is Verdict.ALLOW


def test_in_a_store_without_records_nothing_is_known(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    Writer.open(settings.store, settings.keys, now="2026-03-02T08:00:00Z", version="0").close()
    told = Told(VICTIM)
    told.done(told.ask(REVOKE, key("victim")))
    found = judged(settings, told.incident(), now=at("12:00"))

    assert (found.as_of, found.scope.credentials, found.scope.unknown) == (None, (), (key("victim"),))
    assert [each.judged.state for each in found.outcomes] == ["unproven"]
    assert {each.judged.state for each in found.checklist} == {"unproven"}
    assert not {"violated"} & {each.state for each in found.answers}
    proved = [each.question for each in found.answers if each.state == "proved"]
    assert proved == [conduct.WHO]


def test_order_and_repetition_change_no_answer(grounds: Grounds, disordered: Grounds) -> None:
    told = Told(VICTIM, seed(SeedKind.ADDRESS, "203.0.113.66"), seed(SeedKind.KEY, key("conf")))
    for name in ("victim", "good", "child"):
        told.done(told.ask(REVOKE, key(name)))
    one, other = (all_of(each, told.incident()) for each in (grounds, disordered))

    assert [_plain(each) for each in one.values()] == [_plain(each) for each in other.values()]


def _plain(found: Judged) -> Judged:
    """Without where it is sealed."""
    return msgspec.structs.replace(found, leaves=())
