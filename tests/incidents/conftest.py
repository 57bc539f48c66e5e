"""The made account and cases of the chains, derived once for all tests that only look."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from custody.incidents.scope.grounds import Grounds
from tests.incidents import evidence_estate as estate
from tests.incidents.evidence_grounds import grounds_over, inputs


@pytest.fixture(scope="session")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    """The grounds over the made account."""
    files = [estate.trail().file()]
    with grounds_over(tmp_path_factory.mktemp("estate"), files, estate.CONTRACT, (estate.OWNED,)) as found:
        yield found


@pytest.fixture(scope="session")
def disordered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    """The same records in another order, some of them twice, at other leaves."""
    every = estate.trail()
    mixed = [*every.records[1::2], *reversed(every.records[::2])]
    files = [every.file(mixed), every.file(every.records[3:30])]
    folder = tmp_path_factory.mktemp("disordered")
    with grounds_over(folder, files, estate.CONTRACT, (estate.OWNED,), first_leaf=50) as found:
        yield found


@pytest.fixture(scope="session")
def stolen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    """A key of an instance that is used by another, and its sibling, which is not."""
    with grounds_over(tmp_path_factory.mktemp("stolen"), inputs("holder_stolen")) as found:
        yield found


@pytest.fixture(scope="session")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    """Keys that lie open, and a database role that a session outlives: two cases that know nothing of each other."""
    files = [*inputs("exposed_keys"), *inputs("session_survives_its_role")]
    with grounds_over(tmp_path_factory.mktemp("several"), files) as found:
        yield found
