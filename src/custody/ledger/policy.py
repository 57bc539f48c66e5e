"""Trust policies (C2SP tlog-policy): which logs and witnesses a checkpoint must be signed by to be believed.

    # a comment; empty lines are ignored too
    log <vkey> [<url>]
    witness <name> <vkey> [<url>]
    group <name> <k, any or all> <name>…
    quorum <name, or none>

Items are apart by spaces and tabs, every line ends in a line feed, a name is defined before it is used, each is a
member of one group at most, and there is exactly one quorum. A checkpoint holds where one of the logs signed it, under
its own name, and the quorum cosigned it (see ``cosignature``).
"""

import re
from collections.abc import Iterable
from hashlib import sha256

import msgspec

from custody.errors import LogError
from custody.ledger import checkpoint, cosignature, note
from custody.ledger.cosignature import COSIGNATURE

MAX_POLICY = 1_000_000
"""Bytes in the longest policy that is read."""

MAX_LINES = 1000
"""Logs, witnesses and groups in a policy, together; the specification asks for at least 96."""

NONE = "none"
"""The quorum that asks for no cosignature."""

_OCTETS = re.compile(rb"[\x09\x0a\x20-\x7e\x80-\xff]*", re.DOTALL)
_SPACE = re.compile("[ \t]+")
_COUNT = re.compile("[1-9][0-9]{0,3}", re.ASCII)


class Log(msgspec.Struct, frozen=True):
    """A log by its verifier key, whose name is the origin."""

    vkey: str
    url: str | None = None


class Witness(msgspec.Struct, frozen=True):
    """A witness: the name it has in this policy, and its verifier key."""

    name: str
    vkey: str
    url: str | None = None


