"""The shape of the derived tables: tables made by other SQL or other rules are not read, whatever the version says."""

from collections.abc import Sequence
from hashlib import sha256

import msgspec

from custody.chains import (
    aliases,
    approvals,
    bindings,
    brokered,
    build,
    clocks,
    credentials,
    join,
    keys,
    parts,
    populations,
    retention,
    runs,
    source_facts,
)
from custody.rules.rule import Rule


def shape(rules: Sequence[Rule[msgspec.Struct]], more: Sequence[str] = ()) -> str:
    """A short digest of the SQL that makes the tables, and of the columns that rules ask for.

    ``more`` is what makes the tables of a room that this one does not know.
    """
    texts = [f"{name}: {sql}" for name, sql in sorted(build.TABLES.items())]
    for room in (keys, brokered, runs, clocks, credentials, approvals, retention):
        texts += room.STEPS
    joins = join.load()
    texts += [str(source_facts.COLUMNS), parts.VOID]
    texts += [aliases.PAIRS, bindings.own_runs(joins), bindings.KEY_RUNS, bindings.BEST_RUNS, credentials.ends(joins)]
    texts += [populations.parents(joins), populations.candidates(joins), *(each.sql for each in joins)]
    texts += [f"{rule.id}: {rule.facts} {rule.row.__struct_fields__}" for rule in rules]
    texts += more
    return sha256(chr(0).join(texts).encode()).hexdigest()[:16]
