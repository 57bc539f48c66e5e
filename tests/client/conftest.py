"""Real brokers on a port for a module: one of fakes behind the real service, and one that does as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from custody.broker.backends.backend import Made, Order, Secret
from custody.broker.backends.memory import MemoryBackend
from custody.broker.desk import Standing
from custody.broker.proof.prover import Presented, Proved
from custody.client import Broker, TokenFile
from custody.errors import IdentityRefused
from custody.model.broker_terms import Asked, Plan, Verdict
from custody.serve import answers
from tests.broker.trial import BERT, Trial, swap
from tests.serve.desk import SUBJECT, Script
from tests.serve.running import Lines, parts_of, served

TOKEN = "must-not-stay-token"
PASSWORD = "must-not-stay-password"
TWO_DAYS = Asked(count=1, group="release-managers", within=172_800)
SHAPES: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
    "postgresql": (
        "custody:postgresql",
        {"username": "cc_role", "password": PASSWORD},
        {"host": "db.example", "port": "5433", "database": "shop"},
    ),
    "aws_sts": (
        "custody:aws_sts",
        {"access_key_id": "ASIAEXAMPLE", "secret_access_key": PASSWORD, "session_token": f"{PASSWORD}-session"},
        {"region": "eu-central-1", "arn": "arn:aws:sts::1:assumed-role/r/s"},
    ),
    "jwt": ("urn:ietf:params:oauth:token-type:access_token", {"access_token": PASSWORD}, {"token_type": "Bearer"}),
    "memory": ("custody:memory", {"username": "cc_role", "password": PASSWORD}, {}),
}


class Known(Trial):
    """A trial that knows the workload by its one token, and hands over credentials of any shape."""

    shape = "postgresql"

    async def _prove(self, presented: Presented, now: int) -> Proved:
        if presented.token != TOKEN.encode():
            raise IdentityRefused("the signature does not verify", reason="bad-signature")
        return await super()._prove(Presented(token=b"deploy/7"), now)

    def forget(self) -> None:
        """Allow everything again; what was issued stays."""
        self.says.verdict, self.says.asked, self.shape = Verdict.ALLOW, None, "postgresql"
        self.memory.reachable = True
        swap(self.memory, self.issued)

    def issued(self, order: Order, plan: Plan) -> Made:
        kind, opening, facts = SHAPES[self.shape]
        made = MemoryBackend.issue(self.memory, order, plan)
        revealed = {name: Secret(value) for name, value in opening.items()}
        return msgspec.structs.replace(made, type=kind, secrets=revealed, facts=facts)

    def needing(self) -> None:
        """From now on a person has to approve."""
        self.says.verdict, self.says.asked = Verdict.APPROVAL, TWO_DAYS

    def granted(self, request: str) -> None:
        """A person does."""
        self.approve(request, BERT)

    def standing(self, chain: str) -> Standing:
        """How a lease stands."""
        return self.broker.running.state.leases[chain].standing


class Place(NamedTuple):
    """A broker in service: where it is, what is behind it, what it logs, and the file with the workload's token."""

    url: str
    trial: Known
    lines: Lines
    token: Path


class Told(NamedTuple):
    """A service whose broker is a script."""

    url: str
    desk: Script
    token: Path


@pytest.fixture(scope="module")
def module_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder, trial = tmp_path_factory.mktemp("place"), Known()
    asyncio.run(trial.broker.start())
    parts = parts_of(folder)
    assert isinstance(parts.log, Lines)
    (folder / "token").write_text(f"{TOKEN}\n")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(answers, "INTERVAL", 0.02)
        with served(trial.broker, parts) as port:
            yield Place(f"http://127.0.0.1:{port}", trial, parts.log, folder / "token")


@pytest.fixture
def place(module_place: Place) -> Place:
    module_place.trial.forget()
    return module_place


@pytest.fixture(scope="module")
def module_told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder, desk = tmp_path_factory.mktemp("told"), Script()
    (folder / "token").write_text(SUBJECT)
    with served(desk, parts_of(folder)) as port:
        yield Told(f"http://127.0.0.1:{port}", desk, folder / "token")


@pytest.fixture
def told(module_told: Told) -> Told:
    module_told.desk.forget()
    return module_told


@pytest.fixture
def broker(place: Place) -> Iterator[Broker]:
    """A client of the place."""
    with Broker(place.url, TokenFile(place.token)) as made:
        yield made
