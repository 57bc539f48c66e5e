"""What the cluster always has: the certificates of its parts, and the secret store's own pod with its tokens."""

from functools import partial

from custody.simulation.chance import LOWER, Chance
from custody.simulation.estate import Estate
from custody.simulation.systems import kubernetes, openbao, postgresql
from custody.simulation.systems.kubernetes import Pod, User
from custody.simulation.times import MINUTE, SECOND
from custody.simulation.truth import Credential, Run
from custody.simulation.world import VAULT_ADDRESS

API = "https://kubernetes.default.svc"
STORE = "https://vault.example.org"
REFRESH = 48 * MINUTE
"""The kubelet asks anew when four fifths of a token's hour are over."""


def begin(estate: Estate) -> None:
    """The certificates are older than the logs; the store's pod starts in the first minute."""
    certified = [kubernetes.node(each) for each in estate.world.nodes]
    for who in (*certified, kubernetes.controllers(), kubernetes.scheduler()):
        entry = Credential(key=who.key, kind="client certificate", population="provider-internal", issued_at=None)
        estate.book.credential(entry)
    admin = postgresql.role_key(postgresql.ADMIN)
    estate.book.credential(Credential(key=admin, kind="database role", population="unknown", issued_at=None))
    estate.at(estate.since + 30 * SECOND, partial(_start_store, estate))


def new_pod(estate: Estate, chance: Chance, namespace: str, account: str) -> Pod:
    """A pod of a service account, on any node."""
    return Pod(
        name=f"{account}-{chance.hex(9)}-{chance.letters(LOWER, 5)}",
        namespace=namespace,
        account=account,
        uid=chance.uuid(),
        account_uid=Chance("service account", estate.plan.seed, namespace, account).uuid(),
        node=chance.pick(estate.world.nodes),
        address=f"10.20.{chance.between(64, 127)}.{chance.between(2, 254)}",
    )


def start_pod(estate: Estate, chance: Chance, time: int, pod: Pod) -> None:
    """The pod is made and entered as a run."""
    kubernetes.pod_created(estate, chance, time, pod)
    estate.book.run(Run(key=pod.key, kind="pod", workload=pod.account_key, started=time))


def give_token(
    estate: Estate, chance: Chance, time: int, pod: Pod, token: str, audience: str, life: int, ended: int | None
) -> str:
    """The kubelet gets a token for the pod; gives its key. It ends with the pod."""
    kubernetes.token_issued(estate, chance, time, pod, token, audience, life)
    key, parent = kubernetes.credential_key(token), kubernetes.node(pod.node).key
    estate.book.credential(
        Credential(
            key=key,
            kind="service account token",
            population="machine",
            issued_at=time,
            not_after=None if life == kubernetes.INJECTED else (time // SECOND + life) * SECOND,
            parent=parent,
            parent_visible="exact",
            parent_join="kubernetes_parent",
            run=pod.key,
            run_visible="issuer",
            origins=(pod.address,),
            subject=pod.account_key,
            ended_at=ended,
            ended_by="pod.delete" if ended is not None else None,
        )
    )
    estate.book.link(time, "kubernetes_parent", key, parent)
    return key


def store_pod(estate: Estate) -> Pod:
    """The pod of the secret store: the same whenever it is asked for."""
    pod = new_pod(estate, estate.chance.fork("store pod"), "openbao", "openbao")
    return Pod(
        name="openbao-0",
        namespace=pod.namespace,
        account=pod.account,
        uid=pod.uid,
        account_uid=pod.account_uid,
        node=pod.node,
        address=VAULT_ADDRESS,
    )


def store_user(estate: Estate, time: int) -> User:
    """The store at a moment, with the token that it then has."""
    number = max(0, (time - estate.since - 32 * SECOND) // REFRESH)
    return kubernetes.holder(store_pod(estate), _store_token(estate, number))


def device_of(estate: Estate) -> openbao.Device:
    """The store's audit device."""
    return openbao.Device(estate)


def _store_token(estate: Estate, number: int) -> str:
    return f"JTI={estate.chance.fork('store token', number).uuid()}"


def _start_store(estate: Estate, time: int) -> None:
    chance = estate.chance.fork("store")
    start_pod(estate, chance, time, store_pod(estate))
    openbao.server(estate, time + 20 * SECOND, "core: vault is unsealed")
    estate.at(time + 2 * SECOND, partial(_refresh_store, estate, chance, 0))


def _refresh_store(estate: Estate, chance: Chance, number: int, time: int) -> None:
    token = _store_token(estate, number)
    give_token(estate, chance, time, store_pod(estate), token, API, kubernetes.INJECTED, None)
    estate.at(time + REFRESH, partial(_refresh_store, estate, chance, number + 1))
