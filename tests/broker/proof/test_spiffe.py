"""SPIFFE: ids, bundles, JWT-SVIDs and X.509-SVIDs, and each way in which the standards say that one is none."""

import asyncio
import base64
import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from custody.broker.proof.bundles import Bundle, bundle_from_endpoint, bundle_from_file, parsed_bundle
from custody.broker.proof.exchange import Provers
from custody.broker.proof.held import APART, LIFETIME, Held
from custody.broker.proof.held import SECOND as S
from custody.broker.proof.oidc import KEYS_AGE
from custody.broker.proof.prover import Presented, Proved
from custody.broker.proof.spiffe_id import spiffe_id
from custody.broker.proof.spiffe_jwt import SpiffeJwtProver
from custody.broker.proof.spiffe_x509 import MAX_CHAIN, SpiffeX509Prover
from custody.errors import IdentityRefused
from custody.settings.broker_file import TrustDomain
from custody.sources.spire import names
from tests.broker.issuer import Issuer, SigningKey
from tests.broker.proof.asking import NOW, SECOND, fetching, presented, prove, reason, refusal
from tests.broker.proof.svids import (
    BOTH,
    DOMAIN,
    ID,
    authority,
    bundle,
    der,
    jwt_entry,
    leaf,
    usage,
    x509_entry,
)  # fmt: skip

SIGNER, RSA = SigningKey("ES256", "j"), SigningKey("RS256", "r")
ROOT, INTERMEDIATE = authority(), authority("intermediate", "root")
DOCUMENT = bundle(x509_entry(ROOT), jwt_entry(SIGNER), jwt_entry(RSA))
SETTINGS = TrustDomain(trust_domain=DOMAIN, audience="custody", bundle="bundle.json")


def held(raw: bytes = DOCUMENT, domain: str = DOMAIN) -> Held[Bundle]:
    async def load() -> Bundle:
        return parsed_bundle(raw, domain, "bundle")

    return Held(load)


def svid(signer: SigningKey = SIGNER, header: dict[str, object] | None = None, **said: object) -> bytes:
    usual = {"sub": ID, "aud": ["custody"], "exp": SECOND + 300}
    claims = {name: value for name, value in {**usual, **said}.items() if value is not None}
    return signer.sign(claims, {"typ": None, **(header or {})})


def jwt_prover(raw: bytes = DOCUMENT) -> SpiffeJwtProver:
    return SpiffeJwtProver(SETTINGS, held(raw))


def x509_proof(*chain: bytes, at: int = NOW, raw: bytes = DOCUMENT) -> Proved:
    mine = SpiffeX509Prover(SETTINGS, held(raw))
    return asyncio.run(mine.prove(Presented(certificate=chain, type=""), at))


def x509_reason(*chain: bytes, at: int = NOW, raw: bytes = DOCUMENT) -> str:
    return refusal(lambda: x509_proof(*chain, at=at, raw=raw)).reason


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (ID, "/shop/pay"), ("spiffe://example.org/A-b_c.d", "/A-b_c.d"), ("spiffe://example.org/..a", "/..a"),
        ("spiffe://example.org", None), ("spiffe://example.org/", None), ("spiffe:///x", None), ("SPIFFE://a/x", None),
        ("spiffe://Example.org/x", None), ("spiffe://example.org:80/x", None), ("spiffe://u@example.org/x", None),
        ("spiffe://example.org/x?y", None), ("spiffe://example.org/x#y", None), ("spiffe://example.org/x/", None),
        ("spiffe://example.org//x", None), ("spiffe://example.org/./x", None), ("spiffe://example.org/x/..", None),
        ("spiffe://example.org/%41", None), ("spiffe://example.org/x y", None), ("spiffe://example.org/é", None),
        ("spiffe://" + "a" * 256 + "/x", None), ("spiffe://example.org/" + "a" * 2048, None), ("", None),
        ("https://example.org/x", None), ("spiffe://example.org/x\n", None), ("spiffe://exa\u0430mple.org/x", None),
    ],
)  # fmt: skip
def test_an_id_is_as_the_standard_writes_it(text: str, path: str | None) -> None:
    found = spiffe_id(text)

    assert (found.path if found else None) == path
    if found:
        assert (str(found), found.key) == (text, names.workload(text))  # as SPIRE's log has it


