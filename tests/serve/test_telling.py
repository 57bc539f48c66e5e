"""Those who follow incidents, told by the service: beside its requests, bounded, counted, and once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from custody.model.incidents import ActionKind
from custody.pipeline.incidents import closing
from custody.pipeline.incidents.telling.catching_up import Patience, tell, unseen
from custody.pipeline.incidents.telling.outbox import outbox
from custody.serve.parts import Receiving
from custody.serve.telling import Teller
from tests.end_to_end.broker_process import free_port
from tests.end_to_end.http_sink import Answer, Sink, listening
from tests.pipeline.incidents.scene import RESPONSE, Scene
from tests.serve.conftest import running
from tests.ssh_signing import BOB

SECRET = "whsec_" + "bXVzdC1ub3Qtc3RheS1hLWtleS1vZi0zMi1ieXRlcyE="
TOKEN = "must-not-stay-push"
HOOK = """
[[hooks]]
name = "{name}"
url = "{url}"
secret = "file:secret"
private = true
"""


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    (tmp_path / "secret").write_text(SECRET)
    return Scene(tmp_path)


def hooked(scene: Scene, *hooks: str) -> None:
    (scene.folder / "response.toml").write_text(RESPONSE + "".join(hooks))


def siem(sink: Sink, name: str = "siem") -> str:
    return HOOK.format(name=name, url=sink.url)


def ids(sink: Sink) -> list[str]:
    return [json.loads(body)["id"] for _, _, body in sink.requests]


def reached(what: Callable[[], bool], seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.02)


@contextmanager
def hanging() -> Iterator[str]:
    """Somebody who takes the connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


def test_a_turn_tells_what_is_new_and_counts_it(scene: Scene) -> None:
    said: list[str] = []
    with listening() as sink, listening(Answer(503)) as away:
        hooked(scene, siem(sink), siem(away, "chat"))
        teller = Teller(scene.settings, said.append)
        name = scene.open()
        teller.turn()
        closing.note(scene.desk, name, "more", (), None)
        teller.turn()
        assert teller.standings() == (
            Receiving(receiver="chat", told=0, failed=2, behind=1, away=True),
            Receiving(receiver="siem", told=2),
        )
        assert len(ids(sink)) == len(set(ids(sink))) == 2
    (line,) = said  # once, until it is another
    assert line.startswith("telling chat: operations:")
    assert "status 503" in line
    assert "must-not-stay" not in line


