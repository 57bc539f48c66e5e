"""Several values in one text of a row: facts gather them by principal, and rules take them apart again.

An array of structs is not in the SQL that every engine runs, and the order inside an array is not given: each element
is a text whose parts stand between unit separators, the one that a log may choose freely at the end.
"""

SEPARATOR = chr(31)


def packed(*parts: str) -> str:
    """The SQL of one element: ``parts`` are SQL; a null is the empty text."""
    texts = (f"coalesce(CAST({part} AS VARCHAR), '')" for part in parts)
    return f"concat({', chr(31), '.join(texts)})"


def unpacked(text: str, parts: int) -> list[str]:
    """The parts of an element."""
    return text.split(SEPARATOR, parts - 1)


def named(key: str) -> str:
    """The SQL of what people call the principal or workload in ``key``: without type and scope."""
    return f"regexp_replace({key}, '^[^:]*:[^:]*:', '')"


PRINCIPAL = "coalesce(c.subject, c.workload, c.key)"
"""The SQL of whom a credential of ``credentials c`` speaks for: what the register calls its name."""
