"""A custody broker between the cluster and the database: a pod's token → a role that lives for one job → its end.

Told here: a role that is used and given back; one that runs out; one that an operator ends while a session is open;
requests that policy or proof refuse; a token that outlives its pod, because the broker verifies it without asking the
cluster; and a workload that shows an X.509-SVID and gets a signed token. The broker seals its own log in the store that
the comparison audits the other two logs into.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from lab import cluster, parts, web
from lab.actors import DatabaseRole
from lab.broker import AUDIENCE, TRUST_DOMAIN, Broker
from lab.kubernetes import claims
from lab.postgresql import PostgreSQL, Session
from lab.truth import Credential, Link, Truth, now

NAME = "broker"
NEEDS = ("etcd", "kube-apiserver", "postgresql")
DISCOVERY = "system:service-account-issuer-discovery"
PATIENCE = 20.0
"""Seconds that a role gets to end after its time; the broker looks once a second."""

PURPOSE = "orders of a day"
BROKERED = ("bound at issue", "requester known", "decided by which policy", "issuance recorded")
"""What the logs suffice for of everything that the broker issued: who asked proved it, and a policy decided."""


class Acting(msgspec.Struct, frozen=True):
    """The servers of the scene, its truth, and the person who operates the broker."""

    broker: Broker
    database: PostgreSQL
    truth: Truth
    operator: str
    secrets: list[str]
    """What was handed over or shown, to look for afterwards where it must not be."""

    def borrow(self, by: cluster.Holder, pod: cluster.Pod, **wanted: str) -> DatabaseRole:
        """A database role for a pod; LookupError where the broker refuses it."""
        answer = self.broker.ask_with_token(by.token, backend="orders", scope="read", purpose=PURPOSE, **wanted)
        by.credential.uses += 1
        username = answer.text("credential", "username")
        role = Credential(
            key=f"db_role:postgresql:{username}",
            what="database role of the broker",
            parent=by.credential.key,
            holder="shop/shop",
            run=pod.key,
            policy="orders/read",
            not_after=answer.text("custody", "not_after"),
            expected=dict.fromkeys(BROKERED, "proved"),
        )
        self.truth.issue(role)
        self.truth.links.append(Link("binding", pod.key, role.key))
        chain, password = answer.text("custody", "chain"), answer.text("credential", "password")
        self.secrets.extend((password, by.token))
        return DatabaseRole(self, chain, username, password, role)

    def refused(self, by: cluster.Holder, why: str, *, decided: bool, **wanted: str) -> None:
        """A request that has to be refused. Where policies ``decided`` it, the token was taken, though in vain."""
        answer = self.broker.ask_with_token(by.token, backend="orders", **wanted)
        if answer.status < 400:
            raise RuntimeError(f"the broker issued what it had to refuse: {why}")
        by.credential.uses += decided
        by.credential.refused += not decided
        self.truth.notes.append(f"{why}: {answer.status} {answer.at('error')}, {answer.at('reason')}")

    def over(self, role: DatabaseRole, session: Session, how: str) -> None:
        """The role has ended: try its open session and a new one, and note what the server did."""
        self.truth.end(role.credential, how)
        before = role.credential.uses
        errors = role.run(session, "SELECT 1")
        role.credential.survives = role.credential.uses > before
        again = role.connect("after-the-end")
        self.truth.notes.append(f"after {how} of {role.name}: open session {errors}, new session {again.refused!r}")
        again.close()
        session.close()

    def standing(self, role: DatabaseRole) -> str:
        """How the broker says that the role stands."""
        return self.broker.call(self.operator, "GET", f"/leases/{role.lease}").text("standing")

    def must(self, token: str, path: str, body: web.Json | None = None) -> None:
        """One request that has to succeed; raises RuntimeError where it does not."""
        answer = self.broker.call(token, "POST", path, body)
        if answer.status >= 400:
            raise RuntimeError(f"POST {path}: {answer.status} {answer.body}")


def play(folder: Path, found: parts.Found) -> None:
    """Play the scene in ``folder``; raises RuntimeError or LookupError where a server does other than told."""
    with cluster.running(folder, found, discovery=True) as kubernetes, _database(folder, found) as database:
        truth = Truth(scene=NAME, servers={"kube-apiserver": kubernetes.version}, started=now())
        actors = cluster.Actors(kubernetes, truth)
        administrator = actors.certificate(kubernetes.administrator, "administrator's certificate")
        cluster.prepare(administrator)
        _let_discover(administrator)
        broker = Broker(folder, kubernetes, database)
        truth.servers |= {"postgresql": database.version, "broker": broker.version, "etcd": found["etcd"].product}
        try:
            broker.start()
            acting = Acting(broker, database, truth, broker.person("olga", "on-call"), [])
            _used_and_given_back(acting, actors, administrator)
            _runs_out(acting, actors, administrator)
            _end_of_pod(acting, actors, administrator)
            _svid(acting)
        finally:
            broker.stop()
    truth.ended = now()
    parts.keep(folder, {"jsonlog": database.logs["jsonlog"], **kubernetes.logs})
    (folder / "sealed").mkdir()
    (folder / "sealed" / "custody-broker.log").write_bytes(broker.sealed_log())
    _look_for(acting.secrets, folder)
    truth.write(folder)


def _look_for(given: list[str], folder: Path) -> None:
    """RuntimeError where a secret is in what the broker or the database keeps; the cluster's log holds its tokens."""
    kept = [folder / "logs" / "jsonlog.log", folder / "broker" / "serve.log"]
    kept += [path for name in ("sealed", "store", "store-broker") for path in (folder / name).rglob("*")]
    for path in kept:
        raw = path.read_bytes() if path.is_file() else b""
        if any(secret.encode() in raw for secret in given):
            raise RuntimeError(f"a secret that was handed over or shown is in {path}")


