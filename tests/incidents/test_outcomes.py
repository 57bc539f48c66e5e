"""What became of actions, against the story of the made account."""

from __future__ import annotations

import pytest

from custody.incidents.judging.outcomes import outcomes
from custody.incidents.scope.grounds import Grounds
from custody.incidents.seen import Outcome
from custody.model.incidents import ActionKind
from tests.incidents.evidence_estate import at, key, user
from tests.incidents.evidence_steps import Told

REVOKE, ROTATE, NARROW, GIVE = ActionKind.REVOKE, ActionKind.ROTATE, ActionKind.NARROW, ActionKind.EMERGENCY


def outcome(grounds: Grounds, kind: ActionKind, *targets: str, done: str | None = "11:05", **more: object) -> Outcome:
    told = Told()
    asked = told.ask(kind, *targets, **more)  # type: ignore[arg-type]
    if done is not None:
        told.done(asked, done)
    (found,) = outcomes(grounds, told.incident())
    return found


def answer(found: Outcome) -> str:
    judged = found.judged
    return " ".join(filter(None, (judged.state, judged.basis, judged.best)))


@pytest.mark.parametrize(
    ("name", "done", "expected", "words"),
    [
        (
            "good",
            "11:05",
            "proved issuer-enforced",
            "key made inactive at 2026-03-02T11:05:00Z, 5 m after it was asked",
        ),
        ("good", None, "proved issuer-enforced", "5 m after it was asked"),
        ("before", "11:05", "proved issuer-enforced", "10 m before it was asked"),
        ("late", "11:05", "violated observed", "1 successful call after the end"),
        ("lied", "11:05", "violated observed", "succeeded at 2026-03-02T11:30:00Z, 25 m after it is said to be done"),
        ("lied", "11:29", "unproven claimed", "no record ends it"),
        ("open", None, "open", "nobody says that it is done"),
        ("open", "11:05", "unproven claimed", "said to be done at 2026-03-02T11:05:00Z, and no record ends it"),
        ("open", "12:48", "unproven claimed", "the records end before that"),
        ("back", "11:05", "violated observed", "undone at 2026-03-02T11:10:00Z"),
        ("conf", "11:05", "unproven indicated", "records in conflict"),
        ("child", "11:05", "violated observed", f"{key('kid', 'ASIA')}: a call succeeded at 2026-03-02T11:30:00Z"),
        ("child", None, "open", f"{key('kid', 'ASIA')}: alive until 2026-03-02T14:00:00Z"),
    ],
)
def test_a_revocation_is_what_the_log_of_the_target_shows(
    grounds: Grounds, name: str, done: str | None, expected: str, words: str
) -> None:
    found = outcome(grounds, REVOKE, key(name), done=done)

    assert answer(found) == expected
    assert words in found.judged.text


@pytest.mark.parametrize(
    ("name", "observed", "after"), [("good", "11:05", None), ("late", None, "11:20"), ("lied", None, "11:30")]
)
def test_the_times_of_the_end_and_of_the_last_success_after_it(
    grounds: Grounds, name: str, observed: str | None, after: str | None
) -> None:
    found = outcome(grounds, REVOKE, key(name))

    assert found.observed_at == (None if observed is None else at(observed))
    assert found.last_success_after == (None if after is None else at(after))


@pytest.mark.parametrize(
    ("name", "expected", "words"),
    [
        ("soon", "unproven indicated", "expired at 2026-03-02T11:30:00Z, and no record ended it before"),
        ("past", "proved issuer-enforced", "expired at 2026-03-02T10:45:00Z, before it was asked"),
    ],
)
def test_that_a_session_ran_out_is_no_revocation(grounds: Grounds, name: str, expected: str, words: str) -> None:
    found = outcome(grounds, REVOKE, key(name, "ASIA"))

    assert (answer(found), words in found.judged.text) == (expected, True)


def test_a_key_that_was_to_work_again_and_does_is_no_violation(grounds: Grounds) -> None:
    told = Told()
    told.done(told.ask(REVOKE, key("back")))
    told.ask(ActionKind.ENABLE, key("back"), clock="11:09")

    assert answer(outcomes(grounds, told.incident())[0]) == "proved issuer-enforced"


def test_one_of_two_targets_is_not_enough(grounds: Grounds) -> None:
    found = outcome(grounds, REVOKE, key("good"), key("open"))

    assert answer(found) == "unproven claimed"
    assert [part.split(":")[0] for part in found.judged.parts] == ["unproven", "proved"]
    assert found.observed_at is None


def test_a_name_of_the_register_means_all_of_its_credentials(grounds: Grounds) -> None:
    assert answer(outcome(grounds, REVOKE, "good")) == "proved issuer-enforced"
    found = outcome(grounds, REVOKE, "rot")

    assert answer(found) == "unproven indicated"
    assert f"{key('rotb')} of it was issued at 2026-03-02T11:02:00Z, after it was asked" in found.judged.text


