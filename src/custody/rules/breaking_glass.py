"""The facts of both rules about break-glass credentials: who opened one, when it was used first, what came after."""

from custody.chains.brokered import SOURCE

GLASS = f"""
    WITH steps AS (
        SELECT p.key AS glass, p.effect, p.object, p.subject, p.time, p.event, p.leaf
        FROM parts p
        WHERE p.source = '{SOURCE}' AND p.effect LIKE 'glass.%' AND p.key IS NOT NULL AND NOT p.in_conflict
    ), made AS (
        SELECT glass, object AS key, min(time) AS time FROM steps
        WHERE effect = 'glass.prepared' AND object IS NOT NULL GROUP BY glass, object
    ), each_call AS (
        SELECT m.glass, u.key, u.time, u.event, u.leaf
        FROM made m
        JOIN parts u ON u.key = m.key AND u.stage = 'use' AND u.outcome = 'success' AND u.time >= m.time
                    AND NOT u.extra AND NOT u.in_conflict
    ), calls AS (
        SELECT glass, min(key) AS key, count(*) AS successes FROM each_call GROUP BY glass
    ), used AS (
        SELECT glass, time AS first, leaf FROM (
            SELECT e.*, row_number() OVER (PARTITION BY glass ORDER BY time, event, leaf) AS position FROM (
                SELECT glass, time, event, leaf FROM steps WHERE effect = 'glass.used'
                UNION ALL SELECT glass, time, event, leaf FROM each_call
            ) e
        ) ranked WHERE position = 1
    ), after AS (
        SELECT u.glass, min(CASE WHEN s.effect = 'glass.rotated' THEN s.time END) AS rotated,
               min(CASE WHEN s.effect = 'glass.rotated' THEN s.leaf END) AS rotated_leaf,
               min(CASE WHEN s.effect = 'glass.reviewed' THEN s.time END) AS reviewed,
               min(CASE WHEN s.effect = 'glass.reviewed' THEN s.leaf END) AS reviewed_leaf
        FROM used u
        LEFT JOIN steps s ON s.glass = u.glass AND s.time >= u.first
        GROUP BY u.glass
    ), opened AS (
        SELECT s.glass, count(DISTINCT s.subject) AS people, min(s.leaf) AS leaf
        FROM steps s
        JOIN used u ON u.glass = s.glass
        WHERE s.effect = 'glass.opened' AND s.time <= u.first
        GROUP BY s.glass
    )
"""
"""Tables ``used`` (a first use each, as the target or the broker tells), ``calls``, ``opened`` and ``after``."""

WHO = "concat('break-glass credential ', regexp_replace(u.glass, '^[^:]*:[^:]*:', ''))"
