"""What scenes do in a Kubernetes cluster: holders of tokens and certificates, pods, reviews, roles."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from lab import parts, web
from lab.certificates import Certificate
from lab.kubernetes import Kubernetes, claims
from lab.truth import Credential, Link, Truth

NAMESPACE = "/api/v1/namespaces/shop"
ROLES = "/apis/rbac.authorization.k8s.io/v1"
AUTHENTICATOR_MEMORY = 30.0
"""Seconds that the script waits for a dead token to be refused; the server remembers accepted tokens for ten."""


class Pod(msgspec.Struct, frozen=True):
    """A pod by name and uid."""

    name: str
    uid: str

    @property
    def key(self) -> str:
        """As custody names it."""
        return f"k8s_pod:k8s:{self.uid}"


class Holder:
    """Someone with a credential of the cluster; every accepted request is a use of it."""

    def __init__(self, credential: Credential, request: Callable[..., web.Answer], token: str = "") -> None:
        self.credential = credential
        self.token = token
        self._request = request

    def call(self, method: str, path: str, body: web.Json | None = None, **headers: str) -> web.Answer:
        """One request, counted as a use or as a refusal."""
        answer = self._request(method, path, body, **headers)
        if answer.status < 400:
            self.credential.uses += 1
        else:
            self.credential.refused += 1
        return answer

    def must(self, method: str, path: str, body: web.Json | None = None) -> web.Answer:
        """One request; raises RuntimeError where the server refuses it."""
        answer = self.call(method, path, body)
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.at('message')}")
        return answer


class Actors:
    """Makes holders and enters their credentials in the truth."""

    def __init__(self, kubernetes: Kubernetes, truth: Truth) -> None:
        self.kubernetes = kubernetes
        self.truth = truth

    def certificate(self, certificate: Certificate, what: str, parent: Holder | None = None) -> Holder:
        """The holder of a client certificate."""
        credential = Credential(
            key=f"k8s_cred:-:X509SHA256={certificate.sha256}",
            what=what,
            parent=None if parent is None else parent.credential.key,
            holder=certificate.file.stem,
            aliases=[f"x509_sha256:x509:{certificate.sha256}"],
        )
        self.truth.issue(credential)
        return Holder(credential, lambda *a, **h: self.kubernetes.as_certificate(certificate, *a, **h))

    def token(self, by: Holder, account: str, what: str, pod: Pod | None = None, audience: str = "") -> Holder:
        """The holder of a service account token that ``by`` asks for; raises RuntimeError where it is refused."""
        wanted: web.Json = {"expirationSeconds": 600}
        if pod is not None:
            wanted["boundObjectRef"] = {"kind": "Pod", "apiVersion": "v1", "name": pod.name, "uid": pod.uid}
        if audience:
            wanted["audiences"] = [audience]
        body: web.Json = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": wanted}
        answer = by.must("POST", f"{NAMESPACE}/serviceaccounts/{account}/token", body)
        token = answer.text("status", "token")
        credential = Credential(
            key=f"k8s_cred:-:JTI={claims(token)['jti']}",
            what=what,
            parent=by.credential.key,
            holder=f"shop/{account}",
            run=None if pod is None else pod.key,
            not_after=answer.text("status", "expirationTimestamp"),
        )
        self.truth.issue(credential)
        if pod is not None:
            self.truth.links.append(Link("binding", pod.key, credential.key))
        return Holder(credential, lambda *a: self.kubernetes.as_token(token, *a), token)


@contextmanager
def running(folder: Path, found: parts.Found, *, discovery: bool = False) -> Iterator[Kubernetes]:
    """A cluster for as long as the block lasts; with ``discovery`` others can ask it for its keys."""
    folder = folder / "kubernetes"
    folder.mkdir(parents=True, exist_ok=True)
    kubernetes = Kubernetes(found["etcd"].path, found["kube-apiserver"].path, folder, discovery=discovery)
    try:
        kubernetes.start()
        yield kubernetes
    finally:
        kubernetes.stop()


def prepare(administrator: Holder) -> None:
    """A namespace, three service accounts, what ``shop`` may do, and the right to review for ``reviewer``."""
    administrator.must("POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}})
    for account in ("shop", "batch", "reviewer"):
        administrator.must("POST", f"{NAMESPACE}/serviceaccounts", {"metadata": {"name": account}})
    rules = [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["serviceaccounts/token"], "resourceNames": ["batch"], "verbs": ["create"]},
    ]
    administrator.must("POST", f"{ROLES}/namespaces/shop/roles", {"metadata": {"name": "shop"}, "rules": rules})
    subjects = [_subject("shop"), _subject("batch")]
    _bind(administrator, f"{ROLES}/namespaces/shop/rolebindings", "shop", "Role", subjects)
    _bind(administrator, f"{ROLES}/clusterrolebindings", "system:auth-delegator", "ClusterRole", [_subject("reviewer")])


def _subject(account: str) -> web.Json:
    return {"kind": "ServiceAccount", "name": account, "namespace": "shop"}


def _bind(administrator: Holder, path: str, role: str, kind: str, subjects: list[web.Json]) -> None:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}
    name = role.replace(":", "-") + "-of-shop"
    administrator.must("POST", path, {"metadata": {"name": name}, "roleRef": reference, "subjects": subjects})


def pod(administrator: Holder, name: str, account: str = "shop") -> Pod:
    """A pod that no node runs; it exists, so tokens can be bound to it."""
    container = {"name": "shop", "image": "registry.example.org/shop:1"}
    spec = {"serviceAccountName": account, "automountServiceAccountToken": False, "containers": [container]}
    answer = administrator.must("POST", f"{NAMESPACE}/pods", {"metadata": {"name": name}, "spec": spec})
    return Pod(name, answer.text("metadata", "uid"))


def review(reviewer: Holder, presented: Holder) -> bool:
    """Have a token reviewed, as a verifier outside the cluster does; gives whether it was good."""
    spec: web.Json = {"token": presented.token}
    body: web.Json = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
    answer = reviewer.must("POST", "/apis/authentication.k8s.io/v1/tokenreviews", body)
    good = answer.at("status", "authenticated") is True
    if good:
        presented.credential.uses += 1
    else:
        presented.credential.refused += 1
    return good


def until_refused(holder: Holder, truth: Truth) -> None:
    """Use a dead credential until the server refuses it, and note for how long it still worked."""
    start = time.monotonic()
    while holder.call("GET", f"{NAMESPACE}/pods").status != 401:
        holder.credential.survives = True
        if time.monotonic() - start > AUTHENTICATOR_MEMORY:
            truth.notes.append(f"{holder.credential.key} was still accepted after {AUTHENTICATOR_MEMORY:.0f} s")
            return
        time.sleep(1)
    truth.notes.append(f"{holder.credential.key} was refused {time.monotonic() - start:.1f} s after its end")
