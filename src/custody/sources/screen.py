"""A quick screen over many records at once: the one place in this room that asks pyarrow to search bytes.

RE2 runs a whole alternation in one pass at about 1.5 ns a byte, which is what two plain searches cost in Python.
"""

from collections.abc import Sequence


def matches(raws: Sequence[bytes], pattern: str) -> list[bool]:
    """Whether ``pattern`` (RE2 syntax, bytes, no look-around) occurs in each of ``raws``."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = pa.array(raws, pa.large_binary())
    found: list[bool] = pc.match_substring_regex(column, pattern).to_pylist()
    return found


def counts(raws: Sequence[bytes], pattern: str) -> list[int]:
    """How often ``pattern`` occurs in each of ``raws``, matches not overlapping."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = pa.array(raws, pa.large_binary())
    found: list[int] = pc.count_substring_regex(column, pattern).to_pylist()
    return found
