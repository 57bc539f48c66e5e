"""The broker that ``custody incident do`` asks, by way of the client."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from custody.client import answers
from custody.client.operating import Operator
from custody.errors import BrokerError
from custody.incidents.telling.answered import Lease
from custody.model.times import text
from custody.pipeline.incidents.doing import Held

OPEN = ("live", "ending", "surviving", "waiting", "planned")
MOST = 20_000
"""Leases that are looked through for a key, at most: those that are over, the oldest first."""


class Asked:
    """The broker (``pipeline.incidents.doing.Operator``)."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator

    def contained(self) -> Mapping[str, Held]:
        """The open containments by identity."""
        return {
            each.identity: Held(since=_text(each.since), by=each.by, reason=each.reason)
            for each in self._operator.containments()
        }

    def leases(self, target: str) -> Iterable[Lease]:
        """By chain id, else by identity, else by key: among those that are open, then among all."""
        if target.startswith("cc-"):
            return _found(self._operator, target)
        own = [_lease(each) for each in self._operator.leases(identity=target)]
        if own or ":" not in target:
            return own
        some = [each for standing in OPEN for each in self._operator.leases(standing=standing) if target in each.keys]
        return list(map(_lease, some or _searched(self._operator, target)))

    def contain(self, identity: str, reason: str, incident: str) -> Iterable[Lease]:
        """Stop issuing to an identity and end what lives."""
        return map(_lease, self._operator.contain(identity, reason=reason, incident=incident).leases)

    def revoke(self, chain: str, reason: str) -> Iterable[Lease]:
        """End a lease and what descends from it."""
        ended = self._operator.revoke(chain, reason=reason)
        return map(_lease, (ended.lease, *ended.below))

    def enable(self, identity: str, reason: str) -> None:
        """End a containment."""
        self._operator.enable(identity, reason=reason)


def _found(operator: Operator, chain: str) -> tuple[Lease, ...]:
    try:
        return (_lease(operator.lease_of(chain)),)
    except BrokerError as error:
        if error.reason == "not-found":
            return ()
        raise


def _searched(operator: Operator, key: str) -> list[answers.Lease]:
    found = []
    for number, each in enumerate(operator.leases()):
        if number >= MOST:
            break
        if key in each.keys:
            found.append(each)
    return found


def _lease(lease: answers.Lease) -> Lease:
    return Lease(
        chain=lease.chain,
        identity=lease.identity,
        standing=lease.standing,
        not_after=_text(lease.not_after),
        keys=lease.keys,
    )


def _text(moment: datetime) -> str:
    return str(text(int(moment.astimezone(UTC).timestamp()) * 1_000_000))
