"""A line's typed meaning: one event, and a use of the certificate that the client showed.

A request is a use; so is a connection that carries no HTTP. The line of a connection whose requests have lines of
their own is none, and neither are the lines at a stream's start and underway: nothing counts twice.
"""

import re

import msgspec

from custody.errors import SourceError
from custody.model.events import Asserter, Event, Outcome, Part, Skip, Stage
from custody.sources import moments
from custody.sources.decoding import told
from custody.sources.envoy_access import facts as said
from custody.sources.envoy_access import identity, peer, text
from custody.sources.envoy_access.facts import Facts
from custody.sources.masking import mask

_OBJECT = msgspec.json.Decoder(dict[str, object])
_NUMBER = re.compile(r"([0-9]{10,19})(?:\.([0-9]{1,9}))?")
_TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_PORT = re.compile(r":[0-9]{1,5}$")
_REFUSED = frozenset((401, 403, 407))
_REFUSING = re.compile(r"rbac_access_denied|ext_authz_denied|jwt_authn_access_denied")
_POLICY = re.compile(r"rbac_access_denied_matched_policy\[(?!none\])([^\]]{1,300})\]")
_TELLING_FLAGS = {"UAEX": Outcome.DENIED, "UnauthorizedExternalService": Outcome.DENIED}
_TAGS = {
    "until": "cert_not_after", "from": "cert_not_before", "sha256": "cert_sha256", "issuer": "cert_issuer",
    "subject": "cert_subject", "connection": "connection_id", "flags": "response_flags", "code": "response_code",
}  # fmt: skip


def read(kept: bytes, _form: str) -> tuple[Event, ...] | Skip:
    """The event of a kept line, or why there is none. Raises nothing."""
    return told(lambda: (_read(kept),))


def _read(raw: bytes) -> Event:
    """The event of the line as it is kept, also where ``raw`` is the original."""
    spans = identity.secrets(raw).spans
    kept = mask(raw, spans) if spans else raw
    facts = _facts(kept)
    return _event(facts, identity.name(kept) or "")


def _facts(kept: bytes) -> Facts:
    if kept[:1] == b"{":
        return said.of_object(_OBJECT.decode(kept))
    facts = text.facts_of(kept.decode())
    if facts is None:
        raise SourceError("a line of another format", expected="the default format, no quote within a field")
    return facts


def _event(facts: Facts, name: str) -> Event:
    outcome = _outcome(facts)
    shown = peer.refused(facts) if "failure" in facts else peer.verified(facts)
    details = facts.get("failure") or facts.get("details") or facts.get("terminated")
    policy = _POLICY.search(f"{facts.get('details', '')} {facts.get('terminated', '')}")
    traced = _TRACE.fullmatch(facts.get("trace", ""))
    return Event(
        id=name,
        time=_time(facts.get("time")),
        service="envoy",
        action=facts.get("method") or ("request" if _is_request(facts) else "connection"),
        outcome=outcome,
        parts=_parts(facts, shown),
        error=(details or facts.get("flags") or facts.get("code")) if outcome is not Outcome.SUCCESS else None,
        category="request" if _is_request(facts) else "connection",
        origin=_host(facts.get("direct") or facts.get("remote")),
        endpoint=facts.get("upstream") or facts.get("cluster"),
        agent=facts.get("agent"),
        principal=shown.principal,
        request_id=facts.get("request") or facts.get("stream"),
        resource=_resource(facts),
        tags=_tags(facts),
        policy=f"rbac {policy[1]}" if policy else None,
        trace=traced[1] if traced else None,
    )


