"""What is derived from the records: the parts files of each commit, and generations of tables made by ``chains``.

A parts file is sealed by the statement ``parts`` of its own commit. Everything below some size of the log is sealed
again, together with the tables, by ``derived/manifest.json``, whose SHA-256 the statement ``derived`` seals; parts
files of later commits stand on their own statements until the next manifest takes them in. All of it can be made
again from the kept bytes. An erasure makes all of it void: it goes, and is made again from what is left.
"""

import re
from collections.abc import Container, Mapping, Sequence
from hashlib import file_digest, sha256
from pathlib import Path, PurePosixPath
from shutil import rmtree

import msgspec

from custody.errors import NotFound, StoreError
from custody.store.disk import Disk
from custody.store.erasure import last_leaf
from custody.store.history import History
from custody.store.layout import DERIVED, EVENTS, MANIFEST, MANIFEST_NEXT, SKIPS, parse_range

Facts = Mapping[str, str | int | bool | None]
STATEMENT_DERIVED = "derived"
STATEMENT_PARTS = "parts"
GENERATION = re.compile(r"[0-9]{12}-[0-9]+")
"""The name of a folder of tables."""


class Sealed(msgspec.Struct, frozen=True):
    """A file in the store by its relative path, with the digest (hex) that the log seals; ``size`` in bytes."""

    path: str
    sha256: str
    size: int | None = None


