"""Tokens: what proves a workload, and every way in which one must not. Nothing of a token is in any refusal."""

import base64
import hmac
import json
import time
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as some

from custody.broker.proof.compact import MAX_TOKEN, taken_apart
from custody.broker.proof.exchange import Provers
from custody.broker.proof.oidc import OidcProver
from custody.broker.proof.prover import TOKEN_ACCESS, TOKEN_ID, Presented
from custody.broker.proof.replays import Replays
from custody.broker.proof.strict_json import strict_object
from custody.broker.proof.verifying import LEEWAY, Verified
from custody.errors import IdentityRefused
from tests.broker.issuer import SigningKey, b64
from tests.broker.proof.asking import (
    ISSUER,
    NOW,
    SECOND,
    claims,
    of_issuer,
    presented,
    prove,
    prover,
    reason,
    refusal,
    source,
    together,
    token,
)  # fmt: skip

RSA, EC, ED = SigningKey("RS256", "r"), SigningKey("ES256", "e"), SigningKey("EdDSA", "d")
SECRET = "must-not-stay-in-any-word"


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA", "ES384", "PS512"])
def test_a_token_proves_its_subject(algorithm: str) -> None:
    key = SigningKey(algorithm)
    given_ = token(key)
    proof = prove(prover(key, algorithms=(algorithm,)), given_).proof

    assert (proof.method, proof.issuer, proof.subject) == ("oidc", ISSUER, "workload")
    assert proof.workload == "oidc_subject:issuer.example.com:workload"
    assert proof.credential == "jwt_jti:issuer.example.com:j-1"
    assert proof.digest == sha256(given_).hexdigest()
    assert proof.expires == "2026-11-22T12:05:00.000000Z"
    assert proof.trust == sha256(json.dumps({"keys": [key.jwk()]}).encode()).hexdigest()
    assert proof.claims == {"jti": "j-1", "iat": str(SECOND), "exp": str(SECOND + 300)}
    assert proof.person is False


def test_the_key_is_named_by_its_rfc_7638_thumbprint() -> None:
    """Computed here from the members that RFC 7638 names, in their order, without blanks."""
    public = EC.jwk()
    members = json.dumps({name: public[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))

    assert prove(prover(EC), token(EC)).proof.key == b64(sha256(members.encode()).digest())


def test_ed25519_is_the_same_under_its_old_and_its_new_name() -> None:
    new = SigningKey("Ed25519", "d")

    assert prove(prover(ED), new.sign(claims())).proof.subject == "workload"
    assert prove(prover(new, algorithms=("Ed25519",)), ED.sign(claims())).proof.subject == "workload"


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ({"iss": "https://issuer.example.com/"}, "wrong-issuer"),
        ({"iss": "https://evil.example.com"}, "wrong-issuer"),
        ({"iss": None}, "wrong-issuer"),
        ({"iss": [ISSUER]}, "wrong-issuer"),
        ({"aud": "other"}, "wrong-audience"),
        ({"aud": ["custody", "other"]}, "wrong-audience"),
        ({"aud": ["custody", "custody"]}, "wrong-audience"),
        ({"aud": []}, "wrong-audience"),
        ({"aud": None}, "wrong-audience"),
        ({"aud": {"custody": 1}}, "wrong-audience"),
        ({"aud": "Custody"}, "wrong-audience"),
        ({"exp": SECOND - LEEWAY}, "token-expired"),
        ({"exp": 1}, "token-expired"),
        ({"nbf": SECOND + LEEWAY + 1}, "not-yet-valid"),
        ({"iat": SECOND + LEEWAY + 1}, "not-yet-valid"),
        ({"iat": SECOND - 3600 - LEEWAY}, "too-old"),
        ({"exp": None}, "malformed"),
        ({"iat": None}, "malformed"),
        ({"exp": "never"}, "malformed"),
        ({"exp": True}, "malformed"),
        ({"exp": 10**400}, "malformed"),
        ({"exp": -1}, "malformed"),
        ({"nbf": None, "iat": 0}, "malformed"),
        ({"nbf": []}, "malformed"),
        ({"sub": None}, "malformed"),
        ({"sub": ""}, "malformed"),
        ({"sub": 7}, "malformed"),
        ({"sub": "x" * 1025}, "malformed"),
        ({"sub": "admin\n"}, "malformed"),
        ({"sub": "admin\u202e"}, "malformed"),
        ({"sub": "admin\ud800"}, "malformed"),
        ({"cnf": {"jkt": "x"}}, "unconfirmed"),
        ({"cnf": {}}, "unconfirmed"),
        ({"cnf": None, "act": "agent"}, "act-malformed"),
        ({"act": {}}, "act-malformed"),
        ({"act": {"sub": ["agent"]}}, "act-malformed"),
        ({"act": {"sub": "agent", "act": 1}}, "act-malformed"),
        ({"may_act": {}}, "act-malformed"),
        ({"may_act": "anybody"}, "act-malformed"),
        ({"may_act": {"iss": ISSUER}}, "act-malformed"),
    ],
)  # fmt: skip
def test_every_claim_is_held_against_what_was_asked(said: dict[str, object], word: str) -> None:
    usual = {"sub": SECRET, **said}

    assert reason(prover(), token(None, None, **usual)) == word


