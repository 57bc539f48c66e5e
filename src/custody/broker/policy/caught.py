"""What an engine raises becomes a word: a seam that never raises, whatever stands behind it."""

from __future__ import annotations

from types import TracebackType
from typing import Self


class Caught:
    """Turns whatever is raised within into ``error``: an engine that fails, by any error or panic, has denied.

    Only what ends the process (an interrupt, an exit) goes on. The word names the kind of error and none of its text,
    which may quote what the engine was given.
    """

    def __init__(self) -> None:
        self.error = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        if kind is None or issubclass(kind, (KeyboardInterrupt, SystemExit, GeneratorExit)):
            return False
        self.error = f"the engine failed: {kind.__name__}"
        return True
