"""A SPIRE line's typed meaning: one event, and what it is to a certificate, a workload, an agent or an entry.

Audit lines and debug lines of one call have one ``request_id``; an audit line is called by its method, every other line
by its message. Lines that this package does not know are events without a part.
"""

import msgspec

from custody.model.events import Asserter, Event, Granularity, Outcome, Part, Skip, Stage
from custody.sources import moments
from custody.sources.decoding import told
from custody.sources.masking import mask
from custody.sources.spire import audited, names
from custody.sources.spire.identity import identify, secrets
from custody.sources.spire.lines import Line, needed

_SIGNED = "Signed X509 SVID"
_MINTED = "MintX509SVID"
_NOT_ACTIVE = "Agent SVID is not active"
_REFUSALS = frozenset(
    ("No identity issued", _NOT_ACTIVE, "Agent SVID is expired", "Agent is banned", "Agent is not attested")
)
_DENIED = frozenset(("PermissionDenied", "Unauthenticated", "7", "16"))
_LONGEST_MESSAGE = 300
_TAGS = (
    "audience", "by_banned", "caller_gid", "caller_path", "caller_uid", "count", "csr", "dns_name", "downstream",
    "federates_with", "hint", "jwt_svid_ttl", "local_authority_id", "node_attestor_type", "parent_id", "pid",
    "registered", "revision_number", "selectors", "status_code", "store_svid", "subject", "ttl", "x509_svid_ttl",
)  # fmt: skip


def read(kept: bytes, _form: str) -> tuple[Event, ...] | Skip:
    """The event of a kept line, or why there is none. Raises nothing."""
    events = told(lambda: _events(kept))
    return events or Skip("duplicate-keys", "a field stands twice in the line")


def _events(raw: bytes) -> tuple[Event, ...]:
    """The event of the line as it is kept, also where ``raw`` is the original; none where a field stands twice."""
    spans = secrets(raw).spans
    kept = mask(raw, spans) if spans else raw
    line = needed(kept)
    identity = identify(kept)
    return () if line.twice else (_event(line, identity.id if identity else ""),)


def _event(line: Line, identity: str) -> Event:
    audit = line.get("type") == "audit"
    outcome = _outcome(line, audit)
    entry = names.entry_id(line)
    service = line.get("service") or line.get("subsystem_name")
    return Event(
        id=identity,
        time=moments.rfc3339(line.time, "time"),
        service=f"spire.{service}" if service else "spire",
        action=((line.get("method") if audit else None) or line.message or line.level)[:_LONGEST_MESSAGE],
        outcome=outcome,
        parts=_parts(line, audit, outcome),
        error=line.get("status_message", "error") or (line.message or None if outcome is not Outcome.SUCCESS else None),
        account=names.domain(line.get("spiffe_id"), line.get("agent_id"), line.get("caller_id")),
        category="audit" if audit else line.level,
        origin=names.origin(line),
        principal=names.workload(line.get("caller_id")),
        principal_kind=names.kind(line),
        request_id=line.get("request_id"),
        resource=line.get("spiffe_id", "agent_id") or entry,
        tags=_tags(line),
        policy=f"entry {entry}" if entry and outcome is Outcome.SUCCESS and _rests_on_entry(line) else None,
    )


def _outcome(line: Line, audit: bool) -> Outcome:
    if audit:
        if line.get("status") != "error":
            return Outcome.SUCCESS
        return Outcome.DENIED if line.get("status_code") in _DENIED else Outcome.ERROR
    if line.message in _REFUSALS:
        return Outcome.DENIED
    return Outcome.ERROR if line.level in ("error", "fatal", "panic") else Outcome.SUCCESS


def _rests_on_entry(line: Line) -> bool:
    """Whether an SVID was given by an entry; where entries themselves are the matter, none decided anything."""
    return line.get("method") in audited.REQUESTS


def _parts(line: Line, audit: bool, outcome: Outcome) -> tuple[Part, ...]:
    if audit:
        return audited.parts(line) if outcome is Outcome.SUCCESS else ()
    if line.message == _SIGNED:
        return _signed(line)
    return _refused(line) if line.message == _NOT_ACTIVE else ()


def _signed(line: Line) -> tuple[Part, ...]:
    """The issue of an X.509-SVID. The server's own certificate has no serial there, nor any in older versions."""
    name, serial = line.get("spiffe_id"), line.get("serial_num")
    domain, subject = names.domain(name), names.workload(name)
    if serial is None or domain is None or subject is None:
        return ()
    attested = line.get("method") != _MINTED
    part = Part(
        stage=Stage.ISSUE,
        key=names.certificate(domain, serial, "serial_num"),
        subject=subject,
        workload=subject if attested else None,
        granularity=Granularity.ACCOUNT if attested else None,
        bound_by=Asserter.ISSUER if attested else None,
        method=line.get("method"),
        not_after=names.expiry(line),
        population="machine",
    )
    return (part,)


def _refused(line: Line) -> tuple[Part, ...]:
    """An agent came with a certificate that is not its present one: an old one, or a copy."""
    serial, domain = line.get("svid_serial_num"), names.domain(line.get("agent_id"), line.get("caller_id"))
    if serial is None or domain is None:
        return ()
    key = names.certificate(domain, serial, "svid_serial_num")
    return (Part(stage=Stage.USE, key=key, population="machine"),)


def _tags(line: Line) -> str | None:
    said = {name: found for name in _TAGS if (found := line.get(name))}
    return msgspec.json.encode(said).decode() if said else None
