"""Approvals that the broker's own policies ask for: judged without a contract, and never proved by less than they are.

One broker's log holds every life; a second one has lost a line. What is expected stands beside each number.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from custody.model.broker_terms import ApprovalRef, Asked, Decision, PolicyRef
from custody.model.broker_terms import Verdict as Said
from custody.model.brokered import Approved, Request
from custody.model.contracts import EMPTY
from custody.model.verdicts import Question, Severity, State
from custody.rules import approved
from tests.chains.running import Derived, derived
from tests.rules.test_judges import of
from tests.sources.custody_broker.life import LEAD, live
from tests.sources.custody_broker.writing import (
    Database,
    Log,
    asked,
    chain,
    decision,
    digest,
    issued,
    moment,
    request_of,
    role,
)

WHOLE, NONE, OTHERS, OWN, OTHER, LATE, FEW, TWO, DENIED, SPENT, NAMED, FREE, UNREAD, SAME, BACK, GLASS = range(1, 17)
PERSON, SECOND = "person:idp.shop.test:dev", "person:idp.shop.test:head"


def grant(number: int, approver: str = LEAD, at: str = "10:20:19", **given: object) -> Approved:
    plain = Approved(
        request=request_of(number), digest=digest(number), verdict="grant", approver=approver, leaf=40 + number,
        given=moment(at), reason="it is due",
    )  # fmt: skip
    return msgspec.structs.replace(plain, **given)


def wanting(number: int, count: int = 1) -> Request:
    """People have to approve, says the policy that allows it later."""
    return asked(number, Said.APPROVAL, decision=decision(Said.APPROVAL, Asked(count=count, group="leads", within=900)))


def allowed(log: Log, number: int, **given: object) -> None:
    """Decided and issued right after."""
    minute = 20 + number
    body = msgspec.structs.replace(asked(number, Said.ALLOW, "11:30:00"), **given)
    decided = log.add(f"10:{minute}:30", body, chain(number))
    key = f"db_role:postgresql:{role(number)}"
    log.add(f"10:{minute}:30.060", issued(number, decided, key, "11:30:00"), chain(number))


def by_others() -> Decision:
    """Allowed by other policies than those that asked."""
    return msgspec.structs.replace(decision(Said.ALLOW), policies=(PolicyRef("another", "4" * 64),))


def lives(log: Log, database: Database) -> None:
    live(log, database, WHOLE, 0)
    steps: dict[int, tuple[Approved, ...]] = {
        NONE: (),
        OTHERS: (),
        OWN: (grant(OWN, PERSON, requester=PERSON),),
        OTHER: (grant(OTHER, digest=digest(999)),),
        FEW: (grant(FEW),),
        TWO: (grant(TWO), grant(TWO, SECOND, leaf=90)),
        DENIED: (grant(DENIED, verdict="deny"),),
        SPENT: (grant(SPENT, until=moment("10:20:20")),),
        NAMED: (),
        SAME: (grant(SAME), grant(SAME, leaf=91)),
        BACK: (grant(BACK), grant(BACK, leaf=92, verdict="deny", counts=False, why="withdrawn by its author")),
    }
    for number, given in steps.items():
        log.add(f"10:{20 + number}:00", wanting(number, 2 if number in (FEW, TWO, SAME) else 1), chain(number))
        for body in given:
            log.add(f"10:{20 + number}:20", body)
        refs = (ApprovalRef(approver=LEAD, leaf=7, at=moment("10:20:19")),) if number == NAMED else ()
        more: dict[str, object] = {"decision": by_others()} if number == OTHERS else {}
        allowed(log, number, approvals=refs, **more)
    log.add("10:40:00", wanting(LATE), chain(LATE))
    allowed(log, LATE)
    log.add("10:50:00", grant(LATE))
    allowed(log, FREE)
    hurry = msgspec.structs.replace(asked(GLASS, Said.ALLOW).intent, break_glass=True, reason="nobody is awake")
    allowed(log, GLASS, intent=hurry)


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Derived]:
    log, database, torn = Log(), Database(), Log("torn-broker")
    lives(log, database)
    torn.add("10:00:00", wanting(UNREAD), chain(UNREAD))
    torn.add("10:00:10", grant(UNREAD))
    allowed(torn, UNREAD)
    files = [log.file(), torn.file(leaving_out=(2,)), database.file()]
    with derived(tmp_path_factory.mktemp("demands"), files) as case:
        yield case


EXPECTED = {
    WHOLE: ("proved", "1 approval(s) before issue, by lead"),
    TWO: ("proved", "2 approval(s) before issue"),
    NONE: ("violated", "asked for 1 approval(s) by leads; it was issued, and none was sealed before"),
    OTHERS: ("unproven", "allowed without, by other policies"),
    OWN: ("violated", "approved by the requester, dev"),
    OTHER: ("violated", "approved was another request"),
    LATE: ("violated", "after the issue"),
    FEW: ("violated", "1 of 2 approvals"),
    SAME: ("violated", "1 of 2 approvals"),
    DENIED: ("violated", "the approval was refused, and it was used"),
    SPENT: ("violated", "0 of 1 approvals"),
    BACK: ("violated", "0 of 1 approvals"),
    NAMED: ("unproven", "names approvals that the broker's log does not hold"),
    FREE: ("n/a", "neither a contract nor a policy of the broker asked for approval"),
    GLASS: ("unproven", "issued under break-glass, before anybody approved it"),
    UNREAD: ("unproven", "lines of the broker's log are missing in between"),
}


@pytest.mark.parametrize("number", EXPECTED)
def test_what_the_policies_asked_for_is_judged_without_a_contract(estate: Derived, number: int) -> None:
    verdict = estate.verdicts()[role(number)][Question.APPROVED.value]
    state, words = EXPECTED[number]

    assert (verdict.state.value, words in verdict.text) == (state, True), verdict.text
    assert verdict.leaves or state == "n/a"


def test_only_what_is_wrong_is_a_finding(estate: Derived) -> None:
    found = {
        each.subject.rpartition(":")[2]: each.severity for each in estate.report.findings if each.rule == "approved"
    }
    wrong = {role(number): Severity.HIGH for number, (state, _) in EXPECTED.items() if state == "violated"}

    assert found == {**wrong, role(NAMED): Severity.MEDIUM}


BASE = of(
    approved.Row, brokered=True, demand="1 leads", demand_key="approval:b:rq", demand_leaf=3, decided_leaf=4,
    issue_leaf=5, named=False, broken=False, same=True, whole=True,
)  # fmt: skip


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ({}, State.VIOLATED),
        ({"whole": False}, State.UNPROVEN),
        ({"same": False}, State.UNPROVEN),
        ({"named": True}, State.UNPROVEN),
        ({"issue_disputed": True}, State.UNPROVEN),
        ({"demand": None}, State.UNPROVEN),
        ({"demand": "many leads"}, State.UNPROVEN),
        ({"demand": None, "demand_leaf": None}, State.NOT_APPLICABLE),
        ({"demand": None, "demand_leaf": None, "named": True}, State.UNPROVEN),
        ({"demand": None, "demand_leaf": None, "decided_leaf": None}, State.UNPROVEN),
        ({"demand": None, "demand_leaf": None, "broken": True}, State.UNPROVEN),
        ({"brokered": False, "demand": None, "demand_leaf": None}, State.NOT_APPLICABLE),
    ],
)
def test_that_nobody_approved_is_known_only_where_the_log_is_whole(given: dict[str, object], state: State) -> None:
    assert approved.judge(msgspec.structs.replace(BASE, **given), EMPTY).state is state
