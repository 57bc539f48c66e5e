"""The set of rules, found by module scan."""

import importlib
import pkgutil

import msgspec

from custody.errors import CustodyError
from custody.model.verdicts import Question
from custody.rules.rule import Rule


def load() -> tuple[Rule[msgspec.Struct], ...]:
    """Every rule in this room, sorted by id; duplicate ids, and two rules for one question, are refused."""
    package = importlib.import_module("custody.rules")
    found: dict[str, Rule[msgspec.Struct]] = {}
    asked: dict[Question, str] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
        rule = getattr(importlib.import_module(f"custody.rules.{module}"), "RULE", None)
        if rule is None:
            continue
        if rule.id in found or (rule.question is not None and rule.question in asked):
            raise CustodyError("two rules have one id or answer one question", where=module, found=rule.id)
        found[rule.id] = rule
        if rule.question is not None:
            asked[rule.question] = rule.id
    return tuple(found[name] for name in sorted(found))
