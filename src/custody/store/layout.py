"""Where everything in a store is: names only, nothing here touches a disk.

::

    STORE/store.json                         what store this is; its SHA-256 is sealed in log entry 0
    STORE/lock                               held by the one writer (exempt from verify)
    STORE/logs/operations/checkpoint         the signed note; under tile/ the C2SP tlog-tiles tree
    STORE/logs/operations.rotations          the notes by which its key was replaced (store.rotation)
    STORE/logs/approvals/                    the log of approvals: another key, another process (store.approvals)
    STORE/logs/approvals.vkey                its verifier key, as it says itself
    STORE/logs/approvals.lock                held by its one writer (exempt from verify)
    STORE/segments/<first>-<end>.parquet     kept bytes of the record leaves [first, end)
    STORE/index/                             caches (exempt from verify)
    STORE/derived/manifest.json              what is in derived/, sealed by a statement
    STORE/derived/events/<first>-<end>.parquet   parts of the record leaves [first, end)
    STORE/derived/skips/<first>-<end>.parquet    which of them gave no event, and why
    STORE/aside/<size>/                      files that a recovery at this size found past the log's end
"""

import re
from pathlib import Path

FORMAT = 1
"""The number of this layout. A store with a higher one was written by a newer custody."""

STORE_FILE = "store.json"
LOCK_FILE = "lock"
LOG = "logs/operations"
CHECKPOINT = f"{LOG}/checkpoint"
ROTATIONS = f"{LOG}.rotations"
APPROVALS = "logs/approvals"
APPROVALS_VKEY = f"{APPROVALS}.vkey"
APPROVALS_LOCK = f"{APPROVALS}.lock"
SEGMENTS = "segments"
INDEX = "index"
DERIVED = "derived"
EVENTS = f"{DERIVED}/events"
SKIPS = f"{DERIVED}/skips"
MANIFEST = f"{DERIVED}/manifest.json"
MANIFEST_NEXT = f"{DERIVED}/manifest.next.json"
ASIDE = "aside"
ASIDE_MANIFEST = "manifest.json"
TEMPORARY = ".tmp"

TOP_LEVEL = frozenset({STORE_FILE, LOCK_FILE, "logs", SEGMENTS, INDEX, DERIVED, ASIDE})
EXEMPT = (LOCK_FILE, APPROVALS_LOCK, f"{INDEX}/")
"""What ``verify`` does not cover: the locks, and caches that are checked and rebuilt on their own."""

MAX_LEAVES = 65_536
"""Leaves in one commit at most, the closing entries included."""

_RANGE = re.compile(r"([0-9]{12})-([0-9]{12})\.parquet")


def origin_of(store_id: str, log: str = LOG) -> str:
    """The origin line, and key name, of a log of a store."""
    return f"custody.local/{store_id}/{log.rpartition('/')[2]}"


def log_path(path: str, log: str = LOG) -> str:
    """The place in the store of a path inside a log (``tile/0/000``)."""
    return f"{log}/{path}"


def range_name(first: int, end: int) -> str:
    """The file name for the leaves [first, end)."""
    return f"{first:012d}-{end:012d}.parquet"


def segment_path(first: int, end: int) -> str:
    """The segment of the record leaves [first, end)."""
    return f"{SEGMENTS}/{range_name(first, end)}"


def events_path(first: int, end: int) -> str:
    """The events file of the record leaves [first, end)."""
    return f"{EVENTS}/{range_name(first, end)}"


def skips_path(first: int, end: int) -> str:
    """The skips file of the record leaves [first, end)."""
    return f"{SKIPS}/{range_name(first, end)}"


def parse_range(name: str) -> tuple[int, int] | None:
    """The (first, end) of a file name made by ``range_name``; None for any other name."""
    match = _RANGE.fullmatch(name)
    return (int(match[1]), int(match[2])) if match else None


def aside_folder(size: int) -> str:
    """Where a recovery that found the log at ``size`` moves what does not belong to it."""
    return f"{ASIDE}/{size:012d}"


def inside(root: Path, folder: Path) -> bool:
    """Whether ``folder`` is ``root`` or under it, links resolved."""
    resolved, base = folder.resolve(), root.resolve()
    return resolved == base or base in resolved.parents
