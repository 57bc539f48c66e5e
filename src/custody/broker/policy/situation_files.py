"""Situations as people write them, in YAML, TOML or JSON, and as the entries of a broker's log hold them."""

from __future__ import annotations

import tomllib
from datetime import datetime

import msgspec

from custody.broker.policy.engine import Situation
from custody.broker.policy.situations import ACTIONS, rebuilt
from custody.errors import UsageError
from custody.model.broker_terms import Actor, Decision, Intent, Proof, Registered
from custody.model.brokered import FORMAT, Entry, Request
from custody.model.times import microseconds
from custody.settings.amounts import MICROSECONDS, parse_duration
from custody.settings.document import json_value, read_tree
from custody.settings.problems import Problem

MAX_BYTES = 1 << 20
"""The largest file that is read."""
USUAL: dict[str, object] = {
    "action": "Issue",
    "now": "2026-01-05T12:00:00Z",
    "environment": "production",
    "backend_kind": "jwt",
    "ttl": 900,
    "proof": {
        "method": "oidc",
        "issuer": "https://issuer.example",
        "subject": "workload",
        "workload": "oidc_subject:issuer.example:workload",
        "digest": "0" * 64,
        "key": "-",
        "trust": "-",
        "expires": "2026-01-05T13:00:00Z",
    },
    "intent": {"backend": "jwt"},
    "registered": {"identity": "workload", "document": "-"},
}
"""A workload that asks at noon (UTC) of a Monday for fifteen minutes; nothing more is known of it."""

_NESTED: dict[str, type[msgspec.Struct]] = {
    "proof": Proof,
    "subject": Proof,
    "intent": Intent,
    "registered": Registered,
    "actors": Actor,
}


def situation_of(data: bytes, name: str) -> tuple[Situation, Decision | None]:
    """One situation from a file: a table of it, or a request's entry of a broker's log with what was decided then.

    UsageError where it is neither.
    """
    table = table_of(data, name)
    if table.get("custody") == FORMAT:
        return _of_entry(data, name)
    inner = table.get("situation", table)
    if not isinstance(inner, dict) or ("situation" in table and set(table) - {"situation", "name", "expect"}):
        raise UsageError("not a situation", where=name, expected="a table of it, or an entry of a broker's log")
    return situation_in(inner, name), None


def _of_entry(data: bytes, name: str) -> tuple[Situation, Decision]:
    try:
        entry = msgspec.json.decode(data, type=Entry)
    except msgspec.DecodeError as error:
        raise UsageError("not an entry of a broker's log", where=name, found=str(error)[:200]) from None
    if not isinstance(entry.body, Request):
        raise UsageError("an entry of another kind", where=name, expected="a request")
    return rebuilt(entry.body), entry.body.decision


def table_of(data: bytes, name: str) -> dict[str, object]:
    """The table in a file: TOML and JSON by the name's end (or a brace at the beginning), YAML else. UsageError."""
    if len(data) > MAX_BYTES:
        raise UsageError("file too large", where=name, expected=f"at most {MAX_BYTES} bytes")
    try:
        found = _parsed(data, name)
    except (ValueError, RecursionError) as error:
        raise UsageError("cannot be parsed", where=name, found=str(error)[:200]) from None
    if not isinstance(found, dict):
        raise UsageError("not a table", where=name, expected="a mapping")
    return found


def _parsed(data: bytes, name: str) -> object:
    if name.endswith(".toml"):
        return tomllib.loads(data.decode("utf-8"))
    if name.endswith(".json") or data.lstrip()[:1] == b"{":
        return msgspec.json.decode(data)
    problems: list[Problem] = []
    root = read_tree(data, problems, "a mapping with cases")
    if problems or root is None:
        first = min(problems)
        raise UsageError(first.message, where=f"{name}:{first.line}:{first.column}", found=first.found)
    return json_value(root)


def situation_in(given: dict[str, object], where: str) -> Situation:
    """The situation of a table, what it does not say as in ``USUAL``. UsageError, also for keys that are unknown."""
    unknown = _unknown(given, Situation)
    if unknown:
        raise UsageError("an unknown field", where=where, found=unknown)
    table = merged(USUAL, given)
    try:
        found = msgspec.convert(_plain(table, where), Situation)
    except msgspec.ValidationError as error:
        raise UsageError("not a situation", where=where, found=str(error)[:300]) from None
    if found.action not in ACTIONS:
        expected = ", ".join(sorted(ACTIONS))
        raise UsageError("an unknown action", where=where, found=found.action[:60], expected=expected)
    return found


def _plain(table: dict[str, object], where: str) -> dict[str, object]:
    """The forms that people write, as the types have them: times, lengths of time, approvers as a table."""
    found = dict(table)
    found["now"] = _time(table["now"], where)
    ttl = table["ttl"]
    found["ttl"] = seconds(ttl, where) if isinstance(ttl, str) else ttl
    intent, approvers = table["intent"], table.get("approvers")
    if isinstance(intent, dict) and isinstance(intent.get("ttl"), str):
        found["intent"] = {**intent, "ttl": seconds(intent["ttl"], where)}
    if isinstance(approvers, dict):
        found["approvers"] = list(approvers.items())
    subject = table.get("subject")
    if isinstance(subject, dict):
        found["subject"] = _proved_by(subject)
    actors = table.get("actors")
    if isinstance(actors, list):
        found["actors"] = [_proved(each) for each in actors]
    return found


def _proved(given: object) -> object:
    """An actor whose proof, where there is one, is as usual in what it does not say."""
    proof = given.get("proof") if isinstance(given, dict) else None
    return {**given, "proof": _proved_by(proof)} if isinstance(given, dict) and isinstance(proof, dict) else given


def _proved_by(given: dict[str, object]) -> dict[str, object]:
    usual = USUAL["proof"]
    return merged(usual, given) if isinstance(usual, dict) else given


def _time(value: object, where: str) -> object:
    try:
        if isinstance(value, datetime):
            return microseconds(value.isoformat())
        return microseconds(value) if isinstance(value, str) else value
    except (ValueError, TypeError, OverflowError):
        expected = "RFC 3339 with a zone, as 2026-03-02T08:00:00Z"
        raise UsageError("not a time", where=where, found=str(value)[:60], expected=expected) from None


def seconds(text: str, where: str) -> int:
    """The seconds of a length of time such as ``15m``. UsageError for another form."""
    try:
        return parse_duration(text) // MICROSECONDS["s"]
    except UsageError as error:
        raise UsageError(error.message, where=where, found=error.found, expected=error.expected) from None


def merged(under: dict[str, object], over: dict[str, object]) -> dict[str, object]:
    """``over`` laid over ``under``: tables key by key at any depth, anything else whole."""
    found = dict(under)
    for name, value in over.items():
        before = found.get(name)
        found[name] = merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return found


def _unknown(given: object, kind: type[msgspec.Struct]) -> str:
    """The first key that a type does not have, at any depth: a slip of the pen must not make a case say less."""
    for each in given if isinstance(given, list) else [given]:
        for name, value in each.items() if isinstance(each, dict) else ():
            if name not in kind.__struct_fields__:
                return str(name)[:60]
            inside = _unknown(value, _NESTED[name]) if name in _NESTED else ""
            if inside:
                return f"{name}.{inside}"[:120]
    return ""
