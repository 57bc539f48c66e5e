"""From what a person typed to one chain, or to a ranked list of what it could mean."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from custody.chains import beside, retention, search, stored, trace
from custody.chains.tree import Tree, tree
from custody.errors import NotFound
from custody.model.report import Answer, Chain, LeafRef
from custody.model.times import text
from custody.model.verdicts import Verdict
from custody.pipeline import mappings
from custody.pipeline.erasing.erased import ErasedRecord, erased
from custody.pipeline.forwarded import Forwarded, forwarded, names_of
from custody.pipeline.tables import Answers, answers
from custody.rules import judging
from custody.settings.catalog import Settings

SHOWN = 40
FINDING = re.compile(r"f-[0-9a-f]{8,64}")
LEAF = re.compile(r"operations:([0-9]{1,15})")
SEARCHED_SKIPS = 5000
"""Records with duplicate keys whose bytes are searched, at most."""


class Traced(msgspec.Struct, frozen=True, kw_only=True):
    """What was found: one chain, a forward access session, several hits with their names, or what was searched.

    ``erased`` are the records that the query names and whose bytes are gone.
    ``delegation`` is the tree that the one credential belongs to, where that was asked for instead of its chain.
    """

    query: str
    chain: Chain | None
    hits: tuple[search.Hit, ...]
    names: dict[str, str]
    searched: tuple[str, ...]
    mentions: tuple[LeafRef, ...] = ()
    forwarded: Forwarded | None = None
    delegation: Tree | None = None
    erased: tuple[ErasedRecord, ...] = ()

    def searched_for(self) -> search.Searched:
        """The search alone."""
        return search.Searched(hits=self.hits, searched=self.searched)


def find(settings: Settings, query: str) -> Traced:
    """Trace ``query``: a key, session, event id, leaf, finding, address, instance, role, resource or user agent."""
    with answers(settings) as open_tables:
        return traced(open_tables, query)


def delegation(settings: Settings, query: str) -> Traced:
    """The tree of delegation around the one credential that ``query`` means; else the hits."""
    with answers(settings) as tables:
        found, named = resolve(tables, query), mentions(tables, query)
        keys = [hit.key for hit in found.hits]
        whole = tree(tables.engine, keys[0]) if len(keys) == 1 else None
        names = {} if whole is not None else names_of(tables, keys)
        return Traced(
            query=query,
            chain=None,
            hits=found.hits,
            names=names,
            searched=found.searched,
            mentions=named,
            delegation=whole,
        )


def traced(tables: Answers, query: str) -> Traced:
    """The same over tables that are open already."""
    found, named = resolve(tables, query), mentions(tables, query)
    keys = [hit.key for hit in found.hits]
    alone = next(iter(forwarded(tables, keys)), None) if len(keys) == 1 else None
    if len(keys) == 1 and alone is None:
        chains = chains_of(tables, [found.hits[0].key])
        if chains:
            chain = msgspec.structs.replace(chains[0], mentions=named)
            return Traced(query=query, chain=chain, hits=found.hits, names={}, searched=found.searched, mentions=named)
    return Traced(
        query=query,
        chain=None,
        hits=found.hits,
        names=names_of(tables, keys),
        searched=found.searched,
        mentions=named,
        forwarded=alone,
        erased=() if keys else _erased(tables, query),
    )


def _erased(tables: Answers, query: str) -> tuple[ErasedRecord, ...]:
    """The records that an event id or a leaf names and that were erased."""
    erasures = tables.reader.erasures()
    found = (erased(erasures, leaf) for leaf in event_leaves(tables, query))
    return tuple(each for each in found if each is not None)


def mentions(tables: Answers, query: str) -> tuple[LeafRef, ...]:
    """Records with duplicate keys whose kept bytes hold ``query``: they are not understood, and not overlooked."""
    rows = tables.engine.rows(
        "SELECT leaf FROM skipped WHERE reason = 'duplicate-keys' ORDER BY leaf LIMIT ?", [SEARCHED_SKIPS]
    )
    leaves = (int(str(leaf)) for (leaf,) in rows)
    wanted = query.rpartition("aws_akid:aws:")[2].encode()
    return tuple(LeafRef(trace.LOG, leaf) for leaf in leaves if wanted in (tables.reader.kept(leaf).kept or b""))


def resolve(tables: Answers, query: str) -> search.Searched:
    """The credentials that a query means."""
    query = _subject(tables, query) if FINDING.fullmatch(query) else query
    found = search.by_table(tables.engine, query)
    if found.hits or not search.needs_parts(query):
        return found
    leaves = event_leaves(tables, query)
    tables.all_parts()
    more = search.by_parts(tables.engine, query, leaves)
    return search.Searched(hits=more.hits, searched=(*found.searched, *more.searched))


def _subject(tables: Answers, finding: str) -> str:
    """What a finding is about; NotFound where the report has no such finding."""
    for each in (*tables.report.findings, *tables.report.suppressed):
        if each.id == finding:
            return each.subject
    raise NotFound("no finding has this id", where=finding, advice="custody findings lists them")


def event_leaves(tables: Answers, query: str) -> tuple[int, ...]:
    """The leaves of a record by its identity in any source; a leaf is its own. Ids of mapped logs have any form."""
    if leaf := LEAF.fullmatch(query):
        return (int(leaf[1]),)
    found = mappings.sealed(tables.reader)
    names = mappings.names(found) if search.EVENT.fullmatch(query) else mappings.mapped_names(found)
    return tuple(leaf for name in names for leaf in tables.reader.find(name, query))


def chains_of(tables: Answers, keys: Sequence[str]) -> list[Chain]:
    """The chain of each key that has a credential, in the order given. The tables answer nothing else afterwards."""
    engine = tables.engine
    tables.parts_of(keys, enough=SHOWN if len(keys) == 1 else None)
    stored.focus(engine, keys, judging.fact_tables(tables.rules), SHOWN)
    verdicts = judging.verdicts_of(engine, tables.rules, tables.versions, keys)
    found = [trace.credential(engine, key) for key in keys]
    kept = retention.provable(engine, keys)
    return [_chain(tables, each, verdicts[each.key], kept.get(each.key)) for each in found if each is not None]


def _chain(
    tables: Answers, found: trace.Credential, verdicts: Mapping[str, Verdict], kept: retention.Provable | None
) -> Chain:
    engine, key = tables.engine, found.key
    return Chain(
        credential=found.credential,
        who=found.who,
        population=found.population,
        keys=(found.key, *beside.aliases(engine, key)),
        subject=found.subject,
        workload=found.workload,
        lineage=found.lineage_id,
        identity_class=found.identity_class,
        unissued=_unissued(found),
        root=found.root,
        parent=trace.parent(engine, key),
        children=trace.children(engine, key),
        children_total=trace.children_total(engine, key),
        issued_at=text(found.issued_at),
        not_after=text(found.not_after),
        uses=found.uses,
        successes=found.successes,
        denied=found.denied,
        forward_sessions=trace.forward_sessions(engine, key),
        origins=trace.origins(engine, key),
        stages=trace.steps(engine, found),
        verdicts=tuple(_answer(question, verdict) for question, verdict in verdicts.items()),
        findings=tuple(each.id for each in tables.report.findings if each.subject == key),
        conflicted=found.conflicted,
        run=found.run,
        run_grade=found.run_grade,
        policy=found.policy,
        candidates=beside.candidates(engine, key),
        provable_until=None if kept is None else text(kept.until),
        provable_by=None if kept is None else kept.source,
    )


def _unissued(found: trace.Credential) -> str | None:
    return None if found.unissued_class is None else f"{found.unissued_class}: {found.unissued_evidence}"


def _answer(question: str, verdict: Verdict) -> Answer:
    return Answer(
        question=question,
        state=verdict.state.value,
        text=verdict.text,
        basis=None if verdict.basis is None else verdict.basis.value,
        best=None if verdict.best is None else verdict.best.value,
        settles=verdict.settles,
        until=text(verdict.until),
        count=verdict.count,
        leaves=tuple(LeafRef(trace.LOG, leaf) for leaf in verdict.leaves),
    )
