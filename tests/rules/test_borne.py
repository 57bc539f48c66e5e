"""Who bears a finding: exceptions and suppressions, as pure functions."""

import msgspec
import pytest

from custody.model.contracts import Contract, Exempt, IdentityClass, SealedContract, Suppression, Versions
from custody.model.times import microseconds
from custody.model.verdicts import Finding, Severity, State
from custody.rules.borne import LONGEST, excepted, exceptions, suppress

ROLE = "aws_arn:111122223333:arn:aws:iam::111122223333:role/batch"
NOW = microseconds("2026-03-02T12:00:00Z") or 0
DAY = 86_400_000_000


def finding(id: str = "f-0123456789abcdef", rule: str = "lifetime", subject: str = ROLE) -> Finding:  # noqa: A002
    return Finding(
        id=id, rule=rule, severity=Severity.MEDIUM, title="t", subject=subject, credential=None, who="w", text="found",
        why="why", action="do", question=None, state=State.VIOLATED, basis=None, controls=(), count=1, leaves=(7,),
    )  # fmt: skip


def suppression(
    until: int = NOW + DAY, *, finding: str | None = None, rule: str | None = None, subject: str | None = None
) -> Suppression:
    return Suppression(finding=finding, rule=rule, subject=subject, until=until, owner="team:data", reason="known")


def sealed(*suppressions: Suppression, at: int = NOW - DAY, since: int | None = None) -> Versions:
    contract = Contract(digest="d", suppressions=suppressions, since=since)
    return Versions(sealed=(SealedContract(contract=contract, leaf=1, at=at),))


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        ({"finding": "f-0123456789abcdef"}, True),
        ({"finding": "f-0123456789abcdee"}, False),
        ({"rule": "lifetime", "subject": ROLE}, True),
        ({"rule": "lifetime", "subject": "aws:role/b*"}, True),
        ({"rule": "lifetime", "subject": "*"}, True),
        ({"rule": "lifetime", "subject": "aws:role/c*"}, False),
        ({"rule": "renewed", "subject": "*"}, False),
        ({"rule": "lifetim?", "subject": "*"}, False),
    ],
)
def test_which_findings_a_suppression_means(target: dict[str, str], meant: bool) -> None:
    found = suppress([finding()], sealed(msgspec.structs.replace(suppression(), **target)), NOW)

    assert (len(found.findings), len(found.suppressed)) == ((0, 1) if meant else (1, 0))
    assert bool(found.unmatched) is not meant


def test_a_contract_does_not_excuse_itself() -> None:
    hidden = suppression(rule="contract-weakened", subject="*")
    about = [finding(rule="contract-weakened", subject=f"contract:{digest}") for digest in ("d", "e", "d:2")]
    found = suppress(about, sealed(hidden), NOW)

    assert [each.subject for each in found.findings] == ["contract:d", "contract:d:2"]
    assert [each.subject for each in found.suppressed] == ["contract:e"]


def test_a_suppressed_finding_says_who_bears_it() -> None:
    (found,) = suppress([finding()], sealed(suppression(finding=finding().id)), NOW).suppressed

    assert found.suppressed is not None
    assert (found.suppressed.owner, found.suppressed.reason) == ("team:data", "known")
    assert (found.suppressed.until, found.suppressed.over) == ("2026-03-03T12:00:00Z", False)
    assert msgspec.structs.replace(found, suppressed=None) == finding()


@pytest.mark.parametrize(("until", "back"), [(NOW - 1, True), (NOW, True), (NOW + 1, False)])
def test_after_its_end_the_finding_is_back_and_says_so(until: int, back: bool) -> None:
    found = suppress([finding()], sealed(suppression(until, finding=finding().id)), NOW)

    assert bool(found.findings) is back
    (one,) = found.findings or found.suppressed
    assert one.suppressed is not None
    assert one.suppressed.over is back
    assert found.unmatched == ()


@pytest.mark.parametrize(("at", "back"), [(NOW - LONGEST, True), (NOW - LONGEST + 1, False), (0, False)])
def test_no_suppression_outlasts_the_sealing_by_more_than_400_days(at: int, back: bool) -> None:
    found = suppress([finding()], sealed(suppression(NOW + 9999 * DAY, finding=finding().id), at=at), NOW)

    assert bool(found.findings) is back


def test_the_longest_of_several_counts() -> None:
    over, longer = suppression(NOW - DAY, rule="lifetime", subject="*"), suppression(rule="lifetime", subject=ROLE)
    found = suppress([finding()], sealed(over, longer), NOW)

    assert [each.suppressed is not None and each.suppressed.over for each in found.suppressed] == [False]
    assert found.unmatched == ()


def test_the_version_at_the_time_of_judgement_suppresses() -> None:
    versions = sealed(suppression(finding=finding().id), since=NOW + 1)

    assert suppress([finding()], versions, NOW).findings == [finding()]
    assert suppress([finding()], versions, NOW + 1).findings == []
    assert suppress([finding()], Versions(), NOW).findings == [finding()]


def test_what_matches_nothing_is_named() -> None:
    versions = sealed(suppression(rule="renewed", subject="x*"), suppression(finding="f-00000000"))

    assert suppress([finding()], versions, NOW).unmatched == ("renewed on x*", "f-00000000")


def test_an_exception_is_in_force_until_its_end() -> None:
    exempt = Exempt(until=NOW, owner="o", reason="r", compensating=("c",))
    contract = Contract(
        classes=(IdentityClass(name="a", match=(), exception=exempt), IdentityClass(name="b", match=()))
    )

    assert exceptions(contract, NOW - 1) == {"a": exempt}
    assert exceptions(contract, NOW) == {}


@pytest.mark.parametrize(
    ("severity", "lower"),
    [("critical", "high"), ("high", "medium"), ("medium", "low"), ("low", "low")],
)
def test_an_exception_makes_a_finding_a_step_less_severe(severity: str, lower: str) -> None:
    exempt = Exempt(until=NOW, owner="team:finance", reason="no OIDC", compensating=("alerts",))
    found = excepted(msgspec.structs.replace(finding(), severity=Severity(severity)), exempt)

    assert found.severity == lower
    assert found.state is State.VIOLATED
    assert found.excepted is not None
    assert (found.excepted.owner, found.excepted.until) == ("team:finance", "2026-03-02T12:00:00Z")
