"""A folder of policies: ``*.cedar`` at any depth, ``schema.cedarschema``, and ``tests/`` (see ``cases``).

Names that begin with a dot are passed over, so that a mounted ConfigMap or a checkout may be the folder.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from custody.broker.policy.policy_set import Checked, PolicySet, checked
from custody.broker.policy.texts import Flaw
from custody.broker.policy.versions import commit_of
from custody.errors import UsageError

SCHEMA_NAME = "schema.cedarschema"
MAX_BYTES = 1 << 20
"""The largest file that is read."""
MOST_FILES = 1000

Signature = tuple[tuple[str, int, int, int, int], ...]


class Reloaded(msgspec.Struct, frozen=True, kw_only=True):
    """What a look at the folder gave: whether other policies hold now, and, where the new ones cannot, why not."""

    changed: bool
    flaws: tuple[Flaw, ...] = ()


class PolicyFolder:
    """The policies of a folder as they hold now. A change that is not sound leaves the last sound set in force."""

    def __init__(self, folder: Path) -> None:
        """Read the folder. UsageError, with everything that is wrong, where its policies cannot decide."""
        self._folder = folder
        self._seen = signature(folder)
        found = read(folder)
        if found.found is None:
            raise refusal(folder, found.flaws)
        self.current: PolicySet = found.found
        self.flaws: tuple[Flaw, ...] = ()

    def reload(self) -> Reloaded:
        """Look whether files changed, and take the new policies where they are sound as a whole.

        While files change under the reading nothing is taken: the next call looks again. The flaws stay in ``flaws``
        until the folder is sound.
        """
        try:
            before = signature(self._folder)
            if before == self._seen:
                return Reloaded(changed=False, flaws=self.flaws)
            found = read(self._folder)
            if signature(self._folder) != before:
                return Reloaded(changed=False, flaws=self.flaws)
        except UsageError as error:
            self.flaws = (Flaw(where=error.where, message=error.message, found=error.found),)
            return Reloaded(changed=False, flaws=self.flaws)
        self._seen, self.flaws = before, found.flaws
        if found.found is None:
            return Reloaded(changed=False, flaws=found.flaws)
        changed = (found.found.sha256, found.found.schema.sha256, found.found.commit) != (
            self.current.sha256,
            self.current.schema.sha256,
            self.current.commit,
        )
        self.current = found.found
        return Reloaded(changed=changed)


def read(folder: Path) -> Checked:
    """Everything in the folder, checked. UsageError where it, or a file of it, cannot be read."""
    files, extension = texts(folder)
    names = [*files, *([] if extension is None else [SCHEMA_NAME])]
    commit = commit_of(folder, {name: (folder / name) for name in names})
    found = checked(files, extension, schema_name=SCHEMA_NAME, commit=commit)
    if not files:
        flaws = (*found.flaws, Flaw(where=str(folder), message="no policy", expected="files *.cedar"))
        return msgspec.structs.replace(found, found=None, flaws=flaws)
    return found


def texts(folder: Path) -> tuple[dict[str, str], str | None]:
    """The policy files of a folder by name, and what it adds to the schema. UsageError where one cannot be read."""
    names = _names(folder)
    files = {name: _text(folder / name, name) for name in names if name != SCHEMA_NAME}
    return files, _text(folder / SCHEMA_NAME, SCHEMA_NAME) if SCHEMA_NAME in names else None


def signature(folder: Path) -> Signature:
    """What changes when a file of the folder does: names, sizes, inodes and times. UsageError where it is no folder."""
    found = []
    for name in _names(folder):
        try:
            seen = (folder / name).stat()
        except OSError as error:
            raise UsageError("cannot be read", where=name, found=error.strerror or "") from None
        found.append((name, seen.st_size, seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns))
    return tuple(found)


def refusal(folder: Path, flaws: tuple[Flaw, ...]) -> UsageError:
    """One error with every flaw of a folder."""
    lines = [
        f"{each.where or folder}: {each.message}{f' (found {each.found})' if each.found else ''}" for each in flaws
    ]
    return UsageError("\n".join(["the policies cannot decide", *lines]), where=str(folder))


def _names(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise UsageError("no policy folder", where=str(folder), expected="a folder with *.cedar")
    found: list[str] = []
    for at, folders, files in os.walk(folder, onerror=_unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = Path(at).relative_to(folder)
        linked = [str(inside / name) for name in folders if (Path(at) / name).is_symlink()]
        if linked:  # not followed, and policies in it must not be missed without a word
            raise UsageError("a linked folder", where=linked[0], expected="folders and files")
        found += [str(inside / name) for name in files if name.endswith(".cedar") and not name.startswith(".")]
    found += [SCHEMA_NAME] if (folder / SCHEMA_NAME).exists() else []
    if len(found) > MOST_FILES:
        raise UsageError("too many files", where=str(folder), found=str(len(found)), expected=f"{MOST_FILES} at most")
    if not all(name.isprintable() for name in found):  # half surrogate pairs, as of bytes that are not UTF-8, neither
        raise UsageError("a file name that cannot be shown", where=str(folder))
    return sorted(found)


def _unreadable(error: OSError) -> None:
    raise UsageError("cannot be read", where=os.fsdecode(error.filename or ""), found=error.strerror or "")


def _text(path: Path, name: str) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise UsageError("file too large", where=name, expected=f"at most {MAX_BYTES} bytes")
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError("not UTF-8", where=name, found=f"byte {error.start}") from None
    except (OSError, ValueError) as error:
        raise UsageError("cannot be read", where=name, found=getattr(error, "strerror", None) or "") from None
