"""Stories in which one answer would say that all is over, and another that something lives."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from custody.incidents.judging.answers import answers
from custody.incidents.judging.checklist import checklist
from custody.incidents.judging.outcomes import outcomes, over_by_now
from custody.incidents.judging.surviving import SURVIVES
from custody.incidents.scope.grounds import Grounds
from custody.incidents.scope.reaching import scope
from custody.incidents.seen import Outcome
from custody.model.incident_view import Judged
from custody.model.incidents import ActionKind, Item, SeedKind
from custody.model.leaf import LeafRef
from tests.incidents.evidence_estate import ACCOUNT, CONTRACT, Trail, akid, at, key, user
from tests.incidents.evidence_grounds import grounds_over, inputs
from tests.incidents.evidence_steps import Told, seed

CONTAIN, ROTATE, NARROW = ActionKind.CONTAIN, ActionKind.ROTATE, ActionKind.NARROW
OWN = f"arn:aws:iam::{ACCOUNT}:policy"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
ACCESSOR = "AbCdEfGh0000000000000004"


def trail() -> Trail:
    found = Trail()
    _makers(found)
    _lives(found)
    _grants(found)
    _disputed(found)
    found.call("12:45", "ops", "DescribeInstances")
    return found


def _makers(found: Trail) -> None:
    for name in ("mum", "sad", "gran", "mama", "told"):
        found.made("09:30", name)
        found.used("09:40", name)
        found.switched("11:05", name, "Inactive")
    for name, by in (("left", "mum"), ("gone", "sad"), ("kidk", "mama")):
        found.made("10:00", name, by=by)
    found.switched("11:20", "gone", "Inactive")
    found.made("09:30", "late")
    found.made("10:00", "lateb", by="late")
    found.used("11:30", "late")
    found.switched("11:05", "late", "Inactive")
    found.assumed("09:45", "gran", "past", "10:30")
    answer = {"accessKey": {"accessKeyId": akid("hidden"), "userName": "bot-hidden", "status": "Active"}}
    asked = {"userName": "bot-hidden"}
    found.call("10:00", "past", "CreateAccessKey", "iam", kind="ASIA", session="gran", asked=asked, answer=answer)
    found.assumed("10:30", "kidk", "kids", "14:00")
    found.switched("11:06", "kidk", "Inactive")
    found.made("11:02", "told", new="toldb", by="told")
    found.switched("11:20", "toldb", "Inactive")
    found.made("11:12", "told", new="toldc")
    found.made("09:30", "renew")
    found.used("09:40", "renew")
    found.switched("11:05", "renew", "Inactive")
    found.made("11:02", "renew", new="renewb", by="renew")
    found.assumed("11:03", "renewb", "renewkid", "14:00")
    found.switched("11:06", "renewb", "Inactive")


def _disputed(found: Trail) -> None:
    """A new key, of whose end one copy of a record says that it was refused."""
    found.made("09:30", "disp")
    found.used("09:40", "disp")
    found.switched("11:05", "disp", "Inactive")
    found.made("11:02", "disp", new="dispb")
    asked = {"accessKeyId": akid("dispb"), "userName": "bot-disp", "status": "Inactive"}
    ended = found.call("11:30", "ops", "UpdateAccessKey", "iam", asked=asked)
    found.records.append({**ended, "errorCode": "AccessDenied"})


def _lives(found: Trail) -> None:
    for name in ("twina", "twinb"):
        found.made("09:30", "twin", new=name)
    for name, clock in (("twina", "10:00"), ("twinb", "11:05")):
        asked = {"accessKeyId": akid(name), "userName": "bot-twin", "status": "Inactive"}
        found.call(clock, "ops", "UpdateAccessKey", "iam", asked=asked)
    for clock in ("09:40", "11:30"):
        twin = found.call(clock, "twin", "DescribeInstances")
        twin["userIdentity"] = {**twin["userIdentity"], "accessKeyId": akid("twina")}  # type: ignore[dict-item]
    for name in ("paira", "pairb"):
        found.made("09:30", "pair", new=name)
    found.assumed("09:50", "paira", "pairkid", "14:00")
    for name, clock in (("paira", "10:00"), ("pairb", "11:05")):
        asked = {"accessKeyId": akid(name), "userName": "bot-pair", "status": "Inactive"}
        found.call(clock, "ops", "UpdateAccessKey", "iam", asked=asked)
    for name, until in (("out", "12:00"), ("edge", "12:45"), ("cut", "12:00")):
        found.made("09:30", name)
        found.used("09:40", name)
        found.assumed("10:30", name, f"{name}kid", until)
        found.switched("11:05", name, "Inactive")
    found.used("11:30", "outkid", kind="ASIA", session="out")
    older = '{"Statement":[{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":'
    older += '{"aws:TokenIssueTime":"2026-03-02T11:05:00Z"}}}]}'
    put = {"roleName": "role-cut", "policyName": "AWSRevokeOlderSessions", "policyDocument": older}
    found.call("11:05", "ops", "PutRolePolicy", "iam", asked=put)
    found.used("11:30", "cutkid", kind="ASIA", session="cut")


def _grants(found: Trail) -> None:
    for name in ("slim", "kept", "named", "caged", "dark"):
        found.policy("10:00", name, "AttachUserPolicy")
    for name, policy in (("kept", f"{OWN}/more"), ("named", f"{OWN}/no-deny")):
        found.call("10:00", "ops", "AttachUserPolicy", "iam", asked={"userName": f"bot-{name}", "policyArn": policy})
    found.policy("10:00", "caged", "AttachUserPolicy", "AWSDenyAll")
    found.call("10:00", "ops", "AddUserToGroup", "iam", asked={"userName": "bot-dark", "groupName": "quarantine"})
    for name in ("slim", "kept", "named", "caged", "dark"):
        found.policy("11:05", name, "DetachUserPolicy")
    for name in ("grp", "sole"):
        found.made("09:30", name)
        found.policy("10:00", name, "AttachUserPolicy")
        found.call("10:00", "ops", "AddUserToGroup", "iam", asked={"userName": f"bot-{name}", "groupName": name})
        found.switched("11:05", name, "Inactive")
        found.policy("11:08", name, "DetachUserPolicy")
    found.call("11:10", "ops", "AttachGroupPolicy", "iam", asked={"groupName": "grp", "policyArn": ADMIN})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    with grounds_over(tmp_path_factory.mktemp("apart"), [trail().file(), *inputs("accessor_plain")], CONTRACT) as found:
        yield found


def became(grounds: Grounds, told: Told) -> tuple[Outcome, ...]:
    incident = told.incident()
    return outcomes(grounds, incident, scope(grounds, incident.seeds))


def answer(found: Judged) -> str:
    return " ".join(filter(None, (found.state, found.basis, found.best)))


def survives(grounds: Grounds, told: Told) -> Judged:
    incident = told.incident()
    reach = scope(grounds, incident.seeds)
    every = answers(grounds, incident, reach, outcomes(grounds, incident, reach))
    return next(each for each in every if each.question == SURVIVES)


def contained(name: str, *, start: str | None = None) -> Told:
    told = Told(*([] if start is None else [seed(SeedKind.KEY, start)]))
    told.done(told.ask(CONTAIN, name), "11:06")
    return told


@pytest.mark.parametrize(
    ("name", "expected", "words"),
    [
        ("mum", "unproven indicated", f"{key('left')} was made with {key('mum')}"),
        ("sad", "proved issuer-enforced", "key made inactive"),
        ("gran", "unproven indicated", f"{key('hidden')} was made with {key('past', 'ASIA')}"),
        ("mama", "unproven indicated", f"{key('kids', 'ASIA')}"),
    ],
)
def test_what_was_made_with_it_lives(made: Grounds, name: str, expected: str, words: str) -> None:
    """Made by it, by a session of it that had run out, and a session of a key that it made."""
    (found,) = became(made, contained(key(name), start=key(name)))
    alive = [each.key for each in scope(made, [seed(SeedKind.KEY, key(name))]).credentials if each.alive]

    assert (answer(found.judged), words in found.judged.text) == (expected, True), found.judged.text
    assert (found.judged.state == "proved") == (not alive)


@pytest.mark.parametrize("kind", [CONTAIN, ROTATE])
def test_it_was_contained_when_the_last_of_what_was_made_with_it_was_over(made: Grounds, kind: ActionKind) -> None:
    """Else a signature of its owner, or a new credential, from before that would be one since."""
    name = {CONTAIN: key("sad"), ROTATE: user("told")}[kind]
    told = Told()
    told.done(told.ask(kind, name), "11:06")
    (found,) = became(made, told)

    assert (answer(found.judged), found.observed_at) == ("proved issuer-enforced", at("11:20")), found.judged


def test_what_had_ended_and_was_used_since_has_to_end_too(made: Grounds) -> None:
    """One of its two keys was made inactive at 10:00, and still worked at 11:30."""
    (found,) = became(made, contained(user("twin")))

    assert answer(found.judged) == "violated observed"
    assert key("twina") in found.judged.text


def test_a_session_of_a_key_that_had_ended_has_to_end_too(made: Grounds) -> None:
    """Its first key was made inactive at 10:00, after a session was got with it that lives until 14:00."""
    (found,) = became(made, contained(user("pair")))

    assert answer(found.judged) == "unproven claimed"
    assert key("pairkid", "ASIA") in found.judged.text


@pytest.mark.parametrize("kind", [ActionKind.REVOKE, CONTAIN])
def test_a_session_of_a_key_that_it_made_since_is_a_way_back(made: Grounds, kind: ActionKind) -> None:
    """The key that it made for itself at 11:02 was ended; the session that was got with that is alive."""
    told = Told()
    told.done(told.ask(kind, user("renew")), "11:06")
    (found,) = became(made, told)

    assert answer(found.judged) == "unproven indicated"
    assert [part for part in found.judged.parts if key("renewb") in part and "unproven" in part] == []
    assert len([part for part in found.judged.parts if key("renewkid", "ASIA") in part]) == 1


def test_a_new_credential_whose_end_is_disputed_renews_nothing(made: Grounds) -> None:
    told = Told()
    told.done(told.ask(ROTATE, key("disp")))
    (found,) = became(made, told)

    assert (answer(found.judged), key("dispb") in found.judged.text) == ("unproven indicated", True), found.judged.text


def test_an_action_that_was_late_is_not_over_while_a_key_lives_that_was_made_with_its_target(made: Grounds) -> None:
    """What the incident starts with is over; the target of the action is not in its scope."""
    told = contained(key("late"), start=key("sad"))
    found = survives(made, told)

    assert (became(made, told)[0].judged.state, found.state) == ("violated", "violated")
    assert not over_by_now(made, told.incident().actions[0])


def test_a_target_that_has_no_principal_was_not_narrowed(made: Grounds) -> None:
    """The logs know the accessor of a token, and not whose it is; that another target is narrowed is no proof of it."""
    told = Told()
    told.done(told.ask(NARROW, user("slim"), ACCESSOR))
    (found,) = became(made, told)

    assert answer(found.judged) == "unproven claimed"
    assert f"no principal of {ACCESSOR} was read" in found.judged.text


@pytest.mark.parametrize(
    ("name", "expected", "words"),
    [
        ("slim", "proved observed", "taken away"),
        ("kept", "unproven indicated", f"managed {OWN}/more of {user('kept')} stands"),
        ("named", "unproven indicated", f"managed {OWN}/no-deny of {user('named')} stands"),
        ("caged", "proved observed", "taken away"),
        ("dark", "unproven indicated", "quarantine"),
    ],
)
def test_what_stands_may_give_the_same(made: Grounds, name: str, expected: str, words: str) -> None:
    """That a policy of their own, or a group, is named as if it refused is no word of what it does."""
    told = Told()
    told.done(told.ask(NARROW, user(name)))
    (found,) = became(made, told)

    assert (answer(found.judged), words in found.judged.text) == (expected, True), found.judged.text


@pytest.mark.parametrize(("name", "expected"), [("grp", "unproven indicated"), ("sole", "proved observed")])
def test_a_cause_comes_back_through_a_group(made: Grounds, name: str, expected: str) -> None:
    told = Told()
    told.done(told.ask(ActionKind.REVOKE, key(name)))
    sql = "SELECT min(leaf) FROM parts WHERE effect = 'policy.detach' AND key = ?"
    told.claim(key(name), Item.CAUSE_REMOVED, LeafRef("operations", int(str(made.engine.one(sql, [user(name)])[0]))))
    incident = told.incident()
    reach = scope(made, incident.seeds)
    (found,) = checklist(made, incident, reach, outcomes(made, incident, reach), [Item.CAUSE_REMOVED])

    assert answer(found.judged) == expected, found.judged.text


@pytest.mark.parametrize(
    ("name", "words"),
    [("out", f"{key('outkid', 'ASIA')}: a call succeeded"), ("cut", "1 successful call after the end")],
)
def test_a_session_that_outlived_its_end_and_ran_out_survives_no_more(made: Grounds, name: str, words: str) -> None:
    """What was late stays late with the action; as of the records nothing lives."""
    told = contained(key(name), start=key(name))
    (outcome,) = became(made, told)
    found = survives(made, told)

    assert (outcome.judged.state, words in outcome.judged.text) == ("violated", True), outcome.judged.text
    assert answer(found) == "proved issuer-enforced", found
    assert found.text == "0 of 2 credentials are alive; over by now, violated before: a-1"


def test_what_ran_out_has_ended_and_the_checklist_says_that_the_action_was_violated(made: Grounds) -> None:
    told = contained(key("out"))
    incident = told.incident()
    reach = scope(made, incident.seeds)
    (found,) = checklist(made, incident, reach, outcomes(made, incident, reach), [Item.OLD_ENDED])

    assert answer(found.judged) == "proved issuer-enforced"
    assert found.judged.text == "2 of 2 credentials ended; over by now, violated before: a-1"


def test_what_runs_out_in_the_last_moment_of_the_records_is_alive_in_every_answer(made: Grounds) -> None:
    told = contained(key("edge"), start=key("edge"))
    found = survives(made, told)

    assert (found.state, found.text) == ("open", "1 of 2 credentials are alive"), found
