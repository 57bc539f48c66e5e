"""One name for each credential: the other keys that its issuing record carries stand for the first.

Only keys carried by one issuance record are aliases, the hashes that two devices wrote of one lease, translations of a
keyed hash that the server itself made (``key.translate``), and the second hash that Vault writes of a token beside its
accessor. A key that two records call the alias of different credentials is nobody's alias, and a name that is claimed
for two credentials is neither's.
"""

from custody.engine.duck import Engine

ROUNDS = 4
"""A lease is an alias of a hashed name, which is translated: names of names end soon, and circles are dropped."""

PAIRS = """
    SELECT key, alias AS target FROM named_parts
    WHERE stage = 'issue' AND alias IS NOT NULL AND key <> alias AND outcome = 'success' AND asserter IS NULL
      AND NOT in_conflict
    UNION
    SELECT related, key FROM named_parts
    WHERE stage = 'use' AND source = 'vault.audit' AND related LIKE 'vault_token:%' AND key LIKE 'vault_accessor:%'
      AND NOT in_conflict
    UNION
    SELECT key, target FROM copies
    UNION
    SELECT t.key, t.object FROM translations t
    WHERE NOT EXISTS (SELECT 1 FROM claimed_twice c WHERE c.object = t.object)
"""

COPIES = """
    CREATE OR REPLACE TABLE copies AS
    SELECT DISTINCT p.alias AS key, f.target
    FROM named_parts p
    JOIN (
        SELECT key, source, request_id, min(alias) AS target FROM named_parts
        WHERE stage = 'issue' AND key LIKE 'vault_lease:vault:%' AND alias LIKE '%:hmac:%' AND outcome = 'success'
          AND request_id IS NOT NULL AND asserter IS NULL AND NOT in_conflict
        GROUP BY key, source, request_id
        HAVING count(DISTINCT alias) > 1
    ) f ON f.key = p.key AND f.source = p.source AND f.request_id = p.request_id
    WHERE p.stage = 'issue' AND p.alias LIKE '%:hmac:%' AND p.alias <> f.target AND NOT p.in_conflict
"""
"""The hashes of several devices for what one call leased: the request's id and the plain lease are of both lines."""

TRANSLATIONS = """
    CREATE OR REPLACE TABLE translations AS
    SELECT DISTINCT coalesce(c.target, p.key) AS key, p.object FROM named_parts p
    LEFT JOIN copies c ON c.key = p.key
    WHERE p.effect = 'key.translate' AND p.key IS NOT NULL AND p.object IS NOT NULL AND p.key <> p.object
      AND NOT p.in_conflict
"""

CLAIMED_TWICE = """
    CREATE OR REPLACE TABLE claimed_twice AS
    SELECT t.object FROM translations t
    JOIN named_parts i ON i.key = t.key AND i.stage = 'issue' AND i.outcome = 'success' AND i.request_id IS NOT NULL
    GROUP BY t.object
    HAVING count(DISTINCT t.key) > 1 AND count(DISTINCT i.request_id) > 1
"""
"""Names that a table of translations gives to what several calls issued: each call makes a credential of its own. Two
devices that wrote one call down have the same request id."""

FIRST = f"CREATE OR REPLACE TABLE named_as AS SELECT key, target FROM ({PAIRS}) pairs"

SURE = """
    CREATE OR REPLACE TABLE aliases AS
    SELECT key, min(target) AS target FROM named_as GROUP BY key HAVING count(DISTINCT target) = 1
"""

FOLLOW = """
    CREATE OR REPLACE TABLE named_as AS
    SELECT DISTINCT n.key, coalesce(a.target, n.target) AS target
    FROM named_as n
    LEFT JOIN aliases a ON a.key = n.target
"""
"""Two names of one key may be the same name once both are followed: a lease that two devices wrote down."""

UNSETTLED = "DELETE FROM aliases WHERE key = target OR target IN (SELECT a.key FROM aliases a)"

ANY = """
    SELECT count(*) FROM named_parts
    WHERE alias IS NOT NULL OR effect = 'key.translate' OR related LIKE 'vault_token:%'
"""


def build(engine: Engine) -> bool:
    """Make ``aliases`` (``key`` → ``target``) over the view ``named_parts``; tells whether there is any."""
    if not engine.number(ANY):
        engine.table("aliases", {"key": "VARCHAR", "target": "VARCHAR"}, [])
        return False
    for step in (COPIES, TRANSLATIONS, CLAIMED_TWICE, FIRST):
        engine.run(step)
    engine.run(SURE)
    for _ in range(ROUNDS):
        engine.run(FOLLOW)
        engine.run(SURE)
    engine.run(UNSETTLED)
    return engine.number("SELECT count(*) FROM aliases") > 0


def resolved(columns: tuple[str, ...], rows: str) -> str:
    """The query that gives ``columns`` of ``rows`` (a table expression) with keys and parents by their first name."""
    return (
        f"SELECT {', '.join(_column(name) for name in columns)} FROM {rows} p "
        "LEFT JOIN aliases ak ON ak.key = p.key LEFT JOIN aliases ap ON ap.key = p.parent"
    )


def _column(name: str) -> str:
    match name:
        case "key":
            return "coalesce(ak.target, p.key) AS key"
        case "parent":
            return "coalesce(ap.target, p.parent) AS parent"
    return f'p."{name}"'
