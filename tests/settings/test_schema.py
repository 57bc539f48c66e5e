import json
from collections.abc import Iterator

import jsonschema_rs
import msgspec
import pytest

from custody.model.contracts import Contract, Environment, Exempt, ExpectedSource, IdentityClass, Suppression
from custody.model.events import Granularity
from custody.model.verdicts import Population
from custody.settings.amounts import DURATION_FORM, format_duration, parse_duration
from custody.settings.contract_hours import HOURS_FORM
from custody.settings.moments import MOMENT_FORM
from custody.settings.origins import ORIGIN_FORM
from custody.settings.schema import schema_text

SCHEMA = json.loads(schema_text())
CLASS = SCHEMA["$defs"]["class"]


def fields(schema: dict[str, dict[str, object]], place: str = "") -> Iterator[tuple[str, dict[str, object]]]:
    """Every field that the schema describes, with its schema."""
    for name, child in schema.get("properties", {}).items():
        assert isinstance(child, dict)
        yield f"{place}.{name}", child
        yield from fields(child, f"{place}.{name}")
    for name, definition in schema.get("$defs", {}).items():
        assert isinstance(definition, dict)
        yield from fields(definition, name)


def test_the_schema_is_a_schema_of_2020_12() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema_rs.meta.validate(SCHEMA)


@pytest.mark.parametrize(("place", "field"), list(fields(SCHEMA)), ids=[place for place, _ in fields(SCHEMA)])
def test_every_field_has_a_title_and_a_description(place: str, field: dict[str, str]) -> None:
    definition = SCHEMA["$defs"][field["$ref"].removeprefix("#/$defs/")] if "$ref" in field else {}
    assert (definition | field).get("title"), place
    assert (definition | field).get("description"), place


def test_every_definition_has_a_title_for_errors() -> None:
    assert all(definition["title"] for definition in SCHEMA["$defs"].values())
    assert SCHEMA["$defs"]["duration"]["title"] == DURATION_FORM
    assert SCHEMA["$defs"]["origin"]["title"] == ORIGIN_FORM
    assert SCHEMA["$defs"]["moment"]["title"] == MOMENT_FORM
    assert CLASS["properties"]["hours"]["title"] == HOURS_FORM


def test_the_words_of_the_schema_are_those_of_the_model() -> None:
    assert SCHEMA["$defs"]["granularity"]["enum"] == [each.value for each in Granularity]
    assert CLASS["properties"]["population"]["enum"] == [each.value for each in Population]


@pytest.mark.parametrize(
    ("definition", "model", "besides"),
    [
        ("class", IdentityClass, {"name", "declared"}),
        ("exception", Exempt, set()),
        ("suppression", Suppression, set()),
        ("environment", Environment, {"name"}),
        ("source", ExpectedSource, {"source"}),
    ],
)
def test_every_field_is_a_field_of_the_model(definition: str, model: type[msgspec.Struct], besides: set[str]) -> None:
    assert set(SCHEMA["$defs"][definition]["properties"]) == set(model.__struct_fields__) - besides


def test_every_field_of_the_top_level_is_a_field_of_the_model() -> None:
    assert set(SCHEMA["properties"]) - {"version"} == set(Contract.__struct_fields__) - {"digest", "path", "declared"}


@pytest.mark.parametrize("text", ["15m", "1h30m", "2w1s", "0h1m", "0m", "", "1m1h", "1.5h", "m", "36525d"])
def test_the_schema_and_the_reader_agree_on_durations(text: str) -> None:
    schema = jsonschema_rs.Draft202012Validator(SCHEMA["$defs"]["duration"])
    if schema.is_valid(text):
        assert parse_duration(format_duration(parse_duration(text))) == parse_duration(text)
    else:
        with pytest.raises(Exception, match="not a duration"):
            parse_duration(text)
