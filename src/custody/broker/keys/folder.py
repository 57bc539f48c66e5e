"""The folder of a ring: ``ring.json`` (public), and the private keys of current and next, each in a file of its own.

Every change is one rename, so that a crash leaves the ring before or the ring after. A private key is written before
the ring names it and deleted after the ring no longer signs with it: of a previous key only its public half is kept.

Two brokers that start for the first time side by side find the same keys: a lock beside the folder (``NAME.lock``) lets
one make them while the other waits, and nobody reads a ring while it is turned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from custody.broker.keys.private import private, secret
from custody.broker.keys.ring import Place, Ring, begun, turned
from custody.broker.keys.signer import Algorithm, Signer, drawn, loaded
from custody.errors import StoreLocked, UsageError
from custody.store.disk import Disk, RealDisk, replace
from custody.store.lock import hold

_RING = "ring.json"
_WAIT = 10.0
"""Seconds for which somebody else may be at work on the keys."""


class KeyFolder:
    """The keys of one ring. Only the broker that issues turns it; the ring in memory is that of the disk."""

    def __init__(
        self,
        folder: Path,
        algorithm: Algorithm,
        *,
        disk: Disk | None = None,
        draw: Callable[[Algorithm], Signer] = drawn,
    ) -> None:
        self._folder = folder
        self._algorithm = algorithm
        self._disk = disk or RealDisk()
        self._draw = draw

    def open(self, now: int) -> tuple[Ring, Signer]:
        """The ring and the key that signs; a new ring where there is none.

        UsageError for what cannot be trusted, StoreLocked where somebody else is at work on it and does not end.
        """
        with self._alone():
            path = self._folder / _RING
            if not path.is_file():
                return self._begin(now)
            ring = self._read(path)
            self._signer(ring, Place.NEXT)
            return ring, self._signer(ring, Place.CURRENT)

    def turn(self, ring: Ring, now: int, *, until: int, distrusted: bool = False) -> tuple[Ring, Signer]:
        """Turn the ring durably; see ``ring.turned``. An OSError leaves the ring of before, or the one after.

        ``distrusted`` takes two turns in one: the next key lay beside the one that is not trusted any more.
        """
        with self._alone():
            if distrusted:
                ring, _ = self._turn(ring, now, until=until)
            return self._turn(ring, now, until=until, distrusted=distrusted)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Make the folder where there is none, and be the only one at work on it."""
        private(self._folder)
        try:
            lock = hold(self._folder.with_name(f"{self._folder.name}.lock"), _WAIT)
        except StoreLocked as error:
            raise StoreLocked(
                "another process is at work on these keys",
                where=str(self._folder),
                found=error.found,
                advice="Wait until it has ended, and start again.",
            ) from None
        try:
            yield
        finally:
            lock.release()

    def _turn(self, ring: Ring, now: int, *, until: int, distrusted: bool = False) -> tuple[Ring, Signer]:
        following = self._draw(self._algorithm)
        after = turned(ring, following.jwk, now, until=until, distrusted=distrusted)
        self._keep(following)
        signer = self._signer(after, Place.CURRENT)
        replace(self._disk, self._folder / _RING, msgspec.json.encode(after))
        self._sweep(after)
        return after, signer

    def _begin(self, now: int) -> tuple[Ring, Signer]:
        current, following = self._draw(self._algorithm), self._draw(self._algorithm)
        ring = begun(current.jwk, following.jwk, now)
        self._keep(current)
        self._keep(following)
        replace(self._disk, self._folder / _RING, msgspec.json.encode(ring))
        self._sweep(ring)
        return ring, current

    def _keep(self, signer: Signer) -> None:
        path = self._path(signer.jwk.kid)
        self._disk.write(path, signer.pem())
        self._disk.sync_file(path)
        self._disk.sync_folder(self._folder)

    def _sweep(self, ring: Ring) -> None:
        """Delete the private keys that sign no more, and those that a crash left before any ring named them."""
        kept = {self._path(ring.at(place).jwk.kid) for place in (Place.CURRENT, Place.NEXT)}
        for path in sorted(self._folder.glob("*.pem")):
            if path not in kept:
                self._disk.delete(path)

    def _read(self, path: Path) -> Ring:
        try:
            return msgspec.json.decode(path.read_bytes(), type=Ring)
        except msgspec.DecodeError as error:
            raise UsageError("a ring of keys is damaged", where=str(path), found=str(error)[:200]) from None

    def _signer(self, ring: Ring, place: Place) -> Signer:
        jwk = ring.at(place).jwk
        path = self._path(jwk.kid)
        if jwk.alg != self._algorithm:
            raise UsageError(
                "the keys are of another algorithm",
                where=str(self._folder),
                found=jwk.alg,
                expected=self._algorithm,
                advice="Give the backend another name, or move its folder of keys away once its tokens have ended.",
            )
        try:
            signer = loaded(secret(path), str(path), jwk.alg)
        except FileNotFoundError:
            raise UsageError("a signing key is missing", where=str(path), expected=f"the {place} key") from None
        if signer.jwk != jwk:
            raise UsageError("a signing key is not the one of its ring", where=str(path), found=signer.jwk.kid)
        return signer

    def _path(self, kid: str) -> Path:
        if not kid.replace("-", "").replace("_", "").isalnum() or not kid.isascii():
            raise UsageError("a ring of keys is damaged", where=str(self._folder), found=ascii(kid[:60]))
        return self._folder / f"{kid}.pem"
