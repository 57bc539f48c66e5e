"""OpenID Connect tokens: who they name, and everything by which they must not pass. No token is ever shown."""

import base64
import builtins
import hmac
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from hashlib import sha256

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeyParameters, OKPKey, RSAKey

from custody.errors import UsageError
from custody.model.times import microseconds
from custody.pipeline.oidc import LEEWAY, Checked, check

ISSUER, AUDIENCE = "https://issuer.example.com", "custody"
NOW = microseconds("2026-11-22T12:00:00Z") or 0
SECOND = NOW // 1_000_000
WHERE = ("token.jwt", "jwks.json")
SUBJECT = "must-not-stay-subject"

CLAIMS: Mapping[str, object] = {
    "iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "iat": SECOND - 10, "exp": SECOND + 300,
}  # fmt: skip


@cache
def key(algorithm: str) -> Key:
    """A key for an algorithm, with a key id of its own."""
    parameters: KeyParameters = {"kid": f"k-{algorithm}"}
    match algorithm:
        case "ES256":
            return ECKey.generate_key("P-256", parameters)
        case "EdDSA" | "Ed25519":
            return OKPKey.generate_key("Ed25519", parameters)
    return RSAKey.generate_key(2048, parameters)


def token(
    algorithm: str = "ES256", signer: Key | None = None, kid: str | None = "", said: Mapping[str, object] = CLAIMS
) -> bytes:
    """A signed token; ``said`` are the claims in which it differs, one of None is left out."""
    claims = {name: value for name, value in {**CLAIMS, **said}.items() if value is not None}
    header = {"alg": algorithm} | ({} if kid is None else {"kid": kid or f"k-{algorithm}"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return jwt.encode(header, claims, signer or key(algorithm), algorithms=[algorithm]).encode()


def jwks(*keys: Key) -> bytes:
    return json.dumps({"keys": [one.as_dict(private=False) for one in keys]}).encode()


def checked(
    given: bytes, keys: bytes | None = None, *, now: int = NOW, issuer: str = ISSUER, audience: str = AUDIENCE
) -> Checked:
    return check(given, keys or jwks(key("ES256")), issuer=issuer, audience=audience, now=now, where=WHERE)


def refused(given: bytes, keys: bytes | None = None, **options: object) -> UsageError:
    with pytest.raises(UsageError) as error:
        checked(given, keys, **options)  # type: ignore[arg-type]
    text = " ".join((str(error.value), error.value.advice))
    assert "must-not-stay" not in text
    assert not [part for part in given.decode("latin-1").split(".") if len(part) > 10 and part in text]
    return error.value


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"])
def test_a_token_names_its_subject(algorithm: str) -> None:
    keys = jwks(key(algorithm))
    found = checked(token(algorithm), keys)

    assert found.principals == (f"{ISSUER}#ann",)
    assert found.key == key(algorithm).thumbprint()
    assert found.anchor == sha256(keys).hexdigest()
    assert (found.issued, found.expires) == (SECOND - 10, SECOND + 300)
    assert found.signature().method == "oidc"


def test_the_thumbprint_is_that_of_rfc_7638() -> None:
    """Computed here from the members that RFC 7638 names, in their order, without blanks."""
    public = key("ES256").as_dict(private=False)
    members = json.dumps({name: public[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    expected = base64.urlsafe_b64encode(sha256(members.encode()).digest()).decode().rstrip("=")

    assert checked(token()).key == expected


@pytest.mark.parametrize(
    ("claims", "names"),
    [
        ({"email": "ann@example.com", "email_verified": True}, ["ann@example.com"]),
        ({"email": "ann@example.com", "email_verified": False}, []),
        ({"email": "ann@example.com", "email_verified": "true"}, []),
        ({"email": "ann@example.com"}, []),
        ({"email": "x,ann@example.com", "email_verified": True}, []),
        ({"email": "ann@example.com\n", "email_verified": True}, []),
    ],
)
def test_an_address_counts_only_where_the_issuer_verified_it(claims: dict[str, object], names: list[str]) -> None:
    assert list(checked(token(said=claims)).principals[1:]) == names


def test_a_subject_cannot_pass_for_two_names() -> None:
    """Names stand in lists with commas between, and a branch may be called ``x,ann@example.com``."""
    found = checked(token(said={"sub": "repo:acme/app:ref:refs/heads/x,ann@example.com é%\x1b"}))

    assert found.principals == (f"{ISSUER}#repo:acme/app:ref:refs/heads/x%2Cann@example.com%20%C3%A9%25%1B",)


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"iss": "https://issuer.example.com/"}, "another issuer"),
        ({"iss": "https://evil.example.com"}, "another issuer"),
        ({"aud": "other"}, "another audience"),
        ({"aud": [AUDIENCE, "other"]}, "for several"),
        ({"aud": []}, "another audience"),
        ({"sub": ""}, "names nobody"),
        ({"sub": "x" * 501}, "names nobody"),
        ({"exp": SECOND - LEEWAY}, "expired"),
        ({"iat": SECOND + LEEWAY + 1}, "from the future"),
        ({"nbf": SECOND + LEEWAY + 1}, "not valid yet"),
        ({"iss": None}, "lacks a claim"),
        ({"sub": None}, "lacks a claim"),
        ({"aud": None}, "lacks a claim"),
        ({"exp": None}, "lacks a claim"),
        ({"iat": None}, "lacks a claim"),
        ({"exp": "never"}, "lacks a claim"),
    ],
)
def test_every_claim_is_held_against_what_was_asked(claims: dict[str, object], said: str) -> None:
    assert said in refused(token(said={"sub": SUBJECT, **claims})).message


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": SECOND - LEEWAY + 1},
        {"iat": SECOND + LEEWAY},
        {"nbf": SECOND + LEEWAY},
        {"aud": [AUDIENCE]},
        {"iat": SECOND - 0.5},
    ],
)
def test_clocks_may_differ_a_little(claims: dict[str, object]) -> None:
    assert checked(token(said=claims)).principals == (f"{ISSUER}#ann",)


