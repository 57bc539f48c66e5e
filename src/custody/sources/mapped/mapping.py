"""What a mapping file says, parsed. Every struct can be hashed and sent between processes."""

from enum import StrEnum

import msgspec

from custody.model.events import Asserter, Granularity, Outcome, Stage
from custody.sources.mapped.paths import Path

JSON = "json"
LOGFMT = "logfmt"
FORMATS = (JSON, LOGFMT)


class TimeForm(StrEnum):
    """How a time is written."""

    RFC3339 = "rfc3339"
    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"
    NANOSECONDS = "nanoseconds"


class KeyForm(StrEnum):
    """How the value of a key is written, so that it can be made canonical.

    ``hex`` is hexadecimal with or without colons, case and leading zeros; ``decimal`` a whole number that becomes hex;
    ``sha256`` 64 hex digits with or without colons; ``base64`` a SHA-256 in base64 or base64url; ``spiffe`` a SPIFFE
    id, which gives the scope too.
    """

    TEXT = "text"
    LOWER = "lower"
    HEX = "hex"
    DECIMAL = "decimal"
    SHA256 = "sha256"
    BASE64 = "base64"
    SPIFFE = "spiffe"


class Text(msgspec.Struct, frozen=True):
    """A text out of the record, or one that is always the same."""

    path: Path | None = None
    value: str | None = None


class Key(msgspec.Struct, frozen=True):
    """A typed key: its value out of the record, its scope out of the record or always the same."""

    type: str
    path: Path
    scope: Text
    form: KeyForm = KeyForm.TEXT


class Time(msgspec.Struct, frozen=True):
    """A time out of the record."""

    path: Path
    form: TimeForm = TimeForm.RFC3339


class Condition(msgspec.Struct, frozen=True):
    """That a path leads to one of some values, or, without any, that it leads somewhere."""

    path: Path
    values: tuple[str, ...] = ()


class Result(msgspec.Struct, frozen=True):
    """The outcome: by the value that a path leads to, ``otherwise`` for every other; without that it is malformed."""

    path: Path | None = None
    values: tuple[tuple[str, Outcome], ...] = ()
    otherwise: Outcome | None = None


class PartOf(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the event, made for each value that the path of its key leads to."""

    stage: Stage
    key: Key
    when: tuple[Condition, ...] = ()
    parent: Key | None = None
    subject: Key | None = None
    workload: Key | None = None
    object: Key | Text | None = None
    related: Key | None = None
    granularity: Granularity | None = None
    session_name: Text | None = None
    method: Text | None = None
    effect: str | None = None
    not_after: Time | None = None
    population: str | None = None
    asserter: Asserter | None = None


class Mapping(msgspec.Struct, frozen=True, kw_only=True):
    """One mapping file. ``digest`` is the SHA-256 (hex) of its bytes, ``texts`` the event's facts by their name."""

    name: str
    digest: str
    match: tuple[Condition, ...]
    time: Time
    outcome: Result
    texts: tuple[tuple[str, Text], ...]
    title: str = ""
    format: str = JSON
    array: str | None = None
    asserter: Asserter = Asserter.SELF_REPORTED
    id: Path | None = None
    principal: Key | None = None
    parts: tuple[PartOf, ...] = ()
    secrets: tuple[Path, ...] = ()
    tags: tuple[tuple[str, Path], ...] = ()

    @property
    def scheme(self) -> str:
        """The scheme of the identities that it gives."""
        return f"mapped/{self.digest[:16]}"

    @property
    def resolution(self) -> int:
        """The finest difference between two times of the log, in microseconds."""
        return {TimeForm.SECONDS: 1_000_000, TimeForm.NANOSECONDS: 1}.get(self.time.form, 1_000)
