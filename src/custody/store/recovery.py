"""What a new writer does before anything else: bring the log to what was last signed, and the folder to the log.

- last signed ahead of the checkpoint: the commit was cut off between signing and publishing. Its entries are read
  again, and the note is published only where they give its root and the segments it covers are there.
- checkpoint ahead of last signed: the key folder is an older copy. The checkpoint is adopted where it continues the
  last signed.
- the store behind what was signed, or another root at the same size: refused. Signing would make a fork.
- files past the size belong to a commit that was never signed: they are moved aside with a manifest of their hashes.

What was done is returned, to be sealed as a statement.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from hashlib import sha256
from itertools import islice
from pathlib import Path

import msgspec

from custody.errors import LogError, StoreForked
from custody.ledger.checkpoint import Checkpoint
from custody.ledger.entry import SegmentEntry, StatementEntry, decode, is_segment
from custody.ledger.merkle import leaf_hash
from custody.ledger.proof import root_at
from custody.ledger.tiles import TILE_WIDTH, bundle_path, tile_path
from custody.ledger.tree import Tree
from custody.store.disk import Disk, replace
from custody.store.erasure import STATEMENT as ERASURE
from custody.store.keyring import Keyring
from custody.store.layout import (
    ASIDE,
    ASIDE_MANIFEST,
    CHECKPOINT,
    EVENTS,
    LOG,
    MAX_LEAVES,
    SEGMENTS,
    SKIPS,
    TEMPORARY,
    aside_folder,
    log_path,
    parse_range,
)
from custody.store.logfiles import LogFiles, open_checkpoint

_ADVICE = (
    "The store is an older copy than the one that was last signed, or was changed. Bring back the newest copy; "
    "`custody verify` says what is wrong. To go on without it, start a new store."
)


_ERASURE = f'{{"v":1,"kind":"statement","what":"{ERASURE}",'.encode()


class Moved(msgspec.Struct, frozen=True):
    """Files moved aside: ``folder`` in the store, their number, and the SHA-256 of the manifest there."""

    folder: str
    files: int
    manifest: str


def settle(disk: Disk, root: Path, files: LogFiles, keyring: Keyring, origin: str) -> tuple[Tree, int | None]:
    """The tree at the size that is signed and published, and the size it was published at before (None: the same).

    StoreForked where the store does not hold what was signed.
    """
    published = _opened(files.checkpoint_note(), keyring, origin, str(root / files.log / "checkpoint"))
    signed = _opened(keyring.last_signed, keyring, origin, "last signed")
    if signed is None:
        if published is not None:
            raise StoreForked("nothing says what was last signed", where=str(root), advice=_ADVICE)
        return Tree.empty(), None
    size = published.size if published else 0
    tree = _load(files, published)
    if size >= signed.size:
        _check_continues(files, signed, size)
        if size > signed.size:
            keyring.remember(files.checkpoint_note() or b"")
        return tree, None
    return _finish(disk, root, files, tree, signed, keyring), size


def _opened(note: bytes | None, keyring: Keyring, origin: str, where: str) -> Checkpoint | None:
    return None if note is None else open_checkpoint(note, vkey=keyring.vkey, origin=origin, where=where)


def _load(files: LogFiles, published: Checkpoint | None) -> Tree:
    if published is None:
        return Tree.empty()
    try:
        tree = Tree.load(published.size, files.read)
    except LogError as error:
        raise StoreForked(f"the log is damaged: {error}", where=CHECKPOINT, advice=_ADVICE) from None
    if tree.root() != published.root:
        raise StoreForked("the log's tiles do not give the root that was signed", where=CHECKPOINT, advice=_ADVICE)
    return tree


def _check_continues(files: LogFiles, signed: Checkpoint, size: int) -> None:
    try:
        same = root_at(signed.size, files.read) == signed.root
    except LogError:
        same = False
    if not same:
        raise StoreForked(
            "the store contradicts what was last signed",
            where=CHECKPOINT,
            found=f"size {size}, another root at {signed.size}",
            advice=_ADVICE,
        )


def _finish(disk: Disk, root: Path, files: LogFiles, tree: Tree, signed: Checkpoint, keyring: Keyring) -> Tree:
    """Rebuild the log to the size that was signed, from the files present, and publish the note if all agrees."""
    size = tree.size
    sealed: dict[str, set[str]] = {}
    try:
        entries = files.entries(size, signed.size, signed.size)
        while lot := [entry for _, entry in islice(entries, MAX_LEAVES)]:
            _note_segments(sealed, lot)
            tree.append(lot, b"".join(map(leaf_hash, lot)))
        _check_segments(root, sealed)
        rebuilt = tree.root()
    except (LogError, FileNotFoundError) as error:
        raise _behind(size, signed, str(error)) from None
    if rebuilt != signed.root:
        raise _behind(size, signed, "other entries")
    _mend(disk, root, files.log, {root / log_path(path, files.log): data for path, data in tree.take_files().items()})
    replace(disk, root / log_path("checkpoint", files.log), keyring.last_signed or b"")
    return tree


def _mend(disk: Disk, root: Path, log: str, files: Mapping[Path, bytes]) -> None:
    """Make tiles what the entries say. A signed note covers these files: none is ever without its bytes."""
    temporary = root / log_path(f"mend{TEMPORARY}", log)
    for path, data in files.items():
        if not path.is_file() or path.read_bytes() != data:
            disk.write(temporary, data)
            disk.sync_file(temporary)
            disk.rename(temporary, path)
    disk.sync_all(root, list(files))


def _note_segments(sealed: dict[str, set[str]], entries: Iterable[bytes]) -> None:
    """Note the hashes that segments may have by ``entries``: as they were sealed, and as erasures left them."""
    for raw in entries:
        if is_segment(raw):
            entry = decode(raw)
            if isinstance(entry, SegmentEntry) and entry.file is not None:
                sealed[entry.file] = {str(entry.sha256)}
        elif raw.startswith(_ERASURE):
            said = decode(raw)
            if isinstance(said, StatementEntry) and str(said.fields.get("file")) in sealed:
                sealed[str(said.fields.get("file"))].add(str(said.fields.get("new")))


def _check_segments(root: Path, sealed: Mapping[str, set[str]]) -> None:
    for file, digests in sealed.items():
        if sha256((root / SEGMENTS / Path(file).name).read_bytes()).hexdigest() not in digests:
            raise LogError("a segment is not the one that was signed", where=file)


def _behind(size: int, signed: Checkpoint, found: str) -> StoreForked:
    return StoreForked(
        "the store is behind what was last signed",
        where=CHECKPOINT,
        found=f"size {size}; {found}",
        expected=f"size {signed.size}",
        advice=_ADVICE,
    )


def clear_temporary(disk: Disk, root: Path) -> None:
    """Delete the temporary files of renames that did not happen: their names were never anybody's."""
    clear_log(disk, root, LOG)
    for path in root.glob(f"*{TEMPORARY}"):
        disk.delete(path)
    for path in (*root.glob(f"derived/*{TEMPORARY}"), *root.glob(f"aside/*/*{TEMPORARY}")):
        disk.delete(path)


