"""The exact text of a request that approvers are shown, made from the request's entry alone. ``custody.request/1``.

It is JSON, indented, in ASCII only: what is not a printable ASCII character stands escaped, so that nothing in it can
hide, turn the reading direction or draw on a terminal. The same entry gives the same bytes for ever: its SHA-256 is the
request's ``digest``, which is what people sign. It rests on nothing that is decided when the entry is written (``seq``,
``at``, ``digest``).
"""

from __future__ import annotations

import json
from hashlib import sha256

import msgspec

from custody.broker.clock import ALPHABET
from custody.model.broker_terms import Actor, Proof
from custody.model.brokered import Request
from custody.model.times import text

FORMAT = "custody.request/1"

_LETTERS = {letter: number for number, letter in enumerate(ALPHABET)}
_ULID = 26
_PREFIX = "rq-"
_SECOND = 1_000_000


def shown_of(entry: Request, broker: str, chain: str) -> bytes:
    """What approvers of ``entry`` see, of the broker ``broker`` and for the chain ``chain``: ASCII with a line end."""
    decision, asked = entry.decision, entry.decision.asked
    return written(
        {
            "custody": FORMAT,
            "broker": broker,
            "request": entry.request,
            "chain": chain,
            "not_after": text(lapses(entry)),
            "approvals": None if asked is None else msgspec.to_builtins(asked),
            "identity": None if entry.registered is None else msgspec.to_builtins(entry.registered),
            "workload": entry.proof.workload,
            "proof": _proof(entry.proof),
            "actors": [_actor(each) for each in entry.actors],
            "intent": msgspec.to_builtins(entry.intent),
            "decision": {
                "engine": decision.engine,
                "policy_set": decision.policy_set,
                "schema": decision.schema,
                "request": decision.request,
                "policies": [[each.id, each.sha256] for each in decision.policies],
            },
        }
    )


def digest_of(shown: bytes) -> str:
    """The digest of a request as it is shown: SHA-256 (hex)."""
    return sha256(shown).hexdigest()


def asked_at(request: str) -> int:
    """When a request was made (µs), as its id says it (a ULID, milliseconds). ValueError where it is no such id."""
    ulid = request.removeprefix(_PREFIX)
    if not request.startswith(_PREFIX) or len(ulid) != _ULID or not set(ulid) <= _LETTERS.keys() or ulid[0] > "7":
        raise ValueError("not the id of a request")
    number = 0
    for letter in ulid:
        number = number << 5 | _LETTERS[letter]
    return (number >> 80) * 1000


def lapses(entry: Request) -> int | None:
    """When nothing that is decided about the request counts any more (µs), None where no approval is asked for.

    It is the time of the request's id and the seconds within which its decision asks for approvals.
    """
    asked = entry.decision.asked
    return None if asked is None else asked_at(entry.request) + asked.within * _SECOND


def written(value: object) -> bytes:
    """JSON as people read and sign it: indented, ASCII, keys as given, a line end."""
    plain = json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False)
    return plain.replace("\x7f", "\\u007f").encode("ascii") + b"\n"


def _proof(proof: Proof) -> dict[str, object]:
    """The proof by its public facts; those that have no value are left out."""
    told: dict[str, object] = {
        "method": proof.method,
        "issuer": proof.issuer,
        "subject": proof.subject,
        "run": proof.run,
        "granularity": proof.granularity,
        "credential": proof.credential,
        "claims": dict(sorted(proof.claims.items())) or None,
        "person": proof.person or None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _actor(actor: Actor) -> dict[str, object]:
    told: dict[str, object] = {"subject": actor.subject, "issuer": actor.issuer, "claimed": actor.claimed}
    return told if actor.proof is None else {**told, "proof": _proof(actor.proof)}
