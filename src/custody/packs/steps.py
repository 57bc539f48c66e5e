"""The steps of the incident that a pack is about: each against the leaf that seals it, and its signature again.

What a step says is taken from the entries of the pack and from nothing else. Names of signers are those of the
allowed-signers file in the response file that the incident was opened under, else those of the file that was sealed
with the signature.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256

import msgspec

from custody.errors import CustodyError, LogError
from custody.ledger import allowed_signers, sshsig
from custody.ledger.allowed_signers import AllowedSigners
from custody.ledger.entry import StatementEntry
from custody.model.incidents import DECISION, DECISION_NAMESPACE, STEP, STEP_NAMESPACE, Opened, Step, step_of
from custody.model.leaf import LeafRef
from custody.model.times import microseconds
from custody.packs import documents, parts

Said = Mapping[int, StatementEntry]
Name = Callable[[str, str | LogError], None]
RESPONSE, SIGNERS = "response-file", "signers"
KINDS = {documents.LOG: (STEP, STEP_NAMESPACE), documents.APPROVALS: (DECISION, DECISION_NAMESPACE)}
"""The statement that seals a step in each log, and the namespace of signatures over them."""


class SignedBy(msgspec.Struct, frozen=True, kw_only=True):
    """Whose SSH signature holds over a step: the fingerprint of the key, and the names that it has."""

    key: str
    names: tuple[str, ...]


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A step as ``steps.json`` lists it: ``text`` is exactly what was sealed, ``sha256`` its hash, ``by`` the account.

    ``signed`` is None where nobody signed, or the signature does not hold.
    """

    leaf: LeafRef
    at: str
    by: str
    sha256: str
    text: str
    signed: SignedBy | None = None


class Texts:
    """The statements of one log in a pack, by leaf, and the texts that they seal in pieces."""

    def __init__(self, said: Said) -> None:
        self.said = said
        self._pieces: dict[tuple[str, object], list[int]] = {}
        for leaf, each in sorted(said.items()):
            if each.what.endswith("-part"):
                self._pieces.setdefault((each.what, str(each.fields.get("sha256"))), []).append(leaf)

    def whole(self, leaf: int) -> bytes | None:
        """The text that the statement at a leaf closes, from the pieces before it; None where they are not its own."""
        what, fields = self.said[leaf].what, self.said[leaf].fields
        digest, count = fields.get("sha256"), fields.get("pieces")
        before = [at for at in self._pieces.get((f"{what}-part", str(digest)), ()) if at < leaf]
        pieces = before[-count:] if isinstance(count, int) and count > 0 else []
        data = "".join(str(self.said[at].fields.get("text")) for at in pieces).encode()
        return data if sha256(data).hexdigest() == digest else None

    def sealed(self, what: str, digest: object) -> bytes | None:
        """The text with a digest that a statement of this kind seals, None where there is none."""
        leaves = (leaf for leaf, each in self.said.items() if each.what == what and each.fields.get("sha256") == digest)
        return next((data for leaf in leaves if (data := self.whole(leaf)) is not None), None)


def listed(name: str, logs: Mapping[str, Texts]) -> tuple[Listed, ...]:
    """Every step of the incident ``name`` among the statements of the two logs, by log and leaf."""
    found = [each for log in KINDS for each in _of_log(name, log, logs[log])]
    pinned = _pinned(found, logs[documents.LOG])
    return tuple(
        Listed(
            leaf=leaf,
            at=str(entry.fields.get("at")),
            by=str(entry.fields.get("by")),
            sha256=sha256(data).hexdigest(),
            text=data.decode(),
            signed=_signed(entry, data, KINDS[leaf.log][1], pinned, logs[leaf.log]),
        )
        for leaf, entry, data, _ in found
    )


_Found = tuple[LeafRef, StatementEntry, bytes, Step]


def _of_log(name: str, log: str, texts: Texts) -> Iterator[_Found]:
    for leaf, entry in sorted(texts.said.items()):
        if entry.what == KINDS[log][0] and _time(entry) is not None:
            data = texts.whole(leaf)
            step = None if data is None else step_of(data)
            if data is not None and step is not None and step.incident == name:
                yield LeafRef(log, leaf), entry, data, step


