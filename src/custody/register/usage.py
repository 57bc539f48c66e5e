"""What identities did: the life of their credentials, what they touched, and on what they depend.

``lifecycles``: identity, kind (type of key), credentials, issued (with a recorded issue), endless (the issue states no
expiry), shortest, longest (time from issue to expiry, µs), alive (neither expired nor ended at ``as_of``), ended,
renewed, first_issued, last_issued, last_used (µs), leaf.
``touched``: identity, what (``service``, ``account``, ``resource``), name, uses, denied, first, last (µs), leaf, total
(how many there are of this kind; resources beyond ``MOST`` are counted and not listed, the most used stay).
``dependencies``: identity, dependency (an identity, service or resource; as declared where nothing like it was seen),
declared, observed (BOOLEAN), how (``obtained`` its credentials, ``used`` it; NULL where it is only declared), leaf.
``credential_lives`` (a view): key, identity, kind, issued_at, not_after, last_use, renewed, ended, end_effect, leaves.
"""

from collections.abc import Sequence

from custody.engine.duck import Engine
from custody.model.register import SealedDocument
from custody.register import names
from custody.register.spelling import canonical
from custody.register.versions import in_force

MOST = 100

LIVES = """
    CREATE OR REPLACE VIEW credential_lives AS
    SELECT c.key, k.identity, regexp_extract(c.key, '^([^:]+):', 1) AS kind, c.population, c.issued, c.issued_at,
           c.not_after, c.not_after - c.issued_at AS ttl, coalesce(c.issued_at, c.first_use) AS first_seen, c.last_use,
           coalesce(r.renewed, 0) AS renewed, CASE WHEN c.end_until IS NULL THEN c.end_time END AS ended,
           CASE WHEN c.end_until IS NULL THEN c.end_effect END AS end_effect, c.issue_leaf, c.first_use_leaf, c.end_leaf
    FROM key_identities k
    JOIN credentials c ON c.key = k.key
    LEFT JOIN (SELECT key, count(*) AS renewed FROM refreshes GROUP BY key) r ON r.key = c.key
"""
"""One row a credential; a renewed one has the expiry of its last renewal."""

COUNTS = """
    SELECT l.identity, l.kind, count(*) AS credentials, count(*) FILTER (WHERE l.issued) AS issued,
           count(*) FILTER (WHERE l.issued AND l.not_after IS NULL) AS endless,
           min(l.ttl) AS shortest, max(l.ttl) AS longest,
           count(*) - count(*) FILTER (WHERE least(l.ended, l.not_after) <= {alive_at}) AS alive,
           count(*) FILTER (WHERE l.ended <= {alive_at}) AS ended, count(*) FILTER (WHERE l.renewed > 0) AS renewed,
           min(l.issued_at) AS first_issued, max(l.issued_at) AS last_issued, max(l.last_use) AS last_used,
           min(coalesce(l.issue_leaf, l.first_use_leaf)) AS leaf
    FROM credential_lives l
"""
LIFECYCLES = f"CREATE OR REPLACE TABLE lifecycles AS {COUNTS} GROUP BY l.identity, l.kind"

TOUCHES = """
    CREATE OR REPLACE TABLE touches AS
    SELECT k.identity, p.service, coalesce(p.account, '') AS account, coalesce(p.resource, '') AS resource,
           count(*) FILTER (WHERE NOT p.extra) AS uses,
           count(*) FILTER (WHERE NOT p.extra AND p.outcome = 'denied') AS denied,
           min(p.time) AS first, max(p.time) AS last, min(p.leaf) AS leaf
    FROM parts p
    JOIN key_identities k ON k.key = p.key
    WHERE p.stage = 'use' AND coalesce(p.effect, '') <> 'stream.open'
    GROUP BY k.identity, p.service, coalesce(p.account, ''), coalesce(p.resource, '')
"""

