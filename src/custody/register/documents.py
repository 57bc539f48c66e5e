"""Reads a register document: YAML, strictly, into ``custody.model.register.Document``.

As a contract: the YAML itself, the published JSON Schema (``register.schema.json``), and here what a schema cannot
say. All problems of a file come in one ContractError.
"""

import hashlib
from collections.abc import Callable, Iterator

from custody.errors import UsageError
from custody.model.contracts import Exempt
from custody.model.register import Declared, Document, IdentityKind, Party, Privilege
from custody.register.spelling import canonical
from custody.settings.amounts import shown
from custody.settings.document import Node, Scalar, Series, Table, read_tree
from custody.settings.moments import parse_end, parse_start
from custody.settings.problems import Problem, contract_error
from custody.settings.schema import Published

NOUN = "register document"
SCHEMA = Published("custody.register", "register.schema.json", f"the {NOUN}")
KINDS = {kind.value: kind for kind in IdentityKind}


def schema_text() -> str:
    """The JSON Schema (2020-12) of a register document, as shipped."""
    return SCHEMA.text


def parse_document(data: bytes, name: str) -> Document:
    """The document in ``data``; ``name`` stands for the file in errors.

    Raises ContractError with everything that is wrong, each with its line and column.
    """
    problems: list[Problem] = []
    root = read_tree(data, problems, "a mapping with version, register and identities")
    if root is not None:
        problems += _elsewhere(problems, SCHEMA.problems(root))
    if not isinstance(root, Table):
        raise contract_error(name, problems, NOUN)
    document, more = _Build().run(root, hashlib.sha256(data).hexdigest())
    problems += _elsewhere(problems, more)
    if problems:
        raise contract_error(name, problems, NOUN)
    return document


def _elsewhere(problems: list[Problem], more: list[Problem]) -> list[Problem]:
    """What a later pass found, but for places that an earlier pass complained of: it would only be an echo."""
    places = {(problem.line, problem.column) for problem in problems}
    return [problem for problem in more if (problem.line, problem.column) not in places]


class _Build:
    """Makes values of a tree, and collects what only their meaning shows to be wrong.

    It also runs over a tree that the schema refused: what has not the shape that the schema asks for is left out.
    """

    def __init__(self) -> None:
        self._problems: list[Problem] = []

    def run(self, root: Table, digest: str) -> tuple[Document, list[Problem]]:
        """The document, and what is wrong with it."""
        entries = tuple(_tables(root.get("identities")))
        self._check_names(entries)
        document = Document(
            name=_text(root.get("register")) or "",
            digest=digest,
            identities=tuple(self._identity(key.text, node) for key, node in entries),
            parties=tuple(self._party(key.text, node) for key, node in _tables(root.get("parties"))),
        )
        return document, self._problems

    def _identity(self, name: str, node: Table) -> Declared:
        since, until = self._moment(node.get("since"), parse_start), self._moment(node.get("until"), parse_end)
        if since is not None and until is not None and until <= since:
            self._add(node.get("until"), "until is not after since", "", "a time after since")
        return Declared(
            identity=name,
            kind=KINDS.get(_text(node.get("kind")) or "", IdentityKind.WORKLOAD),
            names=_texts(node.get("names")),
            owner=_text(node.get("owner")),
            deputy=_text(node.get("deputy")),
            purpose=_text(node.get("purpose")),
            risk=_text(node.get("risk")),
            environments=_texts(node.get("environments")),
            repository=_text(node.get("repository")),
            pipeline=_text(node.get("pipeline")),
            workload=_text(node.get("workload")),
            resources=_texts(node.get("resources")),
            depends_on=_texts(node.get("depends_on")),
            privileges=tuple(_privileges(node.get("privileges"))),
            since=since,
            until=until,
            exception=self._exception(node.get("exception")),
        )

    def _exception(self, node: Node | None) -> Exempt | None:
        if not isinstance(node, Table):
            return None
        return Exempt(
            until=self._moment(node.get("until"), parse_end) or 0,
            owner=_text(node.get("owner")) or "",
            reason=_text(node.get("reason")) or "",
            compensating=_texts(node.get("compensating")),
        )

    def _party(self, name: str, node: Table) -> Party:
        return Party(name=name, members=_texts(node.get("members")), ended=self._moment(node.get("ended"), parse_start))

    def _check_names(self, entries: tuple[tuple[Scalar, Table], ...]) -> None:
        """A name stands for one identity; a document that gives it to two says nothing."""
        seen = {key.text: (key.text, key.line) for key, _ in entries}
        for key, node in entries:
            for item in _scalars(node.get("names")):
                name, line = seen.setdefault(canonical(item.text.strip()), (key.text, item.line))
                if name != key.text:
                    message = f"{shown(item.text)} is a name of {name} too"
                    self._add(item, message, "", "each name in one identity", f"{name} has it in line {line}")

    def _moment(self, node: Node | None, parse: Callable[[str], int]) -> int | None:
        if not isinstance(node, Scalar):
            return None
        try:
            return parse(node.text)
        except UsageError as error:
            self._add(node, error.message, error.found, error.expected, error.advice)
            return None

    def _add(self, node: Node | None, message: str, found: str, expected: str, advice: str = "") -> None:
        line, column = (node.line, node.column) if node is not None else (1, 1)
        self._problems.append(Problem(line, column, message, found, expected, advice))


def _privileges(node: Node | None) -> Iterator[Privilege]:
    for each in node.items if isinstance(node, Series) else ():
        if isinstance(each, Table):
            yield Privilege(
                what=_text(each.get("what")) or "",
                on=_text(each.get("on")),
                approved_by=_text(each.get("approved_by")),
                ticket=_text(each.get("ticket")),
            )


def _tables(node: Node | None) -> Iterator[tuple[Scalar, Table]]:
    entries = node.entries if isinstance(node, Table) else ()
    return ((key, child) for key, child in entries if isinstance(child, Table))


def _scalars(node: Node | None) -> tuple[Scalar, ...]:
    return tuple(item for item in node.items if isinstance(item, Scalar)) if isinstance(node, Series) else ()


def _texts(node: Node | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item.text.strip() for item in _scalars(node)))


def _text(node: Node | None) -> str | None:
    """The text of a scalar; block scalars end in a line break that nobody means."""
    return node.text.strip() if isinstance(node, Scalar) else None
