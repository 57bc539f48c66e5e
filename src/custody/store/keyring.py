"""The keys of a store: never under the store, one folder per store id, 0700 with files 0600.

::

    KEYS/<store id>/seed                     the 32-byte Ed25519 seed of the operations log
    KEYS/<store id>/vkey                     its public half, to be given to those who verify
    KEYS/<store id>/secret                   32 bytes that key the hashes of personal identities and joins
    KEYS/<store id>/operations.last-signed   the last note signed, durable before it is published
    KEYS/<store id>/next                     the seed that a rotation in progress goes to (store.rotation)
"""

import os
from collections.abc import Callable
from pathlib import Path

from custody.errors import StoreError
from custody.ledger.note import Signer, sign
from custody.store.disk import Disk, make_folders, replace
from custody.store.layout import inside

SEED = "seed"
VKEY = "vkey"
SECRET = "secret"  # noqa: S105  # the name of a file
LAST_SIGNED = "operations.last-signed"
APPROVALS_LAST_SIGNED = "approvals.last-signed"
NEXT = "next"
SIZE = 32


class Keyring:
    """The keys of one store. ``sign`` makes a note durable here before anybody sees it."""

    def __init__(self, disk: Disk, folder: Path, origin: str) -> None:
        self._disk, self._folder = disk, folder
        self._signer = Signer(origin, _read_key(folder / SEED))
        self._last = APPROVALS_LAST_SIGNED if origin.endswith("/approvals") else LAST_SIGNED
        self.secret = _read_key(folder / SECRET)

    @property
    def vkey(self) -> str:
        """The public key as text."""
        return self._signer.vkey

    @property
    def last_signed(self) -> bytes | None:
        """The last note signed, None where nothing was."""
        return read_last_signed(self._folder, self._last)

    def sign(self, text: str) -> bytes:
        """Sign ``text`` and return the note, which is durable beside the key when this returns."""
        note = sign(text, [self._signer])
        self.remember(note)
        return note

    def again(self, text: str) -> bytes:
        """The note of a checkpoint that was published before: Ed25519 gives the same bytes. It is not the last signed.

        The caller has proved that the log continues it.
        """
        return sign(text, [self._signer])

    def upcoming(self) -> Signer:
        """The key that a rotation goes to, drawn and durable; one that a rotation left behind is taken up again."""
        path = self._folder / NEXT
        if not path.exists():
            replace(self._disk, path, os.urandom(SIZE))
        return Signer(self._signer.name, _read_key(path))

    def sign_both(self, text: str) -> bytes:
        """``text`` signed by this key and the upcoming one, durable as last signed when this returns."""
        note = sign(text, [self._signer, self.upcoming()])
        self.remember(note)
        return note

    def rotation_to(self, upcoming: Signer, compose: Callable[[str, Signer, Signer], str]) -> str:
        """What ``compose`` makes of the origin, this key and the upcoming one: the seed itself goes nowhere."""
        return compose(self._signer.name, self._signer, upcoming)

    def switch(self) -> None:
        """Put the upcoming key in the place of this one, whose seed is gone from then on."""
        signer = self.upcoming()
        self._disk.rename(self._folder / NEXT, self._folder / SEED)
        self._disk.sync_folder(self._folder)
        self._signer = signer
        replace(self._disk, self._folder / VKEY, f"{signer.vkey}\n".encode())

    @property
    def rotating(self) -> bool:
        """Whether there is a seed that a rotation goes to."""
        return (self._folder / NEXT).exists()

    def remember(self, note: bytes) -> None:
        """Make ``note`` the last signed."""
        replace(self._disk, self._folder / self._last, note)


def create_keys(disk: Disk, keys: Path, store_id: str, origin: str, *, root: Path) -> Keyring:
    """Draw the keys of a new store and make them durable. StoreError where ``keys`` lies in the store."""
    if inside(root, keys):
        raise StoreError(
            "keys must not be kept in the store that they protect",
            where=str(keys),
            advice="Choose a key folder outside the store, best on another volume or account.",
        )
    folder = keys / store_id
    make_folders(folder)
    for name in (SEED, SECRET):
        replace(disk, folder / name, os.urandom(SIZE))
    keyring = Keyring(disk, folder, origin)
    replace(disk, folder / VKEY, f"{keyring.vkey}\n".encode())
    for parent in (keys, keys.parent):
        disk.sync_folder(parent)
    return keyring


def open_keys(disk: Disk, keys: Path, store_id: str, origin: str, *, vkey: str) -> Keyring:
    """The keys of an existing store. StoreError where they are missing, open to others, or another store's.

    Where a rotation was cut off before its last step, ``vkey`` is the upcoming key: it is put in its place.
    """
    folder = keys / store_id
    if not (folder / SEED).is_file() or not (folder / SECRET).is_file():
        raise StoreError(
            "the keys of this store are not here: it can be read and verified, not written",
            where=str(folder),
            advice="Restore the key folder, or name the one that holds it. Without it start a new store.",
        )
    keyring = Keyring(disk, folder, origin)
    if keyring.vkey != vkey and keyring.rotating and keyring.upcoming().vkey == vkey:
        keyring.switch()
    if keyring.vkey != vkey:
        raise StoreError("the key is not this store's", where=str(folder), found=keyring.vkey, expected=vkey)
    if stored_vkey(keys, store_id) != keyring.vkey:
        replace(disk, folder / VKEY, f"{keyring.vkey}\n".encode())
    return keyring


def read_last_signed(folder: Path, name: str = LAST_SIGNED) -> bytes | None:
    """The last note signed with the keys in ``folder``, None where nothing was."""
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError:
        return None


def _read_key(path: Path) -> bytes:
    mode = path.stat().st_mode & 0o077
    if mode:
        raise StoreError(
            "others can read this key",
            where=str(path),
            found=f"mode {path.stat().st_mode & 0o777:04o}",
            expected="0600",
            advice=f"If nobody has read it: chmod 600 {path}",
        )
    key = path.read_bytes()
    if len(key) != SIZE:
        raise StoreError("a key is damaged", where=str(path), found=f"{len(key)} bytes", expected=f"{SIZE} bytes")
    return key


def stored_vkey(keys: Path, store_id: str) -> str | None:
    """The public key that the key folder has for a store, None where it has none: reading needs no secret."""
    try:
        return (keys / store_id / VKEY).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
