"""An alert that was pushed and is sealed opens an incident: once, and no more of them in an hour than was said.

Who sends it is known by a token alone, so the service's account is the author, and nobody signed. An alert that an
incident names already, by whomever, opens nothing. Past the number for an hour further alerts widen the newest incident
of the same intake that is open: a flood of alerts is one incident, not a thousand.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import msgspec

from custody.broker.clock import ulid
from custody.errors import CustodyError, StoreError, UsageError
from custody.incidents.record.acting import MOST_REASON, Secretive, check
from custody.incidents.record.folding import Heard, Incident
from custody.incidents.record.response import STATEMENT, Response, digest_of, text_of
from custody.incidents.telling.alerts import Alert, alerts
from custody.model.incidents import Opened, Seed, SeedKind, Step, Widened
from custody.model.leaf import LeafRef
from custody.model.times import text
from custody.model.verdicts import Severity
from custody.pipeline.incidents.opening import MOST_SEEDS, response_of
from custody.pipeline.incidents.reading import OPERATIONS, Record, read
from custody.pipeline.incidents.saying import given_signers
from custody.pipeline.incidents.sealing import Desk, seal
from custody.store.reader import Reader

HOUR = 3_600_000_000
MOST_GROWN = 2000
"""Seeds of an incident past which alerts widen it no more; they are sealed, and say themselves where they came in."""
TRIES = 3


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What an intake opens: incidents of a severity, at most so many in an hour."""

    intake: str
    severity: Severity
    most: int

    @property
    def reason(self) -> str:
        """What the reason of each begins with: by it the incidents of this intake are counted."""
        return f"pushed to intake/{self.intake}"


class _Changed(Exception):
    """Somebody else sealed something meanwhile that changes what is to be done."""


def opened(desk: Desk, rule: Rule, body: bytes) -> tuple[str, ...]:
    """The incidents that name the alerts of a pushed body now, opened or widened where none did.

    StoreError where that cannot be: the alerts are sealed, and the same push opens it later.
    """
    found = alerts(body)
    names: list[str] = []
    try:
        placed = _placed(desk, found)
        response = response_of(desk.settings, given_signers(desk)) if placed else None
        for each, leaf in placed:
            assert response is not None
            names.append(_taken(desk, rule, response, each, leaf))
    except CustodyError as error:
        raise StoreError(
            "the alert is sealed, and no incident could be opened for it",
            where=rule.intake,
            found=str(error)[:300],
            advice="Mend that, and send it again.",
        ) from None
    return tuple(dict.fromkeys(names))


def _placed(desk: Desk, found: Sequence[Alert]) -> list[tuple[Alert, LeafRef]]:
    """Each alert with its record, the first where several have its identity; those that have none are left out."""
    with Reader.open(desk.settings.store) as reader:
        leaves = [(each, reader.find(each.source, each.identity)) for each in found]
    return [(each, LeafRef(OPERATIONS, own[0])) for each, own in leaves if own]


def _taken(desk: Desk, rule: Rule, response: Response, alert: Alert, leaf: LeafRef) -> str:
    """The incident that names an alert."""
    for _ in range(TRIES):
        record = read(desk.settings)
        known = _known(record, alert)
        if known is not None:
            return known
        newest = _full(record, rule, desk.now())
        try:
            if newest is None:
                return _open(desk, rule, response, alert, leaf)
            return _widen(desk, rule, newest, alert, leaf)
        except _Changed:
            continue
    raise UsageError("others seal steps faster than this one can be")


def _known(record: Record, alert: Alert) -> str | None:
    """The incident that names it, the open ones first."""
    ordered = sorted(record.incidents, key=lambda each: (each.closed is not None, each.opened.leaf.index))
    named = (each.id for each in ordered if any(_names(seed, alert) for seed in each.seeds))
    return next(named, None)


def _names(seed: Seed, alert: Alert) -> bool:
    return seed.kind is SeedKind.ALERT and seed.value in (alert.value, _hashed(alert.value))


def _full(record: Record, rule: Rule, now: int) -> Incident | None:
    """The incident that takes further alerts of an intake; None while it may open another one."""
    own = [each for each in record.incidents if each.opening.reason.partition(":")[0] == rule.reason]
    recent = [each for each in own if each.opened.at > now - HOUR]
    if len(recent) < rule.most:
        return None
    still = [each for each in recent if each.closed is None]
    return max(still, key=lambda each: each.opened.leaf.index, default=None)


def _open(desk: Desk, rule: Rule, response: Response, alert: Alert, leaf: LeafRef) -> str:
    now = desk.now()
    step = Opened(
        incident=f"in-{ulid(now, desk.random)}",
        title=_shown(alert.title, desk.secretive),
        severity=rule.severity,
        seeds=_clean(alert.seeds(leaf), desk.secretive),
        reason=_reason(rule, alert, desk.secretive),
        aware=str(text(now // 1_000_000 * 1_000_000)),
        response=digest_of(response),
    )

    def fresh(record: Record, _: Heard) -> None:
        if _known(record, alert) is not None or _full(record, rule, now) is not None:
            raise _Changed

    return seal(desk, step, None, fresh, (STATEMENT, text_of(response))).step.incident


def _widen(desk: Desk, rule: Rule, incident: Incident, alert: Alert, leaf: LeafRef) -> str:
    if len(incident.seeds) >= MOST_GROWN:
        return incident.id
    seeds = tuple(each for each in _clean(alert.seeds(leaf), desk.secretive) if each not in incident.seeds)
    step = Widened(incident=incident.id, seeds=seeds[:MOST_SEEDS], reason=_reason(rule, alert, desk.secretive))

    def fresh(record: Record, heard: Heard) -> None:
        if _known(record, alert) is not None:
            raise _Changed
        _check(record, heard.step, heard.at)

    return seal(desk, step, None, fresh).step.incident


def _check(record: Record, step: Step, at: int) -> None:
    try:
        check(record.one(step.incident), step, at)
    except CustodyError:  # it was closed meanwhile
        raise _Changed from None


def _reason(rule: Rule, alert: Alert, secretive: Secretive) -> str:
    return f"{rule.reason}: {_shown(alert.title, secretive)}"[:MOST_REASON]


def _shown(title: str, secretive: Secretive) -> str:
    return "an alert" if secretive(title) else title


def _clean(seeds: tuple[Seed, ...], secretive: Secretive) -> tuple[Seed, ...]:
    """Seeds whose text may be sealed: of an alert whose id looks like a secret the hash stands for it."""
    shown = (
        msgspec.structs.replace(each, value=_hashed(each.value)) if secretive(each.value) else each
        for each in seeds
        if each.kind is SeedKind.ALERT or not secretive(each.value)
    )
    return tuple(shown)


def _hashed(value: str) -> str:
    return f"sha256:{sha256(value.encode()).hexdigest()}"
