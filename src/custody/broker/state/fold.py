"""What the broker knows: a fold over the entries of its log, in order. No clock, no chance, nothing but entries.

Applied twice to the same entries it is the same state, so that a broker that starts again knows what it knew. What is
over is let go from memory once the tables have it.
"""

from __future__ import annotations

from collections.abc import Container
from hashlib import sha256

import msgspec

from custody.broker.backends.backend import Held
from custody.broker.desk import Containment, Lease, Pending, RequestState, Standing
from custody.broker.shown import lapses
from custody.broker.state.tables import OVER, UNDECIDED, Changes, Kept, Loaded, Once, parents_of, standing_at
from custody.model.broker_terms import Ending, Plan, Proof
from custody.model.brokered import (
    Approved,
    Contained,
    Effect,
    Enabled,
    EndAsked,
    Ended,
    Entry,
    Failed,
    Issued,
    Request,
    Service,
)
from custody.model.events import MICROSECONDS
from custody.model.times import microseconds, text

HELD_ONCE = 24 * 3600 * MICROSECONDS
"""How long an idempotency key holds."""

STANDINGS = {
    Effect.GONE: Standing.ENDED,
    Effect.SESSIONS: Standing.SURVIVING,
    Effect.ALIVE: Standing.SURVIVING,
    Effect.WAITING: Standing.WAITING,
    Effect.UNKNOWN: Standing.ENDING,
}


def once_key(workload: str, key: str) -> str:
    """What is kept of a caller's idempotency key: the SHA-256 (hex) of workload, NUL and key."""
    return sha256(f"{workload}\0{key}".encode()).hexdigest()


