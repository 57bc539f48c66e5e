"""Attacks on what is called proved: each story holds something that a proof would have to overlook."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from custody.incidents.judging import exposure
from custody.incidents.judging.answers import answers
from custody.incidents.judging.checklist import checklist
from custody.incidents.judging.outcomes import outcomes
from custody.incidents.judging.surviving import SURVIVES
from custody.incidents.scope.grounds import Grounds
from custody.incidents.scope.reaching import scope
from custody.incidents.seen import Outcome
from custody.model.incident_view import Judged
from custody.model.incidents import ActionKind, Done, Item, SeedKind
from custody.model.leaf import LeafRef
from tests.incidents.evidence_estate import ACCOUNT, CONTRACT, Trail, at, key, user
from tests.incidents.evidence_grounds import grounds_over, inputs
from tests.incidents.evidence_steps import NAME, Told, seed

REVOKE, ROTATE, NARROW, GIVE = ActionKind.REVOKE, ActionKind.ROTATE, ActionKind.NARROW, ActionKind.EMERGENCY
OWN = f"arn:aws:iam::{ACCOUNT}:policy/own"
TEAM = {"groupName": "team"}


def trail() -> Trail:
    found = Trail()
    for name in ("pol", "agn", "early", "auto", "mine", "back", "near", "grab", "dead", "mk", "mkd", "thief"):
        found.made("09:30", name)
        found.used("09:40", name)
    _causes(found)
    _endings(found)
    _narrowings(found)
    found.call("12:45", "ops", "DescribeInstances")
    return found


def _causes(found: Trail) -> None:
    for name in ("pol", "agn", "early", "auto"):
        found.policy("10:00", name, "AttachUserPolicy")
    found.policy("10:00", "mine", "AttachUserPolicy")
    for name in ("pol", "agn", "early", "auto", "mine"):
        found.switched("11:05", name, "Inactive")
    found.policy("10:30", "early", "DetachUserPolicy")
    for name in ("pol", "agn"):
        found.policy("11:08", name, "DetachUserPolicy")
    found.policy("11:08", "auto", "DetachUserPolicy", by="thief")
    found.policy("11:08", "mine", "DetachUserPolicy", by="mine")
    found.policy("11:12", "agn", "AttachUserPolicy")


def _endings(found: Trail) -> None:
    for name in ("back", "near", "grab", "dead", "mk", "mkd"):
        found.switched("11:05", name, "Inactive")
    for name, by in (("back", "ops"), ("near", "ops"), ("grab", "thief")):
        found.switched("11:10", name, "Active", by=by)
    found.made("11:02", "dead", new="deadb")
    found.switched("11:20", "deadb", "Inactive")
    found.made("11:02", "em")
    found.used("11:03", "em")
    found.assumed("11:04", "em", "emkid", "14:00")
    found.switched("11:50", "em", "Inactive")
    found.used("12:30", "emkid", kind="ASIA", session="em")
    for name, by in (("tail", "mk"), ("tails", "mkd")):
        answer = {"user": {"arn": f"arn:aws:iam::{ACCOUNT}:user/bot-{name}", "userName": f"bot-{name}"}}
        found.call("10:30", by, "CreateUser", "iam", asked={"userName": f"bot-{name}"}, answer=answer)
    found.call("11:30", "ops", "DeleteUser", "iam", asked={"userName": "bot-tails"})


def _narrowings(found: Trail) -> None:
    for name in ("slim", "text"):
        found.policy("10:00", name, "AttachUserPolicy")
    found.call("10:00", "ops", "AttachUserPolicy", "iam", asked={"userName": "bot-text", "policyArn": OWN})
    for clock, call in (("10:00", "AttachUserPolicy"), ("11:05", "DetachUserPolicy")):
        found.call(clock, "ops", call, "iam", asked={"userName": "bot-own", "policyArn": f"{OWN}-guard"})
    found.call("10:00", "ops", "AddUserToGroup", "iam", asked={"userName": "bot-team", **TEAM})
    found.policy("10:00", "team", "AttachUserPolicy")
    for name in ("slim", "text", "team"):
        found.policy("11:05", name, "DetachUserPolicy")
    wider = {"policyArn": OWN, "policyDocument": "{}", "setAsDefault": True}
    answer = {"policyVersion": {"versionId": "v2", "isDefaultVersion": True}}
    found.call("11:06", "ops", "CreatePolicyVersion", "iam", asked=wider, answer=answer)
    admin = {**TEAM, "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}
    found.call("11:06", "ops", "AttachGroupPolicy", "iam", asked=admin)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    with grounds_over(tmp_path_factory.mktemp("weak"), [trail().file()], CONTRACT) as found:
        yield found


def became(grounds: Grounds, told: Told) -> tuple[Outcome, ...]:
    incident = told.incident()
    return outcomes(grounds, incident, scope(grounds, incident.seeds))


def answer(found: Judged) -> str:
    return " ".join(filter(None, (found.state, found.basis, found.best)))


def item(grounds: Grounds, told: Told, item: Item, name: str) -> Judged:
    incident = told.incident()
    reach = scope(grounds, incident.seeds)
    listed = checklist(grounds, incident, reach, outcomes(grounds, incident, reach), [item])
    (found,) = (each.judged for each in listed if each.identity == name)
    return found


def detached(grounds: Grounds, name: str) -> LeafRef:
    sql = "SELECT min(leaf) FROM parts WHERE effect = 'policy.detach' AND key = ?"
    return LeafRef("operations", int(str(grounds.engine.one(sql, [user(name)])[0])))


@pytest.mark.parametrize(
    ("name", "aware", "expected", "words"),
    [
        ("pol", "10:55", "proved observed", "policy.detach of"),
        ("agn", "10:55", "unproven indicated", "was given since"),
        ("early", "10:20", "unproven indicated", "that they knew by then is what people say"),
        ("mine", "10:55", "unproven indicated", "may belong to the incident"),
    ],
)
def test_a_cause_is_removed_for_good_since_the_opening_by_somebody_else(
    made: Grounds, name: str, aware: str, expected: str, words: str
) -> None:
    told = Told(aware=aware)
    told.done(told.ask(REVOKE, key(name)))
    told.claim(key(name), Item.CAUSE_REMOVED, detached(made, name))
    found = item(made, told, Item.CAUSE_REMOVED, key(name))

    assert (answer(found), words in found.text) == (expected, True), found.text


def test_what_the_incident_starts_with_removes_no_cause(made: Grounds) -> None:
    told = Told(seed(SeedKind.KEY, key("thief")))
    told.done(told.ask(REVOKE, key("auto")))
    told.claim(key("auto"), Item.CAUSE_REMOVED, detached(made, "auto"))

    assert answer(item(made, told, Item.CAUSE_REMOVED, key("auto"))) == "unproven claimed"


@pytest.mark.parametrize("how", ["content", "did", "narrow"])
def test_what_an_action_of_the_incident_did_removes_no_cause(made: Grounds, how: str) -> None:
    told = Told()
    line = ("aws iam detach-user-policy --user-name bot-pol",)
    told.done(told.ask(REVOKE, key("pol"), content=line if how == "content" else ("switch it off",)))
    if how == "narrow":
        told.done(told.ask(NARROW, user("pol")), "11:08")
    if how == "did":
        told.say(
            "11:08", Done(incident=NAME, action="a-1", how="elsewhere", did=line, at="2026-03-02T11:08:00Z"), "ann"
        )
    told.claim(key("pol"), Item.CAUSE_REMOVED, detached(made, "pol"))
    found = item(made, told, Item.CAUSE_REMOVED, key("pol"))

    assert (answer(found), "removes no cause" in found.text) == ("unproven indicated", True), found.text


@pytest.mark.parametrize(
    ("name", "targets", "clock", "lapses", "expected"),
    [
        ("back", ("back",), "11:08", "13:00", "proved issuer-enforced"),
        ("back", ("pol",), "11:08", "13:00", "violated observed"),
        ("back", ("back",), "11:06", "11:07", "violated observed"),
        ("back", ("back",), "11:09:30", "13:00", "unproven indicated"),
        ("back", ("back",), "11:12", "13:00", "violated observed"),
        ("grab", ("grab",), "11:08", "13:00", "violated observed"),
    ],
)
def test_a_key_works_again_because_that_was_asked_for_it_and_then(
    made: Grounds, name: str, targets: tuple[str, ...], clock: str, lapses: str, expected: str
) -> None:
    """Made active again at 11:10; the key of ``grab`` by the thief, whose key the incident starts with."""
    told = Told(seed(SeedKind.KEY, key("thief")))
    told.done(told.ask(REVOKE, key(name), key("pol")))
    told.ask(ActionKind.ENABLE, *(key(each) for each in targets), clock=clock, lapses=lapses)

    assert answer(became(made, told)[0].judged) == expected


def test_two_times_to_enable_leave_the_time_between_them(made: Grounds) -> None:
    told = Told()
    told.done(told.ask(REVOKE, key("back")))
    told.ask(ActionKind.ENABLE, key("back"), clock="11:05", lapses="11:06")
    told.ask(ActionKind.ENABLE, key("back"), clock="11:30", lapses="13:00")

    assert answer(became(made, told)[0].judged) == "violated observed"


@pytest.mark.parametrize(("asked", "lapses", "expected"), [
    ("dead", "13:00", "proved issuer-enforced"),
    ("pol", "13:00", "unproven indicated"),
    ("dead", "11:01", "unproven indicated"),
])  # fmt: skip
def test_a_new_credential_is_excused_by_what_was_asked_for_that_target_in_its_time(
    made: Grounds, asked: str, lapses: str, expected: str
) -> None:
    told = Told()
    told.done(told.ask(REVOKE, user("dead"), user("pol")))
    told.ask(ROTATE, user(asked), lapses=lapses)

    assert answer(became(made, told)[0].judged) == expected


def test_a_new_credential_that_was_ended_too_renews_nothing(made: Grounds) -> None:
    told = Told()
    told.done(told.ask(ROTATE, key("dead")))
    (found,) = became(made, told)

    assert (answer(found.judged), "a record ends it, too" in found.judged.text) == ("unproven indicated", True)


def test_emergency_access_ends_with_what_it_was_used_to_get(made: Grounds) -> None:
    told = Told()
    told.done(told.ask(GIVE, key("em"), until="2026-03-02T12:00:00Z"))
    (found,) = became(made, told)

    assert answer(found.judged) == "violated observed"
    assert key("emkid", "ASIA") in found.judged.text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("slim", "proved observed"),
        ("text", "unproven indicated"),
        ("team", "unproven indicated"),
        ("own", "unproven indicated"),
    ],
)
def test_nothing_is_narrowed_where_its_policy_or_group_grew_or_its_text_may_refuse(
    made: Grounds, name: str, expected: str
) -> None:
    told = Told()
    told.done(told.ask(NARROW, user(name)))

    assert answer(became(made, told)[0].judged) == expected


@pytest.mark.parametrize(("name", "expected"), [("mk", "unproven indicated"), ("mkd", "proved issuer-enforced")])
def test_a_user_that_it_made_may_be_a_way_back(made: Grounds, name: str, expected: str) -> None:
    incident = Told(seed(SeedKind.KEY, key(name))).incident()
    (found,) = (each for each in answers(made, incident, scope(made, incident.seeds), ()) if each.question == SURVIVES)

    assert answer(found) == expected, found.parts


def test_a_record_that_an_incident_is_opened_from_need_not_have_been_seen_then(made: Grounds) -> None:
    told = Told(seed(SeedKind.ALERT, "an old record", LeafRef("operations", 1)))
    (point,) = (each for each in _points(made, told) if each.name == "detection")

    assert (point.at, point.grade) == (at("09:30"), "indicated")


def _points(grounds: Grounds, told: Told) -> tuple[exposure.Point, ...]:
    from custody.incidents.judging.outcomes import facts

    incident = told.incident()
    reach = scope(grounds, incident.seeds)
    return exposure.points(grounds, incident, reach, facts(grounds, [each.key for each in reach.credentials]))


@pytest.mark.parametrize(
    ("case", "tail", "expected"),
    [
        ("pod_deletion_ends_its_token", "000000000001", "unproven indicated"),
        ("used_after_its_instance_ended", "", "unproven claimed"),
    ],
)
def test_the_end_of_a_run_is_no_end_of_what_others_check(
    tmp_path_factory: pytest.TempPathFactory, case: str, tail: str, expected: str
) -> None:
    """A token for another audience; and the session of an instance's role, which outlives the instance."""
    with grounds_over(tmp_path_factory.mktemp(case), inputs(case)) as there:
        rows = there.engine.rows("SELECT key FROM credentials WHERE issued AND key LIKE ? ORDER BY key", [f"%{tail}"])
        told = Told(aware="08:00", opened="08:01")
        told.done(told.ask(REVOKE, str(rows[0][0]), clock="09:59:58"), "12:00", sealed="12:00")
        (found,) = became(there, told)

    assert answer(found.judged) == expected, found.judged
