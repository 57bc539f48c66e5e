"""Service account tokens bound to a pod, a token asked for with a token, a review, a signed certificate, and ends."""

import base64
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lab import cluster, parts, web
from lab.certificates import Certificate
from lab.truth import Link, Truth, now

NAME = "kubernetes"
NEEDS = ("etcd", "kube-apiserver")
REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"


def play(folder: Path, found: parts.Found) -> None:
    """Play the scene in ``folder``; raises RuntimeError or LookupError where a server does other than told."""
    with cluster.running(folder, found) as kubernetes:
        versions = {"kube-apiserver": kubernetes.version, "etcd": found["etcd"].product}
        truth = Truth(scene=NAME, servers=versions, started=now())
        actors = cluster.Actors(kubernetes, truth)
        administrator = actors.certificate(kubernetes.administrator, "administrator's certificate")
        cluster.prepare(administrator)
        pod = cluster.pod(administrator, "shop-1")
        shop = actors.token(administrator, "shop", "pod-bound token", pod=pod)
        reviewer = actors.token(administrator, "reviewer", "reviewer's token")
        _use(shop)
        batch = actors.token(shop, "batch", "token asked for with a token")
        batch.call("GET", f"{cluster.NAMESPACE}/pods")
        cluster.review(reviewer, shop)
        administrator.call("GET", f"{cluster.NAMESPACE}/pods", Impersonate_User="person@example.org")
        _end_of_pod(administrator, shop, reviewer, pod, truth)
        _end_of_account(administrator, batch, truth)
        _signed_certificate(actors, administrator)
    parts.keep(folder, kubernetes.logs)
    truth.write(folder)


def _use(shop: cluster.Holder) -> None:
    shop.call("GET", f"{cluster.NAMESPACE}/pods")
    shop.call("GET", f"{cluster.NAMESPACE}/secrets")


def _end_of_pod(
    administrator: cluster.Holder, shop: cluster.Holder, reviewer: cluster.Holder, pod: cluster.Pod, truth: Truth
) -> None:
    administrator.call("DELETE", f"{cluster.NAMESPACE}/pods/{pod.name}", {"gracePeriodSeconds": 0})
    truth.end(shop.credential, "object deleted")
    truth.links.append(Link("end", pod.key, shop.credential.key))
    cluster.until_refused(shop, truth)
    cluster.review(reviewer, shop)


def _end_of_account(administrator: cluster.Holder, batch: cluster.Holder, truth: Truth) -> None:
    administrator.call("DELETE", f"{cluster.NAMESPACE}/serviceaccounts/batch")
    truth.end(batch.credential, "object deleted")
    cluster.until_refused(batch, truth)


def _signed_certificate(actors: cluster.Actors, administrator: cluster.Holder) -> None:
    """A request, its approval and its certificate; the signature is the script's, in the place of a controller's."""
    key = ec.generate_private_key(ec.SECP256R1())
    administrator.must("POST", REQUESTS, _request(key))
    asked = administrator.must("GET", f"{REQUESTS}/deployer").body
    condition: web.Json = {"type": "Approved", "status": "True", "reason": "OPS-18", "message": "asked for by shop"}
    asked["status"] = {"conditions": [condition]}
    approved = administrator.must("PUT", f"{REQUESTS}/deployer/approval", asked).body
    signed = actors.kubernetes.authority.sign("deployer", key.public_key(), ("shop",), "", timedelta(hours=1))
    certificate = Certificate(actors.kubernetes.folder / "pki", "deployer", signed, key)
    pem = base64.b64encode(certificate.file.read_bytes()).decode()
    approved["status"] = {"conditions": [condition], "certificate": pem}
    administrator.must("PUT", f"{REQUESTS}/deployer/status", approved)
    deployer = actors.certificate(certificate, "signed certificate", parent=administrator)
    deployer.call("GET", f"{cluster.NAMESPACE}/pods")


def _request(key: ec.EllipticCurvePrivateKey) -> web.Json:
    name = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "shop"), x509.NameAttribute(NameOID.COMMON_NAME, "deployer")]
    )
    asked = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    pem = base64.b64encode(asked.public_bytes(serialization.Encoding.PEM)).decode()
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": "deployer"},
        "spec": {
            "request": pem,
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
            "expirationSeconds": 3600,
        },
    }
