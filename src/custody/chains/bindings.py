"""Which run each credential worked for: bound by its issuer, by a declared join, or inherited from its exact parent."""

from collections.abc import Sequence

from custody.chains.join import RUN, Grade, Join, load, views
from custody.engine.duck import Engine

DEEPEST = 32

OWN_RUNS = """
    CREATE OR REPLACE TABLE own_runs AS
    SELECT i.key, i.workload AS run, 'exact' AS grade, coalesce(i.bound_by, 'client') AS asserter, 1 AS candidates,
           'bound at issue' AS link, i.leaf
    FROM issues i
    JOIN runs r ON r.run = i.workload
    WHERE NOT i.disputed
    {joined}
"""

KEY_RUNS = f"""
    CREATE OR REPLACE TABLE key_runs AS
    WITH RECURSIVE walk AS (
        SELECT o.key, o.run, o.grade, o.asserter, o.candidates, o.link, o.leaf, 0 AS depth FROM own_runs o
        UNION ALL
        SELECT p.key, w.run, w.grade, w.asserter, w.candidates, w.link, w.leaf, w.depth + 1
        FROM walk w
        JOIN parents p ON p.parent = w.key AND NOT p.disputed
        WHERE w.depth < {DEEPEST} AND NOT EXISTS (SELECT 1 FROM own_runs o WHERE o.key = p.key)
    )
    SELECT key, run, max(grade) AS grade, min(asserter) AS asserter, max(candidates) AS candidates,
           min(link) AS link, min(leaf) AS leaf, min(depth) AS depth
    FROM walk
    GROUP BY key, run
"""
"""Every run that a credential may have worked for; ``depth`` is how many parents up the binding stands. Of two ways to
one run the weaker asserter counts: ``client`` sorts before ``issuer``, ``inferred`` after ``exact``."""

BEST_RUNS = """
    CREATE OR REPLACE TABLE best_runs AS
    SELECT k.key, k.run, k.grade, k.asserter, k.link, k.depth, k.leaf AS bound_leaf, r.started, r.start_leaf,
           r.start_event, r.ended, r.end_leaf, r.end_event, r.starter, r.of_workload
    FROM (
        SELECT k.*, count(*) OVER (PARTITION BY k.key) AS total FROM key_runs k
    ) k
    JOIN runs r ON r.run = k.run
    WHERE k.total = 1 AND k.candidates = 1
"""
"""The one run of a credential, where there is just one."""


def own_runs(joins: Sequence[Join]) -> str:
    """The SQL of ``own_runs`` with every join that declares a run."""
    return OWN_RUNS.format(joined="\n".join(_joined(join) for join in views(joins, RUN)))


def _joined(join: Join) -> str:
    grade = Grade.EXACT if join.grade is Grade.EXACT else Grade.INFERRED
    return (
        f"UNION ALL SELECT v.from_key, v.to_key, '{grade.value}', v.asserter, v.candidates, '{join.id}', v.leaf "
        f"FROM {join.view} v JOIN runs r ON r.run = v.to_key "
        "JOIN issues i ON i.key = v.from_key AND NOT i.disputed"
    )


def build(engine: Engine) -> None:
    """Make ``own_runs``, ``key_runs`` and ``best_runs``."""
    for step in (own_runs(load()), KEY_RUNS, BEST_RUNS):
        engine.run(step)
