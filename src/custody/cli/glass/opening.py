"""Opening a glass from the command line: whose keys, and to whom the credential is handed over."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from custody.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from custody.broker.glass.file import Sealed
    from custody.broker.glass.sealing import Opened


class Ways(msgspec.Struct, frozen=True, kw_only=True):
    """How a glass is to be opened: by which files, why, and where that is written down."""

    keys: tuple[Path, ...]
    passphrases: tuple[Path, ...]
    share: Path | None
    reason: str
    journal: Path


def now() -> int:
    """The time of this machine (µs)."""
    return time.time_ns() // 1000


def passphrase(files: Sequence[Path], number: int, key: Path, *, again: bool = False) -> str:
    """The passphrase of a key: from its file, or asked for on the terminal."""
    if number < len(files):
        return files[number].read_text(encoding="utf-8").rstrip("\r\n")
    return str(click.prompt(f"passphrase of {key}", hide_input=True, confirmation_prompt=again, err=True))


def private_keys(files: Sequence[Path], phrases: Sequence[Path]) -> tuple[X25519PrivateKey, ...]:
    """The private keys in files, each by its passphrase."""
    from custody.broker.glass import holders

    return tuple(
        holders.read_private(path.read_bytes(), passphrase(phrases, number, path), str(path))
        for number, path in enumerate(files)
    )


def opened(sealed: Sealed, ways: Ways) -> tuple[Opened, str]:
    """The glass, opened, and every reason that was given for it."""
    from custody.broker.glass import shares
    from custody.broker.glass.names import reason_of

    why = reason_of(ways.reason)
    if len(ways.keys) != (2 if ways.share is None else 1):
        raise UsageError("two people open a glass", where="--key", expected="two keys, or one key and --share")
    found = private_keys(ways.keys, ways.passphrases)
    if ways.share is None:
        return shares.both(sealed, *found), why
    given, theirs = shares.take(sealed, shares.read(ways.share.read_bytes(), str(ways.share)), found[0])
    return given, why if theirs == why else f"{theirs} / {why}"[:500]


def use(sealed: Sealed, ways: Ways, command: Sequence[str], prefix: str | None) -> int:
    """Open, write that down, then hand the credential to a command (its exit code) or, without one, to stdout."""
    from custody.cli.output import emit
    from custody.pipeline.glass.opening import OfflineJournal

    run = _runner(sealed, prefix) if command else None
    glass, why = opened(sealed, ways)
    journal = OfflineJournal(ways.journal, sealed, now(), secrets.token_bytes)
    try:
        journal.say("opened", why, glass, now())
        told = f"opened {sealed.glass} by {' and '.join(glass.people)}; written down in {ways.journal}"
        click.echo(told, err=True)
        if run is None:
            journal.say("used", "printed", glass, now())
            emit(_fields(glass))
            return 0
        journal.say("used", f"command {Path(command[0]).name[:60]!a}", glass, now())
        code = run(glass, command)
        journal.say("ended", f"exit code {code}", glass, now())
    finally:
        journal.close()
    return code


class _Run:
    """Runs a command with the credential in its environment, as ``custody lease`` does."""

    def __init__(self, sealed: Sealed, prefix: str | None) -> None:
        from custody.client.environment import variables

        self._kind, self._prefix = sealed.type.removeprefix("custody:"), prefix
        self._told = {"chain": sealed.chain, "expires": sealed.not_after, "glass": sealed.glass}
        variables(self._kind, {}, self._told, prefix)  # what is wrong with the prefix shows before anything is opened

    def __call__(self, glass: Opened, command: Sequence[str]) -> int:
        from custody.client.command import NOT_FOUND, NOT_RUN, Signals
        from custody.client.environment import handed_down, variables

        given = variables(self._kind, _fields(glass), self._told, self._prefix)
        own = self._prefix is None
        whole = handed_down(os.environ, self._kind, given, hidden=frozenset(), secrets=(), own_names=own)
        try:
            with Signals() as signals:
                return signals.run(command, whole)
        except OSError as error:
            click.echo(f"custody: {command[0][:200]!a}: {error.strerror}", err=True)
            return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_RUN


def _runner(sealed: Sealed, prefix: str | None) -> _Run:
    try:
        return _Run(sealed, prefix)
    except ImportError as error:
        advice = "pip install 'custody[client]', or --print"
        raise UsageError("running a command needs the client", found=str(error.name), advice=advice) from None


def _fields(glass: Opened) -> dict[str, str]:
    """A fact under a name that a secret has, too, is a slip of the backend's: the secret holds."""
    return glass.contents.facts | {name: each.reveal() for name, each in glass.contents.secrets.items()}
