"""How fast the broker decides, seals, issues and hands over: ``make bench-broker``.

One broker process (`custody serve`, SQLite, an OIDC issuer's keys in a file, ten policies, the JWT backend) and one
process of clients on this machine, over loopback HTTP with kept connections. Every answer counts from the first byte
sent to the last received. Beside it the same broker with evidence that is kept in memory alone: what durability costs.
Where the laboratory's Vault is there, also its token creation with a file audit device (``bench/vault.py`` says what
differs), once with its storage in memory and once with its integrated storage.

Two ways of load: *closed* (each client asks again as soon as it is answered: the most it can do) and *open* (requests
at a steady rate, whatever the answers do: what a caller waits then, its own queue included).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

import vault

PORT = 18440
GOALS = {"closed": "1,500 durable issuances/s", "open 500/s": "p99 under 10 ms"}


def main() -> None:
    """Run it and print one table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=8.0)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args()
    rows = []
    for evidence in ("journal", "memory"):
        with tempfile.TemporaryDirectory() as folder:
            rows += measured(Path(folder), evidence, given.seconds)
    rows += beside(given.seconds)
    print(json.dumps(rows, indent=1) if given.json else table(rows))


def measured(folder: Path, evidence: str, seconds: float) -> list[dict[str, object]]:
    """One broker and every load."""
    process = started(folder, evidence)
    try:
        asyncio.run(ready())
        return loaded(evidence, process.pid, PORT, request(folder), (500, 1000), seconds)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()


def beside(seconds: float) -> list[dict[str, object]]:
    """Vault under the same loads; none, and why on stderr, where it is not there."""
    program = vault.program()
    if isinstance(program, str):
        print(f"no comparison with Vault: {program}", file=sys.stderr)
        return []
    rows = []
    for storage in vault.STORAGES:
        with tempfile.TemporaryDirectory() as folder, vault.serving(program, Path(folder), storage) as server:
            rows += loaded(f"vault {storage}", *server, (500,), seconds)
    return rows


def loaded(
    name: str, process: int, port: int, body: bytes, rates: tuple[int, ...], seconds: float
) -> list[dict[str, object]]:
    """A server under every load, warmed."""
    asyncio.run(closed(port, body, 16, min(2.0, seconds)))
    before = cpu_seconds(process)
    loads = [(f"closed, {clients}", closed(port, body, clients, seconds)) for clients in (1, 16, 64)]
    loads += [(f"open, {rate}/s", opened(port, body, rate, seconds)) for rate in rates]
    rows = [{"evidence": name, "load": load, **asyncio.run(work)} for load, work in loads]
    cpu = cpu_seconds(process) - before
    issued = sum(int(str(row["requests"])) for row in rows)
    for row in rows:
        row["cpu_us"] = round(cpu / max(issued, 1) * 1e6)
    return rows


def started(folder: Path, evidence: str) -> subprocess.Popen[bytes]:
    """A broker on its own folder."""
    log = (folder / "broker.log").open("wb")
    command = [sys.executable, str(Path(__file__).with_name("broker_server.py")), str(folder), str(PORT), evidence]
    return subprocess.Popen(command, stdout=log, stderr=log)


def request(folder: Path) -> bytes:
    """The bytes of one request, head and body."""
    form = urlencode(
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": (folder / "identity.token").read_text(),
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "backend": "tokens",
            "audience": "reports",
            "scope": "reports:read",
            "purpose": "nightly report",
        }
    ).encode()
    head = (
        f"POST /token HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n\r\n"
    )
    return head.encode() + form


class Client:
    """One kept connection."""

    async def open(self, port: int = PORT) -> Client:
        """Connect."""
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        return self

    async def ask(self, body: bytes) -> int:
        """Send, read the whole answer, and give its status."""
        self.writer.write(body)
        head = await self.reader.readuntil(b"\r\n\r\n")
        low = head.lower()
        length = int(low.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        await self.reader.readexactly(length)
        return int(head[9:12])


async def ready() -> None:
    """Wait until it issues."""
    for _ in range(400):
        try:
            client = await Client().open()
            if await client.ask(f"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\n\r\n".encode()) == 200:
                client.writer.close()
                return
            client.writer.close()
        except OSError:
            pass
        await asyncio.sleep(0.1)
    raise SystemExit("the broker did not come up: see its log")


async def closed(port: int, body: bytes, clients: int, seconds: float) -> dict[str, object]:
    """Every client as fast as it is answered."""
    end = time.perf_counter() + seconds
    took: list[float] = []
    failed = 0

    async def one() -> None:
        nonlocal failed
        client = await Client().open(port)
        while (start := time.perf_counter()) < end:
            status = await client.ask(body)
            took.append(time.perf_counter() - start)
            failed += status != 200
        client.writer.close()

    begun = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(clients)))
    return figures(took, failed, time.perf_counter() - begun)


async def opened(port: int, body: bytes, rate: int, seconds: float) -> dict[str, object]:
    """Requests at a steady rate over 64 connections; a request that waits for a connection waits already."""
    free: asyncio.Queue[Client] = asyncio.Queue()
    for _ in range(64):
        free.put_nowait(await Client().open(port))
    took: list[float] = []
    failed = 0

    async def one(due: float) -> None:
        nonlocal failed
        client = await free.get()
        failed += await client.ask(body) != 200
        took.append(time.perf_counter() - due)
        free.put_nowait(client)

    begun = time.perf_counter()
    tasks = []
    for number in range(int(rate * seconds)):
        due = begun + number / rate
        pause = due - time.perf_counter()
        if pause > 0:
            await asyncio.sleep(pause)
        tasks.append(asyncio.ensure_future(one(due)))
    await asyncio.gather(*tasks)
    while not free.empty():
        free.get_nowait().writer.close()
    return figures(took, failed, time.perf_counter() - begun)


def figures(took: list[float], failed: int, seconds: float) -> dict[str, object]:
    """Requests a second, and what callers waited, in milliseconds."""
    took.sort()
    at = lambda part: round(took[min(len(took) - 1, int(len(took) * part))] * 1000, 2)  # noqa: E731
    return {
        "requests": len(took),
        "failed": failed,
        "per_second": round(len(took) / seconds),
        "p50_ms": at(0.5),
        "p99_ms": at(0.99),
        "max_ms": at(1.0),
    }


def cpu_seconds(process: int) -> float:
    """What the broker and the process that seals for it used of the processors."""
    total = 0.0
    for each in [process, *children(process)]:
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def children(process: int) -> list[int]:
    """Its children."""
    found = Path(f"/proc/{process}/task").glob("*/children")
    return [int(each) for path in found for each in path.read_text().split()]


def table(rows: list[dict[str, object]]) -> str:
    """For people."""
    columns = ("evidence", "load", "per_second", "p50_ms", "p99_ms", "max_ms", "failed", "cpu_us")
    lines = ["  ".join(f"{name:>11}" for name in columns)]
    lines += ["  ".join(f"{row[name]!s:>11}" for name in columns) for row in rows]
    lines += ["", "cpu_us: of the server (the broker with the process that seals), over all its loads"]
    lines += [f"goal, {load}: {goal}" for load, goal in GOALS.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