@pytest.mark.parametrize(
    "said",
    [
        {"exp": SECOND - LEEWAY + 1},
        {"iat": SECOND + LEEWAY},
        {"nbf": SECOND + LEEWAY},
        {"iat": SECOND - 3600 - LEEWAY + 1},
        {"aud": ["custody"]},
        {"iat": SECOND - 0.5},
        {"sub": "x" * 1024},
    ],
)
def test_what_is_just_within_bounds_is_taken(said: dict[str, object]) -> None:
    assert prove(prover(), token(None, None, **said)).proof.issuer == ISSUER


def forged(header: dict[str, object], signature: bytes = b"", **said: object) -> bytes:
    head = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims(sub=SECRET, **said)).encode())}"
    return f"{head}.{b64(signature)}".encode()


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE"])
@pytest.mark.parametrize("signature", [b"", b"x" * 64])
def test_a_token_without_a_signature_proves_nothing(name: str, signature: bytes) -> None:
    assert reason(prover(), forged({"alg": name, "kid": "k-1"}, signature)) == "algorithm"


@pytest.mark.parametrize("shape", ["pem", "der", "jwk", "modulus"])
def test_a_public_key_is_no_secret_to_sign_with(shape: str) -> None:
    public = RSA.private.public_key()
    secrets = {
        "pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "jwk": json.dumps(RSA.jwk()).encode(),
        "modulus": str(RSA.jwk()["n"]).encode(),
    }
    unsigned = forged({"alg": "HS256", "kid": "r"}).rpartition(b".")[0]
    whole = unsigned + b"." + b64(hmac.digest(secrets[shape], unsigned, "sha256")).encode()

    assert reason(prover(RSA), whole) == "algorithm"


