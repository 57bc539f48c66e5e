"""The HTML report as a browser sees it: headless, without network, in light and dark, and on paper."""

import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import msgspec
import pytest

from custody.reports.html import render
from tests.reports.sample import sample_report
from tests.reports.sample_annex import cover, sample_annex
from tests.reports.sample_chains import sample_chains

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--window-size=1280,1600",
)  # fmt: skip
DARK = "--blink-settings=preferredColorScheme=0"

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("browser") / "report.html"
    path.write_bytes(render(sample_report(), sample_chains()))
    return path


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of an evidence pack, with its register."""
    path = tmp_path_factory.mktemp("pack") / "report.html"
    annex = msgspec.structs.replace(sample_annex(), cover=cover())
    path.write_bytes(render(sample_report(), sample_chains(), annex))
    return path


def browse(page: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Open ``page`` once, with a profile of its own."""
    browser = next((found for name in NAMES if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip("no Chromium on this machine: looked for " + ", ".join(NAMES))
    profile = f"--user-data-dir={page.parent / 'profile'}"
    return subprocess.run(
        [browser, *FLAGS, profile, *flags, page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True, encoding="utf-8",
    )  # fmt: skip


def colours(picture: bytes) -> tuple[int, bytes]:
    """How many different bytes the rows of a PNG hold, and its first pixel (red, green, blue)."""
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    at, packed = 8, b""
    while at < len(picture):
        (length,) = struct.unpack(">I", picture[at : at + 4])
        if picture[at + 4 : at + 8] == b"IDAT":
            packed += picture[at + 8 : at + 8 + length]
        at += 12 + length
    rows = zlib.decompress(packed)
    return len(set(rows)), rows[1:4]


def test_the_browser_reads_every_finding_and_chain_and_runs_nothing(page: Path) -> None:
    dom = browse(page, "--dump-dom").stdout

    for name in [finding.id for finding in sample_report().findings] + [chain.credential for chain in sample_chains()]:
        assert f'id="{name}"' in dom
    assert "<script" not in dom
    assert "2 high findings; 0 of 6 machine chains complete." in dom
    assert len(re.findall("<tr", dom)) > 100


def test_the_page_is_drawn_in_light_and_dark(page: Path) -> None:
    light, dark = page.parent / "light.png", page.parent / "dark.png"
    browse(page, f"--screenshot={light}")
    browse(page, f"--screenshot={dark}", DARK)
    light_colours, light_corner = colours(light.read_bytes())
    dark_colours, dark_corner = colours(dark.read_bytes())

    assert light_colours > 100
    assert dark_colours > 100
    assert min(light_corner) > 200
    assert max(dark_corner) < 60


def test_on_paper_findings_and_the_chains_that_matter_are_unfolded(page: Path) -> None:
    paper = page.parent / "report.pdf"
    folded = page.with_name("folded.html")
    folded.write_text(page.read_text(encoding="utf-8").replace("::details-content", "::before"), encoding="utf-8")
    folded_paper = page.parent / "folded.pdf"
    browse(page, f"--print-to-pdf={paper}")
    browse(folded, f"--print-to-pdf={folded_paper}")

    assert pages(paper) > pages(folded_paper) >= 4


def test_the_page_of_a_pack_has_its_cover_register_and_controls(pack: Path) -> None:
    dom = browse(pack, "--dump-dom").stdout

    for name in ("shows", "shows-not", "register", "identity-1", "identity-2", "exceptions", "controls"):
        assert f'id="{name}"' in dom, name
    assert "<script" not in dom
    assert dom.count("Example Audit Ltd") == 1


def test_the_page_of_a_pack_fits_a_phone(pack: Path) -> None:
    small = pack.parent / "small.png"
    browse(pack, f"--screenshot={small}", "--window-size=420,1600")

    assert colours(small.read_bytes())[0] > 100


def test_on_paper_the_register_of_a_pack_is_unfolded(pack: Path) -> None:
    folded = pack.with_name("folded.html")
    text = pack.read_text(encoding="utf-8").replace("chain identity matters", "chain identity")
    folded.write_text(text, encoding="utf-8")
    paper, folded_paper = pack.parent / "pack.pdf", pack.parent / "folded.pdf"
    browse(pack, f"--print-to-pdf={paper}")
    browse(folded, f"--print-to-pdf={folded_paper}")

    assert paper.stat().st_size > folded_paper.stat().st_size
    assert pages(paper) >= 5


def pages(path: Path) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", path.read_bytes()))
