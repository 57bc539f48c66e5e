"""Signs approvers in as the broker's own service does: ID tokens of the issuer that the broker file names."""

from __future__ import annotations

from custody.broker.proof.person import PersonProver
from custody.model.times import text
from custody.serve.approving.parts import Approver


class SignedInPeople:
    """People by their ID tokens, with the roles of the broker file."""

    def __init__(self, prover: PersonProver) -> None:
        self._prover = prover

    async def approver(self, token: bytes, now: int) -> Approver:
        """See ``SignIn``. The person's key, issuer and the end of the token are sealed with what they decide."""
        found = await self._prover.sign_in(token, now)
        return Approver(
            key=found.key,
            roles=found.roles,
            groups=tuple(sorted(found.groups)),
            facts={"issuer": self._prover.people.issuer, "expires": str(text(found.expires))},
        )
