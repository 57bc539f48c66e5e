"""Every non-human identity: one row each, with all the names that lead to it.

``identities``: identity, kind, population, declared (BOOLEAN), account (its own, else that of a record), first_seen,
last_seen (µs), credentials, leaf (of the first record that shows it, NULL where only a document does).
``identity_names``: name (a key or a short name), identity, how (``declared``, ``observed``), leaf.
``key_identities``: key (of a credential), identity, name (by which it is reached), exact, contested (BOOLEAN; see
``names``). Only credentials of machines and of unknown population have one; one that goes by nothing but a name
that Vault made up has none.

The identity of a credential is the principal that it speaks for, else the workload that it is bound to, else itself,
under the stable id that a document gives to one of their names. Principals that an inventory lists or a record shows
being made are identities without a credential; people, groups, policies and service roles of providers are none. Nor is
a database role that Vault made up a name for, unless a document declares it: it is a credential.
"""

from collections.abc import Sequence

from custody.chains.join import listed
from custody.engine.duck import Cell, Engine
from custody.model.keys import MADE_UP
from custody.model.register import IdentityKind, SealedDocument
from custody.register import names
from custody.register.versions import in_force

KINDS: dict[str, IdentityKind] = {
    "k8s_service_account": IdentityKind.SERVICE_ACCOUNT,
    "oidc_subject": IdentityKind.PIPELINE,
    "github_workflow": IdentityKind.PIPELINE,
    "github_environment": IdentityKind.PIPELINE,
    "vault_role": IdentityKind.ROLE,
    "db_role": IdentityKind.ROLE,
    "db_role_hmac": IdentityKind.ROLE,
    "agent": IdentityKind.AGENT,
    "aws_akid": IdentityKind.KEY,
    "ssh_key": IdentityKind.KEY,
    "github_token_id": IdentityKind.KEY,
    "github_token_sha256": IdentityKind.KEY,
    "github_user": IdentityKind.BOT,
    "k8s_user": IdentityKind.USER,
    "vault_entity": IdentityKind.WORKLOAD,
}
"""What an identity is by the type of its key; ARNs by what stands in them, any other is a workload."""

MADE = ("role.create", "user.create", "principal.create")
LISTED = ("inventory.user", "inventory.role", "inventory.service_account")
ASSERTED = ("issuer", "verifier")

_KINDS = " ".join(f"WHEN '{key}' THEN '{kind.value}'" for key, kind in KINDS.items())
KIND = f"""
    CASE WHEN {{name}} LIKE 'aws_arn:%:user/%' THEN '{IdentityKind.USER.value}'
         WHEN {{name}} LIKE 'aws_arn:%:function:%' THEN '{IdentityKind.WORKLOAD.value}'
         WHEN {{name}} LIKE 'oidc_subject:%:system:serviceaccount:%' THEN '{IdentityKind.SERVICE_ACCOUNT.value}'
         WHEN {{name}} LIKE 'aws_arn:%' THEN '{IdentityKind.ROLE.value}'
         ELSE CASE regexp_extract({{name}}, '^([a-z0-9_]+):', 1) {_KINDS} ELSE '{IdentityKind.WORKLOAD.value}' END END
"""
"""The kind of identity that a key names, as SQL over ``name``."""


def _lasting(name: str) -> str:
    """That Vault did not make up the name, as SQL."""
    return f"regexp_extract({name}, '^{MADE_UP.pattern}$') = ''"


LISTED_PRINCIPALS = f"""
    CREATE OR REPLACE TABLE listed_principals AS
    SELECT name, CASE WHEN name LIKE 'aws_arn:%:user/%' OR name LIKE 'db_role:%' THEN 'unknown' ELSE 'machine' END
               AS population,
           min(account) AS account, min(first_seen) AS first_seen, min(leaf) AS leaf
    FROM (
        SELECT p.key AS name, p.account, coalesce(p.created, p.time) AS first_seen, p.leaf, p.principal_id,
               coalesce(p.object LIKE '%:role/aws-service-role/%' OR p.object LIKE '%:role/aws-reserved/%', FALSE)
                   OR p.key LIKE '%:role/AWSReservedSSO!_%' ESCAPE '!'
                   OR p.key LIKE '%:role/AWSServiceRoleFor%' AS provided,
               p.stage = 'inventory' AND coalesce(p.tags LIKE '%"password!_enabled":"true"%' ESCAPE '!', FALSE)
                   AS person
        FROM parts p
        WHERE p.key IS NOT NULL AND p.outcome = 'success' AND NOT p.in_conflict
          AND (p.stage = 'inventory' AND p.effect IN {listed(LISTED)}
               OR p.stage = 'change' AND p.effect IN {listed(MADE)})
          AND (p.key LIKE 'aws_arn:%:role/%' OR p.key LIKE 'aws_arn:%:user/%' OR p.key LIKE 'k8s!_service!_account:%'
               ESCAPE '!' OR p.key LIKE 'db!_role:%' ESCAPE '!')
    ) told
    WHERE NOT EXISTS (SELECT 1 FROM credentials c WHERE c.key = told.name)
      AND NOT EXISTS (SELECT 1 FROM people h WHERE h.principal = told.name OR h.principal_id = told.principal_id)
      AND NOT EXISTS (SELECT 1 FROM service_roles r WHERE r.principal = told.name)
    GROUP BY name
    HAVING NOT bool_or(provided) AND NOT bool_or(person)
"""
"""Principals that there are, with a credential or without. A password of its own makes a user a person."""

