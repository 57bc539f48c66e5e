"""Policy documents of AWS and rules of Kubernetes roles, read into statements; what is odd is said, never guessed.

Formats: "IAM JSON policy elements reference", AWS IAM User Guide (versions 2008-10-17 and 2012-10-17); the rules of
``rbac.authorization.k8s.io/v1``. Element names are read as that page spells them; a member that it does not have, a
member that stands twice, and a value of another type make the whole document unreadable: part of a policy is no policy.
"""

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec

LARGEST = 64 * 1024
"""Bytes of a document that is looked into. AWS accepts 10,240 characters; white space is not counted there."""

MASKED = "custody-masked:"
VERSIONS = ("2008-10-17", "2012-10-17")
_MEMBERS = frozenset(("Version", "Id", "Statement"))
_OF_STATEMENT = frozenset(
    ("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition", "Principal", "NotPrincipal")
)


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One statement in normal form: each list sorted, each entry once.

    ``but`` turns ``actions`` into all but these, ``elsewhere`` likewise ``resources``, ``others`` ``principals``.
    ``condition`` is the condition as compact JSON, sorted by name: it is shown, and not evaluated. ``principals`` are
    as ``Kind:name`` (``AWS:…``, ``Service:…``, ``Federated:…``, ``*``), in trust policies alone.
    """

    allow: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    but: bool = False
    elsewhere: bool = False
    condition: str | None = None
    principals: tuple[str, ...] = ()
    others: bool = False


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A document as read: its statements, or why it cannot be read (``problem``; there are no statements then).

    ``variables`` says that policy variables (``${aws:…}``) stand for something in it; version 2008-10-17 has none.
    """

    statements: tuple[Statement, ...] = ()
    problem: str | None = None
    variables: bool = False


class _Odd(Exception):
    """What makes a document unreadable."""


@lru_cache(maxsize=4096)
def read(text: bytes | None) -> Document:
    """The statements of a policy document of AWS. Raises nothing."""
    try:
        return _document(_parsed(text))
    except _Odd as odd:
        return Document(problem=str(odd))


@lru_cache(maxsize=1024)
def read_rules(text: bytes | None) -> Document:
    """The rules of a Kubernetes role as statements: verbs on ``group/resource`` or on paths. Raises nothing."""
    try:
        rules = _parsed(text)
        if not isinstance(rules, list):
            raise _Odd("its rules are no list")
        return Document(statements=tuple(one for rule in rules for one in _rule(rule)))
    except _Odd as odd:
        return Document(problem=str(odd))


def _parsed(text: bytes | None) -> object:
    if text is None:
        raise _Odd("its text is in no record")
    if len(text) > LARGEST:
        raise _Odd(f"its text is longer than {LARGEST} bytes")
    if MASKED.encode() in text:
        raise _Odd("part of its text is masked")
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except (ValueError, RecursionError):
        raise _Odd("its text is no JSON") from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Odd("a member of its text stands twice")
    return found


def _constant(name: str) -> object:
    raise _Odd(f"its text has {name} for a number")


def _document(found: object) -> Document:
    if not isinstance(found, dict) or "Statement" not in found:
        raise _Odd("its text is no policy")
    _only(found, _MEMBERS)
    version = found.get("Version", VERSIONS[0])
    if version not in VERSIONS:
        raise _Odd("its version is unknown")
    given = found["Statement"]
    statements = tuple(_statement(one) for one in (given if isinstance(given, list) else [given]))
    variables = version == VERSIONS[1] and any(_has_variables(one) for one in statements)
    return Document(statements=statements, variables=variables)


def _statement(given: object) -> Statement:
    if not isinstance(given, dict):
        raise _Odd("a statement is no object")
    _only(given, _OF_STATEMENT)
    if given.get("Effect") not in ("Allow", "Deny"):
        raise _Odd("a statement neither allows nor denies")
    actions, but = _either(given, "Action", "NotAction")
    resources, elsewhere = _either(given, "Resource", "NotResource")
    who = "NotPrincipal" if "NotPrincipal" in given else "Principal"
    if not actions or ("NotPrincipal" in given and "Principal" in given):
        raise _Odd("a statement names no action, or two kinds of principals")
    return Statement(
        allow=given["Effect"] == "Allow",
        actions=actions,
        resources=resources,
        but=but,
        elsewhere=elsewhere,
        condition=_condition(given.get("Condition")),
        principals=tuple(sorted(set(_principals(given.get(who))))),
        others=who == "NotPrincipal",
    )


def _only(found: dict[str, object], known: frozenset[str]) -> None:
    if not found.keys() <= known:
        raise _Odd("it has a member that policies do not have")


def _either(given: dict[str, object], name: str, negated: str) -> tuple[tuple[str, ...], bool]:
    if name in given and negated in given:
        raise _Odd(f"a statement has {name} and {negated}")
    return _texts(given.get(name, given.get(negated))), negated in given


def _texts(given: object) -> tuple[str, ...]:
    found = [given] if isinstance(given, str) else [] if given is None else given
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise _Odd("a list of a statement holds more than texts")
    return tuple(sorted(set(found)))


def _condition(given: object) -> str | None:
    if given is None or given == {}:
        return None
    if not isinstance(given, dict) or not all(isinstance(tests, dict) for tests in given.values()):
        raise _Odd("a condition is no object of objects")
    return json.dumps(given, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _principals(given: object) -> Iterator[str]:
    if given is None:
        return
    if isinstance(given, str):
        yield given
        return
    if not isinstance(given, dict):
        raise _Odd("a principal is neither a text nor an object")
    for kind, names in given.items():
        yield from ("*" if kind == "AWS" and name == "*" else f"{kind}:{name}" for name in _texts(names))


def _has_variables(one: Statement) -> bool:
    return any("${" in text for text in (*one.resources, one.condition or ""))


def _rule(given: object) -> Iterator[Statement]:
    if not isinstance(given, dict):
        raise _Odd("a rule is no object")
    verbs, names = _texts(given.get("verbs")), _texts(given.get("resourceNames"))
    things = sorted(set(_things(_texts(given.get("apiGroups")), _texts(given.get("resources")))))
    told = tuple(f"{thing}:{name}" for thing in things for name in names) if names else tuple(things)
    for resources in (told, _texts(given.get("nonResourceURLs"))):
        if resources and verbs:
            yield Statement(allow=True, actions=verbs, resources=resources)


def _things(groups: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    """``group/resource``; the core group has no name, and every group is the core one too."""
    for group in groups or ("",):
        for name in names:
            if group in ("", "*"):
                yield name
            if group:
                yield "*" if (group, name) == ("*", "*") else f"{group}/{name}"


def shown(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """Statements in one order, each once."""
    return tuple(sorted(set(statements), key=msgspec.json.encode))
