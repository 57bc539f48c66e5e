"""What would end a credential, by its kind: the command, what it does, and what else it would end."""

import shlex

import msgspec

from custody.engine.duck import Engine


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One way to end a credential. ``collateral`` is how many other live credentials it would end too."""

    action: str
    command: str
    effect: str
    collateral: int


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What a way needs to know of a live credential; ``alive`` is the SQL condition of being so."""

    key: str
    subject: str | None
    workload: str | None
    not_after: int | None
    alive: str


DENY_OLDER = (
    '\'{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*",'
    '"Condition":{"DateLessThan":{"aws:TokenIssueTime":"\'$(date -u +%Y-%m-%dT%H:%M:%SZ)\'"}}}]}\''
)
"""The policy document of AWSRevokeOlderSessions for a shell, with the time at which it is run."""


def ways(engine: Engine, target: Target) -> tuple[Way, ...]:
    """Every way that is known for the kind of the key, narrowest first; none for a kind that nothing ends early."""
    match target.key.partition(":")[0]:
        case "aws_akid":
            return _aws(engine, target)
        case "vault_accessor":
            return _vault_token(engine, target)
        case "vault_lease":
            return (_lease(target),)
        case "db_role":
            return _database_role(target)
        case "k8s_cred":
            return _kubernetes(engine, target)
        case "github_token_id" | "github_token_sha256":
            return (_github(),)
        case "x509_serial" | "x509_sha256":
            return (_certificate(target),)
    return ()


def _value(key: str | None) -> str:
    return (key or "").split(":", 2)[-1]


def _vault_token(engine: Engine, target: Target) -> tuple[Way, ...]:
    hashed = ":hmac:" in target.key
    accessor = "ACCESSOR" if hashed else shlex.quote(_value(target.key))
    note = "; the audit device hashes accessors: list them with `bao list auth/token/accessors`" if hashed else ""
    return (
        Way(
            action="revoke the token",
            command=f"bao token revoke -accessor {accessor}",
            effect=f"ends the token, the tokens and the leases that were got with it{note}",
            collateral=_below(engine, target),
        ),
    )


def _lease(target: Target) -> Way:
    return Way(
        action="revoke the lease",
        command=f"bao lease revoke {shlex.quote(_value(target.key))}",
        effect="ends what was leased; sessions that it opened live on",
        collateral=0,
    )


def _database_role(target: Target) -> tuple[Way, ...]:
    name = _value(target.key)
    quoted = '"' + name.replace('"', '""') + '"'
    text = "'" + name.replace("'", "''") + "'"
    sessions = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = {text}"
    return (
        Way(
            action="forbid new sessions and end the open ones",
            command=f"psql -c {shlex.quote(f'ALTER ROLE {quoted} NOLOGIN')} -c {shlex.quote(sessions)}",
            effect="ends every session of the role; the role and what it owns stay",
            collateral=0,
        ),
    )


def _kubernetes(engine: Engine, target: Target) -> tuple[Way, ...]:
    found = []
    if target.workload is not None and target.workload.startswith("k8s_pod:"):
        uid = shlex.quote(f"uid={_value(target.workload)}")
        found.append(
            Way(
                action="delete the pod that it is bound to",
                command=f"kubectl delete pod -n NAMESPACE NAME  # the pod with {uid}",
                effect="the API server refuses the token at once; whoever checks it offline goes on until it expires",
                collateral=_same(engine, target, "workload"),
            )
        )
    if target.subject is not None and target.subject.startswith("k8s_service_account:"):
        namespace, _, name = _value(target.subject).partition("/")
        found.append(
            Way(
                action="delete the service account",
                command=f"kubectl delete serviceaccount -n {shlex.quote(namespace)} {shlex.quote(name)}",
                effect="ends every token of the account",
                collateral=_same(engine, target, "subject"),
            )
        )
    return tuple(found)


def _github() -> Way:
    return Way(
        action="revoke the token",
        command="gh api -X DELETE /applications/CLIENT_ID/token  # or in the settings of its owner",
        effect="ends this token; what it was exchanged for lives on",
        collateral=0,
    )


def _certificate(target: Target) -> Way:
    _, _, subject = (target.subject or "").partition(":")
    identity = f"spiffe://{subject.replace(':', '', 1)}" if subject else "SPIFFE_ID"
    return Way(
        action="delete its registration entry",
        command=f"spire-server entry show -spiffeID {shlex.quote(identity)}  # then: spire-server entry delete",
        effect="no further certificate is signed; this one is good until it expires, there is no revocation list",
        collateral=0,
    )


def _aws(engine: Engine, target: Target) -> tuple[Way, ...]:
    key = shlex.quote(_value(target.key))
    name = shlex.quote((target.subject or "").rpartition("/")[2])
    if target.not_after is None and key.startswith("AKIA"):
        return (
            Way(
                action="make the access key inactive",
                command=f"aws iam update-access-key --access-key-id {key} --status Inactive",
                effect="ends this key; sessions that it opened live on until they expire",
                collateral=0,
            ),
        )
    others = _same(engine, target, "subject")
    if ":role/" in (target.subject or ""):
        return (_revoke_sessions("role", name, others), _delete_role(name, others))
    return (_revoke_sessions("user", name, others),)


def _revoke_sessions(kind: str, name: str, others: int) -> Way:
    action = "revoke the role's sessions" if kind == "role" else "deny the user's sessions"
    return Way(
        action=f"{action} issued until now",
        command=f"aws iam put-{kind}-policy --{kind}-name {name} --policy-name AWSRevokeOlderSessions "
        f"--policy-document {DENY_OLDER}",
        effect=f"denies every session of the {kind} issued before the time in the policy",
        collateral=others,
    )


def _delete_role(name: str, others: int) -> Way:
    return Way(
        action="delete the role",
        command=f"aws iam delete-role --role-name {name}",
        effect="ends every session of the role, and the role",
        collateral=others,
    )


def _same(engine: Engine, target: Target, column: str) -> int:
    """Other live credentials of the same subject or workload."""
    value = target.subject if column == "subject" else target.workload
    sql = f"SELECT count(*) FROM judged c WHERE c.{column} = ? AND c.key <> ? AND {target.alive}"
    return engine.number(sql, [value, target.key])


def _below(engine: Engine, target: Target) -> int:
    """Live credentials that were got with this one."""
    return engine.number(
        f"SELECT count(*) FROM judged c WHERE c.root = ? AND c.key <> ? AND {target.alive}", [target.key, target.key]
    )
