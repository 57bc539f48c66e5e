"""Runs of workloads, sessions opened with credentials, and what only workloads say of themselves."""

from custody.chains.join import listed
from custody.engine.duck import Engine
from custody.model.effects import Kind, of_kind

STARTS = listed(of_kind(Kind.RUN_START))
ENDS = listed(of_kind(Kind.RUN_END))

RUN_ENDS = f"""
    CREATE OR REPLACE TABLE run_ends AS
    SELECT workload, time, leaf, event FROM (
        SELECT e.key AS workload, e.time, e.leaf, e.event,
               row_number() OVER (PARTITION BY e.key ORDER BY e.time, e.event, e.leaf) AS position
        FROM parts e
        WHERE e.stage = 'end' AND e.effect IN {ENDS} AND e.key IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM conflicted c WHERE c.leaf = e.leaf)
          AND NOT EXISTS (SELECT 1 FROM parts s
                          WHERE s.key = e.key AND s.stage = 'start' AND s.time >= e.time AND s.leaf <> e.leaf
                            AND s.effect IN {STARTS})
    ) ranked
    WHERE position = 1
"""
"""The end of each run. A function that is made again under its name has a new run: the end before it is not its end."""

RUN_STARTS = f"""
    CREATE OR REPLACE TABLE run_starts AS
    SELECT workload, time, leaf, event, of_workload, part_of, starter FROM (
        SELECT s.key AS workload, s.time, s.leaf, s.event, s.object AS of_workload, s.related AS part_of,
               s.principal AS starter,
               row_number() OVER (PARTITION BY s.key ORDER BY s.time, s.event, s.leaf) AS position
        FROM parts s
        WHERE s.stage = 'start' AND s.effect IN {STARTS} AND s.key IS NOT NULL
    ) ranked
    WHERE position = 1
"""

RUNS = """
    CREATE OR REPLACE TABLE runs AS
    SELECT coalesce(s.workload, e.workload) AS run, s.time AS started, s.leaf AS start_leaf, s.event AS start_event,
           e.time AS ended, e.leaf AS end_leaf, e.event AS end_event, s.of_workload, s.part_of, s.starter,
           nullif(regexp_extract(s.of_workload, '^github_workflow:github:([^/]+/[^/]+)', 1), '') AS repository
    FROM run_starts s
    FULL OUTER JOIN run_ends e ON e.workload = s.workload
"""
"""Every run that an orchestrator recorded, with its start and end as that recorded them."""

SESSIONS = """
    CREATE OR REPLACE TABLE sessions AS
    SELECT o.key AS session, o.parent AS key, min(o.time) AS opened, min(o.leaf) AS open_leaf,
           min(c.time) AS closed, min(c.leaf) AS close_leaf
    FROM parts o
    LEFT JOIN parts c ON c.key = o.key AND c.effect = 'session.close' AND NOT c.in_conflict
    WHERE o.effect = 'session.open' AND o.outcome = 'success' AND o.parent IS NOT NULL AND NOT o.in_conflict
    GROUP BY o.key, o.parent
"""
"""Connections, each with the credential that opened it: they can outlive it."""

TOLD = """
    CREATE OR REPLACE TABLE told AS
    SELECT coalesce(key, workload) AS key, stage, time, leaf, event, source, asserter, service, action, effect, object
    FROM every_part
    WHERE asserter IS NOT NULL AND coalesce(key, workload) IS NOT NULL AND coalesce(effect, '') <> 'key.translate'
"""
"""What is said by no issuer and no verifier: shown beside a chain, never part of a proof."""

STEPS = (RUN_ENDS, RUN_STARTS, RUNS, SESSIONS, TOLD)


def build(engine: Engine) -> None:
    """Make ``runs``, ``sessions`` and ``told``."""
    for step in STEPS:
        engine.run(step)
