"""Who is who among those who ask and those who approve: nobody decides about what they asked for or will do.

A person has different names in different systems. Two names are taken for one person where they are the same text
whatever the case or the encoding of its letters, in whatever system, or where a party of the register holds both. That
is stricter than it has to be: somebody else can still approve. Names of which nothing says that they are one count as
two people.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from unicodedata import normalize

import msgspec

from custody.broker.proof.claims import issuer_scope
from custody.errors import SourceError
from custody.model import keys
from custody.model.broker_terms import Proof
from custody.model.brokered import Request

SSH = "ssh"
"""The scope of people whom an allowed-signers file names."""

STARTED_BY = ("actor", "triggering_actor", "user_login", "user_email", "email", "preferred_username")
"""Claims of a workload's token that name the person who started its run, or whom it is for."""

STARTED_BY_ID = ("actor_id", "user_id")
"""The same by a number of the issuer's own."""


class Barred(msgspec.Struct, frozen=True):
    """A name of somebody who may not approve, and as what they take part: ``requester``, ``actor`` or ``starter``."""

    name: str
    part: str


def person_key(issuer: str, subject: str) -> str:
    """The key of a person whom an issuer names: its URL without ``https://`` is the scope."""
    return keys.scoped("person", issuer_scope(issuer), subject)


def ssh_key(principal: str) -> str:
    """The key of a person whom an allowed-signers file names."""
    return f"person:{SSH}:{principal}"


def webhook_key(webhook: str, name: str) -> str:
    """The key of a person whom a system names that sends decisions."""
    return f"person:webhook/{webhook}:{name}"


class Persons:
    """What the register says of people: each party is the names of one person."""

    def __init__(self, parties: Iterable[Iterable[str]] = ()) -> None:
        self._parties = [frozenset().union(*map(_forms, party)) for party in parties]

    def one(self, names: Iterable[str], others: Iterable[str]) -> bool:
        """Whether two sets of names are, or may be, those of one person."""
        first: frozenset[str] = frozenset().union(*map(_forms, names))
        second: frozenset[str] = frozenset().union(*map(_forms, others))
        return bool(first & second) or any(first & party and second & party for party in self._parties)

    def bar(self, request: Request, names: Sequence[str]) -> Barred | None:
        """As what somebody called ``names`` takes part in the request themselves, None where they do not."""
        return next((each for each in barred(request) if self.one((each.name,), names)), None)


def barred(request: Request) -> tuple[Barred, ...]:
    """Every name of those who asked, who act for them, and who started the run: none of them may approve."""
    found = [*_of(request.proof, "requester")]
    for actor in request.actors:
        issuer = actor.issuer or request.proof.issuer
        found += [Barred(person_key(issuer, actor.subject), "actor"), Barred(actor.subject, "actor")]
        if actor.proof is not None:
            found += _of(actor.proof, "actor")
    return tuple(dict.fromkeys(found))


def _of(proof: Proof, part: str) -> list[Barred]:
    own = (person_key(proof.issuer, proof.subject), proof.subject, proof.workload)
    told = [proof.claims[name] for name in STARTED_BY if proof.claims.get(name)]
    numbers = [person_key(proof.issuer, proof.claims[name]) for name in STARTED_BY_ID if proof.claims.get(name)]
    typed = [f"github_user:github:{proof.claims['actor']}"] if proof.claims.get("actor") else []
    return [Barred(name, part) for name in own] + [Barred(name, "starter") for name in (*told, *numbers, *typed)]


def _forms(name: str) -> frozenset[str]:
    """The texts by which a name is compared, however its letters are encoded (Unicode NFKC, case folded).

    Itself, and what it says without its system, numbers apart.
    """
    return frozenset(each for spelled in {name, normalize("NFKC", name)} for each in _compared(spelled))


def _compared(name: str) -> set[str]:
    found = {name.casefold()}
    try:
        value = keys.parse(name).value.casefold()
    except SourceError:
        return found
    return found if value.isdecimal() else {*found, value}
