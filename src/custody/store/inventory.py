"""What files a store has, and whether the log accounts for each: store.json, segments, derived/, aside/, the rest."""

from collections.abc import Iterable, Iterator
from hashlib import file_digest, sha256
from pathlib import Path

import msgspec

from custody.errors import StoreError
from custody.ledger.fsck_tiles import Kind, Problem
from custody.store import layout
from custody.store.derived import STATEMENT_DERIVED, Sealed, decode_manifest, parts_since, superseded
from custody.store.erasure import NEXT, Erasures, last_leaf
from custody.store.history import History
from custody.store.layout import parse_range

LOGS = (f"{layout.LOG}/", f"{layout.APPROVALS}/")
"""What is in these folders is for the checks of the two logs."""

_MOVED = msgspec.json.Decoder(dict[str, list[tuple[str, str, int]]])


def walk(root: Path) -> Iterator[str]:
    """The relative path of everything in the store that is not a folder, sorted; links are not followed."""
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            yield path.relative_to(root).as_posix()


def is_exempt(path: str) -> bool:
    """Whether ``verify`` leaves the file alone: the lock and the caches."""
    return any(path == name or (name.endswith("/") and path.startswith(name)) for name in layout.EXEMPT)


def damage(path: str, text: str) -> Problem:
    """A problem that nothing innocent explains."""
    return Problem(path, Kind.DAMAGE, text)


def unfinished(path: str, text: str) -> Problem:
    """A problem that a process which ended early leaves, and the next writer clears."""
    return Problem(path, Kind.UNFINISHED, text)


class Inventory:
    """The files of a store against what its log says. Each check claims the files that it accounts for."""

    def __init__(self, root: Path, history: History, size: int) -> None:
        self._root, self._history, self._size = root, history, size
        self._files = [path for path in walk(root) if not is_exempt(path) and not path.startswith(LOGS)]
        self._claimed: set[str] = {layout.STORE_FILE, layout.APPROVALS_VKEY, layout.ROTATIONS}

    def problems(self) -> list[Problem]:
        """Everything that does not fit, the contents of segments apart."""
        found = [*self._segments(), *self._derived(), *self._aside()]
        return found + [self._unexpected(path) for path in self._files if path not in self._claimed]

    def _segments(self) -> Iterator[Problem]:
        for closed in self._history.closed:
            if closed.file is not None:
                self._claimed.add(closed.file)
        yield from ()

    def _derived(self) -> Iterator[Problem]:
        here = [path for path in self._files if path.startswith(f"{layout.DERIVED}/")]
        if not here:
            return
        sealed, problems = self._sealed_derived(set(here))
        yield from problems
        for file in sealed:
            self._claimed.add(file.path)
            yield from self._compare(file, set(here))

    def _sealed_derived(self, here: set[str]) -> tuple[list[Sealed], list[Problem]]:
        """What should be in derived/: by the manifest that was sealed last, and the statements since."""
        last = self._history.last(STATEMENT_DERIVED)
        if superseded(self._history):
            return parts_since(self._history, last_leaf(self._history) or 0), []
        self._claimed.add(layout.MANIFEST)
        if last is None:
            problems = [damage(layout.MANIFEST, "it was never sealed")] if layout.MANIFEST in here else []
            return parts_since(self._history, 0), problems
        wanted = str(last.entry.fields.get("manifest"))
        problems = []
        for path in (layout.MANIFEST, layout.MANIFEST_NEXT):
            data = (self._root / path).read_bytes() if path in here else b""
            if data and sha256(data).hexdigest() == wanted:
                if path == layout.MANIFEST_NEXT:
                    problems.append(unfinished(path, "a publication of derived tables was cut off"))
                    self._claimed.add(path)
                return self._listed(data, problems)
        text = f"found none with SHA-256 {wanted}, which leaf {last.leaf} seals"
        return [], [damage(layout.MANIFEST, text)]

    def _listed(self, data: bytes, problems: list[Problem]) -> tuple[list[Sealed], list[Problem]]:
        try:
            manifest = decode_manifest(data)
        except StoreError as error:
            return [], [damage(layout.MANIFEST, str(error))]
        return [*manifest.files, *parts_since(self._history, manifest.size)], problems

    def _compare(self, file: Sealed, here: set[str]) -> Iterator[Problem]:
        if file.path not in here:
            yield damage(file.path, "it is missing")
            return
        with (self._root / file.path).open("rb") as opened:
            digest = file_digest(opened, "sha256").hexdigest()
        if digest != file.sha256:
            yield damage(file.path, f"found SHA-256 {digest}, expected {file.sha256}")

    def _aside(self) -> Iterator[Problem]:
        """Files that recoveries moved aside are covered by the statement that each of them sealed."""
        for said in self._history.said:
            rows = said.entry.fields.get("aside") if said.entry.what == "recovery" else None
            for row in rows if isinstance(rows, list) else ():
                yield from self._moved(str(row[0]), str(row[1]))

    def _moved(self, folder: str, digest: str) -> Iterator[Problem]:
        path = f"{folder}/{layout.ASIDE_MANIFEST}"
        self._claimed.add(path)
        try:
            data = (self._root / path).read_bytes()
        except OSError:
            yield damage(path, "it is missing")
            return
        found = sha256(data).hexdigest()
        if found != digest:
            yield damage(path, f"found SHA-256 {found}, expected {digest}")
            return
        here = set(self._files)
        gone = Erasures(self._history).aside()
        for name, wanted, size in _MOVED.decode(data)["files"]:
            path = f"{folder}/{name}"
            self._claimed.add(path)
            if path not in gone:
                yield from self._compare(Sealed(path, wanted, size), here)
            elif path in here:
                yield unfinished(path, "an erasure that takes it away was cut off")

    def _unexpected(self, path: str) -> Problem:
        folder, _, name = path.rpartition("/")
        span = parse_range(name)
        if span is not None and span[0] >= self._size and folder in {layout.SEGMENTS, layout.EVENTS, layout.SKIPS}:
            return unfinished(path, "written for a commit that did not finish")
        if folder == layout.SEGMENTS and name.endswith(NEXT) and parse_range(name.removesuffix(NEXT)) is not None:
            return unfinished(path, "a segment written for an erasure that was cut off")
        if name.endswith(layout.TEMPORARY):
            return unfinished(path, "a temporary file of a write that did not finish")
        if folder.startswith(f"{layout.ASIDE}/"):
            return unfinished(path, "moved aside by a recovery that did not finish")
        if path.startswith(f"{layout.DERIVED}/"):
            return unfinished(path, "derived, and not sealed by any manifest")
        return damage(path, "nothing in the log accounts for it")


def log_listing(root: Path, log: str = layout.LOG) -> tuple[list[str], list[Problem]]:
    """The paths inside a log's folder, and the temporary files there."""
    base = f"{log}/"
    inside = [path.removeprefix(base) for path in walk(root / log) if not is_exempt(path)]
    temporary = [path for path in inside if path == f"checkpoint{layout.TEMPORARY}"]
    text = "a temporary file of a write that did not finish"
    return [path for path in inside if path not in temporary], [unfinished(base + path, text) for path in temporary]


def in_store(problems: Iterable[Problem], log: str = layout.LOG) -> list[Problem]:
    """Problems of a log with their paths as they are in the store."""
    return [msgspec.structs.replace(problem, path=f"{log}/{problem.path}") for problem in problems]
