"""Several values in one text of a row: facts gather them by principal, and rules take them apart again.

An array of structs is not in the SQL that every engine runs, and the order inside an array is not given: each element
is a text. Where a log may choose one of its parts freely, that stands at the end, behind unit separators; where it may
choose several, each part stands behind its length.
"""

SEPARATOR = chr(31)


def packed(*parts: str) -> str:
    """The SQL of one element: ``parts`` are SQL; a null is the empty text."""
    texts = (f"coalesce(CAST({part} AS VARCHAR), '')" for part in parts)
    return f"concat({', chr(31), '.join(texts)})"


def unpacked(text: str, parts: int) -> list[str]:
    """The parts of an element."""
    return text.split(SEPARATOR, parts - 1)


def framed(*parts: str) -> str:
    """The SQL of one element of parts that a log chooses: each behind its length; a null is the empty text."""
    texts = (f"coalesce(CAST({part} AS VARCHAR), '')" for part in parts)
    return "concat(" + ", ".join(f"length({text}), ':', {text}" for text in texts) + ")"


def unframed(text: str) -> list[str]:
    """The parts of such an element."""
    found: list[str] = []
    while text:
        length, _, rest = text.partition(":")
        found.append(rest[: int(length)])
        text = rest[int(length) :]
    return found


def named(key: str) -> str:
    """The SQL of what people call the principal or workload in ``key``: without type and scope."""
    return f"regexp_replace({key}, '^[^:]*:[^:]*:', '')"


PRINCIPAL = "coalesce(c.subject, c.workload, c.key)"
"""The SQL of whom a credential of ``credentials c`` speaks for: what the register calls its name."""
