"""The sources understand every record, as the source that the record is of."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from custody.model.events import Event
from custody.model.records import Acquisition, Framed
from custody.pipeline.intake import Reading, readings, wrappings_of
from custody.readers.content import open_contents
from custody.readers.framing import frame
from custody.readers.limits import Limits
from custody.readers.survey import survey
from custody.simulation import entry
from custody.sources.registry import sources
from tests.simulation.conftest import Made, files

BESIDE = {"aws.cloudtrail_digest"}
"""Digests and public keys: no records of the estate's life."""


def read(path: Path) -> Iterator[Reading]:
    """Every record of a file, as intake reads it."""
    known, limits = sources(), Limits()
    acquisitions = tuple(each for each in survey(path, limits) if isinstance(each, Acquisition))
    for _, content in open_contents(path, acquisitions, limits):
        assert not isinstance(content, Exception), content
        framed: list[Framed] = list(frame(content, wrappings_of(known), limits))
        yield from readings(framed, known)


@pytest.fixture(scope="module")
def everything(clean: Made) -> list[Reading]:
    return [reading for path in files(clean.logs) for reading in read(path)]


def test_every_record_is_understood_by_its_own_source(clean: Made, everything: list[Reading]) -> None:
    odd = [(each.source, each.meaning) for each in everything if not isinstance(each.meaning, tuple)]
    assert odd == []
    counts = Counter(each.source for each in everything if each.source not in BESIDE)
    assert counts == Counter(clean.truth.records)


def test_every_source_is_written(clean: Made) -> None:
    assert set(clean.truth.records) == {
        entry.CLOUDTRAIL, entry.FLOW, entry.LAMBDA, entry.KUBERNETES, entry.VAULT, entry.VAULT_SERVER,
        entry.VAULT_HASH, entry.POSTGRESQL, entry.GITHUB_AUDIT, entry.GITHUB_WORKFLOW, entry.APPROVALS, entry.OTEL,
        entry.SPIRE, entry.ENVOY, entry.IAM_DETAILS, entry.BROKER,
    }  # fmt: skip


def test_the_stages_of_the_truth_are_those_that_the_sources_read(clean: Made, everything: list[Reading]) -> None:
    """For every credential: the sources give issues and uses of it where the truth counts records of them."""
    told: dict[str, Counter[str]] = {}
    for reading in everything:
        for event in reading.meaning if isinstance(reading.meaning, tuple) else ():
            for stage, key in _parts(event):
                told.setdefault(key, Counter())[stage] += 1

    for each in clean.truth.credentials:
        names = (each.key, *each.aliases)
        for stage in ("issue", "use", "revoke", "expire"):
            expected = each.records.get(stage, 0) > 0
            found = any(told.get(name, Counter())[stage] for name in names)
            assert found == expected, (each.key, stage, each.records)


def _parts(event: Event) -> Iterator[tuple[str, str]]:
    return ((part.stage.value, part.key) for part in event.parts if part.key is not None)


def test_no_secret_is_anything_but_marked(clean: Made, everything: list[Reading]) -> None:
    """What looks like a secret says of itself that it must not stay; the kept copies do not have it."""
    kept = b"".join(reading.kept or b"" for reading in everything)

    assert b"must-not-stay" in clean.text()
    assert b"must-not-stay" not in kept
