"""The whole way on generated CloudTrail, next to what others do with the same files on the same machine.

    python bench/whole_way.py [--records 1000000] [--folder DIR] [--keep]

Prints records a second for the whole way, CPU a record by stage, peak memory of all processes together, disk a
record, and the time of a re-audit, of traces and of verify; then the baselines. Figures depend on the machine: quote
the ratios.
"""

from __future__ import annotations

import argparse
import compileall
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import msgspec

import baselines
import generate
import stages


class Watched(msgspec.Struct):
    """What a command cost: seconds of wall and CPU, peak resident memory of its processes together (MiB)."""

    wall: float
    cpu: float
    peak: float
    output: bytes


def main() -> None:
    options = _options()
    compileall.compile_dir(str(Path(__file__).resolve().parents[1] / "src"), quiet=2)
    folder = Path(options.folder or tempfile.mkdtemp(prefix="custody-bench-"))
    logs = folder / f"logs-{options.records}"
    if not logs.exists():
        print(f"generating {options.records:,} records in {logs}")
        generate.generate(logs, records=options.records)
    try:
        _whole_way(folder, logs, options.records)
        _baselines(logs)
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--folder", help="where to work; a temporary folder otherwise")
    parser.add_argument("--keep", action="store_true", help="leave logs and store behind")
    return parser.parse_args()


def _whole_way(folder: Path, logs: Path, records: int) -> None:
    store = folder / "store"
    shutil.rmtree(store, ignore_errors=True)
    options = ["--store", str(store), "--keys", str(folder / "keys")]
    audit = _custody("audit", str(logs), "--json", *options)
    report = msgspec.json.decode(audit.output)
    assert report["understood"] == records, report["understood"]
    print(
        f"\n{'audit':<22}{records / audit.wall:>12,.0f} records/s   {audit.wall:.1f} s, "
        f"{audit.cpu / records * 1e6:.1f} µs CPU a record, peak {audit.peak:,.0f} MiB together"
    )
    print(f"{'  credentials':<22}{sum(report['credentials'].values()):>12,}   findings {len(report['findings']):,}")
    for part in ("segments", "logs", "derived", "index"):
        print(f"{'  disk ' + part:<22}{_size(store / part) / records:>12,.1f} bytes a record")
    again = _custody("audit", str(logs), "--json", *options)
    print(f"{'re-audit unchanged':<22}{again.wall:>12.2f} s")
    _traces(store, options)
    verify = _custody("verify", "--json", *options)
    print(
        f"{'verify':<22}{records / verify.wall:>12,.0f} records/s   {verify.wall:.1f} s, "
        f"{verify.cpu / records * 1e6:.1f} µs CPU"
    )
    stages.show(logs)


def _traces(store: Path, options: list[str]) -> None:
    import duckdb

    tables = next((store / "derived").glob("0*"))
    credentials = f"read_parquet('{tables}/credentials.parquet')"
    origins = f"read_parquet('{tables}/origins.parquet')"
    events = f"read_parquet('{store}/derived/events/*.parquet')"
    hot = _first(duckdb.execute(f"SELECT key FROM {credentials} ORDER BY uses DESC LIMIT 1").fetchone())
    plain = _first(
        duckdb.execute(
            f"SELECT key FROM {credentials} WHERE issued AND uses > 1 ORDER BY credential LIMIT 1"
        ).fetchone()
    )
    address = _first(duckdb.execute(f"SELECT origin FROM {origins} WHERE origin LIKE '%.%.%.%' LIMIT 1").fetchone())
    agent = _first(duckdb.execute(f"SELECT agent FROM {events} WHERE agent LIKE '%/%' LIMIT 1").fetchone())
    for name, query in (("key", plain), ("hot key", hot), ("address", address), ("user agent", agent)):
        times = sorted(_custody("trace", query, "--json", "--store", options[1]).wall for _ in range(3))
        print(f"{'trace ' + name:<22}{times[1] * 1000:>12,.0f} ms")


def _first(row: tuple[object, ...] | None) -> str:
    assert row is not None
    return str(row[0]).rpartition("aws_akid:aws:")[2]


def _baselines(logs: Path) -> None:
    print("\nthe same files, read by others")
    baselines.show(sorted(logs.rglob("*.json.gz"))[:50])


def _custody(*arguments: str) -> Watched:
    command = [sys.executable, "-m", "custody.cli", *arguments]
    started, before = time.monotonic(), os.times()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    watch = _Watch(process.pid)
    output, _ = process.communicate()
    after = os.times()
    assert process.returncode in (0, 1, 3), (arguments, process.returncode)
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Watched(time.monotonic() - started, cpu, watch.stop(), output)


class _Watch:
    """Samples the resident memory of a process and its children."""

    def __init__(self, pid: int) -> None:
        self._pid, self._peak, self._done = pid, 0.0, threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        self._done.set()
        self._thread.join()
        return self._peak

    def _sample(self) -> None:
        while not self._done.wait(0.5):  # the proportional size costs the kernel milliseconds
            pids = [self._pid, *_children(self._pid)]
            self._peak = max(self._peak, sum(map(_resident, pids)))


def _children(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _resident(pid: int) -> float:
    """Proportional set size where the kernel tells it: memory shared after a fork counts once (MiB)."""
    for name, label in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        try:
            for line in Path(f"/proc/{pid}/{name}").read_text().splitlines():
                if line.startswith(label):
                    return int(line.split()[1]) / 1024
        except (OSError, ValueError):
            continue
    return 0.0


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