def _time(entry: StatementEntry) -> int | None:
    """When it was sealed (µs), None where that cannot be read: such a step counts for nothing."""
    try:
        return microseconds(str(entry.fields.get("at")))
    except (ValueError, OverflowError):
        return None


def _pinned(found: Iterable[_Found], operations: Texts) -> AllowedSigners | None:
    """The allowed signers of the response file that the first opening names."""
    opened = _opening((leaf, step) for leaf, _, _, step in found)
    text = None if opened is None or opened.response is None else operations.sealed(RESPONSE, opened.response)
    if text is None:
        return None
    try:
        signers = msgspec.json.decode(text, type=_Response).signers
        return None if signers is None else allowed_signers.parse(signers.encode(), parts.RESPONSE)
    except (CustodyError, msgspec.MsgspecError, UnicodeError):
        return None


def _opening(steps: Iterable[tuple[LeafRef, Step | None]]) -> Opened | None:
    """The step that opens an incident: the first such of the operations log."""
    for leaf, step in steps:
        if leaf.log == documents.LOG and isinstance(step, Opened):
            return step
    return None


class _Response(msgspec.Struct, frozen=True):
    signers: str | None = None


def _signed(
    entry: StatementEntry, data: bytes, namespace: str, pinned: AllowedSigners | None, texts: Texts
) -> SignedBy | None:
    armored = entry.fields.get("signature")
    if not isinstance(armored, str):
        return None
    try:
        signers = pinned or _sealed_signers(entry.fields.get("signers"), texts)
        signer = sshsig.verify(data, armored.encode(), namespace)
        names = () if signers is None else signers.principals(signer.key, namespace, _time(entry) or 0)
    except (CustodyError, ValueError):
        return None
    return SignedBy(key=signer.fingerprint, names=names) if names else None


def _sealed_signers(digest: object, texts: Texts) -> AllowedSigners | None:
    """The allowed-signers file that was sealed in the same log."""
    data = texts.sealed(SIGNERS, digest)
    return None if data is None else allowed_signers.parse(data, SIGNERS)


class Steps:
    """``steps.json`` and the response file of a pack against its proved statements."""

    def __init__(self, incident: str, operations: Said, approvals: Said) -> None:
        logs = {documents.LOG: Texts(operations), documents.APPROVALS: Texts(approvals)}
        self.found = listed(incident, logs)
        self._incident, self._operations = incident, logs[documents.LOG]

    def run(self, values: Iterable[object], kept: bytes | None, name: Name) -> None:
        """``values`` is the list document, ``kept`` the response file in the pack, None where it has none."""
        head, *rows = values
        if head != {"incident": self._incident, "steps": []}:
            name(parts.INCIDENT_STEPS, "it is about another incident than the manifest says")
        if [documents.line(each) for each in rows] != [documents.line(each) for each in self.found]:
            name(parts.INCIDENT_STEPS, self._differs(rows))
        opened = _opening((each.leaf, step_of(each.text.encode())) for each in self.found)
        if opened is None:
            name(parts.INCIDENT_STEPS, "no leaf of the pack opens the incident")
            return
        sealed = None if opened.response is None else self._operations.sealed(RESPONSE, opened.response)
        if opened.response is not None and sealed is None:
            name(parts.RESPONSE, "no leaf of the pack seals it as the response file of the incident")
        elif kept != sealed:
            name(parts.RESPONSE, "it is not the response file that the incident was opened under")

    def _differs(self, rows: list[object]) -> str:
        mine = {documents.line(each.leaf): documents.line(each) for each in self.found}
        theirs = {documents.line(_at(each)): documents.line(each) for each in rows}
        for leaf in sorted({*mine, *theirs}):
            if mine.get(leaf) != theirs.get(leaf):
                where = leaf.decode()[:100]
                if leaf not in mine:
                    return f"no leaf seals such a step: {where}"
                return f"a step {'is not as it was sealed' if leaf in theirs else 'is not listed'}: {where}"
        return "its steps are not in order, or stand twice"


def _at(value: object) -> object:
    return value.get("leaf") if isinstance(value, dict) else None
