"""Laying out plain text in columns. Everything here counts terminal columns, not characters, and knows no colours."""

from collections.abc import Iterable, Sequence

from custody.reports.safe import shortened, width
from custody.reports.words import LOG, number

COLUMNS = 80
LABEL = 14


def pad(text: str, columns: int) -> str:
    """``text`` filled with spaces on the right, or shortened in the middle, to exactly ``columns``."""
    text = shortened(text, columns)
    return text + " " * (columns - width(text))


def right(text: str, columns: int) -> str:
    """``text`` filled with spaces on the left."""
    return " " * (columns - width(text)) + text


def wrapped(text: str, columns: int, most: int | None = None) -> list[str]:
    """Lines of whole words, at most ``columns`` wide; a longer word is shortened in its middle.

    Past ``most`` lines the last ends in ``…``. An empty text is one empty line.
    """
    lines = [""]
    for word in text.split(" "):
        piece = shortened(word, columns)
        joined = f"{lines[-1]} {piece}" if lines[-1] else piece
        if width(joined) <= columns:
            lines[-1] = joined
        else:
            lines.append(piece)
    if most is not None and len(lines) > most:
        last = lines[most - 1]
        while width(last) > columns - 2:
            last = last[:-1]
        return [*lines[: most - 1], f"{last} …"]
    return lines


def ended(lines: list[str], note: str, columns: int = COLUMNS) -> list[str]:
    """``lines`` with ``note`` at the right edge of the last one, or of a line of its own where it does not fit."""
    gap = columns - width(lines[-1]) - width(note)
    if gap >= 2:
        return [*lines[:-1], f"{lines[-1]}{' ' * gap}{note}"]
    return [*lines, right(note, columns)]


def labelled(label: str, lines: Iterable[str], columns: int = LABEL) -> list[str]:
    """``lines`` beside ``label``, which stands before the first of them."""
    heads = [pad(label, columns)]
    return [f"{heads.pop() if heads else ' ' * columns}{line}".rstrip() for line in lines]


def listed(items: Sequence[str], columns: int, separator: str = ", ") -> list[str]:
    """Lines of whole ``items``: one is never divided, only shortened where it is wider than a line."""
    lines = [""]
    for position, item in enumerate(items):
        end = separator.rstrip() if position + 1 < len(items) else ""
        piece = shortened(item, columns - len(end)) + end
        gap = " " * (len(separator) - len(separator.rstrip())) if lines[-1] else ""
        if lines[-1] and width(lines[-1]) + len(gap) + width(piece) > columns:
            lines.append(piece)
        else:
            lines[-1] += gap + piece
    return [line.rstrip() for line in lines]


def leaves(indexes: Sequence[int], most: int, total: int | None = None) -> str:
    """``leaf operations:1204``, ``leaves operations:1204 1711 …``: at most ``most`` of them."""
    if not indexes:
        return ""
    more = " …" if max(total or 0, len(indexes)) > most else ""
    name = "leaf" if len(indexes) == 1 and not more else "leaves"
    return f"{name} {LOG}:{' '.join(str(index) for index in indexes[:most])}{more}"


def joined(pairs: Iterable[tuple[str, int]], gap: str = "   ") -> str:
    """``machines 6   people 36``."""
    return gap.join(f"{name} {number(value)}" for name, value in pairs)
