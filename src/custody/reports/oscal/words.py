"""What OSCAL asks of text, identifiers and times, and how custody's own facts stand in it."""

import json
import re
import unicodedata
import uuid

from custody.reports.safe import Plain, markdown, plain
from custody.reports.words import moment

VERSION = "1.2.1"
"""Of OSCAL."""

NAMESPACE = "https://custody.local/ns/oscal"
"""Of the properties that are custody's own: no host answers there, it only tells names apart."""

IDS = uuid.UUID("6f1d0a52-3c0e-5b7e-9a44-0f6f5f0d9c21")
EPOCH = "1970-01-01T00:00:00+00:00"

Object = dict[str, Plain]

ENHANCEMENT = re.compile(r"\((\d+)\)")
NO_TOKEN = re.compile(r"[^A-Za-z0-9.\-_]+")


def stable_uuid(*parts: str) -> str:
    """A version 5 UUID of our own ids: the same parts give the same one, in every store and run."""
    return str(uuid.uuid5(IDS, "\0".join(part.encode("utf-8", "backslashreplace").decode() for part in parts)))


def control_id(name: str) -> str:
    """A control's id as OSCAL writes it: ``AC-2(3)`` is ``ac-2.3``, ``ISO27001 A.5.18`` is ``iso27001-a.5.18``."""
    token = NO_TOKEN.sub("-", ENHANCEMENT.sub(r".\1", name).lower()).strip("-.")
    return token if token[:1].isalpha() else f"c-{token}"


def statement_id(name: str) -> str:
    """The id of the statement of a control. Those of objectives differ from one edition of a catalogue to the next."""
    return f"{control_id(name)}_smt"


def prop(name: str, value: object) -> Object:
    """A property of ours. Its value is one line without space around it, and never empty."""
    text = plain(str(value)).strip()
    return {"name": name, "ns": NAMESPACE, "value": "".join(map(_shown, text)) or "-"}


def props(**values: object) -> list[Plain]:
    """Properties of ours, underscores in their names as hyphens, those without a value left out."""
    return [prop(name.replace("_", "-"), value) for name, value in values.items() if value is not None]


def text_of(said: str) -> str:
    """Text for a place that is Markdown; never empty."""
    return markdown(said) or "-"


def time_of(text: str | None) -> str:
    """A time with its zone; the beginning of 1970 where none is known: the form wants one."""
    found = moment(text)
    return EPOCH if found is None else found.isoformat()


def written(document: Object) -> bytes:
    """The document, indented, in ASCII, with a newline at its end."""
    return (json.dumps(document, indent=2) + "\n").encode()


def _shown(character: str) -> str:
    """Blanks of other kinds than the space would not be told apart from one."""
    return " " if unicodedata.category(character) in ("Zs", "Zl", "Zp") else character
