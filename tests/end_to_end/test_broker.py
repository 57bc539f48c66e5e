"""The whole broker on real parts: an issuer with keys, PostgreSQL, people with SSH keys, kills and restarts."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.broker import postgres
from tests.broker.issuer import Issuer
from tests.end_to_end.broker_process import BrokerProcess, broker_in, decoded
from tests.postgresql.server import Server, missing

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))

PUSHING = "pushing-must-not-stay"
CONTRACT = """
classes:
  deploy:
    match: {workload: "oidc_subject:*:workload"}
    population: machine
    ttl: 15m
    approval: {by: "*", count: 1, not: [requester]}
"""
PROVED = {
    "bound at issue",
    "requester known",
    "root reached",
    "approved",
    "decided by which policy",
    "issuance recorded",
    "lifetime within the contract",
}


@pytest.fixture(scope="module")
def database() -> Iterator[Server]:
    with postgres.running() as server:
        yield server


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer() as one:
        yield one


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer, database: Server) -> Iterator[BrokerProcess]:
    folder = tmp_path_factory.mktemp("broker")
    for name in ("anna", "bert"):
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)]
        subprocess.run(make, check=True)
    lines = [f"{name}@example.com {(folder / f'{name}.pub').read_text()}" for name in ("anna", "bert")]
    (folder / "signers").write_text("".join(lines))
    with broker_in(folder, issuer, database, pushing=sha256(PUSHING.encode()).hexdigest()) as one:
        yield one


def approved(broker: BrokerProcess, request: str, who: str = "anna") -> None:
    """Approve as people do, with an SSH key; the request is there once it is sealed."""
    end = time.monotonic() + 20
    while True:
        done = broker.custody(
            "approve", request, "--reason", "release 4.2 is planned", "--sign-with", who, "--signers", "signers",
            "--broker-file", "broker.toml", "--json",
        )  # fmt: skip
        if done.returncode == 0 or time.monotonic() > end:
            break
        assert done.returncode == 3, done.stderr.decode()
    assert done.returncode == 0, done.stderr.decode()


def fetched(broker: BrokerProcess, request: str) -> dict[str, object]:
    """The credential of a request that was approved; the broker sees the approval within a second."""
    answer = broker.ask(backend="orders", scope="read", ticket="CHG-1", request=request)
    assert answer.status_code == 200, answer.text
    return decoded(answer.content)


def test_a_role_that_needs_approval_from_the_first_question_to_its_end(broker: BrokerProcess, database: Server) -> None:
    first = broker.ask(backend="orders", scope="read", ticket="CHG-1", purpose="release 4.2")
    assert first.status_code == 400
    assert decoded(first.content)["error"] == "authorization_pending"
    request = str(decoded(first.content)["request_id"])
    early = broker.ask(backend="orders", scope="read", request=request)
    assert decoded(early.content)["error"] == "authorization_pending"
    approved(broker, request)
    answer = fetched(broker, request)
    chain = str(answer["custody"]["chain"])  # type: ignore[index]
    credential = answer["credential"]
    assert isinstance(credential, dict)
    role, password = str(credential["username"]), str(credential["password"])
    assert role == chain.replace("-", "_")
    session = psycopg.connect(
        host="127.0.0.1", port=database.port, dbname="postgres", user=role, password=password, autocommit=True
    )
    assert session.execute("SELECT count(*) FROM thing").fetchone() == (0,)
    ended = httpx.post(
        f"{broker.url}/leases/{chain}/complete",
        headers={"Authorization": f"Bearer {broker.token()}"},
        trust_env=False,
        timeout=20,
    )
    assert ended.status_code == 200, ended.text
    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT 1")
    session.close()
    with postgres.admin(database) as admin:
        assert admin.execute("SELECT count(*) FROM pg_roles WHERE rolname = %s", [role]).fetchone() == (0,)
    (broker.folder / "postgresql.json").write_bytes(database.log("json"))
    settled(broker)
    (broker.folder / "contract.yaml").write_text(CONTRACT)
    audited = broker.custody("audit", "postgresql.json", "--contract", "contract.yaml", "--json")
    assert audited.returncode in (0, 1), audited.stderr.decode()
    traced = broker.custody("trace", chain, "--json")
    assert traced.returncode == 0, traced.stderr.decode()
    whole = traced.stdout.decode()
    assert password not in whole
    chain_of = decoded(traced.stdout)
    verdicts = {str(each["question"]): each for each in _verdicts(chain_of)}
    assert {name: verdicts[name]["state"] for name in PROVED} == dict.fromkeys(PROVED, "proved")
    assert not [each for each in verdicts.values() if each["state"] == "violated"]
    assert "CHG-1" in broker.custody("request", "show", request).stdout.decode()


def _verdicts(traced: dict[str, object]) -> list[dict[str, object]]:
    found = traced["verdicts"]
    assert isinstance(found, list)
    return found


def settled(broker: BrokerProcess) -> None:
    """Wait until every line is sealed."""
    end = time.monotonic() + 15
    while time.monotonic() < end:
        if "custody_sealing_lag_seconds 0.0" in httpx.get(f"{broker.url}/metrics", trust_env=False).text:
            return
        time.sleep(0.1)


def test_leases_survive_a_kill_and_what_was_handed_over_is_still_known(broker: BrokerProcess) -> None:
    answer = decoded(broker.ask(backend="tokens", scope="read", audience="reports", purpose="report").content)
    chain = str(answer["custody"]["chain"])  # type: ignore[index]
    broker.stop(signal.SIGKILL)
    broker.start()
    seen = httpx.get(f"{broker.url}/leases/{chain}", headers=broker.person("carl", "audit"), trust_env=False)
    assert seen.status_code == 200, seen.text
    assert decoded(seen.content)["standing"] == "live"


@pytest.mark.slow
def test_a_second_broker_stands_by_and_takes_over(broker: BrokerProcess) -> None:
    text = (broker.folder / "broker.toml").read_text()
    other = BrokerProcess.__new__(BrokerProcess)
    other.__dict__ |= broker.__dict__
    other.port = broker.port + 1
    other.url = f"http://127.0.0.1:{other.port}"
    (broker.folder / "broker.toml").write_text(
        text.replace(f'listen = "127.0.0.1:{broker.port}"', f'listen = "127.0.0.1:{other.port}"')
    )
    try:
        other.start(wait=False)
        end = time.monotonic() + 20
        state = None
        while state is None and time.monotonic() < end:
            try:
                state = httpx.get(f"{other.url}/readyz", trust_env=False)
            except httpx.TransportError:
                time.sleep(0.1)
        assert state is not None
        assert state.status_code == 503
        assert "standby" in state.text
        refused = other.ask(backend="tokens", scope="read", audience="reports")
        assert refused.status_code == 503, refused.text
        assert broker.ask(backend="tokens", scope="read", audience="reports").status_code == 200
        assert broker.stop() == 0
        other.ready()
        assert other.ask(backend="tokens", scope="read", audience="reports").status_code == 200
        assert other.stop() == 0
    finally:
        (broker.folder / "broker.toml").write_text(text)
        if other.process is not None:
            other.process.kill()
            other.process.wait()
    broker.start()


def test_containment_stops_issuing_and_ends_what_lives(broker: BrokerProcess) -> None:
    answer = broker.ask(backend="orders", scope="read", ticket="CHG-2")
    request = str(decoded(answer.content)["request_id"])
    approved(broker, request, "bert")
    chain = str(fetched(broker, request)["custody"]["chain"])  # type: ignore[index]
    operator = broker.person("olga", "on-call")
    done = httpx.post(
        f"{broker.url}/containments",
        json={"identity": "payments-deploy", "reason": "used from elsewhere"},
        headers=operator,
        trust_env=False,
        timeout=20,
    )
    assert done.status_code in (200, 201), done.text
    refused = broker.ask(backend="tokens", scope="read", audience="reports")
    assert refused.status_code in (400, 403), refused.text
    seen = httpx.get(f"{broker.url}/leases/{chain}", headers=operator, trust_env=False)
    assert decoded(seen.content)["standing"] == "ended"
    assert decoded(seen.content)["cause"] == "containment"


def test_a_pushed_log_is_sealed_before_it_is_acknowledged(broker: BrokerProcess) -> None:
    log = b'{"specversion":"1.0","type":"example","id":"1"}\n{"a":2}\n'
    bad = httpx.post(f"{broker.url}/intake/vault", content=log, headers={"Authorization": "Bearer no"}, trust_env=False)
    assert bad.status_code == 401
    headers = {"Authorization": f"Bearer {PUSHING}", "Content-Type": "application/x-ndjson"}
    done = httpx.post(f"{broker.url}/intake/vault", content=log, headers=headers, trust_env=False, timeout=30)
    assert done.status_code in (200, 202), done.text
    assert decoded(done.content)["records"] == 2


def test_the_store_verifies_and_nothing_secret_is_in_it_or_in_the_log(broker: BrokerProcess, issuer: Issuer) -> None:
    if broker.process is not None:
        assert broker.stop() == 0
    done = broker.custody("verify", "--json")
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    planted = [postgres.PASSWORD, PUSHING]
    for path in _files(broker.folder):
        held = path.read_bytes()
        assert not [each for each in planted if each.encode() in held], path
        assert b"eyJ" not in held or path.suffix == ".parquet", path


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name != "postgresql.json"]
