"""Puts the service of approvals together from the broker file, and runs it on the server of ``serve.server``.

Whoever opens connections and says nothing loses them, and one origin gets a quarter of them at most: nobody keeps an
approver out.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from litestar import Litestar

from custody.broker.approvals.webhooks import Secret
from custody.broker.proof.building import person_prover
from custody.broker.proof.fetching import guarded
from custody.errors import UsageError
from custody.pipeline.approving.desk import ApprovalDesk
from custody.pipeline.audit import whoami
from custody.serve.approving.app import build
from custody.serve.approving.parts import ApprovalParts
from custody.serve.approving.patience import Patient
from custody.serve.approving.people import SignedInPeople
from custody.serve.lines import Journalist, Sink
from custody.serve.server import Listening, run, tls_context
from custody.settings.broker_file import BrokerFile, Webhook
from custody.settings.catalog import Settings

KEEP_ALIVE, DRAIN, MOST = 10, 10, 256
"""Seconds that an idle connection is kept and that requests have to end, and connections at once."""
MAX_SECRET = 1024

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)


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
    """Serve until a signal. UsageError where a part of the file cannot be used, or the address not be listened on."""
    listen = listening(file)
    sink = Sink(sys.stderr.buffer)
    try:
        app = Patient(application(settings, file, environment), file.limits.slow)
        run(app, listen, Journalist(SystemClock(), sink))
    except SystemExit:  # how the server says that the address is not to be had
        found = file.approvals.address
        raise UsageError("the address cannot be listened on", where="approvals.address", found=found) from None
    finally:
        sink.flush()


def listening(file: BrokerFile) -> Listening:
    """Where and how to listen: as ``approvals.address``, ``[tls]`` and ``[limits]`` say.

    UsageError where the address is none, or tokens would go over the network in the clear.
    """
    host, port = address_of(file)
    if file.tls is None and host not in ("127.0.0.1", "::1", "localhost"):
        raise UsageError(
            "approvals would go over the network in the clear",
            where="approvals.address",
            found=file.approvals.address,
            expected="an address of this machine, or a certificate in [tls]",
        )
    return Listening(
        host=host,
        port=port,
        tls=None if file.tls is None else tls_context(file, file.tls),
        limits=file.limits,
        keep_alive=KEEP_ALIVE,
        drain=DRAIN,
        most=MOST,
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

    UsageError names the variable or the file that is missing. What is no reference is never shown: it could be the
    secret itself, written where only its name belongs.
    """
    kind, _, name = reference.partition(":")
    found = ""
    if kind == "env" and _VARIABLE.fullmatch(name):
        if environment.get(name):
            return environment[name]
        found = f"the environment variable {name}, which is {'empty' if name in environment else 'not set'}"
    if kind == "file" and name:
        return _read(file.path(name), where)
    raise UsageError(
        "nothing is where the secret should be", where=where, found=found, expected="env:NAME or file:PATH"
    )


def _read(path: Path, where: str) -> str:
    try:
        with path.open("rb") as opened:
            return opened.read(MAX_SECRET).decode("ascii").strip()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not text"
        raise UsageError("the secret cannot be read", where=where, found=f"{path}: {why}") from None
