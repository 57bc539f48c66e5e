"""The register's documents as the broker asks them: which one identity is a proved workload? Pure."""

from __future__ import annotations

from collections.abc import Sequence

from custody.model.broker_terms import Proof, Registered
from custody.model.keys import names_of
from custody.model.register import Declared, SealedDocument


class DeclaredRegister:
    """``broker.register.Register`` over the last sealed version of every document, as of a time (µs)."""

    def __init__(self, documents: Sequence[SealedDocument], now: int) -> None:
        self._documents = tuple(documents)
        last = {each.document.name: each for each in documents}
        self._by_name: dict[str, dict[str, tuple[SealedDocument, Declared]]] = {}
        for sealed in last.values():
            for declared in sealed.document.identities:
                if _holds(declared, now):
                    self._enter(sealed, declared)

    def find(self, proof: Proof) -> Registered | None:
        """The identity that one of the workload's names belongs to; None where that is none, or several."""
        names = {proof.workload, *names_of(proof.workload)}
        found = {identity: one for name in names for identity, one in self._by_name.get(name, {}).items()}
        if len(found) != 1:
            return None
        ((identity, (sealed, declared)),) = found.items()
        return Registered(
            identity=identity,
            document=sealed.document.name,
            leaf=sealed.leaf,
            owner=declared.owner,
            purpose=declared.purpose,
            environments=declared.environments,
            risk=declared.risk,
            depends_on=declared.depends_on,
        )

    def knows(self, identity: str) -> bool:
        """Whether a document in force declares an identity of this id."""
        return any(identity in each for each in self._by_name.values())

    def signed_since(self, identity: str, since: int) -> int | None:
        """The leaf of the first signed version after ``since`` that declares the identity."""
        for sealed in self._documents:
            declares = any(each.identity == identity for each in sealed.document.identities)
            if declares and sealed.at > since and _signed_by_owner(sealed, identity):
                return sealed.leaf
        return None

    def _enter(self, sealed: SealedDocument, declared: Declared) -> None:
        for name in (*declared.names, *((declared.workload,) if declared.workload else ())):
            self._by_name.setdefault(name, {})[declared.identity] = (sealed, declared)


def _holds(declared: Declared, now: int) -> bool:
    begun = declared.since is None or declared.since <= now
    return begun and (declared.until is None or now < declared.until)


def _signed_by_owner(sealed: SealedDocument, identity: str) -> bool:
    """Whether the version is signed by the identity's own owner, or by somebody who is in the party that owns it."""
    if sealed.signature is None:
        return False
    owners = {each.owner for each in sealed.document.identities if each.identity == identity and each.owner}
    return bool(owners & set(sealed.signature.principals))
