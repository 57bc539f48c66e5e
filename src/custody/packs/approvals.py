"""The log of approvals in a pack: its leaves under a checkpoint of it that the operations log sealed.

So it needs no word of its own: whoever trusts the checkpoint of the operations log knows which log of approvals it
saw, and by which key. Whether that key is the right one, the people who approve can say.
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from custody.errors import LogError
from custody.ledger.entry import StatementEntry
from custody.ledger.note import MAX_NOTE, encode64
from custody.ledger.policy import NONE, Log, Policy, accept
from custody.packs import parts
from custody.packs.archive import Member
from custody.packs.proven import Proven
from custody.store.approvals_check import SEALED

GIVEN, OWN_WORD = "the key that was given", "the operations log, which sealed it"
"""Whose word the key is."""
Name = Callable[[str, str | LogError], None]


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """The log of approvals as the operations log sealed it at ``leaf``: origin, key, size, root (base64).

    ``trusted`` says whose word the key is.
    """

    origin: str
    vkey: str
    size: int
    root: str
    leaf: int
    trusted: str


class Approvals:
    """Checks it; ``given`` is its key as somebody else has it.

    ``leaves`` are proved, ``said`` are their statements; ``beside`` is None until it is believed.
    """

    def __init__(
        self,
        whole: Callable[[str, int], bytes],
        chunks: Callable[[str], Iterable[bytes]],
        members: Mapping[str, Member],
        name: Name,
        given: str | None,
    ) -> None:
        self._given = given
        self.leaves: frozenset[int] = frozenset()
        self.said: Mapping[int, StatementEntry] = {}
        self.beside: Beside | None = None
        self._whole, self._chunks, self._members, self._name = whole, chunks, members, name

    def run(self, operations: Mapping[int, StatementEntry], origin: str) -> None:
        """Check it against the proved statements of the operations log, whose origin is given."""
        path = parts.APPROVALS_CHECKPOINT
        try:
            signed = self._whole(path, MAX_NOTE)
            leaf, vkey = _sealed(signed, operations)
            if self._given not in (None, vkey):
                raise LogError(
                    "it is of another key than the one that was given", found=vkey, expected=self._given or ""
                )
            point = accept(Policy(logs=(Log(vkey),), witnesses=(), quorum=NONE), signed)
            if point.origin == origin:
                raise LogError("it is of the operations log", found=point.origin)
        except LogError as error:
            self._name(path, error)
            return
        self.beside = Beside(
            origin=point.origin,
            vkey=vkey,
            size=point.size,
            root=encode64(point.root),
            leaf=leaf,
            trusted=OWN_WORD if self._given is None else GIVEN,
        )
        proven = Proven(signed, point, self._whole, self._chunks, self._members, self._name, parts.APPROVALS)
        proven.run(None)
        if proven.records or proven.withheld:
            self._name(parts.APPROVALS + "leaves.json", "the log of approvals has no records")
        self.leaves, self.said = frozenset(proven.leaves), proven.said


def _sealed(signed: bytes, operations: Mapping[int, StatementEntry]) -> tuple[int, str]:
    """The leaf at which the operations log sealed this note, and the key that it names."""
    for leaf, said in sorted(operations.items()):
        if said.what == SEALED and said.fields.get("note") == signed.decode("utf-8", "replace"):
            return leaf, str(said.fields.get("vkey"))
    raise LogError("no leaf of the pack seals this checkpoint of the log of approvals")
