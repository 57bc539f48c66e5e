"""The page of an incident as a browser sees it: headless, without network, in light and dark, narrow and on paper."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
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


MEASURE = """<body><script>
const widths = [320, 400, 800, 1280, 680], found = [];
for (const [at, width] of widths.entries()) {
  const frame = document.createElement("iframe");
  frame.style.cssText = `width:${width}px;height:900px;border:0`;
  frame.onload = () => {
    const page = frame.contentDocument;
    for (const each of page.querySelectorAll("main, main *")) {
      const place = each.getBoundingClientRect();
      if (place.width && place.right > width + 1 && !each.closest("svg") && !each.closest("figure"))
        found.push(`${width}: ${each.tagName}.${each.className}`);
    }
    if (page.querySelectorAll("main table").length < 4) found.push(`${width}: not there`);
    document.body.dataset[`w${at}`] = width;
    const seen = Object.keys(document.body.dataset).length;
    if (seen === widths.length) document.body.append(`OVER ${found.length} ${found}`);
  };
  frame.src = at === widths.length - 1 ? "paper.html" : "long.html";
  document.body.append(frame);
}
</script></body>"""
"""Frames as wide as screens and, last, as paper, and what stands over their right edge."""


def test_nothing_stands_over_the_edge_of_a_screen_or_of_paper(page: Path) -> None:
    found = sample_incident()
    digest, name = "ab" * 32, "AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/02/" + "x" * 80
    gap = msgspec.structs.replace(found.missing[0], what=f"{name} was changed", source=name, settles=digest)
    touched = tuple(msgspec.structs.replace(each, name=name, event=digest) for each in found.scope.touched)
    answers = tuple(msgspec.structs.replace(each, parts=(name, digest)) for each in found.answers)
    scope = msgspec.structs.replace(found.scope, touched=touched)
    written = rendered(msgspec.structs.replace(found, missing=(gap,), scope=scope, answers=answers)).decode()
    (page.parent / "long.html").write_text(written)
    paper = written.replace("@media screen and", "@media speech and").replace("@media print", "@media all")
    (page.parent / "paper.html").write_text(paper)
    (page.parent / "measure.html").write_text(MEASURE)
    flags = ("--allow-file-access-from-files", "--virtual-time-budget=9000", "--dump-dom")

    assert ">OVER" not in written
    assert re.findall(r"OVER \d+ [^<`]*(?=</body>)", browse(page.parent / "measure.html", *flags).stdout) == ["OVER 0 "]


def test_it_prints_on_pages_of_their_own(page: Path) -> None:
    paper = page.parent / "incident.pdf"
    browse(page, f"--print-to-pdf={paper}")

    assert 4 <= pages(paper) <= 8
