"""What others do with the same files: DuckDB's ``read_json``, and gunzip with a typed parse; records per second.

    python bench/baselines.py FOLDER

Each is run twice; the best and the median are printed, and the CPU time of the better run. DuckDB counts the records
and the distinct keys and takes a few columns, once with the columns given and once guessing them; the typed parse
decodes into frozen structs and looks at the same fields.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import deflate
import msgspec

OBJECT = 64 * 1024 * 1024
"""The largest JSON object that DuckDB may meet: a whole file is one, decompressed."""


NULL = msgspec.Raw(b"null")


class Identity(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    type: str | None = None
    access_key_id: str | None = None
    arn: str | None = None
    invoked_by: str | None = None


class Record(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    event_time: str
    event_source: str
    event_name: str
    user_identity: Identity
    event_id: str = msgspec.field(name="eventID")
    source_ip_address: str | None = msgspec.field(name="sourceIPAddress", default=None)
    error_code: str | None = None
    request_parameters: msgspec.Raw = NULL
    response_elements: msgspec.Raw = NULL


class File(msgspec.Struct, frozen=True, gc=False):
    records: list[Record] = msgspec.field(name="Records")


DECODER = msgspec.json.Decoder(File)
QUERY = f"""
    SELECT count(*), count(DISTINCT r.userIdentity.accessKeyId), max(r.eventTime)::VARCHAR, min(r.eventName),
           max(r.sourceIPAddress)
    FROM (SELECT unnest(Records) AS r FROM read_json(?, maximum_object_size = {OBJECT},
          columns = {{'Records': 'STRUCT(eventTime VARCHAR, eventName VARCHAR, eventSource VARCHAR, eventID VARCHAR,
          sourceIPAddress VARCHAR, errorCode VARCHAR,
          userIdentity STRUCT("type" VARCHAR, accessKeyId VARCHAR, arn VARCHAR, invokedBy VARCHAR))[]'}}))
"""
GUESSED = f"""
    SELECT count(*), count(DISTINCT r.userIdentity.accessKeyId), max(r.eventTime)::VARCHAR, min(r.eventName),
           max(r.sourceIPAddress)
    FROM (SELECT unnest(Records) AS r FROM read_json(?, maximum_object_size = {OBJECT}))
"""


def by_duckdb(paths: list[Path], query: str) -> int:
    """DuckDB over all files at once, with its threads; the number of records."""
    import duckdb

    with duckdb.connect() as connection:
        found = connection.execute(query, [[str(path) for path in paths]]).fetchone()
    return int(found[0]) if found else 0


def by_typed_parse(paths: list[Path], gunzip: Callable[[bytes], bytes]) -> int:
    """One process, file by file; the number of records."""
    count, keys, last = 0, set(), ""
    for path in paths:
        for record in DECODER.decode(gunzip(path.read_bytes())).records:
            count += 1
            keys.add(record.user_identity.access_key_id)
            last = max(last, record.event_time)
    return count


BASELINES: dict[str, Callable[[list[Path]], int]] = {
    "DuckDB read_json, columns given": lambda paths: by_duckdb(paths, QUERY),
    "DuckDB read_json, columns guessed": lambda paths: by_duckdb(paths, GUESSED),
    "gunzip (zlib) + typed parse, one core": lambda paths: by_typed_parse(paths, gzip.decompress),
    "gunzip (libdeflate) + typed parse, one core": lambda paths: by_typed_parse(paths, _libdeflate),
}


def rates(paths: list[Path], baseline: Callable[[list[Path]], int], runs: int = 2) -> list[tuple[float, float]]:
    """Of each run, records per second and microseconds of CPU a record."""
    found = []
    for _ in range(runs):
        began, worked = time.perf_counter(), time.process_time()
        count = baseline(paths)
        took, used = time.perf_counter() - began, time.process_time() - worked
        found.append((count / took, used / count * 1e6))
    return found


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Measure other readers on the benchmark's files.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=None, help="only the first so many files")
    parser.add_argument("--runs", type=int, default=2)
    asked = parser.parse_args()
    paths = sorted(asked.folder.rglob("*.json.gz"))[: asked.files]
    if not paths:
        parser.error(f"no *.json.gz under {asked.folder}")
    show(paths, asked.runs)


def show(paths: list[Path], runs: int = 2) -> None:
    """Print a line for each baseline."""
    for name, baseline in BASELINES.items():
        measured = rates(paths, baseline, runs)
        speeds, costs = [rate for rate, _ in measured], [cost for _, cost in measured]
        told = f"best {max(speeds):>9,.0f}  median {statistics.median(speeds):>9,.0f} records/s"
        print(f"{name:45} {told}  {min(costs):6.1f} us of CPU a record", flush=True)


def _libdeflate(content: bytes) -> bytes:
    return bytes(deflate.gzip_decompress(content))


if __name__ == "__main__":
    main()
