"""Who and what Teleport's events speak of, as typed keys, and its times."""

import re

from custody.errors import SourceError
from custody.model import keys
from custody.sources import moments
from custody.sources.teleport.records import NO_NAME, Audited, Certified

_ZONED = re.compile(r"(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})$")
_NEVER = "0001-01-01"
_KINDS = {1: "human", 2: "bot", 3: "system"}
_PORT = re.compile(r":[0-9]{1,5}$")
SYSTEM = "@teleport-"
"""How the names of Teleport's own users begin."""


def time(text: str, where: str) -> int:
    """RFC 3339; without a zone it is UTC, as copies in other tools write it."""
    return moments.rfc3339(text if _ZONED.search(text) else f"{text}Z", where)


def expiry(text: str | None, where: str) -> int | None:
    """When something ends; None where it has no end (year 1)."""
    return time(text, where) if text and not text.startswith(_NEVER) else None


def person(user: str) -> str:
    """The key of a user by name. Teleport's own users are no people."""
    if user.startswith(SYSTEM):
        return f"custom:teleport/system:{user}"
    return f"person:teleport:{user}"


def bot(name: str) -> str:
    """The key of a bot by name; its user is called ``bot-`` and that name."""
    return f"custom:teleport/bot:{name.removeprefix('bot-')}"


def instance(number: str) -> str:
    """The key of a bot instance: what a bot's certificates have in common from its join on."""
    return f"custom:teleport/bot_instance:{number}"


def session(sid: str) -> str:
    """The key of a session."""
    return f"custom:teleport/session:{sid}"


def approval(number: str) -> str:
    """The key of an access request."""
    return f"approval:teleport:{number}"


def join_token(name: str | None) -> str | None:
    """The key of a join token; None where its name is masked, as several would look alike."""
    if not name or name.encode("utf-8", "replace").startswith(NO_NAME):
        return None
    return f"custom:teleport/join_token:{name}"


def instance_of(found: Audited) -> str | None:
    """The key of the bot instance that an event is of."""
    number = found.bot_instance_id or (found.identity or Certified()).bot_instance_id
    return instance(number) if number else None


def actor(found: Audited) -> str | None:
    """The key of who acted. A user is a bot only where the event says so, not by a name that begins like one."""
    certified = found.identity or Certified()
    name = found.bot_name or certified.bot_name
    user = found.user or certified.user or found.user_name
    if name or (user and (found.user_kind == 2 or found.event == "bot.join")):
        return bot(name or user or "")
    if user and found.user_kind == 3:
        return f"custom:teleport/system:{user}"
    return person(user) if user else None


def actor_kind(found: Audited) -> str | None:
    """What kind of user acted, where the event says so."""
    if found.bot_name or (found.identity and found.identity.bot_name) or found.event == "bot.join":
        return "bot"
    return _KINDS.get(found.user_kind or 0)


def population(found: Audited) -> str | None:
    """Machine or person, where Teleport's own kind of user settles it."""
    return {"bot": "machine", "human": "person"}.get(actor_kind(found) or "")


def origin(found: Audited) -> str | None:
    """The peer's address as Teleport saw it, without its port."""
    text = found.remote or found.remote_panther or (found.identity or Certified()).client_ip
    if not text:
        return None
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return _PORT.sub("", text) if text.count(":") == 1 else text


def serial(text: str, where: str) -> str:
    """A serial in the canonical form: lower-case hex without colons and leading zeros. Teleport writes hex."""
    canonical = text.replace(":", "").lower().lstrip("0")
    if not re.fullmatch("[0-9a-f]{1,64}", canonical):
        raise SourceError("not a serial number", where=where, expected="hexadecimal")
    return canonical


def spiffe(text: str, where: str) -> tuple[str, str]:
    """The trust domain of a SPIFFE id, and its key; SourceError where it is none."""
    domain, slash, path = text.removeprefix("spiffe://").partition("/")
    if not text.startswith("spiffe://") or not domain or not path:
        raise SourceError("not a SPIFFE id", where=where, expected="spiffe://trust-domain/path")
    return domain, keys.scoped("spiffe", domain, f"{slash}{path}")
