"""Route 2: a pod, its tokens, a login to the secret store, a role in the database, a session, and the end of all."""

from functools import partial

import msgspec

from custody.model.events import Stage
from custody.model.verdicts import Question, State
from custody.simulation.chance import BASE62, Chance
from custody.simulation.estate import Estate
from custody.simulation.lives import cluster
from custody.simulation.systems import kubernetes, openbao
from custody.simulation.systems.kubernetes import Pod
from custody.simulation.systems.openbao import Place, Token
from custody.simulation.systems.postgresql import ADMIN, Connection, role_key
from custody.simulation.times import MINUTE, SECOND, valid_until
from custody.simulation.truth import Credential, Session
from custody.simulation.world import VAULT_ADDRESS, Workload

LIFE = 3600
RENEW = 40 * MINUTE
GRACE = 6 * SECOND
QUERIES = (
    "SELECT id, state FROM items WHERE state = 'open' LIMIT 50",
    "UPDATE items SET state = 'done' WHERE id = 4711",
    "SELECT count(*) FROM items",
    "INSERT INTO events (item, what) VALUES (4711, 'done')",
)
RENEW_LEASE = Place(operation="update", path="sys/leases/renew", mount="sys/", kind="system")
REVOKE_LEASE = Place(operation="update", path="sys/leases/revoke", mount="sys/", kind="system")
RENEW_SELF = Place(operation="update", path="auth/token/renew-self", mount="auth/token/", kind="token")
REVOKE_SELF = Place(operation="update", path="auth/token/revoke-self", mount="auth/token/", kind="token")
LOGIN = Place(operation="update", path="auth/kubernetes/login", mount="auth/kubernetes/", kind="kubernetes")


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How a pod goes. ``lingers`` is how long (µs) its database session outlives the role."""

    lingers: int = 0


NORMAL = Manner()


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """A role in the database, leased from the store: its name, and the names of it that the logs have."""

    name: str
    id: str
    hashed: str

    @property
    def key(self) -> str:
        """The key of the role."""
        return role_key(self.name)


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """What a pod left: itself, its tokens, its role, when it ended."""

    pod: Pod
    token: Token
    token_key: str
    lease: Lease
    started: int
    ended: int


def begin(estate: Estate, workload: Workload) -> None:
    """One pod after the other: each new one starts shortly before the old one ends."""
    chance = estate.chance.fork("pod", workload.name)
    estate.at(estate.since + chance.seconds(180, 900), partial(_turn, estate, workload, chance, 0))


def _turn(estate: Estate, workload: Workload, chance: Chance, number: int, time: int) -> None:
    served = serve(estate, workload, chance.fork(number), time)
    estate.at(served.ended - chance.seconds(10, 30), partial(_turn, estate, workload, chance, number + 1))


def serve(estate: Estate, workload: Workload, chance: Chance, time: int, manner: Manner = NORMAL) -> Served:
    """One pod from its creation to its deletion."""
    pod = cluster.new_pod(estate, chance, workload.namespace, workload.name)
    end = time + chance.seconds(50 * 60, 110 * 60)
    cluster.start_pod(estate, chance, time, pod)
    gone = kubernetes.pod_deleted(estate, chance, end, pod, GRACE)
    estate.book.runs[pod.key] = msgspec.structs.replace(estate.book.runs[pod.key], ended=gone)
    tokens(estate, chance, pod, (time + 2 * SECOND, end, gone))
    presented = f"JTI={chance.uuid()}"
    cluster.give_token(estate, chance, time + 3 * SECOND, pod, presented, cluster.STORE, LIFE, gone)
    token = login(estate, chance, pod, presented, workload.namespace, time + 5 * SECOND, end + SECOND)
    read_secrets(estate, chance, pod, token, (time + 5 * SECOND, end))
    lease = database(estate, chance, workload, pod, token, (time + 6 * SECOND, end), manner)
    leave(estate, chance, pod, token, end + SECOND)
    under = lease.key if translated_names(workload) else lease.hashed
    estate.book.link(end + SECOND, "vault_cascade", cluster.device_of(estate).key(token), under)
    return Served(
        pod=pod,
        token=token,
        token_key=cluster.device_of(estate).key(token),
        lease=lease,
        started=time,
        ended=gone,
    )


def tokens(estate: Estate, chance: Chance, pod: Pod, span: tuple[int, int, int]) -> None:
    """The tokens for the API, one after the other, each used until the next."""
    start, end, gone = span
    while start < end:
        token, until = f"JTI={chance.uuid()}", min(start + cluster.REFRESH, end)
        cluster.give_token(estate, chance, start, pod, token, cluster.API, kubernetes.INJECTED, gone)
        for time in chance.spread(start + SECOND, until, max(1, (until - start) // (3 * MINUTE))):
            who = kubernetes.holder(pod, token)
            kubernetes.say(estate, chance, time, who, "get", "configmaps", pod.namespace, "settings", 200)
        start += cluster.REFRESH


def login(estate: Estate, chance: Chance, pod: Pod, presented: str, policy: str, time: int, ended: int | None) -> Token:
    """The pod logs in to the store with its token, which the store has the cluster review."""
    device = cluster.device_of(estate)
    metadata = {
        "role": policy,
        "service_account_name": pod.account,
        "service_account_namespace": pod.namespace,
        "service_account_secret_name": "",
        "service_account_uid": pod.account_uid,
    }
    display = f"kubernetes-{pod.namespace}-{pod.account}"
    token = openbao.token(chance, time, display, metadata, policy, LIFE)
    reviewer = cluster.store_user(estate, time)
    kubernetes.token_reviewed(estate, chance, time + 500, reviewer, pod, presented, cluster.STORE)
    auth = openbao.given(device, token)
    issued = ((Stage.ISSUE, device.key(token)),)
    data: openbao.Fields = {"jwt": f"must-not-stay.{presented}", "role": policy}
    openbao.say(
        estate, device, chance, time, None, LOGIN, pod.address,
        data=data, auth=auth, response={"auth": auth, "mount_type": "kubernetes"}, about=issued,
    )  # fmt: skip
    _enter_token(estate, device, token, pod, presented, time, ended)
    return token


def _enter_token(
    estate: Estate, device: openbao.Device, token: Token, pod: Pod, presented: str, time: int, ended: int | None
) -> None:
    parent = kubernetes.credential_key(presented)
    issued = time + openbao.TOOK
    entry = Credential(
        key=device.key(token),
        kind="token of the secret store",
        population="machine",
        aliases=(device.alias(token),),
        issued_at=issued,
        not_after=issued + token.life * SECOND,
        parent=parent,
        parent_visible="candidates",
        parent_join="token_review",
        run=pod.key,
        run_visible="candidates",
        origins=(pod.address,),
        subject=f"vault_role:vault:auth/kubernetes/{token.metadata['role']}",
        ended_at=ended,
        ended_by="credential.revoke" if ended is not None else None,
    )
    estate.book.credential(entry)
    estate.book.link(issued, "token_review", entry.key, parent)
    estate.book.expect(entry.key, Question.BOUND, State.PROVED)


def read_secrets(estate: Estate, chance: Chance, pod: Pod, token: Token, span: tuple[int, int]) -> None:
    """The pod reads its settings from the store, every few minutes."""
    device = cluster.device_of(estate)
    for time in chance.spread(span[0] + SECOND, span[1], (span[1] - span[0]) // (10 * MINUTE)):
        place = Place(operation="read", path=f"secret/data/{pod.namespace}/settings", mount="secret/", kind="kv")
        data = {"data": device.data({"mode": "batch"}), "metadata": {"version": 3}}
        response: openbao.Fields = {"mount_type": "kv", "data": data}
        openbao.say(estate, device, chance, time, token, place, pod.address, response=response)


def database(
    estate: Estate,
    chance: Chance,
    workload: Workload,
    pod: Pod,
    token: Token,
    span: tuple[int, int],
    manner: Manner,
) -> Lease:
    """A role in the database from its making to its end, and the session that was opened with it."""
    start, end = span
    lease = lease_role(estate, chance, workload.namespace, pod, token, start, translated_names(workload))
    session = Connection(estate, chance, start + SECOND, lease.name, "items", pod.address, workload.name)
    closed = end + manner.lingers
    for turn, time in enumerate(chance.spread(start + 2 * SECOND, closed - SECOND, (closed - start) // (75 * SECOND))):
        session.statement(time, QUERIES[turn % len(QUERIES)])
    session.close(closed)
    opened = Session(key=session.key, credential=lease.key, opened=start + SECOND + 3_000, closed=closed)
    estate.book.sessions.append(opened)
    for time in range(start + RENEW, end - MINUTE, RENEW):
        renew(estate, chance, pod, token, lease, time)
    dropped = revoke_lease(estate, chance, pod, token, lease, end + 200_000)
    estate.book.change(lease.key, ended_at=dropped, ended_by="credential.drop")
    return lease


def translated_names(workload: Workload) -> bool:
    """Whether the operator made a table of the hashed names of the workload's roles."""
    return workload.number % 10 != 6