class State:
    """The open leases, the undecided requests, the open containments, the idempotency keys of late."""

    def __init__(self, loaded: Loaded | None = None) -> None:
        self.through = loaded.through if loaded else 0
        self.approvals = loaded.approvals if loaded else 0
        self._drained = self.through
        self.leases: dict[str, Lease] = {each.chain: each for each in loaded.leases} if loaded else {}
        self.requests: dict[str, Kept] = {each.pending.request: each for each in loaded.requests} if loaded else {}
        self.contained: dict[str, Containment] = {each.identity: each for each in loaded.containments} if loaded else {}
        self.once: dict[str, Once] = {}
        self.below: dict[str, set[str]] = {}
        self.doomed: set[str] = set()
        self._known: set[str] = set()
        for lease in self.leases.values():
            self._hang(lease)
        self._touched: tuple[set[str], set[str], set[str], set[str], set[str]] = (set(), set(), set(), set(), set())

    def apply(self, entry: Entry) -> None:
        """Take in the next entry; one that was taken in already changes nothing."""
        if entry.seq <= self.through:
            return
        self.through = entry.seq
        at = microseconds(entry.at) or 0
        body = entry.body
        if entry.chain is not None:
            self._of_chain(entry.chain, entry.seq, at, body)
        if isinstance(body, Approved):
            self._approved(body, at)
        elif isinstance(body, Contained):
            self._keep_containment(body, entry.seq, at)
        elif isinstance(body, Service) and body.what == "lapsed":
            self._lapsed(body.fields.get("request", ""))
        elif isinstance(body, Enabled) and self.contained.pop(body.identity, None) is not None:
            self._touched[3].add(body.identity)
            self._touched[2].discard(body.identity)

    def adopt(self, lease: Lease) -> Lease:
        """Take a lease from the tables back into memory, where it is not there."""
        if lease.chain not in self.leases:
            self.leases[lease.chain] = lease
            self._known.add(lease.chain)
            self._hang(lease)
        return self.leases[lease.chain]

    def drain(self) -> Changes | None:
        """What changed since the last time, for the tables; None where nothing was said since."""
        if self.through == self._drained:
            return None
        self._drained = self.through
        leases, requests, contained, enabled, once = self._touched
        self._touched = (set(), set(), set(), set(), set())
        return Changes(
            through=self.through,
            approvals=self.approvals,
            leases=tuple(self.leases[each] for each in sorted(leases) if each in self.leases),
            requests=tuple(self.requests[each] for each in sorted(requests) if each in self.requests),
            containments=tuple(self.contained[each] for each in sorted(contained) if each in self.contained),
            enabled=tuple(sorted(enabled)),
            once=tuple(self.once[each] for each in sorted(once) if each in self.once),
        )

    def let_go(self, now: int, saved: Changes, busy: Container[str] = ()) -> None:
        """Forget what is over, of what the tables have; and what lives until it expires, where only time ends it.

        What somebody is about (``busy``) stays until a later time: an entry about a chain that is not in memory changes
        nothing.
        """
        self._known.update(each.chain for each in saved.leases if self.leases.get(each.chain) is each)
        for chain in [each for each in self._known if each not in busy]:
            self._known.discard(chain)
            held = self.leases[chain]
            if held.standing in OVER or (held.ends is Ending.EXPIRY and held.standing is Standing.LIVE):
                self._unhang(held)
        for kept in saved.requests:
            over = kept.pending.state not in UNDECIDED
            if over and self.requests.get(kept.pending.request) is kept:
                del self.requests[kept.pending.request]
        for once in [each for each in saved.once if self.once.get(each.key) is each]:
            if once.until <= now or len(self.once) > 10_000:
                del self.once[once.key]

    def _of_chain(self, chain: str, seq: int, at: int, body: object) -> None:
        if isinstance(body, Request):
            self._requested(chain, seq, at, body)
            return
        lease = self.leases.get(chain)
        if lease is None:
            return
        if isinstance(body, Issued):
            self._put(_issued(lease, body, seq, at))
            self._decide(body.request, RequestState.ISSUED)
            if body.renews in self.leases:
                old = self.leases[body.renews]
                self._put(msgspec.structs.replace(old, renewals=old.renewals + 1))
        elif isinstance(body, Failed):
            standing = Standing.FAILED if body.left == "nothing" else Standing.ENDING
            cause = "" if body.left == "nothing" else "recovered"
            ended = at if standing is Standing.FAILED else None
            self._put(msgspec.structs.replace(lease, standing=standing, cause=cause, seq=seq, ended=ended))
            self._decide(lease.request, RequestState.FAILED)
            self._free(lease)
        elif isinstance(body, EndAsked):
            self._put(_ending(lease, body, seq))
        elif isinstance(body, Ended):
            self._put(_ended(lease, body, seq, at))

    def _free(self, lease: Lease) -> None:
        """What was asked for was not made: its idempotency key may be used again."""
        if lease.once is not None:
            once = Once(key=lease.once, request=lease.request, chain=lease.chain, digest="", until=0)
            self.once[once.key] = once
            self._touched[4].add(once.key)

    def _lapsed(self, request: str) -> None:
        kept = self.requests.get(request)
        if kept is not None and kept.pending.state in UNDECIDED:
            self._decide(request, RequestState.LAPSED)

    def _requested(self, chain: str, seq: int, at: int, body: Request) -> None:
        if body.idempotency is not None and (body.plan is not None or body.decision.asked is not None):
            once = Once(
                key=body.idempotency, request=body.request, chain=chain, digest=body.digest, until=at + HELD_ONCE
            )
            self.once[once.key] = once
            self._touched[4].add(once.key)
        if body.plan is not None:
            self._put(_planned(chain, seq, at, body, body.plan))
        elif body.decision.asked is not None:
            self._pend(chain, at, body)

    def _pend(self, chain: str, at: int, body: Request) -> None:
        """The first entry that asks for approval is the one that people see; a later one changes nothing."""
        asked = body.decision.asked
        if asked is None or body.request in self.requests:
            return
        pending = Pending(
            request=body.request,
            digest=body.digest,
            shown="",
            state=RequestState.PENDING,
            identity=body.registered.identity if body.registered else "",
            backend=body.intent.backend,
            asked=at,
            until=lapses(body) or at,
            needed=asked.count,
            group=asked.group,
            chain=chain,
        )
        self._keep(Kept(pending=pending, body=body))

    def _approved(self, body: Approved, at: int) -> None:
        self.approvals = max(self.approvals, body.leaf + 1)
        kept = self.requests.get(body.request)
        if kept is None or kept.pending.state not in UNDECIDED:
            return
        kept = msgspec.structs.replace(kept, given=(*kept.given, body))
        self._keep(msgspec.structs.replace(kept, pending=standing_at(kept, at)))

    def _decide(self, request: str, state: RequestState) -> None:
        kept = self.requests.get(request)
        if kept is not None:
            self._keep(msgspec.structs.replace(kept, pending=msgspec.structs.replace(kept.pending, state=state)))

    def _keep(self, kept: Kept) -> None:
        self.requests[kept.pending.request] = kept
        self._touched[1].add(kept.pending.request)

    def _keep_containment(self, body: Contained, seq: int, at: int) -> None:
        if body.identity not in self.contained:
            self.contained[body.identity] = Containment(
                identity=body.identity, by=body.by, reason=body.reason, since=at, seq=seq, incident=body.incident
            )
        self._touched[2].add(body.identity)
        self._touched[3].discard(body.identity)

    def _put(self, lease: Lease) -> None:
        if lease.standing not in (Standing.LIVE, Standing.PLANNED):
            self.doomed |= self.below.get(lease.chain, set())
        self.leases[lease.chain] = lease
        self._known.discard(lease.chain)
        self._hang(lease)
        self._touched[0].add(lease.chain)

    def _hang(self, lease: Lease) -> None:
        for parent in parents_of(lease):
            self.below.setdefault(parent, set()).add(lease.chain)

    def _unhang(self, lease: Lease) -> None:
        del self.leases[lease.chain]
        self.doomed.discard(lease.chain)
        for parent in parents_of(lease):
            siblings = self.below.get(parent, set())
            siblings.discard(lease.chain)
            if not siblings:
                self.below.pop(parent, None)


