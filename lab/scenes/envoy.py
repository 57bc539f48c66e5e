"""A workload shows its certificate to a gateway, has it renewed, shows the new one; others are turned away.

The certificates have the form of X509-SVIDs (a SPIFFE id as their only name); the laboratory's authority signs them,
because no SPIRE server could be had.
"""

from datetime import timedelta
from pathlib import Path

from lab import parts
from lab.certificates import Authority, Certificate
from lab.envoy import Envoy
from lab.truth import Credential, Truth, now

NAME = "envoy"
NEEDS = ("envoy",)
SHOP = "spiffe://example.org/shop"
OTHER = "spiffe://example.org/other"


def play(folder: Path, found: parts.Found) -> None:
    """Play the scene in ``folder``; raises NotReady where Envoy does not start."""
    envoy = Envoy(found["envoy"].path, folder / "envoy", allowed=SHOP)
    truth = Truth(scene=NAME, servers={"envoy": envoy.version}, started=now())
    try:
        envoy.start()
        for number in (1, 2):
            shop = envoy.authority.issue(f"shop-{number}", uri=SHOP, life=timedelta(minutes=10))
            _show(envoy, truth, shop, SHOP, ("/orders", "/orders/1"))
        _show(envoy, truth, envoy.authority.issue("other", uri=OTHER), OTHER, ("/orders",))
        truth.notes.append("the next certificate only claims the SPIFFE id: its issuer is not trusted")
        stranger = Authority(folder / "stranger", "stranger").issue("shop", uri=SHOP)
        _show(envoy, truth, stranger, SHOP, ("/orders",))
        truth.notes.append(f"without a certificate: {envoy.call('/orders', None)}")
    finally:
        envoy.stop()
    parts.keep(folder, envoy.logs)
    truth.write(folder)


def _show(envoy: Envoy, truth: Truth, certificate: Certificate, identity: str, paths: tuple[str, ...]) -> None:
    credential = Credential(
        key=f"x509_sha256:x509:{certificate.sha256}",
        what="certificate with a SPIFFE id",
        holder=identity,
        not_after=certificate.certificate.not_valid_after_utc.isoformat(),
        aliases=[f"x509_serial:{_issuer(certificate)}:{certificate.serial}"],
    )
    truth.issue(credential)
    for path in paths:
        answer = envoy.call(path, certificate)
        if answer is not None and answer.status == 200:
            credential.uses += 1
        else:
            credential.refused += 1


def _issuer(certificate: Certificate) -> str:
    return certificate.certificate.issuer.rfc4514_string().removeprefix("CN=")