@pytest.mark.parametrize(
    ("signer", "header", "word"),
    [
        (EC, {"alg": "ES256", "kid": "r"}, "algorithm"),
        (EC, {"kid": "d"}, "algorithm"),
        (SigningKey("PS256", "r"), {}, "algorithm"),
        (SigningKey("RS512", "r"), {}, "algorithm"),
        (SigningKey("ES384", "e"), {}, "algorithm"),
        (SigningKey("ES256", "e", 7), {}, "bad-signature"),
        (EC, {"kid": "unknown"}, "unknown-key"),
        (EC, {"kid": None}, "unknown-key"),
        (EC, {"kid": "../../etc/passwd"}, "unknown-key"),
        (EC, {"kid": "e'; DROP TABLE keys; --"}, "unknown-key"),
        (EC, {"kid": "E"}, "unknown-key"),
        (EC, {"kid": "twice"}, "unknown-key"),
        (EC, {"kid": "k" * 257}, "malformed"),
        (EC, {"kid": ""}, "malformed"),
        (EC, {"kid": 1}, "malformed"),
        (EC, {"kid": ["e"]}, "malformed"),
        (EC, {"crit": ["exp"], "exp": 1}, "malformed"),
        (EC, {"crit": []}, "malformed"),
        (EC, {"b64": False}, "malformed"),
        (EC, {"alg": None}, "malformed"),
        (EC, {"alg": ["ES256"]}, "malformed"),
        (EC, {"typ": "dpop+jwt"}, "token-type"),
        (EC, {"typ": "secevent+jwt"}, "token-type"),
        (EC, {"typ": "application/logout+jwt"}, "token-type"),
        (EC, {"typ": 1}, "malformed"),
        (EC, {"act": {"sub": "agent"}}, "act-malformed"),
        (EC, {"sub": "admin"}, "act-malformed"),
    ],
)  # fmt: skip
def test_a_header_cannot_choose_its_key(signer: SigningKey, header: dict[str, object], word: str) -> None:
    """Of a set with several keys; two of them have one id."""
    twice = (SigningKey("ES256", "twice", 3), SigningKey("ES256", "twice", 4))
    mine = prover(RSA, EC, ED, *twice, algorithms=("RS256", "PS256", "ES256", "ES384", "EdDSA", "RS512"))

    assert reason(mine, token(signer, header, sub=SECRET)) == word


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c", "x5t"])
def test_keys_that_a_token_brings_along_are_not_looked_at(name: str) -> None:
    other = SigningKey("ES256", "e", 9)
    brought = {"jwk": other.jwk(), "jku": "https://evil.example.com/k", "x5u": "https://evil.example.com/k"}
    value = brought.get(name, ["MIIB"] if name == "x5c" else "abc")

    assert reason(prover(EC), token(other, {name: value})) == "bad-signature"
    assert prove(prover(EC), token(EC, {name: value})).proof.subject == "workload"


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "application/at+jwt", None])
def test_the_types_of_identities_are_taken(kind: str | None) -> None:
    assert prove(prover(), token(None, {"typ": kind})).proof.subject == "workload"


def test_a_token_without_an_id_does_not_find_its_key_among_several_by_trying() -> None:
    """One of them alone is for its algorithm."""
    assert reason(prover(RSA, EC), token(EC, {"kid": None})) == "unknown-key"


def test_a_key_that_names_no_algorithm_does_not_widen_those_that_are_taken() -> None:
    wide = {name: value for name, value in RSA.jwk().items() if name != "alg"}
    mine = OidcProver(of_issuer(algorithms=("RS256",)), source(more=[wide]))

    assert prove(mine, token(RSA)).proof.subject == "workload"
    for other in ("RS384", "RS512", "PS256"):
        assert reason(mine, token(SigningKey(other, "r"))) == "algorithm"


def test_one_key_needs_no_id() -> None:
    assert prove(prover(SigningKey("ES256", None)), token(None, {"kid": None})).proof.subject == "workload"
    assert reason(prover(SigningKey("ES256", None)), token(None, {"kid": "k-1"})) == "unknown-key"


GOOD = token(EC)
HEAD, BODY, SIGNATURE = GOOD.split(b".")


def body(text: str) -> bytes:
    return EC.sign(text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (b"x", "malformed"),
        (b"a.b", "malformed"),
        (b"a.b.c.d.e", "malformed"),
        (GOOD + b"\n", "malformed"),
        (b" " + GOOD, "malformed"),
        (b"Bearer " + GOOD, "malformed"),
        (GOOD + b"==", "malformed"),
        (b".".join((HEAD, BODY, SIGNATURE[:-2])), "bad-signature"),
        (b".".join((HEAD, BODY, SIGNATURE[:-1] + (b"B" if SIGNATURE[-1:] == b"A" else b"A"))), None),
        (b".".join((HEAD, BODY, b"")), "bad-signature"),
        (b".".join((HEAD, BODY, b"A" * 400)), "bad-signature"),
        (b".".join((BODY, HEAD, SIGNATURE)), "malformed"),
        (b"\xff\xfe\x00", "malformed"),
        (b"x" * (MAX_TOKEN + 1), "too-large"),
        (body("[]"), "malformed"),
        (body("null"), "malformed"),
        (body(""), "malformed"),
        (body("{}{}"), "malformed"),
        (body("\ufeff{}"), "malformed"),
        (body("\ud800"), "malformed"),
        (body('{"a": NaN}'), "malformed"),
        (body('{"a": Infinity}'), "malformed"),
        (body('{"a": ' + "9" * 5000 + "}"), "malformed"),
        (body('{"iss": "x", "iss": "x"}'), "malformed"),
        (body('{"a": {"b": 1, "b": 2}}'), "malformed"),
        (body('{"\\u0061": 1, "a": 2}'), "malformed"),
        (body("{" + '"a": {' * 16 + "}" * 17), "malformed"),
        (body('{"a": ' + "[" * 5000 + "]" * 5000 + "}"), "malformed"),
        (EC.sign(claims(), b'{"alg":"ES256","kid":"e","alg":"none"}'), "malformed"),
        (EC.sign(claims(), b"[" * 9000), "malformed"),
        (EC.sign(claims(), b""), "malformed"),
    ],
)  # fmt: skip
def test_bytes_that_are_no_token_are_refused(raw: bytes, word: str | None) -> None:
    found = reason(prover(EC), raw)

    assert found == word if word else found in ("malformed", "bad-signature")


