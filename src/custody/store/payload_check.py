"""Checking one segment against the log: its file hash, then every row. Also the process that does so for ``verify``.

Rows that the log says are erased must be empty; a file that was written again for an erasure may lack nothing else.

Run as ``python -m custody.store.payload_check ROOT SIZE``: what a segment should be, as JSON, on each line of standard
input, its findings as a JSON list on a line of standard output. It reads only, and ends when its input does.
"""

import sys
from hashlib import sha256
from pathlib import Path

import msgspec

from custody.errors import LogError, StoreError
from custody.ledger.entry import RecordEntry, decode
from custody.store.erasure import Expected, mask_of
from custody.store.logfiles import LogFiles
from custody.store.segments import ERASED, SKIP_FORM, Kept, Segment

MAX_NAMED = 20
"""Rows of one segment that are named one by one."""


def check_segment(root: Path, files: LogFiles, expected: Expected, size: int) -> list[str]:
    """What is wrong with the segment file of a commit, a sentence each; empty where nothing is."""
    closed = expected.closed
    name = str(closed.file)
    try:
        data = (root / name).read_bytes()
    except OSError:
        return [*expected.problems, "it is missing"]
    digest = sha256(data).hexdigest()
    if digest != expected.sha256:
        return [*expected.problems, _other(digest, expected)]
    try:
        segment = Segment(data, name=name, rows=closed.end - closed.first)
        entries = files.entries(closed.first, closed.end, size)
        gone = mask_of(expected.ranges, closed).tolist()
        found = [f"leaf {leaf}: {wrong}" for (leaf, raw), kept, away in zip(entries, segment, gone, strict=True)
                 if (wrong := _row(leaf, raw, kept, away=away, rewritten=bool(expected.ranges)))]  # fmt: skip
    except (StoreError, LogError, OSError, ValueError) as error:
        return [*expected.problems, f"it cannot be compared with the log: {error}"]
    more = [f"and {len(found) - MAX_NAMED} rows more"] if len(found) > MAX_NAMED else []
    return [*expected.problems, *found[:MAX_NAMED], *more]


def _other(digest: str, expected: Expected) -> str:
    if digest in expected.before:
        return f"bytes are here that were erased (leaf {expected.statement}): it is the file from before"
    leaf = expected.closed.leaf if expected.statement is None else expected.statement
    return f"found SHA-256 {digest}, expected {expected.sha256} (leaf {leaf})"


def _row(leaf: int, raw: bytes, kept: Kept, *, away: bool, rewritten: bool) -> str | None:
    entry = decode(raw)
    if not isinstance(entry, RecordEntry):
        return "found a payload, expected none: the entry is not a record's"
    if kept.leaf != leaf:
        return f"found the row of leaf {kept.leaf}"
    if away:
        return None if kept == Kept(leaf, ERASED, None, None) else "found something, expected nothing: it is erased"
    if kept.kept is None and kept.salt is None:
        unsaid = rewritten and (kept.form == ERASED or not kept.form.startswith(SKIP_FORM))
        return "found nothing, and no erasure names it" if unsaid else None
    if kept.kept is None or kept.salt is None:
        return "found a payload without its salt, or a salt without its payload"
    digest = sha256(kept.salt + kept.kept).hexdigest()
    return None if digest == entry.kept else f"found kept bytes of digest {digest}, expected {entry.kept}"


def serve(root: Path, size: int) -> None:
    """Answer what is asked on standard input until it ends."""
    files = LogFiles(root)
    decoder = msgspec.json.Decoder(Expected)
    for line in sys.stdin.buffer:
        found = check_segment(root, files, decoder.decode(line), size)
        sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
