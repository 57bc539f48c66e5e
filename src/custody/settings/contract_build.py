"""Makes a contract of a tree, and collects what only the meaning of it shows to be wrong."""

import re
from collections.abc import Callable
from typing import TypeVar

from custody.errors import UsageError
from custody.model.contracts import (
    Approval,
    Contract,
    Environment,
    Exempt,
    ExpectedSource,
    IdentityClass,
    Suppression,
)
from custody.model.events import Granularity
from custody.settings.amounts import format_duration, parse_duration, shown
from custody.settings.contract_hours import parse_hours
from custody.settings.contract_nodes import entries, listed, scalars, tables, text, texts, whole
from custody.settings.document import Node, Scalar, Table
from custody.settings.moments import parse_end, parse_start
from custody.settings.names import nearest
from custody.settings.origins import canonical_origin
from custody.settings.problems import Problem

EXPECTATIONS = {"hourly": "1h", "daily": "1d", "continuous": "15m"}
"""The longest gap that each word allows; *continuous* leaves room for the usual delivery delay."""
GRANULARITIES = {granularity.value: granularity for granularity in Granularity}

Read = TypeVar("Read")

_ACCOUNT = re.compile(r"[0-9]{12}")


class Build:
    """Makes values of a tree. ``problems`` are what was wrong with it.

    It also runs over a tree that the schema refused, so that one error can tell everything: what has not the shape that
    the schema asks for is left out.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._retention: int | None = None
        self._environments: tuple[str, ...] = ()

    def run(self, root: Table, digest: str, name: str) -> Contract:
        """The contract."""
        self._check_distinct(root)
        self._retention = self._read(root.get("retention"), parse_duration)
        self._environments = tuple(key.text for key, _ in entries(root.get("environments")))
        return Contract(
            digest=digest,
            path=name,
            classes=tuple(self._class(key, node) for key, node in tables(root.get("classes"))),
            origins=tuple((key.text, self._origins(node)) for key, node in entries(root.get("origins"))),
            sources=tuple(self._source(key, node) for key, node in tables(root.get("sources"))),
            environments=tuple(self._environment(key, node) for key, node in tables(root.get("environments"))),
            suppressions=self._suppressions(root.get("suppressions")),
            provenance=_provenance(root.get("provenance")),
            retention=self._retention,
            since=self._read(root.get("since"), parse_start),
        )

    def _class(self, key: Scalar, node: Table) -> IdentityClass:
        ttl, max_life = self._lifetimes(node)
        retention = self._read(node.get("retention"), parse_duration)
        return IdentityClass(
            name=key.text,
            match=_match(node),
            owner=text(node.get("owner")),
            purpose=text(node.get("purpose")),
            ttl=ttl,
            max_life=max_life,
            granularity=GRANULARITIES.get(text(node.get("granularity")) or ""),
            approval=self._approval(node.get("approval")),
            population=text(node.get("population")),
            origins=self._origins(node.get("origins")),
            retention=self._retention if retention is None else retention,
            hours=self._read(node.get("hours"), parse_hours),
            depends_on=texts(node.get("depends_on")),
            environments=self._known_environments(node.get("environments")),
            risk=text(node.get("risk")),
            rotation=self._read(node.get("rotation"), parse_duration),
            workloads=whole(node.get("workloads")),
            exception=self._exception(node.get("exception")),
        )

    def _source(self, key: Scalar, node: Table) -> ExpectedSource:
        accounts = scalars(node.get("accounts"))
        if key.text.startswith("aws."):
            for account in accounts:
                self._check_account(account)
        expect = node.get("expect")
        return ExpectedSource(
            source=key.text,
            expect=self._read(expect, lambda found: parse_duration(EXPECTATIONS.get(found, found))),
            accounts=tuple(account.text for account in accounts),
            retention=self._read(node.get("retention"), parse_duration),
        )

    def _environment(self, key: Scalar, node: Table) -> Environment:
        return Environment(name=key.text, accounts=texts(node.get("accounts")), match=texts(node.get("match")))

    def _known_environments(self, node: Node | None) -> tuple[str, ...]:
        for name in scalars(node):
            if name.text.strip() not in self._environments:
                advice = nearest(name.text, list(self._environments)) if self._environments else ""
                self._add(name, "no such environment", shown(name.text), "a name under environments", advice)
        return texts(node)

    def _approval(self, node: Node | None) -> Approval | None:
        if not isinstance(node, Table):
            return None
        return Approval(
            by=text(node.get("by")) or "",
            count=whole(node.get("count")) or 1,
            not_=texts(node.get("not")),
            within=self._read(node.get("within"), parse_duration),
        )

    def _exception(self, node: Node | None) -> Exempt | None:
        until = self._read(node.get("until"), parse_end) if isinstance(node, Table) else None
        if not isinstance(node, Table) or until is None:
            return None
        return Exempt(
            until=until,
            owner=text(node.get("owner")) or "",
            reason=text(node.get("reason")) or "",
            compensating=texts(node.get("compensating")),
        )

    def _suppressions(self, node: Node | None) -> tuple[Suppression, ...]:
        found: list[Suppression] = []
        seen: dict[tuple[str | None, ...], Table] = {}
        for one in listed(node):
            target = (text(one.get("finding")), text(one.get("rule")), text(one.get("subject")))
            until = self._read(one.get("until"), parse_end)
            if not self._is_target(one, *target):
                continue
            first = seen.setdefault(target, one)
            if first is not one:
                message = f"the same is suppressed in line {first.line}"
                self._add(one, message, "", "each finding, or rule and subject, once")
            elif until is not None:
                finding, rule, subject = target
                owner, reason = text(one.get("owner")) or "", text(one.get("reason")) or ""
                found.append(
                    Suppression(finding=finding, rule=rule, subject=subject, until=until, owner=owner, reason=reason)
                )
        return tuple(found)

    def _is_target(self, node: Table, finding: str | None, rule: str | None, subject: str | None) -> bool:
        """Whether it says which findings are meant, in one of the two ways."""
        right = rule is None and subject is None if finding is not None else rule is not None and subject is not None
        if not right:
            names = [name for name in ("finding", "rule", "subject") if node.get(name) is not None]
            found = " and ".join(names) or "neither"
            self._add(node, "a suppression of nothing in particular", found, "either finding, or rule and subject")
        return right

    def _lifetimes(self, node: Table) -> tuple[int | None, int | None]:
        place, life = node.get("ttl"), node.get("max_life")
        ttl, max_life = self._read(place, parse_duration), self._read(life, parse_duration)
        if place is not None and ttl is not None and max_life is not None and ttl > max_life:
            limit = f"at most max_life, {format_duration(max_life)}"
            self._add(place, "ttl is longer than max_life", format_duration(ttl), limit)
        return ttl, max_life

    def _origins(self, node: Node | None) -> tuple[str, ...]:
        found = (self._read(item, canonical_origin) for item in scalars(node))
        return tuple(dict.fromkeys(origin for origin in found if origin is not None))

    def _check_account(self, account: Scalar) -> None:
        if _ACCOUNT.fullmatch(account.text) is None:
            short = account.text.isdecimal() and len(account.text) < 12
            advice = "write it with its leading zeros" if short else ""
            self._add(account, "not an AWS account", shown(account.text), "an account number of 12 digits", advice)

    def _check_distinct(self, root: Table) -> None:
        """Two classes with the same patterns: the second would never be the class of anything."""
        seen: dict[frozenset[tuple[str, str]], Scalar] = {}
        for key, node in tables(root.get("classes")):
            patterns = frozenset((field, re.sub(r"\*+", "*", glob)) for field, glob in _match(node))
            first = seen.setdefault(patterns, key)
            if patterns and first is not key:
                advice = "merge the two, or make one of them match less; the first that matches wins"
                message = f"class {key.text[:64]} matches what class {first.text[:64]} in line {first.line} matches"
                self._add(node.get("match") or node, message, "", "patterns that no other class has", advice)

    def _read(self, node: Node | None, parse: Callable[[str], Read]) -> Read | None:
        """The value of a scalar, or None and a problem."""
        if not isinstance(node, Scalar):
            return None
        try:
            return parse(node.text)
        except UsageError as error:
            self._add(node, error.message, error.found, error.expected, error.advice)
            return None

    def _add(self, node: Node, message: str, found: str, expected: str, advice: str = "") -> None:
        self.problems.append(Problem(node.line, node.column, message, found, expected, advice))


def _match(node: Table) -> tuple[tuple[str, str], ...]:
    found = entries(node.get("match"))
    return tuple((key.text, glob.text) for key, glob in found if isinstance(glob, Scalar))


def _provenance(node: Node | None) -> tuple[tuple[str, Granularity], ...]:
    found = ((key.text, GRANULARITIES.get(text(value) or "")) for key, value in entries(node))
    return tuple((risk, granularity) for risk, granularity in found if granularity is not None)
