"""The register written out: a document to put under version control, a table, or objects.

The document holds what the sealed one declares, as it declares it, and below it every identity that the
records show and no document declares, with the name by which they call it: who owns it and why it is there is left to
be said. Importing it again declares the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence

import yaml

from custody.errors import UsageError
from custody.model.contracts import Exempt
from custody.model.register import Declared, Document, Party, Privilege
from custody.model.times import text
from custody.pipeline.registering.known import Opened
from custody.pipeline.registering.objects import alive, plain
from custody.register.entries import entries
from custody.register.entry import Entry, Said
from custody.register.versions import in_force
from custody.reports.safe import INVISIBLE, csv_cell

FORMATS = ("yaml", "csv", "json")
LONGEST = 500
"""Characters of a name that a document may hold."""

COLUMNS = (
    "identity", "kind", "population", "declared", "account", "owner", "owner_said_by", "owner_signer", "deputy",
    "purpose", "purpose_said_by", "purpose_signer", "risk", "environments", "missing", "credentials", "alive",
    "first_seen", "last_seen", "names", "leaf",
)  # fmt: skip

Plain = str | list["Plain"] | dict[str, "Plain"]

_HEAD = (
    "# The register of non-human identities: docs/register.md says what each field means.\n"
    "# Sign it: ssh-keygen -Y sign -f KEY -n custody-register FILE\n"
)
_SEEN = "  # Seen in the records and declared nowhere: say who owns each, and why it is there.\n"


def export(found: Opened, form: str, document: str | None = None) -> str:
    """The whole register in one of ``FORMATS``.

    As YAML that is one ``document``: UsageError where several are in force and none is named.
    """
    every = entries(found.engine, found.when)
    if form == "csv":
        return "".join(_csv(every))
    if form == "json":
        return _json({"as_of": text(found.moment), "identities": [plain(each) for each in every]})
    return _yaml(found, every, document)


def _json(value: object) -> str:
    """As reports write it: what is not visibly itself stands as an escape."""
    return "".join(map(_shown, json.dumps(value, indent=2, ensure_ascii=False))) + "\n"


def _shown(character: str) -> str:
    if character == "\n" or (character.isprintable() and not INVISIBLE.match(character)):
        return character
    return json.dumps(character)[1:-1] if character != "\x7f" else "\\u007f"


def _csv(every: Iterable[Entry]) -> Iterator[str]:
    yield ",".join(COLUMNS) + "\r\n"
    for one in every:
        yield ",".join(map(_cell, _row(one))) + "\r\n"


def _row(one: Entry) -> tuple[object, ...]:
    owner, purpose = first(one.owner), first(one.purpose)
    return (
        one.identity, one.kind, one.population, one.declared, one.account, *_said(owner), _value(first(one.deputy)),
        *_said(purpose), _value(first(one.risk)), "; ".join(each.value for each in one.environments),
        " ".join(one.missing), one.credentials, alive(one), text(one.first_seen), text(one.last_seen),
        " ".join(sorted({each.name for each in one.names})), one.leaf,
    )  # fmt: skip


def first(claims: Sequence[Said]) -> Said | None:
    """Of claims about one field the one to show first: one that holds, by who may say it, signed, sealed first."""
    order = sorted(claims, key=lambda one: (one.state != "held", not one.vouched, one.signer is None, one.leaf or 0))
    return order[0] if order else None


def _said(one: Said | None) -> tuple[str | None, str | None, str | None]:
    return (None, None, None) if one is None else (one.value, one.said_by, one.signer)


def _value(one: Said | None) -> str | None:
    return None if one is None else one.value


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value) if isinstance(value, int) else csv_cell(str(value))


def _yaml(found: Opened, every: Iterable[Entry], name: str | None) -> str:
    document = _chosen([each.document for each in in_force(found.documents)], name)
    declared = document.identities if document is not None else ()
    taken = {one.identity for one in declared}
    seen = _seen((one for one in every if not one.declared), taken)
    head = {"version": 1, "register": document.name if document is not None else "register"}
    pieces = [_HEAD, _dumped(head), "identities:" + ("\n" if declared or seen else " {}\n")]
    pieces += [_dumped({one.identity: identity(one)}, 2) for one in declared]
    pieces += [_SEEN] if seen else []
    pieces += [_dumped({key: value}, 2) for key, value in seen.items()]
    if document is not None and document.parties:
        pieces.append(_dumped({"parties": {one.name: _party(one) for one in document.parties}}))
    return "".join(pieces)


def _dumped(value: object, indent: int = 0) -> str:
    written = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100, default_flow_style=False)
    return "".join(f"{' ' * indent}{line}" for line in written.splitlines(keepends=True))


def _chosen(documents: Sequence[Document], name: str | None) -> Document | None:
    """The document to write. UsageError where there are several and none is named, or none is called so."""
    called = {each.name: each for each in documents}
    if name is None and len(called) < 2:
        return next(iter(called.values()), None)
    if name not in called:
        raise UsageError(
            "several documents are in force" if name is None else "no document of this name is in force",
            where="--document",
            found=name or "",
            expected=f"one of {', '.join(sorted(called))}" if called else "none: nothing was imported",
        )
    return called[name]


def identity(one: Declared) -> dict[str, Plain]:
    """An identity as a document writes it."""
    found: dict[str, Plain | None] = {"kind": one.kind.value, "names": list(one.names)}
    for name in ("owner", "deputy", "purpose", "risk", "repository", "pipeline", "workload"):
        found[name] = getattr(one, name)
    for name in ("environments", "resources", "depends_on"):
        found[name] = list(getattr(one, name)) or None
    found["privileges"] = [_privilege(each) for each in one.privileges] or None
    found |= {"since": text(one.since), "until": text(one.until)}
    found["exception"] = None if one.exception is None else _exception(one.exception)
    return _there(found)


def _there(found: dict[str, Plain | None]) -> dict[str, Plain]:
    return {name: value for name, value in found.items() if value is not None}


def _privilege(one: Privilege) -> dict[str, Plain]:
    return _there({"what": one.what, "on": one.on, "approved_by": one.approved_by, "ticket": one.ticket})


def _exception(one: Exempt) -> dict[str, Plain]:
    found: dict[str, Plain | None] = {"until": text(one.until), "owner": one.owner, "reason": one.reason}
    return _there({**found, "compensating": list(one.compensating) or None})


def _party(one: Party) -> dict[str, Plain]:
    return _there({"members": list(one.members) or None, "ended": text(one.ended)})


def _seen(every: Iterable[Entry], taken: set[str]) -> dict[str, dict[str, Plain]]:
    """The identities that only records show, each under an id made of its name.

    One none of whose names a document can hold is left out.
    """
    found: dict[str, dict[str, Plain]] = {}
    for one in every:
        called = [each.name for each in one.names if each.how == "observed" and _fits(each.name)]
        if called:
            found[_id(one.identity, taken | found.keys())] = {"kind": one.kind, "names": list(called)}
    return found


def _fits(name: str) -> bool:
    return name.strip() == name and len(name) <= LONGEST and name.isprintable()


def _id(name: str, taken: set[str]) -> str:
    """A short id of an observed name: what stands behind its last slash or colon, with a number where that is taken."""
    base = re.sub(r"[^A-Za-z0-9._-]+", "-", re.split(r"[/:]", name.rstrip("/:"))[-1]).strip("-._")[:48] or "identity"
    number, key = 1, base
    while key in taken:
        number += 1
        key = f"{base}-{number}"
    return key