def test_a_new_credential_that_was_asked_for_is_no_way_around_a_revocation(grounds: Grounds) -> None:
    told = Told()
    told.done(told.ask(REVOKE, "rot"))
    told.done(told.ask(ROTATE, "rot"))

    assert [answer(each) for each in outcomes(grounds, told.incident())] == ["proved issuer-enforced"] * 2


@pytest.mark.parametrize("name", ["arn:aws:s3:::invoices/2026.csv", "s3.amazonaws.com", "203.0.113.66", "t"])
def test_what_only_stands_in_calls_is_no_target(grounds: Grounds, name: str) -> None:
    assert answer(outcome(grounds, REVOKE, name)) == "unproven claimed"
    assert f"no credential of {name} was read" in outcome(grounds, REVOKE, name).judged.text


def test_of_a_target_that_no_log_shows_nothing_is_proved(grounds: Grounds) -> None:
    assert answer(outcome(grounds, REVOKE, key("nosuch"))) == "unproven claimed"
    assert answer(outcome(grounds, REVOKE, key("good"), key("nosuch"))) == "unproven claimed"
    assert answer(outcome(grounds, REVOKE, key("nosuch"), done=None)) == "unproven nothing"


def test_what_was_withdrawn_before_it_was_done_is_not_asked(grounds: Grounds) -> None:
    told = Told()
    told.settle(told.ask(REVOKE, key("open")), "11:02")

    (found,) = outcomes(grounds, told.incident())
    assert found.judged.state == "n/a"


@pytest.mark.parametrize(
    ("kind", "targets", "done", "more", "expected", "words"),
    [
        (ROTATE, (key("rot"),), "11:05", {}, "proved issuer-enforced", f"{key('rotb')} was issued at 2026-03-02T11:02"),
        (ROTATE, (key("good"),), "11:05", {}, "unproven claimed", "no new credential was recorded"),
        (ROTATE, (key("persist"),), "11:05", {}, "unproven claimed", "no new credential was recorded"),
        (ROTATE, (key("open"),), None, {}, "open", "alive"),
        (ROTATE, (key("late"),), "11:05", {}, "violated observed", "after the end"),
        (NARROW, (user("narrow"),), "11:05", {}, "proved observed", "ReadOnlyAccess"),
        (NARROW, (user("again"),), "11:05", {}, "violated observed", "given again at 2026-03-02T11:10:00Z"),
        (NARROW, (user("self"),), "11:05", {}, "unproven claimed", "no change"),
        (NARROW, (user("refused"),), "11:05", {}, "unproven claimed", "no change"),
        (NARROW, (user("text"),), "11:05", {}, "unproven indicated", "is not judged"),
        (NARROW, (user("open"),), "11:05", {}, "unproven claimed", "no change"),
        (NARROW, (user("open"),), None, {}, "open", "no change"),
        (NARROW, (user("narrow"),), "11:15", {"clock": "11:10"}, "unproven claimed", "no change"),
        (GIVE, (user("emerg"),), "11:05", {"until": "12:00"}, "proved observed", "by its time"),
        (GIVE, (user("emlate"),), "11:05", {"until": "12:00"}, "violated observed", "30 m after its time"),
        (GIVE, (user("emopen"),), "11:05", {"until": "12:00"}, "unproven indicated", "no record takes it away"),
        (GIVE, (user("emopen"),), "11:05", {"until": "13:30"}, "open", "not due to end yet"),
        (GIVE, (user("good"),), "11:05", {"until": "12:00"}, "unproven claimed", "no grant or credential"),
        (
            GIVE,
            (user("rot"),),
            "11:05",
            {"until": "12:00"},
            "unproven indicated",
            "that it was for this is not recorded",
        ),
    ],
)
def test_what_is_given_renewed_and_taken_away(
    grounds: Grounds,
    kind: ActionKind,
    targets: tuple[str, ...],
    done: str | None,
    more: dict[str, str],
    expected: str,
    words: str,
) -> None:
    until = {"until": f"2026-03-02T{more['until']}:00Z"} if "until" in more else {}
    found = outcome(grounds, kind, *targets, done=done, **{**more, **until})

    assert answer(found) == expected
    assert words in found.judged.text


def test_a_session_that_outlives_its_role_is_named(several: Grounds) -> None:
    (row,) = several.engine.rows("SELECT key FROM credentials WHERE key LIKE 'db_role%1772445600'")
    (session,) = several.engine.rows("SELECT session FROM sessions WHERE key = ?", row)
    found = outcome(several, REVOKE, str(row[0]), clock="10:00", done="10:01")

    assert answer(found) == "violated observed"
    assert found.surviving == (str(session[0]),)


def test_order_and_repetition_change_nothing(grounds: Grounds, disordered: Grounds) -> None:
    for name in ("good", "late", "conf", "child", "open"):
        one, other = outcome(grounds, REVOKE, key(name)), outcome(disordered, REVOKE, key(name))

        assert (one.judged.text, answer(one), one.judged.parts) == (
            other.judged.text,
            answer(other),
            other.judged.parts,
        )
        assert (one.observed_at, one.last_success_after) == (other.observed_at, other.last_success_after)
