"""The schema that policies are checked and evaluated with: custody's own, and what a policy folder adds to it.

Without a schema an engine would skip a ``forbid`` that meets a missing attribute, and the request could be allowed.
"""

from __future__ import annotations

import functools
import re
from hashlib import sha256
from importlib import resources

import cedarpy
import msgspec

from custody.errors import UsageError

BUILT_IN = frozenset({"String", "Long", "Bool", "Boolean", "Set", "Record", "Entity", "Extension"})
"""Names of Cedar's own types; with those of its extensions nothing may be declared anew under them."""

EXTENSIONS = frozenset({"datetime", "decimal", "duration", "ipaddr"})

_UNREAD = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n\r]*', re.DOTALL)
_DECLARED = re.compile(r"\b(?:type|entity)\s+([A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)*)", re.ASCII)
_ACTION = re.compile(r"\baction\b", re.ASCII)


class PolicySchema(msgspec.Struct, frozen=True):
    """A schema, parsed. ``sha256`` (hex) is of ``text``, which is exactly what the engine was given."""

    text: str
    sha256: str
    handle: cedarpy.Schema


@functools.cache
def base_text() -> str:
    """The schema that custody ships (Cedar schema syntax)."""
    return resources.files(__package__).joinpath("base.cedarschema").read_text("utf-8")


def combined(extension: str | None, where: str = "", base: str | None = None) -> PolicySchema:
    """The base schema with the declarations of a folder. UsageError where they do not parse or would change the base.

    ``base`` is the text of another schema than the broker's: of whoever asks policies about its own actions.

    A folder may declare types, entity types and namespaces under names that are free. It may declare no action: custody
    asks about its own only.
    """
    base = base_text() if base is None else base
    if extension is not None:
        _check(extension, where, base)
    text = base if extension is None else f"{base}\n{extension}"
    try:
        handle = cedarpy.Schema.from_str(text)
    except ValueError as error:
        said = " ".join(str(error).split())[:300]
        raise UsageError("not a schema", where=where, found=said, expected="Cedar schema syntax") from None
    return PolicySchema(text, sha256(text.encode()).hexdigest(), handle)


def declared(text: str) -> frozenset[str]:
    """The names of types and entity types that a schema declares."""
    found = _DECLARED.findall(_UNREAD.sub(" ", text))
    return frozenset(name.strip() for names in found for name in names.split(","))


def _check(extension: str, where: str, base: str) -> None:
    # A type of the same name as an entity type is legal Cedar, and would take its place where the base names it.
    taken = declared(extension) & (declared(base) | BUILT_IN | EXTENSIONS)
    if taken:
        found = ", ".join(sorted(taken))
        raise UsageError("declared by custody or by Cedar already", where=where, found=found, expected="other names")
    if _ACTION.search(_UNREAD.sub(" ", extension)):
        raise UsageError("an action", where=where, expected="types, entity types: custody asks of its own actions")
