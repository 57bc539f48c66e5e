"""The page of an incident as a browser sees it: headless, without network, in light and dark, narrow and on paper."""

from __future__ import annotations

from pathlib import Path

import pytest

from custody.reports.incident.page import page as rendered
from tests.reports.sample_incident import sample_incident
from tests.reports.test_browser import DARK, browse, colours, pages

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("incident") / "incident.html"
    path.write_bytes(rendered(sample_incident()))
    return path


def test_the_browser_reads_every_action_and_line_and_runs_nothing(page: Path) -> None:
    dom = browse(page, "--dump-dom").stdout

    for words in ("a-contain-1", "a-revoke-2", "done without approval", 'id="timeline"', 'href="#m-undone"'):
        assert words in dom, words
    assert dom.count('<tr class="person') == sum(each.party == "person" for each in sample_incident().timeline.moments)
    assert "<script" not in dom


def test_it_is_drawn_in_light_dark_and_narrow(page: Path) -> None:
    corners = {}
    for name, flags in {"light": (), "dark": (DARK,), "narrow": ("--window-size=420,1600",)}.items():
        picture = page.parent / f"{name}.png"
        browse(page, f"--screenshot={picture}", *flags)
        different, corners[name] = colours(picture.read_bytes())
        assert different > 100, name

    assert min(corners["light"]) > 200
    assert max(corners["dark"]) < 60


def test_it_prints_on_pages_of_their_own(page: Path) -> None:
    paper = page.parent / "incident.pdf"
    browse(page, f"--print-to-pdf={paper}")

    assert 4 <= pages(paper) <= 8
