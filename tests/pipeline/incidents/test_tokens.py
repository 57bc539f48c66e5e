"""Security event tokens: pushed to custody's own intake over HTTP, checked by other code too, no more than is true."""

from __future__ import annotations

import asyncio
import base64
import json
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from custody.cli import main
from custody.errors import UsageError
from custody.incidents.record.folding import Where
from custody.incidents.record.weighing import where
from custody.incidents.telling.forms import Telling
from custody.incidents.telling.signals import CHANGED, REVOKED, Shown, subject_of
from custody.model.events import Asserter, Event
from custody.model.incidents import ActionKind, Done
from custody.pipeline.incidents import acting
from custody.pipeline.incidents.telling import catching_up as telling
from custody.pipeline.incidents.telling.catching_up import Patience, Told, tell
from custody.pipeline.incidents.telling.receivers import Refused, Tokens, published
from custody.pipeline.incidents.telling.showing_effects import unseen
from custody.serve.sets import SetKeys
from custody.settings.hooks import Caep
from custody.sources import ssf
from tests.end_to_end.http_sink import Answer, listening
from tests.pipeline.incidents.scene import KEY, MINUTE, NOW, RESPONSE, SECOND, Scene, signer
from tests.serve.desk import Script
from tests.serve.running import PUSH, Sealer, parts_of, served
from tests.ssh_signing import ANN, BOB

ISSUER, AUDIENCE = "https://custody.shop.test", "https://receiver.shop.test"
TOKEN = "jwt_jti:idp.shop.test/realm:8f2a"
CAEP = """
[caep]
issuer = "{issuer}"
audience = "{audience}"
url = "{url}"
key = "{key}"
token = "file:push"
private = true
"""


class Intake(NamedTuple):
    """A service of custody's own that takes the tokens of keys in ``folder``."""

    sealer: Sealer
    url: str
    folder: Path


class Place(NamedTuple):
    scene: Scene
    sealer: Sealer
    url: str
    keys: Path


@pytest.fixture(scope="module")
def intake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Intake]:
    """One for the module."""
    folder = tmp_path_factory.mktemp("intake")
    known = Caep(issuer=ISSUER, audience=AUDIENCE, url="http://127.0.0.1:1/", key=str(folder / "signing"))
    keys = msgspec.json.encode(published(known, folder, folder, NOW))
    parts = parts_of(folder, sets={"cluster": SetKeys(ISSUER, AUDIENCE, keys)})
    assert isinstance(parts.intake, Sealer)
    with served(Script(), parts) as port:
        yield Intake(parts.intake, f"http://127.0.0.1:{port}/intake/cluster", folder / "signing")


@pytest.fixture
def place(tmp_path: Path, intake: Intake) -> Place:
    """A scene whose response file names that service."""
    intake.sealer.forget()
    (tmp_path / "push").write_text(PUSH)
    found = Place(Scene(tmp_path), intake.sealer, intake.url, intake.folder)
    caep(found, intake.url)
    return found


def caep(place: Place, url: str, issuer: str = ISSUER) -> None:
    text = RESPONSE + CAEP.format(url=url, issuer=issuer, audience=AUDIENCE, key=place.keys)
    (place.scene.folder / "response.toml").write_text(text)


def once(scene: Scene, shown: Callable[[Telling], Shown | None] = unseen) -> Told:
    (told,) = tell(scene.settings, Patience(attempts=1, whole=5.0), shown)
    return told


def claims(place: Place) -> list[dict[str, object]]:
    return [json.loads(body) for _, body, _ in place.sealer.taken]


def done(scene: Scene, *targets: str, kind: ActionKind = ActionKind.REVOKE, person: object = ANN) -> str:
    """Something asked for, approved, done a minute later, and said to be done at that time."""
    name = scene.open()
    action = scene.asked(name, kind=kind, targets=targets)
    if where(scene.action(action), scene.now) is Where.WAITING:
        scene.decide(action, BOB)
    scene.now += MINUTE
    scene.done(action, ANN if person is ANN else None)
    return name


