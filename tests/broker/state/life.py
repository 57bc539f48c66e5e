"""What a broker may say in its life: entries in a plausible order, made of small steps that a test can draw.

A step is a word and a number. The number chooses among what the word can be about; a word that can be about nothing
right now says nothing. As in the broker, nothing is said about a chain that is over, a plan has one outcome, and an
end is asked for before it is found.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from custody.broker.clock import chain_id, request_id
from custody.broker.desk import Standing
from custody.broker.evidence.sequence import Sequence
from custody.broker.state.tables import OVER
from custody.model.broker_terms import Asked, Decision, Ending, Intent, Plan, Proof, Registered, Verdict
from custody.model.brokered import (
    Approved,
    Body,
    Contained,
    Effect,
    Enabled,
    EndAsked,
    Ended,
    Entry,
    Failed,
    Issued,
    Probed,
    Refused,
    Request,
    Service,
)
from custody.model.times import text

NOON = 1_795_348_800_000_000
SECOND = 1_000_000
DIGEST = "11" * 32
IDENTITIES = ("orders", "payments", "reports")
ENDINGS = tuple(Ending)
EFFECTS = tuple(Effect)


class Chain(msgspec.Struct, kw_only=True):
    """What the broker would know of a chain when it says the next thing of it."""

    chain: str
    request: str
    ends: Ending
    identity: str
    not_after: int
    parent: str | None = None
    renews: str | None = None
    standing: Standing = Standing.PLANNED


class Pending(msgspec.Struct, kw_only=True):
    """What the broker would know of a request that people have to approve."""

    chain: str
    body: Request
    needed: int
    until: int
    granted: set[str] = set()
    denied: bool = False

    @property
    def ready(self) -> bool:
        return len(self.granted) >= self.needed and not self.denied


class Life:
    """The entries of one broker so far, and what may be said next."""

    def __init__(self) -> None:
        self.time = NOON
        self.entries: list[Entry] = []
        self.chains: dict[str, Chain] = {}
        self.asked: dict[str, Pending] = {}
        self.contained: set[str] = set()
        self._sequence = Sequence("trial", self)
        self._made = self._leaf = 0

    def now(self) -> int:
        return self.time

    def say(self, body: Body, chain: str | None = None) -> Entry:
        entry, _ = self._sequence.next(body, chain)
        self.entries.append(entry)
        return entry

    def step(self, word: str, number: int) -> None:
        STEPS[word](self, number)

    def _random(self, number: int) -> bytes:
        self._made += 1
        return self._made.to_bytes(number)

    def ask(self, number: int) -> None:
        """A request that is allowed, denied, or has to be approved; some descend from another chain."""
        living = [each for each in self.living() if each.standing is Standing.LIVE]
        parent = living[number % len(living)] if living and number % 3 == 0 else None
        others = {each.chain for each in living[: number % 4] if number % 2 and each is not parent}
        self._ask(
            identity=IDENTITIES[number % 3],
            ends=ENDINGS[number // 3 % 3],
            verdict=(Verdict.ALLOW, Verdict.ALLOW, Verdict.DENY, Verdict.APPROVAL)[number // 9 % 4],
            parent=None if parent is None else parent.chain,
            parents=() if parent is None else tuple(sorted(others)),
            ttl=(60, 900, 3600)[number // 36 % 3],
            once=f"{number % 5:064x}" if number // 108 % 2 else None,
        )

    def _ask(
        self, *, identity: str, ends: Ending, verdict: Verdict, ttl: int, parent: str | None = None,
        renews: str | None = None, once: str | None = None, parents: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        chain, request = chain_id(self.time, self._random), request_id(self.time, self._random)
        intent = Intent(
            backend=f"to-{ends}", scope=("read",), parent=parent, renews=renews, purpose="nightly \0 report"
        )
        body = _request(request, identity, intent, verdict, once)
        if self._made % 3 == 0:
            body = msgspec.structs.replace(body, identities=(identity, IDENTITIES[self._made % 2]))
        body = msgspec.structs.replace(body, parents=parents)
        if verdict is Verdict.ALLOW:
            body = msgspec.structs.replace(body, plan=self._plan(chain, ends, ttl))
            self.chains[chain] = Chain(
                chain=chain, request=request, ends=ends, identity=identity, parent=parent, renews=renews,
                not_after=self.time + ttl * SECOND,
            )  # fmt: skip
        elif verdict is Verdict.APPROVAL:
            needed = 1 + self._made // 2 % 2
            asked = Asked(count=needed, group="leads", within=3600)
            body = msgspec.structs.replace(body, decision=msgspec.structs.replace(body.decision, asked=asked))
            self.asked[request] = Pending(chain=chain, body=body, needed=needed, until=self.time + 3600 * SECOND)
        self.say(body, chain)

    def _plan(self, chain: str, ends: Ending, ttl: int) -> Plan:
        until = str(text(self.time + ttl * SECOND))
        key = f"jwt_jti:broker.example:{chain}" if ends is Ending.EXPIRY else None
        return Plan(backend=f"to-{ends}", kind="memory", ends=ends, name=chain, ttl=ttl, not_after=until, key=key)

    def approve(self, number: int) -> None:
        """A decision of a person; also of one who does not count, of a request that nobody knows."""
        requests = [*self.asked, "rq-unknown"]
        request = requests[number % len(requests)]
        pending = self.asked.get(request)
        approver, counts = f"person:idp.example:{number % 4}", number // 20 % 4 != 0
        verdict: Literal["grant", "deny"] = "deny" if number // 4 % 5 == 0 else "grant"
        self.say(
            Approved(
                request=request, digest=DIGEST, verdict=verdict, leaf=self._leaf, approver=approver,
                given=str(text(self.time)), reason="looked", counts=counts,
            ),
            None if pending is None else pending.chain,
        )  # fmt: skip
        self._leaf += 1
        if pending is not None and counts:
            pending.denied = pending.denied or verdict == "deny"
            pending.granted |= {approver} if verdict == "grant" else set()

    def fetch(self, number: int) -> None:
        """What was approved is decided again, and now planned."""
        ready = [name for name, each in self.asked.items() if each.ready and self.time < each.until]
        if not ready:
            return
        request = ready[number % len(ready)]
        pending = self.asked.pop(request)
        chain, body = pending.chain, pending.body
        ends = ENDINGS[number % 3]
        self.chains[chain] = Chain(
            chain=chain, request=request, ends=ends, identity=body.registered.identity if body.registered else "",
            not_after=self.time + 900 * SECOND,
        )  # fmt: skip
        decision = msgspec.structs.replace(body.decision, verdict=Verdict.ALLOW, asked=None)
        self.say(msgspec.structs.replace(body, decision=decision, plan=self._plan(chain, ends, 900)), chain)

    def issue(self, number: int) -> None:
        """What was planned is made."""
        planned = [each for each in self.planned() if each.renews is None]
        if planned:
            self._issue(planned[number % len(planned)], number)

    def _issue(self, chain: Chain, number: int) -> None:
        chain.standing = Standing.LIVE
        self.say(
            Issued(
                request=chain.request, decided=1, backend=f"to-{chain.ends}", type="password", ends=chain.ends,
                keys=(f"db_role:postgresql:{chain.chain}",), not_after=str(text(chain.not_after)), requester="w",
                workload="w", identity=chain.identity, scope=("read",), renews=chain.renews, descends=chain.parent,
                server={"pid": str(number)},
            ),
            chain.chain,
        )  # fmt: skip

    def fail(self, number: int) -> None:
        """What was planned is not made, or nobody knows."""
        planned = self.planned()
        if not planned:
            return
        chain = planned[number % len(planned)]
        left = number // 7 % 2
        chain.standing = Standing.ENDING if left else Standing.FAILED
        self.say(
            Failed(backend=f"to-{chain.ends}", reason="unreachable", left="unknown" if left else "nothing"), chain.chain
        )

    def renew(self, number: int) -> None:
        """A successor, once a chain; nothing comes between, except that the broker stops before the outcome."""
        taken = {each.renews for each in self.chains.values()}
        live = [each for each in self.living() if each.standing is Standing.LIVE and each.chain not in taken]
        if live:
            old = live[number % len(live)]
            self._ask(identity=old.identity, ends=old.ends, verdict=Verdict.ALLOW, ttl=900, renews=old.chain)
            if number % 4:
                self._issue([*self.chains.values()][-1], number)

    def end(self, number: int) -> None:
        """An end is asked for."""
        living = [each for each in self.living() if each.standing is Standing.LIVE]
        if living:
            chain = living[number % len(living)]
            chain.standing = Standing.ENDING
            self.say(EndAsked(cause=("complete", "parent", "operator")[number % 3], by="w"), chain.chain)

    def find(self, number: int) -> None:
        """What is found after an end was asked for."""
        ending = [each for each in self.living() if each.standing not in (Standing.LIVE, Standing.PLANNED)]
        if not ending:
            return
        chain = ending[number % len(ending)]
        if number % 11 == 0:
            self.say(Probed(key=chain.chain, target="x"), chain.chain)
        effect = EFFECTS[number % len(EFFECTS)]
        if chain.ends is Ending.EXPIRY:
            effect = Effect.GONE if chain.not_after <= self.time else Effect.WAITING
        chain.standing = Standing.ENDED if effect is Effect.GONE else Standing.SURVIVING
        self.say(Ended(effect=effect, basis="state", cause="operator" if number % 2 else ""), chain.chain)

    def again(self, number: int) -> None:
        """What was over is found once more, and its end is asked for again."""
        over = [each for each in self.chains.values() if each.standing is Standing.ENDED]
        if over:
            chain = over[number % len(over)]
            chain.standing = Standing.ENDING
            self.say(EndAsked(cause="recovered", by="w", reason="found again after its end"), chain.chain)

    def contain(self, number: int) -> None:
        """An identity is contained, some more than once."""
        identity = IDENTITIES[number % 3]
        self.contained.add(identity)
        self.say(Contained(identity=identity, by=f"person:idp.example:{number % 2}", reason="odd uses"))

    def enable(self, number: int) -> None:
        """A containment ends."""
        if self.contained:
            identity = sorted(self.contained)[number % len(self.contained)]
            self.contained.discard(identity)
            self.say(Enabled(identity=identity, by="person:idp.example:3", reason="mended", items=()))

    def other(self, number: int) -> None:
        """What changes nothing."""
        body = Refused(reason="bad-signature", detail="x") if number % 2 else Service(what="keys", version="1")
        self.say(body)

    def lapse(self, number: int) -> None:
        """Nobody decided in time; said once."""
        for request in [name for name, each in self.asked.items() if each.until < self.time]:
            self.say(Service(what="lapsed", version="1", fields={"request": request}), self.asked.pop(request).chain)

    def wait(self, number: int) -> None:
        """Time goes by."""
        self.time += (1, 30, 600, 4000)[number % 4] * SECOND

    def planned(self) -> list[Chain]:
        """What has no outcome yet."""
        return [each for each in self.chains.values() if each.standing is Standing.PLANNED]

    def living(self) -> list[Chain]:
        """Of what something may still be said: one that lives and only expires is over when it has."""
        return [
            each
            for each in self.chains.values()
            if each.standing not in OVER
            and (each.ends is not Ending.EXPIRY or each.not_after > self.time or each.standing is not Standing.LIVE)
        ]


STEPS: dict[str, Callable[[Life, int], None]] = {
    "ask": Life.ask,
    "approve": Life.approve,
    "fetch": Life.fetch,
    "issue": Life.issue,
    "fail": Life.fail,
    "renew": Life.renew,
    "end": Life.end,
    "find": Life.find,
    "again": Life.again,
    "contain": Life.contain,
    "enable": Life.enable,
    "other": Life.other,
    "lapse": Life.lapse,
    "wait": Life.wait,
}


def _request(request: str, identity: str, intent: Intent, verdict: Verdict, once: str | None) -> Request:
    return Request(
        request=request,
        digest=DIGEST,
        proof=Proof(
            method="oidc", issuer="https://idp.example", subject="s", workload=f"oidc_subject:idp.example:{identity}",
            digest=DIGEST, key="k", trust=DIGEST, expires="2026-11-22T13:00:00Z",
        ),
        intent=intent,
        decision=Decision(
            verdict=verdict, engine="trial", policy_set=DIGEST, schema=DIGEST, entities=DIGEST, request=DIGEST
        ),
        registered=Registered(identity=identity, document="identities"),
        idempotency=once,
    )  # fmt: skip