TOUCHED = f"""
    CREATE OR REPLACE TABLE touched AS
    SELECT identity, what, name, uses, denied, first, last, leaf, total FROM (
        SELECT g.*, count(*) OVER (PARTITION BY identity, what) AS total,
               row_number() OVER (PARTITION BY identity, what ORDER BY uses DESC, name) AS position
        FROM (
            SELECT identity, what, name, CAST(sum(uses) AS BIGINT) AS uses, CAST(sum(denied) AS BIGINT) AS denied,
                   min(first) AS first, max(last) AS last, min(leaf) AS leaf
            FROM (
                SELECT identity, 'service' AS what, service AS name, uses, denied, first, last, leaf FROM touches
                UNION ALL
                SELECT identity, 'account', account, uses, denied, first, last, leaf FROM touches
                UNION ALL
                SELECT identity, 'resource', resource, uses, denied, first, last, leaf FROM touches
            ) every_kind
            WHERE coalesce(name, '') <> ''
            GROUP BY identity, what, name
        ) g
    ) ranked
    WHERE what <> 'resource' OR position <= {MOST}
"""

WANTED = """
    CREATE OR REPLACE TABLE wanted AS
    SELECT DISTINCT c.identity, c.value AS text, coalesce(n.identity, k.identity, d.dependency) AS dependency, c.leaf
    FROM claims c
    JOIN dependency_texts d ON d.text = c.value
    LEFT JOIN (
        SELECT name, min(identity) AS identity FROM identity_names WHERE how = 'declared' GROUP BY name
    ) n ON n.name = d.dependency
    LEFT JOIN (
        SELECT m.text, min(o.identity) AS identity
        FROM dependency_called m
        JOIN identity_names o ON o.name = m.name AND o.how = 'observed'
        GROUP BY m.text
    ) k ON k.text = d.dependency
    WHERE c.field = 'dependency' AND c.state = 'held'
"""
"""Every declared dependency, as the identity that it names where there is one."""

SEEN = """
    CREATE OR REPLACE TABLE seen_dependencies AS
    SELECT identity, dependency, min(how) AS how, min(leaf) AS leaf FROM (
        SELECT p.identity, k.identity AS dependency, 'obtained' AS how,
               coalesce(c.issue_leaf, c.first_use_leaf) AS leaf
        FROM parents e
        JOIN key_identities p ON p.key = e.parent
        JOIN key_identities k ON k.key = e.key
        JOIN credentials c ON c.key = e.key
        WHERE p.identity <> k.identity AND NOT e.disputed
        UNION ALL
        SELECT t.identity, t.name, 'used', t.leaf FROM touched t WHERE t.what = 'service'
        UNION ALL
        SELECT w.identity, w.dependency, 'used', t.leaf
        FROM wanted w
        JOIN touches t ON t.identity = w.identity AND t.resource <> '' AND t.resource IN (w.text, w.dependency)
    ) every_way
    GROUP BY identity, dependency
"""

DEPENDENCIES = """
    CREATE OR REPLACE TABLE dependencies AS
    SELECT coalesce(s.identity, w.identity) AS identity, coalesce(s.dependency, w.dependency) AS dependency,
           w.identity IS NOT NULL AS declared, s.identity IS NOT NULL AS observed, s.how,
           coalesce(s.leaf, w.leaf) AS leaf
    FROM seen_dependencies s
    FULL OUTER JOIN (
        SELECT identity, dependency, min(leaf) AS leaf FROM wanted GROUP BY identity, dependency
    ) w ON w.identity = s.identity AND w.dependency = s.dependency
"""

NAMES = "SELECT DISTINCT name FROM identity_names WHERE how = 'observed'"
STEPS = (LIVES, LIFECYCLES, TOUCHES, TOUCHED, WANTED, SEEN, DEPENDENCIES, NAMES)
"""Everything that makes these tables: what their shape is."""


def build(engine: Engine, documents: Sequence[SealedDocument], as_of: int | None) -> None:
    """Make ``lifecycles``, ``touched`` and ``dependencies``, and the view ``credential_lives``."""
    texts = {text for sealed in in_force(documents) for one in sealed.document.identities for text in one.depends_on}
    forms = {text: canonical(text) for text in sorted(texts)}
    engine.table("dependency_texts", {"text": "VARCHAR", "dependency": "VARCHAR"}, list(forms.items()))
    found = list(names.called(engine, set(forms.values()), NAMES))
    engine.table("dependency_called", names.CALLED, found)
    engine.run(LIVES)
    engine.run(LIFECYCLES.format(alive_at=as_of or 0))
    for step in (TOUCHES, TOUCHED, WANTED, SEEN, DEPENDENCIES):
        engine.run(step)