def test_a_token_is_taken_by_a_receiver_and_says_what_is_known(place: Place) -> None:
    name = done(place.scene, TOKEN)
    told = once(place.scene)
    assert (told.problem, told.waiting, len(told.sent)) == ("", 0, 1)
    ((door, _, kind),) = place.sealer.taken
    assert (door, kind) == ("cluster", "application/secevent+jwt")
    (found,) = claims(place)
    action = place.scene.incident(name).actions[0]
    assert found["sub_id"] == {"format": "jwt_id", "iss": "https://idp.shop.test/realm", "jti": "8f2a"}
    assert (found["iss"], found["aud"], found["txn"]) == (ISSUER, AUDIENCE, name)
    assert set(found) == {"iss", "aud", "iat", "jti", "txn", "sub_id", "events", "custody"}
    assert found["events"] == {
        REVOKED: {
            "initiating_entity": "admin",
            "event_timestamp": (NOW + MINUTE) // SECOND,
            "reason_admin": {
                "en": f"{name}, {action.id}: revoke. stop it. Claimed: {ANN.name} says that it was done at "
                "2026-11-22T10:01:00Z; no log of the system shows it yet."
            },
        }
    }
    assert found["custody"] == {
        "incident": name,
        "action": action.id,
        "step": told.sent[0],
        "basis": "claimed",
        "approved": True,
    }
    assert once(place.scene).sent == ()


def test_what_the_log_of_the_system_shows_is_told_with_its_time(place: Place) -> None:
    done(place.scene, TOKEN)
    once(place.scene, lambda _: Shown(NOW + 5 * SECOND, "operations:77"))
    (found,) = claims(place)
    (event,) = found["events"].values()  # type: ignore[attr-defined]
    assert event["event_timestamp"] == NOW // SECOND + 5
    assert "Observed: the log of the system shows it since 2026-11-22T10:00:05Z (operations:77)." in str(event)
    assert found["custody"]["basis"] == "observed"  # type: ignore[index]