def held_of(lease: Lease) -> Held:
    """What a backend needs to know of a lease."""
    plan = Plan(
        backend=lease.backend,
        kind=lease.kind,
        ends=lease.ends,
        name=lease.name,
        ttl=max(0, (lease.not_after - lease.asked) // MICROSECONDS),
        not_after=_text(lease.not_after),
        scope=lease.scope,
    )
    return Held(chain=lease.chain, plan=plan, keys=lease.keys, issued=lease.issued, server=lease.server)


def _text(moment: int) -> str:

    return str(text(moment))


def holder_of(body: Request) -> Proof:
    """Who will hold what is asked for: the actor with a token of its own, where there is one."""
    acting = body.actors[0].proof if body.actors else None
    return body.proof if acting is None else acting


def _planned(chain: str, seq: int, at: int, body: Request, plan: Plan) -> Lease:
    holder = holder_of(body)
    return Lease(
        chain=chain,
        request=body.request,
        backend=plan.backend,
        kind=plan.kind,
        ends=plan.ends,
        standing=Standing.PLANNED,
        identity=body.registered.identity if body.registered else "",
        workload=holder.workload,
        run=holder.run,
        identities=body.identities,
        once=body.idempotency,
        name=plan.name,
        keys=() if plan.key is None else (plan.key,),
        asked=at,
        not_after=microseconds(plan.not_after) or at,
        seq=seq,
        decided=seq,
        intent=body.intent,
        scope=plan.scope,
        parent=body.intent.parent,
        parents=body.parents,
        renews=body.intent.renews,
    )


def _issued(lease: Lease, body: Issued, seq: int, at: int) -> Lease:
    return msgspec.structs.replace(
        lease,
        standing=Standing.LIVE,
        keys=body.keys,
        not_after=microseconds(body.not_after) or lease.not_after,
        issued=at,
        seq=seq,
        scope=body.scope,
        server=body.server,
    )


def _ending(lease: Lease, body: EndAsked, seq: int) -> Lease:
    """One that was over and is found again begins anew: what was seen of its first end is no word about this one."""
    asked = msgspec.structs.replace(lease, standing=Standing.ENDING, cause=body.cause, seq=seq)
    return msgspec.structs.replace(asked, effect=None, tries=0, ended=None) if lease.standing in OVER else asked


def _ended(lease: Lease, body: Ended, seq: int, at: int) -> Lease:
    standing = STANDINGS[body.effect]
    return msgspec.structs.replace(
        lease,
        standing=standing,
        effect=body.effect,
        cause=body.cause or lease.cause,
        seq=seq,
        tries=lease.tries + 1,
        ended=at if standing is Standing.ENDED else None,
    )
