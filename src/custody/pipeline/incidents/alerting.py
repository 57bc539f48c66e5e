"""An alert that was pushed and is sealed opens an incident: once, and no more of them in an hour than was said.

Who sends it is known by a token alone, so the service's account is the author, and nobody signed. An alert that an
incident names already, by whomever, opens nothing. Past the number for an hour further alerts widen the newest incident
of the same intake that is open, all those of one push in as few steps as they fit into: a flood of alerts is one
incident and a few steps, not a thousand, and keeps nobody waiting who seals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from custody.model.verdicts import Severity
from custody.pipeline.incidents.opening import MOST_SEEDS, response_of
from custody.pipeline.incidents.reading import OPERATIONS, Record, read
from custody.pipeline.incidents.saying import given_signers
from custody.pipeline.incidents.sealing import Desk, seal
from custody.store.reader import Reader

HOUR = 3_600_000_000
MOST_GROWN = 2000
"""Seeds of an incident past which alerts widen it no more; they are sealed, and say themselves where they came in."""
MOST_WIDENED = 200
"""Steps that widen one incident, past which it is the same: every further push would have all of them read."""
MOST_VALUE = 1000
"""Characters of what names an alert."""
TRIES = 3
Placed = tuple[Alert, LeafRef]


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
    try:
        placed = _placed(desk, found)
        names = _taken(desk, rule, placed) if placed else {}
    except CustodyError as error:
        raise StoreError(
            "the alert is sealed, and no incident could be opened for it",
            where=rule.intake,
            found=str(error)[:300],
            advice="Mend that, and send it again.",
        ) from None
    return tuple(dict.fromkeys(names[each.value] for each, _ in placed))


def _placed(desk: Desk, found: Sequence[Alert]) -> list[Placed]:
    """Each alert with its record, the first where several have its identity; those that have none are left out."""
    with Reader.open(desk.settings.store) as reader:
        leaves = [(each, reader.find(each.source, each.identity)) for each in found]
    return [(each, LeafRef(OPERATIONS, own[0])) for each, own in leaves if own]


def _taken(desk: Desk, rule: Rule, placed: Sequence[Placed]) -> dict[str, str]:
    """The incident that names each alert, by what its seed says."""
    response = response_of(desk.settings, given_signers(desk))
    names: dict[str, str] = {}
    left, slips = list(placed), 0
    while left:
        record = read(desk.settings)
        named = _named(record)
        names |= {each.value: name for each, _ in left if (name := _known(named, each)) is not None}
        left = [each for each in left if each[0].value not in names]
        newest = _full(record, rule, desk.now())
        fit = _fitting(left) if newest is not None else left[:1]
        try:
            if newest is not None and _is_grown(newest):
                return names | {each.value: newest.id for each, _ in left}
            if fit:
                opened = _open(desk, rule, response, *fit[0]) if newest is None else _widen(desk, rule, newest, fit)
                names |= {each.value: opened for each, _ in fit}
                left = left[len(fit) :]
        except _Changed:
            slips += 1
            if slips >= TRIES:
                raise UsageError("others seal steps faster than this one can be") from None
    return names


def _named(record: Record) -> dict[str, str]:
    """The incident that names each alert, by what its seed says: the first of the open ones before any other."""
    found: dict[str, str] = {}
    for each in sorted(record.incidents, key=lambda each: (each.closed is not None, each.opened.leaf.index)):
        for seed in each.seeds:
            if seed.kind is SeedKind.ALERT:
                found.setdefault(seed.value, each.id)
    return found


def _known(named: Mapping[str, str], alert: Alert) -> str | None:
    return named.get(alert.value) or named.get(_hashed(alert.value))


def _fitting(left: Sequence[Placed]) -> list[Placed]:
    """As many of them, from the first, as one step may have seeds."""
    found: list[Placed] = []
    room = MOST_SEEDS
    for alert, leaf in left:
        room -= len(alert.seeds(leaf))
        if room < 0:
            break
        found.append((alert, leaf))
    return found


def _is_grown(incident: Incident) -> bool:
    """Whether alerts widen it no more."""
    widened = sum(isinstance(each.step, Widened) for each in incident.heard)
    return len(incident.seeds) >= MOST_GROWN or widened >= MOST_WIDENED


def _full(record: Record, rule: Rule, now: int) -> Incident | None:
    """The incident that takes further alerts of an intake; None while it may open another one."""
    own = [
        each
        for each in record.incidents
        if each.opening.reason.partition(":")[0] == rule.reason and each.opened.signature is None
    ]
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
        aware=None,
        response=digest_of(response),
    )

    def fresh(record: Record, _: Heard) -> None:
        if _known(_named(record), alert) is not None or _full(record, rule, now) is not None:
            raise _Changed

    return seal(desk, step, None, fresh, (STATEMENT, text_of(response))).step.incident


def _widen(desk: Desk, rule: Rule, incident: Incident, placed: Sequence[Placed]) -> str:
    has = set(incident.seeds)
    given = (seed for alert, leaf in placed for seed in _clean(alert.seeds(leaf), desk.secretive))
    seeds = tuple(seed for seed in dict.fromkeys(given) if seed not in has)
    step = Widened(incident=incident.id, seeds=seeds, reason=_reason(rule, placed[0][0], desk.secretive, len(placed)))

    def fresh(record: Record, heard: Heard) -> None:
        named = _named(record)
        if any(_known(named, alert) is not None for alert, _ in placed):
            raise _Changed
        _check(record, heard.step, heard.at)

    return seal(desk, step, None, fresh).step.incident


def _check(record: Record, step: Step, at: int) -> None:
    try:
        check(record.one(step.incident), step, at)
    except CustodyError:  # it was closed meanwhile
        raise _Changed from None


def _reason(rule: Rule, alert: Alert, secretive: Secretive, count: int = 1) -> str:
    many = f"{count} alerts, the first: " if count > 1 else ""
    return f"{rule.reason}: {many}{_shown(alert.title, secretive)}"[:MOST_REASON]


def _shown(title: str, secretive: Secretive) -> str:
    return "an alert" if secretive(title) else title


def _clean(seeds: tuple[Seed, ...], secretive: Secretive) -> tuple[Seed, ...]:
    """Seeds whose text may be sealed: of an alert whose id looks like a secret, or is too long, the hash stands in."""
    shown = (
        msgspec.structs.replace(each, value=_hashed(each.value))
        if len(each.value) > MOST_VALUE or secretive(each.value)
        else each
        for each in seeds
        if each.kind is SeedKind.ALERT or not secretive(each.value)
    )
    return tuple(shown)


def _hashed(value: str) -> str:
    return f"sha256:{sha256(value.encode()).hexdigest()}"
