"""Alerts that are pushed and open incidents: once each, a bounded number, by the account of the service and no more."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import httpx
import msgspec
import pytest

from custody.errors import StoreError, UsageError
from custody.incidents.record.folding import Incident
from custody.incidents.telling.alerts import alerts
from custody.model.incidents import Opened, SeedKind, Widened
from custody.model.verdicts import Severity
from custody.pipeline.brokering.sealing import Pushed, Sealer, Taken
from custody.pipeline.incidents import alerting, reading
from custody.pipeline.incidents.alerting import Rule
from custody.serve.incidents import rule_of
from custody.settings.broker_file import BrokerFile, Intake, read_broker_file
from custody.settings.catalog import Settings
from custody.store.reader import Reader
from tests.end_to_end.broker_process import free_port
from tests.pipeline.brokering.journals import BROKER, check_store
from tests.pipeline.incidents.scene import KEY, Scene

AKID = "AKIAIOSFODNN7EXAMPLE"
RULE = Rule(intake="siem", severity=Severity.HIGH, most=3)
TOKEN = "must-not-stay-push"


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def alert(number: int, **changed: object) -> dict[str, object]:
    event = {
        "specversion": "1.0",
        "id": f"alert-{number}",
        "source": "/siem",
        "type": "com.example.alert.raised",
        "subject": KEY,
        "time": "2026-11-22T09:58:00Z",
        "data": {"finding": {"who": [AKID, "192.0.2.7"]}},
    }
    return {**event, **changed}


def push(settings: Settings, body: object, folder: Path, rule: Rule | None = RULE) -> Taken:
    """As the sealing child does it."""
    path = folder / "one.pushed"
    path.write_bytes(body if isinstance(body, bytes) else json.dumps(body).encode())
    (found,) = Sealer(settings, BROKER).seal((), [Pushed(path, "siem", rule)])
    if not isinstance(found, Taken):
        raise found
    return found


def every(scene: Scene) -> tuple[Incident, ...]:
    return reading.every(scene.settings)


def test_an_alert_opens_an_incident_from_its_record_and_the_keys_in_it(scene: Scene) -> None:
    taken = push(scene.settings, alert(1), scene.folder)
    (incident,) = every(scene)
    assert taken.incidents == (incident.id,)
    opening = incident.opening
    assert (opening.severity, opening.title) == (Severity.HIGH, f"com.example.alert.raised: {KEY}")
    assert opening.reason == f"pushed to intake/siem: com.example.alert.raised: {KEY}"
    assert [(each.kind, each.value) for each in opening.seeds] == [
        (SeedKind.ALERT, "cloudevents /siem alert-1"),
        (SeedKind.KEY, KEY),
        (SeedKind.KEY, f"aws_akid:aws:{AKID}"),
    ]
    leaf = opening.seeds[0].record
    assert leaf is not None
    with Reader.open(scene.settings.store) as reader:
        assert json.loads(reader.kept(leaf.index).kept or b"")["id"] == "alert-1"
    assert incident.opened.signature is None
    assert incident.opened.author.startswith("account:")
    record = reading.read(scene.settings)
    assert record.response(incident).groups["responders"] == ("ann@example.com", "bob@example.com")
    check_store(scene.settings)


def test_the_same_alert_again_in_whatever_body_opens_nothing(scene: Scene) -> None:
    first = push(scene.settings, alert(1), scene.folder).incidents
    for again in (alert(1), [alert(1), alert(1)], alert(1, time="2026-11-22T09:59:00Z")):
        assert push(scene.settings, again, scene.folder).incidents == first
    assert [len(each.heard) for each in every(scene)] == [1]


def test_an_alert_that_somebody_opened_by_hand_opens_nothing(scene: Scene) -> None:
    from custody.model.incidents import Seed
    from custody.model.leaf import LeafRef
    from custody.pipeline.incidents import opening

    push(scene.settings, alert(1), scene.folder, None)
    with Reader.open(scene.settings.store) as reader:
        (leaf,) = reader.find("cloudevents", "/siem alert-1")
    seed = Seed(kind=SeedKind.ALERT, value="cloudevents /siem alert-1", record=LeafRef("operations", leaf))
    wanted = opening.Wanted(title="by hand", severity=Severity.LOW, reason="seen", seeds=(seed,))
    mine = opening.open_incident(scene.desk, wanted, None).step.incident
    assert push(scene.settings, alert(1), scene.folder).incidents == (mine,)


def test_a_flood_is_a_few_incidents_of_which_one_is_widened(scene: Scene) -> None:
    taken = push(scene.settings, [alert(number) for number in range(8)], scene.folder)
    incidents = every(scene)
    assert len(incidents) == 3
    assert taken.incidents == tuple(each.id for each in incidents)
    newest = max(incidents, key=lambda each: each.opened.leaf.index)
    assert [type(each.step) for each in newest.heard] == [Opened, Widened]  # one step for all of them
    assert {seed.value for each in incidents for seed in each.seeds if seed.kind is SeedKind.ALERT} == {
        f"cloudevents /siem alert-{number}" for number in range(8)
    }
    other = Rule(intake="other", severity=Severity.LOW, most=3)
    push(scene.settings, alert(9), scene.folder, other)
    assert len(every(scene)) == 4  # each intake has its own number


def test_after_an_hour_or_a_close_the_next_one_opens_again(scene: Scene) -> None:
    one = msgspec.structs.replace(RULE, most=1)
    push(scene.settings, [alert(1), alert(2), alert(3)], scene.folder, None)
    bodies = [json.dumps(alert(number)).encode() for number in (1, 2, 3)]
    (first,) = alerting.opened(scene.desk, one, bodies[0])
    assert alerting.opened(scene.desk, one, bodies[1]) == (first,)
    scene.now += alerting.HOUR + 1
    (second,) = alerting.opened(scene.desk, one, bodies[2])
    assert second != first


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1}\n{"a":2}\n',
        b'{"specversion":"1.0","id":"","source":"/s","type":"t"}',
        b"[1,2,3]",
        b'[{"specversion":"1.0"',
        b"",
    ],
)
def test_what_is_no_alert_opens_nothing(scene: Scene, body: bytes) -> None:
    assert alerts(body) == ()
    if body.startswith(b"{"):
        assert push(scene.settings, body, scene.folder).incidents == ()
    assert every(scene) == ()


def test_hostile_words_of_an_alert_stay_words(scene: Scene) -> None:
    hostile = alert(
        1,
        type="x\x1b[2J\u202e\nalert",
        subject="password=must-not-stay",
        data={"deep": [[[{"k": "aws_akid:aws:password=must-not-stay"}]]], "many": [f"person:x:{n}" for n in range(99)]},
    )
    push(scene.settings, hostile, scene.folder)
    (incident,) = every(scene)
    text = msgspec.json.encode(incident.opening).decode()
    assert "must-not-stay" not in text
    assert not any(each in incident.opening.title for each in "\x1b\u202e\n")
    assert len(incident.seeds) <= 21


def test_claims_of_a_security_event_token_open_one_too(scene: Scene) -> None:
    claims = {
        "iss": "https://idp.shop.test",
        "jti": "9",
        "iat": 1795341600,
        "aud": "a",
        "sub_id": {"format": "jwt_id", "iss": "https://idp.shop.test", "jti": "8f2a"},
        "events": {"https://schemas.openid.net/secevent/caep/event-type/session-revoked": {}},
    }
    push(scene.settings, claims, scene.folder)
    (incident,) = every(scene)
    assert [(each.kind, each.value) for each in incident.seeds] == [
        (SeedKind.ALERT, "ssf https://idp.shop.test 9"),
        (SeedKind.KEY, "jwt_jti:idp.shop.test:8f2a"),
    ]
    assert incident.opening.title.endswith("/event-type/session-revoked")


def test_where_no_incident_can_be_opened_the_push_is_not_acknowledged(scene: Scene) -> None:
    whole = (scene.folder / "response.toml").read_text()
    (scene.folder / "response.toml").write_text("nothing = 1")
    with pytest.raises(StoreError, match="no incident could be opened"):
        push(scene.settings, alert(1), scene.folder)
    assert every(scene) == ()
    (scene.folder / "response.toml").write_text(whole)
    assert len(push(scene.settings, alert(1), scene.folder).incidents) == 1


@pytest.mark.parametrize(
    ("form", "opens", "expected"),
    [
        ("application/cloudevents+json", Severity.HIGH, True),
        ("application/cloudevents-batch+json", Severity.HIGH, True),
        ("application/secevent+jwt", Severity.HIGH, True),
        ("application/x-ndjson", Severity.HIGH, False),
        ("application/json", Severity.HIGH, False),
        ("application/cloudevents+json", None, False),
    ],
)
def test_only_alerts_of_an_intake_that_opens_do(form: str, opens: Severity | None, expected: bool) -> None:
    file = BrokerFile(broker="b", issuer="https://b", intake=(Intake(name="siem", token_sha256="", opens=opens),))
    rule = rule_of(file, "siem", form)
    assert rule == (Rule(intake="siem", severity=Severity.HIGH, most=10) if expected else None)
    assert rule_of(file, "another", form) is None


@pytest.mark.parametrize("line", ['opens = "urgent"', "most = 0", "most = 1001"])
def test_what_an_intake_cannot_open_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "broker.toml"
    path.write_text(f'broker = "b"\nissuer = "https://b"\n[[intake]]\nname = "x"\ntoken_sha256 = ""\n{line}\n')
    with pytest.raises(UsageError):
        read_broker_file(path)


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


@pytest.mark.slow
def test_a_served_broker_opens_it_before_it_acknowledges_and_once_whatever_is_killed(scene: Scene) -> None:
    """A real service, killed with its sealing child as soon as it has answered, and asked the same again."""
    port, folder = free_port(), scene.folder
    (folder / "policies").mkdir()
    (folder / "policies" / "one.cedar").write_text('@id("one") permit (principal, action, resource);')
    (folder / "broker.toml").write_text(FILE.format(port=port, token=sha256(TOKEN.encode()).hexdigest()))
    given = scene.settings
    command = [sys.executable, "-m", "custody.cli", "serve", str(folder / "broker.toml")]
    command += ["--store", str(given.store), "--keys", str(given.keys)]
    environment = {**os.environ, "CUSTODY_JOBS": "1", "CUSTODY_RESPONSE": str(given.response)}
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/cloudevents+json"}
    answers = []
    for _ in range(2):
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        try:
            answers.append(_pushed(f"http://127.0.0.1:{port}/intake/siem", json.dumps(alert(1)), headers))
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(10)
    (incident,) = every(scene)
    assert [each["incidents"] for each in answers] == [[incident.id]] * 2
    assert (incident.opening.severity, len(incident.heard)) == (Severity.CRITICAL, 1)
    assert incident.opening.response is not None


def _pushed(url: str, body: str, headers: dict[str, str]) -> dict[str, object]:
    """The answer, once the service is there."""
    until = time.monotonic() + 30
    while True:
        try:
            answer = httpx.post(url, content=body, headers=headers, trust_env=False, timeout=20)
            if answer.status_code == 200:
                return dict(answer.json())
            assert answer.status_code == 503, answer.text
        except httpx.ConnectError:
            pass
        assert time.monotonic() < until
        time.sleep(0.1)