def test_a_later_time_is_another_answer() -> None:
    assert "expired" in refused(token(), now=NOW + 3600 * 1_000_000).message


def unsigned(header: dict[str, str]) -> bytes:
    parts = (json.dumps(part).encode() for part in (header, {**CLAIMS, "sub": SUBJECT}))
    return b".".join([*(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts), b""])


def with_public_key_as_secret() -> bytes:
    """The classic: HS256 with the public key's text for a secret."""
    body = unsigned({"alg": "HS256", "kid": "k-ES256"})[:-1]
    public = key("ES256")
    assert isinstance(public, ECKey)
    code = hmac.new(public.as_pem(private=False), body, "sha256").digest()
    return body + b"." + base64.urlsafe_b64encode(code).rstrip(b"=")


@pytest.mark.parametrize(
    "forged",
    [
        lambda: unsigned({"alg": "none"}),
        lambda: unsigned({"alg": "ES256", "kid": "k-ES256"}),
        with_public_key_as_secret,
        lambda: token()[:-4] + b"AAAA",
        lambda: token("RS512", key("RS256")),
        lambda: token(signer=ECKey.generate_key("P-256")),
        lambda: token("RS256", kid="k-ES256"),
        lambda: b"",
        lambda: b"must-not-stay",
        lambda: b"\xff\xfe.\xff.\xff",
        lambda: b"." * 100,
        lambda: token() + b"." + token(),
    ],
)
def test_a_forged_token_is_refused(forged: Callable[[], bytes]) -> None:
    assert refused(forged()).message == "the token does not verify"


def test_the_key_is_the_one_that_the_token_names() -> None:
    both = jwks(key("ES256"), key("RS256"))
    assert checked(token(), both).key == key("ES256").thumbprint()
    assert refused(token(kid="unknown"), both).found == "no key of the set is the token's"
    assert refused(token(kid=None), both).found == "several keys could be the token's"
    assert checked(token(kid=None)).key == key("ES256").thumbprint()


def told(**changes: object) -> bytes:
    return json.dumps({"keys": [{**key("ES256").as_dict(private=False), **changes}]}).encode()


def test_a_key_for_another_use_is_not_the_tokens() -> None:
    assert refused(token(), told(use="enc")).found == "its key is for another use"
    assert refused(token(), told(alg="ES384")).found == "its key is for another use"
    assert checked(token(), told(use="sig", alg="ES256", x5c=["AAAA"])).principals


@pytest.mark.parametrize(
    "keys",
    [b"", b"{}", b"[]", b'{"keys": []}', b'{"keys": 1}', b'{"keys": [1]}', b'{"keys": [{"kty": "EC"}]}', b"\xff"],
)
def test_what_is_no_key_set_is_refused(keys: bytes) -> None:
    found = refused(token(), keys or b" ")
    assert (found.message, found.where) == ("not a set of public keys", "jwks.json")


def test_a_set_with_a_secret_is_refused() -> None:
    secret = json.dumps({"keys": [{"kty": "oct", "k": "bXVzdC1ub3Qtc3RheQ"}]}).encode()
    private = json.dumps({"keys": [key("ES256").as_dict(private=True)]}).encode()

    assert {refused(token(), keys).message for keys in (secret, private)} == {"the set holds a secret key"}


@pytest.mark.parametrize("issuer", ["http://issuer.example.com", "issuer", "https://a,b", "https://a b", ""])
def test_an_issuer_is_a_web_address(issuer: str) -> None:
    """A comma would make two names of one."""
    assert refused(token(said={"iss": issuer}), issuer=issuer).where == "--issuer"


def test_without_the_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object, fromlist: Sequence[str] = (), **more: object) -> object:
        if name.startswith("joserfc"):
            raise ImportError(name)
        return real(name, *rest, **more)  # type: ignore[arg-type]

    given = token()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError) as error:
        checked(given, b"{}")
    assert "custody[oidc]" in error.value.advice