def test_what_was_claimed_is_told_once_more_when_it_is_seen(place: Place) -> None:
    done(place.scene, TOKEN)
    seen: list[Shown] = []

    def again() -> Told:
        shown = seen[0] if seen else None
        (told,) = tell(place.scene.settings, Patience(attempts=1), lambda _: shown, confirming=True)
        return told

    assert (len(again().sent), again().seen) == (1, ())
    seen.append(Shown(NOW + 9 * SECOND, "operations:77"))
    assert len(again().seen) == 1
    assert again() == Told(receiver="caep")
    first, second = claims(place)
    assert second["jti"] == f"{first['jti']}.seen"
    assert [each["custody"]["basis"] for each in (first, second)] == ["claimed", "observed"]  # type: ignore[index]
    times = [event["event_timestamp"] for each in (first, second) for event in each["events"].values()]  # type: ignore[attr-defined]
    assert times == [NOW // SECOND + 60, NOW // SECOND + 9]


def test_a_confirmation_that_is_refused_keeps_no_other_from_being_told(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(place.scene, TOKEN)
    done(place.scene, "aws_akid:aws:AKIAEXAMPLE00000077")
    shown: list[Shown] = []

    def again() -> Told:
        (told,) = tell(place.scene.settings, Patience(attempts=1), lambda _: next(iter(shown), None), confirming=True)
        return told

    first, second = again().sent
    shown.append(Shown(NOW + 9 * SECOND, "operations:77"))
    confirm = Tokens.confirm

    def picky(self: Tokens, telling: Telling) -> bool:
        if telling.name == first:
            raise Refused("the receiver does not take it", found="status 400")
        return confirm(self, telling)

    monkeypatch.setattr(Tokens, "confirm", picky)
    told = again()
    assert (told.seen, told.claimed) == ((second,), 1)
    assert told.problem == f"{first}: the receiver does not take it (found status 400)"
    monkeypatch.undo()
    assert again().seen == (first,)


def test_who_signed_nothing_is_not_said_to_be_somebody(place: Place) -> None:
    name = place.scene.open()
    action = place.scene.asked(name, kind=ActionKind.REVOKE, targets=(TOKEN,))
    place.scene.done(action, None)
    once(place.scene)
    (found,) = claims(place)
    (event,) = found["events"].values()  # type: ignore[attr-defined]
    assert "initiating_entity" not in event
    assert "an account that signed nothing says" in event["reason_admin"]["en"]
    assert event["reason_admin"]["en"].endswith("Done without approval: nobody had approved it.")
    assert found["custody"]["approved"] is False  # type: ignore[index]


def test_custody_reads_its_own_tokens_as_declared_and_not_as_proof(place: Place) -> None:
    done(place.scene, TOKEN)
    once(place.scene)
    (event,) = ssf.read(place.sealer.taken[0][1], "")  # type: ignore[misc]
    assert isinstance(event, Event)
    (part,) = event.parts
    assert (part.key, part.asserter) == (TOKEN, Asserter.DECLARED)


@pytest.mark.parametrize(
    ("kind", "target", "event", "payload"),
    [
        (ActionKind.CONTAIN, "payments-api", REVOKED, {}),
        (ActionKind.REVOKE, "k8s_cred:prod:JTI=1", REVOKED, {}),
        (ActionKind.CONTAIN, KEY, CHANGED, {"credential_type": "aws-access-key", "change_type": "revoke"}),
        (
            ActionKind.REVOKE,
            "x509_serial:CN=ca,O=shop:0a1b",
            CHANGED,
            {
                "credential_type": "x509",
                "change_type": "revoke",
                "x509_issuer": "CN=ca,O=shop",
                "x509_serial": "0a1b",
            },
        ),
        (ActionKind.REVOKE, "x509_serial:shop.test:0a1b", CHANGED, {"credential_type": "x509"}),
        (ActionKind.ROTATE, "payments-api", CHANGED, {"credential_type": "credential", "change_type": "update"}),
    ],
)
def test_each_end_has_its_event(
    place: Place, kind: ActionKind, target: str, event: str, payload: dict[str, object]
) -> None:
    done(place.scene, target, kind=kind)
    assert once(place.scene).problem == ""
    (found,) = claims(place)
    events = found["events"]
    assert isinstance(events, dict)
    assert list(events) == [event]
    assert {name: value for name, value in events[event].items() if name in payload} == payload
    assert found["sub_id"] == {"format": "opaque", "id": target}
    assert ("x509_serial" in events[event]) == ("x509_serial" in payload)


@pytest.mark.parametrize(
    ("target", "subject"),
    [
        ("oidc_subject:idp.shop.test:u-7", {"format": "iss_sub", "iss": "https://idp.shop.test", "sub": "u-7"}),
        ("oidc_subject:arn%3Aaws%3Aiam%3A%3A1%3Aoidc-provider/idp.test:u-7", None),
        ("jwt_jti:http%3A//idp.test%3A8080:a:b", {"format": "jwt_id", "iss": "http://idp.test:8080", "jti": "a:b"}),
        ("jwt_jti:kubernetes/serviceaccount:7", None),
        ("spiffe:shop.test:/ns/a", {"format": "uri", "uri": "spiffe://shop.test/ns/a"}),
        ("team payments", None),
        ("aws_akid:aws:AKIAEXAMPLE00000001", None),
    ],
)
def test_a_subject_has_a_format_only_where_its_key_is_sure_to_mean_it(
    target: str, subject: dict[str, str] | None
) -> None:
    assert subject_of(target) == (subject or {"format": "opaque", "id": target})


def test_every_target_has_a_token_and_the_same_id_whenever_it_is_told(place: Place) -> None:
    done(place.scene, TOKEN, KEY)
    once(place.scene)
    (place.scene.folder / "store-incidents" / "told" / "caep.json").unlink()
    once(place.scene)
    first, second, *again = [str(each["jti"]) for each in claims(place)]
    assert first != second
    assert again == [first, second]


def test_what_the_broker_says_lives_on_is_told_to_nobody(place: Place) -> None:
    scene = place.scene
    name = scene.open()
    action = scene.asked(name, kind=ActionKind.REVOKE, targets=(TOKEN, KEY))
    waits = f"{TOKEN}: cc-00000000000000000000000001 waiting, until 2026-11-22T11:00:00Z at most"
    did = (waits, f"{KEY}: cc-00000000000000000000000002 ended")
    scene.decide(action, BOB)
    acting.done(scene.desk, action, did, signer(ANN), how="broker")
    once(scene)
    assert [each["sub_id"]["id"] for each in claims(place)] == [KEY]  # type: ignore[index]


@pytest.mark.parametrize("kind", [ActionKind.NARROW, ActionKind.ENABLE])
def test_of_other_actions_nothing_is_told(place: Place, kind: ActionKind) -> None:
    done(place.scene, "payments-api", kind=kind)
    told = once(place.scene)
    assert (told.sent, told.waiting, told.problem) == ((), 0, "")
    assert place.sealer.taken == []


def test_other_code_verifies_it_and_nothing_changed_does(place: Place) -> None:
    """By hand from RFC 7515 and the published keys, with no code of custody's that signs or verifies."""
    done(place.scene, TOKEN)
    with listening(Answer(202)) as sink:
        caep(place, sink.url)
        once(place.scene)
    ((_, headers, token),) = sink.requests
    assert headers["Content-Type"] == "application/secevent+jwt"
    assert headers["Authorization"] == f"Bearer {PUSH}"
    head, body, signature = token.split(b".")
    keys = {each["kid"]: each for each in telling.keys_of(place.scene.settings)["keys"]}  # type: ignore[attr-defined]
    header = json.loads(_decoded(head))
    assert (header["alg"], header["typ"]) == ("ES256", "secevent+jwt")
    key = keys[header["kid"]]
    numbers = [int.from_bytes(_decoded(key[each].encode())) for each in ("x", "y")]
    public = ec.EllipticCurvePublicNumbers(numbers[0], numbers[1], ec.SECP256R1()).public_key()
    raw = _decoded(signature)
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    public.verify(der, head + b"." + body, ec.ECDSA(hashes.SHA256()))
    with pytest.raises(Exception, match=r"^$"):
        public.verify(der, head + b"." + body + b"A", ec.ECDSA(hashes.SHA256()))


def _decoded(text: bytes) -> bytes:
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))


