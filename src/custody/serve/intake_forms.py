"""Which forms of a log may be pushed: by media type, each with the name by which its records are framed."""

from __future__ import annotations

from enum import StrEnum

from custody.errors import IntentRefused


class Form(StrEnum):
    """A form that is taken; the value is the media type that the sealing side is told."""

    LINES = "application/x-ndjson"
    JSON = "application/json"
    CLOUD_EVENT = "application/cloudevents+json"
    CLOUD_EVENTS = "application/cloudevents-batch+json"
    EVENT_TOKEN = "application/secevent+jwt"  # noqa: S105  # a media type
    BINARY_EVENT = "(binary)"
    """A CloudEvent whose attributes are in headers; sealed as ``CLOUD_EVENT``."""


_OTHER_NAMES = {
    "application/jsonl": Form.LINES,
    "application/jsonlines": Form.LINES,
    "application/ndjson": Form.LINES,
    "application/x-jsonlines": Form.LINES,
}
_KNOWN = {each.value: each for each in Form if each is not Form.BINARY_EVENT} | _OTHER_NAMES
_PROTOBUF = frozenset({"application/x-protobuf", "application/protobuf"})


def form_of(content_type: str, *, binary: bool) -> Form:
    """The form that a media type names. IntentRefused (``content-type``) where it is none of them."""
    if binary:
        return Form.BINARY_EVENT
    kind = content_type.partition(";")[0].strip().lower()
    if kind in _PROTOBUF:
        raise IntentRefused(
            "protobuf is not taken: what is sealed has to be readable without a schema",
            reason="content-type",
            expected=Form.JSON.value,
            advice="set the exporter to OTLP/HTTP with JSON (protocol http/json)",
        )
    if kind not in _KNOWN:
        raise IntentRefused(
            "not a media type that is taken here", reason="content-type", expected=", ".join(sorted(_KNOWN))
        )
    return _KNOWN[kind]
