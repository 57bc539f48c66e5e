"""The checklist of re-enablement: what the logs and signatures prove, and what people say."""

from __future__ import annotations

import msgspec
import pytest

from custody.incidents.judging.checklist import checklist, of_targets
from custody.incidents.judging.outcomes import enabled, outcomes
from custody.incidents.scope.grounds import Grounds
from custody.incidents.scope.reaching import scope
from custody.model.contracts import ExpectedSource, Versions
from custody.model.incident_view import Judged
from custody.model.incidents import ActionKind, Item, SeedKind
from custody.model.leaf import LeafRef
from custody.model.report import Certificate
from custody.model.verdicts import Finding, Severity, State
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
        ("action = 'UpdateAccessKey' AND key LIKE '%GOOD'", "unproven indicated"),
        ("action = 'CreateAccessKey' AND key LIKE '%GOOD'", "unproven claimed"),
        ("action = 'UpdateAccessKey' AND key LIKE '%LATE'", "unproven claimed"),
        ("action = 'DescribeInstances' AND key LIKE '%GOOD'", "unproven claimed"),
    ],
)
def test_no_cause_is_removed_by_what_stops_access_and_by_what_is_no_change(
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
        ("good", "olga", "11:06", "proved observed"),
        ("good", "olga", "11:05:59", "unproven indicated"),
        ("good", "olga", "11:04:30", "unproven indicated"),
        ("late", "olga", "12:00", "unproven indicated"),
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


GOOD = Certificate(
    source="aws.cloudtrail",
    account=ACCOUNT,
    region="us-east-1",
    since="2026-03-02T09:00:00Z",
    until="2026-03-02T12:00:00Z",
    how="digests",
    expected=5,
    received=5,
    signatures={},
    whole=(("2026-03-02T09:00:00Z", "2026-03-02T12:00:00Z"),),
    problems=(),
    problems_total=0,
)


def _until(since: str, until: str) -> Certificate:
    whole = (f"2026-03-02T{since}:00Z", f"2026-03-02T{until}:00Z")
    return msgspec.structs.replace(GOOD, since=whole[0], until=whole[1], whole=(whole,))


def _watched(grounds: Grounds, *certificates: Certificate, **known: object) -> Grounds:
    """The same with these certificates, and nothing else unread of what was read but what ``known`` says."""
    plain = {"not_read": (), "skips": 0, "findings": (), "accounts": (), "regions": ("us-east-1",), **known}
    read = tuple(
        msgspec.structs.replace(each, regions=plain["regions"]) for each in grounds.report.scope.read
    )  # fmt: skip
    reached = msgspec.structs.replace(grounds.report.scope, read=read, not_read=plain["not_read"])
    report = msgspec.structs.replace(
        grounds.report, certificates=certificates, scope=reached, skips=plain["skips"], findings=plain["findings"]
    )
    sources = (ExpectedSource(source="aws.cloudtrail", accounts=plain["accounts"]),)  # type: ignore[arg-type]
    contract = msgspec.structs.replace(grounds.contract, sources=sources)
    return msgspec.structs.replace(grounds, report=report, versions=Versions.of(contract))


def _hole(subject: str) -> Finding:
    return Finding(
        id="f-1", rule="source-with-holes", severity=Severity.MEDIUM, title="t", subject=subject, credential=None,
        who="part-7.gz", text="it is cut short", why="w", action="a", question=None, state=State.VIOLATED, basis=None,
        controls=(), count=1, leaves=(),
    )  # fmt: skip


BROKEN = msgspec.structs.replace(GOOD, problems=("an hour is missing",), problems_total=1)
ELSEWHERE = msgspec.structs.replace(GOOD, account="999999999999")


@pytest.mark.parametrize(
    ("certificates", "known", "expected", "words"),
    [
        ((GOOD,), {}, "proved closed-world", "whole from before it was contained until"),
        ((GOOD,), {"not_read": ("approvals", "orchestrators")}, "proved closed-world", "whole from before"),
        ((GOOD,), {"findings": (_hole("vault.audit:1:-:missing"),)}, "proved closed-world", "whole from before"),
        ((), {}, "unproven nothing", "nothing proves aws.cloudtrail whole"),
        ((_until("09:00", "11:00"),), {}, "unproven nothing", "is not proved whole from before"),
        ((_until("11:30", "12:30"),), {}, "unproven nothing", "is not proved whole from before"),
        ((ELSEWHERE,), {}, "unproven nothing", f"nothing proves aws.cloudtrail of account {ACCOUNT} whole"),
        ((BROKEN,), {}, "unproven indicated", "an hour is missing"),
        ((GOOD, _until("11:30", "12:30")), {}, "unproven indicated", "is not proved whole from before"),
        ((GOOD,), {"not_read": ("other regions",)}, "unproven indicated", "aws.cloudtrail: other regions not read"),
        ((GOOD,), {"not_read": ("data events",)}, "unproven indicated", "data events not read"),
        ((GOOD,), {"skips": 1}, "unproven indicated", "1 record was not understood"),
        ((GOOD,), {"findings": (_hole("file:00"),)}, "unproven indicated", "part-7.gz: it is cut short"),
        ((GOOD,), {"findings": (_hole("aws.cloudtrail:1:2"),)}, "unproven indicated", "it is cut short"),
        ((GOOD,), {"accounts": ("999999999999",)}, "unproven indicated", "account 999999999999 whole"),
        ((GOOD,), {"regions": ("us-east-1", "eu-west-1")}, "unproven indicated", f"{ACCOUNT} eu-west-1 whole"),
    ],
)
def test_monitoring_is_proved_where_nothing_of_what_sees_it_is_unread_or_unknown(
    grounds: Grounds, certificates: tuple[Certificate, ...], known: dict[str, object], expected: str, words: str
) -> None:
    there = _watched(grounds, *certificates, **known)
    found = items(there, contained("good"), "good", Item.MONITORING)[Item.MONITORING]

    assert (answer(found), words in found.text) == (expected, True), found.text


def test_monitoring_is_asked_of_what_descends_from_it_too(several: Grounds) -> None:
    """The uses of a role of a database are told by its server, which proves nothing whole; the issuer is no witness."""
    (row,) = several.engine.rows("SELECT key FROM credentials WHERE key LIKE 'db_role%1772445600'")
    told = Told()
    told.done(told.ask(REVOKE, str(row[0]), clock="10:57"), "10:58")
    vault = msgspec.structs.replace(GOOD, source="vault.audit", account=None, region=None)
    there = _watched(several, vault)
    sources = tuple(ExpectedSource(source=name) for name in ("vault.audit", "postgresql"))
    contract = msgspec.structs.replace(there.contract, sources=sources)
    there = msgspec.structs.replace(there, versions=Versions.of(contract))
    found = items(there, told, str(row[0]), Item.MONITORING)[Item.MONITORING]

    assert found.state == "unproven"
    assert "nothing proves postgresql whole" in found.text


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
