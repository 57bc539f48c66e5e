"""Makes a mapping of the tree of its file, and collects everything that is wrong with it."""

import re
from collections.abc import Sequence

from custody.model.events import Asserter, Granularity, Outcome, Stage
from custody.model.keys import KEY_TYPES
from custody.settings.amounts import shown
from custody.settings.document import Node, Scalar, Series, Table, describe
from custody.settings.names import nearest
from custody.settings.problems import Problem
from custody.sources.mapped.mapping import (
    FORMATS,
    JSON,
    Condition,
    Key,
    KeyForm,
    Mapping,
    PartOf,
    Result,
    Text,
    Time,
    TimeForm,
)
from custody.sources.mapped.paths import FORM, Path, leads_to, names_of, parse

VERSION = "1"
MARK = "custody-mapping"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_WORD = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*")
_TEXTS = (
    "service", "action", "principal_kind", "error", "account", "region", "category", "origin", "endpoint", "agent",
    "session", "request_id", "resource", "policy", "trace",
)  # fmt: skip
_TOP = (
    MARK, "name", "title", "format", "array", "asserter", "match", "id", "time", "outcome", "principal", "tags",
    "parts", "secrets", *_TEXTS,
)  # fmt: skip
_PART = (
    "stage", "key", "when", "parent", "subject", "workload", "object", "related", "granularity", "session_name",
    "method", "effect", "not_after", "population", "asserter",
)  # fmt: skip
_SHORT = re.compile(r"[^\x00-\x1f]{1,200}")
_OUTCOMES = tuple(outcome.value for outcome in Outcome)
ANY = "*"
"""The value of a condition that any value meets."""
_POPULATIONS = ("machine", "person", "provider-internal")
_ASSERTERS = tuple(asserter.value for asserter in Asserter)
SCOPES = {
    "aws_akid": "aws", "aws_principal": "aws", "aws_service": "aws", "aws_invocation": "lambda", "vault_lease": "vault",
    "vault_role": "vault", "vault_entity": "vault", "vault_accessor": "plain", "db_role": "postgresql",
    "db_session": "postgresql", "k8s_pod": "k8s", "github_run": "github", "github_job": "github",
    "github_workflow": "github", "github_environment": "github", "github_user": "github", "github_token_id": "github",
    "github_token_sha256": "github", "x509_sha256": "x509", "otel_trace": "w3c", "otel_span": "w3c",
    "otel_service": "otel", "container": "container",
}  # fmt: skip
"""Types of keys whose scope is always the same, so that a file need not say it."""


