"""The facts of one line of an access log, under whatever names its operator gave them.

A name counts without its case and marks: ``downstream_peer_uri_san``, ``DOWNSTREAM-PEER-URI-SAN`` and
``downstreamPeerUriSan`` are one. Values are texts, or numbers and booleans where the format is typed; ``-`` is none.
"""

import re
from functools import lru_cache

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


@lru_cache(maxsize=64)
def is_access_log(names: tuple[str, ...]) -> bool:
    """Whether members of these names make a line of Envoy's access log: a time, and one operator that is Envoy's."""
    found = {plain(name) for name in names}
    return not found.isdisjoint(_NAMES["time"]) and not found.isdisjoint(_OF_ENVOY)


@lru_cache(maxsize=64)
def called(names: tuple[str, ...], wanted: str) -> tuple[str, ...]:
    """Those of the ``names`` that are ``wanted`` without their case and marks."""
    return tuple(name for name in names if plain(name) == wanted)


@lru_cache(maxsize=64)
def _facts_of(names: tuple[str, ...]) -> tuple[tuple[str, str, int], ...]:
    """Those of the names that tell a fact, with the fact and the rank of the name among those for it."""
    known = [(name, plain(name)) for name in names]
    facts = [(name, word, _FACT_OF[word]) for name, word in known if word in _FACT_OF]
    return tuple((name, fact, _NAMES[fact].index(word)) for name, word, fact in facts)


def of_object(value: dict[str, object]) -> Facts:
    """The facts of an object. SourceError where two members give one fact different values."""
    facts: Facts = {}
    ranks: dict[str, int] = {}
    for name, fact, rank in _facts_of(tuple(value)):
        text = _text(value[name])
        if text is None:
            continue
        if rank == ranks.get(fact) and facts[fact] != text:
            raise SourceError("one operator is logged twice, with two values", where=f"$.{name}"[:80])
        if rank <= ranks.get(fact, rank):
            facts[fact], ranks[fact] = text, rank
    return facts


def _text(value: object) -> str | None:
    """A value as text, None for an absent one."""
    if isinstance(value, str):
        return value if value not in ("", "-") else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None