@contextmanager
def _database(folder: Path, found: parts.Found) -> Iterator[PostgreSQL]:
    database = PostgreSQL(found["postgresql"].path, folder / "postgresql")
    try:
        database.start()
        yield database
    finally:
        database.stop()


def _let_discover(administrator: cluster.Holder) -> None:
    """Let whoever is not signed in read the issuer's document and keys: the broker is nobody in the cluster."""
    body: web.Json = {
        "metadata": {"name": "discovery-for-all"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": DISCOVERY},
        "subjects": [
            {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:unauthenticated"},
        ],
    }
    administrator.must("POST", f"{cluster.ROLES}/clusterrolebindings", body)


def _token(actors: cluster.Actors, administrator: cluster.Holder, name: str) -> tuple[cluster.Holder, cluster.Pod]:
    pod = cluster.pod(administrator, name)
    return actors.token(administrator, "shop", "pod-bound token", pod=pod, audience=AUDIENCE), pod


def _used_and_given_back(acting: Acting, actors: cluster.Actors, administrator: cluster.Holder) -> None:
    shop, pod = _token(actors, administrator, "shop-1")
    role = acting.borrow(shop, pod)
    session = role.connect("shop-1")
    role.run(session, "SELECT count(*) FROM orders", "INSERT INTO orders(item) VALUES ('lamp')")
    acting.must(shop.token, f"/leases/{role.lease}/complete")
    shop.credential.uses += 1
    acting.truth.notes.append("the token was shown once more, to give the role back: a use of it")
    acting.over(role, session, "revoked")
    acting.refused(shop, "a scope that no policy permits", decided=True, scope="write", purpose=PURPOSE)
    acting.refused(shop, "no purpose", decided=True, scope="read")
    stray = actors.token(administrator, "shop", "token for the cluster itself", pod=pod)
    acting.refused(stray, "a token that is not for the broker", decided=False, scope="read", purpose=PURPOSE)
    stranger = actors.token(administrator, "batch", "token of an account in no register", audience=AUDIENCE)
    acting.refused(stranger, "an account in no register", decided=False, scope="read", purpose=PURPOSE)


def _runs_out(acting: Acting, actors: cluster.Actors, administrator: cluster.Holder) -> None:
    shop, pod = _token(actors, administrator, "shop-2")
    role = acting.borrow(shop, pod, ttl="3")
    session = role.connect("shop-2")
    role.run(session, "SELECT item FROM orders")
    start = time.monotonic()
    while acting.standing(role) != "ended":
        if time.monotonic() - start > PATIENCE:
            raise RuntimeError(f"the role {role.name} did not end within {PATIENCE:.0f} s")
        time.sleep(0.25)
    acting.over(role, session, "expired")


def _end_of_pod(acting: Acting, actors: cluster.Actors, administrator: cluster.Holder) -> None:
    """The pod is deleted. The cluster disowns its token at once; the broker goes on to take it until it expires."""
    shop, pod = _token(actors, administrator, "shop-3")
    early = acting.borrow(shop, pod)
    administrator.must("DELETE", f"{cluster.NAMESPACE}/pods/{pod.name}", {"gracePeriodSeconds": 0})
    acting.truth.end(shop.credential, "object deleted")
    good = _reviewed(administrator, shop)
    late = acting.borrow(shop, pod)
    shop.credential.survives = True
    acting.truth.notes.append(f"after the end of the pod: the cluster takes its token: {good}; the broker does")
    session = late.connect("after-the-pod")
    late.run(session, "SELECT count(*) FROM orders")
    open_still = early.connect("before-the-end")
    for role, opened in ((late, session), (early, open_still)):
        acting.must(acting.operator, f"/leases/{role.lease}/revoke", {"reason": f"{pod.name} is gone"})
        acting.over(role, opened, "revoked")


def _reviewed(administrator: cluster.Holder, shown: cluster.Holder) -> bool:
    """Whether the cluster takes the token for the broker's audience; a refusal is counted as one."""
    spec: web.Json = {"token": shown.token, "audiences": [AUDIENCE]}
    body: web.Json = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
    answer = administrator.must("POST", "/apis/authentication.k8s.io/v1/tokenreviews", body)
    good = answer.at("status", "authenticated") is True
    shown.credential.uses += good
    shown.credential.refused += not good
    return good


def _svid(acting: Acting) -> None:
    """A workload shows its certificate; the signed token that it gets is used nowhere, and ends by its time alone."""
    broker, truth = acting.broker, acting.truth
    shown = broker.workloads.issue("reporter", uri=f"spiffe://{TRUST_DOMAIN}/reporter")
    certificate = Credential(
        key=f"x509_sha256:x509:{shown.sha256}",
        what="X.509-SVID of the laboratory",
        holder=f"spiffe://{TRUST_DOMAIN}/reporter",
        not_after=shown.certificate.not_valid_after_utc.isoformat(),
    )
    truth.issue(certificate)
    answer = broker.ask_with_certificate(shown, backend="tokens", audience="reports", scope="read")
    signed = answer.text("access_token")
    said = claims(signed)
    acting.secrets.append(signed)
    certificate.uses += 1
    issuer = str(said["iss"]).removeprefix("https://").replace(":", "%3A")
    token = Credential(
        key=f"jwt_jti:{issuer}:{said['jti']}",
        what="signed token of the broker",
        parent=certificate.key,
        holder=certificate.holder,
        policy="reports/read",
        not_after=answer.text("custody", "not_after"),
        expected=dict.fromkeys(BROKERED, "proved"),
    )
    truth.issue(token)
    stranger = broker.tls.issue("stranger", uri=f"spiffe://{TRUST_DOMAIN}/reporter")
    try:
        status = str(broker.ask_with_certificate(stranger, backend="tokens", audience="reports", scope="read").status)
    except OSError as error:
        status = f"no connection ({type(error).__name__})"
    truth.notes.append(f"a certificate of another authority with the same SPIFFE id: {status}")
