"""A folder of Cedar policies: is it sound, do its cases come out, and why does one come out as it does?"""

from __future__ import annotations

from pathlib import Path

import msgspec

from custody.errors import NotFound, UsageError
from custody.model import brokered
from custody.model.broker_terms import Decision, Verdict
from custody.model.brokered import Entry, Request
from custody.pipeline.brokering import sealed
from custody.pipeline.glass.known import brokers
from custody.store.reader import Reader

try:
    from custody.broker.intent import GLASS as BREAK_GLASS
    from custody.broker.policy.cases import Ran, cases_of, run
    from custody.broker.policy.cedar import CedarEngine
    from custody.broker.policy.explaining import Weighed, weighed
    from custody.broker.policy.folder import SCHEMA_NAME, PolicyFolder, read
    from custody.broker.policy.policy_set import Checked
    from custody.broker.policy.schema import combined
    from custody.broker.policy.situation_files import MAX_BYTES, situation_of
    from custody.broker.policy.situations import asking
except ImportError as error:
    if error.name != "cedarpy":
        raise
    raise UsageError("policies need the extra broker", advice="pip install 'custody[broker]'") from None


__all__ = [
    "MAX_BYTES",
    "Determined",
    "Explained",
    "Sealed",
    "check",
    "explain",
    "explain_sealed",
    "schema",
    "test",
]


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """A decision and what every policy had to do with it.

    ``recorded`` is what an entry of the log says was decided, ``same`` whether it was decided on the same: policies,
    schema, entities and request by their digests.
    """

    decision: Decision
    policies: tuple[Weighed, ...]
    recorded: Decision | None = None
    same: dict[str, bool] = {}


class Determined(msgspec.Struct, frozen=True, kw_only=True):
    """A policy that determined a sealed decision. ``text`` is its text then, where the folder still has exactly that.

    ``now`` is the SHA-256 (hex) of the policy of this id in the folder, None where there is none.
    """

    id: str
    sha256: str
    text: str | None = None
    now: str | None = None


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """A sealed decision about a request: where it stands, what determined it and what it rested on.

    ``rested_on`` is the request with its context, and ``entities`` the facts, as the engine was handed them; ``same``
    says of both whether they were made again from the log with exactly the sealed digests, and of policies, schema and
    verdict whether the folder still has them and comes to it. ``now`` is the folder's answer as it is.
    """

    request: str
    chain: str | None
    broker: str
    seq: int
    leaf: int | None
    at: str
    decision: Decision
    determined: tuple[Determined, ...]
    same: dict[str, bool]
    rested_on: object
    entities: object
    now: Explained


def check(folder: Path) -> Checked:
    """Everything in the folder, checked. UsageError where it cannot be read at all."""
    return read(folder)


def schema(folder: Path | None) -> str:
    """The schema that policies are checked with: custody's own, and what the folder adds to it."""
    if folder is None:
        return combined(None).text
    path = folder / SCHEMA_NAME
    try:
        return combined(path.read_text("utf-8") if path.exists() else None, str(path)).text
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("cannot be read", where=str(path), found=str(getattr(error, "strerror", ""))) from None


def test(folder: Path) -> tuple[Ran, ...]:
    """Every case of the folder, decided. UsageError where the policies cannot decide or a case is wrong."""
    engine = CedarEngine(PolicyFolder(folder))
    return tuple(run(case, engine) for case in cases_of(folder))


def explain(folder: Path, data: bytes, name: str) -> Explained:
    """The decision of one situation, or again of an entry of a broker's log, by the policies in the folder as it is."""
    policies = PolicyFolder(folder)
    situation, recorded = situation_of(data, name)
    decision = CedarEngine(policies).decide(situation)
    same = {}
    if recorded is not None:
        digests = ("policy_set", "schema", "entities", "request", "verdict")
        same = {each: getattr(recorded, each) == getattr(decision, each) for each in digests}
    return Explained(decision=decision, policies=weighed(situation, policies.current), recorded=recorded, same=same)


def explain_sealed(root: Path, folder: Path, request: str) -> tuple[Sealed, ...]:
    """Every decision that is sealed about a request, in order, beside the policies in the folder as it is.

    NotFound where no broker's own log in the store at ``root`` has the request; UsageError where an entry does not hold
    what was decided on.
    """
    with Reader.open(root) as reader:
        found = [
            _sealed(folder, entry, entry.body, sealed.leaf_of(reader, broker, entry.seq))
            for broker in brokers(reader)
            for entry in sealed.entries(reader, broker, 0)
            if isinstance(entry.body, Request) and entry.body.request == request
        ]
    if not found:
        raise NotFound(
            "no decision about such a request is sealed",
            where=request[:40],
            expected="rq-…, as it stands in a broker's own log",
            advice="A broker seals what it wrote about once a second. What it refused before any decision has no id.",
        )
    return tuple(found)


def _sealed(folder: Path, entry: Entry, body: Request, leaf: int | None) -> Sealed:
    line = brokered.line(entry)
    now = explain(folder, line, entry.id)
    whole = asking(situation_of(line, entry.id)[0])
    current = PolicyFolder(folder).current.policies
    determined = []
    for each in body.decision.policies:
        policy = current.get(each.id)
        same = policy is not None and policy.sha256 == each.sha256
        text, digest = (None, None) if policy is None else (policy.text if same else None, policy.sha256)
        determined.append(Determined(id=each.id, sha256=each.sha256, text=text, now=digest))
    verdict = now.same["verdict"] or (
        body.decision.why == BREAK_GLASS and now.decision.verdict is Verdict.APPROVAL
    )  # allowed as people were asked afterwards
    return Sealed(
        request=body.request,
        chain=entry.chain,
        broker=entry.broker,
        seq=entry.seq,
        leaf=leaf,
        at=entry.at,
        decision=body.decision,
        determined=tuple(determined),
        same=now.same | {"verdict": verdict},
        rested_on=msgspec.json.decode(whole.request),
        entities=msgspec.json.decode(whole.entities),
        now=now,
    )
