"""What a tree holds at a place, as far as it has the shape that the schema asks for: what has not is left out."""

from collections.abc import Iterator

from custody.settings.document import Node, Scalar, Series, Table


def entries(node: Node | None) -> tuple[tuple[Scalar, Node], ...]:
    """Keys and values of a mapping."""
    return node.entries if isinstance(node, Table) else ()


def tables(node: Node | None) -> Iterator[tuple[Scalar, Table]]:
    """Keys and values of a mapping, where the value is a mapping itself."""
    return ((key, child) for key, child in entries(node) if isinstance(child, Table))


def listed(node: Node | None) -> Iterator[Table]:
    """The mappings in a list."""
    return (item for item in node.items if isinstance(item, Table)) if isinstance(node, Series) else iter(())


def scalars(node: Node | None) -> tuple[Scalar, ...]:
    """The scalars in a list."""
    return tuple(item for item in node.items if isinstance(item, Scalar)) if isinstance(node, Series) else ()


def texts(node: Node | None) -> tuple[str, ...]:
    """The texts in a list, each once."""
    return tuple(dict.fromkeys(item.text.strip() for item in scalars(node)))


def text(node: Node | None) -> str | None:
    """The text of a scalar; block scalars end in a line break that nobody means."""
    return node.text.strip() if isinstance(node, Scalar) else None


def whole(node: Node | None) -> int | None:
    """The whole number of a scalar; its range is for the schema to check."""
    found = text(node) or ""
    return int(found) if found.isascii() and found.isdecimal() and len(found) < 16 else None
