"""Which line of SPIRE this is, and where its secrets are. Frozen as scheme ``spire/1``.

The log has no event ids: a line is the SHA-256 of its bytes as they are kept. Two equal lines are one record.
"""

import re
from collections.abc import Iterator

from custody.model.records import Identity, SecretSpan
from custody.sources import identities, pasted_secrets
from custody.sources.secret_names import is_secret_name
from custody.sources.secret_spans import Found
from custody.sources.spire import lines

SCHEME = "spire/1"
_HEAD = re.compile(lines.HEAD.encode())
MARKS = (b"subsystem_name", b"type=audit", b'"audit"')
_JOIN_TOKEN = re.compile(
    rb'((?:agent_id|caller_id|spiffe_id)(?:="|":[ ]?")spiffe://[^\s"/]{1,255})?'
    rb"/spire/agent/join_token/(?!custody-masked:)([^\s\"\\,\]]{1,256})"
)


def recognise(raw: bytes) -> bool:
    """Whether ``raw`` looks like a line of SPIRE, by its bytes alone."""
    if MARKS[0] not in raw and MARKS[1] not in raw and MARKS[2] not in raw:
        return False
    if raw[:1] == b"{":
        return b'"level"' in raw and b'"msg"' in raw and b'"time"' in raw
    return _HEAD.match(raw) is not None


def identify(raw: bytes) -> Identity | None:
    """The hash of the line as it is kept; None where it is no line of SPIRE. Raises nothing."""
    return pasted_secrets.identified(SCHEME, raw, _name, secrets)


def secrets(raw: bytes) -> Found:
    """What is named or shaped like a secret, and join tokens that may not be spent yet."""
    return pasted_secrets.find(raw, texts=_texts)


def _name(raw: bytes) -> str | None:
    return identities.hashed(raw) if lines.line_of(raw) is not None else None


def _texts(raw: bytes) -> Iterator[SecretSpan]:
    """Values of telling names in a line of text, and join tokens in the names of agents.

    An agent that joined by a token has it in its name, and a name is how SPIRE speaks of it: as who called, who was
    attested, who an SVID is for, it stays, for by then the token is spent. As the parent of an entry or in a selector
    it may be waiting still.
    """
    if raw[:1] != b"{":
        for name, start, end in lines.pairs(raw):
            if start < end and is_secret_name(name) and not raw.startswith(b"custody-masked:", start):
                yield SecretSpan(start, end, "secret")
    for found in _JOIN_TOKEN.finditer(raw):
        if found[1] is None:
            yield SecretSpan(*found.span(2), "token")
