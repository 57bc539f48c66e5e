"""The checklist of re-enablement: what the logs and signatures prove, and what people say."""

from __future__ import annotations

import msgspec
import pytest

from custody.incidents.judging.checklist import checklist, of_targets
from custody.incidents.judging.outcomes import enabled, outcomes
from custody.incidents.scope.grounds import Grounds
from custody.incidents.scope.reaching import scope
from custody.model.incident_view import Judged
from custody.model.incidents import ActionKind, Item, SeedKind
from custody.model.leaf import LeafRef
from custody.model.report import Certificate
from tests.incidents.evidence_estate import ACCOUNT, key
from tests.incidents.evidence_steps import Told, seed

REVOKE, ENABLE = ActionKind.REVOKE, ActionKind.ENABLE


def items(grounds: Grounds, told: Told, identity: str, *only: Item) -> dict[Item, Judged]:
    incident = told.incident()
    reach, became = scope(grounds, incident.seeds), outcomes(grounds, incident)
    listed = checklist(grounds, incident, reach, became, only or tuple(Item))
    return {each.item: each.judged for each in listed if each.identity == identity}


def answer(found: Judged) -> str:
    return " ".join(filter(None, (found.state, found.basis, found.best)))


def contained(name: str) -> Told:
    told = Told(seed(SeedKind.IDENTITY, name))
    told.done(told.ask(REVOKE, name), "11:06")
    return told


def leaf_of(grounds: Grounds, sql: str) -> LeafRef:
    return LeafRef("operations", int(str(grounds.engine.one(f"SELECT min(leaf) FROM parts WHERE {sql}")[0])))


def test_items_come_in_order_for_each_identity_that_was_contained(grounds: Grounds) -> None:
    found = items(grounds, contained("good"), "good")

    assert tuple(found) == tuple(Item)
    assert answer(found[Item.OLD_ENDED]) == "proved issuer-enforced"
    assert {answer(found[item]) for item in Item if item is not Item.OLD_ENDED} == {"unproven nothing"}


def test_what_is_only_said_is_claimed(grounds: Grounds) -> None:
    told = contained("good")
    for item in Item:
        told.claim("good", item, by=None)
    found = items(grounds, told, "good")

    assert {answer(found[item]) for item in Item if item is not Item.OLD_ENDED} == {"unproven claimed"}
    assert found[Item.MONITORING].text.startswith("account:shared says: we did")


def test_a_new_credential_is_issued_after_the_old_one_ended(grounds: Grounds) -> None:
    """That of ``rot`` was issued at 11:02, and its old key ended at 11:05: it was there before."""
    told = Told(seed(SeedKind.IDENTITY, "rot"))
    told.done(told.ask(REVOKE, key("rot"), clock="11:01"), "11:06")

    assert answer(items(grounds, told, key("rot"), Item.NEW_CREDENTIAL)[Item.NEW_CREDENTIAL]) == "unproven nothing"


def test_a_new_credential_is_proved_by_the_log_of_its_issuer(grounds: Grounds) -> None:
    told = Told(seed(SeedKind.KEY, key("before")))
    told.done(told.ask(REVOKE, key("before"), clock="10:57"), "10:58")
    found = items(grounds, told, key("before"))
    assert answer(found[Item.NEW_CREDENTIAL]) == "unproven nothing"

    told = Told(seed(SeedKind.IDENTITY, "rot"))
    told.claim("rot", Item.CAUSE_REMOVED)
    found = items(grounds, told, "rot")
    assert answer(found[Item.NEW_CREDENTIAL]) == "unproven indicated"
    assert key("rotb") in found[Item.NEW_CREDENTIAL].text


@pytest.mark.parametrize(
    ("name", "expected"),
    [("late", "violated observed"), ("open", "open"), ("child", "open"), ("before", "proved issuer-enforced")],
)
def test_old_credentials_and_their_children_have_to_be_over(grounds: Grounds, name: str, expected: str) -> None:
    told = Told()
    told.done(told.ask(REVOKE, key(name)), "11:06")

    assert answer(items(grounds, told, key(name), Item.OLD_ENDED)[Item.OLD_ENDED]) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("action = 'UpdateAccessKey' AND key LIKE '%GOOD'", "proved observed"),
        ("action = 'CreateAccessKey' AND key LIKE '%GOOD'", "unproven claimed"),
        ("action = 'UpdateAccessKey' AND key LIKE '%LATE'", "unproven claimed"),
        ("action = 'DescribeInstances' AND key LIKE '%GOOD'", "unproven claimed"),
    ],
)
def test_the_cause_is_removed_where_a_cited_record_shows_it_at_the_target(
    grounds: Grounds, sql: str, expected: str
) -> None:
    told = contained("good")
    told.claim("good", Item.CAUSE_REMOVED, leaf_of(grounds, sql))

    assert answer(items(grounds, told, "good", Item.CAUSE_REMOVED)[Item.CAUSE_REMOVED]) == expected


