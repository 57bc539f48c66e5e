"""The provers that a broker file asks for; what is wrong with it is said before anything is served."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from custody.broker.proof.addresses import checked_url
from custody.broker.proof.bundles import Bundle, bundle_from_endpoint, bundle_from_file, parsed_bundle
from custody.broker.proof.discovery import by_discovery, from_file, read
from custody.broker.proof.exchange import Provers
from custody.broker.proof.fetching import Fetch
from custody.broker.proof.held import Held
from custody.broker.proof.key_set import ALGORITHMS, PublicKeys, parsed_keys
from custody.broker.proof.oidc import OidcProver
from custody.broker.proof.person import PersonProver
from custody.broker.proof.prover import Prover
from custody.broker.proof.replays import Replays
from custody.broker.proof.spiffe_id import is_domain
from custody.broker.proof.spiffe_jwt import SpiffeJwtProver
from custody.broker.proof.spiffe_x509 import SpiffeX509Prover
from custody.errors import IdentityRefused, UsageError
from custody.settings.broker_file import BrokerFile, OidcIssuer, People, TrustDomain

FetchFor = Callable[[bool, Path | None], Fetch]
"""Gives the fetch for an issuer: whether it may be inside the network, and the file of its CAs."""


def provers(
    file: BrokerFile, fetch_for: FetchFor, *, once: frozenset[str] = frozenset(), replays: Replays | None = None
) -> Provers:
    """A prover for each identity source of the file, and for its people. The tokens of the issuers ``once`` count once.

    UsageError where a source cannot be what it says.
    """
    seen = replays if replays is not None else Replays()
    found: list[Prover] = []
    for source in file.identities:
        if isinstance(source, OidcIssuer):
            memory = seen if source.issuer in once else None
            found.append(OidcProver(source, _keys(file, source, fetch_for), memory))
        else:
            found += _spiffe(file, source, fetch_for)
    people = person_prover(file, fetch_for)
    found += [people] if people is not None else []
    _no_two(file)
    return Provers(sorted(found, key=lambda each: isinstance(each, SpiffeJwtProver)))


def person_prover(file: BrokerFile, fetch_for: FetchFor) -> PersonProver | None:
    """Who signs people in, None where the file names nobody. UsageError as above."""
    if file.people is None:
        return None
    return PersonProver(file.people, _keys(file, file.people, fetch_for))


def _keys(file: BrokerFile, source: OidcIssuer | People, fetch_for: FetchFor) -> Held[PublicKeys]:
    unknown = [name for name in source.algorithms if name not in ALGORITHMS]
    if unknown or not source.algorithms:
        raise UsageError(
            "an algorithm that is not taken", where=source.issuer, found=", ".join(unknown) or "none",
            expected=", ".join(ALGORITHMS),
        )  # fmt: skip
    if not source.audience or not source.issuer:
        raise UsageError("an issuer without a name or audience", where=source.issuer or "identities")
    if source.jwks is not None:
        path = file.path(source.jwks)
        _checked(lambda: parsed_keys(read(path), str(path)))
        return Held(from_file(path))
    _checked(lambda: checked_url(source.issuer, private=source.private, where=source.issuer))
    if "?" in source.issuer:
        raise UsageError("an issuer with a query", where=source.issuer)
    return Held(by_discovery(source.issuer, fetch_for(source.private, _authority(file, source.authority))))


def _spiffe(file: BrokerFile, source: TrustDomain, fetch_for: FetchFor) -> list[Prover]:
    domain = source.trust_domain
    if not is_domain(domain) or not source.audience or (source.bundle is None) == (source.bundle_url is None):
        expected = "a trust domain (a-z, 0-9, ., _ and -) with an audience, and either bundle or bundle_url"
        raise UsageError("not a trust domain that can be used", where=domain, expected=expected)
    if source.bundle is not None:
        path = file.path(source.bundle)
        _checked(lambda: parsed_bundle(read(path), domain, str(path)))
        load = bundle_from_file(domain, path)
    else:
        url = source.bundle_url or ""
        _checked(lambda: checked_url(url, private=source.private, where=domain))
        load = bundle_from_endpoint(domain, url, fetch_for(source.private, _authority(file, source.authority)))
    bundles: Held[Bundle] = Held(load, lambda bundle: bundle.lifetime)
    return [SpiffeJwtProver(source, bundles), SpiffeX509Prover(source, bundles)]


def _no_two(file: BrokerFile) -> None:
    """UsageError where two sources would know one token: it has to be clear whose word it is."""
    people = [(file.people.issuer, file.people.audience)] if file.people else []
    issuers = [(each.issuer, each.audience) for each in file.identities if isinstance(each, OidcIssuer)]
    domains = [(each.trust_domain, "") for each in file.identities if isinstance(each, TrustDomain)]
    twice = [name for (name, _), count in Counter((*people, *issuers, *domains)).items() if count > 1]
    if twice:
        advice = "Give each its own audience: the token's audience settles by whose keys it is verified."
        raise UsageError("two sources of one issuer and audience", where=", ".join(sorted(twice)), advice=advice)


def _authority(file: BrokerFile, name: str | None) -> Path | None:
    return file.path(name) if name else None


def _checked(check: Callable[[], object]) -> None:
    """UsageError where a document or URL of the settings is refused."""
    try:
        check()
    except IdentityRefused as error:
        raise UsageError(error.message, where=error.where, expected=error.expected, advice=error.advice) from None
