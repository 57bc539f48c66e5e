"""Anchor the log's checkpoint where its owner cannot take it back: at witnesses, and at a time-stamping authority.

What they answered is sealed whole, as a statement ``anchor``, so that it travels with the log. An anchor over a size
covers every leaf below it: whoever trusts the witness or authority need not trust the owner of the log for these.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import msgspec

from custody import __version__
from custody.errors import LogError, StoreForked, UsageError
from custody.ledger import note, timestamp
from custody.ledger.checkpoint import parse, parse_number
from custody.ledger.cosignature import MAX_TIME, Witness, cosignatures, with_signatures
from custody.ledger.policy import Policy, parse_policy
from custody.ledger.policy import Witness as Named
from custody.ledger.proof import consistency_proof, root_at
from custody.ledger.witness_request import format_request
from custody.model.times import text
from custody.pipeline.audit import now
from custody.pipeline.posting import Answer, check_url, post
from custody.settings.catalog import Settings
from custody.store.history import Said
from custody.store.reader import Reader
from custody.store.writer import Writer

STATEMENT = "anchor"
WITNESS = "witness"
AUTHORITY = "rfc3161"
ANSWER = 100_000


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """One anchor: over which size and root (base64), how, by whom, and at what time by their clock.

    ``holds`` says whether it was checked and is right: a witness's against the key that the statement names, a time
    stamp only where roots were given. ``trusted`` is whether that key or root came from outside. ``problem`` says what
    is wrong where it does not hold.
    """

    size: int
    root: str
    how: str
    by: str
    time: str | None
    leaf: int | None
    holds: bool
    trusted: bool
    problem: str = ""


class Anchored(msgspec.Struct, frozen=True, kw_only=True):
    """What a run of ``custody anchor`` did: what was sealed, and what went wrong, one sentence each."""

    size: int
    sealed: tuple[Anchor, ...]
    problems: tuple[str, ...]


def policy_of(path: Path) -> Policy:
    """The trust policy in a file (C2SP tlog-policy). UsageError where it cannot be read or is not one."""
    try:
        return parse_policy(path.read_bytes())
    except OSError as error:
        raise UsageError("cannot read the policy", where=str(path), found=str(error.strerror)) from None
    except LogError as error:
        raise UsageError(f"not a trust policy: {error}", where=str(path)) from None


def anchor(settings: Settings, policy: Path | None, tsa: str | None, roots: Path | None) -> Anchored:
    """Have the checkpoint cosigned by every witness of ``policy`` with an address, and stamped by ``tsa``.

    One that fails does not stop the others. StoreForked where a witness has cosigned a larger or another tree.
    """
    witnesses = () if policy is None else tuple(each for each in policy_of(policy).witnesses if each.url)
    if policy is not None and not witnesses:
        raise UsageError("no witness of the policy has an address", where=str(policy))
    if not witnesses and tsa is None:
        raise UsageError("nobody to anchor at", expected="--policy FILE with witnesses, or --tsa URL")
    for each in witnesses:
        check_url(each.url or "", f"witness {each.name}")
    certificates = () if roots is None else timestamp.roots_of(roots.read_bytes())
    if tsa is not None and not certificates:
        raise UsageError("a time stamp cannot be checked without its roots", where="--tsa", expected="--tsa-roots PEM")
    with Writer.open(settings.store, settings.keys, now=now(), version=__version__) as writer:
        return _Run(settings, writer).run(witnesses, tsa, roots)


def anchors(reader: Reader, policy: Policy | None = None, roots: bytes | None = None) -> tuple[Anchor, ...]:
    """Every sealed anchor, checked: against the log's own tiles, its key, and what is trusted from outside."""
    return tuple(_checked(reader, said, policy, roots) for said in reader.statements(STATEMENT))


def held(settings: Settings, policy: Path | None, roots: Path | None) -> tuple[Anchor, ...]:
    """Every sealed anchor of the store, checked as ``anchors`` does."""
    with Reader.open(settings.store) as reader:
        trusted = None if policy is None else policy_of(policy)
        return anchors(reader, trusted, None if roots is None else roots.read_bytes())


