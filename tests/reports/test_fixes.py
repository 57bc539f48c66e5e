"""What would settle most, as a person reads it."""

from __future__ import annotations

import msgspec

from custody.model.report import FixRef, Report
from custody.reports.terminal.fixes import fixes
from tests.reports import sample

CONTRACT = FixRef(
    settles="a contract with owner and purpose",
    source="contract",
    setting="under classes: match, owner and purpose",
    questions=1_200,
    credentials=600,
)
VAULT = FixRef(
    settles="log_statement = ddl in PostgreSQL, or the audit device of the Vault that makes its roles",
    source="postgresql, vault.audit",
    setting="postgresql: log_statement = 'ddl'\nvault.audit: vault audit enable file",
    questions=7,
    credentials=7,
)
UNKNOWN = FixRef(settles="the log of its issuer", source=None, setting="", questions=2, credentials=1)
POLICY = FixRef(
    settles="an issuer that records the policy by which it decides",
    source=None,
    setting="no setting of this issuer records it",
    questions=9,
    credentials=9,
    available=False,
)


def report_with(*found: FixRef) -> Report:
    report = sample.sample_report()
    return msgspec.structs.replace(report, coverage=msgspec.structs.replace(report.coverage, fixes=found))


def test_each_fix_has_its_counts_its_source_and_its_settings() -> None:
    assert fixes(report_with(CONTRACT, VAULT, UNKNOWN, POLICY)).splitlines() == [
        "FIXES         answers about machine credentials that a change would settle",
        "questions credentials",
        "    1,200         600 a contract with owner and purpose",
        "                      source: contract",
        "                      under classes: match, owner and purpose",
        "        7           7 log_statement = ddl in PostgreSQL, or the audit device of",
        "                      the Vault that makes its roles",
        "                      source: postgresql, vault.audit",
        "                      postgresql: log_statement = 'ddl'",
        "                      vault.audit: vault audit enable file",
        "        2           1 the log of its issuer",
        "",
        "NOT YET       what no change settles today, and why",
        "        9           9 an issuer that records the policy by which it decides",
        "                      no setting of this issuer records it",
    ]


def test_without_a_fix_there_is_a_sentence() -> None:
    assert fixes(report_with()) == "FIXES         nothing that a change would settle is unproven\n"


def test_hostile_text_does_not_reach_the_terminal() -> None:
    hostile = msgspec.structs.replace(CONTRACT, settles="\x1b[31mred", setting="a\x1bb\x07")

    assert "\x1b" not in fixes(report_with(hostile))
    assert "\x07" not in fixes(report_with(hostile))
