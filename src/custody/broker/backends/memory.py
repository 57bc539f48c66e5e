"""The backend that makes credentials of nothing: the fake at the seam, shipped so that every test can use it.

Its credentials open nothing. It can be told to fail at any step, with the step done or not, to hold sessions that
outlive their credential, and to be out of reach.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from custody.broker.backends import asking
from custody.broker.backends.backend import Door, Held, Made, Order, Secret, Seen
from custody.errors import BackendFailed, UsageError
from custody.model import keys
from custody.model.broker_terms import Ending, Plan
from custody.model.brokered import Effect

KIND = "memory"

Step = Literal["issue", "end", "look", "probe", "orphans"]


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be asked for: words of scope, audiences, resources, types of details; and how the credentials end."""

    scopes: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    ends: Ending = Ending.KILLED_WITH_SESSIONS
    quick: bool = True


OPTIONS = Options


class Record(msgspec.Struct, kw_only=True):
    """A credential as this backend holds it; ``stubborn`` sessions survive whatever is tried."""

    order: Order
    not_after: int
    password: Secret
    live: bool = True
    sessions: int = 0
    stubborn: int = 0


class Fault(msgspec.Struct, frozen=True):
    """A failure to come: at which step, whether the step is done all the same, whether it is sure that it was not."""

    step: Step
    persisted: bool
    certain: bool


class MemoryBackend:
    """Credentials in a dictionary, by chain."""

    kind = KIND

    def __init__(self, name: str, options: Options, door: Door) -> None:
        self.name = name
        self.ends = options.ends
        self.max_ttl = 86_400
        self.quick = options.quick
        self.made: dict[str, Record] = {}
        self.reachable = True
        self.calls: list[tuple[Step, str]] = []
        self._options = options
        self._door = door
        self._faults: list[Fault] = []

    def fail(self, step: Step, *, persisted: bool, certain: bool = False, times: int = 1) -> None:
        """Let the next ``times`` calls of ``step`` fail, after the step was done (``persisted``) or instead of it.

        ``certain`` says that the error tells that nothing was made.
        """
        if persisted and certain:
            raise UsageError("a step that was done cannot be certain not to have been")
        self._faults += [Fault(step, persisted, certain)] * times

    def open(self, chain: str, sessions: int = 1, *, stubborn: bool = False) -> None:
        """Open sessions with a credential."""
        record = self.made[chain]
        record.sessions += sessions
        record.stubborn += sessions if stubborn else 0

    def plan(self, order: Order) -> Plan:
        """The chain id is the credential's name."""
        name, options, intent = asking.chain_of(self.name, order), self._options, order.intent
        asking.within(self.name, order, least=1, most=self.max_ttl)
        asking.listed(self.name, "audience", intent.audience, options.audiences)
        asking.listed(self.name, "resource", intent.resource, options.resources)
        asking.details(self.name, intent.details, options.details)
        return asking.planned(
            order,
            kind=KIND,
            ends=self.ends,
            name=name,
            not_after=asking.expiry(order),
            scope=asking.listed(self.name, "scope", intent.scope, options.scopes),
            key=self._key(name),
            subject=order.subject,
        )

    def issue(self, order: Order, plan: Plan) -> Made:
        """A record, and a password that nothing asks for."""
        password = Secret(self._door.random(20).hex())
        not_after = asking.expiry_of(plan)
        with self._step("issue", order.chain):
            if order.chain in self.made:
                raise BackendFailed("there is a credential of this name", reason="exists", where=self.name)
            self.made[order.chain] = Record(order=order, not_after=not_after, password=password)
        return Made(
            keys=(self._key(plan.name),),
            type=f"custody:{KIND}",
            not_after=not_after,
            scope=plan.scope,
            subject=plan.subject,
            secrets={"username": Secret(plan.name), "password": password},
            facts={"receipt": f"{order.chain}@{order.decided}"},
            server={"request": f"{len(self.made)}"},
        )

    def end(self, held: Held) -> None:
        """As the kind of ending allows; what never was is no error."""
        with self._step("end", held.chain):
            record = self.made.get(held.chain)
            if record is None or self.ends is Ending.EXPIRY:
                return
            record.live = False
            if self.ends is Ending.KILLED_WITH_SESSIONS:
                record.sessions = record.stubborn

    def look(self, held: Held) -> Seen:
        """What the dictionary holds."""
        with self._step("look", held.chain):
            record = self.made.get(held.chain)
        if record is None:
            return Seen(effect=Effect.GONE, sessions=0, told={"record": "absent"})
        expired = self._door.clock.now() >= record.not_after
        if self.ends is Ending.EXPIRY:
            return Seen(effect=Effect.GONE if expired else Effect.WAITING, told={"record": "present"})
        told = {"record": "live" if record.live else "ended"}
        if record.live and not expired:
            return Seen(effect=Effect.ALIVE, sessions=record.sessions, told=told)
        return Seen(effect=Effect.SESSIONS if record.sessions else Effect.GONE, sessions=record.sessions, told=told)

    def probe(self, held: Held, secret: Secret) -> Seen | None:
        """Try the password; a refusal says nothing of sessions."""
        with self._step("probe", held.chain):
            record = self.made.get(held.chain)
        works = record is not None and record.live and record.password.reveal() == secret.reveal()
        return Seen(effect=Effect.ALIVE if works else Effect.UNKNOWN, told={"login": "taken" if works else "refused"})

    def orphans(self, known: Callable[[str], bool]) -> tuple[str, ...]:
        """Live records whose chain is not known."""
        with self._step("orphans", ""):
            found = [chain for chain, record in self.made.items() if record.live]
        return tuple(sorted(chain for chain in found if not known(chain)))

    def _key(self, name: str) -> str:
        return keys.scoped("custom", f"memory-{self.name}", name)

    def _step(self, step: Step, chain: str) -> _Faulty:
        self.calls.append((step, chain))
        if not self.reachable:
            raise BackendFailed("out of reach", reason="unreachable", where=self.name, left_unknown=False)
        due = next((fault for fault in self._faults if fault.step == step), None)
        if due is not None:
            self._faults.remove(due)
            if not due.persisted:
                raise _told(self.name, step, left_unknown=not due.certain)
        return _Faulty(self.name, step, strikes=due is not None)


class _Faulty:
    """Lets a step be done, then fails all the same where a fault was ordered."""

    def __init__(self, name: str, step: Step, *, strikes: bool) -> None:
        self._name, self._step, self._strikes = name, step, strikes

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._strikes and kind is None:
            raise _told(self._name, self._step, left_unknown=True)


def _told(name: str, step: Step, *, left_unknown: bool) -> BackendFailed:
    return BackendFailed("told to fail", reason="told", where=name, found=step, left_unknown=left_unknown)


def build(name: str, options: Options, door: Door) -> MemoryBackend:
    """The backend."""
    return MemoryBackend(name, options, door)
