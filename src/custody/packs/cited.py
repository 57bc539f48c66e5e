"""What the documents of a pack cite, and whether their population is the one they say.

Text of hostile logs may look like a citation: only the places that are one are looked at.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from custody.errors import LogError, UsageError
from custody.model.leaf import LeafRef
from custody.model.sampling import sample
from custody.packs import documents, evidence, parts
from custody.packs.archive import Member
from custody.packs.manifest import Options

Chunks = Callable[[str], Iterable[bytes]]
Name = Callable[[str, str | LogError], None]

OTHER = -1
"""Stands for a citation that names no leaf of the log."""

LARGEST = 256 << 20
"""Bytes of a document that is read as a whole."""

POPULATED = (parts.POPULATION, parts.VERDICTS, parts.CHAINS)
"""Lists with an element for each credential."""

_UID = re.compile(rf"{documents.LOG}:([0-9]{{1,18}})(/[0-9]+)?", re.ASCII)
_CELL = re.compile(rf"(?:{documents.LOG}:)?([0-9]{{1,18}})", re.ASCII)


class Citations:
    """The documents against the leaves that the pack proves."""

    def __init__(
        self,
        chunks: Chunks,
        members: Mapping[str, Member],
        leaves: frozenset[int],
        name: Name,
        approvals: frozenset[int] = frozenset(),
    ) -> None:
        self._chunks, self._members, self._name = chunks, members, name
        self._leaves = {documents.LOG: leaves, documents.APPROVALS: approvals}
        self._cited: set[LeafRef] = set()

    def run(self, options: Options) -> int:
        """Check every document; gives how many leaves they cite together."""
        ids = {path: self._list(path) for path in parts.LISTS}
        if options.incident is not msgspec.UNSET:
            for path in parts.INCIDENT_LISTS:
                self._list(path)
            self._each(parts.INCIDENT_VIEW, documents.cited(self._document(parts.INCIDENT_VIEW)))
        self._each(parts.SCOPE, documents.cited(self._document(parts.SCOPE)))
        self._each(parts.OSCAL, _evidence_of(self._document(parts.OSCAL)))
        for path in (parts.EVENTS, parts.OCSF_FINDINGS):
            self._lines(path)
        for path in parts.TABLES:
            self._table(path)
        self._population(ids, options)
        return len(self._cited)

    def _list(self, path: str) -> list[object]:
        """The head of a list document, then the ``credential`` or text of each element; citations are checked."""
        found: list[object] = []
        try:
            for number, value in enumerate(documents.read_listing(self._chunks(path))):
                self._each(path, documents.cited(value))
                named = value.get("credential") if number and isinstance(value, dict) else value
                found.append(named if path in POPULATED or not number else None)
        except LogError as error:
            self._name(path, error)
        return found

    def _document(self, path: str) -> object:
        try:
            if path in self._members and self._members[path].size > LARGEST:
                raise LogError("it is too large", expected=f"at most {LARGEST} bytes")
            return documents.parsed(b"".join(self._chunks(path)))
        except LogError as error:
            self._name(path, error)
            return None

    def _lines(self, path: str) -> None:
        try:
            for line in documents.lines(self._chunks(path)):
                self._each(path, _uids(documents.parsed(line)))
        except LogError as error:
            self._name(path, error)

    def _table(self, path: str) -> None:
        """A CSV table: the columns whose names end in ``leaf`` or ``leaves``."""
        try:
            rows = csv.reader(_text(self._chunks(path)), strict=True)
            names = [name.strip().lower() for name in next(rows, [])]
            columns = [at for at, name in enumerate(names) if name.endswith(("leaf", "leaves"))]
            for row in rows:
                cells = (row[at] for at in columns if at < len(row))
                self._each(path, (_leaf(int(number)) for cell in cells for number in _CELL.findall(cell)))
        except (LogError, csv.Error, UnicodeDecodeError) as error:
            self._name(path, error if isinstance(error, LogError) else f"not a CSV table: {error}")

    def _each(self, path: str, cited: Iterable[LeafRef]) -> None:
        for leaf in cited:
            self._cited.add(leaf)
            if leaf.index not in self._leaves.get(leaf.log, ()):
                where = f"leaf {leaf.index}" if leaf.log == documents.LOG else f"leaf {leaf.log[:40]!r} {leaf.index}"
                self._name(path, f"it cites {where}, which the pack does not prove")

    def _population(self, ids: dict[str, list[object]], options: Options) -> None:
        """The list has the count and digest that are stated, and the sample is the one that its seed draws."""
        head, *members = ids[parts.POPULATION] or [None]
        names = [each for each in members if isinstance(each, str)]
        stated = head if isinstance(head, dict) else {}
        try:
            drawn = sample(names, options.sample or max(len(names), 1), options.seed)
        except UsageError as error:
            self._name(parts.POPULATION, error.message)
            return
        if (stated.get("total"), stated.get("digest"), len(names)) != (drawn.population, drawn.digest, len(members)):
            self._name(parts.POPULATION, "its count and digest are not those of its list")
        for path in (parts.VERDICTS, parts.CHAINS):
            if ids[path][1:] != sorted(drawn.chosen):
                self._name(path, "its credentials are not those drawn from the population")


def _leaf(index: int) -> LeafRef:
    return LeafRef(documents.LOG, index)


def _uids(value: object) -> Iterator[LeafRef]:
    """The leaves that a line of OCSF is about: the event itself, and the evidence of a finding."""
    for place in (("metadata",), ("finding_info", "related_events"), ("evidences",)):
        found = _at(value, *place)
        for each in found if isinstance(found, list) else (found,):
            uid = _at(each, "uid")
            if isinstance(uid, str) and uid.startswith(f"{documents.LOG}:"):
                match = _UID.fullmatch(uid)
                yield _leaf(int(match[1]) if match else OTHER)


def _evidence_of(value: object) -> Iterator[LeafRef]:
    """The leaves that an OSCAL document names as relevant evidence, by their place in the pack."""
    results = _at(value, "assessment-results", "results")
    for result in results if isinstance(results, list) else ():
        observed = _at(result, "observations")
        for each in observed if isinstance(observed, list) else ():
            found = _at(each, "relevant-evidence")
            for href in (_at(one, "href") for one in (found if isinstance(found, list) else ())):
                name = str(href).removeprefix(evidence.entry_path(0)[:-1])
                yield _leaf(int(name) if name.isascii() and name.isdigit() and len(name) < 19 else OTHER)


def _at(value: object, *names: str) -> object:
    """What stands at a path of names; None where nothing does."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(chunks: Iterable[bytes]) -> Iterator[str]:
    """The lines of a text, as a CSV reader wants them."""
    for number, line in enumerate(documents.lines(chunks)):
        yield line.decode("utf-8-sig" if number == 0 else "utf-8") + "\n"