def test_a_refusal_is_named_and_the_token_waits(place: Place) -> None:
    caep(place, place.url, issuer="https://somebody-else.test")
    done(place.scene, TOKEN)
    told = once(place.scene)
    assert (told.sent, told.waiting) == ((), 1)
    assert told.problem.endswith("(found status 400, invalid_issuer)")
    assert PUSH not in repr(told)
    caep(place, place.url)
    assert len(once(place.scene).sent) == 1


def test_words_of_the_receiver_are_not_repeated(place: Place) -> None:
    done(place.scene, TOKEN)
    with listening(Answer(400, "must-not-stay")) as sink:
        caep(place, sink.url)
        told = once(place.scene)
    assert "must-not-stay" not in repr(told)


def test_the_keys_are_their_owners_and_stay(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    folder = place.keys
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in folder.glob("*.pem")} == {0o600}
    arguments = ["--store", str(place.scene.settings.store), "--response", str(place.scene.folder / "response.toml")]
    assert main(["incident", "tell", "--jwks", *arguments]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == telling.keys_of(place.scene.settings)
    assert {each["kty"] for each in shown["keys"]} == {"EC"}
    assert not any("d" in each for each in shown["keys"])
    folder.chmod(0o755)
    try:
        assert "may know" in once(place.scene).problem
    finally:
        folder.chmod(0o700)


def test_by_the_command_what_waits_has_a_code(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    done(place.scene, TOKEN)
    command = ["incident", "tell", "--store", str(place.scene.settings.store), "--json", "--response"]
    command += [str(place.scene.folder / "response.toml"), "--to", "caep"]
    caep(place, place.url, issuer="https://somebody-else.test")
    assert main(command) == 1
    (told,) = json.loads(capsys.readouterr().out)["told"]
    assert (told["sent"], told["waiting"]) == ([], 1)
    caep(place, place.url)
    assert main(command) == 0
    (told,) = json.loads(capsys.readouterr().out)["told"]
    assert (told["receiver"], len(told["sent"]), told["waiting"]) == ("caep", 1, 0)
    (found,) = claims(place)
    assert found["custody"]["basis"] == "claimed"  # type: ignore[index]  # nothing is derived that would show more


def rs256(place: Place, url: str, key: str = "") -> None:
    caep(place, url)
    path = place.scene.folder / "response.toml"
    text = path.read_text().replace(f'key = "{place.keys}"', f'key = "{key}"' if key else "")
    path.write_text(text + 'algorithm = "RS256"\n')


def only_key(keys: Mapping[str, object]) -> dict[str, str]:
    (found,) = msgspec.convert(keys["keys"], tuple[dict[str, str], ...])
    return found


def pem(path: Path, bits: int) -> Path:
    key = rsa.generate_private_key(65537, bits)
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(text)
    path.chmod(0o600)
    return path


def test_tokens_of_an_rsa_key_of_your_own_are_verified_by_a_library(place: Place, tmp_path: Path) -> None:
    pem(tmp_path / "own.pem", 2048)
    with listening(Answer(202)) as sink:
        rs256(place, sink.url, "own.pem")
        done(place.scene, TOKEN)
        assert once(place.scene).problem == ""
    ((_, headers, token),) = sink.requests
    keys = telling.keys_of(place.scene.settings)
    key = only_key(keys)
    assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS256", "sig")
    assert set(key) == {"kid", "kty", "alg", "use", "n", "e"}
    found = jws.deserialize_compact(token, KeySet.import_key_set(keys), algorithms=["RS256"])  # type: ignore[arg-type]
    assert found.headers()["typ"] == "secevent+jwt"
    assert json.loads(found.payload)["iss"] == ISSUER
    assert headers["Accept"] == "application/json"
    with pytest.raises(JoseError):
        jws.deserialize_compact(token[:-4] + b"AAAA", KeySet.import_key_set(keys), algorithms=["RS256"])  # type: ignore[arg-type]
    own = SetKeys(ISSUER, AUDIENCE, msgspec.json.encode(keys))
    assert asyncio.run(own.claims(token)) == found.payload


def test_an_rsa_key_is_made_where_there_is_none_and_stays(place: Place) -> None:
    rs256(place, place.url)
    first = telling.keys_of(place.scene.settings)
    assert telling.keys_of(place.scene.settings) == first
    folder = place.scene.settings.keys / "caep-rs256"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "rs256.pem").stat().st_mode) == 0o600
    assert sorted(each.name for each in folder.iterdir()) == ["lock", "rs256.pem"]
    assert len(_decoded(only_key(first)["n"].encode())) * 8 == 3072
    folder.chmod(0o755)
    with pytest.raises(UsageError, match="may know"):
        telling.keys_of(place.scene.settings)