def lease_role(estate: Estate, chance: Chance, role: str, pod: Pod, token: Token, time: int, translated: bool) -> Lease:
    """``database/creds/<role>``: the store makes the role in the database, and answers with its name."""
    device = cluster.device_of(estate)
    name = f"v-kubernet-{role[:8]}-{chance.letters(BASE62, 20)}-{time // SECOND}"
    hashed = f"db_role_hmac:hmac:{device.digest(name)}"
    lease = Lease(name=name, id=f"database/creds/{role}/{chance.letters(BASE62, 24)}", hashed=hashed)
    until = valid_until((time // SECOND + LIFE + 5) * SECOND)
    made = f"CREATE ROLE \"{name}\" WITH LOGIN PASSWORD 'must-not-stay' VALID UNTIL '{until}';"
    made += f' GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO "{name}";'
    administer(estate, chance, time + 500, made, (Stage.ISSUE, lease.key))
    place = Place(operation="read", path=f"database/creds/{role}", mount="database/", kind="database")
    data = device.data({"username": name, "password": f"must-not-stay-{name}"})
    openbao.say(
        estate, device, chance, time, token, place, pod.address,
        response={"mount_type": "database", "secret": {"lease_id": lease.id}, "data": data},
        about=((Stage.ISSUE, hashed), (Stage.ISSUE, f"vault_lease:vault:{lease.id}")),
    )  # fmt: skip
    if translated:
        openbao.translated(estate, device, time, name)
    _enter_role(estate, lease, pod, device.key(token), role, time, translated)
    return lease


def _enter_role(estate: Estate, lease: Lease, pod: Pod, parent: str, role: str, time: int, translated: bool) -> None:
    estate.book.credential(
        Credential(
            key=lease.key,
            kind="database role",
            population="machine",
            aliases=(lease.hashed, f"vault_lease:vault:{lease.id}"),
            issued_at=time + openbao.TOOK,
            not_after=(time // SECOND + LIFE + 5) * SECOND,
            parent=parent,
            parent_visible="exact" if translated else "candidates",
            parent_join="vault_parent" if translated else "database_role_name",
            run=pod.key,
            run_visible="candidates",
            origins=(pod.address,),
            subject=f"vault_role:vault:database/creds/{role}",
        )
    )
    if translated:
        estate.book.link(time + openbao.TOOK, "vault_parent", lease.key, parent)
    else:
        estate.book.link(time + openbao.TOOK, "database_role_name", lease.key, lease.hashed)
        estate.book.link(time + openbao.TOOK, "vault_parent", lease.hashed, parent)
        estate.book.link(time + openbao.TOOK, "database_parent", lease.key, role_key(ADMIN))


def administer(estate: Estate, chance: Chance, time: int, sql: str, *about: tuple[Stage, str]) -> None:
    """What the store does in the database, over a connection of its own."""
    admin = Connection(estate, chance, time - 40_000, ADMIN, "items", VAULT_ADDRESS, "openbao")
    admin.statement(time, sql, *about)
    admin.close(time + 30_000)


def renew(estate: Estate, chance: Chance, pod: Pod, token: Token, lease: Lease, time: int) -> None:
    """The pod renews its lease and its token before they expire."""
    device = cluster.device_of(estate)
    openbao.say(
        estate, device, chance, time, token, RENEW_LEASE, pod.address,
        data={"lease_id": lease.id, "increment": LIFE},
        response={"mount_type": "system", "secret": {"lease_id": lease.id}},
        about=((Stage.REFRESH, f"vault_lease:vault:{lease.id}"),),
    )  # fmt: skip
    until = valid_until(time + LIFE * SECOND)
    sql = f"ALTER ROLE \"{lease.name}\" VALID UNTIL '{until}';"
    administer(estate, chance, time + 500, sql, (Stage.REFRESH, lease.key))
    openbao.say(
        estate, device, chance, time + SECOND, token, RENEW_SELF, pod.address,
        response={"auth": openbao.given(device, token), "mount_type": "token"},
        about=((Stage.REFRESH, device.key(token)),),
    )  # fmt: skip


def revoke_lease(estate: Estate, chance: Chance, pod: Pod, token: Token, lease: Lease, time: int) -> int:
    """The pod gives its lease back: the store drops the role; gives when that was."""
    device = cluster.device_of(estate)
    key = f"vault_lease:vault:{lease.id}"
    openbao.say(
        estate, device, chance, time, token, REVOKE_LEASE, pod.address,
        data={"lease_id": lease.id, "sync": True}, about=((Stage.REVOKE, key),),
    )  # fmt: skip
    sql = (
        f'REVOKE ALL PRIVILEGES ON ALL TABLES IN SCHEMA public FROM "{lease.name}"; DROP ROLE IF EXISTS "{lease.name}";'
    )
    administer(estate, chance, time + 1_000, sql, (Stage.REVOKE, lease.key))
    openbao.server(estate, time + 2_000, f"expiration: revoked lease: lease_id={lease.id}", (Stage.EXPIRE, key))
    return time + 1_000


def leave(estate: Estate, chance: Chance, pod: Pod, token: Token, time: int) -> None:
    """The pod revokes its own token; the store's server log says that the token's own lease ended too."""
    device = cluster.device_of(estate)
    revoked = ((Stage.REVOKE, device.key(token)),)
    openbao.say(estate, device, chance, time, token, REVOKE_SELF, pod.address, about=revoked)
    own = f"auth/kubernetes/login/h{chance.hex(64)}"
    openbao.server(estate, time + 5_000, f"expiration: revoked lease: lease_id={own}")
    estate.book.change(device.key(token), ended_at=time + openbao.TOOK, ended_by="credential.revoke")
