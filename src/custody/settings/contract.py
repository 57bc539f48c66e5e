"""Reads a contract file: YAML, strictly, into ``custody.model.contracts.Contract``.

Three passes, each over a tree that keeps line and column: the YAML itself (``document``), the published JSON Schema
(``schema``), and here what a schema cannot say. All problems of a file come in one ContractError.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from custody.errors import ContractError, UsageError
from custody.model.contracts import Approval, Contract, ExpectedSource, IdentityClass
from custody.model.events import Granularity
from custody.settings.amounts import format_duration, parse_duration, shown
from custody.settings.document import MAX_BYTES, Node, Scalar, Series, Table, read_tree
from custody.settings.origins import canonical_origin
from custody.settings.problems import Problem, contract_error
from custody.settings.schema import later_fields, schema_problems

EXPECTATIONS = {"hourly": "1h", "daily": "1d", "continuous": "15m"}
"""The longest gap that each word allows; *continuous* leaves room for the usual delivery delay."""
GRANULARITIES = {granularity.value: granularity for granularity in Granularity}

Read = TypeVar("Read")

_ACCOUNT = re.compile(r"[0-9]{12}")


def read_contract(path: Path) -> Contract:
    """The contract in the file at ``path``; raises ContractError with everything that is wrong with it."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
        raise ContractError("cannot read the contract", where=f"{path}:1:1", found=reason) from error
    return parse_contract(data, str(path))


def parse_contract(data: bytes, name: str) -> Contract:
    """The contract in ``data``; ``name`` stands for the file in errors and in ``Contract.path``."""
    problems: list[Problem] = []
    root = read_tree(data, problems)
    if root is not None:
        _add_elsewhere(problems, schema_problems(root))
    if not isinstance(root, Table):
        raise contract_error(name, problems)
    contract, more = _Build().run(root, hashlib.sha256(data).hexdigest(), name)
    _add_elsewhere(problems, more)
    if problems:
        raise contract_error(name, problems)
    return contract


def _add_elsewhere(problems: list[Problem], more: list[Problem]) -> None:
    """Add what a later pass found, but for places that an earlier pass complained of: it would only be an echo."""
    places = {(problem.line, problem.column) for problem in problems}
    problems += [problem for problem in more if (problem.line, problem.column) not in places]


class _Build:
    """Makes values of a tree, and collects what only their meaning shows to be wrong.

    It also runs over a tree that the schema refused, so that one error can tell everything: what has not the shape that
    the schema asks for is left out.
    """

    def __init__(self) -> None:
        self._problems: list[Problem] = []

    def run(self, root: Table, digest: str, name: str) -> tuple[Contract, list[Problem]]:
        """The contract, and what is wrong with it."""
        self._check_distinct(root)
        contract = Contract(
            digest=digest,
            path=name,
            classes=tuple(self._class(key, node) for key, node in _tables(root.get("classes"))),
            origins=tuple((key.text, self._origins(node)) for key, node in _entries(root.get("origins"))),
            sources=tuple(self._source(key, node) for key, node in _tables(root.get("sources"))),
            declared=_declared(root, None),
        )
        return contract, self._problems

    def _class(self, key: Scalar, node: Table) -> IdentityClass:
        granularity = _text(node.get("granularity"))
        ttl, max_life = self._lifetimes(node)
        return IdentityClass(
            name=key.text,
            match=_match(node),
            owner=_text(node.get("owner")),
            purpose=_text(node.get("purpose")),
            ttl=ttl,
            max_life=max_life,
            granularity=GRANULARITIES.get(granularity or ""),
            approval=_approval(node.get("approval")),
            population=_text(node.get("population")),
            origins=self._origins(node.get("origins")),
            retention=self._read(node.get("retention"), parse_duration),
            declared=_declared(node, "class"),
        )

    def _source(self, key: Scalar, node: Table) -> ExpectedSource:
        accounts = _scalars(node.get("accounts"))
        if key.text.startswith("aws."):
            for account in accounts:
                self._check_account(account)
        expect = node.get("expect")
        return ExpectedSource(
            source=key.text,
            expect=self._read(expect, lambda text: parse_duration(EXPECTATIONS.get(text, text))),
            accounts=tuple(account.text for account in accounts),
            retention=self._read(node.get("retention"), parse_duration),
        )

    def _lifetimes(self, node: Table) -> tuple[int | None, int | None]:
        place, life = node.get("ttl"), node.get("max_life")
        ttl, max_life = self._read(place, parse_duration), self._read(life, parse_duration)
        if place is not None and ttl is not None and max_life is not None and ttl > max_life:
            limit = f"at most max_life, {format_duration(max_life)}"
            self._add(place, "ttl is longer than max_life", format_duration(ttl), limit)
        return ttl, max_life

    def _origins(self, node: Node | None) -> tuple[str, ...]:
        found = (self._read(item, canonical_origin) for item in _scalars(node))
        return tuple(dict.fromkeys(origin for origin in found if origin is not None))

    def _check_account(self, account: Scalar) -> None:
        if _ACCOUNT.fullmatch(account.text) is None:
            short = account.text.isdecimal() and len(account.text) < 12
            advice = "write it with its leading zeros" if short else ""
            self._add(account, "not an AWS account", shown(account.text), "an account number of 12 digits", advice)

    def _check_distinct(self, root: Table) -> None:
        """Two classes with the same patterns: the second would never be the class of anything."""
        seen: dict[frozenset[tuple[str, str]], Scalar] = {}
        for key, node in _tables(root.get("classes")):
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
        self._problems.append(Problem(node.line, node.column, message, found, expected, advice))


def _entries(node: Node | None) -> tuple[tuple[Scalar, Node], ...]:
    return node.entries if isinstance(node, Table) else ()


def _tables(node: Node | None) -> Iterator[tuple[Scalar, Table]]:
    return ((key, child) for key, child in _entries(node) if isinstance(child, Table))


def _scalars(node: Node | None) -> tuple[Scalar, ...]:
    return tuple(item for item in node.items if isinstance(item, Scalar)) if isinstance(node, Series) else ()


def _text(node: Node | None) -> str | None:
    """The text of a scalar; block scalars end in a line break that nobody means."""
    return node.text.strip() if isinstance(node, Scalar) else None


def _match(node: Table) -> tuple[tuple[str, str], ...]:
    entries = _entries(node.get("match"))
    return tuple((key.text, glob.text) for key, glob in entries if isinstance(glob, Scalar))


def _approval(node: Node | None) -> Approval | None:
    if not isinstance(node, Table):
        return None
    count = _text(node.get("count")) or ""
    roles = tuple(role.text for role in _scalars(node.get("not")))
    return Approval(by=_text(node.get("by")) or "", count=int(count) if count.isdecimal() else 1, not_=roles)


def _declared(node: Table, definition: str | None) -> tuple[str, ...]:
    later = later_fields(definition)
    return tuple(key.text for key, _ in node.entries if key.text in later)
