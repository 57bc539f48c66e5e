"""What credentials did: resources, secrets, grants, users, keys and trust, each with its first record.

A read of a secret is told by the service and the call; that a parameter was decrypted, and which secret was asked for
where the log has no resource, stand only in the record itself, so those records are read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from custody.incidents.scope.grounds import LOG, Grounds, chosen
from custody.incidents.seen import Touched
from custody.model.leaf import LeafRef

LISTED = 5_000
"""Things that are listed at most, the first of each kind before others."""
READ_AGAIN = 2_000
"""Records whose bytes are read again, at most."""
KINDS = ("secret", "key", "user", "trust", "grant", "resource")
"""What is told first."""

Row = tuple[str, str, str, str, str, int, int, int, int]
"""Kind or source, key, name, event, outcome, first, last (µs), records, first leaf."""

_CHANGES = """
    SELECT m.effect, m.by_key, CASE WHEN m.effect = 'end.ask' THEN m.principal ELSE m.what END AS name, m.effect,
           'success', min(m.time), max(m.time), count(DISTINCT m.event), min(m.leaf)
    FROM made m WHERE m.by_key IN (SELECT unnest(?))
    GROUP BY m.effect, m.by_key, name ORDER BY min(m.time), m.effect, m.by_key, name LIMIT 5001
"""
"""What a credential made or changed. Of an end that was asked of a broker, what ends; why it was asked is no thing."""
_SECRETS = """
    SELECT p.source, p.key, coalesce(p.resource, ''), concat(p.service, ':', p.action), p.outcome, p.time, p.time, 1,
           p.leaf
    FROM parts p
    WHERE p.key IN (SELECT unnest(?)) AND p.stage = 'use' AND coalesce(p.effect, '') <> 'stream.open'
      AND (p.service = 'secretsmanager.amazonaws.com' AND p.action IN ('GetSecretValue', 'BatchGetSecretValue')
           OR p.service = 'ssm.amazonaws.com'
              AND p.action IN ('GetParameter', 'GetParameters', 'GetParametersByPath', 'GetParameterHistory')
           OR p.source = 'vault.audit' AND p.action = 'read' AND p.category IN ('kv', 'generic', 'cubbyhole')
           OR p.service = 'core.k8s.io' AND p.resource LIKE 'secrets/%'
              AND (p.action LIKE 'get %' OR p.action LIKE 'list %' OR p.action LIKE 'watch %'))
    ORDER BY p.time, p.event, p.key, p.leaf LIMIT 50001
"""
_RESOURCES = """
    SELECT p.source, p.key, coalesce(p.resource, p.service), concat(p.service, ':', p.action), p.outcome, min(p.time),
           max(p.time), count(DISTINCT p.event), min(p.leaf)
    FROM parts p
    WHERE p.key IN (SELECT unnest(?)) AND p.stage = 'use' AND coalesce(p.effect, '') <> 'stream.open'
      AND NOT EXISTS (SELECT 1 FROM made m WHERE m.leaf = p.leaf AND m.by_key = p.key)
      AND NOT EXISTS (SELECT 1 FROM secret_leaves s WHERE s.leaf = p.leaf)
    GROUP BY p.source, p.key, coalesce(p.resource, p.service), p.service, p.action, p.outcome
    ORDER BY min(p.time), p.key, 3, 4, p.outcome LIMIT 5001
"""


class _Asked(msgspec.Struct, frozen=True, rename="camel"):
    """What CloudTrail keeps of a request for secrets or parameters."""

    secret_id: str | None = None
    with_decryption: bool | str | None = None
    name: str | None = None
    path: str | None = None


class _Record(msgspec.Struct, frozen=True, rename="camel"):
    request_parameters: _Asked | None = None


_RECORD = msgspec.json.Decoder(_Record)


def touched(grounds: Grounds, keys: Iterable[str]) -> tuple[tuple[Touched, ...], bool]:
    """What ``keys`` did something to, by kind and time; and whether there is more. ``parts`` must hold them."""
    given = sorted(set(keys))
    read, cut_off = _secrets(grounds, given)
    grounds.engine.table("secret_leaves", {"leaf": "BIGINT"}, [(leaf,) for each in read for leaf in each.leaves])
    changes = _rows(grounds, _CHANGES, given)
    resources = _rows(grounds, _RESOURCES, given)
    every = [each.told() for each in read]
    every += [_told(_kind(row[0]), row) for row in changes]
    every += [_told("resource", row) for row in resources]
    every.sort(key=lambda each: (KINDS.index(each.what), each.first, each.name, each.by, each.event, each.outcome))
    cut_off = cut_off or len(changes) > LISTED or len(resources) > LISTED or len(every) > LISTED
    return tuple(every[:LISTED]), cut_off


def _rows(grounds: Grounds, sql: str, keys: Sequence[str]) -> list[Row]:
    return msgspec.convert(chosen(grounds.engine, sql, keys), list[Row])


def _kind(effect: str) -> str:
    """What was made or changed, by the first word of its effect."""
    if effect in ("trust.change", "key.create"):
        return effect.partition(".")[0]
    first = effect.partition(".")[0]
    if first in ("user", "role", "login", "group", "credential", "principal") and effect.endswith(
        (".create", ".update")
    ):
        return "user"
    if first in ("policy", "boundary", "grant", "group", "profile", "role", "user", "login", "session", "sessions"):
        return "grant"
    return "resource"


def _told(what: str, row: Row) -> Touched:
    _, key, name, event, outcome, first, last, count, leaf = row
    return Touched(
        what=what,
        name=name,
        by=key,
        event=event,
        first=first,
        last=last,
        count=count,
        leaf=LeafRef(LOG, leaf),
        outcome=outcome,
    )


class _Reads:
    """The reads of one secret by one key with one outcome."""

    def __init__(self, key: str, name: str, event: str, outcome: str) -> None:
        self.key, self.name, self.event, self.outcome = key, name, event, outcome
        self.times: list[int] = []
        self.leaves: set[int] = set()

    def told(self) -> Touched:
        """As it is listed."""
        first, last = min(self.times), max(self.times)
        row = ("", self.key, self.name, self.event, self.outcome, first, last, len(self.leaves), min(self.leaves))
        return _told("secret", row)


def _secrets(grounds: Grounds, keys: Sequence[str]) -> tuple[list[_Reads], bool]:
    """Every read of a secret; of parameters only those whose record says that they were decrypted."""
    found: dict[tuple[str, str, str, str], _Reads] = {}
    rows = _rows(grounds, _SECRETS, keys)
    asked = _asked_of(grounds.kept)
    unread = 0
    for source, key, resource, event, outcome, time, _, _, leaf in rows:
        names: tuple[str, ...] = (resource,)
        if source == "aws.cloudtrail":
            if unread >= READ_AGAIN:
                continue
            unread += 1
            said = asked(leaf)
            if event.startswith("ssm.") and said.with_decryption not in (True, "true"):
                continue
            names = (resource or said.secret_id or said.name or said.path or event.partition(":")[0],)
        for name in names:
            at = (key, name, event, outcome)
            reads = found.setdefault(at, _Reads(*at))
            reads.times.append(time)
            reads.leaves.add(leaf)
    return [found[at] for at in sorted(found)], unread >= READ_AGAIN or len(rows) > 50_000


def _asked_of(kept: Callable[[int], bytes | None]) -> Callable[[int], _Asked]:
    def asked(leaf: int) -> _Asked:
        try:
            return _RECORD.decode(kept(leaf) or b"{}").request_parameters or _Asked()
        except (msgspec.MsgspecError, UnicodeError):
            return _Asked()

    return asked
