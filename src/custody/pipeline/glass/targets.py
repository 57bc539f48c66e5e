"""What a drill breaks into: a system that takes a credential, or does not. The fake is the memory backend itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from custody.broker.backends.backend import Backend, Held
from custody.broker.glass.file import Contents
from custody.errors import BackendFailed
from custody.model.brokered import Effect
from custody.settings.broker_file import BackendTable

NAME = "target"
SCOPE = "emergency"
LONGEST = 3600
"""Seconds for which the credentials of a drill are good."""


class Target(Protocol):
    """A system with accounts; ``keeps_log`` says whether it writes down itself what is done on it."""

    kind: str
    keeps_log: bool

    def table(self) -> BackendTable:
        """Its part of the broker file, under the name NAME, with the scope SCOPE."""
        ...

    def take(self, backends: Mapping[str, Backend]) -> None:
        """Be told of the backends that were made of the broker file."""
        ...

    def works(self, contents: Contents, held: Held) -> bool:
        """Whether the credential opens it now: a real login. BackendFailed where nobody can say."""
        ...

    def log(self, word: str) -> Path:
        """Its log, once ``word`` is in it. BackendFailed where it does not come, or none is kept."""
        ...

    def close(self) -> None:
        """Stop it, and leave nothing behind."""
        ...


class MemoryTarget:
    """The backend that makes credentials of nothing: its only login is the backend's own probe, and it has no log."""

    kind = "memory"
    keeps_log = False

    def __init__(self) -> None:
        self._backend: Backend | None = None

    def table(self) -> BackendTable:
        """See ``Target``."""
        return BackendTable(name=NAME, kind="memory", max_ttl=LONGEST, options={"scopes": [SCOPE], "quick": False})

    def take(self, backends: Mapping[str, Backend]) -> None:
        """See ``Target``."""
        self._backend = backends[NAME]

    def works(self, contents: Contents, held: Held) -> bool:
        """See ``Target``."""
        assert self._backend is not None
        seen = self._backend.probe(held, contents.secrets["password"])
        if seen is None:
            raise BackendFailed("the login was not tried", reason="not-tried", where=NAME)
        return seen.effect is Effect.ALIVE

    def log(self, word: str) -> Path:
        """See ``Target``."""
        raise BackendFailed("it keeps no log", reason="no-log", where=NAME, expected=word)

    def close(self) -> None:
        """See ``Target``."""
        self._backend = None