def test_what_the_thief_changed_removes_no_cause(grounds: Grounds) -> None:
    told = Told(seed(SeedKind.KEY, key("victim")), aware="10:00")
    told.claim("role-open", Item.CAUSE_REMOVED, leaf_of(grounds, "action = 'UpdateAssumeRolePolicy'"))
    name = f"aws_arn:{ACCOUNT}:arn:aws:iam::{ACCOUNT}:role/role-open"
    told.claim(name, Item.CAUSE_REMOVED, leaf_of(grounds, "action = 'UpdateAssumeRolePolicy'"))

    assert answer(items(grounds, told, name, Item.CAUSE_REMOVED)[Item.CAUSE_REMOVED]) == "unproven claimed"


@pytest.mark.parametrize(
    ("identity", "by", "clock", "expected"),
    [
        ("good", "olga", "12:00", "proved observed"),
        ("good", "team-bots", "12:00", "proved observed"),
        ("good", "Olga", "12:00", "unproven claimed"),
        ("good", "ann", "12:00", "unproven claimed"),
        ("good", "olga", "10:58", "unproven claimed"),
        ("open", "olga", "12:00", "unproven claimed"),
    ],
)
def test_the_owner_of_the_register_signs_after_it_was_contained(
    grounds: Grounds, identity: str, by: str, clock: str, expected: str
) -> None:
    told = contained(identity)
    told.vouch(identity, by, clock)

    assert answer(items(grounds, told, identity, Item.OWNER_SIGNS)[Item.OWNER_SIGNS]) == expected


def test_who_became_the_owner_after_the_incident_was_opened_does_not_count(grounds: Grounds) -> None:
    told = Told(aware="07:30", opened="07:31")
    told.done(told.ask(REVOKE, "good"), "11:06")
    told.vouch("good", "olga")

    assert answer(items(grounds, told, "good", Item.OWNER_SIGNS)[Item.OWNER_SIGNS]) == "unproven claimed"


def _watched(grounds: Grounds, since: str, until: str, problems: int = 0, account: str = ACCOUNT) -> Grounds:
    whole = Certificate(
        source="aws.cloudtrail",
        account=account,
        region="us-east-1",
        since=since,
        until=until,
        how="digests",
        expected=5,
        received=5 - problems,
        signatures={},
        whole=((since, until),),
        problems=("an hour is missing",) * problems,
        problems_total=problems,
    )
    return msgspec.structs.replace(grounds, report=msgspec.structs.replace(grounds.report, certificates=(whole,)))


@pytest.mark.parametrize(
    ("since", "until", "problems", "account", "expected"),
    [
        ("2026-03-02T09:00:00Z", "2026-03-02T12:00:00Z", 0, ACCOUNT, "proved closed-world"),
        ("2026-03-02T09:00:00Z", "2026-03-02T11:00:00Z", 0, ACCOUNT, "unproven nothing"),
        ("2026-03-02T11:30:00Z", "2026-03-02T12:30:00Z", 0, ACCOUNT, "unproven nothing"),
        ("2026-03-02T09:00:00Z", "2026-03-02T12:00:00Z", 1, ACCOUNT, "unproven nothing"),
        ("2026-03-02T09:00:00Z", "2026-03-02T12:00:00Z", 0, "999999999999", "unproven nothing"),
    ],
)
def test_monitoring_is_proved_by_a_source_that_is_whole_since(
    grounds: Grounds, since: str, until: str, problems: int, account: str, expected: str
) -> None:
    there = _watched(grounds, since, until, problems, account)

    assert answer(items(there, contained("good"), "good", Item.MONITORING)[Item.MONITORING]) == expected


def test_to_enable_again_is_proved_by_every_item(grounds: Grounds) -> None:
    told = contained("good")
    told.ask(ENABLE, "good", clock="12:10")
    incident = told.incident()
    became = outcomes(grounds, incident)
    listed = checklist(grounds, incident, scope(grounds, incident.seeds), became)
    mine = of_targets(listed, ["good"])
    good = [msgspec.structs.replace(each, state="proved", basis="observed", best=None) for each in mine]

    assert answer(became[1].judged) == "open"
    assert answer(enabled(became[1], mine).judged) == "unproven nothing"
    assert answer(enabled(became[1], good).judged) == "proved observed"
    assert answer(enabled(became[1], ()).judged) == "unproven nothing"
