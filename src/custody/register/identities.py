"""Every non-human identity: one row each, with all the names that lead to it.

``identities``: identity, kind, population, declared (BOOLEAN), account, first_seen, last_seen (µs), credentials,
leaf (of the first record that shows it, NULL where only a document does).
``identity_names``: name (a key or a short name), identity, how (``declared`` or ``observed``), leaf.
``key_identities``: key (of a credential), identity. Only credentials of machines and of unknown population have one.

The identity of a credential is the principal that it speaks for, else the workload that it is bound to, else itself,
under the stable id that a document gives to one of their names.
"""

from collections.abc import Iterator, Sequence

from custody.engine.duck import Cell, Engine
from custody.model.keys import names_of
from custody.model.register import Declared, IdentityKind, SealedDocument

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

OBSERVED = """
    SELECT coalesce(c.subject, c.workload, c.key) AS name, min(c.population) AS population, min(c.account) AS account,
           min(coalesce(c.issued_at, c.first_use)) AS first_seen,
           max(greatest(coalesce(c.issued_at, c.last_use), coalesce(c.last_use, c.issued_at))) AS last_seen,
           count(*) AS credentials, min(coalesce(c.issue_leaf, c.first_use_leaf)) AS leaf
    FROM credentials c
    WHERE c.population IN ('machine', 'unknown')
    GROUP BY coalesce(c.subject, c.workload, c.key)
"""
IDENTITIES = """
    CREATE OR REPLACE TABLE identities AS
    SELECT identity, min(kind) AS kind, min(population) AS population, bool_or(declared) AS declared,
           min(account) AS account, min(first_seen) AS first_seen, max(last_seen) AS last_seen,
           sum(credentials) AS credentials, min(leaf) AS leaf
    FROM identity_rows
    GROUP BY identity
"""
KEY_IDENTITIES = """
    CREATE OR REPLACE TABLE key_identities AS
    SELECT c.key, n.identity
    FROM credentials c
    JOIN observed_names n ON n.name = coalesce(c.subject, c.workload, c.key)
    WHERE c.population IN ('machine', 'unknown')
"""


def kind_of(key: str) -> IdentityKind:
    """What kind of identity a key names."""
    kind, _, rest = key.partition(":")
    if kind == "aws_arn":
        if ":user/" in rest:
            return IdentityKind.USER
        return IdentityKind.WORKLOAD if ":function:" in rest else IdentityKind.ROLE
    return KINDS.get(kind, IdentityKind.WORKLOAD)


def in_force(documents: Sequence[SealedDocument], as_of: int | None = None) -> tuple[SealedDocument, ...]:
    """The last version of each document, in order of leaf; with ``as_of`` the last that was sealed by then."""
    last: dict[str, SealedDocument] = {}
    for each in documents:
        if as_of is None or each.at <= as_of:
            last[each.document.name] = each
    return tuple(sorted(last.values(), key=lambda each: each.leaf))


def declared_names(documents: Sequence[SealedDocument]) -> dict[str, str]:
    """Every declared name and the identity it belongs to; of several the first sealed keeps it."""
    names: dict[str, str] = {}
    for sealed in in_force(documents):
        for one in sealed.document.identities:
            for name in (one.identity, *one.names):
                names.setdefault(name, one.identity)
    return names


def build(engine: Engine, documents: Sequence[SealedDocument], as_of: int | None) -> None:  # noqa: ARG001
    """Make ``identities``, ``identity_names`` and ``key_identities``."""
    names = declared_names(documents)
    observed = [tuple(row) for row in engine.rows(OBSERVED)]
    mapped = {str(row[0]): _identity(str(row[0]), names) for row in observed}
    rows = [(mapped[str(name)], _kind(str(name), mapped, documents), *rest) for name, *rest in observed]
    rows += [(one.identity, one.kind.value, None, None, None, None, 0, None) for one in _declared(documents)]
    columns = {
        "identity": "VARCHAR", "kind": "VARCHAR", "population": "VARCHAR", "account": "VARCHAR",
        "first_seen": "BIGINT", "last_seen": "BIGINT", "credentials": "BIGINT", "leaf": "BIGINT", "declared": "BOOLEAN",
    }  # fmt: skip
    known = {one.identity for one in _declared(documents)}
    engine.table("identity_rows", columns, [(*row, row[0] in known) for row in rows])
    engine.table("observed_names", {"name": "VARCHAR", "identity": "VARCHAR"}, list(mapped.items()))
    leaves = {str(row[0]): row[-1] for row in observed}
    table: list[tuple[Cell, ...]] = [(name, identity, "declared", None) for name, identity in names.items()]
    table += [(name, identity, "observed", leaves[name]) for name, identity in mapped.items()]
    named = {"name": "VARCHAR", "identity": "VARCHAR", "how": "VARCHAR", "leaf": "BIGINT"}
    engine.table("identity_names", named, table)
    engine.run(IDENTITIES)
    engine.run(KEY_IDENTITIES)


def _declared(documents: Sequence[SealedDocument]) -> Iterator[Declared]:
    return (one for sealed in in_force(documents) for one in sealed.document.identities)


def _identity(key: str, names: dict[str, str]) -> str:
    return next((names[name] for name in names_of(key) if name in names), key)


def _kind(key: str, mapped: dict[str, str], documents: Sequence[SealedDocument]) -> str:
    declared = {one.identity: one.kind for one in _declared(documents)}
    return (declared.get(mapped[key]) or kind_of(key)).value
