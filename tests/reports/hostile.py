"""Hostile text put into every place of a value where text can stand."""

import re
from typing import TypeVar

import msgspec
from hypothesis import strategies as st

StructT = TypeVar("StructT", bound=msgspec.Struct)
Built = str | int | float | bool | None | list["Built"] | tuple["Built", ...] | dict[str, "Built"]

TYPED = {"severity", "basis"}
"""Fields whose values are of a closed set: no log reaches them. (Of findings also ``state``; of answers it is text.)"""

HIDDEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ud800-\udfff]"
)
"""What must never reach a terminal or a page raw; the newline is layout."""

text = st.text(max_size=60) | st.sampled_from(
    [
        "\x1b[31mred\x1b[0m", "\x9b2J", "a\nb\r\nc", "\u202egpj.exe", "\u200b\u200d\ufeff", "\x00", "\ud800", "x" * 500,
        "漢字" * 60, "a" + "\u0301" * 40, " ", "", "<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>",
        "{{ 7*7 }}{% raw %}", "]]>", "</style>", "javascript:alert(1)", "https://evil.example/", "--\n::", "\u2028",
    ]
)  # fmt: skip


def poisoned(value: StructT, poison: str) -> StructT:
    """``value`` with ``poison`` in every free text: instead of it, or added to it where it is a time."""
    finding = hasattr(value, "severity")
    return msgspec.convert(_walk(msgspec.to_builtins(value), poison, "", finding), type(value))


def _walk(value: Built, poison: str, name: str, finding: bool) -> Built:
    if isinstance(value, str):
        return value if name in TYPED or (finding and name == "state") else poison
    if isinstance(value, dict):
        inner = finding or "severity" in value
        return {key: _walk(item, poison, key, inner) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_walk(item, poison, name, finding) for item in value]
    return value
