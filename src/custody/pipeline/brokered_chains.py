"""The sealed lines of brokers, read again for what a responder asks of one chain, request or trace."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from custody.chains import broker_entries, broker_states
from custody.chains.broker_entries import Place
from custody.chains.broker_states import Line
from custody.chains.search import CHAIN, LIMIT, REQUEST, Hit, Searched
from custody.errors import SourceError
from custody.model.broker_told import Brokered
from custody.model.times import microseconds
from custody.pipeline.tables import Answers
from custody.sources.custody_broker.identity import entry_of

TRACE = re.compile(r"(?:[0-9a-f]{2}-)?([0-9a-f]{32})(?:-[0-9a-f]{16}-[0-9a-f]{2})?")
"""A W3C trace id, alone or in a whole ``traceparent``."""

MOST = 50
"""Requests that are told of at once, at most."""


def trace_of(text: str) -> str | None:
    """The W3C trace id (32 hex digits) in what was typed, None where it is none."""
    found = TRACE.fullmatch(text.strip().lower())
    return None if found is None else found[1]


def of_keys(tables: Answers, keys: Sequence[str]) -> dict[str, Brokered]:
    """What the broker tells of each of ``keys`` that one issued."""
    found: dict[str, Brokered] = {}
    for key, (broker, chain, request) in broker_entries.issued_as(tables.engine, keys).items():
        told = _told(tables, broker_entries.lines_of(tables.engine, broker, chain, request))
        if told is not None:
            found[key] = told
    return found


def without_credential(tables: Answers, query: str) -> tuple[Brokered, ...]:
    """The requests and chains that ``query`` names (by id, receipt or trace) of which no credential came."""
    places = _named(tables, query)
    known = {(place.broker, place.chain, place.request) for place in places}
    groups = sorted({(broker, request or chain or "") for broker, chain, request in known})
    found = []
    for broker, name in groups[:MOST]:
        if not name:
            alone = (place for place in places if place.broker == broker and not (place.chain or place.request))
            found += [_told(tables, [place]) for place in alone]
            continue
        column = "request" if REQUEST.fullmatch(name) else "chain"
        lines = [each for each in broker_entries.about(tables.engine, column, name) if each.broker == broker]
        chain = next((each.chain for each in lines if each.chain), None)
        request = next((each.request for each in lines if each.request), None)
        whole = broker_entries.lines_of(tables.engine, broker, chain, request)
        if not any(each.kind == "issued" for each in whole):
            found.append(_told(tables, whole))
    return tuple({(each.broker, each.request, each.since): each for each in found if each is not None}.values())


def by_trace(tables: Answers, trace: str) -> Searched:
    """The credentials of which a record has this W3C trace id: what brokers issued under it, and every use."""
    hits: dict[str, Hit] = {}
    chains = sorted({each.chain for each in broker_entries.about(tables.engine, "trace", trace) if each.chain})
    for chain in chains:
        rows = tables.engine.rows(
            "SELECT c.key, c.uses FROM brokered b JOIN credentials c ON c.key = b.key WHERE b.chain = ?", [chain]
        )
        hits.update((str(key), Hit(key=str(key), how="trace id", weight=int(str(uses)))) for key, uses in rows)
    tables.all_parts()
    rows = tables.engine.rows(
        "SELECT key, count(*) AS n FROM every_part WHERE trace = ? AND stage IN ('issue', 'use') AND key IS NOT NULL "
        f"GROUP BY key ORDER BY n DESC, key LIMIT {LIMIT}",
        [trace],
    )
    for key, uses in rows:
        hits.setdefault(str(key), Hit(key=str(key), how="trace id", weight=int(str(uses))))
    ranked = sorted(hits.values(), key=lambda hit: (-hit.weight, hit.key))
    return Searched(hits=tuple(ranked[:LIMIT]), searched=("trace id",))


def _named(tables: Answers, query: str) -> list[Place]:
    receipt = CHAIN.fullmatch(query)
    if receipt is not None:
        places = broker_entries.about(tables.engine, "chain", receipt[1])
        return [each for each in places if receipt[2] is None or each.seq == int(receipt[2])]
    if REQUEST.fullmatch(query):
        return broker_entries.about(tables.engine, "request", query)
    trace = trace_of(query)
    return [] if trace is None else broker_entries.about(tables.engine, "trace", trace)


def _told(tables: Answers, places: Iterable[Place]) -> Brokered | None:
    lines: list[Line] = []
    unread = 0
    for place in places:
        kept = tables.reader.kept(place.leaf).kept
        try:
            if kept is None:
                raise SourceError("the bytes of the line are erased or withheld")
            lines.append(Line(place.leaf, entry_of(kept)))
        except (SourceError, msgspec.DecodeError, UnicodeDecodeError):
            unread += 1
    return broker_states.told(lines, microseconds(tables.report.as_of), unread) if lines else None
