"""Rules about what a broker issued, over one derivation: lives that went right beside forged, late and stolen ones.

Each life is a chain with a number; what is expected of it stands beside its key in ``VERDICTS`` and ``FINDINGS``.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from custody.chains import search, trace
from custody.model import brokered
from custody.model.broker_terms import Ending
from custody.model.broker_terms import Verdict as Said
from custody.model.brokered import Approved, Effect, EndAsked, Ended, Failed, Glass, Issued
from custody.model.contracts import EMPTY
from custody.model.times import microseconds
from custody.model.verdicts import Question, Severity, State
from custody.rules import break_glass_open, issued_without_intent, receipt_elsewhere
from custody.settings.contract import read_contract
from tests.chains.running import Derived, derived
from tests.rules.test_judges import HOUR, of
from tests.sources.custody_broker.life import FOLDER, LEAD, live
from tests.sources.custody_broker.writing import (
    POD,
    TOKEN,
    Database,
    Log,
    Trail,
    asked,
    chain,
    digest,
    issued,
    moment,
    request_of,
    role,
)

WHOLE, OWN, OTHER_REQUEST, LATE, DENIED, BEYOND, RESUMED, SESSIONS = 1, 2, 3, 4, 5, 6, 7, 8
RIGHT, UNKNOWN_LEFT, CLAIMED, RENEWED, NO_OUTCOME, STRANGER = 11, 12, 13, 14, 15, 16
GLASS, SAFE = "emergency-db", "emergency-opened"
PERSON = "person:idp.shop.test:dev"
BROKER_KEY, THIEF_KEY, ROOM_KEY = "AKIA0000000000BROKER", "AKIA00000000000THIEF", "AKIA000000000000ROOM"
SAFE_KEY = "AKIA000000000000SAFE"


def akid(number: int) -> str:
    return f"ASIA{number:016d}"


def approved(number: int, leaf: int, **given: object) -> Approved:
    plain = Approved(
        request=request_of(number), digest=digest(number), verdict="grant", approver=LEAD, leaf=leaf,
        given=moment("10:20:00"), reason="it is due",
    )  # fmt: skip
    return msgspec.structs.replace(plain, **given)


def of_role(log: Log, database: Database, number: int, decided: int, at: str) -> None:
    """The role is made and the outcome sealed within the second ``10:MM:SS``."""
    database.make(f"{at}.050", role(number), "11:00:00")
    log.add(f"{at}.060", issued(number, decided, f"db_role:postgresql:{role(number)}", "11:00:00"), chain(number))


def used(database: Database, number: int, at: str) -> None:
    database.log_in(at, role(number), f"69a5{number:04x}.d0")


def cloud(log: Log, number: int, at: str) -> int:
    """A request that is allowed, for a session in the cloud."""
    return log.add(at, asked(number, Said.ALLOW, "11:00:00", backend="cloud"), chain(number))


def session(number: int, decided: int) -> Issued:
    plain = issued(number, decided, f"aws_akid:aws:{akid(number)}", "11:00:00", backend="cloud", type="aws-sts")
    return msgspec.structs.replace(plain, ends=Ending.EXPIRY)


def approvals_gone_wrong(log: Log, database: Database) -> None:
    """Issued by a broker that took approvals which cannot count."""
    wrong = {
        OWN: approved(OWN, 52, approver=PERSON, requester=PERSON),
        OTHER_REQUEST: approved(OTHER_REQUEST, 53, digest=digest(999)),
    }
    for number, body in wrong.items():
        log.add("10:20:00", asked(number, Said.APPROVAL), chain(number))
        log.add("10:20:10", body)
        of_role(
            log, database, number, log.add("10:20:20", asked(number, Said.ALLOW, "11:00:00"), chain(number)), "10:20:21"
        )
        used(database, number, "10:20:30")
    log.add("10:20:40", approved(WHOLE + 100, 55, approver=PERSON, requester=PERSON, counts=False, why="requester"))
    of_role(log, database, LATE, log.add("10:21:00", asked(LATE, Said.ALLOW, "11:00:00"), chain(LATE)), "10:21:01")
    log.add("10:21:10", approved(LATE, 54))
    used(database, LATE, "10:21:20")


def decisions_gone_wrong(log: Log, database: Database) -> None:
    """Issued though denied, for longer than was decided, and after a line that nobody has."""
    of_role(log, database, DENIED, log.add("10:22:00", asked(DENIED, Said.DENY), chain(DENIED)), "10:22:01")
    of_role(
        log, database, BEYOND, log.add("10:22:10", asked(BEYOND, Said.ALLOW, "10:40:00"), chain(BEYOND)), "10:22:11"
    )


def ends_gone_wrong(log: Log, database: Database) -> None:
    """Seen to be gone, and used later; gone, with sessions that live."""
    for number, effect in ((RESUMED, Effect.GONE), (SESSIONS, Effect.SESSIONS)):
        of_role(
            log, database, number, log.add("10:23:00", asked(number, Said.ALLOW, "11:00:00"), chain(number)), "10:23:01"
        )
        log.add("10:24:00", EndAsked(cause="complete", by=POD), chain(number))
        key = f"db_role:postgresql:{role(number)}"
        seen = Ended(effect=effect, basis="state", keys=(key,), sessions=int(effect is Effect.SESSIONS))
        log.add("10:24:01", seen, chain(number))
    used(database, RESUMED, "10:34:00")


def receipts(log: Log, trail: Trail) -> None:
    """Sessions in the cloud: one that is right with a role that it assumed, and receipts that others put on theirs."""
    decided = cloud(log, RIGHT, "10:30:00")
    trail.assume("10:30:01", BROKER_KEY, akid(RIGHT), chain(RIGHT), chain(RIGHT), "11:00:00 AM")
    log.add("10:30:01.500", session(RIGHT, decided), chain(RIGHT))
    trail.call("10:30:05", akid(RIGHT), chain(RIGHT))
    trail.assume("10:30:10", akid(RIGHT), akid(RIGHT + 100), "next", chain(RIGHT), "11:00:00 AM")
    trail.call("10:30:15", akid(RIGHT + 100), "next")
    log.add("10:30:30", Ended(effect=Effect.WAITING, basis="none", keys=(f"aws_akid:aws:{akid(RIGHT)}",)), chain(RIGHT))
    trail.assume("10:31:00", THIEF_KEY, akid(666), "work", chain(RIGHT), "11:00:00 AM")
    trail.assume("10:31:10", THIEF_KEY, akid(667), chain(STRANGER), None, "11:00:00 AM")
    cloud(log, UNKNOWN_LEFT, "10:32:00")
    trail.assume("10:32:01", BROKER_KEY, akid(UNKNOWN_LEFT), chain(UNKNOWN_LEFT), chain(UNKNOWN_LEFT), "11:00:00 AM")
    log.add("10:32:20", Failed(backend="cloud", reason="timeout", left="unknown"), chain(UNKNOWN_LEFT))
    trail.assume("10:32:31", BROKER_KEY, akid(CLAIMED), "other-work", None, "11:00:00 AM")
    log.add("10:32:32", session(CLAIMED, cloud(log, CLAIMED, "10:32:30")), chain(CLAIMED))
    log.add("10:33:00", asked(NO_OUTCOME, Said.DENY), chain(NO_OUTCOME))
    trail.assume("10:33:01", THIEF_KEY, akid(NO_OUTCOME), "work", chain(NO_OUTCOME), "11:00:00 AM")
    renewal = session(RENEWED, cloud(log, RENEWED, "10:33:30"))
    trail.assume("10:33:31", BROKER_KEY, akid(RENEWED), chain(RENEWED), chain(RENEWED), "11:00:00 AM")
    log.add(
        "10:33:32", msgspec.structs.replace(renewal, renews=chain(RIGHT), reason="the report is long"), chain(RENEWED)
    )


def glass(log: Log, trail: Trail) -> None:
    """One that two people opened and one that nobody did; only the first was rotated, and late."""
    for name, key in ((GLASS, ROOM_KEY), (SAFE, SAFE_KEY)):
        log.add("10:00:00", Glass(step="prepared", glass=name, people=(LEAD,), keys=(f"aws_akid:aws:{key}",)))
    log.add("10:35:00", Glass(step="opened", glass=SAFE, people=(LEAD, PERSON), reason="the broker is down"))
    log.add("10:50:00", Glass(step="rotated", glass=SAFE, people=(LEAD,)))
    log.add("10:55:00", Glass(step="reviewed", glass=SAFE, people=(LEAD,)))
    trail.assume("10:35:30", SAFE_KEY, akid(801), "rescue", None, "11:00:00 AM")
    trail.assume("10:36:00", ROOM_KEY, akid(802), "rescue", None, "11:00:00 AM")


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Derived]:
    log, database, trail = Log(), Database(), Trail()
    glass_log = Log("glass-broker")
    live(log, database, WHOLE, 0)
    approvals_gone_wrong(log, database)
    decisions_gone_wrong(log, database)
    ends_gone_wrong(log, database)
    receipts(log, trail)
    glass(glass_log, trail)
    database.line("10:40:00", "custody_broker", "69a55f3c.64", "statement: SELECT 1")
    log.add("10:40:00", brokered.Service(what="stopped", version="0.1.0"))
    files = [log.file(), glass_log.file(), database.file(), trail.file()]
    contract = read_contract(FOLDER / "contract.yaml")
    with derived(tmp_path_factory.mktemp("estate"), files, contract) as case:
        yield case


VERDICTS = {
    role(WHOLE): {"APPROVED": "proved", "DECIDED": "proved", "END_EFFECTIVE": "proved", "ROOT": "proved"},
    role(OWN): {"APPROVED": "violated", "DECIDED": "proved"},
    role(OTHER_REQUEST): {"APPROVED": "violated"},
    role(LATE): {"APPROVED": "violated"},
    role(DENIED): {"DECIDED": "unproven", "ISSUANCE": "proved", "APPROVED": "unproven"},
    role(RESUMED): {"END_EFFECTIVE": "violated"},
    role(SESSIONS): {"END_RECORDED": "open"},
    akid(RIGHT): {
        "BOUND": "proved", "REQUESTER": "proved", "ISSUANCE": "proved", "LIFETIME": "proved", "DECIDED": "proved",
        "END_RECORDED": "open", "RENEWED": "n/a",
    },
    akid(RENEWED): {"RENEWED": "proved"},
    akid(CLAIMED): {"BOUND": "unproven", "REQUESTER": "unproven", "DECIDED": "unproven", "ISSUANCE": "unproven"},
}  # fmt: skip


@pytest.mark.parametrize("tail", VERDICTS)
def test_verdicts_of_a_life(estate: Derived, tail: str) -> None:
    found = {key.rpartition(":")[2]: each for key, each in estate.verdicts().items()}[tail]

    assert {name: found[Question[name].value].state.value for name in VERDICTS[tail]} == VERDICTS[tail]


FINDINGS = [
    ("approved", "high", role(OWN)),
    ("approved", "high", role(OTHER_REQUEST)),
    ("approved", "high", role(LATE)),
    ("break-glass-used", "high", GLASS),
    ("break-glass-used", "medium", SAFE),
    ("issued-without-intent", "high", role(DENIED)),
    ("issued-without-intent", "high", role(BEYOND)),
    ("receipt-elsewhere", "high", akid(666)),
    ("receipt-elsewhere", "high", akid(NO_OUTCOME)),
    ("receipt-elsewhere", "low", akid(667)),
    ("receipt-elsewhere", "medium", akid(UNKNOWN_LEFT)),
    ("revocation-without-effect", "low", role(SESSIONS)),
    ("used-after-end", "high", role(RESUMED)),
]


def test_findings_are_of_what_went_wrong_and_of_nothing_else(estate: Derived) -> None:
    found = [(each.rule, each.severity.value, each.subject.rpartition(":")[2]) for each in estate.report.findings]

    assert sorted(found) == sorted(FINDINGS)


@pytest.mark.parametrize(
    ("rule", "tail", "words"),
    [
        ("approved", role(OWN), "approved by the requester, dev"),
        ("approved", role(OTHER_REQUEST), "approved was another request than the one that was decided"),
        ("approved", role(LATE), "after the issue at 2026-03-02T10:21:01.060000Z"),
        ("issued-without-intent", role(DENIED), "denied it"),
        ("issued-without-intent", role(BEYOND), "was to end at 2026-03-02T10:40:00Z"),
        ("receipt-elsewhere", akid(666), f"as its source identity; the outcome of that chain named {akid(RIGHT)}"),
        ("receipt-elsewhere", akid(NO_OUTCOME), "the outcome of that chain named no credential"),
        ("receipt-elsewhere", akid(667), "no log of a broker that was read knows this chain"),
        ("receipt-elsewhere", akid(UNKNOWN_LEFT), "could not tell whether a credential was made"),
        ("break-glass-used", GLASS, "nobody is on record as opening it before"),
        ("break-glass-used", SAFE, "2 people opened it before"),
        ("revocation-without-effect", role(SESSIONS), "1 session(s) of it live"),
    ],
)
def test_what_a_finding_says(estate: Derived, rule: str, tail: str, words: str) -> None:
    texts = [each.text for each in estate.report.findings if each.rule == rule and each.subject.endswith(tail)]

    assert len(texts) == 1
    assert words in texts[0]


def test_one_credential_of_two_logs_cites_both_and_keeps_what_each_knows(estate: Derived) -> None:
    row = estate.credentials()[akid(RIGHT)]

    assert row["parent"] == TOKEN
    assert row["subject"] == "aws_arn:111122223333:arn:aws:iam::111122223333:role/reports"
    assert (row["workload"], row["account"], row["session_name"]) == (POD, "111122223333", chain(RIGHT))
    assert (row["issue_disputed"], row["conflicted"], row["uses"]) == (False, False, 2)
    sources = estate.rows(f"SELECT DISTINCT source FROM parts WHERE stage = 'issue' AND key LIKE '%{akid(RIGHT)}'")
    assert {each["source"] for each in sources} == {"custody.broker", "aws.cloudtrail"}


def test_what_the_target_issued_without_the_receipt_is_no_brokers(estate: Derived) -> None:
    assert estate.credentials()[akid(CLAIMED)]["issue_disputed"] is True


@pytest.mark.parametrize(
    ("query", "tails"),
    [
        (chain(WHOLE), {role(WHOLE)}),
        (request_of(RIGHT), {akid(RIGHT)}),
        (chain(RIGHT), {akid(RIGHT), akid(RIGHT + 100), akid(666)}),
        (chain(STRANGER), {akid(667)}),
        (f"{chain(WHOLE)}@3", {role(WHOLE)}),
        (f"{chain(WHOLE)}@4", set()),
        (chain(99), set()),
        (request_of(99), set()),
    ],
)
def test_a_chain_a_request_and_a_receipt_are_found(estate: Derived, query: str, tails: set[str]) -> None:
    found = search.by_table(estate.engine, query)

    assert {hit.key.rpartition(":")[2] for hit in found.hits} == tails
    assert found.searched
    assert not search.needs_parts(query)


def test_the_chain_shows_request_approval_and_decision_before_the_issue(estate: Derived) -> None:
    whole = trace.credential(estate.engine, f"db_role:postgresql:{role(WHOLE)}")
    assert whole is not None
    steps = trace.steps(estate.engine, whole)

    stages = [step.stage for step in steps]
    assert stages[:4] == ["request", "approve", "decide", "issue"]
    assert "use" in stages[4:]
    assert [step.source for step in steps[:4]] == ["custody.broker"] * 4
    assert "allowed" in steps[2].text
    assert steps[0].leaf.index < steps[1].leaf.index < steps[2].leaf.index < steps[3].leaf.index


def test_what_came_after_a_broken_glass(estate: Derived) -> None:
    rows = {str(row["subject"]).rpartition(":")[2]: row for row in estate.rows(break_glass_open.FACTS)}

    assert {name: (row["rotated"], row["reviewed"]) for name, row in rows.items()} == {
        GLASS: (None, None),
        SAFE: (microseconds(moment("10:50:00")), microseconds(moment("10:55:00"))),
    }


LINE = of(receipt_elsewhere.Row, subject="k", who="w", key="k", chain=chain(1), how="tag", leaf=9, told_leaf=3)
ISSUE = of(issued_without_intent.Row, subject="k", who="w", key="k", chain=chain(1), leaf=9, seq=7, decided=5)
OPENED = of(break_glass_open.Row, subject="g", who="w", first=10 * HOUR, leaf=4, now=11 * HOUR)


@pytest.mark.parametrize(
    ("given", "state", "severity"),
    [
        ({"whole": True, "named": "a:b:other", "named_leaf": 4}, State.VIOLATED, None),
        ({"whole": False, "named": "a:b:other", "named_leaf": 4}, State.UNPROVEN, Severity.MEDIUM),
        ({"whole": False}, State.UNPROVEN, Severity.MEDIUM),
        ({"whole": True, "unsure": True}, State.UNPROVEN, Severity.MEDIUM),
        ({"whole": True, "unsure": True, "named": "a:b:other", "named_leaf": 4}, State.VIOLATED, None),
        ({"told_leaf": None}, State.UNPROVEN, Severity.LOW),
    ],
)
def test_a_receipt_violates_only_where_the_brokers_log_is_whole(
    given: dict[str, object], state: State, severity: Severity | None
) -> None:
    found = receipt_elsewhere.judge(msgspec.structs.replace(LINE, **given), EMPTY)

    assert (found.state, found.severity) == (state, severity)


@pytest.mark.parametrize(
    ("given", "words", "state"),
    [
        ({"decided": None}, "names no decision before it", State.VIOLATED),
        ({"decided": 7}, "names no decision before it", State.VIOLATED),
        ({"line_leaf": None}, "was not read", State.UNPROVEN),
        ({"line_leaf": 5}, "decided no request of it", State.VIOLATED),
        ({"line_leaf": 5, "verdict": "decision.deny"}, "denied it", State.VIOLATED),
        ({"line_leaf": 5, "verdict": "decision.approval_required"}, "asked for approval first", State.VIOLATED),
        ({"line_leaf": 5, "verdict": "decision.allow"}, "planned no credential", State.VIOLATED),
    ],
)
def test_an_issue_rests_on_the_line_that_it_names(given: dict[str, object], words: str, state: State) -> None:
    found = issued_without_intent.judge(msgspec.structs.replace(ISSUE, **given), EMPTY)

    assert words in found.text
    assert found.state is state


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, None),
        ({"now": 34 * HOUR}, None),
        ({"now": 34 * HOUR + 1}, "not rotated within 1 d"),
        ({"now": 99 * HOUR, "rotated": 20 * HOUR, "rotated_leaf": 6}, "not reviewed within 3 d"),
        ({"now": 99 * HOUR, "rotated": 20 * HOUR, "reviewed": 30 * HOUR}, None),
        (
            {"now": 99 * HOUR, "rotated": 40 * HOUR, "rotated_leaf": 6, "reviewed": 30 * HOUR},
            "rotated only 1 d 6 h after",
        ),
    ],
)
def test_a_broken_glass_is_rotated_and_reviewed(given: dict[str, object], words: str | None) -> None:
    found = break_glass_open.judge(msgspec.structs.replace(OPENED, **given), EMPTY)

    assert (found is None) == (words is None)
    assert words is None or (found is not None and words in found.text)
