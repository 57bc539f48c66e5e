"""The contract in force: the file that the settings name, else the last one that was sealed.

A contract is sealed whole, so that its verdicts can be recomputed from the log alone. A long one takes several
statements: ``contract-part`` with a piece of the text each, then ``contract`` that names its hash and the number of
pieces.
"""

from __future__ import annotations

from hashlib import sha256

from custody.errors import StoreError
from custody.model.contracts import EMPTY, Contract
from custody.settings.catalog import Settings
from custody.settings.contract import parse_contract, read_contract
from custody.store.reader import Reader
from custody.store.writer import Writer

PIECE = 15_000
"""Characters of a contract in one statement: at most four bytes each, an entry holds 65,535."""


def given(settings: Settings) -> tuple[Contract, str] | None:
    """The contract that the settings name and its text, None where they name none. ContractError where it is wrong."""
    if settings.contract is None:
        return None
    contract = read_contract(settings.contract)
    return contract, settings.contract.read_text(encoding="utf-8")


def in_force(writer: Writer, settings: Settings, now: str) -> tuple[Contract, tuple[str, ...]]:
    """The contract that holds from now on, sealed where it is new, and what somebody should know about it."""
    named = given(settings)
    with Reader.open(settings.store) as reader:
        sealed = last_sealed(reader)
    if named is None:
        if sealed.digest is None:
            return EMPTY, ()
        return sealed, (f"judged by the contract that is in force, {sealed.digest[:12]}…; --contract FILE replaces it",)
    contract, text = named
    if contract.digest != sealed.digest:
        _seal(writer, text, contract.digest or "", now)
    return contract, ()


def last_sealed(reader: Reader) -> Contract:
    """The contract that was sealed last; EMPTY where none was. StoreError where its pieces do not give its hash."""
    statements = reader.statements("contract")
    if not statements:
        return EMPTY
    last = statements[-1]
    pieces = [said.entry.fields for said in reader.statements("contract-part") if said.leaf < last.leaf]
    count = last.entry.fields.get("pieces")
    text = "".join(str(piece.get("text")) for piece in pieces[-count:]) if isinstance(count, int) else ""
    if sha256(text.encode()).hexdigest() != last.entry.fields.get("sha256"):
        raise StoreError(
            "the sealed contract is not whole",
            where=f"operations:{last.leaf}",
            advice="`custody verify` says what is wrong; --contract FILE goes on with a file.",
        )
    return parse_contract(text.encode(), f"operations:{last.leaf}")


def _seal(writer: Writer, text: str, digest: str, now: str) -> None:
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)] or [""]
    for number, piece in enumerate(pieces):
        writer.seal("contract-part", {"sha256": digest, "piece": number, "text": piece})
    writer.seal("contract", {"sha256": digest, "pieces": len(pieces), "at": now})
