"""What somebody bears is shown with who and why, wherever findings and coverage are: nothing goes away unseen."""

import json

import msgspec
import pytest

from custody.model.report import LeafRef, Report, VersionRef
from custody.model.verdicts import Borne, Severity
from custody.reports import html, json_object
from custody.reports.terminal.coverage import coverage
from custody.reports.terminal.findings import findings
from custody.reports.terminal.page import page
from custody.reports.words import day
from tests.reports.sample import finding, sample_report

HOSTILE = "<b>no\x1b[31m OIDC</b>"


def borne_report(reason: str = "no OIDC in the scheduler") -> Report:
    """The sample with an excepted finding, one whose suppression ran out, and one that is suppressed."""
    excepted = Borne(owner="team:finance", reason=reason, until="2027-04-01T00:00:00Z")
    over = Borne(owner="team:data", reason=reason, until="2023-07-01T12:00:00Z", over=True)
    held = Borne(owner="team:platform", reason=reason, until="2026-12-01T00:00:00Z")
    first, second, third = (
        finding(f"f-{number:016x}", Severity.MEDIUM, f"title {number}", f"who {number}", "text") for number in range(3)
    )
    report = sample_report()
    contract = msgspec.structs.replace(
        report.contract,
        digest="ab" * 32,
        classes=2,
        unmatched=("renewed on aws:role/x*",),
        versions=tuple(
            VersionRef(
                digest="ab" * 32, since=None, sealed="2023-07-01T00:00:00Z", leaf=LeafRef("operations", 5), holds=True
            )
            for _ in range(2)
        ),
    )
    return msgspec.structs.replace(
        report,
        findings=(
            msgspec.structs.replace(first, excepted=excepted),
            msgspec.structs.replace(second, suppressed=over),
        ),
        suppressed=(msgspec.structs.replace(third, suppressed=held),),
        coverage=msgspec.structs.replace(report.coverage, exempt=4),
        contract=contract,
    )


def test_findings_say_who_bears_them() -> None:
    shown = " ".join(findings(borne_report()).split())

    assert "and 1 that the contract suppresses custody findings --suppressed" in shown
    assert "excepted until 2027-03-31; team:finance: no OIDC in the scheduler" in shown
    assert "was borne suppressed until 2023-07-01 12:00:00 UTC, which is over; team:data: no OIDC" in shown
    assert "title 2" not in shown


def test_the_suppressed_ones_are_listed_with_the_suppressions_of_nothing() -> None:
    report = borne_report()
    shown = " ".join(findings(msgspec.structs.replace(report, findings=report.suppressed), suppressed=True).split())

    assert shown.startswith("SUPPRESSED 1 medium 1 suppression without a finding: renewed on aws:role/x*")
    assert "borne until 2026-11-30; team:platform: no OIDC in the scheduler" in shown


def test_the_main_page_counts_them() -> None:
    shown = page(borne_report())

    assert "one of 2 versions" in shown
    assert "1 suppression without a finding: renewed on aws:role/x*" in shown
    assert "and 1 that the contract suppresses" in shown
    assert "4   by an exception of their class" in shown
    assert "exempt" not in page(sample_report())


@pytest.mark.parametrize("show", [findings, page, coverage])
def test_lines_stay_within_80_columns_and_plain(show: object) -> None:
    assert callable(show)
    lines = show(borne_report(HOSTILE * 9)).splitlines()

    assert max(map(len, lines)) <= 80
    assert not any("\x1b" in line for line in lines)


def test_the_file_has_them_and_nothing_of_them_is_markup() -> None:
    text = html.render(borne_report(HOSTILE), ()).decode()

    assert "Suppressed by the contract: 1" in text
    assert "ran out on 2023-07-01 12:00:00 UTC" in text
    assert "until 2027-03-31; team:finance" in text
    assert "4 exempt by an exception of their class" in text
    assert "<b>no" not in text
    assert "Suppressed by the contract" not in html.render(sample_report(), ()).decode()


def test_the_object_cites_the_log_in_all_of_them() -> None:
    told = json.loads(json_object.render(borne_report(), ()))
    (suppressed,) = told["suppressed"]

    assert suppressed["leaves"][0] == {"log": "operations", "index": 810}
    assert suppressed["suppressed"] == {
        "owner": "team:platform", "reason": "no OIDC in the scheduler", "until": "2026-12-01T00:00:00Z", "over": False,
    }  # fmt: skip
    assert [each["excepted"] is None for each in told["findings"]] == [False, True]
    assert told["coverage"]["exempt"] == 4


@pytest.mark.parametrize(
    ("end", "shown"),
    [
        ("2027-04-01T00:00:00Z", "2027-03-31"),
        ("2027-01-01T00:00:00Z", "2026-12-31"),
        ("2027-04-01T00:00:01Z", "2027-04-01 00:00:01 UTC"),
        ("someday", "someday"),
    ],
)
def test_an_end_is_the_last_day(end: str, shown: str) -> None:
    assert day(end) == shown
