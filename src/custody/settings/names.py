"""Advice for a name that nobody knows."""

import difflib
from collections.abc import Sequence


def nearest(name: str, known: Sequence[str]) -> str:
    """The closest name that is known, or all of them."""
    close = difflib.get_close_matches(name[:100], known, n=1)
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
