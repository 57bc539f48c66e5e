"""Cases of a policy folder: situations beside what the policies should say of them, as files in ``tests/``.

A file is YAML, TOML or JSON with ``cases``, a list of ``name``, ``situation`` and ``expect``. A situation says only
what matters: the rest comes from ``base`` of the file, then from ``USUAL``. Times are RFC 3339, lengths of time
``15m``.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from custody.broker.policy.engine import PolicyEngine, Situation
from custody.broker.policy.situation_files import MAX_BYTES, merged, seconds, situation_in, table_of
from custody.errors import UsageError
from custody.model.broker_terms import Asked, Decision, Verdict

SUFFIXES = (".yaml", ".yml", ".toml", ".json")
UNBOUND = "none"
"""As ``max_ttl``: no bound is expected."""


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What should come out; what is None is not looked at. ``max_ttl`` is in seconds, ``UNBOUND`` for no bound."""

    verdict: Verdict
    policies: tuple[str, ...] | None = None
    max_ttl: int | str | None = None
    asked: Asked | None = None
    why: str | None = None


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One case: where it stands, what it is about, and what should come out."""

    file: str
    name: str
    situation: Situation
    expected: Expected


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """A case that was decided. ``differences`` say, each in words, what came out other than expected."""

    case: Case
    decision: Decision
    differences: tuple[str, ...]


class _AskedTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    count: int
    group: str
    within: str


class _ExpectedTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    verdict: Verdict
    policies: tuple[str, ...] | None = None
    max_ttl: str | None = None
    asked: _AskedTable | None = None
    why: str | None = None


class _CaseTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    expect: _ExpectedTable
    situation: dict[str, object] = {}


class _CaseFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    cases: tuple[_CaseTable, ...]
    base: dict[str, object] = {}


def cases_of(folder: Path) -> list[Case]:
    """Every case in ``tests/`` of a policy folder, by file. UsageError where a file or a case is wrong."""
    files = sorted((folder / "tests").glob("*")) if (folder / "tests").is_dir() else []
    return [case for path in files if path.suffix in SUFFIXES for case in _cases(path, f"tests/{path.name}")]


def run(case: Case, engine: PolicyEngine) -> Ran:
    """Decide one case and compare."""
    decision = engine.decide(case.situation)
    return Ran(case=case, decision=decision, differences=tuple(_differences(case.expected, decision)))


def _cases(path: Path, name: str) -> list[Case]:
    try:
        with path.open("rb") as file:
            table = table_of(file.read(MAX_BYTES + 1), name)
        found = msgspec.convert(table, _CaseFile)
    except OSError as error:
        raise UsageError("cannot be read", where=name, found=error.strerror or "") from None
    except msgspec.ValidationError as error:
        raise UsageError("not a file of cases", where=name, found=str(error)[:300]) from None
    return [
        Case(
            file=name,
            name=each.name,
            situation=situation_in(merged(found.base, each.situation), f"{name}: {each.name}"),
            expected=_expected(each.expect, f"{name}: {each.name}"),
        )
        for each in found.cases
    ]


def _expected(table: _ExpectedTable, where: str) -> Expected:
    asked, bound = None, table.max_ttl
    if table.asked is not None:
        asked = Asked(count=table.asked.count, group=table.asked.group, within=seconds(table.asked.within, where))
    return Expected(
        verdict=table.verdict,
        policies=table.policies,
        max_ttl=bound if bound in (None, UNBOUND) else seconds(bound, where),
        asked=asked,
        why=table.why,
    )


def _differences(expected: Expected, decision: Decision) -> list[str]:
    """What came out other than expected, each in words; the engine's errors beside it."""
    bound = UNBOUND if decision.max_ttl is None else decision.max_ttl
    compared: list[tuple[str, object, object]] = [
        ("verdict", expected.verdict.value, decision.verdict.value),
        ("policies", _names(expected.policies), _names(tuple(each.id for each in decision.policies))),
        ("max_ttl", expected.max_ttl, bound),
        ("approvals", expected.asked and _asked(expected.asked), decision.asked and _asked(decision.asked)),
        ("why", expected.why, decision.why),
    ]
    found = [f"{name}: {got}, not {wants}" for name, wants, got in compared if wants is not None and wants != got]
    return found + [f"error: {error}" for error in decision.errors if found]


def _names(names: tuple[str, ...] | None) -> str | None:
    return None if names is None else ", ".join(sorted(names)) or "no policy"


def _asked(asked: Asked) -> str:
    return f"{asked.count} of {asked.group} within {asked.within} s"
