"""Makes the benchmark's input: CloudTrail log files with realistic chains of credentials, the same for the same seed.

    python bench/generate.py FOLDER --records 1000000

About 18 % of the records use issued keys (one hot key has 5 % of all), 4.6 % issue one, chains are up to four deep;
the rest are older keys, console sessions, forward access sessions and AWS services without keys. A record has about
1,350 bytes. The log covers 30 days, or less where there are fewer than a million records. Memory stays flat.
"""

from __future__ import annotations

import argparse
import random
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path

import deflate

from records import Blocks
from world import ACCOUNT, REGION, World, stamp

RUN = 8
"""Files that one task writes one after the other: what came before the first has to be worked out once."""
LEVEL = 4


def generate(folder: Path, records: int = 1_000_000, seed: int = 1, per_file: int = 4_000, processes: int = 2) -> int:
    """Write the files and give the number of bytes of their JSON. The bytes do not depend on ``processes``."""
    runs = range(0, records, per_file * RUN)
    work = [(folder, records, seed, per_file, start) for start in runs]
    if processes < 2 or len(work) < 2:
        return sum(map(_write_run, work))
    with ProcessPoolExecutor(processes) as pool:
        return sum(pool.map(_write_run, work))


def _write_run(work: tuple[Path, int, int, int, int]) -> int:
    """Write up to RUN files, from the record with number ``start`` on."""
    folder, records, seed, per_file, start = work
    world = World(records, seed)
    stop = min(records, start + per_file * RUN)
    stream = Blocks(world).records(start, stop)
    written = 0
    for first in range(start, stop, per_file):
        content = ('{"Records":[' + ",".join(islice(stream, per_file)) + "]}").encode()
        path = folder / _name(world, first, min(first + per_file, records) - 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(deflate.gzip_compress(content, LEVEL)))
        written += len(content)
    return written


def _name(world: World, first: int, last: int) -> str:
    """Named as CloudTrail does it; the suffix begins with the number of the first record, so that names sort."""
    when = stamp(world.time(last))
    day, clock = when[:10], when[11:16].replace(":", "")
    letters = "".join(random.Random(f"{world.seed}/name/{first}").choices("abcdefghijklmnopqrstuvwxyz", k=6))
    place = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/{day.replace('-', '/')}"
    return f"{place}/{ACCOUNT}_CloudTrail_{REGION}_{day.replace('-', '')}T{clock}Z_{first:010d}{letters}.json.gz"


def main() -> None:
    """Read the command line, generate, say how it went."""
    parser = argparse.ArgumentParser(description="Make CloudTrail log files for the benchmark.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--per-file", type=int, default=4_000)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    began = time.perf_counter()
    size = generate(asked.folder, asked.records, asked.seed, asked.per_file, asked.processes)
    took = time.perf_counter() - began
    print(f"{asked.records:,} records, {size / asked.records:,.0f} bytes a record, {took:.1f} s")


if __name__ == "__main__":
    main()
