"""An engine that always says the same: for tests of what stands behind a decision, and for trying a broker out."""

from __future__ import annotations

from hashlib import sha256

from custody.broker.policy.caught import Caught
from custody.broker.policy.engine import Situation
from custody.broker.policy.situations import recordable
from custody.model.broker_terms import Asked, Decision, PolicyRef, Verdict

NAME = "fixed 1"
POLICY = "fixed"


class Fixed:
    """Says ``verdict`` of everything (``PolicyEngine``), and remembers what it was asked.

    With ``errors`` it is a deny, as with any engine. ``asked`` is needed where the verdict is that people approve:
    it is allowed once that many people of the group did.
    """

    def __init__(
        self, verdict: Verdict, *, asked: Asked | None = None, max_ttl: int | None = None, errors: tuple[str, ...] = ()
    ) -> None:
        if verdict is Verdict.APPROVAL and asked is None:
            raise ValueError("what approvals?")
        self.verdict = Verdict.DENY if errors else verdict
        self.asked, self.max_ttl, self.errors = asked, max_ttl, errors
        self.situations: list[Situation] = []

    def decide(self, situation: Situation) -> Decision:
        """The fixed decision, with digests of what it was asked."""
        self.situations.append(situation)
        verdict = self._verdict(situation)
        recorded: dict[str, str] = {}
        with Caught():
            recorded = recordable(situation)
        allowed, denied = verdict is not Verdict.DENY, verdict is Verdict.DENY
        digest = sha256(f"{self.verdict}".encode()).hexdigest()
        return Decision(
            verdict=verdict,
            engine=NAME,
            policy_set=digest,
            schema=sha256(b"").hexdigest(),
            entities=_digest((situation.registered, situation.actors, situation.approvers)),
            request=_digest(situation),
            policies=(PolicyRef(POLICY, digest),) if allowed else (),
            errors=self.errors,
            why=("engine-errors" if self.errors else "no-permit-matched") if denied else "",
            max_ttl=self.max_ttl if allowed else None,
            asked=self.asked if verdict is Verdict.APPROVAL else None,
            context=recorded,
        )

    def _verdict(self, situation: Situation) -> Verdict:
        if self.verdict is not Verdict.APPROVAL or self.asked is None:
            return self.verdict
        group = self.asked.group
        there = {person for person, groups in situation.approvers if group in groups}
        return Verdict.ALLOW if len(there) >= self.asked.count else Verdict.APPROVAL


def _digest(value: object) -> str:
    return sha256(repr(value).encode(errors="backslashreplace")).hexdigest()
