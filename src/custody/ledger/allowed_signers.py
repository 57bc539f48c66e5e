"""The file that says whose an SSH key is: ALLOWED SIGNERS of ssh-keygen(1).

    # principals [options] keytype base64-key [comment]
    ann@example.com,payments namespaces="custody-register",valid-before="20270101Z" ssh-ed25519 AAAA…

Principals are patterns, as OpenSSH matches them: ``*`` any text, ``?`` one character, ``!`` takes away. Only a name
that is written out says who somebody is: a pattern admits names, it is none, so it gives none here. A time without
``Z`` is UTC here (ssh-keygen takes the zone of the machine: an answer must not depend on it). Both ends of a validity
count in, to the second. A line with ``cert-authority`` gives no names: certificates are not supported. A line that
cannot be read is an error of the whole file: ssh-keygen stops at it too.
"""

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import NoReturn

import msgspec

from custody.errors import LogError
from custody.ledger.ssh_keys import KEY_TYPES, key_type
from custody.model import contracts

MAX_FILE = 1 << 20
"""Bytes of the longest file that is read."""

_KEY_TYPE = re.compile(r"(ssh|ecdsa|sk-ssh|sk-ecdsa|webauthn-sk-ecdsa)-[a-z0-9@.-]+", re.ASCII)
_OPTION = re.compile(r'([A-Za-z-]+)(?:=("(?:[^"\\]|\\.)*"))?(,(?=[^ \t])|(?=[ \t])|$)')
_PRINCIPALS = re.compile(r'(?:"([^"]*)"|([^ \t"]+))[ \t]+(.*)')
_TIME = re.compile(r"([0-9]{8})(?:([0-9]{4})([0-9]{2})?)?([Zz])?", re.ASCII)
_VALUED = ("namespaces", "valid-after", "valid-before")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line. ``key`` is in wire form, ``namespaces`` patterns or None for any, times seconds since 1970 (UTC)."""

    number: int
    principals: tuple[str, ...]
    key: bytes
    authority: bool = False
    namespaces: tuple[str, ...] | None = None
    after: int | None = None
    before: int | None = None

    def refuses(self, namespace: str, at: int) -> str:
        """Why the line is not for a signature of ``namespace`` at ``at`` (µs); empty where it is."""
        second = at // 1_000_000
        if self.authority:
            return "it is a certificate authority, and certificates are not supported"
        if self.namespaces is not None and not matches(namespace, self.namespaces):
            return f"it is not for namespace {namespace}"
        if self.after is not None and second < self.after:
            return f"it is valid after {_shown(self.after)}"
        if self.before is not None and second > self.before:
            return f"it was valid before {_shown(self.before)}"
        return ""

    def names(self) -> tuple[str, ...]:
        """The principals that are written out, and that no ``!`` takes away."""
        exact = (name for name in self.principals if name and not re.search(r"[*?]|\A!", name))
        return tuple(name for name in exact if matches(name, self.principals))


class AllowedSigners(msgspec.Struct, frozen=True):
    """A whole file: its lines, and the SHA-256 (hex) of its bytes."""

    lines: tuple[Line, ...]
    digest: str

    def principals(self, key: bytes, namespace: str, at: int) -> tuple[str, ...]:
        """Every name that the file gives to ``key`` for ``namespace`` at ``at`` (µs), in the order of the file."""
        found = (line.names() for line in self.lines if line.key == key and not line.refuses(namespace, at))
        return tuple(dict.fromkeys(name for names in found for name in names))

    def why_not(self, key: bytes, namespace: str, at: int) -> str:
        """Why ``principals`` gives nobody, in words; one reason a line that holds the key."""
        reasons = [
            f"line {line.number}: {line.refuses(namespace, at) or 'it gives patterns only, and a pattern is no name'}"
            for line in self.lines
            if line.key == key
        ]
        return "; ".join(reasons[:4]) or "no line has this key"


def parse(data: bytes, where: str) -> AllowedSigners:
    """The allowed signers in ``data``; ``where`` names the file in errors. LogError with the line that is wrong."""
    if len(data) > MAX_FILE:
        raise LogError("the file is too long", where=where, found=f"{len(data)} bytes", expected=f"at most {MAX_FILE}")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise LogError("not UTF-8", where=where, found=f"byte {error.start}") from None
    lines: list[Line] = []
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.removesuffix("\r").strip(" \t")
        if any(ord(letter) < 0x20 and letter != "\t" for letter in line):
            _wrong("a control character", f"{where}:{number}", repr(line[:60]), "text")
        if line and not line.startswith("#"):
            lines.append(_line(line, number, f"{where}:{number}"))
    return AllowedSigners(tuple(lines), sha256(data).hexdigest())


def matches(text: str, patterns: tuple[str, ...]) -> bool:
    """Whether a pattern list admits ``text``: one pattern fits, and no ``!`` pattern does (ssh_config(5))."""
    good = False
    for pattern in patterns:
        denied = pattern.startswith("!")
        if contracts.matches(pattern[denied:], text):
            if denied:
                return False
            good = True
    return good


def _line(line: str, number: int, where: str) -> Line:
    found = _PRINCIPALS.fullmatch(line)
    if found is None:
        _wrong("not a line of allowed signers", where, line[:60], "principals, options, key type, key")
    rest = found[3]
    options: dict[str, str] = {}
    if not _KEY_TYPE.fullmatch(rest.split(" ")[0].split("\t")[0]):
        options, rest = _options(rest, where)
    after, before = _time(options, "valid-after", where), _time(options, "valid-before", where)
    if after is not None and before is not None and before <= after:
        _wrong("valid-before is not after valid-after", where, _shown(before), f"later than {_shown(after)}")
    return Line(
        number=number,
        principals=tuple((found[1] if found[1] is not None else found[2]).split(",")),
        key=_key(rest, where),
        authority="cert-authority" in options,
        namespaces=tuple(options["namespaces"].split(",")) if "namespaces" in options else None,
        after=after,
        before=before,
    )


def _options(text: str, where: str) -> tuple[dict[str, str], str]:
    """The options at the beginning of ``text``, their quotes taken off, and what follows them."""
    options: dict[str, str] = {}
    at = 0
    for name, value, end in _each_option(text, where):
        if name in options:
            _wrong("an option is given twice", where, name, "once")
        options[name] = value
        at = end
    return options, text[at:].lstrip(" \t")


def _each_option(text: str, where: str) -> Iterator[tuple[str, str, int]]:
    at, more = 0, True
    while more:
        found = _OPTION.match(text, at)
        name = found[1].lower() if found else ""
        known = name in _VALUED if found and found[2] else name == "cert-authority"
        if found is None or not known:
            expected = ", ".join([*(f'{each}="…"' for each in _VALUED), "cert-authority"])
            _wrong("not an option or key", where, text[at : at + 60], expected)
        yield name, re.sub(r'\\(")', r"\1", (found[2] or '""')[1:-1]), found.end()
        at, more = found.end(), found[3] == ","


def _key(text: str, where: str) -> bytes:
    kind, encoded, *_ = [*text.replace("\t", " ").split(), "", ""]
    try:
        data = b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data or b64encode(data).decode() != encoded:
        _wrong("not a public key", where, f"{kind} {encoded}"[:60], f"a key type ({KEY_TYPES[0]}, …) and base64")
    if key_type(data) != kind:
        _wrong("a key is of another type than it says", where, key_type(data)[:60], kind[:60])
    return data


def _time(options: dict[str, str], name: str, where: str) -> int | None:
    if name not in options:
        return None
    found = _TIME.fullmatch(options[name])
    try:
        if found is None:
            raise ValueError
        text = found[1] + (found[2] or "0000") + (found[3] or "00")
        return int(datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp())
    except ValueError:
        _wrong(f"{name} is not a time", where, options[name][:60], "YYYYMMDD[HHMM[SS]][Z]")


def _shown(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _wrong(message: str, where: str, found: str, expected: str) -> NoReturn:
    raise LogError(message, where=where, found=found, expected=expected)
