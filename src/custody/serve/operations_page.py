"""The page at ``/docs``: the operations as a table, and how the backends are, in plain HTML."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from typing import cast

import msgspec

from custody.serve.health import BackendHealth
from custody.serve.openapi import Node, operations

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.4rem .6rem;vertical-align:top;"
    "border-bottom:1px solid #ccc}code{font-family:ui-monospace,monospace}"
)
CSP = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page(document: bytes, backends: Sequence[BackendHealth] = ()) -> bytes:
    """The page of an OpenAPI document (JSON), with what is known of the backends."""
    found = msgspec.json.decode(document, type=dict[str, object])
    info = cast("dict[str, str]", found["info"])
    rows = "".join(_row(method, path, operation) for method, path, operation in operations(found))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>custody: the broker</title>'
        f"<style>{_STYLE}</style></head><body><h1>custody: the broker, {escape(info['version'])}</h1>"
        '<p>The whole of it as OpenAPI 3.1: <a href="/docs/openapi.json">openapi.json</a>. Errors are problem details '
        "(RFC 9457); those of <code>/token</code> are OAuth's (RFC 6749).</p>"
        "<table><thead><tr><th>Operation</th><th>What it does</th><th>Who may</th><th>Answers</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>{_backends(backends)}</body></html>"
    ).encode()


def _row(method: str, path: str, operation: Node) -> str:
    statuses = ", ".join(cast("dict[str, object]", operation["responses"]))
    who = escape(str(operation["description"]))
    cells = (f"<code>{escape(method)} {escape(path)}</code>", escape(str(operation["summary"])), who, statuses)
    return "<tr>" + "".join(f"<td>{each}</td>" for each in cells) + "</tr>"


def _backends(backends: Sequence[BackendHealth]) -> str:
    """The table of the backends, nothing where there are none."""
    if not backends:
        return ""
    rows = "".join(f"<tr><td>{escape(each.backend)}</td><td>{escape(_told(each))}</td></tr>" for each in backends)
    return (
        "<h2>Backends</h2><p>By the calls that this broker made; nothing is called to find out.</p>"
        f"<table><thead><tr><th>Backend</th><th>Last outcome</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _told(found: BackendHealth) -> str:
    if found.state == "unknown":
        return "not known: no call since this broker began that would show it"
    if found.state == "answers":
        return f"answered at {found.answered}"
    before = f"; it last answered at {found.answered}" if found.answered else "; it has not answered since the start"
    times = f", {found.failures} calls in a row" if found.failures > 1 else ""
    return f"fails: {found.step} at {found.failed}, {found.reason}{times}{before}"