def test_where_nothing_is_new_nobody_is_asked(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as sink:
        hooked(scene, siem(sink))
        teller = Teller(scene.settings, print)
        scene.open()
        teller.turn()
        monkeypatch.setattr("custody.serve.telling.tell", lambda *_, **__: pytest.fail("nothing was new"))
        teller.turn()
        teller.wake()
        with pytest.raises(pytest.fail.Exception):
            teller.turn()


def test_who_is_not_to_be_told_by_the_service_is_not(scene: Scene) -> None:
    with listening() as sink:
        hooked(scene, siem(sink) + "served = false\n")
        scene.open()
        teller = Teller(scene.settings, print)
        teller.turn()
        assert (teller.standings(), sink.requests) == ((), [])
        assert len(tell(scene.settings, Patience(attempts=1), unseen)[0].sent) == 1


def test_what_is_wrong_with_the_file_is_said_once_and_mended_later(scene: Scene) -> None:
    said: list[str] = []
    hooked(scene, "nothing = 1")
    with listening() as sink:
        teller = Teller(scene.settings, said.append)
        asyncio.run(teller.look())
        reached(lambda: bool(said))
        hooked(scene, siem(sink))
        scene.open()
        teller.wake()
        reached(lambda: bool(sink.requests))
        asyncio.run(teller.stop())
    assert "response.toml" in said[0]
    assert not teller.runs


def test_what_nobody_foresaw_ends_no_thread_and_its_words_are_not_repeated(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def broken(*_: object, **__: object) -> None:
        raise ValueError(TOKEN)

    with listening() as sink, monkeypatch.context() as patched:
        hooked(scene, siem(sink))
        scene.open()
        patched.setattr("custody.serve.telling.tell", broken)
        teller = Teller(scene.settings, said.append)
        asyncio.run(teller.look())
        reached(lambda: bool(said))
        assert (said, teller.runs) == (["telling: unforeseen: ValueError"], True)
        patched.undo()
        teller.wake()
        reached(lambda: bool(sink.requests))
        asyncio.run(teller.stop())


def test_another_process_has_its_turn_and_nothing_is_told_twice(scene: Scene) -> None:
    said: list[str] = []
    with listening() as sink:
        hooked(scene, siem(sink))
        scene.open()
        teller = Teller(scene.settings, said.append)
        with outbox(scene.settings.store, "siem", "x"):
            teller.turn()
        assert "another process is telling it" in said[0]
        tell(scene.settings, Patience(attempts=1), unseen)
        teller.wake()
        teller.turn()
        assert len(ids(sink)) == 1


def test_it_runs_beside_and_stops_though_a_receiver_hangs(scene: Scene) -> None:
    with hanging() as url, listening() as sink:
        hooked(scene, siem(sink, "a"), HOOK.format(name="b", url=url))
        scene.open()
        teller = Teller(scene.settings, print)

        async def play() -> float:
            await teller.look()
            await asyncio.to_thread(reached, lambda: bool(sink.requests))
            begun = time.monotonic()
            for _ in range(100):  # the loop is free
                await asyncio.sleep(0)
            assert time.monotonic() - begun < 1
            await teller.stop()
            await teller.look()
            return time.monotonic() - begun

        assert asyncio.run(play()) < 4


def test_without_a_response_file_there_is_no_thread(tmp_path: Path) -> None:
    teller = Teller(Scene(tmp_path, None).settings, print)
    asyncio.run(teller.look())
    assert not teller.runs
    asyncio.run(teller.stop())


def test_health_and_metrics_count_them_and_readiness_does_not_change(tmp_path: Path) -> None:
    every = (
        Receiving(receiver="chat", told=2, failed=3, behind=4, aside=1, away=True),
        Receiving(receiver="siem", told=7),
    )
    with running(tmp_path, receivers=lambda: every) as service:
        ready = service.client.get("/readyz")
        metrics = service.client.get("/metrics").text
    assert ready.status_code == 200
    assert ready.json()["receivers"][0] == {
        "receiver": "chat", "told": 2, "failed": 3, "behind": 4, "aside": 1, "away": True
    }  # fmt: skip
    assert 'custody_incident_told_total{receiver="siem"} 7.0' in metrics
    assert 'custody_incident_telling_failed_total{receiver="chat"} 3.0' in metrics
    assert 'custody_incident_behind{receiver="chat"} 4.0' in metrics
    assert 'custody_incident_set_aside{receiver="chat"} 1.0' in metrics


@pytest.mark.slow
def test_effects_are_looked_for_in_a_process_of_its_own(scene: Scene) -> None:
    """The process is a real one, and tells under the same lock; nothing is derived, so what it tells is claimed."""
    with listening(Answer(202)) as sink:
        hooked(scene, CAEP.format(url=sink.url))
        action = scene.asked(scene.open(), kind=ActionKind.REVOKE)
        scene.decide(action, BOB)
        scene.done(action)
        teller = Teller(scene.settings, print)
        teller.look_for_effects()
        assert len(sink.requests) == 1
        teller.turn()
        assert len(sink.requests) == 1
    assert teller.standings() == (Receiving(receiver="caep"),)


CAEP = """
[caep]
issuer = "https://custody.shop.test"
audience = "https://receiver.shop.test"
url = "{url}"
private = true
"""
FILE = """
broker = "trial"
issuer = "http://127.0.0.1:{port}"
listen = "127.0.0.1:{port}"
seal_every = 0.2
derive_every = 0

[[backends]]
name = "tokens"
kind = "jwt"
options = {{ audiences = ["reports"], scopes = ["read"] }}

[[intake]]
name = "siem"
token_sha256 = "{token}"
opens = "critical"
"""
ALERT = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "subject": "aws_akid:aws:AKIAEXAMPLE00000001"}


@pytest.mark.slow
def test_a_served_broker_tells_what_an_alert_opened_and_stops_in_order(scene: Scene) -> None:
    """A real service: a hook beside one that hangs; nobody runs ``tell``."""
    port, folder = free_port(), scene.folder
    (folder / "policies").mkdir()
    (folder / "policies" / "one.cedar").write_text('@id("one") permit (principal, action, resource);')
    (folder / "broker.toml").write_text(FILE.format(port=port, token=sha256(TOKEN.encode()).hexdigest()))
    given = scene.settings
    command = [sys.executable, "-m", "custody.cli", "serve", str(folder / "broker.toml")]
    command += ["--store", str(given.store), "--keys", str(given.keys)]
    environment = {**os.environ, "CUSTODY_JOBS": "1", "CUSTODY_RESPONSE": str(given.response)}
    url = f"http://127.0.0.1:{port}"
    with hanging() as stuck, listening() as sink:
        hooked(scene, HOOK.format(name="a-stuck", url=stuck), siem(sink))
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
        try:
            reached(lambda: _status(f"{url}/readyz") == 200, 30)
            headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/cloudevents+json"}
            answer = httpx.post(f"{url}/intake/siem", content=json.dumps(ALERT), headers=headers, trust_env=False)
            (name,) = answer.json()["incidents"]
            reached(lambda: bool(sink.requests), 30)
            begun = time.monotonic()
            assert _status(f"{url}/readyz") == 200
            assert time.monotonic() - begun < 2
        finally:
            process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=30)[1]
    assert process.returncode == 0
    assert json.loads(sink.requests[0][2])["subject"] == name
    assert b"must-not-stay" not in said


def _status(url: str) -> int:
    try:
        return httpx.get(url, trust_env=False, timeout=5).status_code
    except httpx.TransportError:
        return 0
