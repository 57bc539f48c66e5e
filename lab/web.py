"""JSON over HTTP to servers on loopback: one function, no retries, an error answer is an answer."""

import http.client
import json
import ssl
from collections.abc import Mapping
from typing import cast
from urllib.parse import urlencode

Json = dict[str, object]


class Answer:
    """Status and decoded body; ``body`` is empty where the server sent none."""

    def __init__(self, status: int, body: Json) -> None:
        self.status = status
        self.body = body

    def at(self, *path: str) -> object:
        """The value at a path of names; None where a step is missing."""
        value: object = self.body
        for name in path:
            value = cast("Json", value).get(name) if isinstance(value, dict) else None
        return value

    def text(self, *path: str) -> str:
        """The text at a path; raises LookupError with the answer's errors where there is none."""
        value = self.at(*path)
        if not isinstance(value, str):
            raise LookupError(f"no {'.'.join(path)} in answer {self.status}: {self.body.get('errors') or self.body}")
        return value


def call(
    port: int,
    method: str,
    path: str,
    body: Json | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
    form: Mapping[str, str] | None = None,
) -> Answer:
    """One request to 127.0.0.1:``port``, with a JSON body or a form; raises OSError where nobody answers."""
    connection = (
        http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        if tls is None
        else http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=tls)
    )
    try:
        payload, kind = None if body is None else json.dumps(body), "application/json"
        if form is not None:
            payload, kind = urlencode(form), "application/x-www-form-urlencoded"
        connection.request(method, path, payload, {"Content-Type": kind, **(headers or {})})
        answer = connection.getresponse()
        raw = answer.read()
        return Answer(answer.status, _decoded(raw))
    finally:
        connection.close()


def _decoded(raw: bytes) -> Json:
    try:
        value: object = json.loads(raw) if raw.strip() else {}
    except ValueError:
        value = {"text": raw.decode(errors="replace")}
    return cast("Json", value) if isinstance(value, dict) else {"value": value}
