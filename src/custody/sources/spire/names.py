"""What SPIRE's lines speak of, as typed keys: workloads, agents, entries and certificates."""

import re

from custody.errors import SourceError
from custody.model import keys
from custody.sources import moments
from custody.sources.spire.lines import Line

_SPIFFE = re.compile(r"spiffe://([a-z0-9._-]{1,255})((?:/[A-Za-z0-9._-]+)*)")
_DIGITS = re.compile(r"[0-9]{1,64}")
_UNIX = re.compile(r"[0-9]{9,12}")
_PORT = re.compile(r":[0-9]{1,5}$")
AGENT = "/spire/agent/"
"""How the path of every agent begins that SPIRE itself named."""


def workload(text: str | None) -> str | None:
    """The key of a SPIFFE id; None for none, for a trust domain alone, and for what is not well-formed."""
    found = _SPIFFE.fullmatch(text or "")
    return keys.scoped("spiffe", found[1], found[2]) if found and found[2] else None


def domain(*texts: str | None) -> str | None:
    """The trust domain of the first of these SPIFFE ids that is one."""
    return next((found[1] for text in texts if (found := _SPIFFE.fullmatch(text or ""))), None)


def entry(line: Line) -> str | None:
    """The key of the registration entry; newer servers call it ``entry_id``, older ones ``registration_id``."""
    number = entry_id(line)
    scope = domain(line.get("spiffe_id"), line.get("caller_id"), line.get("parent_id"))
    return keys.scoped("spire_entry", scope or "-", number) if number else None


def entry_id(line: Line) -> str | None:
    """The id of the registration entry."""
    return line.get("entry_id", "registration_id")


def certificate(trust_domain: str, serial: str, where: str) -> str:
    """The key of a certificate by its serial, which SPIRE writes in decimal; SourceError for anything else."""
    if not _DIGITS.fullmatch(serial) or not int(serial):
        raise SourceError("not a serial number", where=where, expected="a decimal number")
    return keys.scoped("x509_serial", trust_domain, f"{int(serial):x}")


def moment(text: str, where: str) -> int:
    """RFC 3339, or seconds since 1970: SPIRE writes an expiry either way."""
    return moments.of_seconds(int(text), where) if _UNIX.fullmatch(text) else moments.rfc3339(text, where)


def expiry(line: Line) -> int | None:
    """Until when what the line speaks of holds; None where it does not say, or says 0 for ever."""
    text = line.get("expiration", "expires_at")
    if text is None or text == "0":
        return None
    return moment(text, "expiration" if line.get("expiration") else "expires_at")


def origin(line: Line) -> str | None:
    """The caller's address as the server saw it, without its port."""
    text = line.get("caller_addr")
    if text is None:
        return None
    if text.startswith("["):
        return text[1:].partition("]")[0] or None
    return _PORT.sub("", text) if text.count(":") == 1 else text


def kind(line: Line) -> str | None:
    """By what right the caller was let: the server's own word, else that its name is an agent's."""
    told = line.get("authorized_as")
    return told or ("agent" if AGENT in (line.get("caller_id") or "") else None)
