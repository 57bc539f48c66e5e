"""Every source has a page, and the list of pages says what each reading rests on."""

import re
from pathlib import Path

import pytest

from custody.sources.registry import sources
from custody.sources.source import Source

PAGES = Path(__file__).resolve().parents[2] / "docs" / "sources"
LISTED = {
    found[1]: (found[2], found[3])
    for found in re.finditer(
        r"^\| .*\(`([\w.]+)`\) \| \[([\w.]+)\]\(.*\) \| (\w+) \|$", (PAGES / "README.md").read_text(), re.MULTILINE
    )
}


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.name)
def test_every_source_has_a_page_and_is_listed_with_its_standing(source: Source) -> None:
    page, standing = LISTED[source.name]

    assert standing == source.standing
    assert source.name in (PAGES / page).read_text() or source.title in (PAGES / page).read_text()


def test_nothing_is_listed_that_is_no_source() -> None:
    assert set(LISTED) == {source.name for source in sources()}
