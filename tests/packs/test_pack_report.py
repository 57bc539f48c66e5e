"""The report inside a pack, and that of the store beside it: cover, register and controls, out of the tables."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from custody.packs import parts
from custody.pipeline import report
from custody.pipeline.annex import annex
from custody.pipeline.export import controls
from custody.pipeline.tables import answers
from tests.packs.conftest import Made
from tests.packs.estate import HOSTILE, Files, files_of, packed, role_of


@pytest.fixture(scope="module")
def page(files: Files) -> str:
    """The report of the pack."""
    return files[parts.REPORT].decode()


def test_the_cover_says_for_whom_and_of_how_many(made: Made, page: str) -> None:
    _, first, _ = made

    for words in (
        "Evidence pack", "auditor@example.com", "from 2026-03-01T00:00:00Z until 2026-03-03T00:00:00Z",
        f"<strong>{first.counts['credentials']}</strong> of {first.population} credentials", "all of them",
        first.population_digest[:12], first.checkpoint.root, "What it does not show",
    ):  # fmt: skip
        assert words in page, words


def test_the_register_of_a_pack_is_of_its_identities_with_who_says_so(page: str) -> None:
    register = page[page.index('id="register"') : page.index('id="chains"')]

    assert "Every identity of this pack" in register
    assert register.count('<details class="chain identity matters"') == 3
    for number in range(3):
        assert f"aws_arn:111122223333:{role_of(number)}" in register
    assert "team:payments" in register
    assert "declared, contract app" in register
    assert "No document of the register is in force" in register


def test_a_pack_of_one_identity_has_that_one_alone(made: Made, tmp_path: Path) -> None:
    settings, _, _ = made
    packed(settings, tmp_path / "one.zip", identities=(role_of(1),), sample=1, seed="s", made_for=HOSTILE)
    page = files_of(tmp_path / "one.zip")[parts.REPORT].decode()
    register = page[page.index('id="register"') : page.index('id="chains"')]

    assert role_of(1) in register
    assert role_of(0) not in register
    assert "<script>" not in page
    assert "\x1b" not in page
    assert "a sample of 1, drawn by the seed" in page
    assert "Verdicts over 1 machine credential<" in page


def test_the_report_of_the_store_has_the_register_and_no_cover(made: Made) -> None:
    settings, _, _ = made
    page = report.render(settings, "html").decode()

    assert 'id="register"' in page
    assert "Every identity;" in page
    assert 'id="shows-not"' not in page
    assert "The rules behind this report speak to" in page
    assert sha256(page.encode()).digest() == sha256(report.render(settings, "html")).digest()


def test_the_annex_counts_what_it_shows(made: Made) -> None:
    settings, _, _ = made
    with answers(settings) as tables:
        found = annex(tables, controls(tables))

    register = found.register
    assert register is not None
    assert register.total == len(register.identities) == 3
    assert register.missing["owner"] == sum("owner" in one.missing for one in register.identities) == 0
    assert register.missing["privileges"] == sum("privileges" in one.missing for one in register.identities)
    assert {claim.value for one in register.identities for claim in one.claims if claim.field == "owner"} == {
        "team:payments"
    }
    assert found.cover is None
    assert found.anchors == ()
    assert "NHI1:2025" in found.controls
