"""Puts the service of approvals together from the broker file, and runs it under uvicorn."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import uvicorn
from litestar import Litestar

from custody.broker.approvals.webhooks import Secret
from custody.broker.proof.building import person_prover
from custody.broker.proof.fetching import guarded
from custody.errors import UsageError
from custody.pipeline.approving.desk import ApprovalDesk
from custody.pipeline.audit import whoami
from custody.serve.approving.app import build
from custody.serve.approving.parts import ApprovalParts
from custody.serve.approving.people import SignedInPeople
from custody.settings.broker_file import BrokerFile, Webhook
from custody.settings.catalog import Settings

KEEP_ALIVE, DRAIN, MOST = 10, 10, 64
"""Seconds that an idle connection is kept and that requests have to end, and connections at once."""
MAX_SECRET = 1024


class SystemClock:
    """The time of this machine."""

    def now(self) -> int:
        """Microseconds since 1970-01-01T00:00:00Z."""
        return time.time_ns() // 1000


def application(settings: Settings, file: BrokerFile, environment: Mapping[str, str]) -> Litestar:
    """The application for a store and a broker file. UsageError where a part of the file cannot be used."""
    clock = SystemClock()
    prover = person_prover(file, lambda private, authority: guarded(private=private, authority=authority))
    desk = ApprovalDesk(
        settings.store,
        settings.approval_keys,
        clock.now,
        by=whoami(),
        groups=file.approvals.groups,
        broker=file.broker,
    )
    return build(
        ApprovalParts(
            desk=desk,
            clock=clock,
            sign_in=None if prover is None else SignedInPeople(prover),
            webhooks={each.name: _secret(each, file, environment) for each in file.approvals.webhooks},
        )
    )


def serve(settings: Settings, file: BrokerFile, environment: Mapping[str, str]) -> None:
    """Serve until a signal. UsageError where a part of the file cannot be used."""
    host, port = address_of(file)
    if file.tls is None and host not in ("127.0.0.1", "::1", "localhost"):
        raise UsageError(
            "approvals would go over the network in the clear",
            where="approvals.address",
            found=file.approvals.address,
            expected="an address of this machine, or a certificate in [tls]",
        )
    uvicorn.run(
        application(settings, file, environment),
        host=host,
        port=port,
        ssl_certfile=None if file.tls is None else str(file.path(file.tls.certificate)),
        ssl_keyfile=None if file.tls is None else str(file.path(file.tls.key)),
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=DRAIN,
        limit_concurrency=MOST,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_level="warning",
    )


def address_of(file: BrokerFile) -> tuple[str, int]:
    """Host and port to listen on. UsageError where the address is none."""
    host, _, port = file.approvals.address.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        found = file.approvals.address
        raise UsageError("not an address", where="approvals.address", found=found, expected="HOST:PORT")
    return host.strip("[]"), int(port)


def _secret(webhook: Webhook, file: BrokerFile, environment: Mapping[str, str]) -> Secret:
    where = f"approvals.webhooks.{webhook.name}"
    return Secret(secret_of(webhook.secret, file, environment, where), where)


def secret_of(reference: str, file: BrokerFile, environment: Mapping[str, str], where: str) -> str:
    """What a reference of the file names: ``env:NAME`` or ``file:PATH``; ``where`` names its place in errors.

    UsageError never shows the reference: it could be the secret itself, written where only its name belongs.
    """
    kind, _, name = reference.partition(":")
    if kind == "env" and name and environment.get(name):
        return environment[name]
    if kind == "file" and name:
        return _read(file.path(name), where)
    raise UsageError("nothing is where the secret should be", where=where, expected="env:NAME or file:PATH")


def _read(path: Path, where: str) -> str:
    try:
        with path.open("rb") as opened:
            return opened.read(MAX_SECRET).decode("ascii").strip()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not text"
        raise UsageError("the secret cannot be read", where=where, found=why) from None
