"""Hostile alerts and tokens: refused or bounded, never believed for their words, and none opens an incident twice."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from joserfc import jws
from joserfc.jwk import ECKey, KeySet, RSAKey

from custody.incidents.telling.alerts import MOST, MOST_KEYS, alerts
from custody.model.incidents import Opened, Seed, SeedKind, Widened
from custody.model.verdicts import Severity
from custody.pipeline.incidents import alerting, reading
from custody.pipeline.incidents.alerting import Rule
from custody.serve.sets import SetKeys
from tests.pipeline.incidents.scene import Scene
from tests.serve.conftest import Service, running
from tests.serve.running import PUSH, bearer
from tests.serve.test_incidents import alert, every, push

RULE = Rule(intake="siem", severity=Severity.HIGH, most=2)
KEY = ECKey.generate_key("P-256", {"kid": "one"})
OWN = ECKey.generate_key("P-256", {"kid": "mine"})
CLAIMS = {"iss": "https://idp.example", "aud": "broker", "jti": "1", "iat": 1, "events": {"x/event-type/y": {}}}
SET = {**bearer(PUSH), "Content-Type": "application/secevent+jwt"}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    keys = SetKeys("https://idp.example", "broker", msgspec.json.encode(KeySet([KEY]).as_dict(private=False)))
    with running(tmp_path_factory.mktemp("spool"), sets={"cluster": keys}) as service:
        yield service


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def token(header: dict[str, object], key: ECKey | RSAKey = OWN, payload: object = None) -> bytes:
    """A token as somebody makes it who has no key of the transmitter."""
    raw = payload if isinstance(payload, bytes) else json.dumps(CLAIMS if payload is None else payload).encode()
    return jws.serialize_compact(
        {"alg": "ES256", "typ": "secevent+jwt", **header}, raw, key, algorithms=["ES256", "RS256"]
    ).encode()


PUBLIC = KEY.as_pem(private=False)


def confused() -> bytes:
    """The public key of the transmitter taken for a shared secret."""
    text = f"{encoded({'alg': 'HS256', 'kid': 'one', 'typ': 'secevent+jwt'})}.{encoded(CLAIMS)}".encode()
    return text + b"." + base64.urlsafe_b64encode(hmac.digest(PUBLIC, text, "sha256")).rstrip(b"=")


FORGED = {
    "alg none": f"{encoded({'alg': 'none', 'typ': 'secevent+jwt'})}.{encoded(CLAIMS)}.".encode(),
    "alg None": f"{encoded({'alg': 'None', 'kid': 'one', 'typ': 'secevent+jwt'})}.{encoded(CLAIMS)}.AA".encode(),
    "the public key as a secret": confused(),
    "the kid of the transmitter": token({"kid": "one"}),
    "a kid of its own": token({"kid": "mine"}),
    "no kid": token({}),
    "a key in the header": token({"kid": "one", "jwk": OWN.as_dict(private=False)}),
    "an address of keys": token({"kid": "one", "jku": "https://evil.example/jwks"}),
    "a certificate in the header": token({"kid": "one", "x5c": ["AAAA"]}),
    "a path as kid": token({"kid": "../../../../dev/null"}),
    "an sql kid": token({"kid": "one' or '1'='1"}),
    "another kind of key": token({"alg": "RS256", "kid": "one"}, RSAKey.generate_key(2048, {"kid": "one"})),
    "an unsigned part": b".".join(token({"kid": "one"}).split(b".")[:2]),
    "deep": f"{encoded({'alg': 'ES256', 'kid': 'one'})[:-2]}{'W' * 20_000}.e30.AA".encode(),
}


@pytest.mark.parametrize("how", FORGED)
def test_no_token_is_believed_that_the_transmitter_did_not_sign(door: Service, how: str) -> None:
    door.sealer.forget()
    answer = door.client.post("/intake/cluster", content=FORGED[how], headers=SET)
    assert (answer.status_code, answer.json()["err"]) == (400, "invalid_key")
    assert door.sealer.taken == []


@pytest.mark.parametrize(
    "payload",
    [
        {**CLAIMS, "iss": ["https://idp.example"]},
        {**CLAIMS, "iss": "https://idp.example/"},
        {**CLAIMS, "iss": "https://idp.example\u0000"},
        {**CLAIMS, "aud": ["Broker"]},
        {**CLAIMS, "aud": {"broker": 1}},
        {**CLAIMS, "events": []},
        {**CLAIMS, "jti": 7},
        b'{"iss":"https://idp.example","aud":"broker","jti":"1","iat":1,"events":' + b'{"a":' * 99 + b"1" + b"}" * 100,
        b'{"iss":"https://idp.example","aud":"x","aud":"broker","jti":"1","iat":1,"events":{}}',
    ],
)
def test_claims_that_are_not_plainly_right_are_refused_though_they_are_signed(door: Service, payload: object) -> None:
    door.sealer.forget()
    answer = door.client.post("/intake/cluster", content=token({"kid": "one"}, KEY, payload), headers=SET)
    assert answer.status_code == 400
    assert answer.json()["err"] in ("invalid_request", "invalid_issuer", "invalid_audience")
    assert door.sealer.taken == []


def test_a_token_that_is_played_again_opens_nothing_again(scene: Scene) -> None:
    first = push(scene.settings, CLAIMS, scene.folder, RULE).incidents
    played = [CLAIMS, {**CLAIMS, "iat": 2}, {**CLAIMS, "extra": "more"}]
    assert [push(scene.settings, each, scene.folder, RULE).incidents for each in played] == [first] * 3
    (incident,) = every(scene)
    assert [type(each.step) for each in incident.heard] == [Opened]


@pytest.mark.parametrize(
    "body",
    [
        b'{"specversion":"1.0","id":"1","source":"/s","type":"t","data":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        b"[" * 50_000 + b"]" * 50_000,
        b'{"specversion":"1.0","id":"1","id":"2","source":"/s","type":"t"}',
        b'{"specversion":"1.0","id":"1","source":"/s","type":"t","data":"\xff"}',
        b'{"specversion":"1.0","id":"\\ud800","source":"/s","type":"t"}',
        b'{"specversion":"1.0","id":1,"source":"/s","type":"t"}',
        b'{"specversion":"1.0","id":"1","source":"/s","type":"t"} {"specversion":"1.0"}',
    ],
)
def test_what_two_parsers_could_read_differently_is_no_alert(body: bytes) -> None:
    begun = time.process_time()
    assert alerts(body) == ()
    assert time.process_time() - begun < 2


def test_a_huge_alert_gives_a_bounded_number_of_keys() -> None:
    many = {"all": [f"aws_akid:aws:AKIA{number:016d}" for number in range(50_000)], "long": "x" * 1_000_000}
    (found,) = alerts(json.dumps(alert(1, data=many)).encode())
    assert len(found.keys) == MOST_KEYS
    assert len(alerts(json.dumps([alert(number) for number in range(MOST + 500)]).encode())) == MOST


def test_a_flood_in_one_push_is_a_few_steps(scene: Scene) -> None:
    push(scene.settings, [alert(number) for number in range(90)], scene.folder, RULE)
    first, grown = sorted(every(scene), key=lambda each: len(each.heard))
    assert [type(each.step) for each in first.heard] == [Opened]
    assert {type(each.step) for each in grown.heard[1:]} == {Widened}
    assert len(grown.heard) <= 10
    assert sum(len(each.seeds) for each in (first, grown)) >= 90
    again = len(reading.read(scene.settings).heard)
    push(scene.settings, [alert(number) for number in range(90)], scene.folder, RULE)
    assert len(reading.read(scene.settings).heard) == again


def test_a_flood_of_pushes_ends_in_an_incident_that_grows_no_more(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerting, "MOST_WIDENED", 3)
    push(scene.settings, [alert(number) for number in range(9)], scene.folder, None)
    names = {alerting.opened(scene.desk, RULE, json.dumps(alert(number)).encode()) for number in range(9)}
    assert len(names) == 2
    assert len(reading.read(scene.settings).heard) == 2 + 3


def test_who_opens_by_hand_in_the_name_of_an_intake_takes_no_alerts_of_it(scene: Scene) -> None:
    """A signed opening with the words of the intake as its reason is no incident of the intake."""
    from custody.pipeline.incidents import opening
    from tests.pipeline.incidents.scene import KEY as SEED_KEY
    from tests.pipeline.incidents.scene import signer
    from tests.ssh_signing import ANN

    seed = Seed(kind=SeedKind.KEY, value=SEED_KEY)
    wanted = opening.Wanted(title="x", severity=Severity.LOW, reason="pushed to intake/siem: mine", seeds=(seed,))
    mine = opening.open_incident(scene.desk, wanted, signer(ANN)).step.incident
    one = msgspec.structs.replace(RULE, most=1)
    assert push(scene.settings, alert(1), scene.folder, one).incidents != (mine,)


@pytest.mark.parametrize("name", ["x" * 9000, "a\nb", "a\u0000b", "\x1b[2J", "password=must-not-stay-in-an-id"])
def test_whatever_an_alert_is_called_it_opens_one_incident_and_hides_no_other(scene: Scene, name: str) -> None:
    both = [alert(1, id=name), alert(2)]
    first = push(scene.settings, both, scene.folder, RULE).incidents
    assert push(scene.settings, both, scene.folder, RULE).incidents == first
    assert 1 <= len(first) == len(every(scene)) <= 2
    assert any(seed.value == "cloudevents /siem alert-2" for each in every(scene) for seed in each.seeds)
    assert "must-not-stay" not in str([each.opening for each in every(scene)])


@pytest.mark.parametrize("body", [b'{"specversion":"1.0","id":"1","source":"/s","type":"t","x":"\xff"}', b"[" * 9999])
def test_what_no_parser_takes_does_not_stop_who_seals(scene: Scene, body: bytes) -> None:
    """It is sealed as it came and opens nothing; the process that seals goes on."""
    assert push(scene.settings, body, scene.folder, RULE).incidents == ()
    assert len(push(scene.settings, alert(2), scene.folder, RULE).incidents) == 1
