"""``STORE/store.json``: which store this is. Its SHA-256 is sealed in log entry 0, the statement ``store``."""

from hashlib import sha256
from pathlib import Path

import msgspec

from custody.errors import StoreError, StoreNewer
from custody.store.history import History
from custody.store.layout import CHECKPOINT, FORMAT, STORE_FILE, origin_of


class StoreFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``format`` is the number of the layout, ``store`` the store's id (32 hex digits), ``vkey`` its public key."""

    format: int
    store: str
    origin: str
    vkey: str

    def encode(self) -> bytes:
        """The one form of the file."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    @property
    def sha256(self) -> str:
        """The digest (hex) that log entry 0 seals."""
        return sha256(self.encode()).hexdigest()


class _Numbered(msgspec.Struct, frozen=True):
    format: int


def new_store(store_id: str, vkey: str) -> StoreFile:
    """The file of a new store."""
    return StoreFile(format=FORMAT, store=store_id, origin=origin_of(store_id), vkey=vkey)


def read_store_file(root: Path) -> StoreFile:
    """Read and check the file. StoreNewer where its format is higher; StoreError where it is absent or damaged."""
    path = root / STORE_FILE
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise _absent(root) from None
    except OSError as error:
        raise StoreError("store.json cannot be read", where=str(path), found=str(error.strerror)) from None
    try:
        number = msgspec.json.decode(data, type=_Numbered).format
        if number > FORMAT:
            raise StoreNewer(
                "the store was written by a newer custody",
                where=str(path),
                found=f"format {number}",
                expected=f"format {FORMAT} or lower",
                advice="Update custody to read this store.",
            )
        found = msgspec.json.decode(data, type=StoreFile)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreError("store.json is damaged", where=str(path), found=str(error)) from None
    if found.encode() != data or found.origin != origin_of(found.store) or not is_store_id(found.store):
        raise StoreError("store.json is not in its one form", where=str(path))
    return found


def is_store_id(text: str) -> bool:
    """Whether ``text`` is 32 lower-case hex digits: it names a folder, so nothing else will do."""
    return len(text) == 32 and set(text) <= set("0123456789abcdef")


def _absent(root: Path) -> StoreError:
    if (root / CHECKPOINT).exists():
        return StoreError(
            "the store has a log and no store.json",
            where=str(root),
            advice="Restore store.json from a copy: without it nothing says which key signs here.",
        )
    return StoreError("there is no store here", where=str(root), advice="`custody audit PATH` makes one.")


def check_sealed(history: History, store: StoreFile, root: Path) -> None:
    """StoreError where store.json is not the one that log entry 0 seals."""
    first = history.said[0] if history.said else None
    sealed = first.entry.fields.get("sha256") if first and first.leaf == 0 else None
    if sealed != store.sha256:
        where = str(root / STORE_FILE)
        raise StoreError("store.json is not the one that was sealed", where=where, expected=str(sealed))
