"""The form of a token exchange (RFC 8693, with RFC 8707 and RFC 9396), and custody's own parameters beside it.

Parameters that nobody knows are ignored, empty ones count as left out, and none but ``resource`` and ``audience`` may
come twice (RFC 6749 section 3.2).
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

import msgspec

from custody.broker.proof.prover import TOKEN_ACCESS, TOKEN_ID, TOKEN_JWT, Presented
from custody.errors import IntentRefused
from custody.model.broker_terms import Intent
from custody.model.brokered import CHAIN
from custody.readers import json_guard

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
TYPES = (TOKEN_JWT, TOKEN_ID, TOKEN_ACCESS)
MOST_FIELDS = 64
MOST_TOKEN = 16 << 10
MOST_TEXT = 500
MOST_LIST = 16
MOST_DEPTH = 16

_SINGLE = frozenset(
    "grant_type subject_token subject_token_type actor_token actor_token_type requested_token_type backend scope "
    "authorization_details purpose ticket run ttl parent reason request break_glass".split()
)

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+", re.ASCII)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!$%&'()*+,./0-9:;=?@A-Z\[\]_a-z~-]+", re.ASCII)
_TOKEN = re.compile(r"[\x21-\x7e]+", re.ASCII)
_CHAIN = re.compile(CHAIN, re.ASCII)
_REQUEST = re.compile(CHAIN.replace("cc-", "rq-", 1), re.ASCII)
_DETAILS = msgspec.json.Decoder(list[msgspec.Raw])


class _Detail(msgspec.Struct, frozen=True):
    """The one field that every object of ``authorization_details`` has."""

    type: str


_DETAIL = msgspec.json.Decoder(_Detail)


class Form:
    """The parameters of one request, each looked at once."""

    __slots__ = ("_given",)

    def __init__(self, body: bytes) -> None:
        self._given = _fields(body)

    def one(self, name: str) -> str | None:
        """The value of a parameter, None where it was left out."""
        found = self._given.get(name)
        return found[0] if found else None

    def several(self, name: str) -> tuple[str, ...]:
        """All values of a parameter."""
        found = tuple(self._given.get(name, ()))
        if len(found) > MOST_LIST:
            raise _refused(name, f"at most {MOST_LIST}", reason=f"too-many-{name}s")
        return found

    def text(self, name: str) -> str | None:
        """A text for people, bounded and of characters that print."""
        found = self.one(name)
        if found is not None and (len(found) > MOST_TEXT or not found.isprintable()):
            raise _refused(name, f"at most {MOST_TEXT} characters that print")
        return found


def grant_of(form: Form) -> None:
    """IntentRefused where it is no token exchange."""
    found = form.one("grant_type")
    if found is None:
        raise _refused("grant_type", GRANT)
    if found != GRANT:
        raise IntentRefused("not a grant type that is taken here", reason="grant-type", expected=GRANT)


def request_of(form: Form) -> str | None:
    """The id of the request whose approval was waited for, None: a new request."""
    found = form.one("request")
    if found is not None and not _REQUEST.fullmatch(found):
        raise _refused("request", "the id of a request: rq-…")
    return found


def presented_of(form: Form, certificates: tuple[bytes, ...]) -> tuple[Presented, Presented | None]:
    """What proves the subject, and the actor if there is one.

    A certificate of the connection is the subject's proof only where no ``subject_token`` is given.
    """
    subject = _presented(form, "subject", certificates)
    actor = _presented(form, "actor", certificates)
    if subject is None and not certificates:
        raise _refused("subject_token", "a token, or a client certificate on the connection")
    return subject or Presented(type="", certificate=certificates), actor


def intent_of(form: Form) -> Intent:
    """What is asked for. IntentRefused names the parameter that is wrong."""
    backend = form.text("backend")
    if backend is None:
        raise _refused("backend", "the name of a backend")
    _requested_type(form)
    return Intent(
        backend=backend,
        resource=_resources(form),
        audience=_audiences(form),
        scope=_scope(form),
        details=_details(form),
        purpose=form.text("purpose"),
        ticket=form.text("ticket"),
        run=form.text("run"),
        ttl=_ttl(form),
        parent=_parent(form),
        reason=form.text("reason"),
        break_glass=_break_glass(form),
    )


def is_chain(text: str) -> bool:
    """Whether a text is a chain id."""
    return _CHAIN.fullmatch(text) is not None


def is_request(text: str) -> bool:
    """Whether a text is the id of a request."""
    return _REQUEST.fullmatch(text) is not None


def _fields(body: bytes) -> dict[str, list[str]]:
    try:
        pairs = parse_qsl(body.decode("ascii"), errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise IntentRefused(
            "not a form", reason="malformed", expected=f"percent-encoded UTF-8, at most {MOST_FIELDS} fields"
        ) from None
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        given.setdefault(name, []).append(value)
    for name, values in given.items():
        if len(values) > 1 and name in _SINGLE:
            raise IntentRefused("a parameter comes twice", reason="repeated", found=name)
    return given


def _presented(form: Form, whose: str, certificates: tuple[bytes, ...]) -> Presented | None:
    token, kind = form.one(f"{whose}_token"), form.one(f"{whose}_token_type")
    if token is None and kind is None:
        return None
    if token is None or not _TOKEN.fullmatch(token) or len(token) > MOST_TOKEN:
        raise _refused(f"{whose}_token", f"a token of at most {MOST_TOKEN} bytes")
    if kind not in TYPES:
        raise _refused(f"{whose}_token_type", " or ".join(TYPES))
    return Presented(token=token.encode(), type=kind, certificate=certificates)


def _requested_type(form: Form) -> None:
    """The backend decides what is issued; a type that no backend can mean is refused."""
    found = form.one("requested_token_type")
    if found is not None and found not in (TOKEN_JWT, TOKEN_ACCESS) and not found.startswith("custody:"):
        raise _refused("requested_token_type", f"{TOKEN_ACCESS}, {TOKEN_JWT} or custody:KIND")


def _resources(form: Form) -> tuple[str, ...]:
    """RFC 8707: absolute URIs without a fragment."""
    found = form.several("resource")
    for each in found:
        if len(each) > 2048 or not _URI.fullmatch(each):
            raise _refused("resource", "absolute URIs without a fragment")
    return found


def _audiences(form: Form) -> tuple[str, ...]:
    found = form.several("audience")
    for each in found:
        if len(each) > 2048 or not each.isprintable():
            raise _refused("audience", "names of characters that print")
    return found


def _scope(form: Form) -> tuple[str, ...]:
    """RFC 6749 section 3.3: names between single spaces; the same name twice says nothing more."""
    found = form.one("scope")
    names = tuple(dict.fromkeys(found.split(" "))) if found else ()
    if len(names) > 4 * MOST_LIST or not all(_SCOPE.fullmatch(each) for each in names):
        raise _refused("scope", "names between single spaces")
    return names


def _details(form: Form) -> tuple[str, ...]:
    """RFC 9396: an array of objects, each with a type; kept as the text that was sent."""
    found = form.one("authorization_details")
    if found is None:
        return ()
    raw = found.encode()
    if json_guard.check(raw, MOST_DEPTH) is not None:
        raise _refused("authorization_details", "JSON that every parser reads alike", reason="malformed-details")
    try:
        items = _DETAILS.decode(raw)
        for each in items:
            _DETAIL.decode(each)
    except msgspec.DecodeError:
        raise _refused("authorization_details", "an array of objects with a type", reason="malformed-details") from None
    if len(items) > MOST_LIST:
        raise _refused("authorization_details", f"at most {MOST_LIST}", reason="too-many-details")
    return tuple(bytes(each).decode() for each in items)


def _ttl(form: Form) -> int | None:
    found = form.one("ttl")
    if found is None:
        return None
    if not (found.isascii() and found.isdigit()) or len(found) > 9 or int(found) == 0:
        raise _refused("ttl", "seconds, a whole number from 1")
    return int(found)


def _break_glass(form: Form) -> bool:
    """Never by a slip: nothing but the word ``true`` is a yes."""
    found = form.one("break_glass")
    if found not in (None, "true", "false"):
        raise _refused("break_glass", "true or false")
    return found == "true"


def _parent(form: Form) -> str | None:
    found = form.one("parent")
    if found is not None and not is_chain(found):
        raise _refused("parent", "a chain id: cc-…")
    return found


def _refused(name: str, expected: str, *, reason: str = "") -> IntentRefused:
    """The value itself is not repeated: it may be a secret in the wrong place."""
    word = reason or f"malformed-{name.replace('_', '-')}"
    return IntentRefused("a parameter is missing or wrong", reason=word, where=name, found=name, expected=expected)
