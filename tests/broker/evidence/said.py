"""Bodies, a clock and checks for the tests of evidence."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from custody.broker.evidence.epochs import epoch_files
from custody.model.broker_terms import Decision, Intent, Proof, Verdict
from custody.model.brokered import FORMAT, NO_LINE, Entry, Refused, Request, Service, digest_of, line

START = 1_795_341_600_000_000
H = "0" * 64


class Clock:
    """Starts at a moment and goes on by a millisecond with every look."""

    def __init__(self, now: int = START) -> None:
        self._now = now

    def now(self) -> int:
        self._now += 1000
        return self._now


def service(number: int) -> Service:
    return Service(what="started", version="0.1.0", fields={"number": str(number)})


def request(number: int) -> Request:
    proof = Proof(
        method="oidc",
        issuer="https://issuer.test",
        subject="repo:org/app",
        workload="oidc_subject:issuer.test:repo:org/app",
        digest=H,
        key="k",
        trust=H,
        expires="2026-11-22T11:00:00Z",
        claims={"b": "2", "a": "1"},
    )
    decision = Decision(verdict=Verdict.ALLOW, engine="test", policy_set=H, schema=H, entities=H, request=H)
    return Request(request=f"rq-{number:026d}", digest=H, proof=proof, intent=Intent(backend="jwt"), decision=decision)


def refused(text: str) -> Refused:
    return Refused(reason="token-expired", detail=text)


def check_chain(entries: Iterable[Entry], *, first: int = 1, prev: str = NO_LINE) -> int:
    """Every entry follows from the one before; gives how many."""
    seq = first - 1
    for entry in entries:
        seq += 1
        assert (entry.custody, entry.seq, entry.prev) == (FORMAT, seq, prev)
        prev = digest_of(line(entry))
    return seq - first + 1


def journal_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in epoch_files(folder))
