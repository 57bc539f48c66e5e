"""Credentials that a custody broker issued: the entry that decided each, and what the target's own record adds.

``brokered``: one row a credential. key, broker, chain, seq (of the issue), decided (seq of the entry that it names),
request, leaf, workload, granularity, run, parent, link (``renews`` or ``descends``) and linked (the chain that it comes
after), reason, verdict (effect of the decision in that entry, NULL where it was not read or is of another chain or
request), decided_leaf, decided_at (µs; of that entry), asked_leaf, asked_at
(of the first entry of the request), digest (of the request as it was decided), planned_until (µs), sound (BOOLEAN:
that entry decided to issue this).

What a broker says of a key that the target issued is taken for true only where the target's record carries the receipt:
in the name of the key, in a session name, a source identity or a tag. Otherwise the issue is disputed: whoever can
write a log file could name any key in it.

``receipts``: key, chain, how (where the id stands), leaf, time (µs, of the first record): every credential that carries
the id of a chain in another log than a broker's, whoever wrote it there.
"""

from custody.engine.duck import Engine
from custody.model.brokered import CHAIN

SOURCE = "custody.broker"

ANY = f"SELECT count(*) FROM parts WHERE source = '{SOURCE}'"

COLUMNS = {
    "key": "VARCHAR", "broker": "VARCHAR", "chain": "VARCHAR", "seq": "BIGINT", "decided": "BIGINT",
    "request": "VARCHAR", "leaf": "BIGINT", "workload": "VARCHAR", "granularity": "VARCHAR", "run": "VARCHAR",
    "parent": "VARCHAR", "link": "VARCHAR", "linked": "VARCHAR", "reason": "VARCHAR", "verdict": "VARCHAR",
    "decided_leaf": "BIGINT", "decided_at": "BIGINT",
    "asked_leaf": "BIGINT", "asked_at": "BIGINT", "digest": "VARCHAR", "planned_until": "BIGINT", "sound": "BOOLEAN",
}  # fmt: skip

SEQ = "CAST(nullif(regexp_extract({0}, '/([0-9]{{1,17}})$', 1), '') AS BIGINT)"
BROKER = "regexp_extract({0}, '^([^/]+)/', 1)"

REASON = r"""'"reason":"((?:[^"\\]|\\.)+)"'"""
"""The reason in the tags of an issue, with the escapes of JSON."""

BROKERED = f"""
    CREATE OR REPLACE TABLE brokered AS
    WITH issued AS (
        SELECT i.key, {BROKER.format("i.event")} AS broker, i.source_identity AS chain, {SEQ.format("i.event")} AS seq,
               i.request_id AS request, i.leaf, i.time, i.workload, i.granularity, i.parent, i.not_after,
               CAST(nullif(regexp_extract(coalesce(d.object, ''), '^([0-9]{{1,17}})$', 1), '') AS BIGINT) AS decided,
               d.workload AS run, d.method AS link, d.session_name AS linked, d.related AS about,
               nullif(regexp_extract(coalesce(i.tags, ''), {REASON}, 1), '') AS reason,
               row_number() OVER (PARTITION BY i.key ORDER BY i.time, i.event, i.leaf) AS position
        FROM parts i
        JOIN parts d ON d.leaf = i.leaf AND d.key = i.key AND d.stage = 'decide' AND d.effect = 'broker.intent'
        WHERE i.source = '{SOURCE}' AND i.stage = 'issue' AND i.alias IS NULL AND NOT i.in_conflict
    ), decisions AS (
        SELECT event, key, effect, object AS digest, leaf, time, not_after, request_id AS request
        FROM parts
        WHERE source = '{SOURCE}' AND stage = 'decide' AND effect LIKE 'decision.%' AND NOT in_conflict
    ), requests AS (
        SELECT key, request, time, leaf FROM (
            SELECT key, request_id AS request, time, leaf,
                   row_number() OVER (PARTITION BY key, request_id ORDER BY time, event, leaf) AS position
            FROM parts
            WHERE source = '{SOURCE}' AND effect = 'credential.request' AND NOT in_conflict
        ) each_time
        WHERE position = 1
    )
    SELECT i.key, i.broker, i.chain, i.seq, i.decided, i.request, i.leaf, i.workload, i.granularity, i.run, i.parent,
           i.link, i.linked, i.reason, d.effect AS verdict, d.leaf AS decided_leaf, d.time AS decided_at,
           q.leaf AS asked_leaf, q.time AS asked_at, d.digest, d.not_after AS planned_until,
           coalesce(d.effect = 'decision.allow' AND d.not_after IS NOT NULL AND i.decided < i.seq, FALSE) AS sound
    FROM issued i
    LEFT JOIN decisions d
      ON d.event = concat(i.broker, '/', CAST(i.decided AS VARCHAR)) AND d.key = i.about AND d.request = i.request
    LEFT JOIN requests q ON q.key = i.about AND q.request = i.request
    WHERE i.position = 1
"""

