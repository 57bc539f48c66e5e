"""Situations and policies for the tests of this room, each saying only what it is about."""

from __future__ import annotations

from pathlib import Path

from custody.broker.policy.cedar import CedarEngine
from custody.broker.policy.engine import Situation
from custody.broker.policy.folder import PolicyFolder
from custody.broker.policy.situation_files import situation_in

EVERYTHING = '@id("all") permit (principal, action, resource);'
OVERFLOWS = "context.ttl * 9223372036854775807 > 0"
"""Valid by the strictest check, and an error for every ttl above one."""


def situation(**given: object) -> Situation:
    return situation_in(given, "test")


def folder_of(place: Path, *policies: str, schema: str | None = None) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(policies):
        (place / f"{number}.cedar").write_text(text, "utf-8")
    if schema is not None:
        (place / "schema.cedarschema").write_text(schema, "utf-8")
    return place


def engine_of(place: Path, *policies: str) -> CedarEngine:
    return CedarEngine(PolicyFolder(folder_of(place, *policies)))
