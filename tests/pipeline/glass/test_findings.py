"""What is found of break-glass that the broker gave without approval, and of what was sealed and not rotated."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from custody.model.broker_terms import Verdict
from custody.model.brokered import Approved, Glass, Service
from custody.model.verdicts import Finding
from tests.chains.running import Derived, derived
from tests.sources.custody_broker.writing import POD, Log, asked, chain, digest, issued, moment, request_of, role

SECOND = "person:idp.shop.test:second"
APPROVED, UNANSWERED, DENIED, WITHDRAWN, BARRED, NOT_DUE = 1, 2, 3, 4, 5, 6
STALE, ROTATED, ENDED, FRESH = "bg-stale", "bg-rotated", "bg-ended", "bg-fresh"


def glass(number: int) -> str:
    return f"bg-{chain(number).removeprefix('cc-')}"


def given(log: Log, number: int, due: str) -> None:
    """The lines of a broker that gives one, in their order."""
    later = asked(number + 50, Verdict.APPROVAL)
    log.add("10:00:00", later, chain(number))
    decided = log.add("10:00:01", asked(number, Verdict.ALLOW, "10:20:00"), chain(number))
    key = f"db_role:postgresql:{role(number)}"
    log.add("10:00:02", issued(number, decided, key, "10:20:00"), chain(number))
    told = Glass(step="issued", glass=glass(number), people=(POD,), keys=(key,), not_after=moment("10:20:00"))
    log.add("10:00:03", told, chain(number))
    until = Glass(step="review-by", glass=glass(number), reason=later.request, not_after=moment(due))
    log.add("10:00:03", until, chain(number))


def said(log: Log, number: int, **more: object) -> None:
    plain = Approved(
        request=request_of(number + 50), digest=digest(number + 50), verdict="grant", approver=SECOND, leaf=number,
        given=moment("10:05:00"), reason="I was called",
    )  # fmt: skip
    log.add("10:05:00", msgspec.structs.replace(plain, **more), chain(number))


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Derived]:
    log = Log()
    for number in (APPROVED, UNANSWERED, DENIED, WITHDRAWN, BARRED, NOT_DUE):
        given(log, number, "12:00:00" if number == NOT_DUE else "10:30:00")
    said(log, APPROVED)
    said(log, DENIED, verdict="deny")
    said(log, WITHDRAWN)
    said(log, WITHDRAWN, counts=False, why="withdrawn: 4", leaf=40)
    said(log, BARRED, counts=False, why="barred: requester")
    for name, due in ((STALE, "10:30:00"), (ROTATED, "10:30:00"), (ENDED, "10:30:00"), (FRESH, "12:00:00")):
        key = f"db_role:postgresql:{name}"
        log.add("10:00:05", Glass(step="prepared", glass=name, people=(SECOND,), keys=(key,)))
        log.add("10:00:05", Glass(step="rotate-by", glass=name, not_after=moment(due)))
    log.add("10:10:00", Glass(step="rotated", glass=ROTATED))
    log.add("10:10:00", Glass(step="ended", glass=ENDED))
    log.add("10:40:00", Service(what="stopped", version="0.1.0"))
    with derived(tmp_path_factory.mktemp("estate"), [log.file()]) as case:
        yield case


def of(estate: Derived, rule: str) -> dict[str, Finding]:
    return {each.subject.rpartition(":")[2]: each for each in estate.report.findings if each.rule == rule}


def test_each_that_was_given_is_an_alarm_and_less_of_one_when_a_second_one_approved_it(estate: Derived) -> None:
    found = {name: each.severity.value for name, each in of(estate, "break-glass-used").items()}
    assert found == {glass(n): "medium" if n == APPROVED else "high" for n in range(APPROVED, NOT_DUE + 1)}
    text = of(estate, "break-glass-used")[glass(UNANSWERED)].text
    assert "given at 2026-03-02T10:00:03Z without approval; nobody else" in text


def test_what_nobody_approved_in_time_is_open(estate: Derived) -> None:
    found = of(estate, "break-glass-open")
    assert {name: each.severity.value for name, each in found.items()} == {
        glass(UNANSWERED): "medium",
        glass(DENIED): "high",
        glass(WITHDRAWN): "medium",
        glass(BARRED): "medium",
        STALE: "medium",
    }
    assert "not approved by 2026-03-02T10:30:00Z" in found[glass(UNANSWERED)].text
    assert "denied afterwards" in found[glass(DENIED)].text
    assert "sealed, and never used: not rotated by 2026-03-02T10:30:00Z" in found[STALE].text