BESIDE = f"""
    CREATE OR REPLACE TABLE beside_broker AS
    SELECT b.key, max(p.account) AS account, max(p.region) AS region, max(p.session_name) AS session_name,
           max(p.shared_id) AS shared_id, max(CASE WHEN p.source <> '{SOURCE}' THEN p.subject END) AS subject,
           coalesce(min(up.key), min(b.parent)) AS parent,
           coalesce(bool_or(p.stage = 'issue' AND p.source <> '{SOURCE}'
                            AND concat_ws(' ', p.key, p.session_name, p.source_identity, p.tags)
                                NOT LIKE concat('%cc_', substr(b.chain, 4), '%')), FALSE)
               OR min(b.chain) <> max(p.source_identity) FILTER (WHERE p.source = '{SOURCE}')
               OR min(b.chain) <> min(p.source_identity) FILTER (WHERE p.source = '{SOURCE}') AS denied
    FROM brokered b
    JOIN parts p ON p.key = b.key AND p.stage = 'issue' AND p.alias IS NULL AND p.outcome = 'success'
                AND NOT p.in_conflict
    LEFT JOIN (SELECT broker, chain, min(key) AS key FROM brokered GROUP BY broker, chain) up
      ON b.link = 'descends' AND up.broker = b.broker AND up.chain = b.linked AND up.key <> b.key
    GROUP BY b.key
"""
"""What other logs say of the making of each: and whether the target's own record denies that it was for this chain, or
two lines of brokers claim it for two chains. ``_`` stands for either mark of a chain id."""

SETTLED = """
    UPDATE issues SET
        parent = n.parent, subject = coalesce(n.subject, issues.subject),
        account = n.account, region = n.region, session_name = n.session_name, shared_id = n.shared_id,
        policy = CASE WHEN b.sound THEN issues.policy END,
        disputed = issues.disputed OR n.denied
    FROM brokered b, beside_broker n
    WHERE b.key = issues.key AND n.key = issues.key
"""
"""The workload that asked the broker asked for it, whatever credential the broker itself had at the target; without a
sound decision no policy decided. Account and session name are the target's to tell."""


_ROLE = "'^db_role:postgresql:cc_([0-9a-hjkmnp-tv-z]{26})$'"
_OWN = "(stage = 'issue' OR NOT EXISTS (SELECT 1 FROM parts m WHERE m.leaf = carrying.leaf AND m.stage = 'issue'))"
_PLACES = (
    ("source_identity", "LIKE 'cc-%'", f"'^({CHAIN})$'", "source identity", _OWN),
    ("session_name", "LIKE 'cc-%'", f"'^({CHAIN})$'", "session name", "stage = 'issue'"),
    ("session", "LIKE '%/cc-%'", f"'/({CHAIN})$'", "session name", "stage = 'use'"),
    ("tags", """LIKE '%"custody-chain":"cc-%'""", f"""'"custody-chain":"({CHAIN})"'""", "tag", "stage = 'issue'"),
    ("key", "LIKE 'jwt!_jti:%:cc-%' ESCAPE '!'", f"':({CHAIN})$'", "token id", "TRUE"),
    ("key", "LIKE 'db!_role:postgresql:cc!_%' ESCAPE '!'", _ROLE, "role name", "TRUE"),
)
"""Column, what it is like, the chain in it, what it is called, and of which parts it tells: of a call that makes a
session, the source identity is the new session's and the session the caller's."""

CARRYING = f"""
    CREATE OR REPLACE TABLE carrying AS
    SELECT p.key, p.leaf, p.time, p.stage, p.source_identity, p.session_name, p.session, p.tags
    FROM parts p
    WHERE p.stage IN ('issue', 'use') AND p.outcome = 'success' AND p.source <> '{SOURCE}' AND p.key IS NOT NULL
      AND NOT p.in_conflict
      AND ({" OR ".join(f"p.{column} {like}" for column, like, _, _, _ in _PLACES)})
"""
_EACH = " UNION ALL ".join(
    f"SELECT key, concat('{'cc-' if pattern is _ROLE else ''}', regexp_extract({column}, {pattern}, 1)) AS chain, "
    f"'{how}' AS how, leaf, time FROM carrying WHERE {told} AND {column} {like}"
    for column, like, pattern, how, told in _PLACES
)
RECEIPTS = f"""
    CREATE OR REPLACE TABLE receipts AS
    SELECT key, chain, min(how) AS how, min(leaf) AS leaf, min(time) AS time
    FROM ({_EACH}) carried
    WHERE length(chain) = 29
    GROUP BY key, chain
"""

ALWAYS = (CARRYING, RECEIPTS)
STEPS = (*ALWAYS, BROKERED, BESIDE, SETTLED)


def build(engine: Engine) -> None:
    """Make ``receipts`` and ``brokered``, and settle ``issues`` by it."""
    for step in ALWAYS:
        engine.run(step)
    if not engine.number(ANY):
        engine.table("brokered", COLUMNS, [])
        return
    for step in STEPS[len(ALWAYS) :]:
        engine.run(step)