@pytest.mark.parametrize("signer", [SIGNER, RSA, SigningKey("PS256", "r")])
def test_a_jwt_svid_proves_its_workload(signer: SigningKey) -> None:
    given_ = svid(signer, {"typ": "JOSE"}, iss="https://spire.example.org", jti="j-1", iat=SECOND)
    proof = prove(jwt_prover(), given_).proof

    assert (proof.method, proof.issuer, proof.subject) == ("spiffe-jwt", DOMAIN, ID)
    assert proof.workload == "spiffe:example.org:/shop/pay"
    assert proof.credential == "jwt_jti:spire.example.org:j-1"
    assert proof.digest == sha256(given_).hexdigest()
    assert proof.trust == sha256(DOCUMENT).hexdigest()
    assert prove(jwt_prover(), svid()).proof.credential is None


@pytest.mark.parametrize(
    ("signer", "header", "said", "word"),
    [
        (SIGNER, {}, {"aud": ["custody", "other"]}, "wrong-audience"),
        (SIGNER, {}, {"aud": ["other"]}, "wrong-audience"),
        (SIGNER, {}, {"aud": None}, "wrong-audience"),
        (SIGNER, {}, {"exp": None}, "malformed"),
        (SIGNER, {}, {"exp": SECOND - 60}, "token-expired"),
        (SIGNER, {}, {"nbf": SECOND + 61}, "not-yet-valid"),
        (SIGNER, {}, {"sub": "spiffe://example.org/"}, "svid-name"),
        (SIGNER, {}, {"sub": "spiffe://example.org/a//b"}, "svid-name"),
        (SIGNER, {}, {"sub": "spiffe://other.org/x"}, "svid-name"),
        (SIGNER, {}, {"sub": "workload"}, "svid-name"),
        (SIGNER, {}, {"sub": None}, "svid-name"),
        (SIGNER, {"typ": "at+jwt"}, {}, "token-type"),
        (SIGNER, {"kid": None}, {}, "unknown-key"),
        (SIGNER, {"kid": "x"}, {}, "unknown-key"),
        (SIGNER, {"alg": "none"}, {}, "algorithm"),
        (SIGNER, {"alg": "HS256"}, {}, "algorithm"),
        (SigningKey("EdDSA", "j"), {}, {}, "algorithm"),
        (SigningKey("ES256", "j", 8), {}, {}, "bad-signature"),
    ],
)
def test_a_jwt_svid_is_held_against_the_standard(
    signer: SigningKey, header: dict[str, object], said: dict[str, object], word: str
) -> None:
    assert reason(jwt_prover(), svid(signer, header, **said)) == word


def test_the_only_key_still_has_to_be_named() -> None:
    alone = bundle(jwt_entry(SIGNER))

    assert reason(jwt_prover(alone), svid(SIGNER, {"kid": None})) == "unknown-key"
    assert prove(jwt_prover(alone), svid()).proof.subject == ID


def test_keys_of_a_bundle_rotate(tmp_path: Path) -> None:
    path, new = tmp_path / "bundle.json", SigningKey("ES256", "n", 9)
    path.write_bytes(DOCUMENT)
    bundles: Held[Bundle] = Held(bundle_from_file(DOMAIN, path), lambda found: found.lifetime)
    mine = SpiffeJwtProver(SETTINGS, bundles)

    assert prove(mine, svid()).proof.subject == ID
    path.write_bytes(bundle(jwt_entry(new), spiffe_sequence=4))
    assert prove(mine, svid(new), NOW + APART).proof.subject == ID
    assert reason(mine, svid(), NOW + APART) == "unknown-key"
    path.write_bytes(DOCUMENT)  # an old bundle, played again
    late = NOW + APART + 300 * S
    assert reason(mine, svid(exp=SECOND + 3000), late) == "unknown-key"
    path.unlink()
    later = NOW + APART + LIFETIME
    assert prove(mine, svid(new, exp=SECOND + 3000), later).proof.claims[KEYS_AGE] == str(LIFETIME // S)


def test_a_bundle_comes_from_an_endpoint() -> None:
    with Issuer() as server:
        server.answers["/bundle"] = lambda handler: handler.send(DOCUMENT)
        load = bundle_from_endpoint(DOMAIN, f"{server.url}/bundle", fetching(server))
        found = asyncio.run(Held(load).get(NOW)).value

        assert (found.sequence, found.refresh, len(found.authorities), len(found.keys.keys)) == (3, 300, 1, 2)
        server.answers["/bundle"] = lambda handler: handler.send(b"{}", status=301, Location="https://example.com/")
        assert refusal(lambda: asyncio.run(Held(load).get(NOW))).reason == "issuer-unreachable"


@pytest.mark.parametrize(("hint", "seconds"), [(1, 60), (300, 300), (10**9, 600), (None, 600), (0, 600)])
def test_a_refresh_hint_is_followed_within_bounds(hint: int | None, seconds: int) -> None:
    said = {} if hint is None else {"spiffe_refresh_hint": hint}
    raw = json.dumps({"keys": [jwt_entry(SIGNER)], **said}).encode()

    assert parsed_bundle(raw, DOMAIN, "x").refresh == seconds


def _entry(**said: object) -> dict[str, object]:
    return {**x509_entry(ROOT), **said}


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"[]", b"{}", b"x" * (513 << 10), bundle(), bundle({"kty": "EC", "use": "other"}), bundle(_entry(x5c=[])),
        bundle(_entry(x5c=[base64.b64encode(der(ROOT)).decode()] * 2)),
        bundle(_entry(x5c="x")), bundle(_entry(x5c=["!!!"])),
        bundle(_entry(x5c=["AAAA"])), bundle(_entry(x5c=[base64.b64encode(leaf()).decode()])),
        bundle(_entry(x5c=[base64.b64encode(leaf(ca=None)).decode()])), bundle(_entry(d="must-not-stay")),
        bundle({**jwt_entry(SIGNER), "kid": None}),
        bundle({name: value for name, value in jwt_entry(SIGNER).items() if name != "kid"}),
        bundle(_entry(), spiffe_sequence="3"),
        bundle(_entry(), spiffe_sequence=-1), bundle(_entry(), spiffe_refresh_hint=1.5),
        bundle(_entry(), spiffe_sequence=True), b'{"keys": [], "keys": []}',
    ],
)  # fmt: skip
def test_a_document_that_is_no_bundle_is_refused(raw: bytes) -> None:
    assert refusal(lambda: parsed_bundle(raw, DOMAIN, "x")).reason == "issuer-document"


