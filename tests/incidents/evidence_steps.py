"""Incidents made of steps, as they would be read from the two logs, with signatures that hold."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from custody.broker.approvals.people import Persons
from custody.incidents.record.folding import Heard, Incident, incidents
from custody.incidents.record.weighing import People, weighed
from custody.model import broker_terms
from custody.model.broker_terms import Decision, PolicyRef, Verdict
from custody.model.incidents import (
    APPROVALS,
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
    Settled,
    Step,
    Vouched,
    digest_of,
)
from custody.model.leaf import LeafRef
from custody.model.register import Signature
from custody.model.times import text
from custody.model.verdicts import Severity
from tests.incidents.evidence_estate import at

NAME = "in-1"
ALLOWED = Decision(
    verdict=Verdict.ALLOW,
    engine="cedar",
    policy_set="0" * 64,
    schema="0" * 64,
    entities="0" * 64,
    request="0" * 64,
    policies=(PolicyRef("responders", "0" * 64),),
)
TWO = msgspec.structs.replace(
    ALLOWED, verdict=Verdict.APPROVAL, asked=broker_terms.Asked(count=1, group="leads", within=3600)
)
GROUP = ("lea", "lou", "ann")


def signature(name: str, key: str | None = None) -> Signature:
    """What holds of somebody's signature."""
    return Signature(method="ssh", principals=(name,), key=f"SHA256:{key or name}", anchor="0" * 64)


class Told:
    """Steps in the order in which they are told; each in its log, at a time of the day."""

    def __init__(self, *seeds: Seed, aware: str = "10:55", opened: str = "10:56") -> None:
        self.heard: list[Heard] = []
        first = Opened(
            incident=NAME,
            title="a key is used from elsewhere",
            severity=Severity.HIGH,
            seeds=seeds,
            reason="an alert",
            aware=text(at(aware)) or "",
        )
        self.say(opened, first, "ann")

    def say(self, clock: str, step: Step, by: str | None, key: str | None = None, account: str = "shared") -> Heard:
        """A step; ``by`` signs it, None: nobody does, it is the word of ``account``."""
        log = "approvals" if isinstance(step, APPROVALS) else "operations"
        heard = Heard(
            leaf=LeafRef(log, 10_000 + len(self.heard)),
            at=at(clock),
            by=account,
            step=step,
            digest=digest_of(step),
            signature=None if by is None else signature(by, key),
        )
        self.heard.append(heard)
        return heard

    def ask(
        self,
        kind: ActionKind,
        *targets: str,
        by: str | None = "ann",
        clock: str = "11:00",
        decision: Decision = ALLOWED,
        lapses: str = "13:00",
        **more: object,
    ) -> Heard:
        """Ask for an action; its id is ``a-`` and its number."""
        number = sum(isinstance(each.step, Asked) for each in self.heard) + 1
        plain: dict[str, object] = {
            "incident": NAME,
            "action": f"a-{number}",
            "kind": kind,
            "targets": targets,
            "reason": "it is stolen",
            "content": ("aws iam update-access-key",),
            "asker": by or "account:shared",
            "lapses": text(at(lapses)),
            "decision": decision,
            **more,
        }
        return self.say(clock, msgspec.convert(plain, Asked, from_attributes=True), by)

    def done(self, asked: Heard, clock: str = "11:05", by: str | None = "ann", sealed: str | None = None) -> Heard:
        """Somebody says that they did it at ``clock``."""
        assert isinstance(asked.step, Asked)
        step = Done(incident=NAME, action=asked.step.action, how="elsewhere", did=("it",), at=text(at(clock)) or "")
        return self.say(sealed or clock, step, by)

    def decide(self, asked: Heard, clock: str, by: str, verdict: str = "grant", key: str | None = None) -> Heard:
        """Somebody decides."""
        assert isinstance(asked.step, Asked)
        fields = {"incident": NAME, "action": asked.step.action, "digest": asked.digest, "reason": "seen"}
        return self.say(clock, msgspec.convert({**fields, "verdict": verdict}, Decided), by, key, account=f"of-{by}")

    def review(self, asked: Heard, clock: str, by: str) -> Heard:
        """Somebody reviews a break-glass."""
        assert isinstance(asked.step, Asked)
        step = Reviewed(
            incident=NAME, action=asked.step.action, digest=asked.digest, verdict="justified", reason="right"
        )
        return self.say(clock, step, by, account=f"of-{by}")

    def settle(self, asked: Heard, clock: str) -> Heard:
        """It is over without proof."""
        assert isinstance(asked.step, Asked)
        return self.say(clock, Settled(incident=NAME, action=asked.step.action, how="withdrawn", reason="no"), "ann")

    def claim(self, identity: str, item: Item, *cites: LeafRef, clock: str = "12:00", by: str | None = "ann") -> Heard:
        """Somebody says that an item is done."""
        return self.say(clock, Claimed(incident=NAME, identity=identity, item=item, reason="we did", cites=cites), by)

    def vouch(self, identity: str, by: str, clock: str = "12:00") -> Heard:
        """Somebody signs that it may work again."""
        return self.say(clock, Vouched(incident=NAME, identity=identity, reason="it is ours"), by)

    def incident(self, parties: Sequence[Sequence[str]] = ()) -> Incident:
        """The incident, weighed."""
        (found,) = incidents(self.heard)
        return weighed(found, People(Persons(parties), {"leads": GROUP}))


def seed(kind: SeedKind, value: str, record: LeafRef | None = None) -> Seed:
    """A seed."""
    return Seed(kind=kind, value=value, record=record)
