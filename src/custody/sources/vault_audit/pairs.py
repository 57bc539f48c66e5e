"""Whether an object in a line of text has a name twice. The readers see to lines that are JSON as a whole."""

import json


class _Twice(ValueError):
    """A name stands twice."""


def has_a_name_twice(line: bytes) -> bool:
    """Whether any object of the JSON in ``line``, which begins at the first brace, has a name twice."""
    try:
        json.loads(line[max(line.find(b"{"), 0) :], object_pairs_hook=_once)
    except _Twice:
        return True
    except (ValueError, RecursionError):
        return False
    return False


def _once(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _Twice