class Manifest(msgspec.Struct, frozen=True):
    """What is in ``derived/``: ``folder`` is the generation of the tables; parts files cover the leaves below ``size``.

    ``meta`` says how the tables were made (contract, as_of, version), for whoever reads them.
    """

    format: int
    size: int
    folder: str
    files: tuple[Sealed, ...]
    meta: dict[str, str | int | bool | None]

    def encode(self) -> bytes:
        """The one form of the file."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


def decode_manifest(data: bytes) -> Manifest:
    """The manifest in ``data``; StoreError where it is not one, or names a file outside ``derived/``."""
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreError("the manifest of derived tables is damaged", where=MANIFEST, found=str(error)) from None
    paths = [file.path for file in manifest.files]
    if manifest.encode() != data or manifest.format != 1 or not all(map(_is_derived, paths)):
        raise StoreError("the manifest of derived tables is not in its one form", where=MANIFEST)
    return manifest


def read_manifest(root: Path) -> Manifest | None:
    """The manifest in force, None where there is none."""
    try:
        return decode_manifest((root / MANIFEST).read_bytes())
    except FileNotFoundError:
        return None


def parts_since(history: History, size: int) -> list[Sealed]:
    """The parts files that commits from leaf ``size`` on have sealed, in order of leaf."""
    sealed = []
    for said in history.said:
        if said.entry.what == STATEMENT_PARTS and said.leaf >= size:
            sealed += [Sealed(str(path), str(digest)) for path, digest in _pairs(said.entry.fields.get("files"))]
    return sealed


def current_files(root: Path, history: History) -> list[Sealed]:
    """Every file that should be in ``derived/`` now. NotFound where a manifest was sealed and is not there."""
    manifest = None if superseded(history) else read_manifest(root)
    if manifest is None and history.last(STATEMENT_DERIVED) is not None:
        raise NotFound("the derived tables are not there", where=MANIFEST, advice="`custody rebuild` makes them again.")
    before = list(manifest.files) if manifest else []
    return before + parts_since(history, manifest.size if manifest else 0)


def parts_files(root: Path, history: History, kind: str) -> list[Path]:
    """The files of a ``kind`` (``events`` or ``skips``), in order of leaf.

    NotFound where one of them is missing: the derived tables must then be rebuilt.
    """
    paths = [root / file.path for file in current_files(root, history) if PurePosixPath(file.path).parent.name == kind]
    for path in paths:
        if not path.is_file():
            raise NotFound("a derived table is missing", where=str(path), advice="`custody rebuild` makes it again.")
    return sorted(paths, key=lambda path: path.name)


def seal_files(root: Path, paths: Sequence[str]) -> tuple[Sealed, ...]:
    """Hash files of the store, in order of path."""
    sealed = []
    for path in sorted(paths):
        with (root / path).open("rb") as file:
            sealed.append(Sealed(path, file_digest(file, "sha256").hexdigest(), (root / path).stat().st_size))
    return tuple(sealed)


def superseded(history: History) -> bool:
    """Whether records were erased since the tables in ``derived/`` were sealed: they may hold what is gone."""
    erased, last = last_leaf(history), history.last(STATEMENT_DERIVED)
    return erased is not None and (last is None or last.leaf < erased)


def clear_superseded(disk: Disk, root: Path, history: History) -> None:
    """Remove every table from before the last erasure, where none was sealed since; parts of later commits stay."""
    if not superseded(history):
        return
    for path in (root / MANIFEST, root / MANIFEST_NEXT):
        disk.delete(path)
    clear_others(disk, root, None)
    for path in sorted([*(root / EVENTS).glob("*"), *(root / SKIPS).glob("*")]):
        span = parse_range(path.name)
        if span is not None and span[0] < (last_leaf(history) or 0):
            disk.delete(path)


def same_tables(one: Manifest, other: Manifest) -> bool:
    """Whether two manifests say the same but for the name of the folder and the size of the log."""
    return _without_folder(one) == _without_folder(other)


def clear_others(disk: Disk, root: Path, keep: Manifest | None) -> None:
    """Remove what no manifest names: older generations, and those that were never finished.

    Parts files that lie in ``derived/events`` and ``derived/skips`` are only removed below the manifest's size, where
    the manifest names all there are.
    """
    folder = root / DERIVED
    named = {file.path for file in keep.files} if keep else set()
    used = {PurePosixPath(path).parts[1] for path in named} | {PurePosixPath(EVENTS).name, PurePosixPath(SKIPS).name}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink() and path.name not in used:
            rmtree(path)
    if keep is None:
        return
    for path in _left_in_used(root, named):
        disk.delete(path)
    for path in sorted([*(root / EVENTS).glob("*"), *(root / SKIPS).glob("*")]):
        span = parse_range(path.name)
        if span is not None and span[0] < keep.size and str(path.relative_to(root)) not in named:
            disk.delete(path)


def _left_in_used(root: Path, named: Container[str]) -> list[Path]:
    """What no manifest names in a generation that is still in use: after a rebuild the parts stay, the tables go."""
    generations = (path for path in (root / DERIVED).iterdir() if path.is_dir() and GENERATION.fullmatch(path.name))
    files = (path for folder in generations for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in files if path.relative_to(root).as_posix() not in named)


def settle_manifest(disk: Disk, root: Path, history: History) -> None:
    """Finish or undo a publication that was cut off: the last sealed manifest takes its place, any other goes."""
    clear_superseded(disk, root, history)
    path = root / MANIFEST_NEXT
    last = history.last(STATEMENT_DERIVED)
    if path.exists():
        if last is not None and sha256(path.read_bytes()).hexdigest() == last.entry.fields.get("manifest"):
            disk.rename(path, root / MANIFEST)
            disk.sync_folder(root / DERIVED)
        else:
            disk.delete(path)
    clear_others(disk, root, read_manifest(root))


def _is_derived(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return len(parts) > 2 and parts[0] == DERIVED and ".." not in parts and str(PurePosixPath(path)) == path


def _without_folder(manifest: Manifest) -> tuple[object, ...]:
    prefix = f"{DERIVED}/{manifest.folder}/"
    files = sorted((file.path.removeprefix(prefix), file.sha256, file.size) for file in manifest.files)
    return (files, manifest.meta)


def _pairs(value: object) -> list[tuple[object, object]]:
    rows = value if isinstance(value, list) else []
    return [(row[0], row[1]) for row in rows if isinstance(row, list) and len(row) == 2]
