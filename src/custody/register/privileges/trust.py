"""Who may become a role, by its trust policy, and where that is wider than it seems.

"Creating a role for OpenID Connect federation", AWS IAM User Guide: a role that a provider's tokens may take on should
name the subject (``<issuer>:sub``) and the audience (``<issuer>:aud``) exactly. A provider such as a code host issues
tokens to all its customers: without the subject, any of them may take the role.
"""

import json
from collections.abc import Iterator

import msgspec

from custody.register.privileges.policy import Document, Statement

ANYBODY = "anybody may take it on: the principal is * and there is no condition"
_PROVIDER = ":oidc-provider/"
_EQUALS = ("stringequals", "stringequalsignorecase", "stringlike", "arnlike", "arnequals")
_BY_TOKEN = "sts:assumerolewithwebidentity"  # noqa: S105  # an action


class Trusted(msgspec.Struct, frozen=True, kw_only=True):
    """One principal that a trust policy lets in: for which actions, under which condition.

    ``wide`` says in words where that is wider than one subject, ``grave`` that strangers fit.
    """

    who: str
    actions: tuple[str, ...]
    condition: str | None
    wide: str | None = None
    grave: bool = False


def trusted(document: Document) -> tuple[Trusted, ...]:
    """Everybody whom the allowing statements of a trust policy let in; denials are not taken off."""
    return tuple(one for statement in document.statements if statement.allow for one in _of(statement))


def widest(found: tuple[Trusted, ...]) -> Trusted | None:
    """The one that lets in most, None where none is wide."""
    wide = sorted((each for each in found if each.wide), key=lambda each: (not each.grave, each.who))
    return wide[0] if wide else None


def _of(statement: Statement) -> Iterator[Trusted]:
    if statement.others:
        who = f"all but {', '.join(statement.principals)}"
        grave = statement.condition is None
        yield _one(statement, who, "everybody but those named may take it on" if grave else None, grave=grave)
        return
    for name in statement.principals:
        if name == "*":
            free = statement.condition is None
            yield _one(statement, name, ANYBODY if free else None, grave=free)
        elif name.startswith("Federated:") and _PROVIDER in name and _by_token(statement):
            wide, grave = _subjects(name.partition(_PROVIDER)[2], statement.condition)
            yield _one(statement, name, wide, grave=grave)
        else:
            yield _one(statement, name, None, grave=False)


def _one(statement: Statement, who: str, wide: str | None, *, grave: bool) -> Trusted:
    return Trusted(who=who, actions=statement.actions, condition=statement.condition, wide=wide, grave=grave)


def _by_token(statement: Statement) -> bool:
    return any(each.lower() in (_BY_TOKEN, "sts:*", "*") for each in statement.actions)


def _subjects(issuer: str, condition: str | None) -> tuple[str | None, bool]:
    """Which tokens of an issuer fit: None for exact ones; else in words, and whether those of strangers do."""
    tests = dict(_tests(condition, issuer))
    if "sub" not in tests:
        named = sorted(tests.keys() - {"aud"})
        return (None, False) if named else (f"any subject of {issuer} may take it on", True)
    exact, values = tests["sub"]
    loose = [value for value in values if not exact and ("*" in value or "?" in value)]
    if not loose:
        return None, False
    grave = any(_is_stranger(value) for value in loose)
    return f"any subject of {issuer} like {', '.join(loose[:3])} may take it on", grave


def _is_stranger(pattern: str) -> bool:
    """Whether subjects of others fit: a wildcard stands before the owner is named in full (``repo:owner/…``)."""
    fixed = min(pattern.find(mark) for mark in "*?" if mark in pattern)
    head = pattern[:fixed]
    return not head.strip(":") or (head.startswith("repo:") and "/" not in head) or ":" not in head


def _tests(condition: str | None, issuer: str) -> Iterator[tuple[str, tuple[bool, tuple[str, ...]]]]:
    """Every claim of the issuer that a condition tests for: its name, whether exactly, and the values."""
    told = json.loads(condition) if condition else {}
    for operator, tests in told.items():
        name = operator.lower().rpartition(":")[2].removesuffix("ifexists")
        if name not in _EQUALS:
            continue
        for key, given in tests.items():
            if key.lower().startswith(f"{issuer.lower()}:"):
                values = [given] if isinstance(given, str) else given if isinstance(given, list) else []
                texts = tuple(value for value in values if isinstance(value, str))
                yield key[len(issuer) + 1 :].lower(), (not name.endswith("like"), texts)
