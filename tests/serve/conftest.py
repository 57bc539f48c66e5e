"""The service in this process: one for a module, with the script behind it set back before each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from litestar.testing import TestClient

from custody.serve.app import build
from custody.serve.front import Front
from custody.serve.parts import ServiceParts
from tests.serve.desk import Script
from tests.serve.running import Lines, Sealer, parts_of


class Service(NamedTuple):
    """A client, and what is behind the service."""

    client: TestClient[Front]
    front: Front
    desk: Script
    parts: ServiceParts
    lines: Lines
    sealer: Sealer


@pytest.fixture(scope="module")
def module_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service of a module."""
    with running(tmp_path_factory.mktemp("spool")) as service:
        yield service


@pytest.fixture
def service(module_service: Service) -> Service:
    """The service of the module, with nothing asked of it yet."""
    module_service.desk.forget()
    module_service.sealer.forget()
    module_service.lines.raw.clear()
    return module_service


@contextmanager
def running(spool: Path, **changes: object) -> Iterator[Service]:
    """The service with these parts, until the block ends."""
    parts = parts_of(spool, **changes)
    desk = Script()
    lines, sealer = parts.log, parts.intake
    assert isinstance(lines, Lines)
    assert sealer is None or isinstance(sealer, Sealer)
    front = build(desk, parts)
    with TestClient(front, raise_server_exceptions=False) as client:
        yield Service(client, front, desk, parts, lines, sealer or Sealer())
