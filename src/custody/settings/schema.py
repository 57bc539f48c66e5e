"""Published JSON Schemas of the files that people write, and their verdict on a tree as problems with lines.

A schema's titles are what an error says that it expected, so that an editor and custody say the same.
"""

import functools
import json
from collections.abc import Iterator, Sequence
from importlib import resources

import jsonschema_rs
from jsonschema_rs import ValidationErrorKind as Kind

from custody.settings.amounts import shown
from custody.settings.document import Node, Scalar, Series, Table, describe, json_value
from custody.settings.names import nearest
from custody.settings.problems import MAX_SHOWN, Problem

Path = Sequence[str | int]


class Published:
    """One JSON Schema (2020-12), as shipped in ``package``; ``noun`` is what errors call the whole file."""

    def __init__(self, package: str, file: str, noun: str) -> None:
        self._package, self._file, self._noun = package, file, noun

    @functools.cached_property
    def text(self) -> str:
        """The schema as shipped."""
        return resources.files(self._package).joinpath(self._file).read_text("utf-8")

    @functools.cached_property
    def tree(self) -> dict[str, object]:
        """The schema as JSON values."""
        return _object(json.loads(self.text))

    def problems(self, root: Node) -> list[Problem]:
        """Everything in which the tree departs from the schema."""
        errors = self._validator.iter_errors(json_value(root))
        return [*self._bad_names(root), *(problem for error in errors for problem in self._explain(error, root))]

    @functools.cached_property
    def _validator(self) -> jsonschema_rs.Draft202012Validator:
        """The schema but for the names of what stands at the top level (see ``_bad_names``)."""
        fields = {name: _object(field) for name, field in _object(self.tree["properties"]).items()}
        open_ended = {
            name: {**field, "propertyNames": True} for name, field in fields.items() if "propertyNames" in field
        }
        return jsonschema_rs.Draft202012Validator({**self.tree, "properties": {**fields, **open_ended}})

    def _bad_names(self, root: Node) -> Iterator[Problem]:
        """The schema's ``propertyNames``, one by one: each error of theirs would carry a copy of the whole mapping."""
        for field, schema in _object(self.tree["properties"]).items():
            reference = _object(_object(schema).get("propertyNames")).get("$ref")
            table = root.get(field) if isinstance(root, Table) else None
            if reference is None or not isinstance(table, Table):
                continue
            validator = jsonschema_rs.Draft202012Validator({"$ref": reference, "$defs": self.tree["$defs"]})
            expected = str(self._under(str(reference).split("/")[1:]).get("title", ""))
            for key, _ in table.entries:
                if not validator.is_valid(key.text):
                    yield Problem(key.line, key.column, f"a bad name in {field}", shown(key.text), expected)

    def _explain(self, error: jsonschema_rs.ValidationError, root: Node) -> Iterator[Problem]:
        node = _at(root, error.instance_path)
        place = ".".join(str(step)[:60] for step in error.instance_path) or self._noun
        match error.kind:
            case Kind.AdditionalProperties(unexpected=names):
                known = list(_object(self._under(error.schema_path[:-1]).get("properties")))
                yield from _unknown(node, names, place, known)
            case Kind.Required(property=name):
                key = _key_of(root, error.instance_path) or node
                yield Problem(key.line, key.column, f"{place} has no {shown(name)}", expected=f"a field {name}")
            case _:
                expected, advice = self._title(error.schema_path), _quoting(node, error.kind)
                yield Problem(node.line, node.column, f"bad value for {place}", describe(node), expected, advice)

    def _under(self, path: Path) -> dict[str, object]:
        """The schema at ``path``; a step that is not there (an array's index, say) gives an empty one."""
        schema: object = self.tree
        for step in path:
            schema = _object(schema).get(str(step))
        return _object(schema)

    def _title(self, path: Path) -> str:
        """What the schema at ``path``, less its last step (the keyword), calls itself."""
        return str(self._under(path[:-1]).get("title", ""))


CONTRACT = Published("custody.settings", "contract.schema.json", "the contract")


def schema_text() -> str:
    """The JSON Schema (2020-12) of a contract file, as shipped."""
    return CONTRACT.text


def schema_problems(root: Node) -> list[Problem]:
    """Everything in which the tree departs from the schema of a contract."""
    return CONTRACT.problems(root)


def _object(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _at(root: Node, path: Path) -> Node:
    node: Node | None = root
    for step in path:
        if isinstance(node, Table) and isinstance(step, str):
            node = node.get(step)
        elif isinstance(node, Series) and isinstance(step, int):
            node = node.items[step]
    return node or root


def _key_of(root: Node, path: Path) -> Scalar | None:
    parent = _at(root, path[:-1])
    return parent.key(str(path[-1])) if path and isinstance(parent, Table) else None


def _unknown(node: Node, names: list[str], place: str, known: list[str]) -> Iterator[Problem]:
    for number, name in enumerate(names):
        key = (node.key(name) if isinstance(node, Table) else None) or node
        advice = nearest(name, known) if number < MAX_SHOWN else ""  # no more are shown, and it takes its time
        yield Problem(key.line, key.column, "an unknown field", shown(name), f"a field of {place}", advice)


def _quoting(node: Node, kind: Kind) -> str:
    """Advice where a bare word was read as a number, a boolean or nothing and a text was asked for."""
    match kind:
        case Kind.Type(types=types) if "string" in types and isinstance(node, Scalar) and node.text and node.plain:
            return f"put it in quotes if it is meant as text: '{node.text}'"
    return ""
