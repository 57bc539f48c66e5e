"""The contract in force: the file that the settings name, else the versions that were sealed.

A contract is sealed whole, so that its verdicts can be recomputed from the log alone. A long one takes several
statements: ``contract-part`` with a piece of the text each, then ``contract`` that names its hash and the number of
pieces. Every version stays: one with ``since`` leaves what happened before to those before it.
"""

from __future__ import annotations

import functools
from hashlib import sha256

from custody.errors import ContractError, StoreError
from custody.model.contracts import Contract, SealedContract, Versions
from custody.model.times import microseconds
from custody.settings.catalog import Settings
from custody.settings.contract import parse_contract, read_contract
from custody.store.history import Said
from custody.store.reader import Reader
from custody.store.writer import Writer

PIECE = 15_000
"""Characters of a contract in one statement: at most four bytes each, an entry holds 65,535."""

UNREADABLE = ("all of it: another version of custody wrote it",)
"""What a sealed version declares that this custody cannot read. It may be there, but not in force."""


def given(settings: Settings) -> tuple[Contract, str] | None:
    """The contract that the settings name and its text, None where they name none. ContractError where it is wrong."""
    if settings.contract is None:
        return None
    contract = read_contract(settings.contract)
    return contract, settings.contract.read_text(encoding="utf-8")


def in_force(writer: Writer, settings: Settings, now: str) -> tuple[Versions, tuple[str, ...]]:
    """Every version of the contract, the named one sealed where it is new, and what somebody should know about it."""
    named = given(settings)
    versions = _sealed(settings)
    last = versions.sealed[-1].contract if versions.sealed else None
    if named is not None and named[0].digest != (last.digest if last else None):
        _seal(writer, named[1], named[0].digest or "", now)
        versions, last = _sealed(settings), None
    _check_readable(versions)
    if named is not None or last is None:
        return versions, ()
    digest = (last.digest or "")[:12]
    return versions, (f"judged by the contract that is in force, {digest}…; --contract FILE replaces it",)


def _sealed(settings: Settings) -> Versions:
    with Reader.open(settings.store) as reader:
        return sealed(reader)


def sealed(reader: Reader) -> Versions:
    """Every version that was sealed, in order of leaf. StoreError where the pieces of one do not give its hash."""
    return Versions(sealed=tuple(_version(reader, said) for said in reader.statements("contract")))


def _version(reader: Reader, said: Said) -> SealedContract:
    fields, where = said.entry.fields, f"operations:{said.leaf}"
    pieces = [part.entry.fields for part in reader.statements("contract-part") if part.leaf < said.leaf]
    count = fields.get("pieces")
    text = "".join(str(piece.get("text")) for piece in pieces[-count:]) if isinstance(count, int) else ""
    if sha256(text.encode()).hexdigest() != fields.get("sha256"):
        raise StoreError(
            "the sealed contract is not whole",
            where=where,
            advice="`custody verify` says what is wrong; --contract FILE goes on with a file.",
        )
    at = microseconds(str(fields["at"])) if fields.get("at") else None
    return SealedContract(contract=_read(text, where), leaf=said.leaf, at=at or 0)


@functools.lru_cache(maxsize=32)
def _read(text: str, where: str) -> Contract:
    """A sealed text; where this version of custody does not know its fields, a contract that asks nothing."""
    try:
        return parse_contract(text.encode(), where)
    except ContractError:
        return Contract(digest=sha256(text.encode()).hexdigest(), path=where, declared=UNREADABLE)


def _check_readable(versions: Versions) -> None:
    """A version that cannot be read must not judge anything: nobody would see that its demands are not made."""
    for _, index in versions.periods:
        contract = versions.contract(index)
        if contract.declared == UNREADABLE:
            raise StoreError(
                "this custody cannot read the sealed contract",
                where=contract.path or "",
                advice="--contract FILE, without `since`, replaces it; or this machine has no time zone database",
            )


def _seal(writer: Writer, text: str, digest: str, now: str) -> None:
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)] or [""]
    for number, piece in enumerate(pieces):
        writer.seal("contract-part", {"sha256": digest, "piece": number, "text": piece})
    writer.seal("contract", {"sha256": digest, "pieces": len(pieces), "at": now})
