"""The published JSON Schema of OCSF 1.8.0, by class and profiles, and what an object has to say of itself."""

from __future__ import annotations

import json
from functools import cache
from typing import TypeAlias

import jsonschema_rs
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
Object = dict[str, Json]


@cache
def _of(class_uid: int, profiles: tuple[str, ...]) -> jsonschema_rs.Draft202012Validator:
    embedded = OcsfJsonSchemaEmbedded(get_ocsf_schema("1.8.0"))
    name = embedded.lookup_class_name_from_uid(class_uid)
    return jsonschema_rs.Draft202012Validator(embedded.get_class_schema(name, list(profiles)))


def read(line: bytes) -> Object:
    """One line as an object; it must be one line of ASCII."""
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert line.isascii()
    assert b"\x7f" not in line
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


def problems(found: Object) -> list[str]:
    """What the schema says against an object, and what its numbers say against each other."""
    metadata = found["metadata"]
    assert isinstance(metadata, dict)
    profiles = metadata.get("profiles", [])
    assert isinstance(profiles, list)
    class_uid, activity = found["class_uid"], found["activity_id"]
    assert isinstance(class_uid, int)
    assert isinstance(activity, int)
    told = [
        f"{each.message} at {each.instance_path}"
        for each in _of(class_uid, tuple(map(str, profiles))).iter_errors(found)
    ]
    if (found["type_uid"], found["category_uid"]) != (class_uid * 100 + activity, class_uid // 1000):
        told.append("the numbers do not fit")
    return told


def at(found: Json, *path: str | int) -> Json:
    """What stands at a path, None where nothing does."""
    for step in path:
        if isinstance(found, dict) and isinstance(step, str):
            found = found.get(step)
        elif isinstance(found, list) and isinstance(step, int) and step < len(found):
            found = found[step]
        else:
            return None
    return found
