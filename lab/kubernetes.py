"""A Kubernetes control plane of two processes, etcd and kube-apiserver, with an audit log (audit.k8s.io/v1).

There is no kubelet, scheduler or controller: pods stay pending, tokens are asked for by the script, certificates are
signed by hand. The audit policy keeps requests and responses for what issues, checks and ends credentials.
"""

import base64
import json
from pathlib import Path

from lab import web
from lab.certificates import Authority, Certificate, private_pem, public_pem
from lab.processes import LOOPBACK, Child, NotReady, answers, free_port

ISSUER = "https://kubernetes.default.svc"
POLICY: web.Json = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "users": ["system:apiserver"]},
        {"level": "None", "nonResourceURLs": ["/livez*", "/readyz*", "/healthz*", "/version", "/openapi*", "/apis*"]},
        {
            "level": "RequestResponse",
            "omitManagedFields": True,
            "resources": [
                {"group": "", "resources": ["serviceaccounts/token", "pods", "serviceaccounts"]},
                {"group": "authentication.k8s.io", "resources": ["tokenreviews"]},
                {
                    "group": "certificates.k8s.io",
                    "resources": [
                        "certificatesigningrequests",
                        "certificatesigningrequests/approval",
                        "certificatesigningrequests/status",
                    ],
                },
            ],
        },
        {"level": "Metadata"},
    ],
}


class Kubernetes:
    """One cluster. ``administrator`` is a client certificate in system:masters.

    Its issuer of tokens is a name that nobody can ask; with ``discovery`` it is the server's own address, so that
    others find its keys (OpenID Connect Discovery 1.0).
    """

    def __init__(self, etcd: Path, apiserver: Path, folder: Path, *, discovery: bool = False) -> None:
        self.etcd = etcd
        self.apiserver = apiserver
        self.folder = folder
        self.port = free_port()
        self.issuer = f"https://{LOOPBACK}:{self.port}" if discovery else ISSUER
        self.authority = Authority(folder / "pki")
        self.administrator = self.authority.issue("laboratory-admin", groups=("system:masters",))
        self._children: list[Child] = []

    @property
    def version(self) -> str:
        """The version as the server says it."""
        return self.as_certificate(self.administrator, "GET", "/version").text("gitVersion")

    def start(self) -> None:
        """Start both and wait until the server is ready and its built-in roles are there."""
        etcd_port = self._start_etcd()
        command = [str(self.apiserver), *self._flags(etcd_port)]
        child = Child(command, self.folder / "apiserver.log")
        self._children.append(child)
        child.wait_until(lambda: answers(self.port) and self._ready(), "kube-apiserver")

    def _ready(self) -> bool:
        return self.as_certificate(self.administrator, "GET", "/readyz").status == 200

    def _start_etcd(self) -> int:
        port, peer = free_port(), free_port()
        client, between = f"http://{LOOPBACK}:{port}", f"http://{LOOPBACK}:{peer}"
        flags = [
            f"--data-dir={self.folder / 'etcd'}", f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
            f"--listen-peer-urls={between}", f"--initial-advertise-peer-urls={between}",
            f"--initial-cluster=default={between}", "--unsafe-no-fsync",
        ]  # fmt: skip
        child = Child([str(self.etcd), *flags], self.folder / "etcd.log")
        self._children.append(child)
        child.wait_until(lambda: answers(port), "etcd")
        return port

    def _flags(self, etcd_port: int) -> list[str]:
        server = self.authority.issue("kube-apiserver")
        accounts = self.authority.issue("service-accounts")
        signing, checking = self.folder / "accounts.key", self.folder / "accounts.pub"
        signing.write_bytes(private_pem(accounts.key))
        checking.write_bytes(public_pem(accounts.key.public_key()))
        policy = self.folder / "audit-policy.json"
        policy.write_text(json.dumps(POLICY))
        return [
            f"--etcd-servers=http://{LOOPBACK}:{etcd_port}", f"--secure-port={self.port}",
            f"--bind-address={LOOPBACK}", f"--advertise-address={LOOPBACK}", f"--tls-cert-file={server.file}",
            f"--tls-private-key-file={server.key_file}", f"--client-ca-file={self.authority.own.file}",
            f"--service-account-issuer={self.issuer}", f"--service-account-signing-key-file={signing}",
            f"--service-account-key-file={checking}", "--authorization-mode=RBAC",
            "--service-cluster-ip-range=192.0.2.0/24", f"--audit-policy-file={policy}",
            f"--audit-log-path={self.logs['kubernetes-audit']}", "--audit-log-mode=blocking-strict",
            "--endpoint-reconciler-type=none",
        ]  # fmt: skip

    def as_certificate(
        self, who: Certificate, method: str, path: str, body: web.Json | None = None, **headers: str
    ) -> web.Answer:
        """One request with a client certificate."""
        context = self.authority.client_context(who)
        sent = {"User-Agent": "laboratory", **{name.replace("_", "-"): value for name, value in headers.items()}}
        return web.call(self.port, method, path, body, headers=sent, tls=context)

    def as_token(self, token: str, method: str, path: str, body: web.Json | None = None) -> web.Answer:
        """One request with a bearer token."""
        sent = {"User-Agent": "laboratory", "Authorization": f"Bearer {token}"}
        return web.call(self.port, method, path, body, headers=sent, tls=self.authority.client_context(None))

    def must(self, method: str, path: str, body: web.Json | None = None) -> web.Answer:
        """One request of the administrator; raises NotReady where the server refuses it."""
        answer = self.as_certificate(self.administrator, method, path, body)
        if answer.status >= 400:
            raise NotReady(f"{method} {path}: {answer.status} {answer.at('message')}")
        return answer

    def stop(self) -> None:
        """End both, the server first."""
        for child in reversed(self._children):
            child.stop()

    @property
    def logs(self) -> dict[str, Path]:
        """The audit log."""
        return {"kubernetes-audit": self.folder / "audit.log"}


def claims(token: str) -> web.Json:
    """The claims of a JSON Web Token, unverified."""
    body = token.split(".")[1]
    decoded: web.Json = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return decoded
