"""Check a store against its log, and the log against a key."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import msgspec

from custody.errors import StoreError, StoreNewer, UsageError
from custody.settings.catalog import Settings
from custody.store import layout
from custody.store.keyring import read_last_signed, stored_vkey
from custody.store.storefile import read_store_file
from custody.store.verification import Verification
from custody.store.verification import verify as check

ANCHOR = "tamper-evident to holders of an earlier checkpoint"


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was found. ``status`` is ok, unfinished or damaged; ``trusted`` says whose word the key is."""

    status: str
    log: str
    origin: str
    vkey: str
    trusted: str
    size: int | None
    root: str | None
    records: int
    exempt: tuple[str, ...]
    damage: tuple[tuple[str, str], ...]
    unfinished: tuple[tuple[str, str], ...]
    against: str | None
    anchored: bool = False
    claim: str = ANCHOR


def verify(
    settings: Settings, vkey: str | None, against: Path | None, progress: Callable[[int, int], None] | None
) -> Verified:
    """Verify the whole store; ``vkey`` is a key or a file that holds one."""
    try:
        store = read_store_file(settings.store)
    except StoreNewer:
        raise
    except StoreError as error:
        return _without_store_file(settings.store, error)
    held = None if against is None else _of_this_log(against, store.origin)
    own = stored_vkey(settings.keys, store.store)
    key, trusted = _key(vkey, own)
    found = check(
        settings.store,
        vkey=key,
        last_signed=read_last_signed(settings.keys / store.store),
        against=held,
        progress=progress,
        processes=settings.jobs,
    )
    return _verified(settings.store, found, trusted, against)


def _of_this_log(path: Path, origin: str) -> bytes:
    """The note in a file; UsageError where it is of another log, which says nothing about this one."""
    data = path.read_bytes()
    found = data.split(b"\n", 1)[0].decode("utf-8", "replace")
    if found != origin:
        raise UsageError(
            "a checkpoint of another log", where=str(path), found=found[:100], expected=origin,
            advice="a checkpoint of this log begins with its origin",
        )  # fmt: skip
    return data


def _without_store_file(root: Path, error: StoreError) -> Verified:
    """A store whose store.json cannot be read is damaged; where there is no store at all the error stands."""
    if not (root / layout.LOG).is_dir():
        raise error
    text = f"{error.message}: {error.found}" if error.found else error.message
    return Verified(
        status="damaged",
        log=str((root / layout.LOG).absolute()),
        origin="unknown",
        vkey="unknown",
        trusted="nothing: the file that names the log cannot be read",
        size=None,
        root=None,
        records=0,
        exempt=exempt_files(root),
        damage=((layout.STORE_FILE, text),),
        unfinished=(),
        against=None,
    )


def _key(given: str | None, own: str | None) -> tuple[str | None, str]:
    if given is not None:
        text = Path(given).read_text(encoding="utf-8").strip() if _is_file(given) else given.strip()
        if "+" not in text:
            raise UsageError("not a verifier key", where="--vkey", found=repr(text[:60]), expected="name+hash+key")
        return text, "the key that was given"
    if own is not None:
        return own, "the key folder"
    return None, "the store's own word"


def exempt_files(root: Path) -> tuple[str, ...]:
    """What is not covered, relative to the store: the lock, the folder of caches, and every file in that now."""
    caches = [path for name in layout.EXEMPT for path in (root / name).rglob("*") if path.is_file()]
    return (*layout.EXEMPT, *sorted(str(path.relative_to(root)) for path in caches))


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def _verified(root: Path, found: Verification, trusted: str, against: Path | None) -> Verified:
    return Verified(
        status="damaged" if found.damage or found.size is None else "unfinished" if found.unfinished else "ok",
        log=str((root / found.log).absolute()),
        origin=found.origin,
        vkey=found.vkey,
        trusted=trusted,
        size=found.size,
        root=None if found.root is None else base64.b64encode(bytes.fromhex(found.root)).decode(),
        records=found.records,
        exempt=exempt_files(root),
        damage=tuple((problem.path, problem.text) for problem in found.damage),
        unfinished=tuple((problem.path, problem.text) for problem in found.unfinished),
        against=None if against is None else str(against),
    )