def clear_log(disk: Disk, root: Path, log: str) -> None:
    """Delete the temporary files of a log."""
    for path in (root / log).glob(f"*{TEMPORARY}"):
        disk.delete(path)


def tidy_partials(disk: Disk, root: Path, before: int, size: int, log: str = LOG) -> None:
    """Delete the partials of tiles that became full between two published sizes."""
    level = 0
    while size >> 8 * (level + 1):
        for index in range(before >> 8 * (level + 1), size >> 8 * (level + 1)):
            names = [tile_path(level, index)] + ([bundle_path(index)] if level == 0 else [])
            for folder in (root / log_path(f"{name}.p", log) for name in names):
                for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                    disk.delete(path)
        level += 1


def move_aside(disk: Disk, root: Path, size: int) -> None:
    """Move every file past ``size`` into the aside folder of this size."""
    target = root / aside_folder(size)
    for path in sorted(files_past(root, size)):
        disk.rename(path, _free(target / path.relative_to(root)))


def list_aside(disk: Disk, root: Path, sealed: AbstractSet[str]) -> list[Moved]:
    """Write the manifest of every aside folder that is not in ``sealed``: one of a recovery not yet said.

    A recovery that was itself cut off is so taken up where it stopped.
    """
    folders = sorted((root / ASIDE).iterdir()) if (root / ASIDE).is_dir() else []
    return [_listed(disk, root, folder) for folder in folders if f"{ASIDE}/{folder.name}" not in sealed]


def _listed(disk: Disk, root: Path, folder: Path) -> Moved:
    held = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / ASIDE_MANIFEST)
    manifest = encode_aside([(str(path.relative_to(folder)), path.read_bytes()) for path in held])
    disk.sync_all(root, held)
    replace(disk, folder / ASIDE_MANIFEST, manifest)
    return Moved(f"{ASIDE}/{folder.name}", len(held), sha256(manifest).hexdigest())


def encode_aside(files: Iterable[tuple[str, bytes]]) -> bytes:
    """The manifest of files moved aside: path in the folder, SHA-256 and size of each."""
    rows = [[path, sha256(data).hexdigest(), len(data)] for path, data in files]
    return msgspec.json.format(msgspec.json.encode({"files": rows}), indent=1) + b"\n"


def files_past(root: Path, size: int) -> Iterator[Path]:
    """The files that a commit beginning at ``size`` may have left."""
    for folder in (SEGMENTS, EVENTS, SKIPS):
        for path in (root / folder).iterdir() if (root / folder).is_dir() else ():
            span = parse_range(path.name)
            if span is not None and span[0] >= size:
                yield path
    yield from tiles_past(root, size, LOG)


def tiles_past(root: Path, size: int, log: str) -> Iterator[Path]:
    """The bundles and tiles that a commit beginning at ``size`` may have left."""
    level = 0
    while level == 0 or (size + MAX_LEAVES) >> 8 * level:
        yield from _tiles_past(root, level, size, log)
        level += 1


def _tiles_past(root: Path, level: int, size: int, log: str) -> Iterator[Path]:
    first, last = size >> 8 * (level + 1), (size + MAX_LEAVES) >> 8 * (level + 1)
    width = (size >> 8 * level) % TILE_WIDTH
    for index in range(first, last + 1):
        for name in [tile_path(level, index)] + ([bundle_path(index)] if level == 0 else []):
            full = root / log_path(name, log)
            if full.is_file():
                yield full
            partials = full.with_name(f"{full.name}.p")
            for path in partials.iterdir() if partials.is_dir() else ():
                if index > first or not path.name.isdigit() or int(path.name) > width:
                    yield path


def _free(path: Path) -> Path:
    """``path``, or it with the first number that makes it new."""
    number, name = 1, path.name
    while path.exists():
        number += 1
        path = path.with_name(f"{name}.{number}")
    return path
