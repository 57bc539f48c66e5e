"""The catalogue of controls: one meaning an id, and every rule's ids are in it and in the documentation."""

import re

import msgspec
import pytest

from custody.errors import UsageError
from custody.model.controls import CATALOGUE, CONTROLS, Framework, resolve
from custody.rules.registry import load
from custody.rules.rule import Rule
from tests.rules import pages

RULES = load()
PRACTICE = {Framework.NHI, Framework.ASI, Framework.CSF}
DUTY = {Framework.SP800_53, Framework.SOC2, Framework.ISO, Framework.PCI}


def ids(text: str) -> list[str]:
    return [control.id for control in resolve(text)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_control_of_a_rule_is_in_the_catalogue(rule: Rule[msgspec.Struct]) -> None:
    assert set(rule.controls) <= set(CONTROLS)
    assert len(set(rule.controls)) == len(rule.controls)

    frameworks = {CONTROLS[name].framework for name in rule.controls}
    assert frameworks & PRACTICE
    assert frameworks & DUTY


def test_an_id_is_of_one_catalogue_and_no_other_spelling_of_any() -> None:
    names = [control.id for control in CATALOGUE]
    spellings = {alias for control in CATALOGUE for alias in control.aliases}

    assert len(set(names)) == len(names)
    assert not spellings & set(names)
    assert {control.framework for control in CATALOGUE} == set(Framework)


def test_titles_are_short_and_plain() -> None:
    for control in CATALOGUE:
        assert 5 <= len(control.title) <= 100, control
        assert not control.title.endswith("."), control
        assert control.title == control.title.strip()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("nhi7:2025", ["NHI7:2025"]),
        ("NHI7", ["NHI7:2025"]),
        ("NHI1", ["NHI1:2025"]),
        ("NHI-03", ["NHI2:2025", "NHI7:2025"]),
        ("nhi-03", ["NHI2:2025", "NHI7:2025"]),
        ("NHI3", ["NHI3:2025"]),
        ("PR.AC-1", ["PR.AA-01", "PR.AA-05"]),
        ("pr.ac-4", ["PR.AA-05"]),
        ("PR.PT-1", ["PR.PS-04"]),
        ("ac-2(3)", ["AC-2(3)"]),
        ("ac-2.3", ["AC-2(3)"]),
        ("AC-24", ["AC-24", "AC-24(1)"]),
        ("8.6.3", ["PCI 8.6.3"]),
        ("pci  8.6.3", ["PCI 8.6.3"]),
        ("PCI 7.2.5", ["PCI 7.2.5", "PCI 7.2.5.1"]),
        ("a.5.18", ["ISO27001 A.5.18"]),
        ("cc6.2", ["CC6.2"]),
        ("govern 1.6", ["GOVERN 1.6"]),
        ("800-63C", ["SP800-63C"]),
    ],
)
def test_a_control_is_found_by_any_of_its_spellings(text: str, wanted: list[str]) -> None:
    assert ids(text) == wanted


def test_a_control_brings_its_enhancements_and_nothing_that_only_begins_alike() -> None:
    assert ids("AC-2")[:2] == ["AC-2", "AC-2(1)"]
    assert "AC-24" not in ids("AC-2")
    assert "ASI10" not in ids("ASI1")
    assert "NHI10:2025" not in ids("NHI1")


@pytest.mark.parametrize(
    ("text", "near"),
    [("NHI-04", "NHI4:2025"), ("PR.AA-1", "PR.AA-01"), ("CC6.11", "CC6.1"), ("PCI 8.6.9", "PCI 8.6")],
)
def test_an_unknown_control_is_told_with_the_nearest(text: str, near: str) -> None:
    with pytest.raises(UsageError) as raised:
        resolve(text)

    assert raised.value.found == text
    assert near in raised.value.expected


@pytest.mark.parametrize("text", ["", "\x1b[31m", "*", "x" * 10_000, "PR.", "A", "(", "."])
def test_what_is_no_control_is_refused_whatever_it_is(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        resolve(text)

    assert len(raised.value.found) <= 64


def test_the_page_of_controls_is_the_catalogue() -> None:
    page = (pages.DOCS / "controls.md").read_text(encoding="utf-8")

    assert page == pages.controls_page(pages.head_of(page)), "python -m tests.rules.pages"
    assert "--sample" in pages.head_of(page)


def test_the_page_of_rules_has_every_rule() -> None:
    page = (pages.DOCS / "rules.md").read_text(encoding="utf-8")

    assert page == pages.rules_page(), "python -m tests.rules.pages"
    assert re.findall(r"^### (.+)$", page, re.MULTILINE) == [rule.id for rule in RULES]
