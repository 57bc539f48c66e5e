"""What must not be called proved: stories in which something that looks like an effect is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from custody.incidents.judging import conduct, endings, exposure
from custody.incidents.judging.answers import TOUCHED, answers
from custody.incidents.judging.checklist import checklist
from custody.incidents.judging.endings import Asking
from custody.incidents.judging.outcomes import facts, outcomes
from custody.incidents.judging.surviving import SURVIVES
from custody.incidents.record.folding import Incident
from custody.incidents.scope import reaching as scopes
from custody.incidents.scope.grounds import Grounds
from custody.incidents.scope.reaching import scope
from custody.incidents.seen import Outcome
from custody.model.incident_view import Judged
from custody.model.incidents import ActionKind, Item, SeedKind
from custody.model.leaf import LeafRef
from tests.incidents.evidence_estate import ACCOUNT, CONTRACT, OWNED, Trail, akid, at, key, user
from tests.incidents.evidence_grounds import grounds_over
from tests.incidents.evidence_steps import TWO, Told, seed

REVOKE, ROTATE, NARROW, GIVE = ActionKind.REVOKE, ActionKind.ROTATE, ActionKind.NARROW, ActionKind.EMERGENCY
ADMIN = "AdministratorAccess"
UNTIL = {"until": "2026-03-02T12:00:00Z"}


def trail() -> Trail:
    found = Trail()
    for name in ("good", "lag", "steal", "core", "again", "thief"):
        found.made("09:30", name)
        found.used("09:40", name)
    for name in ("wide", "prey", "soon"):
        found.policy("10:00", name, "AttachUserPolicy")
    _ends(found)
    _grants(found)
    found.call("12:45", "ops", "DescribeInstances")
    return found


def _ends(found: Trail) -> None:
    found.used("11:30", "lag")
    found.switched("12:00", "lag", "Inactive")
    found.used("11:20", "odd")
    found.made("09:30", "two")
    found.switched("11:05", "two", "Inactive")
    other = found.call("11:20", "two", "DescribeInstances")
    other["userIdentity"] = {**other["userIdentity"], "accessKeyId": akid("twob")}  # type: ignore[dict-item]
    found.made("11:02", "steal", new="stealb", by="steal")
    found.made("11:03", "steal", new="stealc")
    for name in ("good", "steal", "core", "again"):
        found.switched("11:05", name, "Inactive")
    found.switched("11:10", "again", "Active")
    answer = {"user": {"arn": f"arn:aws:iam::{ACCOUNT}:user/bot-tail", "userName": "bot-tail"}}
    found.call("10:30", "core", "CreateUser", "iam", asked={"userName": "bot-tail"}, answer=answer)
    found.made("10:31", "tail")
    found.made("11:02", "gift")
    found.used("11:03", "gift")
    found.switched("11:30", "gift", "Inactive")
    found.used("11:45", "gift")


def _grants(found: Trail) -> None:
    put = {"userName": "bot-good", "policyName": "more", "policyDocument": "{}"}
    found.call("11:06", "ops", "PutUserPolicy", "iam", asked=put)
    found.policy("10:00", "good", "AttachUserPolicy", "AWSDenyAll")
    found.policy("11:07", "good", "DetachUserPolicy", "AWSDenyAll")
    found.policy("10:00", "good", "AttachUserPolicy")
    found.policy("11:08", "good", "DetachUserPolicy")
    for name in ("wide", "soon"):
        found.policy("11:05", name, "DetachUserPolicy")
    found.policy("11:06", "wide", "AttachUserPolicy", ADMIN)
    found.policy("11:05", "prey", "DetachUserPolicy", by="thief")
    found.policy("11:05", "lent", "AttachUserPolicy")
    found.policy("11:50", "lent", "DetachUserPolicy")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    with grounds_over(tmp_path_factory.mktemp("false"), [trail().file()], CONTRACT) as found:
        yield found


def became(grounds: Grounds, told: Told) -> tuple[Outcome, ...]:
    incident = told.incident()
    return outcomes(grounds, incident, scope(grounds, incident.seeds))


def answer(found: Outcome) -> str:
    judged = found.judged
    return " ".join(filter(None, (judged.state, judged.basis, judged.best)))


def one(grounds: Grounds, kind: ActionKind, *targets: str, **more: object) -> Outcome:
    told = Told()
    told.done(told.ask(kind, *targets, **more))  # type: ignore[arg-type]
    return became(grounds, told)[0]


@pytest.mark.parametrize(
    ("kind", "targets", "more", "expected", "words"),
    [
        (REVOKE, (key("lag"),), {}, "unproven indicated", "25 m after it is said to be done"),
        (REVOKE, (key("good"), key("odd")), {}, "violated observed", f"{key('odd')}: a call succeeded"),
        (REVOKE, (key("odd"),), {}, "violated observed", f"{key('odd')}: a call succeeded"),
        (REVOKE, (user("odd"),), {}, "unproven indicated", "when it was issued was not read"),
        (ROTATE, (user("steal"),), {}, "unproven indicated", f"{key('stealb')} of it was made with {key('steal')}"),
        (NARROW, (user("wide"),), {}, "unproven indicated", f"and managed arn:aws:iam::aws:policy/{ADMIN}"),
        (NARROW, (user("soon"), "nosuch"), {}, "unproven claimed", "no credential of nosuch was read"),
        (NARROW, (user("soon"),), {}, "proved observed", "taken away"),
        (GIVE, (user("lent"), user("core")), UNTIL, "unproven claimed", "no grant or credential"),
        (GIVE, (user("lent"), "nosuch"), UNTIL, "unproven claimed", "nosuch"),
        (GIVE, (user("lent"),), UNTIL, "proved observed", "by its time"),
        (GIVE, (key("gift"),), UNTIL, "violated observed", "1 successful call after the end"),
    ],
)
def test_what_looks_like_an_effect(
    made: Grounds, kind: ActionKind, targets: tuple[str, ...], more: dict[str, str], expected: str, words: str
) -> None:
    found = one(made, kind, *targets, **more)

    assert (answer(found), words in found.judged.text) == (expected, True), found.judged.text


def test_a_key_that_a_thief_made_is_no_new_one_that_was_asked_for(made: Grounds) -> None:
    told = Told()
    told.done(told.ask(REVOKE, user("steal")))
    told.done(told.ask(ROTATE, user("steal")))

    assert [answer(each) for each in became(made, told)] == ["unproven indicated"] * 2


def test_what_the_stolen_key_itself_takes_away_is_no_answer(made: Grounds) -> None:
    told = Told(seed(SeedKind.KEY, key("thief")))
    told.done(told.ask(NARROW, user("prey")))

    assert answer(became(made, told)[0]) == "unproven claimed"


def test_a_request_that_was_denied_excuses_nothing(made: Grounds) -> None:
    told = Told()
    told.done(told.ask(REVOKE, key("again")))
    asked = told.ask(ActionKind.ENABLE, key("again"), clock="11:06", decision=TWO)
    told.decide(asked, "11:07", "lea", "deny")

    assert answer(became(made, told)[0]) == "violated observed"


def test_a_request_that_was_approved_too_late_excuses_nothing(made: Grounds) -> None:
    told = Told()
    told.done(told.ask(REVOKE, key("again")))
    asked = told.ask(ActionKind.ENABLE, key("again"), clock="11:06", decision=TWO)
    told.decide(asked, "11:20", "lea")

    assert answer(became(made, told)[0]) == "violated observed"


@pytest.mark.parametrize(("kind", "name"), [(GIVE, user("lent")), (NARROW, user("soon")), (ROTATE, key("steal"))])
def test_what_the_logs_show_before_the_approval_was_documented_later(
    made: Grounds, kind: ActionKind, name: str
) -> None:
    told = Told()
    asked = told.ask(kind, name, decision=TWO, **(UNTIL if kind is GIVE else {}))
    told.decide(asked, "11:08", "lea")
    told.done(asked, "11:09")

    assert any("before it was approved or asked for" in part for part in _inside(made, told.incident()).parts)


def test_break_glass_that_was_asked_for_afterwards_shows(made: Grounds) -> None:
    told = Told()
    glass = {"break_glass": True, "second_by": "2026-03-02T11:30:00Z", "review_by": "2026-03-02T12:30:00Z"}
    told.done(told.ask(REVOKE, key("good"), clock="11:10", decision=TWO, **glass), "11:11")  # type: ignore[arg-type]

    assert any("before it was approved or asked for" in part for part in _inside(made, told.incident()).parts)


def _inside(grounds: Grounds, incident: Incident) -> Judged:
    return conduct.inside(grounds, incident, outcomes(grounds, incident))


def test_hours_hold_for_the_class_of_every_target(made: Grounds) -> None:
    """Nobody knows the class of a target of which no credential was read."""
    told = Told()
    told.done(told.ask(GIVE, user("lent"), **UNTIL))  # type: ignore[arg-type]
    found = _inside(made, told.incident())

    assert any("its class is not known" in part for part in found.parts)
    assert found.state == "unproven"


def test_containment_waits_for_what_may_belong_to_it(made: Grounds) -> None:
    incident = Told(seed(SeedKind.KEY, key("core"))).incident()
    reach = scope(made, incident.seeds)
    known = facts(made, [each.key for each in reach.credentials if not each.apart])
    (contained,) = (each for each in exposure.points(made, incident, reach, known) if each.name == "containment")

    assert [(each.key, each.join) for each in reach.credentials] == [(key("core"), "exact"), (key("tail"), "inferred")]
    assert contained.grade == "indicated"
    assert "may belong to it" in contained.why


def test_what_was_touched_is_indicated_where_something_was_not_read(made: Grounds) -> None:
    incident = Told(seed(SeedKind.KEY, key("good"))).incident()
    reach = scope(made, incident.seeds)
    (found,) = (each for each in answers(made, incident, reach, ()) if each.question == TOUCHED)

    assert reach.missing
    assert (found.state, found.best) == ("unproven", "indicated")
    assert "at least 1 resource" in found.text


def test_what_is_deeper_than_is_looked_at_may_survive(made: Grounds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scopes, "DEEPEST", 1)
    incident = Told(seed(SeedKind.KEY, key("thief"))).incident()
    assert not scope(made, incident.seeds).cut_off
    monkeypatch.setattr(scopes, "DEEPEST", 0)
    reach = scope(made, Told(seed(SeedKind.KEY, key("steal"))).incident().seeds)
    found = {each.question: each for each in answers(made, incident, reach, ())}

    assert reach.cut_off
    assert found[SURVIVES].state == "unproven"


@pytest.mark.parametrize(
    ("clock", "expected"),
    [("11:06", "unproven indicated"), ("11:07", "unproven indicated"), ("11:08", "unproven indicated")],
)
def test_no_cause_is_removed_where_something_was_given_since(made: Grounds, clock: str, expected: str) -> None:
    told = Told()
    told.done(told.ask(REVOKE, key("good")), "11:05")
    sql = "SELECT min(leaf) FROM parts WHERE stage = 'change' AND key = ? AND time = ?"
    (leaf,) = made.engine.one(sql, [user("good"), at(clock)])
    told.claim(key("good"), Item.CAUSE_REMOVED, LeafRef("operations", int(str(leaf))))

    assert " ".join(filter(None, _item(made, told, Item.CAUSE_REMOVED))) == expected


def test_a_credential_of_which_nobody_read_the_issue_may_be_an_old_one(made: Grounds) -> None:
    """It was first read after the only other one had ended."""
    told = Told()
    told.done(told.ask(REVOKE, key("core"), user("odd")), "11:05")

    assert _item(made, told, Item.OLD_ENDED, user("odd"))[0] != "proved"
    told = Told()
    told.done(told.ask(REVOKE, user("two")), "11:05")
    assert _item(made, told, Item.OLD_ENDED, user("two"))[0] == "unproven"


def _item(grounds: Grounds, told: Told, item: Item, name: str = key("good")) -> tuple[str, str | None]:
    incident = told.incident()
    reach = scope(grounds, incident.seeds)
    listed = checklist(grounds, incident, reach, outcomes(grounds, incident, reach), [item])
    (found,) = (each.judged for each in listed if each.identity == name)
    return found.state, found.basis or found.best


def test_a_key_that_ran_out_by_a_record_was_not_revoked(made: Grounds) -> None:
    known = facts(made, [key("good")])
    ran = {
        each: msgspec.structs.replace(one, end_effect="credential.expire") for each, one in known.credentials.items()
    }
    found = endings.ending(
        "revoke", msgspec.structs.replace(known, credentials=ran), key("good"), Asking(asked=at("11:00"))
    )

    assert (found.state, found.best) == ("unproven", "indicated")


def test_who_joined_the_owners_afterwards_signs_for_nobody(tmp_path: Path) -> None:
    later = msgspec.structs.replace(OWNED, leaf=20_000)
    with grounds_over(tmp_path, [trail().file()], CONTRACT, (later,)) as found:
        told = Told()
        told.done(told.ask(REVOKE, "good"), "11:06")
        told.vouch("good", "olga")

        assert _item(found, told, Item.OWNER_SIGNS, "good") == ("unproven", "claimed")
    with grounds_over(tmp_path / "before", [trail().file()], CONTRACT, (OWNED,)) as found:
        assert _item(found, told, Item.OWNER_SIGNS, "good") == ("proved", "observed")


def test_what_a_scanner_says_of_a_key_is_not_the_word_of_its_issuer(made: Grounds) -> None:
    part = "SELECT * REPLACE ('secret.exposed' AS effect, 'change' AS stage, 'declared' AS asserter) FROM parts"
    made.engine.run(f"CREATE VIEW said AS {part} WHERE key = '{key('good')}' LIMIT 1")
    rows = made.engine.rows(exposure._EXPOSED.replace("FROM parts", "FROM said"), [[key("good")]])

    assert [row[3] for row in rows] == ["declared"]
