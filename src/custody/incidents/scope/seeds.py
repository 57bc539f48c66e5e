"""From what an incident starts with to the credentials that are meant, each with why and how surely.

An address is the weakest start: every credential that had a success from there and whose holder is not known to be
there by the log or the contract. That a thief sat there is not in the records, so it is ``inferred``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from custody.chains import search
from custody.chains.origins import within
from custody.chains.search import LIMIT
from custody.chains.spellings import canonical
from custody.incidents.scope.grounds import LOG, MOST, Grounds, chosen, credentials
from custody.model.incidents import Seed, SeedKind
from custody.model.leaf import LeafRef
from custody.register import spelling

EXACT, BOUNDED, INFERRED = "exact", "bounded", "inferred"
GRADES = (EXACT, BOUNDED, INFERRED)
"""From strong to weak."""


class Meant(msgspec.Struct, frozen=True, kw_only=True):
    """A credential that a seed means: ``join`` is how surely, ``why`` in words."""

    key: str
    why: str
    join: str
    leaf: LeafRef | None = None


class Planted(msgspec.Struct, frozen=True, kw_only=True):
    """What all seeds mean: one entry a key, the surest; and the values of the seeds that mean nothing."""

    meant: tuple[Meant, ...]
    unknown: tuple[str, ...]
    cut_off: bool = False


_OF_IDENTITY = """
    SELECT k.key FROM key_identities k WHERE k.identity IN (
        SELECT i.identity FROM identities i WHERE i.identity IN (SELECT unnest(?))
        UNION
        SELECT n.identity FROM identity_names n WHERE n.name IN (SELECT unnest(?)))
    UNION
    SELECT c.key FROM credentials c WHERE c.subject IN (SELECT unnest(?)) OR c.workload IN (SELECT unnest(?))
    ORDER BY 1 LIMIT 10001
"""
_AT = "SELECT o.key FROM origins o WHERE o.origin = ? ORDER BY o.key LIMIT 10001"
_SUCCESSES_BY_ORIGIN = """
    SELECT p.key, p.origin, min(p.time), min(p.leaf) FROM parts p
    WHERE p.key IN (SELECT unnest(?)) AND p.stage = 'use' AND p.outcome = 'success' AND p.origin IS NOT NULL
      AND coalesce(p.effect, '') <> 'stream.open'
    GROUP BY p.key, p.origin ORDER BY p.key, p.origin
"""
_KNOWN_THERE = """
    SELECT o.key FROM key_origins o WHERE o.key IN (SELECT unnest(?)) AND o.origin = ? AND o.unexplained = 0
"""
_NAMED = """
    SELECT DISTINCT key FROM (
        SELECT p.key FROM parts p WHERE p.leaf = ? AND p.key IS NOT NULL
        UNION
        SELECT t.key FROM told t WHERE t.leaf = ? AND t.key IS NOT NULL
    ) named ORDER BY key
"""


def planted(grounds: Grounds, seeds: Sequence[Seed]) -> Planted:
    """What ``seeds`` mean together."""
    best: dict[str, Meant] = {}
    unknown, cut_off = [], False
    for seed in dict.fromkeys(seeds):
        found = _meant(grounds, seed)
        cut_off = cut_off or len(found) > MOST or (len(found) >= LIMIT and seed.kind is not SeedKind.IDENTITY)
        if not found:
            unknown.append(seed.value)
        for each in found[:MOST]:
            known = best.get(each.key)
            if known is None or GRADES.index(each.join) < GRADES.index(known.join):
                best[each.key] = each
    kept = [best[key] for key in sorted(best)][:MOST]
    return Planted(meant=tuple(kept), unknown=tuple(dict.fromkeys(unknown)), cut_off=cut_off or len(best) > MOST)


def _meant(grounds: Grounds, seed: Seed) -> list[Meant]:
    match seed.kind:
        case SeedKind.KEY:
            return _all(grounds.find(seed.value), "the key that the incident names", EXACT, seed.record)
        case SeedKind.IDENTITY:
            return _all(of_name(grounds, seed.value), f"a credential of {seed.value}", EXACT, seed.record)
        case SeedKind.FINDING:
            return _of_finding(grounds, seed)
        case SeedKind.ADDRESS:
            return list(_of_address(grounds, seed.value))
        case SeedKind.ALERT:
            return _of_alert(grounds, seed)


def of_name(grounds: Grounds, name: str) -> tuple[str, ...]:
    """The credentials of what people call ``name``: a key, an identity of the register, a principal, a workload.

    Never of an address, nor of what only stands in calls (a resource, a user agent): that names nobody.
    """
    plain = name.strip()
    forms = sorted({plain, spelling.canonical(plain)})
    found = [str(key) for (key,) in grounds.engine.rows(_OF_IDENTITY, [forms] * 4)]
    if found or _is_address(plain):
        return tuple(found)
    return tuple(sorted(hit.key for hit in search.by_table(grounds.engine, plain).hits))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _all(keys: Iterable[str], why: str, join: str, leaf: LeafRef | None) -> list[Meant]:
    return [Meant(key=key, why=why, join=join, leaf=leaf) for key in keys]


def _of_finding(grounds: Grounds, seed: Seed) -> list[Meant]:
    report = grounds.report
    for each in (*report.findings, *report.suppressed):
        if each.id == seed.value:
            leaf = seed.record or next((LeafRef(LOG, leaf) for leaf in each.leaves), None)
            exact = bool(credentials(grounds.engine, [each.subject]))
            found = (each.subject,) if exact else of_name(grounds, each.subject)
            why = f"finding {each.id}: {each.title}"
            return _all(found, why, EXACT if exact else INFERRED, leaf)
    return []


def _of_alert(grounds: Grounds, seed: Seed) -> list[Meant]:
    """The keys in its record; a record that names only a principal means the credentials of that, less surely."""
    if seed.record is None or seed.record.log != LOG:
        return _all(grounds.find(seed.value), f"alert {seed.value}", EXACT, seed.record)
    grounds.attach(None)
    rows = grounds.engine.rows(_NAMED, [seed.record.index, seed.record.index])
    named = [str(key) for (key,) in rows]
    exact = credentials(grounds.engine, named)
    found = _all(exact, "named in the record of the alert", EXACT, seed.record)
    for name in named:
        if name not in exact:
            found += _all(
                of_name(grounds, name), f"a credential of {name}, whom the alert names", INFERRED, seed.record
            )
    return found


def _of_address(grounds: Grounds, address: str) -> Iterator[Meant]:
    origin, engine = canonical(address.strip()), grounds.engine
    there = [str(key) for (key,) in engine.rows(_AT, [origin])]
    if not there:
        return
    grounds.attach(there)
    explained = {str(key) for (key,) in engine.rows(_KNOWN_THERE, [there, origin])}
    of_key = credentials(engine, there)
    first: dict[str, tuple[int, int]] = {}
    rows = chosen(engine, _SUCCESSES_BY_ORIGIN, there)
    for key, seen, time, leaf in msgspec.convert(rows, list[tuple[str, str, int, int]]):
        if canonical(seen) == origin:
            first[key] = min(first.get(key, (time, leaf)), (time, leaf))
    for key, (_, leaf) in sorted(first.items()):
        known = of_key.get(key)
        if known is None or key in explained:
            continue
        declared = grounds.contract.origins_of(known.workload, known.subject)
        if not any(within(origin, one) for one in declared):
            why = f"had a success from {origin}, where its holder is not known to be"
            yield Meant(key=key, why=why, join=INFERRED, leaf=LeafRef(LOG, leaf))
