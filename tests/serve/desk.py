"""A small scripted broker behind the door that the service knows: what was asked is kept, what is answered is set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from custody.broker.backends.backend import Secret
from custody.broker.desk import (
    Caller,
    Containment,
    Desk,
    Ended,
    Handed,
    Item,
    Lease,
    Page,
    Pending,
    Person,
    RequestState,
    Standing,
)
from custody.errors import CustodyError, IdentityRefused, NotFound
from custody.model.broker_terms import Decision, Ending, Intent, Verdict
from custody.model.brokered import Effect

NOW = 1_790_000_000_000_000
"""2026-09-21, in microseconds."""

PASSWORD = "must-not-stay-password"
ACCESS = "must-not-stay-access"
SUBJECT = "must-not-stay-subject"

DECISION = Decision(
    verdict=Verdict.ALLOW, engine="fixed", policy_set="a" * 64, schema="b" * 64, entities="c" * 64, request="d" * 64
)


def chain(number: int) -> str:
    """A chain id."""
    return f"cc-{number:026d}"


def asked_id(number: int) -> str:
    """The id of a request."""
    return f"rq-{number:026d}"


def lease(number: int) -> Lease:
    """A lease that lives."""
    return Lease(
        chain=chain(number),
        request=asked_id(number),
        backend="database",
        kind="postgresql",
        ends=Ending.KILLED_WITH_SESSIONS,
        standing=Standing.LIVE,
        identity="payments",
        workload="k8s_service_account:lab:shop/pay",
        name=f"cc_{number:026d}",
        keys=(f"db_role:postgresql:cc_{number:026d}",),
        asked=NOW,
        not_after=NOW + 900_000_000,
        seq=2 * number,
        decided=2 * number - 1,
        intent=Intent(backend="database"),
        issued=NOW + 1,
    )


def pending(number: int) -> Pending:
    """A request that waits for people."""
    return Pending(
        request=asked_id(number),
        digest="e" * 64,
        shown='{"identity":"payments"}',
        state=RequestState.PENDING,
        identity="payments",
        backend="database",
        asked=NOW,
        until=NOW + 900_000_000,
        needed=2,
        group="release-managers",
    )


class Script(Desk):
    """Answers what it is told to; keeps what it was asked."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """As at the beginning."""
        self.asked: list[tuple[str, object]] = []
        self.callers: list[Caller] = []
        self.error: BaseException | None = None
        self.token = False
        self.held = {chain(number): lease(number) for number in range(1, 6)}
        self.waiting = {asked_id(number): pending(number) for number in range(1, 4)}
        self.contained: dict[str, Containment] = {}

    @contextmanager
    def failing(self, error: BaseException) -> Iterator[None]:
        """Everything raises ``error`` inside the block."""
        self.error = error
        try:
            yield
        finally:
            self.error = None

    async def exchange(self, caller: Caller, intent: Intent) -> Handed:
        self._note("exchange", intent, caller)
        return self._handed(intent)

    async def fetch(self, caller: Caller, request: str) -> Handed:
        self._note("fetch", request, caller)
        return self._handed(Intent(backend="database"))

    async def renew(self, caller: Caller, chain: str, *, reason: str, ttl: int | None = None) -> Handed:
        self._note("renew", (chain, reason, ttl), caller)
        self._found(chain)
        return self._handed(Intent(backend="database"))

    async def complete(self, caller: Caller, chain: str) -> Ended:
        self._note("complete", chain, caller)
        return self._ended(chain)

    async def revoke(self, person: Person, chain: str, *, reason: str) -> Ended:
        self._note("revoke", (person.key, chain, reason))
        return self._ended(chain)

    async def contain(self, person: Person, identity: str, *, reason: str, incident: str | None = None) -> list[Lease]:
        self._note("contain", (person.key, identity, reason, incident))
        self.contained[identity] = Containment(
            identity=identity, by=person.key, reason=reason, since=NOW, seq=9, incident=incident
        )
        return [each for each in self.held.values() if each.identity == identity]

    async def checklist(self, identity: str) -> list[Item]:
        self._note("checklist", identity)
        return [Item(item="credentials-ended", grade="proved", shown_by="custody.broker lines 7 to 9")]

    async def enable(self, person: Person, identity: str, *, reason: str) -> list[Item]:
        self._note("enable", (person.key, identity, reason))
        return await self.checklist(identity)

    async def lease(self, chain: str) -> Lease:
        self._note("lease", chain)
        return self._found(chain)

    async def leases(self, page: Page, *, identity: str | None = None, standing: str | None = None) -> list[Lease]:
        self._note("leases", (page, identity, standing))
        rows = [
            each
            for name, each in sorted(self.held.items())
            if name > (page.after or "") and identity in (None, each.identity) and standing in (None, each.standing)
        ]
        return rows[: page.limit]

    async def request(self, request: str) -> Pending:
        self._note("request", request)
        if request not in self.waiting:
            raise NotFound("no such request", found=request)
        return self.waiting[request]

    async def requests(self, page: Page, *, state: str | None = None) -> list[Pending]:
        self._note("requests", (page, state))
        rows = [
            each
            for name, each in sorted(self.waiting.items())
            if name > (page.after or "") and state in (None, each.state)
        ]
        return rows[: page.limit]

    async def containments(self) -> list[Containment]:
        self._note("containments", None)
        return list(self.contained.values())

    def _note(self, what: str, told: object, caller: Caller | None = None) -> None:
        self.asked.append((what, told))
        if caller is not None:
            self.callers.append(caller)
            shown = caller.presented
            if not shown.certificate and shown.token != SUBJECT.encode():
                raise IdentityRefused("the signature does not verify", reason="bad-signature")
        if self.error is not None:
            raise self.error

    def _found(self, chain: str) -> Lease:
        if chain not in self.held:
            raise NotFound("no such lease", found=chain)
        return self.held[chain]

    def _ended(self, chain: str) -> Ended:
        ended = msgspec.structs.replace(
            self._found(chain), standing=Standing.ENDED, ended=NOW + 2, effect=Effect.GONE, cause="complete"
        )
        return Ended(lease=ended)

    def _handed(self, intent: Intent) -> Handed:
        secrets = {"access_token": Secret(ACCESS)} if self.token else {"password": Secret(PASSWORD)}
        return Handed(
            chain=chain(1),
            request=asked_id(1),
            receipt=f"{chain(1)}@12",
            type="urn:ietf:params:oauth:token-type:access_token" if self.token else "custody:postgresql",
            secrets=secrets,
            facts={} if self.token else {"username": "cc_1"},
            keys=("db_role:postgresql:cc_1",),
            not_after=NOW + 900_000_000,
            expires_in=900,
            scope=intent.scope,
            decision=DECISION,
        )


def quiet(error: CustodyError) -> CustodyError:
    """An error whose words hold what must not go out."""
    error.where = error.found = error.expected = "must-not-stay-server"
    return error
