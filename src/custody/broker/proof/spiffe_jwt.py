"""Workloads that prove themselves with a JWT-SVID (JWT-SVID.md of the SPIFFE standards)."""

from __future__ import annotations

from custody.broker.proof import claims as said
from custody.broker.proof.bundles import Bundle, JwtAuthorities
from custody.broker.proof.compact import Compact
from custody.broker.proof.held import Source
from custody.broker.proof.key_set import ALGORITHMS
from custody.broker.proof.oidc import stale
from custody.broker.proof.presenting import confirm, glimpsed, token_of
from custody.broker.proof.prover import Presented, Proved
from custody.broker.proof.refusals import refused
from custody.broker.proof.spiffe_id import SpiffeId, spiffe_id
from custody.broker.proof.verifying import Expected, Verified, Verifier
from custody.model.broker_terms import Proof
from custody.model.events import Granularity
from custody.model.keys import scoped
from custody.settings.broker_file import TrustDomain

SVID_ALGORITHMS = tuple(name for name in ALGORITHMS if name[:2] in ("RS", "PS", "ES"))
"""What the standard allows: RSA and ECDSA, no other."""

_TYPES = frozenset(("", "jwt", "jose"))


class SpiffeJwtProver:
    """Proves by the JWT-SVIDs of one trust domain, verified by its bundle alone."""

    def __init__(self, domain: TrustDomain, bundles: Source[Bundle]) -> None:
        self.domain = domain
        expected = Expected(
            issuer=None, audience=domain.audience, algorithms=SVID_ALGORITHMS, types=_TYPES, dated=False, kid=True,
            where=domain.trust_domain,
        )  # fmt: skip
        self._verifier = Verifier(expected, JwtAuthorities(bundles))

    def knows(self, presented: Presented) -> bool:
        """See ``Prover``: by the trust domain in the unverified subject, as these tokens need no issuer."""
        token = glimpsed(presented)
        return token is not None and self.accepts(token)

    def accepts(self, token: Compact) -> bool:
        """Whether the token's subject is of this trust domain."""
        return token.text("sub").startswith(f"spiffe://{self.domain.trust_domain}/")

    def addressed(self, token: Compact) -> bool:
        """Whether it is for this prover's audience."""
        return token.claims.get("aud") in (self.domain.audience, [self.domain.audience])

    async def prove(self, presented: Presented, now: int) -> Proved:
        """See ``Prover``."""
        return await self.prove_token(token_of(presented), presented, now)

    async def prove_token(self, token: Compact, presented: Presented, now: int) -> Proved:
        """The identity that a token proves that was taken apart already."""
        verified = await self._verifier.verify(token, now)
        confirm(verified.claims, presented, self.domain.trust_domain)
        workload = spiffe_id(token.text("sub"))
        if workload is None or workload.domain != self.domain.trust_domain:
            raise refused("svid-name", where=self.domain.trust_domain, expected="a sub that is the id of a workload")
        return Proved(
            proof=self._proof(workload, verified),
            actors=said.carried_actors(verified.claims, self.domain.trust_domain),
            may_act=said.allowed_actor(verified.claims, self.domain.trust_domain),
        )

    def _proof(self, workload: SpiffeId, verified: Verified) -> Proof:
        issuer, jti = verified.claims.get("iss"), said.identifier(verified.claims.get("jti"))
        scope = said.issuer_scope(said.identifier(issuer) or self.domain.trust_domain)
        return Proof(
            method="spiffe-jwt", issuer=self.domain.trust_domain, subject=str(workload), workload=workload.key,
            digest=verified.digest, key=verified.key, trust=verified.trust, expires=said.moment(verified.expires),
            granularity=Granularity.ACCOUNT.value, credential=scoped("jwt_jti", scope, jti) if jti else None,
            claims=said.kept(verified.claims, ("iss", "jti", "iat", "exp")) | stale(verified),
        )  # fmt: skip
