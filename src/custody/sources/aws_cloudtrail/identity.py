# ruff: noqa: N815 - fields have the names that they have in the log
"""Which CloudTrail record this is, and where its secrets are. Frozen as scheme ``event-id/1``.

The identity is ``eventID``: global services, several regions and organisation trails deliver one event more than
once under it. An identity that is over 256 bytes of UTF-8 or holds control characters is written ``sha256:<hex>``.
"""

from collections.abc import Sequence

import msgspec

from custody.model.records import Identity
from custody.sources import identities, screen, secret_names, secret_spans

SCHEME = "event-id/1"
_FEW = 16
"""Below this many stopped records a second screen costs more than it saves."""
_SMALL = 256 * 1024
"""Below this many bytes plain searches cost less than to get a screen ready (RE2 compiles it anew each time)."""


class _Head(msgspec.Struct, frozen=True, gc=False):
    """What makes a JSON object a CloudTrail record: these three members, of whatever type the last two are."""

    eventID: str
    eventSource: msgspec.Raw
    eventName: msgspec.Raw


_HEAD = msgspec.json.Decoder(_Head)
_STRING = msgspec.json.Decoder(str)


def recognise(raw: bytes) -> bool:
    """Whether ``raw`` looks like a CloudTrail record, by its bytes alone."""
    return b"eventSource" in raw and b"eventID" in raw


def identify(raw: bytes) -> Identity | None:
    """The identity and secrets of one record; None where it is no CloudTrail record. Raises nothing."""
    return identify_all((raw,))[0]


def identify_all(raws: Sequence[bytes]) -> list[Identity | None]:
    """``identify`` of many records: the screen for secrets runs over all of them in one pass."""
    suspects = _suspects(raws)
    return [_identity(raw, suspect) for raw, suspect in zip(raws, suspects, strict=True)]


def _suspects(raws: Sequence[bytes]) -> list[bool]:
    """Which records the exact search must look at: all that the screen stops, but for cursors and the like."""
    if sum(map(len, raws)) < _SMALL:
        return secret_spans.suspects(raws)
    suspects = screen.matches(raws, secret_names.SCREEN)
    stopped = [position for position, suspect in enumerate(suspects) if suspect]
    if len(stopped) < _FEW:
        return suspects
    some = [raws[position] for position in stopped]
    other = screen.matches(some, secret_names.SCREEN_BUT_TOKENS)
    tokens, harmless = screen.counts(some, secret_names.TOKENS), screen.counts(some, secret_names.HARMLESS_TOKENS)
    for row, position in enumerate(stopped):
        suspects[position] = other[row] or tokens[row] != harmless[row]
    return suspects


def document(raw: bytes) -> bytes | str:
    """The JSON object in ``raw``, taken out of its string where it stands in one (``lookup-events``).

    Raises what msgspec raises for bytes that are no JSON string.
    """
    return _STRING.decode(raw) if raw[:1] == b'"' else raw


def _identity(raw: bytes, suspect: bool) -> Identity | None:
    try:
        event = _HEAD.decode(document(raw)).eventID
        scheme_id = identities.canonical(event)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    if not scheme_id:
        return None
    if not suspect:
        return Identity(SCHEME, scheme_id)
    found = secret_spans.find(raw)
    return Identity(SCHEME, scheme_id, found.spans, found.unsure)
