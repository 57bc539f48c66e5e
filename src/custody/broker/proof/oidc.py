"""Workloads that prove themselves with an OpenID Connect token of an issuer that the broker file names."""

from __future__ import annotations

from hashlib import sha256

from custody.broker.proof import claims as said
from custody.broker.proof.compact import Compact
from custody.broker.proof.held import LIFETIME, SECOND, Source
from custody.broker.proof.key_set import PublicKeys
from custody.broker.proof.platforms import named
from custody.broker.proof.presenting import confirm, glimpsed, token_of
from custody.broker.proof.prover import Presented, Proved
from custody.broker.proof.replays import Replays
from custody.broker.proof.verifying import Expected, Verified, Verifier
from custody.model.broker_terms import Proof
from custody.settings.broker_file import OidcIssuer

TYPES = frozenset(("", "jwt", "at+jwt"))
"""The values of ``typ`` of an identity: not those of tokens for another use (``dpop+jwt``, ``secevent+jwt``)."""

KEYS_AGE = "custody_keys_age"
"""The claim of ours that says that the issuer gave no keys lately: how old those are that verified, in seconds."""


class OidcProver:
    """Proves by the tokens of one issuer. With ``replays``, each token counts once; without, until it expires."""

    def __init__(self, issuer: OidcIssuer, source: Source[PublicKeys], replays: Replays | None = None) -> None:
        self.issuer = issuer
        self._replays = replays
        expected = Expected(
            issuer=issuer.issuer, audience=issuer.audience, algorithms=issuer.algorithms, types=TYPES,
            maximum_age=issuer.maximum_age, where=issuer.issuer,
        )  # fmt: skip
        self._verifier = Verifier(expected, source)

    def knows(self, presented: Presented) -> bool:
        """See ``Prover``: by the unverified issuer."""
        token = glimpsed(presented)
        return token is not None and self.accepts(token)

    def accepts(self, token: Compact) -> bool:
        """Whether the token names this issuer."""
        return token.text("iss") == self.issuer.issuer

    def addressed(self, token: Compact) -> bool:
        """Whether it is for this prover's audience: what settles it between two provers of one issuer."""
        return token.claims.get("aud") in (self.issuer.audience, [self.issuer.audience])

    async def prove(self, presented: Presented, now: int) -> Proved:
        """See ``Prover``."""
        return await self.prove_token(token_of(presented), presented, now)

    async def prove_token(self, token: Compact, presented: Presented, now: int) -> Proved:
        """The identity that a token proves that was taken apart already."""
        verified = await self._verifier.verify(token, now)
        confirm(verified.claims, presented, self.issuer.issuer)
        proof = self._proof(verified)
        proved = Proved(
            proof=proof,
            actors=said.carried_actors(verified.claims, self.issuer.issuer),
            may_act=said.allowed_actor(verified.claims, self.issuer.issuer),
        )
        if self._replays is not None:
            self._replays.take(proof.credential or sha256(token.signed).hexdigest(), verified.expires, now)
        return proved

    def _proof(self, verified: Verified) -> Proof:
        subject = said.subject(verified.claims, self.issuer.issuer)
        found = named(self.issuer, verified.claims, subject)
        return Proof(
            method="oidc", issuer=self.issuer.issuer, subject=subject, workload=found.workload,
            digest=verified.digest, key=verified.key, trust=verified.trust, expires=said.moment(verified.expires),
            granularity=found.granularity, run=found.run, credential=found.credential,
            claims=found.claims | stale(verified),
        )  # fmt: skip


def stale(verified: Verified) -> dict[str, str]:
    """The note that keys were used which the issuer did not confirm lately; nothing in the usual case."""
    return {KEYS_AGE: str(verified.age)} if verified.age * SECOND >= LIFETIME else {}