@pytest.mark.parametrize("dns", [(), ("pay.shop.svc",)])
@pytest.mark.parametrize("chain", [("root",), ("intermediate",)])
def test_an_x509_svid_proves_its_workload(chain: tuple[str], dns: tuple[str, ...]) -> None:
    own = leaf(chain[0], dns=dns)
    below = () if chain == ("root",) else (der(INTERMEDIATE),)
    proof = x509_proof(own, *below).proof

    assert (proof.method, proof.issuer, proof.subject) == ("spiffe-x509", DOMAIN, ID)
    assert proof.workload == "spiffe:example.org:/shop/pay"
    assert proof.credential == f"x509_sha256:x509:{sha256(own).hexdigest()}"
    assert proof.key == sha256(der(ROOT)).hexdigest()
    assert proof.trust == sha256(DOCUMENT).hexdigest()
    assert proof.expires == "2026-11-22T12:57:36.000000Z"


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: leaf(uris=()), "svid-name"),
        (lambda: leaf(uris=(), dns=("a.example.org",)), "svid-name"),
        (lambda: leaf(uris=(ID, "spiffe://example.org/b")), "svid-name"),
        (lambda: leaf(uris=(ID, ID)), "svid-name"),
        (lambda: leaf(uris=(ID, "https://example.org")), "svid-name"),
        (lambda: leaf(uris=("spiffe://example.org",)), "svid-name"),
        (lambda: leaf(uris=("https://example.org/x",)), "svid-name"),
        (lambda: leaf(uris=("spiffe://other.org/x",)), "untrusted-issuer"),
        (lambda: leaf(ca=True), "svid-usage"),
        (lambda: leaf(usages=usage(certificates=True)), "svid-usage"),
        (lambda: leaf(usages=usage(lists=True)), "svid-usage"),
        (lambda: leaf(usages=usage(sign=False)), "svid-usage"),
        (lambda: leaf(bare=True), "svid-usage"),
        (lambda: leaf(purposes=BOTH[:1]), "svid-usage"),
        (lambda: leaf(critical=True), "svid-usage"),
        (lambda: leaf(ends=-0.001), "svid-expired"),
        (lambda: leaf(begins=0.001), "svid-expired"),
        (lambda: leaf("intermediate"), "svid-chain"),
        (lambda: leaf("stranger"), "svid-chain"),
        (lambda: leaf(signer="stranger"), "svid-chain"),
        (lambda: leaf()[:-1] + bytes([leaf()[-1] ^ 1]), "svid-chain"),
        (lambda: leaf()[:-5], "malformed"),
        (lambda: leaf() + b"\x00", "malformed"),
        (lambda: b"", "malformed"),
        (lambda: b"x" * (17 << 10), "too-large"),
    ],
)
def test_an_x509_svid_is_held_against_the_standard(make: Callable[[], bytes], word: str) -> None:
    assert x509_reason(make()) == word


