"""``python bench/mixed.py``: the main job on a generated estate of many systems, whole and source by source.

The baseline beside it is DuckDB's ``read_json_auto`` over the JSON files of the same estate: what a tool pays that only
reads. ``--records`` is aimed at, not hit: an estate grows by hours and workloads.
"""

import argparse
import compileall
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import msgspec

from custody.model.records import Acquisition
from custody.pipeline import intake
from custody.readers.content import open_contents
from custody.readers.framing import frame
from custody.readers.limits import Limits
from custody.readers.survey import survey
from custody.sources.registry import sources
from whole_way import _custody, _size

PER_WORKLOAD_HOUR = 58
"""Records of one workload in an hour, about."""


def main() -> None:
    options = _options()
    compileall.compile_dir(str(Path(__file__).resolve().parents[1] / "src"), quiet=2)
    folder = Path(options.folder or tempfile.mkdtemp(prefix="custody-bench-"))
    estate = folder / f"estate-{options.records}"
    try:
        if not estate.exists():
            _generate(estate, options.records)
        _whole(folder, estate)
        _baseline(estate / "logs")
        _by_source(sorted((estate / "logs").rglob("*")))
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--folder", help="where to work; a temporary folder otherwise")
    parser.add_argument("--keep", action="store_true", help="leave logs and store behind")
    return parser.parse_args()


def _generate(estate: Path, records: int) -> None:
    workloads = min(max(records // (PER_WORKLOAD_HOUR * 24), 10), 400)
    hours = max(records // (PER_WORKLOAD_HOUR * workloads), 1)
    print(f"generating about {records:,} records in {estate}", flush=True)
    command = ["simulate", "--seed", "1", "--hours", str(hours), "--workloads", str(workloads), "-o", str(estate)]
    subprocess.run([sys.executable, "-m", "custody.cli", *command, "--json"], check=True, stdout=subprocess.DEVNULL)


def _whole(folder: Path, estate: Path) -> None:
    shutil.rmtree(folder / "store", ignore_errors=True)
    options = ["--store", str(folder / "store"), "--keys", str(folder / "keys")]
    audit = _custody("audit", str(estate / "logs"), "--contract", str(estate / "contract.yaml"), "--json", *options)
    report = msgspec.json.decode(audit.output)
    records = report["records"]
    assert report["understood"] == records, report["skipped"]
    print(
        f"\n{'audit':<22}{records / audit.wall:>12,.0f} records/s   {audit.wall:.1f} s, {records:,} records, "
        f"{audit.cpu / records * 1e6:.1f} µs CPU a record, peak {audit.peak:,.0f} MiB together"
    )
    print(f"{'  credentials':<22}{sum(report['credentials'].values()):>12,}   findings {len(report['findings']):,}")
    for part in ("segments", "logs", "derived", "index"):
        print(f"{'  disk ' + part:<22}{_size(folder / 'store' / part) / records:>12,.1f} bytes a record")


def _baseline(logs: Path) -> None:
    """What DuckDB needs to read the same JSON, and no more."""
    import duckdb

    files = [
        str(path) for path in logs.rglob("*") if path.is_file() and path.name.endswith((".json", ".json.gz", ".ndjson"))
    ]
    started, total = time.perf_counter(), 0
    for name in files:
        try:
            row = duckdb.execute(
                f"SELECT count(*) FROM read_json_auto('{name}', maximum_object_size=268435456, ignore_errors=true)"
            ).fetchone()
            total += int(row[0]) if row else 0
        except duckdb.Error:
            continue
    print(
        f"{'read_json_auto':<22}{time.perf_counter() - started:>12.1f} s for {len(files)} JSON files ({total:,} rows)"
    )


def _by_source(paths: Sequence[Path]) -> None:
    """CPU of intake a record, by source: everything but hashing and opening files."""
    known, limits = sources(), Limits()
    declared = intake.wrappings_of(known)
    cost: dict[str, float] = defaultdict(float)
    count: dict[str, int] = defaultdict(int)
    for path in (each for each in paths if each.is_file()):
        found = [each for each in survey(path, limits) if isinstance(each, Acquisition)]
        for _, content in open_contents(path, found, limits):
            started = time.process_time()
            framed = list(frame(content, declared, limits))  # type: ignore[arg-type]
            made = intake.batch(framed, 1, 0, known, last=True)
            spent = time.process_time() - started
            if made.sources:
                name = max(set(made.sources), key=made.sources.count)
                cost[name] += spent
                count[name] += len(framed)
    print(f"\n{'CPU on the way in':<28}{'records':>10}{'µs a record':>14}")
    for name in sorted(cost, key=lambda each: -cost[each]):
        print(f"  {name:<26}{count[name]:>10,}{cost[name] / count[name] * 1e6:>14.1f}")


if __name__ == "__main__":
    main()
