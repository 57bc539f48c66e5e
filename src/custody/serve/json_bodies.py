"""JSON bodies: strictly of the type they should be, and read alike by every parser."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from custody.errors import IntentRefused
from custody.readers import json_guard
from custody.serve.passage import Asked
from custody.serve.people import values_of

Given = TypeVar("Given")

JSON = "application/json"
_MOST_DEPTH = 16


async def given(asked: Asked, decoder: msgspec.json.Decoder[Given]) -> Given:
    """The body of a request. IntentRefused: ``content-type``, ``malformed`` with the field that is wrong."""
    kinds = values_of(asked.scope, b"content-type")
    if len(kinds) != 1 or kinds[0].partition(";")[0].strip().lower() != JSON:
        raise IntentRefused("not a media type that is taken here", reason="content-type", expected=JSON)
    body = await asked.body()
    if json_guard.check(body, _MOST_DEPTH) is not None:
        raise _malformed("JSON (RFC 8259) in UTF-8, no key twice")
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _malformed(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _malformed(JSON) from None


def _malformed(told: str) -> IntentRefused:
    return IntentRefused("the body does not fit", reason="malformed", found=told)
