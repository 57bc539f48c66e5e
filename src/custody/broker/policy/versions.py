"""Which commit a policy folder is, read from git's own files without running git (gitformat-pack, version 2).

A commit is told only where the policy files are exactly those of the commit that is checked out: each blob is compared,
and a file more or fewer is a difference. Everything else gives None: the digest of the set names the policies in any
case.
"""

from __future__ import annotations

import mmap
import re
import zlib
from collections.abc import Mapping
from hashlib import sha1
from pathlib import Path

_HEX = re.compile(r"[0-9a-f]{40}", re.ASCII)
_KINDS = {1: b"commit", 2: b"tree", 3: b"blob"}
_OFFSET_DELTA, _REFERENCE_DELTA = 6, 7
MOST_BYTES = 4 << 20
"""The largest object that is read."""
DEEPEST = 64
"""The longest chain of deltas and the deepest folder that is followed."""


def commit_of(folder: Path, files: Mapping[str, Path]) -> str | None:
    """The commit (40 hex digits) whose policy files in ``folder`` are exactly ``files`` (name to path), else None."""
    try:
        root = next((at for at in (folder.resolve(), *folder.resolve().parents) if (at / ".git").exists()), None)
        if root is None:
            return None
        repository = Repository(root / ".git")
        commit = repository.head()
        if commit is None:
            return None
        inside = folder.resolve().relative_to(root).parts
        return commit if repository.policies(commit, inside) == _blobs(files) else None
    except (OSError, ValueError, LookupError, StopIteration, zlib.error):
        return None


def _blobs(files: Mapping[str, Path]) -> dict[str, str]:
    found = {}
    for name, path in files.items():
        data = path.read_bytes()
        found[name] = sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    return found


class Repository:
    """A git folder: its loose objects and packs, of SHA-1. ValueError and KeyError for what is not as expected."""

    def __init__(self, git: Path) -> None:
        if git.is_file():
            git = git.parent / git.read_text("utf-8").removeprefix("gitdir:").strip()
        common = git / "commondir"
        self._git = git
        self._common = git / common.read_text("utf-8").strip() if common.exists() else git
        self._packs = sorted((self._common / "objects" / "pack").glob("*.idx"))

    def head(self) -> str | None:
        """The commit that is checked out."""
        text = (self._git / "HEAD").read_text("utf-8").strip()
        for _ in range(5):
            if not text.startswith("ref: "):
                break
            text = self._reference(text.removeprefix("ref: ").strip())
        return text if _HEX.fullmatch(text) else None

    def _reference(self, name: str) -> str:
        if ".." in name or not name.startswith("refs/"):
            raise ValueError(name)
        for folder in (self._git, self._common):
            if (folder / name).is_file():
                return (folder / name).read_text("utf-8").strip()
        packed = (self._common / "packed-refs").read_text("utf-8").splitlines()
        return next(line.split(" ")[0] for line in packed if line.endswith(f" {name}"))

    def policies(self, commit: str, inside: tuple[str, ...]) -> dict[str, str]:
        """The policy files of a folder in a commit: path from that folder to blob id."""
        kind, data = self.object(commit)
        if kind != b"commit" or not data.startswith(b"tree "):
            raise ValueError(commit)
        tree = data[5:45].decode("ascii")
        for name in inside:
            tree = next(found for mode, entry, found in self._entries(tree) if entry == name and mode == "40000")
        return self._below(tree, "", 0)

    def _below(self, tree: str, before: str, depth: int) -> dict[str, str]:
        if depth > DEEPEST:
            raise ValueError(tree)
        found: dict[str, str] = {}
        for mode, name, object_id in self._entries(tree):
            if name.startswith("."):
                continue
            if mode == "40000":
                found |= self._below(object_id, f"{before}{name}/", depth + 1)
            elif name.endswith(".cedar") or (not before and name == "schema.cedarschema"):
                found[before + name] = object_id
        return found

    def _entries(self, tree: str) -> list[tuple[str, str, str]]:
        kind, data = self.object(tree)
        if kind != b"tree":
            raise ValueError(tree)
        found, at = [], 0
        while at < len(data):
            end = data.index(b"\0", at)
            mode, _, name = data[at:end].decode("utf-8").partition(" ")
            found.append((mode, name, data[end + 1 : end + 21].hex()))
            at = end + 21
        return found

    def object(self, object_id: str, depth: int = 0) -> tuple[bytes, bytes]:
        """Kind and content of an object, whose id is checked."""
        loose = self._common / "objects" / object_id[:2] / object_id[2:]
        if loose.is_file():
            head, _, data = _inflated(_mapped(loose), 0).partition(b"\0")
            kind = head.split(b" ")[0]
        else:
            kind, data = self._packed(object_id, depth)
        if sha1(b"%s %d\0" % (kind, len(data)) + data, usedforsecurity=False).hexdigest() != object_id:
            raise ValueError(object_id)
        return kind, data

    def _packed(self, object_id: str, depth: int) -> tuple[bytes, bytes]:
        for index in self._packs:
            offset = _offset(_mapped(index), bytes.fromhex(object_id))
            if offset is not None:
                return self._at(_mapped(index.with_suffix(".pack")), offset, depth)
        raise KeyError(object_id)

    def _at(self, pack: mmap.mmap, offset: int, depth: int) -> tuple[bytes, bytes]:
        if depth > DEEPEST:
            raise ValueError(offset)
        at, byte = offset + 1, pack[offset]
        code = byte >> 4 & 7
        while byte & 0x80:
            byte, at = pack[at], at + 1
        if code in _KINDS:
            return _KINDS[code], _inflated(pack, at)
        if code == _REFERENCE_DELTA:
            kind, base = self.object(pack[at : at + 20].hex(), depth + 1)
            return kind, _patched(base, _inflated(pack, at + 20))
        if code != _OFFSET_DELTA:
            raise ValueError(code)
        byte, at = pack[at], at + 1
        back = byte & 0x7F
        while byte & 0x80:
            byte, at = pack[at], at + 1
            back = (back + 1 << 7) | byte & 0x7F
        kind, base = self._at(pack, offset - back, depth + 1)
        return kind, _patched(base, _inflated(pack, at))


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _inflated(data: mmap.mmap, at: int) -> bytes:
    """The zlib stream that begins at ``at``, piece by piece: a pack may be larger than memory."""
    inflating, found = zlib.decompressobj(), b""
    while not inflating.eof:
        piece = data[at : at + (1 << 16)]
        found += inflating.decompress(piece)
        at += len(piece)
        if not piece or len(found) > MOST_BYTES:
            raise ValueError("cut off, or too large")
    return found


