"""Tokens, checked by a library that is not ours, and the rotation of their keys as a resource server sees it."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from joserfc import jwt as independent
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import KeySet

from custody.broker.backends.backend import Made
from custody.broker.backends.jwt import JwtBackend
from custody.broker.backends.registry import build
from custody.broker.keys.published import introspected, metadata
from custody.broker.keys.ring import key_set
from custody.errors import BackendFailed, IntentRefused, UsageError
from custody.model.brokered import Effect
from tests.broker.backends import rigs
from tests.broker.backends.rigs import BROKER, ISSUER, Rig, held

pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
API = "https://api.example"
OTHER = "https://other.example"
DAY = 86_400


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigs.jwt(tmp_path / "keys") as made:
        yield made


def of(rig: Rig, **options: object) -> JwtBackend:
    backend = rig.other(**options) if options else rig.backend
    assert isinstance(backend, JwtBackend)
    return backend


def published(backend: JwtBackend, now: int) -> KeySet:
    """What a resource server gets, by way of the bytes on the wire."""
    return KeySet.import_key_set(json.loads(msgspec.json.encode(key_set((backend.ring,), now))))


def token(made: Made) -> str:
    return made.secrets["access_token"].reveal()


def verified(backend: JwtBackend, made: Made, now: int) -> dict[str, object]:
    found = independent.decode(token(made), published(backend, now), algorithms=["EdDSA", "Ed25519", "ES256"])
    assert found.header["typ"] == "at+jwt"
    return dict(found.claims)


def test_a_token_says_all_that_rfc_9068_asks_for_and_no_more(rig: Rig) -> None:
    detail = '{"type":"query","locations":["https://api.example/ü"],"actions":["list"]}'
    order = rig.order(actors=("person:idp:ann", "agent:bot:7"), details=(detail,))
    order, plan, made = rig.issued(order)

    claims = verified(of(rig), made, rig.clock.now())

    assert claims == {
        "iss": ISSUER,
        "sub": "spiffe://example.org/ns/app/sa/runner",
        "aud": API,
        "client_id": "payments-runner",
        "iat": order.now // 1_000_000,
        "exp": made.not_after // 1_000_000,
        "jti": order.chain,
        "custody": {"chain": order.chain, "broker": BROKER, "seq": 41},
        "scope": "read",
        "act": {"sub": "person:idp:ann", "act": {"sub": "agent:bot:7"}},
        "authorization_details": [json.loads(detail)],
    }
    assert plan.key == made.keys[0] == f"jwt_jti:broker.example:{order.chain}"
    header = json.loads(base64.urlsafe_b64decode(token(made).split(".")[0] + "=="))
    assert header == {"alg": "EdDSA", "kid": made.server["kid"], "typ": "at+jwt"}
    assert made.not_after <= order.now + order.ttl * 1_000_000


@pytest.mark.parametrize(
    ("options", "changes", "claim", "value"),
    [
        ({"subject": "identity"}, {}, "sub", "payments-runner"),
        ({"subjects": {"payments-runner": "urn:app:pay"}}, {}, "sub", "urn:app:pay"),
        ({}, {"subject": "k8s_service_account:-:app/pay"}, "sub", "k8s_service_account:-:app/pay"),
        ({}, {"audience": (), "resource": (API,)}, "aud", API),
        ({}, {"resource": (API,)}, "aud", API),
        ({"several_audiences": True}, {"audience": (API, OTHER)}, "aud", [API, OTHER]),
        ({"scopes": ["read", "write"]}, {"scope": ("write", "read", "write")}, "scope", "write read"),
        ({}, {"scope": ()}, "scope", None),
        ({}, {}, "act", None),
        ({"algorithm": "ES256"}, {}, "jti", ...),
        ({"algorithm": "Ed25519"}, {}, "jti", ...),
    ],
)
def test_a_claim_is_as_the_broker_file_and_the_request_have_it(
    rig: Rig, options: dict[str, object], changes: dict[str, object], claim: str, value: object
) -> None:
    table = msgspec.structs.replace(
        rig.table, name="another", options={**rig.table.options, "audiences": [API, OTHER], **options}
    )
    backend = build(table, rig.door)
    assert isinstance(backend, JwtBackend)
    order = rig.order(**changes)

    claims = verified(backend, backend.issue(order, backend.plan(order)), rig.clock.now())

    assert claims.get(claim) == (order.chain if value is ... else value)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"audience": ()}, "no-audience"), ({"audience": (API, OTHER)}, "several-audiences")],
)
def test_a_token_is_for_one_audience(rig: Rig, changes: dict[str, object], reason: str) -> None:
    with pytest.raises(IntentRefused) as refused:
        of(rig, audiences=[API, OTHER]).plan(rig.order(**changes))

    assert refused.value.reason == reason


def test_a_changed_token_does_not_verify(rig: Rig) -> None:
    _, _, made = rig.issued()
    head, claims, signature = token(made).split(".")
    more = (
        base64.urlsafe_b64encode(base64.urlsafe_b64decode(claims + "==").replace(b'"read"', b'"root"'))
        .rstrip(b"=")
        .decode()
    )

    with pytest.raises(BadSignatureError):
        independent.decode(f"{head}.{more}.{signature}", published(of(rig), rig.clock.now()), algorithms=["EdDSA"])


def test_it_waits_for_its_expiry_and_the_leeway_of_others(rig: Rig) -> None:
    order, plan, made = rig.issued()
    one = held(order, plan, made)

    rig.clock.forward(order.ttl + 59)
    waiting = rig.backend.look(one)
    rig.clock.forward(1)

    assert waiting.effect is Effect.WAITING
    assert rig.backend.look(one).effect is Effect.GONE


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256"])
def test_a_rotation_loses_no_token_and_surprises_no_cache(rig: Rig, algorithm: str) -> None:
    backend = build(
        msgspec.structs.replace(rig.table, name="turning", options={**rig.table.options, "algorithm": algorithm}),
        rig.door,
    )
    assert isinstance(backend, JwtBackend)
    cached = published(backend, rig.clock.now())
    order = rig.order(ttl=3600)
    old = backend.issue(order, backend.plan(order))
    assert backend.tend() is None

    rig.clock.forward(31 * DAY)
    order = rig.order(ttl=3600)
    last = backend.issue(order, backend.plan(order))
    kid = backend.tend()
    order = rig.order()
    new = backend.issue(order, backend.plan(order))

    assert kid == new.server["kid"] != old.server["kid"]
    assert backend.tend() is None
    # Who cached the set a month ago verifies the token of the key that came since.
    assert independent.decode(token(new), cached, algorithms=[algorithm]).claims["jti"]
    assert verified(backend, last, rig.clock.now())
    rig.clock.forward(3600 + 59)
    assert verified(backend, last, rig.clock.now())
    rig.clock.forward(2)
    with pytest.raises((JoseError, ValueError)):
        verified(backend, last, rig.clock.now())
    assert len(key_set((backend.ring,), rig.clock.now())["keys"]) == 2


def test_a_key_that_is_not_trusted_any_more_verifies_nothing_and_neither_does_the_one_beside_it(rig: Rig) -> None:
    backend = of(rig)
    _, _, made = rig.issued()
    before = {key.kid for key in key_set((backend.ring,), rig.clock.now())["keys"]}

    backend.rotate(distrusted=True)

    after = {key.kid for key in key_set((backend.ring,), rig.clock.now())["keys"]}
    assert before & after == set()
    with pytest.raises((JoseError, ValueError)):
        verified(backend, made, rig.clock.now())
    order, _, fresh = rig.issued()
    assert verified(backend, fresh, rig.clock.now())["jti"] == order.chain


def test_a_broker_that_starts_again_signs_with_the_same_key_and_believes_the_same(rig: Rig) -> None:
    first = of(rig)
    _, _, made = rig.issued()
    first.rotate()

    again = build(rig.table, rig.door)

    assert isinstance(again, JwtBackend)
    assert again.ring == first.ring
    assert verified(again, made, rig.clock.now())


def test_a_disk_that_fails_leaves_the_old_key_signing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = of(rig)
    before = backend.ring

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backend._folder._disk, "write", full)
    with pytest.raises(BackendFailed) as failed:
        backend.rotate()

    assert failed.value.reason == "keys"
    assert backend.ring == before
    order, _, made = rig.issued()
    assert verified(backend, made, rig.clock.now())["jti"] == order.chain


def test_introspection_knows_a_live_token_and_says_nothing_of_any_other(rig: Rig) -> None:
    backend = of(rig)
    order, _, made = rig.issued()
    good, now = token(made), rig.clock.now()
    head, claims, signature = good.split(".")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": made.server["kid"], "typ": "at+jwt"}).encode())

    def asked(text: str, *, at: int = now, issuer: str = ISSUER, ended: frozenset[str] = frozenset()) -> object:
        return introspected(text, (backend.ring,), issuer=issuer, now=at, ended=ended.__contains__)

    answer = asked(good)
    assert isinstance(answer, dict)
    assert answer["active"] is True
    assert (answer["jti"], answer["scope"], answer["client_id"]) == (order.chain, "read", "payments-runner")
    inactive = [
        asked(good, at=made.not_after),
        asked(good, at=now - 60_000_000),
        asked(good, issuer="https://evil.example"),
        asked(good, ended=frozenset({order.chain})),
        asked(f"{none.rstrip(b'=').decode()}.{claims}."),
        asked(f"{head}.{claims}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"),
        asked(f"{head}.{claims}"),
        asked(good + "="),
        asked(good + "ü"),
        asked(""),
        asked("." * 100_000),
        asked(f"{head}.{head}.{signature}"),
    ]
    assert inactive == [{"active": False}] * len(inactive)


def test_metadata_is_what_rfc_8414_asks_for() -> None:
    found = metadata("https://broker.example/", scopes=("read",), details=("query",), introspection=True)

    assert found == {
        "issuer": "https://broker.example/",
        "token_endpoint": "https://broker.example/token",
        "jwks_uri": "https://broker.example/.well-known/jwks.json",
        "response_types_supported": [],
        "grant_types_supported": ["urn:ietf:params:oauth:grant-type:token-exchange"],
        "token_endpoint_auth_methods_supported": ["none"],
        "scopes_supported": ["read"],
        "authorization_details_types_supported": ["query"],
        "introspection_endpoint": "https://broker.example/introspect",
    }


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"audiences": []}, "audiences"),
        ({"scopes": ["two words"]}, "scopes"),
        ({"scopes": ['"']}, "scopes"),
        ({"algorithm": "HS256"}, "options"),
        ({"algorithm": "none"}, "options"),
        ({"leeway": -1}, "leeway"),
        ({"unheard": 1}, "options"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(rig: Rig, options: dict[str, object], where: str) -> None:
    with pytest.raises(UsageError) as refused:
        rig.other(**options)

    assert where in refused.value.where
