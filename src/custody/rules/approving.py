"""What approvals say, taken apart, and who the people in them are: one person under two names, a member of a group.

That two names are one person, and who belongs to a group, only the register says. It counts against a proof at once.
For one it counts where the group itself signed the document that names its member by an exact key, and that was sealed
before the approval was: a list of members that is written afterwards proves nothing.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from custody.model.contracts import matches
from custody.rules.packed import unframed

GRANT, DENY, WITHDRAW = "approval.grant", "approval.deny", "approval.withdraw"


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """One decision that reaches a credential. ``strong``: every link to it is exact and an issuer's.

    ``target`` is what was decided on, ``until`` when the decision ends (µs), ``environment`` what it was given for.
    """

    leaf: int
    strong: bool
    effect: str
    time: int
    target: str | None
    until: int | None
    approver: str | None
    requester: str | None
    executor: str | None
    environment: str | None


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """That ``name`` belongs to a party, as a document of the register says: by its ``exact`` key, or by a name."""

    name: str
    exact: bool
    ended: int | None
    leaf: int
    party: str
    signers: tuple[str, ...]


def given_of(texts: Sequence[str] | None) -> tuple[Given, ...]:
    """The decisions of a row, in the order of their leaves."""
    return tuple(sorted(map(_given, texts or ()), key=lambda each: (each.leaf, each.approver or "")))


def members_of(texts: Sequence[str] | None) -> tuple[Member, ...]:
    """The memberships of a row."""
    return tuple(map(_member, texts or ()))


def _given(text: str) -> Given:
    parts = (each or None for each in unframed(text))
    leaf, strong, effect, time, target, until, approver, requester, executor, environment = parts
    return Given(
        leaf=int(leaf or 0),
        strong=strong == "true",
        effect=effect or "",
        time=int(time or 0),
        target=target,
        until=_number(until),
        approver=approver,
        requester=requester,
        executor=executor,
        environment=environment,
    )


def _member(text: str) -> Member:
    leaf, exact, ended, name, party, signers = (each or None for each in unframed(text))
    return Member(
        name=name or "",
        exact=exact == "true",
        ended=_number(ended),
        leaf=int(leaf or 0),
        party=party or "",
        signers=tuple(each.strip() for each in (signers or "").split(",") if each.strip()),
    )


def _number(text: str | None) -> int | None:
    return int(text) if text else None


class People:
    """Who is who, as far as the register says. Names that differ in case alone may be one: most systems see no case."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = members
        self._persons: dict[str, set[str]] = {}
        for each in members:
            if _is_person(each.party):
                self._persons.setdefault(each.name.lower(), set()).add(each.party)

    def perhaps_one(self, one: str | None, other: str | None) -> bool:
        """Whether two names may be one person: the same name, or names of one person of the register."""
        if one is None or other is None:
            return False
        first, second = one.lower(), other.lower()
        return first == second or bool(self._persons.get(first, set()) & self._persons.get(second, set()))

    def least(self, names: Iterable[str]) -> int:
        """How many people there are at least, if all names that the register or their spelling makes one are one."""
        return _groups(names, self.perhaps_one)

    def surely(self, names: Iterable[str]) -> int:
        """How many people there surely are: names of two systems are one person, unless the register knows two."""
        return _groups(names, lambda one, other: self.perhaps_one(one, other) or self._unknown(one, other))

    def _unknown(self, one: str, other: str) -> bool:
        known = self._persons.get(one.lower()) and self._persons.get(other.lower())
        return _system(one) != _system(other) and not known

    def entitlement(self, given: Given, by: str, needed: int | None) -> tuple[int, ...] | None:
        """The leaf that shows that who approved is one of those who may, () where their name does; None for neither."""
        name = given.approver
        if name is None:
            return None
        if any(matches(by, text) for text in (name, _short(name))):
            return ()
        leaves = [
            each.leaf
            for each in self._members
            if each.name == name and each.party == by and each.exact and by in each.signers and each.leaf < given.leaf
            and (each.ended is None or needed is None or each.ended > needed)
        ]  # fmt: skip
        return (min(leaves),) if leaves else None


def _groups(names: Iterable[str], are_one: Callable[[str, str], bool]) -> int:
    groups: list[set[str]] = []
    for name in sorted(set(names)):
        meeting = [group for group in groups if any(are_one(name, other) for other in group)]
        groups = [group for group in groups if group not in meeting] + [{name}.union(*meeting)]
    return len(groups)


def _system(key: str) -> tuple[str, str]:
    """The system that knows somebody by a key: the family of its type, and its scope."""
    kind, scope, *_ = [*key.split(":", 2), ""]
    return kind.partition("_")[0], scope


def _is_person(party: str) -> bool:
    """Whether a party is one person: teams and groups say what they are, people are called by their address."""
    return party.startswith("person:") or ("@" in party and not party.startswith(("team:", "group:")))


def _short(key: str) -> str:
    return key.split(":", 2)[-1]
