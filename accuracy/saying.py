"""What invented people say in a planted incident: the sealed steps, folded and weighed as custody does it.

``ann`` asks and does it, others decide and review; who does not sign is the account that they all use.
"""

from __future__ import annotations

import msgspec

from custody.broker.approvals.people import Persons
from custody.incidents.record.folding import Heard, Incident, incidents
from custody.incidents.record.weighing import People, weighed
from custody.model.broker_terms import Asked as Approvals
from custody.model.broker_terms import Decision, PolicyRef, Verdict
from custody.model.incidents import (
    ActionKind,
    Asked,
    Claimed,
    Decided,
    Done,
    Item,
    Opened,
    Reviewed,
    Seed,
    SeedKind,
    Step,
    Vouched,
    digest_of,
)
from custody.model.leaf import LeafRef
from custody.model.register import Signature
from custody.model.times import text
from custody.model.verdicts import Severity

MINUTE = 60 * 1_000_000
FIRST_LEAF = 2**40
"""Leaves of people's steps: none of the estate's records has one of these."""
APPROVERS = ("ann", "bob", "cyn")
PEOPLE = People(persons=Persons(), groups={"approvers": APPROVERS})


def policy(count: int = 1) -> Decision:
    """What the policies said: so many of the approvers within half an hour."""
    return Decision(
        verdict=Verdict.APPROVAL,
        engine="planted",
        policy_set="0" * 64,
        schema="0" * 64,
        entities="0" * 64,
        request="0" * 64,
        policies=(PolicyRef("stop", "0" * 64),),
        asked=Approvals(count=count, group="approvers", within=1800),
    )


class Glass(msgspec.Struct, frozen=True):
    """Until when (µs) a second person has to decide about a break-glass, and somebody to review it."""

    second_by: int
    review_by: int


class Script:
    """An incident as it is told, step by step. Times are µs."""

    def __init__(self, name: str, seed: Seed, at: int, by: str | None) -> None:
        self._name, self._by = name, by
        self._heard: list[Heard] = []
        self._asked: dict[str, Asked] = {}
        opened = Opened(
            incident=name,
            title="planted",
            severity=Severity.HIGH,
            seeds=(seed,),
            reason="planted",
            aware=str(text(at)),
        )
        self._say(opened, at, by)

    def asked(
        self, at: int, kind: ActionKind, target: str, *, until: int | None = None, glass: Glass | None = None
    ) -> str:
        """Somebody asks for an action; gives its id."""
        action = f"a{len(self._asked) + 1}"
        step = Asked(
            incident=self._name,
            action=action,
            kind=kind,
            targets=(target,),
            reason="planted",
            content=("planted",),
            asker=self._by or "account:ops",
            lapses=str(text(at + 60 * MINUTE)),
            decision=policy(),
            until=None if until is None else text(until),
            break_glass=glass is not None,
            second_by=None if glass is None else text(glass.second_by),
            review_by=None if glass is None else text(glass.review_by),
        )
        self._asked[action] = step
        self._say(step, at, self._by)
        return action

    def decided(self, at: int, action: str, by: str) -> None:
        """Somebody grants an action."""
        digest = digest_of(self._asked[action])
        step = Decided(incident=self._name, action=action, digest=digest, verdict="grant", reason="planted")
        self._say(step, at, by, log="approvals")

    def reviewed(self, at: int, action: str, by: str) -> None:
        """Somebody looks at what was done."""
        digest = digest_of(self._asked[action])
        step = Reviewed(incident=self._name, action=action, digest=digest, verdict="justified", reason="planted")
        self._say(step, at, by, log="approvals")

    def done(self, said: int, action: str, sealed: int | None = None) -> None:
        """It is said to be done, a minute after it was unless ``sealed`` says when."""
        step = Done(incident=self._name, action=action, how="elsewhere", did=("planted",), at=str(text(said)))
        self._say(step, said + MINUTE if sealed is None else sealed, self._by)

    def claimed(self, at: int, identity: str, item: Item, *cites: int) -> None:
        """Somebody says that an item of the checklist is so, and where it can be seen."""
        leaves = tuple(LeafRef("operations", leaf) for leaf in cites)
        self._say(
            Claimed(incident=self._name, identity=identity, item=item, reason="planted", cites=leaves), at, self._by
        )

    def vouched(self, at: int, identity: str, by: str) -> None:
        """Somebody signs for an identity."""
        self._say(Vouched(incident=self._name, identity=identity, reason="planted"), at, by, log="approvals")

    def incident(self) -> Incident:
        """As it would be folded from its sealed steps, and weighed."""
        (found,) = incidents(self._heard)
        return weighed(found, PEOPLE)

    def _say(self, step: Step, at: int, by: str | None, log: str = "operations") -> None:
        signature = None
        if by is not None:
            signature = Signature(method="ssh", principals=(by,), key=f"SHA256:{by}", anchor="0" * 64)
        self._heard.append(
            Heard(
                leaf=LeafRef(log, FIRST_LEAF + len(self._heard)),
                at=at,
                by="ops" if log == "operations" else "desk",
                step=step,
                digest=digest_of(step),
                signature=signature,
            )
        )


def about(key: str) -> Seed:
    """The seed of an incident about a credential."""
    return Seed(kind=SeedKind.KEY, value=key)
