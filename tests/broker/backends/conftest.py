"""One server of each kind for all of these tests."""

import contextlib
import logging
from collections.abc import Iterator

import pytest

from tests.broker import postgres
from tests.broker.backends import rigs
from tests.broker.backends.rigs import Rig
from tests.postgresql.server import Server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    why = postgres.missing()
    if why is not None:
        pytest.skip(why)
    with postgres.running() as running:
        yield running


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    served = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    served.start()
    host, port = served.get_host_and_port()
    yield f"http://{host}:{port}"
    served.stop()


@pytest.fixture(scope="session", params=["memory", "jwt", "postgresql", "aws_sts"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def rig(kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("keys") / "own"
    with contextlib.ExitStack() as stack:
        match kind:
            case "postgresql":
                yield stack.enter_context(rigs.postgresql(folder, request.getfixturevalue("server")))
            case "aws_sts":
                yield stack.enter_context(rigs.aws_sts(folder, request.getfixturevalue("endpoint")))
            case "jwt":
                yield stack.enter_context(rigs.jwt(folder))
            case _:
                yield stack.enter_context(rigs.memory(folder))