@pytest.mark.parametrize("critical", [{"ca": None}, {"purposes": None}])
def test_what_the_standard_leaves_open_is_left_open(critical: dict[str, object]) -> None:
    assert x509_proof(leaf(**critical)).proof.subject == ID  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "below",
    [
        authority("intermediate", "root", ca=False),
        authority("intermediate", "root", days=-0.5),
        authority("intermediate", "stranger"),
        authority("intermediate"),
    ],
)
def test_a_path_holds_in_every_link(below: object) -> None:
    assert x509_reason(leaf("intermediate"), der(below)) == "svid-chain"  # type: ignore[arg-type]


def test_a_path_is_no_longer_than_its_authorities_say() -> None:
    short = bundle(x509_entry(authority(path=0)))

    assert x509_proof(leaf(), raw=short).proof.subject == ID
    assert x509_reason(leaf("intermediate"), der(INTERMEDIATE), raw=short) == "svid-chain"


def test_a_workload_cannot_issue_for_others() -> None:
    """Signed by the key of an SVID that chains to the bundle itself."""
    own = leaf(uris=("spiffe://example.org/thief",))

    assert x509_reason(leaf("workload", signer="workload"), own) == "svid-chain"


def test_authorities_that_a_client_shows_are_not_trusted() -> None:
    assert x509_reason(leaf("stranger"), der(authority("stranger"))) == "svid-chain"


def test_a_chain_leads_to_the_bundle_of_its_own_domain_alone() -> None:
    """Two domains are trusted; the authority of one names a workload of the other."""
    other = bundle(x509_entry(authority("other")))
    settings = TrustDomain(trust_domain="other.org", audience="custody", bundle="x")
    both = Provers([SpiffeX509Prover(SETTINGS, held()), SpiffeX509Prover(settings, held(other, "other.org"))])

    def ask(own: bytes) -> Proved:
        return asyncio.run(both.prove(Presented(certificate=(own,), type=""), NOW))

    assert ask(leaf()).proof.issuer == DOMAIN
    assert ask(leaf("other", uris=("spiffe://other.org/x",))).proof.issuer == "other.org"
    assert refusal(lambda: ask(leaf("other"))).reason == "svid-chain"
    assert refusal(lambda: ask(leaf(uris=("spiffe://other.org/x",)))).reason == "svid-chain"
    assert refusal(lambda: ask(leaf(uris=("spiffe://third.org/x",)))).reason == "untrusted-issuer"


def test_a_chain_is_bounded_and_validity_is_of_the_moment() -> None:
    assert x509_reason(leaf(), *[der(INTERMEDIATE)] * MAX_CHAIN) == "too-large"
    assert x509_reason() == "no-proof"
    assert x509_reason(leaf(), at=NOW + 3600 * S) == "svid-expired"
    assert x509_reason(leaf(), raw=bundle(jwt_entry(SIGNER))) == "svid-chain"


def test_the_tls_layer_is_given_the_authorities_of_the_bundle() -> None:
    both = Provers([jwt_prover(), SpiffeX509Prover(SETTINGS, held()), SpiffeX509Prover(SETTINGS, held())])

    assert asyncio.run(both.authorities(NOW)) == (der(ROOT),)


def test_a_token_goes_before_the_certificate_of_its_connection() -> None:
    both = Provers([jwt_prover(), SpiffeX509Prover(SETTINGS, held())])
    own = leaf(uris=("spiffe://example.org/gateway",))

    assert asyncio.run(both.prove(presented(svid(), own), NOW)).proof.subject == ID
    assert asyncio.run(both.prove(Presented(certificate=(own,), type=""), NOW)).proof.method == "spiffe-x509"
    assert reason(both, svid(aud="x"), NOW, own) == "wrong-audience"


@pytest.mark.parametrize("first", [b"\x00", b"\x80", b"\xff"])
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_a_serial_number_is_positive(first: bytes) -> None:
    """The library only warns of it for now."""
    own = leaf()
    place = own.index(b"\xa0\x03\x02\x01\x02\x02") + 6
    length = own[place]
    serial = first + own[place + 2 : place + 1 + length] if first != b"\x00" else b"\x00" * length

    assert x509_reason(own[: place + 1] + serial + own[place + 1 + length :]) == "malformed"


LEAF = leaf()


@settings(max_examples=100, deadline=None)
@given(some.binary(max_size=64), some.integers(0, len(LEAF) - 1), some.integers(0, 255))
def test_any_certificate_proves_or_is_refused_and_nothing_else(raw: bytes, place: int, byte: int) -> None:
    changed = LEAF[:place] + bytes([byte]) + LEAF[place + 1 :]
    for chain in ((raw,), (changed,), (LEAF, raw), (LEAF, changed)):
        try:
            proof = x509_proof(*chain).proof
        except IdentityRefused:
            refusal(lambda: x509_proof(*chain), raw)  # noqa: B023
        else:
            assert (chain[0], proof.subject) == (LEAF, ID)
