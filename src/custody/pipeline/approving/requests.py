"""Requests that need approval, from the sealed operations log alone: no broker has to be there.

A request is shown by what its sealed entry gives, and only where its digest is that of what is shown. Whoever audits a
file can put lines into the log that look like a broker's. An approval of such a line is worth nothing: the broker holds
it against its own entry. Where a request was sealed with two texts, the digest has to say which is meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from custody.broker.approvals.weighing import Held
from custody.broker.shown import digest_of, lapses, shown_of
from custody.errors import CustodyError, NotFound, UsageError
from custody.ledger.entry import RecordEntry, decode
from custody.model.broker_terms import Asked, Verdict
from custody.model.brokered import DECODER, FORMAT, SOURCE, Entry, Issued, Request
from custody.store.history import Closed
from custody.store.reader import Reader

_MARK = f'"{SOURCE}"'.encode()


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A request that asks for approval. ``text`` is exactly what is approved, ``digest`` its SHA-256 (hex).

    ``leaf`` is that of its record in the operations log, ``until`` when it lapses (µs).
    """

    entry: Entry
    request: Request
    asked: Asked
    leaf: int
    text: bytes
    digest: str
    until: int

    @property
    def held(self) -> Held:
        """The request as decisions are weighed against it."""
        return Held(self.entry.broker, self.entry.chain or "", self.request)


class Requests:
    """The requests of a store. Each commit is read once: ``look`` takes in those that are new."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._read = 0
        self._shown: dict[str, dict[str, Shown]] = {}
        self._issued: set[str] = set()
        self._size = -1

    def look(self) -> None:
        """Read the commits since the last look. StoreError where the store cannot be read."""
        with Reader.open(self._root) as reader:
            if reader.size == self._size:
                return
            for closed in reader.segments():
                if closed.first >= self._read:
                    for leaf, entry in _entries(reader, closed):
                        self._take(leaf, entry)
                    self._read = closed.end
            self._size = reader.size

    def every(self) -> list[Shown]:
        """All of them, by id, then by leaf."""
        found = [each for texts in self._shown.values() for each in texts.values()]
        return sorted(found, key=lambda each: (each.request.request, each.leaf))

    def one(self, request: str, digest: str | None = None, broker: str | None = None) -> Shown:
        """The request with this id. NotFound, and UsageError where ``digest`` has to say which text is meant.

        With ``broker`` lines that name another one are none of it.
        """
        texts = {
            each.digest: each
            for each in self._shown.get(request, {}).values()
            if broker is None or each.entry.broker == broker
        }
        if not texts:
            raise NotFound(
                "no such request is sealed that needs approval",
                where=request[:40],
                advice="A broker seals what it wrote about once a second; `custody request list` shows all.",
            )
        return texts[_chosen(request, list(texts), digest)]

    def issued(self, request: str) -> bool:
        """Whether a credential is sealed as issued for it."""
        return request in self._issued

    def _take(self, leaf: int, entry: Entry) -> None:
        if isinstance(entry.body, Issued):
            self._issued.add(entry.body.request)
        shown = shown_in(leaf, entry)
        if shown is not None:
            self._shown.setdefault(shown.request.request, {}).setdefault(shown.digest, shown)


def _chosen(request: str, digests: Sequence[str], digest: str | None) -> str:
    """Which text is meant: the only one, or the one whose digest was given."""
    if digest is not None and digest not in digests:
        raise UsageError(
            "another digest than that of the request as it is sealed",
            where=request,
            found=digest[:64],
            expected=" or ".join(digests),
            advice="What you were shown is not what was asked for: do not approve it.",
        )
    if digest is None and len(digests) > 1:
        raise UsageError(
            "the request was sealed with different texts",
            where=request,
            found=", ".join(digests),
            expected="one of them by --digest",
            advice="A broker writes one text; find out where the other came from.",
        )
    return digest or digests[0]


def shown_in(leaf: int, entry: Entry) -> Shown | None:
    """What an entry asks people to approve, None where it asks for nothing or its digest is not that of its text."""
    body = entry.body
    if not isinstance(body, Request) or body.decision.verdict is not Verdict.APPROVAL or body.decision.asked is None:
        return None
    try:
        text, until = shown_of(body, entry.broker, entry.chain or ""), lapses(body)
    except (ValueError, OverflowError):
        return None
    digest = digest_of(text)
    if digest != body.digest or until is None:
        return None
    return Shown(entry=entry, request=body, asked=body.decision.asked, leaf=leaf, text=text, digest=digest, until=until)


def _entries(reader: Reader, closed: Closed) -> Iterator[tuple[int, Entry]]:
    """The entries of brokers in one commit, as they are kept. What is withheld, erased or no entry is left out."""
    for leaf, raw in enumerate(reader.raw_entries(closed), closed.first):
        if _MARK not in raw:
            continue
        record = decode(raw)
        if not isinstance(record, RecordEntry) or record.source != SOURCE:
            continue
        found = _kept(reader, leaf)
        if found is not None and found.custody == FORMAT and found.id == record.id:
            yield leaf, found


def _kept(reader: Reader, leaf: int) -> Entry | None:
    try:
        kept = reader.kept(leaf).kept
        return None if kept is None else DECODER.decode(kept)
    except (CustodyError, msgspec.MsgspecError):
        return None
