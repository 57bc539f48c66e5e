"""The response file as it is sealed: everything that decides who may do and approve what, in one text.

It is sealed when an incident is opened and holds for that incident to its end: whoever changes the file afterwards, or
hands in another, changes nothing of what was opened before. It has the texts of the policies and of the allowed-signers
file, so that every decision and every signature can be checked again from the log alone.
"""

from __future__ import annotations

from hashlib import sha256

import msgspec

from custody.model.incidents import Item
from custody.settings.response_file import Limits

FORMAT = "custody.response/1"
STATEMENT = "response-file"


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for an incident: as in the response file. ``policies`` are texts by name of their file.

    ``extension`` is what the policy folder adds to the schema. ``signers`` is the allowed-signers file, None where
    there was none: then nobody's signature counts for anything that a group has to approve.
    """

    groups: dict[str, tuple[str, ...]] = {}
    people: tuple[tuple[str, ...], ...] = ()
    limits: Limits = Limits()
    checklist: tuple[Item, ...] = tuple(Item)
    policies: dict[str, str] = {}
    extension: str | None = None
    signers: str | None = None

    def groups_of(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The groups that somebody called ``names`` is a member of, sorted."""
        return tuple(sorted(group for group, members in self.groups.items() if set(members) & set(names)))


_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODER: msgspec.json.Decoder[Response] = msgspec.json.Decoder(Response)


def text_of(response: Response) -> bytes:
    """Its text, as it is sealed: compact JSON with sorted keys, ``custody`` first."""
    return b'{"custody":"' + FORMAT.encode() + b'",' + _ENCODER.encode(response)[1:]


def digest_of(response: Response) -> str:
    """SHA-256 (hex) of its text: what the opening of an incident names."""
    return sha256(text_of(response)).hexdigest()


def response_of(text: bytes) -> Response | None:
    """The response of a sealed text; None where it is none, or is not written as ``text_of`` writes it."""
    try:
        found = _DECODER.decode(text)
        return found if text_of(found) == text else None
    except (msgspec.MsgspecError, UnicodeError, ValueError, RecursionError):
        return None
