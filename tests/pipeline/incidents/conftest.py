"""A scene that the tests of a module share: each begins a minute later, and says things as the same account."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.pipeline.incidents.scene import MINUTE, Scene


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(tmp_path_factory.mktemp("scene"))


@pytest.fixture
def scene(shared: Scene) -> Iterator[Scene]:
    shared.now += MINUTE
    shared.account = "ops@host"
    yield shared
    shared.now += MINUTE
