"""Texts that were searched for secrets and hold none: workloads say the same few words in every request."""

from __future__ import annotations

from collections.abc import Callable

MOST = 4096
"""Texts that are remembered; what does hold a secret never is."""


class Clean:
    """Whether a text holds what looks like a secret, as ``search`` says; what is clean is searched once."""

    def __init__(self, search: Callable[[str], bool]) -> None:
        self._search = search
        self._clean: dict[str, None] = {}

    def __call__(self, text: str) -> bool:
        """True where it does."""
        if text in self._clean:
            return False
        if self._search(text):
            return True
        if len(self._clean) >= MOST:
            del self._clean[next(iter(self._clean))]
        self._clean[text] = None
        return False
