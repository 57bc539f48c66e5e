"""The whole route: a pod's token → Vault's Kubernetes login → a database role → a session, and the ends of each.

Vault has the token reviewed by the cluster with a reviewer's token, so the cluster's audit log holds the credential
id that was presented, and Vault's does not. The pod ends first: for ten seconds the cluster still takes its token, and
Vault makes a new token of it; what was made before and then lives on.
"""

import time
from pathlib import Path

from lab import cluster, parts, web
from lab.actors import Scene, TokenHolder

NAME = "kubernetes_vault_postgresql"
NEEDS = ("etcd", "kube-apiserver", "kubernetes-plugin", "vault", "postgresql")
AUDIENCE = "vault"
MEMORY = 11.0
"""Seconds after which the cluster has forgotten that it accepted a token."""


def play(folder: Path, found: parts.Found) -> None:
    """Play the scene in ``folder``; raises RuntimeError or LookupError where a server does other than told."""
    with cluster.running(folder, found) as kubernetes, parts.vault_and_database(NAME, folder, found) as scene:
        scene.truth.servers |= {"kube-apiserver": kubernetes.version, "etcd": found["etcd"].product}
        parts.set_up_database(scene.vault.must)
        scene.root()
        actors = cluster.Actors(kubernetes, scene.truth)
        administrator = actors.certificate(kubernetes.administrator, "administrator's certificate")
        cluster.prepare(administrator)
        reviewer = actors.token(administrator, "reviewer", "reviewer's token")
        _trust(scene, kubernetes.port, kubernetes.authority.own.file.read_text(), reviewer)
        pods = [cluster.pod(administrator, f"shop-{number}") for number in (1, 2)]
        routes = [_route(scene, actors, administrator, pod) for pod in pods]
        _end_of_pod(scene, administrator, pods[0], *routes[0])
        reviewer.credential.uses += sum(one.what.startswith("workload's login") for one in scene.truth.credentials) + 1
        scene.revoke_own(routes[1][1])
    parts.keep(folder, kubernetes.logs)


def _trust(scene: Scene, port: int, authority: str, reviewer: cluster.Holder) -> None:
    must = scene.vault.must
    scene.vault.register("auth", "kubernetes", "vault-plugin-auth-kubernetes")
    must("POST", "sys/auth/kubernetes", {"type": "kubernetes"})
    trusted: web.Json = {
        "kubernetes_host": f"https://127.0.0.1:{port}",
        "kubernetes_ca_cert": authority,
        "token_reviewer_jwt": reviewer.token,
        "disable_local_ca_jwt": True,
    }
    must("POST", "auth/kubernetes/config", trusted)
    role: web.Json = {
        "bound_service_account_names": "shop",
        "bound_service_account_namespaces": "shop",
        "audience": AUDIENCE,
        "token_policies": "app",
        "token_ttl": "20m",
    }
    must("POST", "auth/kubernetes/role/shop", role)


def _route(
    scene: Scene, actors: cluster.Actors, administrator: cluster.Holder, pod: cluster.Pod
) -> tuple[cluster.Holder, TokenHolder]:
    bound = actors.token(administrator, "shop", "pod-bound token", pod=pod, audience=AUDIENCE)
    shop = _log_in(scene, bound, pod, "workload's login")
    role = scene.borrow(shop, "app")
    session = role.connect(pod.name)
    role.run(session, "INSERT INTO orders(item) VALUES ('lamp')", "SELECT count(*) FROM orders")
    session.close()
    return bound, shop


def _log_in(scene: Scene, bound: cluster.Holder, pod: cluster.Pod, what: str) -> TokenHolder:
    body: web.Json = {"role": "shop", "jwt": bound.token}
    scene.also_named(bound.credential, "vault_input", bound.token)
    return scene.login("auth/kubernetes/login", body, what, "shop/shop", run=pod.key, parent=bound.credential)


def _end_of_pod(
    scene: Scene, administrator: cluster.Holder, pod: cluster.Pod, bound: cluster.Holder, shop: TokenHolder
) -> None:
    """The pod is deleted; its token still makes a token, then no more; the earlier one goes on handing out roles."""
    administrator.must("DELETE", f"{cluster.NAMESPACE}/pods/{pod.name}", {"gracePeriodSeconds": 0})
    scene.truth.end(bound.credential, "object deleted")
    _log_in(scene, bound, pod, "workload's login after the end of its pod")
    bound.credential.survives = True
    time.sleep(MEMORY)
    late = scene.vault.call("", "POST", "auth/kubernetes/login", {"role": "shop", "jwt": bound.token})
    bound.credential.refused += late.status >= 400
    role = scene.borrow(shop, "app")
    role.connect("after-the-pod").close()
    scene.truth.notes.append(
        f"login {MEMORY:.0f} s after the end of the pod: {late.status}; at once after it: accepted"
    )
    scene.truth.notes.append("the tokens of Vault outlive the pod: nothing ends them before their time")
