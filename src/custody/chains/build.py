"""The derivation: from parts to credentials, links and origins, in one readable order.

A function of the parts (the leaves below a size), the repeated identities, the contract's versions and nothing else.
"""

from collections.abc import Sequence
from pathlib import Path

from custody.chains import (
    approvals,
    bindings,
    clocks,
    credentials,
    keys,
    links,
    origins,
    parts,
    populations,
    retention,
    runs,
    source_facts,
)
from custody.chains.join import load
from custody.engine.duck import Engine
from custody.model.contracts import Versions

TABLES: dict[str, str] = {
    "credentials": "SELECT * FROM credentials ORDER BY key",
    "aliases": "SELECT * FROM aliases ORDER BY key",
    "runs": "SELECT * FROM runs ORDER BY run",
    "key_runs": "SELECT * FROM key_runs ORDER BY key, run, link",
    "sessions": "SELECT * FROM sessions ORDER BY key, session",
    "brokered": "SELECT * FROM brokered ORDER BY key",
    "broker_entries": "SELECT * FROM broker_entries ORDER BY broker, seq",
    "receipts": "SELECT * FROM receipts ORDER BY key, chain",
    "approvals": "SELECT * FROM approvals ORDER BY key, time, leaf, via",
    "told": "SELECT * FROM told ORDER BY key, time, leaf",
    "clocks": "SELECT * FROM clocks ORDER BY source, other",
    "refreshes": "SELECT * FROM refreshes ORDER BY key, time, leaf",
    "links": "SELECT * FROM links ORDER BY link, from_key, to_key, leaf",
    "links_by_parent": "SELECT * FROM links ORDER BY to_key, link, from_key, leaf",
    "use_origins": "SELECT * FROM use_origins ORDER BY key, origin",
    "origins": "SELECT origin, key, uses, first, last, leaf FROM use_origins ORDER BY origin, key",
    "made": "SELECT * FROM made ORDER BY by_key, time, leaf, effect, what",
    "skipped": "SELECT * FROM skipped ORDER BY leaf",
    "variants": "SELECT * FROM variants ORDER BY leaf",
    "conflicted": "SELECT * FROM conflicted ORDER BY leaf, source, event",
    "ends": "SELECT * FROM ends ORDER BY key, time, leaf",
    "activations": "SELECT * FROM activations ORDER BY key, time, leaf",
    "key_origins": "SELECT * FROM key_origins ORDER BY key, origin",
    "source_facts": "SELECT * FROM source_facts ORDER BY source",
    "provable": "SELECT * FROM provable ORDER BY key, source",
    "forward_sessions": "SELECT x.key, x.evidence, u.uses, u.principal, u.principal_id, u.first_use, u.first_leaf "
    "FROM unissued x JOIN uses u ON u.key = x.key WHERE x.class = 'forward access session' ORDER BY x.key",
}
"""The derived tables that are kept, each with the order of its rows (its digest is over them in this order)."""


def build(
    engine: Engine,
    files: Sequence[Path],
    repeated: Sequence[parts.Repeated],
    versions: Versions,
    facts: Sequence[source_facts.SourceFact] = (),
) -> None:
    """Make every table of the chains room in ``engine``. ``facts`` are what the sources declare of themselves."""
    parts.define(engine, files, repeated)
    source_facts.build(engine, facts, versions.at(None))
    keys.build(engine)
    runs.build(engine)
    clocks.build(engine)
    joins = load()
    for join in sorted(joins, key=lambda each: each.late):
        kind = "TABLE" if join.kept else "VIEW"
        engine.run(f"CREATE OR REPLACE {kind} {join.view} AS {join.sql}")
    populations.build(engine, versions)
    bindings.build(engine)
    credentials.build(engine)
    approvals.build(engine)
    origins.build(engine, versions)
    retention.build(engine)
    links.table(engine, joins)