def _time(text: str | None) -> int:
    """RFC 3339, or seconds, milliseconds, microseconds or nanoseconds since 1970, told by the number of digits."""
    found = _NUMBER.fullmatch(text or "")
    if found is None:
        return moments.rfc3339(text or "", "start_time")
    unit = 10 ** (len(found[1]) - 10)
    if unit not in (1, 10**3, 10**6, 10**9):
        raise SourceError("not a time", where="start_time", found=repr(text), expected="RFC 3339 or a Unix time")
    fraction = int((found[2] or "").ljust(9, "0")) // unit
    return moments.of_nanoseconds(int(found[1]) * (10**9 // unit) + fraction, "start_time")


def _code(facts: Facts) -> int:
    """The status of the answer, 0 where there was none. SourceError where a request's is not logged."""
    text = facts.get("code", "")
    if text.isascii() and text.isdigit() and len(text) <= 3:
        return int(text)
    if "method" in facts:
        raise SourceError("a request without its response code", where="response_code", expected="a number")
    return 0


def _is_request(facts: Facts) -> bool:
    return "method" in facts or _code(facts) > 0


def _outcome(facts: Facts) -> Outcome:
    """Whether the proxy let the client in, and its call reached an answer: 404 is an answer like any other."""
    if _is_underway(facts):
        return Outcome.SUCCESS
    code, why = _code(facts), f"{facts.get('details', '')} {facts.get('terminated', '')}"
    if code in _REFUSED or "failure" in facts or _REFUSING.search(why):
        return Outcome.DENIED
    for flag in facts.get("flags", "").split(","):
        if flag in _TELLING_FLAGS:
            return _TELLING_FLAGS[flag]
    failed = code >= 500 or (_is_request(facts) and code == 0) or (not _is_request(facts) and "flags" in facts)
    return Outcome.ERROR if failed else Outcome.SUCCESS


def _is_underway(facts: Facts) -> bool:
    """Whether the line was written before the end of a request, or for its upstream side: another one follows."""
    kind = said.plain(facts.get("type", ""))
    return kind.endswith(("start", "periodic", "connected", "established")) or kind.startswith("upstream")


def _counts(facts: Facts) -> bool:
    """Whether the line is the one by which a request or connection counts."""
    if _is_underway(facts):
        return False
    return _is_request(facts) or not facts.get("protocol", "").startswith("HTTP") or _outcome(facts) is Outcome.DENIED


def _parts(facts: Facts, shown: peer.Peer) -> tuple[Part, ...]:
    if not _counts(facts):
        return ()
    forwarded = (
        Part(stage=Stage.USE, key=key, asserter=Asserter.CLIENT) for key in peer.forwarded(facts, shown.sha256)
    )
    if shown.key is None:
        return tuple(forwarded)
    claimed = Asserter.CLIENT if "failure" in facts else None
    machine = "machine" if shown.principal else None
    until = None if claimed else _expiry(facts.get("until"))
    own = Part(stage=Stage.USE, key=shown.key, not_after=until, population=machine, asserter=claimed)
    return (own, *forwarded)


def _expiry(text: str | None) -> int | None:
    """The end of a certificate's validity; None in a format of the operator's own, which the tags still tell."""
    try:
        return moments.rfc3339(text, "cert_v_end") if text else None
    except SourceError:
        return None


def _host(address: str | None) -> str | None:
    """An address without its port."""
    if address is None or not address.startswith("["):
        return _PORT.sub("", address) if address and address.count(":") == 1 else address
    return address[1:].partition("]")[0] or None


def _resource(facts: Facts) -> str | None:
    """What was asked for, without the query."""
    path = facts.get("path", "").partition("?")[0]
    return f"{facts.get('authority') or ''}{path}" or None


def _tags(facts: Facts) -> str | None:
    tags = {name: facts[fact] for fact, name in _TAGS.items() if fact in facts}
    if "uris" in facts and ("failure" in facts or "," in facts["uris"]):
        tags["claimed_uri"] = facts["uris"]
    if names := peer.forwarded_names(facts):
        tags["forwarded_uri"] = names
    remote = _host(facts.get("remote"))
    if "direct" in facts and remote and remote != _host(facts["direct"]):
        tags["remote_address"] = remote
    return msgspec.json.encode(dict(sorted(tags.items()))).decode() if tags else None