@pytest.mark.parametrize(
    "text", ['"' + '\\"' * 50_000, '"' * 100_001, '"' + "\\" * 100_001, "{" * 100_000, '{"a":' * 20_000]
)
def test_no_bytes_take_long(text: str) -> None:
    """Strings that never end, escapes upon escapes: a check that goes back at each of them would take minutes."""
    began = time.process_time()

    with pytest.raises(ValueError, match="no JSON object that is taken"):
        strict_object(("[" * 20 + text).encode())
    assert time.process_time() - began < 1


def test_brackets_in_text_are_no_depth() -> None:
    assert prove(prover(EC), token(EC, None, ref="{[" * 40 + '\\"')).proof.subject == "workload"


def test_a_signature_has_one_encoding_alone() -> None:
    """The last character of 64 bytes in base64url carries four bits that count nothing: only zeros are taken."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    place = alphabet.index(GOOD[-1:])
    other = GOOD[:-1] + alphabet[place + 1 : place + 2]

    assert base64.urlsafe_b64decode(other.rpartition(b".")[2] + b"==") == base64.urlsafe_b64decode(SIGNATURE + b"==")
    assert reason(prover(EC), other) == "malformed"


def test_a_token_bound_to_a_certificate_counts_from_its_holder_alone() -> None:
    own = b"a certificate in DER"
    bound = token(EC, None, cnf={"x5t#S256": b64(sha256(own).digest())})

    assert prove(prover(EC), bound, NOW, own, b"issuer").proof.subject == "workload"
    assert reason(prover(EC), bound) == "unconfirmed"
    assert reason(prover(EC), bound, NOW, b"another") == "unconfirmed"
    assert reason(prover(EC), bound, NOW, b"another", own) == "unconfirmed"


def test_a_verified_signature_is_remembered_and_times_are_not() -> None:
    mine, given_ = prover(EC), token(EC)

    assert prove(mine, given_).proof == prove(mine, given_).proof
    assert reason(mine, given_, NOW + 400_000_000) == "token-expired"
    assert reason(mine, given_, NOW - 400_000_000) == "not-yet-valid"
    assert prove(mine, given_).proof.subject == "workload"
    assert reason(mine, given_[:-8] + b"AAAAAAAA") == "bad-signature"


def test_a_token_counts_again_until_it_expires_unless_its_issuer_says_once() -> None:
    once, usual = OidcProver(of_issuer(), source(EC), Replays()), prover(EC)
    given_, other = token(EC), token(EC, None, jti="j-2")

    assert prove(usual, given_).proof == prove(usual, given_).proof
    assert prove(once, given_).proof.credential == "jwt_jti:issuer.example.com:j-1"
    assert reason(once, given_) == "replayed"
    assert reason(once, token(EC)) == "replayed"  # signed again, and so other bytes: it is the same token
    assert prove(once, other).proof.credential == "jwt_jti:issuer.example.com:j-2"


def test_a_token_without_an_id_counts_once_however_it_is_signed() -> None:
    """Somebody who has an ECDSA signature can make a second one of it: (r, -s) is valid too."""
    once, given_ = OidcProver(of_issuer(), source(EC), Replays()), token(EC, None, jti=None)
    raw = base64.urlsafe_b64decode(given_.rpartition(b".")[2] + b"==")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    other = raw[:32] + (order - int.from_bytes(raw[32:])).to_bytes(32)
    twin = given_.rpartition(b".")[0] + b"." + b64(other).encode()

    assert prove(prover(EC), twin).proof.subject == "workload"
    assert prove(once, given_).proof.credential is None
    assert reason(once, twin) == "replayed"


def test_many_at_once_use_a_token_once() -> None:
    once, given_ = OidcProver(of_issuer(), source(EC), Replays()), presented(token(EC))
    found = together(*(once.prove(given_, NOW) for _ in range(8)))

    assert sorted(type(each).__name__ for each in found) == ["IdentityRefused"] * 7 + ["Proved"]


def test_the_memory_of_tokens_is_bounded_and_forgets_only_what_expired() -> None:
    seen = Replays(2)
    seen.take("a", SECOND + 10, NOW)
    seen.take("b", SECOND + 500, NOW)

    assert refusal(lambda: seen.take("c", SECOND + 10, NOW)).reason == "replayed"
    assert refusal(lambda: seen.take("a", SECOND + 10, NOW + 69_000_000)).reason == "replayed"
    seen.take("c", SECOND + 500, NOW + 70_000_000)
    assert len(seen) == 2
    assert refusal(lambda: seen.take("b", SECOND + 500, NOW + 70_000_000)).reason == "replayed"


@pytest.mark.parametrize("kind", [TOKEN_ID, TOKEN_ACCESS])
def test_a_prover_knows_the_tokens_of_its_issuer(kind: str) -> None:
    mine = prover(EC)

    assert mine.knows(presented(GOOD, kind=kind))
    assert not mine.knows(presented(token(EC, None, iss="https://other.example.com")))
    assert not mine.knows(presented(GOOD, kind="urn:ietf:params:oauth:token-type:saml2"))
    assert not mine.knows(presented(b"nothing"))
    assert not mine.knows(Presented(certificate=(b"x",), type=""))


def test_nothing_that_holds_a_token_shows_it() -> None:
    verified = Verified(claims={"sub": SECRET}, digest="", key="", trust="", expires=0.0, age=0)

    assert SECRET not in f"{verified!r}{taken_apart(token(EC, None, sub=SECRET))!r}{presented(SECRET.encode())!r}"


PROVERS = Provers([prover(EC)])
PIECES = some.sampled_from([HEAD, BODY, SIGNATURE, b".", b"e30", b"eyJhbGciOiJub25lIn0", b"=", b"\x00", b"-_"])


@settings(max_examples=100, deadline=None)
@given(some.one_of(some.binary(max_size=200), some.lists(PIECES | some.binary(max_size=8), max_size=6).map(b"".join)))
def test_any_bytes_prove_or_are_refused_and_nothing_else(raw: bytes) -> None:
    try:
        proved = prove(PROVERS, raw)
    except IdentityRefused:
        refusal(lambda: prove(PROVERS, raw), raw)
    else:
        assert proved.proof.subject == "workload"
        assert raw == GOOD


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=8),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = some.sampled_from(["iss", "aud", "sub", "exp", "iat", "nbf", "jti", "cnf", "act", "may_act", "kubernetes.io"])


@settings(max_examples=100, deadline=None)
@given(some.dictionaries(NAMES, JSON, max_size=4), some.sampled_from(["github", "gitlab", "kubernetes", "generic"]))
def test_any_signed_claims_prove_or_are_refused_and_nothing_else(said: dict[str, object], platform: str) -> None:
    whole = EC.sign({**claims(sub="system:serviceaccount:shop:pay"), **said})
    mine = prover(EC, platform=platform)
    try:
        proof = prove(mine, whole).proof
    except IdentityRefused:
        refusal(lambda: prove(mine, whole))
    else:
        assert proof.subject.isprintable()
        assert all(len(value) <= 256 and value.isprintable() for value in proof.claims.values())
