"""From the broker file to provers: what is wrong is said at the start; and every reason of a refusal is in the docs."""

import asyncio
import json
from collections.abc import Awaitable
from pathlib import Path

import pytest

from custody.broker.proof.building import person_prover, provers
from custody.broker.proof.fetching import Fetch
from custody.broker.proof.held import APART, LIFETIME, STALE
from custody.broker.proof.held import SECOND as S
from custody.broker.proof.prover import Presented
from custody.broker.proof.refusals import REASONS, refused
from custody.errors import UsageError
from custody.settings.broker_file import BrokerFile, OidcIssuer, People, TrustDomain
from tests.broker.issuer import SigningKey
from tests.broker.proof.asking import ISSUER, NOW, prove, reason, token
from tests.broker.proof.svids import ID, authority, bundle, jwt_entry, leaf, x509_entry
from tests.broker.proof.test_spiffe import svid

DOCS = Path(__file__).resolve().parents[3] / "docs" / "identity.md"
JWT_KEY = SigningKey("ES256", "j")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [SigningKey().jwk()]}))
    (tmp_path / "bundle.json").write_bytes(bundle(x509_entry(authority()), jwt_entry(JWT_KEY)))
    (tmp_path / "bad.json").write_text("{}")
    return tmp_path


class Asked:
    """Gives fetches that fail, and keeps what it was asked for."""

    def __init__(self) -> None:
        self.fetches: list[tuple[bool, Path | None]] = []

    def __call__(self, private: bool, authority_: Path | None) -> Fetch:
        self.fetches.append((private, authority_))
        return self._fetch

    @staticmethod
    def _fetch(_: str) -> Awaitable[bytes]:
        raise refused("issuer-unreachable")


def file(folder: Path, *identities: OidcIssuer | TrustDomain, people: People | None = None) -> BrokerFile:
    return BrokerFile(
        broker="b", issuer="https://broker.example.com", identities=identities, people=people, folder=str(folder)
    )


def oidc(**said: object) -> OidcIssuer:
    return OidcIssuer(**{"issuer": ISSUER, "audience": "custody", "jwks": "jwks.json", **said})  # type: ignore[arg-type]


def spiffe(**said: object) -> TrustDomain:
    usual = {"trust_domain": "example.org", "audience": "custody", "bundle": "bundle.json"}
    return TrustDomain(**{**usual, **said})  # type: ignore[arg-type]


PEOPLE = People(
    issuer="https://people.example.com", audience="custody", jwks="jwks.json", roles={"auditor": ("sub:ann",)}
)


def test_every_source_of_the_file_proves(folder: Path) -> None:
    found = provers(file(folder, spiffe(), oidc(), people=PEOPLE), Asked())
    alone = person_prover(file(folder, people=PEOPLE), Asked())
    person = token(None, None, iss=PEOPLE.issuer, sub="ann")

    assert prove(found, token()).proof.method == "oidc"
    assert prove(found, svid(JWT_KEY)).proof.method == "spiffe-jwt"
    assert prove(found, person).proof.person
    assert asyncio.run(found.prove(Presented(certificate=(leaf(),), type=""), NOW)).proof.subject == ID
    assert alone is not None
    assert asyncio.run(alone.sign_in(person, NOW)).roles == {"auditor"}
    assert person_prover(file(folder), Asked()) is None


def test_an_issuer_goes_before_a_spiffe_subject(folder: Path) -> None:
    """SPIRE can be an OpenID Connect provider: its tokens name both."""
    found = provers(file(folder, spiffe(), oidc()), Asked())

    assert prove(found, token(None, None, sub=ID)).proof.method == "oidc"


def test_what_has_to_be_fetched_is_fetched_as_the_file_says(folder: Path) -> None:
    asked = Asked()
    found = provers(
        file(
            folder, oidc(jwks=None, private=True, authority="ca.pem"),
            spiffe(bundle=None, bundle_url="https://spire.example.org/bundle"),
        ),
        asked,
    )  # fmt: skip

    assert asked.fetches == [(True, folder / "ca.pem"), (False, None)]
    assert reason(found, token()) == "issuer-unreachable"
    assert reason(found, svid()) == "issuer-unreachable"


def test_tokens_count_once_where_that_is_asked_for(folder: Path) -> None:
    usual = provers(file(folder, oidc()), Asked())
    once = provers(file(folder, oidc()), Asked(), once=frozenset((ISSUER,)))

    own = token()

    assert prove(usual, own).proof == prove(usual, own).proof == prove(once, own).proof
    assert reason(once, own) == "replayed"


@pytest.mark.parametrize(
    ("identities", "said"),
    [
        ([oidc(algorithms=("none",))], "algorithm"),
        ([oidc(algorithms=("HS256", "RS256"))], "algorithm"),
        ([oidc(algorithms=())], "algorithm"),
        ([oidc(audience="")], "without a name or audience"),
        ([oidc(issuer="")], "without a name or audience"),
        ([oidc(jwks="missing.json")], "keys of the issuer"),
        ([oidc(jwks="bad.json")], "documents are not"),
        ([oidc(jwks=None, issuer="http://issuer.example.com")], "must not go"),
        ([oidc(jwks=None, issuer="file:///etc/passwd")], "must not go"),
        ([oidc(jwks=None, issuer="https://u:p@issuer.example.com")], "must not go"),
        ([oidc(jwks=None, issuer="https://issuer.example.com?x=1")], "query"),
        ([oidc(), oidc(platform="github")], "two sources"),
        ([oidc(issuer=PEOPLE.issuer)], "two sources"),
        ([spiffe(), spiffe(audience="other")], "two sources"),
        ([spiffe(trust_domain="Example.org")], "trust domain"),
        ([spiffe(audience="")], "trust domain"),
        ([spiffe(bundle=None)], "trust domain"),
        ([spiffe(bundle_url="https://spire.example.org/bundle")], "trust domain"),
        ([spiffe(bundle="missing.json")], "keys of the issuer"),
        ([spiffe(bundle="bad.json")], "documents are not"),
        ([spiffe(bundle=None, bundle_url="http://spire.example.org/bundle")], "must not go"),
    ],
)
def test_what_cannot_be_is_said_at_the_start(folder: Path, identities: list[OidcIssuer], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        provers(file(folder, *identities, people=PEOPLE), Asked())


def test_one_issuer_may_stand_twice_with_audiences_of_their_own(folder: Path) -> None:
    found = provers(file(folder, oidc(), oidc(audience="other", platform="gitlab")), Asked())

    assert prove(found, token()).proof.run is None
    assert prove(found, token(None, None, aud="other", pipeline_id=1, job_id=2)).proof.run


def test_every_reason_is_in_the_docs_with_its_sentence() -> None:
    text = DOCS.read_text(encoding="utf-8")
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| `")]
    listed = {row[1].strip(" `"): row[2].strip() for row in rows if row[1].strip(" `") in REASONS}

    assert listed == REASONS


def test_the_docs_say_the_times_that_are_kept() -> None:
    text = DOCS.read_text(encoding="utf-8")

    assert f"{LIFETIME // S // 60} minutes" in text
    assert f"{STALE // S // 60} minutes" in text
    assert f"{APART // S} seconds" in text