def _offset(index: mmap.mmap, object_id: bytes) -> int | None:
    """Where a pack holds an object, by its index (version 2)."""
    if index[:8] != b"\xfftOc\0\0\0\x02":
        raise ValueError("another version of a pack's index")
    total = int.from_bytes(index[8 + 255 * 4 : 8 + 256 * 4])
    low = int.from_bytes(index[8 + (object_id[0] - 1) * 4 : 8 + object_id[0] * 4]) if object_id[0] else 0
    high = int.from_bytes(index[8 + object_id[0] * 4 : 12 + object_id[0] * 4])
    names, sums = 8 + 1024, 8 + 1024 + 20 * total
    for place in range(low, high):
        if index[names + 20 * place : names + 20 * place + 20] == object_id:
            at = sums + 4 * total + 4 * place
            offset = int.from_bytes(index[at : at + 4])
            if not offset & 1 << 31:
                return offset
            large = sums + 8 * total + 8 * (offset & (1 << 31) - 1)
            return int.from_bytes(index[large : large + 8])
    return None


def _patched(base: bytes, delta: bytes) -> bytes:
    """A delta applied to its base."""
    at, sizes = 0, []
    for _ in range(2):
        size = shift = 0
        while True:
            byte, at = delta[at], at + 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        sizes.append(size)
    if sizes[0] != len(base) or sizes[1] > MOST_BYTES:
        raise ValueError("not the base of this delta")
    parts = []
    while at < len(delta):
        code, at = delta[at], at + 1
        if not code:
            raise ValueError("a delta of another version")
        if code & 0x80:
            start, length, at = _copied(delta, code, at)
            parts.append(base[start : start + length])
        else:
            parts.append(delta[at : at + code])
            at += code
    return b"".join(parts)


def _copied(delta: bytes, code: int, at: int) -> tuple[int, int, int]:
    """Where a copy begins in the base and how long it is, and where the delta goes on."""
    values = [0, 0]
    for bit in range(7):
        if code & 1 << bit:
            values[bit >= 4] |= delta[at] << 8 * (bit - 4 if bit >= 4 else bit)
            at += 1
    return values[0], values[1] or 0x10000, at