class Group(msgspec.Struct, frozen=True):
    """Witnesses and earlier groups, ``least`` of which must have cosigned."""

    name: str
    least: int
    members: tuple[str, ...]


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed policy. Text that is not UTF-8 is kept by surrogates: names are octets and compared as such."""

    logs: tuple[Log, ...]
    witnesses: tuple[Witness, ...] = ()
    groups: tuple[Group, ...] = ()
    quorum: str = NONE

    def verifiers(self) -> tuple[note.Verifier, ...]:
        """The keys of the logs that this code can check: Ed25519."""
        return tuple(note.Verifier.parse(log.vkey) for log in self.logs if _kind(log.vkey) == note.ED25519)


def of_log(vkey: str) -> Policy:
    """The policy that trusts one log and asks for no witness."""
    return Policy(logs=(Log(vkey),))


def format_policy(policy: Policy) -> bytes:
    """The text of a policy: logs, witnesses, groups, the quorum. LogError where it would not be read as this policy."""
    lines = [_line("log", log.vkey, log.url) for log in policy.logs]
    lines += [_line("witness", each.name, each.vkey, each.url) for each in policy.witnesses]
    lines += [_line("group", each.name, str(each.least), *each.members) for each in policy.groups]
    data = "".join(f"{line}\n" for line in [*lines, _line("quorum", policy.quorum)]).encode("utf-8", "surrogateescape")
    if parse_policy(data) != policy:
        raise LogError("a policy cannot be written", found=repr(data[:200]))
    return data


def parse_policy(data: bytes) -> Policy:
    """The policy in ``data``. LogError, with the line, where the specification does not allow it."""
    if len(data) > MAX_POLICY or not _OCTETS.fullmatch(data) or not data.endswith(b"\n"):
        raise LogError("not a trust policy", found=f"{len(data)} bytes", expected="lines of printable text, each ended")
    reading = _Reading()
    for number, line in enumerate(data.decode("utf-8", "surrogateescape").split("\n")[:-1], 1):
        words = [word for word in _SPACE.split(line) if word]
        if words and not words[0].startswith("#"):
            reading.take(words, f"line {number} of the policy")
    return reading.policy()


def accept(policy: Policy, signed: bytes) -> checkpoint.Checkpoint:
    """The checkpoint in the note ``signed`` where the policy accepts it.

    LogError where no log of the policy signed it under its own name, a known signature is wrong, or the quorum did not
    cosign.
    """
    found = note.open_note(signed, policy.verifiers())
    point = checkpoint.parse(found.text)
    if all(signature.name != point.origin for signature in found.signatures):
        raise LogError("the log itself did not sign", found=found.signatures[0].name, expected=point.origin)
    if not satisfied(policy, cosigners(policy, found)):
        raise LogError("the witnesses that the policy asks for did not cosign", expected=f"quorum {policy.quorum}")
    return point


def cosigners(policy: Policy, found: note.Note) -> frozenset[str]:
    """The names of the witnesses whose cosignature is on the note. LogError where one of a known witness is wrong."""
    checked = [each for each in policy.witnesses if _kind(each.vkey) == COSIGNATURE]
    return frozenset(
        each.name for each in checked if cosignature.cosignatures(found, (cosignature.Witness.parse(each.vkey),))
    )


def satisfied(policy: Policy, cosigned: Iterable[str]) -> bool:
    """Whether the witnesses in ``cosigned`` are a quorum."""
    held = set(cosigned)
    for group in policy.groups:
        if sum(member in held for member in group.members) >= group.least:
            held.add(group.name)
    return policy.quorum == NONE or policy.quorum in held


class _Reading:
    """The lines of a policy as they come."""

    def __init__(self) -> None:
        self.logs: list[Log] = []
        self.witnesses: list[Witness] = []
        self.groups: list[Group] = []
        self.quorum: str | None = None
        self._names: set[str] = set()
        self._members: set[str] = set()
        self._keys: set[tuple[str, bytes]] = set()

    def policy(self) -> Policy:
        if self.quorum is None:
            raise LogError("a policy without a quorum", expected="one line: quorum none, or the name of one")
        return Policy(
            logs=tuple(self.logs), witnesses=tuple(self.witnesses), groups=tuple(self.groups), quorum=self.quorum
        )

    def take(self, words: list[str], where: str) -> None:
        """Take in one line. LogError where it is not one."""
        if len(self.logs) + len(self.witnesses) + len(self.groups) >= MAX_LINES:
            raise LogError("a policy is too long", where=where, expected=f"at most {MAX_LINES} lines that define")
        match words:
            case ["log", vkey, *url] if len(url) < 2:
                self._key("log", vkey, where)
                self.logs.append(Log(vkey, *url))
            case ["witness", name, vkey, *url] if len(url) < 2:
                self._key("witness", vkey, where)
                self.witnesses.append(Witness(self._new(name, where), vkey, *url))
            case ["group", name, least, *members] if members:
                self._group(name, least, members, where)
            case ["quorum", name] if self.quorum is None and (name == NONE or name in self._names):
                self.quorum = name
            case _:
                raise LogError("not a line of a trust policy", where=where, found=repr(" ".join(words)[:100]))

    def _group(self, name: str, least: str, members: list[str], where: str) -> None:
        known = {"any": 1, "all": len(members)}
        count = known.get(least, int(least) if _COUNT.fullmatch(least) else 0)
        unknown = [each for each in members if each not in self._names]
        twice = len(set(members)) < len(members) or not self._members.isdisjoint(members)
        if not 1 <= count <= len(members) or unknown or twice:
            raise LogError(
                "not a group of a trust policy", where=where, found=repr(" ".join([name, least, *members])[:200]),
                expected="1 to n of n members, each defined before and member of one group only",
            )  # fmt: skip
        self._members.update(members)
        self.groups.append(Group(self._new(name, where), count, tuple(members)))

    def _new(self, name: str, where: str) -> str:
        if name in self._names or name == NONE:
            raise LogError("a name is defined twice", where=where, found=repr(name[:100]))
        self._names.add(name)
        return name

    def _key(self, use: str, vkey: str, where: str) -> None:
        _, _, key = _parsed(vkey, where)
        if _kind(vkey) == (COSIGNATURE if use == "log" else note.ED25519):
            raise LogError("a key is of the wrong kind", where=where, found=f"type {_kind(vkey):02x} for a {use}")
        if (use, key) in self._keys:
            raise LogError(f"a {use} is listed twice", where=where, found=repr(vkey[:200]))
        self._keys.add((use, key))


def _line(*words: str | None) -> str:
    return " ".join(word for word in words if word is not None)


def _kind(vkey: str) -> int:
    """The type byte of a verifier key that was parsed."""
    return note.decode64(vkey.split("+", 2)[2])[0]


def _parsed(vkey: str, where: str = "") -> tuple[str, bytes, bytes]:
    """Name, key id and public key of a verifier key of any type. LogError where it contradicts itself."""
    name, _, rest = vkey.partition("+")
    key_id, _, encoded = rest.partition("+")
    data = note.decode64(encoded)
    hashed = sha256(name.encode("utf-8", "surrogateescape") + b"\n" + data).digest()[:4].hex()
    ours = data[:1] in (bytes([note.ED25519]), bytes([COSIGNATURE]))
    if not name or not re.fullmatch("[0-9a-f]{8}", key_id) or len(data) < 2 or (ours and hashed != key_id):
        raise LogError("not a verifier key", where=where, found=repr(vkey[:200]), expected="name+hash+key")
    if ours and len(data) != 33:
        raise LogError("not an Ed25519 public key", where=where, found=f"{len(data) - 1} bytes", expected="32 bytes")
    return name, bytes.fromhex(key_id), data[1:]
