"""Tokens that are bound to the client certificate with which their holder proved itself (RFC 8705 section 3.1)."""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from custody.broker.asking import Asking
from custody.broker.issuing import go, task
from custody.broker.proof.presenting import confirm
from custody.broker.proof.prover import Presented
from custody.errors import IdentityRefused
from custody.model.broker_terms import Proof
from tests.broker.backends import rigs
from tests.broker.trial import Trial, played, wants

CERTIFICATE = b"a certificate in DER"
DIGEST = sha256(CERTIFICATE).hexdigest()
THUMBPRINT = base64.urlsafe_b64encode(sha256(CERTIFICATE).digest()).rstrip(b"=").decode()


@pytest.mark.parametrize(("certificate", "cnf"), [(None, None), (DIGEST, {"x5t#S256": THUMBPRINT})])
def test_a_token_says_which_certificate_it_is_bound_to_and_is_else_a_bearers(
    tmp_path: Path, certificate: str | None, cnf: object
) -> None:
    with rigs.jwt(tmp_path / "keys") as rig:
        order = rig.order()
        _, _, made = rig.issued(msgspec.structs.replace(order, certificate=certificate))
    payload = made.secrets["access_token"].reveal().split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims.get("cnf") == cnf
    confirm(claims, Presented(token=b"t", certificate=(CERTIFICATE,)), "test")
    if certificate is not None:
        with pytest.raises(IdentityRefused):
            confirm(claims, Presented(token=b"t", certificate=(b"another",)), "test")


@pytest.mark.parametrize(("method", "expected"), [("spiffe-x509", DIGEST), ("oidc", None), ("spiffe-jwt", None)])
def test_only_who_proved_itself_by_a_certificate_is_bound_to_it(method: str, expected: str | None) -> None:
    trial = Trial()
    proof = Proof(
        method=method, issuer="example.org", subject="spiffe://example.org/a", workload="oidc_subject:example.org:a",
        digest=DIGEST, key="key", trust="7" * 64, expires="2026-11-22T13:00:00Z",
    )  # fmt: skip
    registered = trial.book.find(proof)
    assert registered is not None
    asking = Asking(subject=proof, holder=proof, registered=registered)
    handed = played(trial, lambda broker: go(broker.running, task(broker.running, asking, wants())))
    assert trial.memory.made[handed.chain].order.certificate == expected