class _Run:
    """One run over a checkpoint that does not change meanwhile: the writer's lock is held."""

    def __init__(self, settings: Settings, writer: Writer) -> None:
        self._writer = writer
        with Reader.open(settings.store) as reader:
            self._note = reader.note()
            self._read = reader.read
            self._size = reader.size
            self._before = reader.statements(STATEMENT)
        self._problems: list[str] = []
        self._sealed: list[Anchor] = []

    def run(self, witnesses: Sequence[Named], tsa: str | None, roots: Path | None) -> Anchored:
        """Ask everybody; seal what holds."""
        statements: list[dict[str, object]] = []
        for each in witnesses:
            try:
                statements.append(self._witnessed(each))
            except (LogError, UsageError) as error:
                self._problems.append(f"witness {each.name}: {error}")
        if tsa is not None and roots is not None:
            try:
                statements.append(self._stamped(tsa, roots))
            except (LogError, UsageError) as error:
                self._problems.append(f"time stamp: {error}")
        for fields in statements:
            leaf = self._writer.seal(STATEMENT, fields)
            self._sealed.append(_of(fields, leaf, holds=True, trusted=True))
        return Anchored(size=self._size, sealed=tuple(self._sealed), problems=tuple(self._problems))

    def _witnessed(self, named: Named) -> dict[str, object]:
        witness = Witness.parse(named.vkey)
        url = f"{(named.url or '').rstrip('/')}/add-checkpoint"
        answer = self._ask(url, self._known_to(named.vkey))
        if answer.status == 409:
            answer = self._ask(url, self._its_size(answer, named.name))
        if answer.status != 200:
            raise LogError("the witness refused", found=f"{answer.status} {_short(answer.body)}")
        lines = answer.body.decode("utf-8", "replace").removesuffix("\n").split("\n")
        # Only its own line is kept: one in the name of the log or of another witness would make the note a wrong one.
        own = [one for one in note.signature_lines(lines) if (one.name, one.key_id) == (witness.name, witness.key_id)]
        whole = with_signatures(self._note, own[:1])
        found = cosignatures(note.parse_note(whole), [witness])
        if not found:
            raise LogError("the witness answered without its cosignature", expected=named.vkey)
        return {
            "how": WITNESS, "size": self._size, "note": whole.decode(), "witness": named.vkey,
            "time": found[0].time, "at": now(),
        }  # fmt: skip

    def _ask(self, url: str, old: int) -> Answer:
        body = format_request(old, consistency_proof(old, self._size, self._read), self._note)
        return post(url, body, "text/plain; charset=utf-8", limit=ANSWER, where="witness")

    def _known_to(self, vkey: str) -> int:
        sizes = [said.entry.fields.get("size") for said in self._before if said.entry.fields.get("witness") == vkey]
        return max((size for size in sizes if isinstance(size, int)), default=0)

    def _its_size(self, answer: Answer, name: str) -> int:
        size = parse_number(answer.body.decode("ascii", "replace").strip())
        if size > self._size:
            raise StoreForked(
                "a witness has cosigned a larger tree of this log",
                where=f"witness {name}", found=f"size {size}", expected=f"at most {self._size}",
                advice="This store is an older copy, or somebody else signs with its key. Do not go on with it.",
            )  # fmt: skip
        return size

    def _stamped(self, tsa: str, roots: Path) -> dict[str, object]:
        pem = roots.read_bytes()
        query = timestamp.query(self._note)
        answer = post(tsa, query.data, timestamp.QUERY, limit=timestamp.MAX_REPLY, where="--tsa")
        if answer.status != 200:
            raise LogError("the authority refused", found=f"{answer.status} {_short(answer.body)}")
        stamped = timestamp.check(answer.body, self._note, timestamp.roots_of(pem), query.nonce)
        return {
            "how": AUTHORITY, "size": self._size, "note": self._note.decode(), "authority": stamped.authority,
            "answer": base64.b64encode(answer.body).decode(), "roots": sha256(pem).hexdigest(),
            "time": stamped.time // 1_000_000, "at": now(),
        }  # fmt: skip


def _checked(reader: Reader, said: Said, policy: Policy | None, roots: bytes | None) -> Anchor:
    fields = said.entry.fields
    try:
        signed = str(fields.get("note")).encode()
        point = parse(note.open_note(signed, [note.Verifier.parse(vkey) for vkey in reader.vkeys]).text)
        if point.size != fields.get("size") or point.size > said.leaf:
            raise LogError("an anchor over another size than it says", found=str(point.size))
        if root_at(point.size, reader.read) != point.root:
            raise LogError("the log has another root at this size")
        trusted = _verified(fields, signed, policy, roots)
    except LogError as error:
        return _of(fields, said.leaf, holds=False, trusted=False, problem=str(error))
    return _of(fields, said.leaf, holds=trusted is not None, trusted=bool(trusted))


def _verified(fields: Mapping[str, object], signed: bytes, policy: Policy | None, roots: bytes | None) -> bool | None:
    """Whether what makes the anchor is trusted from outside; None where nothing could be checked at all."""
    if fields.get("how") == WITNESS:
        vkey = str(fields.get("witness"))
        found = cosignatures(note.parse_note(signed), [Witness.parse(vkey)])
        if not any(each.time == fields.get("time") for each in found):
            raise LogError("the witness's cosignature is not on the note", expected=vkey)
        return policy is not None and any(each.vkey == vkey for each in policy.witnesses)
    if roots is None:
        return None
    timestamp.check(note.decode64(str(fields.get("answer"))), signed, timestamp.roots_of(roots))
    return True


def _of(fields: Mapping[str, object], leaf: int, *, holds: bool, trusted: bool, problem: str = "") -> Anchor:
    size, seconds = fields.get("size"), fields.get("time")
    lines = str(fields.get("note")).split("\n")
    return Anchor(
        size=size if isinstance(size, int) else 0,
        root=lines[2] if len(lines) > 2 else "",
        how=str(fields.get("how")),
        by=str(fields.get("witness") or fields.get("authority") or ""),
        time=text(seconds * 1_000_000) if isinstance(seconds, int) and 0 < seconds < MAX_TIME else None,
        leaf=leaf,
        holds=holds,
        trusted=trusted,
        problem=problem,
    )


def _short(body: bytes) -> str:
    return repr(body[:100].decode("utf-8", "replace"))
