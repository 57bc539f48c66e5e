"""People who sign in with an ID token (OpenID Connect Core 1.0) of the issuer that the broker file names for them."""

from __future__ import annotations

import msgspec

from custody.broker.proof import claims as said
from custody.broker.proof.compact import Compact
from custody.broker.proof.held import Source
from custody.broker.proof.key_set import PublicKeys
from custody.broker.proof.oidc import stale
from custody.broker.proof.presenting import confirm, glimpsed, token_of
from custody.broker.proof.prover import TOKEN_ID, Presented, Proved
from custody.broker.proof.refusals import refused
from custody.broker.proof.verifying import Expected, Verified, Verifier
from custody.model.broker_terms import Proof
from custody.model.keys import scoped
from custody.settings.broker_file import ROLES, People

MAXIMUM_AGE = 12 * 3600
"""Seconds for which a sign-in counts, however long the token says."""

MAX_GROUPS = 500
"""Groups that are read of a token; one with more is refused, as some of them would not count."""


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who signed in: their key (``person:ISSUER:SUBJECT``), groups, roles and name; ``expires`` is in µs."""

    key: str
    roles: frozenset[str]
    groups: frozenset[str]
    name: str
    expires: int


class PersonProver:
    """Signs people in, and proves the person whom an agent acts for."""

    def __init__(self, people: People, source: Source[PublicKeys]) -> None:
        self.people = people
        expected = Expected(
            issuer=people.issuer, audience=people.audience, algorithms=people.algorithms, types=frozenset(("", "jwt")),
            maximum_age=MAXIMUM_AGE, where=people.issuer,
        )  # fmt: skip
        self._verifier = Verifier(expected, source)

    def knows(self, presented: Presented) -> bool:
        """See ``Prover``: by the unverified issuer."""
        token = glimpsed(presented)
        return token is not None and self.accepts(token)

    def accepts(self, token: Compact) -> bool:
        """Whether the token names the issuer of people."""
        return token.text("iss") == self.people.issuer

    def addressed(self, token: Compact) -> bool:
        """Whether it is for the audience of people."""
        return token.claims.get("aud") in (self.people.audience, [self.people.audience])

    async def sign_in(self, token: bytes, now: int) -> SignedIn:
        """Who it is at ``now`` (µs), with the roles of the broker file; no role is given where it names none."""
        presented = Presented(token=token, type=TOKEN_ID)
        verified = await self._verified(token_of(presented), presented, now)
        subject = said.subject(verified.claims, self.people.issuer)
        key, groups = self._key(subject), self._groups(verified)
        return SignedIn(
            key=key, roles=self._roles(_named(groups) | {key, f"sub:{subject}"}), groups=groups,
            name=said.cleaned(verified.claims.get("name")) or "", expires=int(verified.expires * 1_000_000),
        )  # fmt: skip

    async def prove(self, presented: Presented, now: int) -> Proved:
        """See ``Prover``: a proof of a person, for whom somebody acts."""
        return await self.prove_token(token_of(presented), presented, now)

    async def prove_token(self, token: Compact, presented: Presented, now: int) -> Proved:
        """The person whom a token proves that was taken apart already."""
        verified = await self._verified(token, presented, now)
        return Proved(
            proof=self._proof(verified),
            actors=said.carried_actors(verified.claims, self.people.issuer),
            may_act=said.allowed_actor(verified.claims, self.people.issuer),
        )

    async def _verified(self, token: Compact, presented: Presented, now: int) -> Verified:
        verified = await self._verifier.verify(token, now)
        confirm(verified.claims, presented, self.people.issuer)
        party = verified.claims.get("azp", self.people.client)
        if self.people.client is not None and party != self.people.client:
            raise refused("wrong-audience", where=self.people.issuer, expected="azp of the client of the settings")
        return verified

    def _proof(self, verified: Verified) -> Proof:
        subject = said.subject(verified.claims, self.people.issuer)
        return Proof(
            method="oidc", issuer=self.people.issuer, subject=subject, workload=self._key(subject),
            digest=verified.digest, key=verified.key, trust=verified.trust, expires=said.moment(verified.expires),
            credential=said.token_key(self.people.issuer, verified.claims), person=True,
            claims=said.kept(verified.claims, ("jti", "iat", "exp", "azp", "acr", "auth_time")) | stale(verified),
        )  # fmt: skip

    def _key(self, subject: str) -> str:
        return scoped("person", said.issuer_scope(self.people.issuer), subject)

    def _groups(self, verified: Verified) -> frozenset[str]:
        told = verified.claims.get(self.people.claim, [])
        listed = [told] if isinstance(told, str) else told
        if not isinstance(listed, list) or len(listed) > MAX_GROUPS:
            raise refused("malformed", where=self.people.issuer, expected=f"at most {MAX_GROUPS} groups, as a list")
        return frozenset(name for name in listed if isinstance(name, str) and said.identifier(name))

    def _roles(self, names: frozenset[str]) -> frozenset[str]:
        return frozenset(role for role, holders in self.people.roles.items() if role in ROLES and names & set(holders))


def _named(groups: frozenset[str]) -> frozenset[str]:
    """Groups as roles may name them: none can pass for a person."""
    return frozenset(each for each in groups if not each.startswith(("person:", "sub:")))
