"""Checks the signature of a sealed decision again, from the log of approvals alone."""

from __future__ import annotations

from collections.abc import Sequence

from custody.broker.approvals.decision import NAMESPACE, Decision, signed_text
from custody.broker.approvals.people import Persons, ssh_key
from custody.errors import CustodyError
from custody.pipeline import signatures
from custody.pipeline.approvals import Log
from custody.pipeline.registering import documents
from custody.store.history import Said
from custody.store.reader import Reader


def recheck(decision: Decision, said: Sequence[Said]) -> tuple[str, ...]:
    """The keys of the people whose signature is under the decision, by the signers file that was sealed with it.

    None where there is none, or it is over another text, or the file is not sealed whole.
    """
    fields = {"signature": decision.signature, "signers": decision.signers, "at": decision.at}
    try:
        found = signatures.of_statement(Log(tuple(said)), fields, signed_text(decision), NAMESPACE)
    except (CustodyError, ValueError):
        return ()
    return tuple(map(ssh_key, found.principals)) if found is not None and found.method == "ssh" else ()


def persons(reader: Reader) -> Persons:
    """What the register ever said of people: every version counts, since it can only keep somebody from approving."""
    sealed = documents.sealed(reader)
    parties = [party for each in sealed for party in each.document.parties if is_person(party.name)]
    return Persons((party.name, *party.members) for party in parties)


def is_person(party: str) -> bool:
    """Whether a party is one person: teams and groups say what they are, people are called by their address."""
    return party.startswith("person:") or ("@" in party and not party.startswith(("team:", "group:")))
