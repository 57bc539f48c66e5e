"""The page at ``/docs``: the operations as a table, in plain HTML."""

from __future__ import annotations

import base64
from hashlib import sha256
from html import escape
from typing import cast

import msgspec

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


def page(document: bytes) -> bytes:
    """The page of an OpenAPI document (JSON)."""
    found = msgspec.json.decode(document, type=dict[str, object])
    info = cast("dict[str, str]", found["info"])
    rows = "".join(_row(method, path, operation) for method, path, operation in operations(found))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>custody: the broker</title>'
        f"<style>{_STYLE}</style></head><body><h1>custody: the broker, {escape(info['version'])}</h1>"
        '<p>The whole of it as OpenAPI 3.1: <a href="/docs/openapi.json">openapi.json</a>. Errors are problem details '
        "(RFC 9457); those of <code>/token</code> are OAuth's (RFC 6749).</p>"
        "<table><thead><tr><th>Operation</th><th>What it does</th><th>Who may</th><th>Answers</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></body></html>"
    ).encode()


def _row(method: str, path: str, operation: Node) -> str:
    schemes = cast("list[dict[str, object]]", operation.get("security") or [])
    who = str(operation.get("description") or "") or " or ".join(name for each in schemes for name in each) or "anybody"
    statuses = ", ".join(cast("dict[str, object]", operation["responses"]))
    cells = (f"<code>{escape(method)} {escape(path)}</code>", escape(str(operation["summary"])), escape(who), statuses)
    return "<tr>" + "".join(f"<td>{each}</td>" for each in cells) + "</tr>"
