"""The service's own log: one JSON object a line, of what was asked and how it ended, never of what was sent.

There is no path, query, header or body in it, and no message of an unforeseen error: only where in the code it arose.
Names that come from outside are written in printable ASCII.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from types import TracebackType
from typing import BinaryIO

import msgspec

from custody.broker.clock import Clock
from custody.model.times import text
from custody.serve.passage import Passage

_ENCODER = msgspec.json.Encoder()
_DEPTH = 12
"""Innermost frames of an unforeseen error that are named."""


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line. ``ms`` is in milliseconds; ``chain`` and ``request`` lead to the broker's own log."""

    at: str
    level: str
    event: str
    trace: str = ""
    method: str = ""
    route: str = ""
    status: int = 0
    ms: float = 0.0
    identity: str = ""
    origin: str = ""
    reason: str = ""
    chain: str = ""
    request: str = ""
    told: str = ""


def clean(name: str) -> str:
    """A name from outside as printable ASCII, at most 256 characters: it cannot begin a line or move a cursor."""
    if name.isascii() and name.isprintable() and len(name) <= 256:
        return name
    return ascii(name)[1:-1][:256]


class Journalist:
    """Makes the lines and hands them on."""

    def __init__(self, clock: Clock, sink: Callable[[bytes], None]) -> None:
        self._clock = clock
        self._sink = sink

    def answered(self, passage: Passage, method: str, route: str, seconds: float) -> None:
        """The line of one request."""
        self._write(
            Line(
                at=self._now(),
                level="info" if passage.status < 500 else "error",
                event="request",
                trace=passage.trace.id,
                method=clean(method),
                route=route,
                status=passage.status,
                ms=round(seconds * 1000, 3),
                identity=clean(passage.person.key) if passage.person else "",
                origin=clean(passage.origin or ""),
                reason=clean(passage.reason),
                chain=clean(passage.chain or ""),
                request=clean(passage.request or ""),
            )
        )

    def unforeseen(self, trace: str, error: BaseException) -> None:
        """The line of an error that nobody foresaw: its kind and places, not its message, which may hold anything."""
        told = f"{type(error).__name__} at {_places(error.__traceback__)}"
        self._write(Line(at=self._now(), level="error", event="unforeseen", trace=trace, told=told))

    def said(self, level: str, event: str, told: str) -> None:
        """A line of the service itself."""
        self._write(Line(at=self._now(), level=level, event=event, told=clean(told)))

    def _now(self) -> str:
        return text(self._clock.now()) or ""

    def _write(self, line: Line) -> None:
        self._sink(_ENCODER.encode(line))


def _places(traceback: TracebackType | None) -> str:
    places: list[str] = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        places.append(f"{code.co_filename.rpartition('/')[2]}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    return ", ".join(places[-_DEPTH:])


class Sink:
    """Writes lines to a stream, those of a moment together; call ``flush`` at the end."""

    def __init__(self, stream: BinaryIO, gather: float = 0.05) -> None:
        self._stream = stream
        self._gather = gather
        self._held: list[bytes] = []

    def __call__(self, line: bytes) -> None:
        """Take a line; without a running loop it is written at once."""
        self._held.append(line)
        if len(self._held) > 1:
            return
        try:
            asyncio.get_running_loop().call_later(self._gather, self.flush)
        except RuntimeError:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        held, self._held = self._held, []
        if held:
            self._stream.write(b"\n".join(held) + b"\n")
            self._stream.flush()


class ServerLog(logging.Handler):
    """Takes what the HTTP server itself says (``uvicorn.error``) into the same log, without tracebacks."""

    def __init__(self, journalist: Journalist) -> None:
        super().__init__(logging.WARNING)
        self._journalist = journalist

    def emit(self, record: logging.LogRecord) -> None:
        """One line. Messages that could quote what was sent are the server's constants; arguments are left out."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            self._journalist.unforeseen("", error)
            return
        self._journalist.said(record.levelname.lower(), "server", str(record.msg).partition("\n")[0])
