"""The population of a review as a file: to be looked at, filled in, and signed.

As CSV it has a row for each identity and empty columns for what is decided: filled in, the same file is what is signed.
As JSON it is one object, as NDJSON the very bytes over which the digest of the population is.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from custody.errors import UsageError
from custody.model.reviews import Fact, Member, Opening, population_bytes
from custody.model.times import text
from custody.register.decisions import Parsed
from custody.reports.safe import csv_cell

FORMATS = ("csv", "json", "ndjson")
SHOWN = (
    "kind", "works_for", "owner", "owner_said_by", "owner_signed_by", "purpose", "purpose_said_by",
    "purpose_signed_by", "privileges_declared", "privileges_granted", "credentials", "alive", "last_used", "exception",
    "missing", "names",
)  # fmt: skip
"""The columns that show what was known; the file that is signed may leave some out, and change none."""
COLUMNS = ("review", "population", "identity", *SHOWN, "decision", "to", "reason")
MOST = 20


def form_of(path: Path) -> str:
    """The format that the name of a file asks for. UsageError where it asks for none."""
    form = path.suffix.removeprefix(".").lower()
    if form not in FORMATS:
        raise UsageError("not a format", where=str(path), expected="a name that ends in .csv, .json or .ndjson")
    return form


def written(opening: Opening, form: str) -> bytes:
    """The population in one of ``FORMATS``."""
    if form == "ndjson":
        return population_bytes(opening.members)
    if form == "json":
        told = {
            "review": opening.name,
            "population": opening.digest,
            "count": len(opening.members),
            "reviewer": opening.reviewer,
            "due": text(opening.due),
            "identities": opening.members,
        }
        return msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n"
    return "".join(_table(opening)).encode()


def cell(value: str) -> str:
    """A text as a cell of the table holds it, without the quotes around it."""
    return csv_cell(value)[1:-1].replace('""', '"')


def _table(opening: Opening) -> Iterator[str]:
    yield _line(COLUMNS)
    for one in opening.members:
        yield _line((opening.name, opening.digest, one.identity, *facts(one), "", "", ""))


def _line(values: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(map(cell, values))
    return out.getvalue()


def facts(one: Member) -> tuple[str, ...]:
    """The cells of ``SHOWN`` for an identity, before they are made safe."""
    granted = "none seen" if one.granted is None else "; ".join(one.granted)
    return (
        one.kind, one.population or "", *_claims(one.owner), *_claims(one.purpose), "; ".join(one.declared), granted,
        str(one.credentials), str(one.alive), one.last_used or "", "; ".join(one.exception), " ".join(one.missing),
        " ".join(one.names),
    )  # fmt: skip


def _claims(claims: Sequence[Fact]) -> tuple[str, str, str]:
    return (
        "; ".join(each.value for each in claims),
        "; ".join(each.said_by for each in claims),
        "; ".join(each.signer or "nobody" for each in claims),
    )


def check_shown(opening: Opening, parsed: Parsed, where: str) -> None:
    """UsageError where a table shows other facts than were exported: whoever decided did so over something else."""
    wrong = list(_changed(opening, parsed))
    if wrong:
        more = f", and {len(wrong) - MOST} more" if len(wrong) > MOST else ""
        raise UsageError(
            "what was shown was changed",
            where=where,
            found="; ".join(wrong[:MOST]) + more,
            expected="the cells as they were exported",
            advice=f"`custody review show {opening.name} -o FILE.csv` writes them again; columns may be left out.",
        )


def _changed(opening: Opening, parsed: Parsed) -> Iterator[str]:
    for one in opening.members:
        row = parsed.rows.get(one.identity) or parsed.rows.get(cell(one.identity)) or {}
        for name, value in zip(SHOWN, facts(one), strict=True):
            if name in row and row[name] not in (value, cell(value)):
                yield f"{name} of {cell(one.identity)[:80]}"