class Build:
    """Makes values of the tree, and collects what is wrong with it; what is wrong is left out."""

    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems

    def run(self, root: Table, digest: str) -> Mapping | None:
        """The mapping; None, and problems, where something that it needs is missing or wrong."""
        self._known(root, _TOP, "a mapping")
        if self._word(root, MARK, (VERSION,)) is None and root.get(MARK) is None:
            self._add(root, "not a mapping", expected=f"{MARK}: {VERSION}")
        name = self._pattern(root, "name", _NAME, "a name of lower-case letters, digits, _ and -")
        time, outcome = self._time(root, "time"), self._outcome(root)
        conditions = self._conditions(root, "match")
        for field, found in (("name", name), ("time", time), ("outcome", outcome), ("match", conditions)):
            if not found and root.get(field) is None:
                self._add(root, f"no {field}", expected=f"a field {field}")
        texts = tuple((field, text) for field in _TEXTS if (text := self._text(root.get(field))) is not None)
        mapping = Mapping(
            name=name or "-",
            digest=digest,
            match=conditions,
            time=time or Time(Path((), "")),
            outcome=outcome or Result(),
            texts=texts,
            title=self._plain(root, "title") or "",
            format=self._word(root, "format", FORMATS) or JSON,
            array=self._plain(root, "array"),
            asserter=Asserter(self._word(root, "asserter", _ASSERTERS) or Asserter.SELF_REPORTED),
            id=self._path(root.get("id")),
            principal=self._key(root.get("principal")),
            parts=self._parts(root.get("parts")),
            secrets=self._paths(root.get("secrets")),
            tags=self._tags(root.get("tags")),
        )
        self._not_secret(root, mapping)
        return None if self._problems else mapping

    def _not_secret(self, root: Table, mapping: Mapping) -> None:
        """Nothing that is masked can name, time or match a record."""
        used = [("id", mapping.id), ("time", mapping.time.path), ("outcome", mapping.outcome.path)]
        used += [("match", condition.path) for condition in mapping.match]
        for field, path in used:
            if path is not None and any(leads_to(secret.steps, names_of(path)) for secret in mapping.secrets):
                self._add(
                    root.get(field) or root, f"{field} rests on a secret", shown(path.text), "a path beside secrets"
                )

    def _parts(self, node: Node | None) -> tuple[PartOf, ...]:
        parts = (self._part(item) for item in self._items(node, "parts") if isinstance(item, Table))
        return tuple(part for part in parts if part is not None)

    def _part(self, node: Table) -> PartOf | None:
        self._known(node, _PART, "a part")
        stage, key = self._word(node, "stage", [stage.value for stage in Stage]), self._key(node.get("key"))
        for field, found in (("stage", stage), ("key", key)):
            if found is None and node.get(field) is None:
                self._add(node, f"a part has no {field}", expected=f"a field {field}")
        if stage is None or key is None:
            return None
        granularity = self._word(node, "granularity", [each.value for each in Granularity])
        asserter = self._word(node, "asserter", _ASSERTERS)
        return PartOf(
            stage=Stage(stage),
            key=key,
            when=self._conditions(node, "when"),
            parent=self._key(node.get("parent")),
            subject=self._key(node.get("subject")),
            workload=self._key(node.get("workload")),
            object=self._touched(node.get("object")),
            related=self._key(node.get("related")),
            granularity=Granularity(granularity) if granularity else None,
            session_name=self._text(node.get("session_name")),
            method=self._text(node.get("method")),
            effect=self._pattern(node, "effect", _WORD, "dotted words, such as credential.revoke"),
            not_after=self._time(node, "not_after"),
            population=self._word(node, "population", _POPULATIONS),
            asserter=Asserter(asserter) if asserter else None,
        )

    def _touched(self, node: Node | None) -> Key | Text | None:
        typed = isinstance(node, Table) and node.get("type") is not None
        return self._key(node) if typed else self._text(node)

    def _conditions(self, table: Table, field: str) -> tuple[Condition, ...]:
        node = table.get(field)
        if node is None:
            return ()
        if not isinstance(node, Table) or not node.entries:
            self._add(
                node, f"bad value for {field}", describe(node), "paths, each with the value or values that it must have"
            )
            return ()
        found = []
        for name, value in node.entries:
            path = self._path(name)
            texts = value.items if isinstance(value, Series) else (value,)
            values = tuple(item.text for item in texts if isinstance(item, Scalar) and item.text)
            if len(values) < len(texts) or not values:
                self._add(value, f"bad value for {field}", describe(value), "a text, several, or '*' for any")
            elif path is not None:
                found.append(Condition(path, () if values == (ANY,) else values))
        return tuple(found)

    def _outcome(self, root: Table) -> Result | None:
        """``{value: success}``, or a path with the values of each outcome."""
        node = root.get("outcome")
        if node is None:
            return None
        if not isinstance(node, Table):
            self._add(node, "bad value for outcome", describe(node), "{value: success}, or a path with its values")
            return None
        self._known(node, ("value", "path", "otherwise", *_OUTCOMES), "outcome")
        if node.get("value") is not None:
            always = self._word(node, "value", _OUTCOMES)
            return Result(otherwise=Outcome(always)) if always else None
        path = self._path(node.get("path"))
        if path is None:
            if node.get("path") is None:
                self._add(node, "outcome has no path", expected="a path, or {value: success}")
            return None
        values = [(text, Outcome(name)) for name in _OUTCOMES for text in self._texts(node.get(name), name)]
        otherwise = self._word(node, "otherwise", _OUTCOMES)
        twice = {text for text, _ in values if sum(text == other for other, _ in values) > 1}
        for text in sorted(twice):
            self._add(node, "a value of two outcomes", shown(text), "each value once")
        return Result(path, tuple(values), Outcome(otherwise) if otherwise else None)

    def _time(self, table: Table, field: str) -> Time | None:
        """A path, or a path and a format."""
        node = table.get(field)
        if node is None:
            return None
        if isinstance(node, Table):
            self._known(node, ("path", "format"), field)
            form = self._word(node, "format", [form.value for form in TimeForm])
            path = self._path(node.get("path"))
            if path is None and node.get("path") is None:
                self._add(node, f"{field} has no path", expected="a field path")
            return Time(path, TimeForm(form or TimeForm.RFC3339)) if path else None
        path = self._path(node)
        return Time(path) if path else None

    def _key(self, node: Node | None) -> Key | None:
        if node is None:
            return None
        if not isinstance(node, Table):
            self._add(node, "not a key", describe(node), "a type and a path, and a scope where the type has several")
            return None
        self._known(node, ("type", "path", "scope", "form"), "a key")
        kind, path = self._word(node, "type", sorted(KEY_TYPES)), self._path(node.get("path"))
        form = KeyForm(self._word(node, "form", [form.value for form in KeyForm]) or KeyForm.TEXT)
        for field in ("type", "path"):
            if node.get(field) is None:
                self._add(node, f"a key has no {field}", expected=f"a field {field}")
        if kind is None or path is None:
            return None
        scope = self._text(node.get("scope")) or (Text(value=SCOPES[kind]) if kind in SCOPES else None)
        if scope is None and form is not KeyForm.SPIFFE:
            self._add(node, f"a key of type {kind} has no scope", expected=KEY_TYPES[kind])
        return Key(kind, path, scope or Text(value="-"), form)

    def _text(self, node: Node | None) -> Text | None:
        """A path, or ``{value: …}`` for a text that is always the same."""
        if isinstance(node, Table):
            self._known(node, ("value", "path"), "a text")
            value = self._plain(node, "value")
            if value is None and node.get("value") is None and node.get("path") is None:
                self._add(node, "a text has neither value nor path", expected="{value: …} or a path")
            return Text(value=value) if value else Text(path=self._path(node.get("path")))
        path = self._path(node)
        return Text(path=path) if path else None

    def _tags(self, node: Node | None) -> tuple[tuple[str, Path], ...]:
        if node is not None and not isinstance(node, Table):
            self._add(node, "bad value for tags", describe(node), "names, each with its path")
        entries = node.entries if isinstance(node, Table) else ()
        return tuple((name.text, path) for name, value in entries if (path := self._path(value)) is not None)

    def _paths(self, node: Node | None) -> tuple[Path, ...]:
        found = (self._path(item) for item in self._items(node, "secrets"))
        return tuple(path for path in found if path is not None)

    def _path(self, node: Node | None) -> Path | None:
        if node is None:
            return None
        path = parse(node.text) if isinstance(node, Scalar) else None
        if path is None:
            self._add(node, "not a path", describe(node), FORM)
        return path

    def _items(self, node: Node | None, field: str) -> tuple[Node, ...]:
        if node is None:
            return ()
        if not isinstance(node, Series):
            self._add(node, f"bad value for {field}", describe(node), "a list")
            return ()
        return node.items

    def _texts(self, node: Node | None, field: str) -> list[str]:
        items = (node,) if isinstance(node, Scalar) else self._items(node, field)
        for item in items:
            if not isinstance(item, Scalar):
                self._add(item, f"bad value for {field}", describe(item), "a text")
        return [item.text for item in items if isinstance(item, Scalar)]

    def _word(self, table: Table, field: str, known: Sequence[str]) -> str | None:
        node = table.get(field)
        if node is None or (isinstance(node, Scalar) and node.text in known):
            return node.text if isinstance(node, Scalar) else None
        advice = nearest(node.text, known) if isinstance(node, Scalar) else ""
        self._add(node, f"bad value for {field}", describe(node), f"one of {', '.join(known)}"[:300], advice[:200])
        return None

    def _pattern(self, table: Table, field: str, pattern: re.Pattern[str], expected: str) -> str | None:
        node = table.get(field)
        if node is None or (isinstance(node, Scalar) and pattern.fullmatch(node.text)):
            return node.text if isinstance(node, Scalar) else None
        self._add(node, f"bad value for {field}", describe(node), expected)
        return None

    def _plain(self, table: Table, field: str) -> str | None:
        return self._pattern(table, field, _SHORT, "a text of up to 200 characters")

    def _known(self, table: Table, known: Sequence[str], place: str) -> None:
        for name, _ in table.entries:
            if name.text not in known:
                self._add(
                    name, "an unknown field", shown(name.text), f"a field of {place}", nearest(name.text, known)[:200]
                )

    def _add(self, node: Node, message: str, found: str = "", expected: str = "", advice: str = "") -> None:
        self._problems.append(Problem(node.line, node.column, message, found, expected, advice))
