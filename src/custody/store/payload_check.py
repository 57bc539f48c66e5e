"""Checking one segment against the log: its file hash, then every row. Also the process that does so for ``verify``.

Run as ``python -m custody.store.payload_check ROOT SIZE``: a closed commit as JSON on each line of standard input, its
findings as a JSON list on a line of standard output. It reads only, and ends when its input does.
"""

import sys
from hashlib import sha256
from pathlib import Path

import msgspec

from custody.errors import LogError, StoreError
from custody.ledger.entry import RecordEntry, decode
from custody.store.history import Closed
from custody.store.logfiles import LogFiles
from custody.store.segments import Kept, Segment

MAX_NAMED = 20
"""Rows of one segment that are named one by one."""


def check_segment(root: Path, files: LogFiles, closed: Closed, size: int) -> list[str]:
    """What is wrong with the segment file of a commit, a sentence each; empty where nothing is."""
    name = str(closed.file)
    try:
        data = (root / name).read_bytes()
    except OSError:
        return ["it is missing"]
    digest = sha256(data).hexdigest()
    if digest != closed.sha256:
        return [f"found SHA-256 {digest}, expected {closed.sha256} (leaf {closed.leaf})"]
    try:
        segment = Segment(data, name=name, rows=closed.end - closed.first)
        entries = files.entries(closed.first, closed.end, size)
        found = [f"leaf {leaf}: {wrong}" for (leaf, raw), kept in zip(entries, segment, strict=True)
                 if (wrong := _row(leaf, raw, kept))]  # fmt: skip
    except (StoreError, LogError, OSError, ValueError) as error:
        return [f"it cannot be compared with the log: {error}"]
    return found[:MAX_NAMED] + ([f"and {len(found) - MAX_NAMED} rows more"] if len(found) > MAX_NAMED else [])


def _row(leaf: int, raw: bytes, kept: Kept) -> str | None:
    entry = decode(raw)
    if not isinstance(entry, RecordEntry):
        return "found a payload, expected none: the entry is not a record's"
    if kept.leaf != leaf:
        return f"found the row of leaf {kept.leaf}"
    if kept.kept is None or kept.salt is None:
        return None if kept.kept is kept.salt else "found a payload without its salt, or a salt without its payload"
    digest = sha256(kept.salt + kept.kept).hexdigest()
    return None if digest == entry.kept else f"found kept bytes of digest {digest}, expected {entry.kept}"


def serve(root: Path, size: int) -> None:
    """Answer commits on standard input until it ends."""
    files = LogFiles(root)
    decoder = msgspec.json.Decoder(Closed)
    for line in sys.stdin.buffer:
        found = check_segment(root, files, decoder.decode(line), size)
        sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