KEY_IDENTITIES = f"""
    CREATE OR REPLACE TABLE key_identities AS
    SELECT c.key, coalesce(s.identity, w.identity, k.identity, c.subject, c.workload, c.key) AS identity,
           CASE WHEN s.name IS NOT NULL THEN s.name WHEN w.name IS NOT NULL THEN w.name
                WHEN k.name IS NOT NULL THEN k.name ELSE coalesce(c.subject, c.workload, c.key) END AS name,
           CASE WHEN s.name IS NOT NULL THEN s.exact
                WHEN w.name IS NOT NULL THEN w.exact AND coalesce(c.bound_by IN {listed(ASSERTED)}, FALSE)
                ELSE coalesce(k.exact, FALSE) END
               AND NOT c.issue_disputed AND NOT c.use_disputed AND NOT c.chain_disputed AS exact,
           coalesce(s.contested, w.contested, k.contested, FALSE) AS contested
    FROM credentials c
    LEFT JOIN declared_as s ON s.name = c.subject
    LEFT JOIN declared_as w ON w.name = c.workload
    LEFT JOIN declared_as k ON k.name = c.key
    WHERE c.population IN ('machine', 'unknown')
      AND (coalesce(s.identity, w.identity, k.identity) IS NOT NULL
           OR {_lasting("coalesce(c.subject, c.workload, c.key)")})
"""

IDENTITIES = f"""
    CREATE OR REPLACE TABLE identities AS
    SELECT i.identity, coalesce(min(d.kind), min(i.kind)) AS kind, min(i.population) AS population,
           min(d.identity) IS NOT NULL AS declared, min(i.account) AS account, min(i.first_seen) AS first_seen,
           max(i.last_seen) AS last_seen, CAST(sum(i.credentials) AS BIGINT) AS credentials, min(i.leaf) AS leaf
    FROM (
        SELECT k.identity, {KIND.format(name="min(k.name)")} AS kind, min(c.population) AS population,
               coalesce(nullif(regexp_extract(min(k.name), '^aws_arn:([0-9]+):', 1), ''), min(c.account)) AS account,
               min(coalesce(c.issued_at, c.first_use)) AS first_seen,
               max(greatest(coalesce(c.issued_at, c.last_use), coalesce(c.last_use, c.issued_at))) AS last_seen,
               count(*) AS credentials, min(coalesce(c.issue_leaf, c.first_use_leaf)) AS leaf
        FROM key_identities k
        JOIN credentials c ON c.key = k.key
        GROUP BY k.identity
        UNION ALL
        SELECT coalesce(a.identity, l.name), {KIND.format(name="l.name")}, l.population, l.account, l.first_seen,
               l.first_seen, 0, l.leaf
        FROM listed_principals l
        LEFT JOIN declared_as a ON a.name = l.name
        WHERE a.identity IS NOT NULL OR {_lasting("l.name")}
        UNION ALL
        SELECT d.identity, d.kind, CAST(NULL AS VARCHAR), CAST(NULL AS VARCHAR), CAST(NULL AS BIGINT),
               CAST(NULL AS BIGINT), 0, CAST(NULL AS BIGINT)
        FROM declared_identities d
    ) i
    LEFT JOIN declared_identities d ON d.identity = i.identity
    GROUP BY i.identity
"""

NAMES = f"""
    CREATE OR REPLACE TABLE identity_names AS
    SELECT name, identity, 'observed' AS how, min(leaf) AS leaf
    FROM (
        SELECT k.name, k.identity, coalesce(c.issue_leaf, c.first_use_leaf) AS leaf
        FROM key_identities k
        JOIN credentials c ON c.key = k.key
        UNION ALL
        SELECT l.name, coalesce(a.identity, l.name), l.leaf
        FROM listed_principals l
        LEFT JOIN declared_as a ON a.name = l.name
        WHERE a.identity IS NOT NULL OR {_lasting("l.name")}
    ) seen
    GROUP BY name, identity
    UNION ALL
    SELECT name, identity, 'declared', min(leaf) FROM (
        SELECT d.name, d.identity, d.leaf FROM declared_names d WHERE d.superseded_at IS NULL
        UNION ALL
        SELECT d.identity, d.identity, d.leaf FROM declared_identities d
    ) said
    GROUP BY name, identity
"""

STEPS = (LISTED_PRINCIPALS, *names.STEPS, names.OTHERS, KEY_IDENTITIES, IDENTITIES, NAMES)
"""Everything that makes these tables: what their shape is."""


def build(engine: Engine, documents: Sequence[SealedDocument]) -> None:
    """Make ``identities``, ``identity_names`` and ``key_identities``, and what they are made of."""
    engine.run(LISTED_PRINCIPALS)
    names.build(engine, documents)
    declared: dict[str, tuple[Cell, ...]] = {}
    for sealed in in_force(documents):
        for one in sealed.document.identities:
            declared.setdefault(one.identity, (one.identity, one.kind.value, sealed.leaf))
    columns = {"identity": "VARCHAR", "kind": "VARCHAR", "leaf": "BIGINT"}
    engine.table("declared_identities", columns, list(declared.values()))
    for step in (KEY_IDENTITIES, IDENTITIES, NAMES):
        engine.run(step)
