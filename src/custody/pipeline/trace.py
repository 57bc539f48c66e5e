"""From what a person typed to one chain, or to a ranked list of what it could mean."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from custody.chains import beside, broker_states, retention, search, stored, trace
from custody.chains.tree import Tree, tree
from custody.errors import NotFound
from custody.model.broker_told import Brokered
from custody.model.report import Answer, Chain, LeafRef
from custody.model.times import text
from custody.model.verdicts import Verdict
from custody.pipeline import brokered_chains, mappings
from custody.pipeline.erasing.erased import ErasedRecord, erased
from custody.pipeline.forwarded import Forwarded, forwarded, names_of
from custody.pipeline.tables import Answers, answers
from custody.register import named
from custody.rules import judging
from custody.settings.catalog import Settings

SHOWN = 40
ENDS = ("end", "revoke", "expire")
TOKEN_TYPE = "urn:ietf:params:oauth:token-type:"  # noqa: S105  # the beginning of a name, no secret
"""What every type of RFC 8693 begins with: it says nothing beside the step."""
FINDING = re.compile(r"f-[0-9a-f]{8,64}")
LEAF = re.compile(r"operations:([0-9]{1,15})")
SEARCHED_SKIPS = 5000
"""Records with duplicate keys whose bytes are searched, at most."""


class Traced(msgspec.Struct, frozen=True, kw_only=True):
    """What was found: one chain, a forward access session, several hits with their names, or what was searched.

    ``erased`` are the records that the query names and whose bytes are gone.
    ``delegation`` is the tree that the one credential belongs to, where that was asked for instead of its chain.
    ``requests`` are those made of a broker that the query names and of which no credential came.
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
    requests: tuple[Brokered, ...] = ()

    @property
    def is_anything(self) -> bool:
        """Whether anything at all was found."""
        return bool(self.hits or self.mentions or self.erased or self.requests)

    def searched_for(self) -> search.Searched:
        """The search alone."""
        return search.Searched(hits=self.hits, searched=self.searched)


def find(settings: Settings, query: str) -> Traced:
    """Trace ``query``: a key, session, event id, leaf, finding, address, instance, role, resource or user agent.

    Also what a broker gave out: chain and request ids, receipts, W3C trace ids; and names of the register.
    """
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
            requests=() if whole is not None else brokered_chains.without_credential(tables, query),
        )


def traced(tables: Answers, query: str) -> Traced:
    """The same over tables that are open already."""
    found, named = resolve(tables, query), mentions(tables, query)
    keys = [hit.key for hit in found.hits]
    requests = brokered_chains.without_credential(tables, query)
    alone = next(iter(forwarded(tables, keys)), None) if len(keys) == 1 else None
    if len(keys) == 1 and alone is None and not requests:
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
        requests=requests,
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
    under = brokered_chains.trace_of(query)
    traced_by = search.Searched(hits=(), searched=()) if under is None else brokered_chains.by_trace(tables, under)
    if traced_by.hits:
        return traced_by
    found = _by_table(tables, query, traced_by.searched)
    if found.hits or not search.needs_parts(query):
        return found
    leaves = event_leaves(tables, query)
    tables.all_parts()
    more = search.by_parts(tables.engine, query, leaves)
    return search.Searched(hits=more.hits, searched=(*found.searched, *more.searched))


def _by_table(tables: Answers, query: str, before: tuple[str, ...]) -> search.Searched:
    """What the small tables answer. A name of the register leads to every credential of its identity."""
    found = search.by_table(tables.engine, query)
    of_name = named.credentials(tables.engine, query, alias=not found.hits) if search.may_name(query) else ()
    hits = {hit.key: hit for hit in (*(search.Hit(key=k, how=named.HOW, weight=n) for k, n in of_name), *found.hits)}
    ranked = sorted(hits.values(), key=lambda hit: (-hit.weight, hit.key))
    searched = (*before, *found.searched, *((named.HOW,) if search.may_name(query) else ()))
    return search.Searched(hits=tuple(ranked[: search.LIMIT]), searched=searched)


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
    told = brokered_chains.of_keys(tables, keys)
    chains = (_chain(tables, each, verdicts[each.key], kept.get(each.key)) for each in found if each is not None)
    return [_with_broker(chain, told.get(chain.keys[0])) for chain in chains]


def _with_broker(chain: Chain, told: Brokered | None) -> Chain:
    """The chain with what the broker that issued it tells; its steps of the end stand for those of the same lines."""
    if told is None:
        return chain
    more = broker_states.steps(told)
    places = {step.leaf for step in more}
    kept = (step for step in chain.stages if step.leaf not in places or step.stage not in ENDS)
    steps = (msgspec.structs.replace(step, text=step.text.replace(TOKEN_TYPE, "")) for step in kept)
    return msgspec.structs.replace(chain, brokered=told, stages=trace.ordered((*steps, *more)))


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
