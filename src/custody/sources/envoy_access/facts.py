"""The facts of one line of an access log, under whatever names its operator gave them.

A name counts without its case and marks: ``downstream_peer_uri_san``, ``DOWNSTREAM-PEER-URI-SAN`` and
``downstreamPeerUriSan`` are one. Values are texts, or numbers and booleans where the format is typed; ``-`` is none.
"""

import re

from custody.errors import SourceError

Facts = dict[str, str]

_MARKS = re.compile(r"[^a-z0-9]")
_NAMES: dict[str, tuple[str, ...]] = {
    "time": ("starttime", "timestamp", "time", "attimestamp"),
    "code": ("responsecode", "status", "statuscode"),
    "flags": ("responseflags", "responseflagslong"),
    "details": ("responsecodedetails",),
    "terminated": ("connectionterminationdetails",),
    "failure": ("downstreamtransportfailurereason", "transportfailure", "transportfailurereason"),
    "type": ("accesslogtype", "logtype"),
    "method": ("method", "requestmethod", "reqmethod"),
    "path": ("path", "requestpath", "reqpath", "xenvoyoriginalpath"),
    "protocol": ("protocol",),
    "direct": ("downstreamdirectremoteaddress", "downstreamdirectremoteaddresswithoutport"),
    "remote": ("downstreamremoteaddress", "downstreamremoteaddresswithoutport"),
    "upstream": ("upstreamhost", "upstreamremoteaddress"),
    "cluster": ("upstreamcluster",),
    "uris": ("downstreampeerurisan", "peerurisan", "downstreampeeruri"),
    "serial": ("downstreampeerserial", "peerserial"),
    "sha256": ("downstreampeerfingerprint256", "peerfingerprint256", "downstreampeerfingerprintsha256"),
    "issuer": ("downstreampeerissuer", "peerissuer"),
    "subject": ("downstreampeersubject", "peersubject"),
    "from": ("downstreampeercertvstart", "peercertvstart"),
    "until": ("downstreampeercertvend", "peercertvend"),
    "xfcc": ("xforwardedclientcert", "xfcc"),
    "agent": ("useragent",),
    "request": ("xrequestid", "requestid"),
    "stream": ("streamid",),
    "connection": ("connectionid",),
    "trace": ("traceparent",),
    "authority": ("authority", "host", "requestedservername"),
    "server": ("requestedservername",),
}
_FACT_OF = {name: fact for fact, names in reversed(_NAMES.items()) for name in names}
_OF_ENVOY = frozenset(
    name
    for fact in ("flags", "direct", "remote", "uris", "serial", "sha256", "until", "failure")
    for name in _NAMES[fact]
)
"""Names that only an access log of Envoy has: the operators' own."""


def plain(name: str) -> str:
    """A name without its case and marks; a header's operator (``req(:method)``) is the header."""
    return _MARKS.sub("", name.lower())


def is_access_log(names: list[str]) -> bool:
    """Whether members of these names make a line of Envoy's access log: a time, and one operator that is Envoy's."""
    found = {plain(name) for name in names}
    return not found.isdisjoint(_NAMES["time"]) and not found.isdisjoint(_OF_ENVOY)


def of_object(value: dict[str, object]) -> Facts:
    """The facts of an object. SourceError where two members give one fact different values."""
    facts: Facts = {}
    ranks: dict[str, int] = {}
    for name, entry in value.items():
        known = plain(name)
        fact, text = _FACT_OF.get(known), _text(entry)
        if fact is None or text is None:
            continue
        rank = _NAMES[fact].index(known)
        if rank == ranks.get(fact) and facts[fact] != text:
            raise SourceError("one operator is logged twice, with two values", where=f"$.{name}"[:80])
        if rank <= ranks.get(fact, rank):
            facts[fact], ranks[fact] = text, rank
    return facts


def _text(value: object) -> str | None:
    """A value as text, None for an absent one."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case str():
            return value if value not in ("", "-") else None
    return None