@pytest.mark.parametrize(
    ("bits", "mode", "told"),
    [(1024, 0o600, "too weak"), (2048, 0o644, "may know"), (0, 0o600, "not a signing key for RS256")],
)
def test_an_rsa_key_that_is_weak_or_known_signs_nothing(
    place: Place, tmp_path: Path, bits: int, mode: int, told: str
) -> None:
    path = pem(tmp_path / "own.pem", bits) if bits else tmp_path / "own.pem"
    if not bits:
        path.write_text("must-not-stay")
    path.chmod(mode)
    rs256(place, place.url, "own.pem")
    done(place.scene, TOKEN)
    found = once(place.scene)
    assert told in found.problem
    assert (found.sent, found.waiting) == ((), 4)
    assert "must-not-stay" not in found.problem
    assert place.sealer.taken == []


@pytest.mark.parametrize(
    ("answer", "told", "away"),
    [
        (Answer(200), "does not say that it took the token (found status 200, expected 202)", True),
        (Answer(204), "does not say that it took the token", True),
        (Answer(503), "takes nothing now", True),
        (Answer(302, Location="http://127.0.0.1:1/"), "redirects are not followed", True),
        (Answer(400), "does not take it (found status 400)", False),
    ],
)
def test_only_an_answer_of_the_rfc_says_that_a_token_was_taken(
    place: Place, answer: Answer, told: str, away: bool
) -> None:
    done(place.scene, TOKEN)
    with listening(answer, Answer(202)) as sink:
        caep(place, sink.url)
        first, second = once(place.scene), once(place.scene)
    assert told in first.problem
    assert (first.away is not None, len(first.refused), first.sent) == (away, 0 if away else 1, ())
    assert (len(second.sent), second.problem, second.claimed) == (1, "", 1)


def test_no_token_of_what_is_only_asked_approved_or_was_never_sealed(place: Place) -> None:
    """Neither a request, nor its approval, nor a step that somebody forged into the incident tells anybody anything."""
    scene = place.scene
    name = scene.open()
    action = scene.asked(name, kind=ActionKind.REVOKE, targets=(TOKEN,))
    scene.decide(action, BOB)
    forged = Done(incident=name, action="ac-0000", how="elsewhere", did=(), at="2026-11-22T10:00:00Z")
    scene.inject(forged, None, log="operations")
    assert once(scene).sent == ()
    assert place.sealer.taken == []


def test_every_claim_is_one_of_the_specifications(place: Place) -> None:
    """RFC 8417 section 2.2, SSF 1.0 section 4 (no ``sub``, no ``exp``), CAEP 1.0 sections 2, 3.1 and 3.3."""
    done(place.scene, TOKEN, KEY, "payments-api")
    once(place.scene)
    common = {"event_timestamp", "initiating_entity", "reason_admin"}
    seen = set()
    for found in claims(place):
        assert set(found) == {"iss", "aud", "iat", "jti", "txn", "sub_id", "events", "custody"}
        assert isinstance(found["iat"], int)
        assert isinstance(found["jti"], str)
        (kind, event) = next(iter(found["events"].items()))  # type: ignore[attr-defined]
        assert len(found["events"]) == 1  # type: ignore[arg-type]
        needed = {"credential_type", "change_type"} if kind == CHANGED else set()
        assert set(event) == common | needed
        assert event.get("change_type", "revoke") in ("create", "revoke", "update", "delete")
        assert event["initiating_entity"] in ("admin", "user", "policy", "system")
        assert isinstance(event["event_timestamp"], int)
        assert list(event["reason_admin"]) == ["en"]
        seen.add(kind)
    assert seen == {REVOKED, CHANGED}
