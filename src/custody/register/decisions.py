"""Reads what a reviewer decided: a YAML file, strictly, or the table that was exported, filled in.

Both carry the name of the review and the digest of the population, so that a signature over the file is one over what
was shown. YAML is held against the published JSON Schema (``decisions.schema.json``). All problems of a file come in
one ContractError. Identities are texts as written: which of the population they mean is for the caller.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from custody.model.reviews import Choice, Decision
from custody.settings.amounts import shown
from custody.settings.contract_nodes import tables, text, texts
from custody.settings.document import Table, read_tree, readable
from custody.settings.problems import Problem, contract_error
from custody.settings.schema import Published

NOUN = "decisions file"
SCHEMA = Published("custody.register", "decisions.schema.json", f"the {NOUN}")
COLUMNS = ("review", "population", "identity", "decision", "to", "reason")
"""The columns that a table of decisions must have, in any order; others are what was shown."""
LONGEST = 500
"""Characters of a reason, or of one thing that stays."""
DELIMITERS = (",", ";", "\t")
MARK = "\ufeff"


class Parsed(msgspec.Struct, frozen=True, kw_only=True):
    """A decisions file. ``rows`` are the cells of a table by identity and column, empty for YAML."""

    review: str
    population: str
    decisions: tuple[Decision, ...]
    rows: Mapping[str, Mapping[str, str]] = {}


def schema_text() -> str:
    """The JSON Schema (2020-12) of a decisions file, as shipped."""
    return SCHEMA.text


def is_table(data: bytes) -> bool:
    """Whether the bytes are a table rather than YAML: the first line names the columns that a table must have."""
    head = data.split(b"\n", 1)[0].decode("utf-8", "replace").removeprefix(MARK)
    return {"review", "identity", "decision"} <= set(_cells(head, _delimiter(head)))


def parse(data: bytes, name: str) -> Parsed:
    """What stands in ``data``; ``name`` stands for the file in errors. ContractError with all that is wrong."""
    return _table(data, name) if is_table(data) else _yaml(data, name)


def _yaml(data: bytes, name: str) -> Parsed:
    problems: list[Problem] = []
    root = read_tree(data, problems, "a mapping with version, review, population and decisions")
    if root is not None:
        problems += [each for each in SCHEMA.problems(root) if _new(each, problems)]
    if not isinstance(root, Table):
        raise contract_error(name, problems, NOUN)
    found = []
    for key, node in tables(root.get("decisions")):
        choice, to = text(node.get("decision")) or "", texts(node.get("to"))
        if choice in tuple(Choice):
            problems += [each for each in _narrow(choice, to, node.line, node.column) if _new(each, problems)]
            found.append(
                Decision(identity=key.text, choice=Choice(choice), reason=text(node.get("reason")) or "", to=to)
            )
    if problems:
        raise contract_error(name, problems, NOUN)
    review, population = text(root.get("review")) or "", text(root.get("population")) or ""
    return Parsed(review=review, population=population, decisions=tuple(found))


def _new(problem: Problem, earlier: Sequence[Problem]) -> bool:
    return (problem.line, problem.column) not in {(each.line, each.column) for each in earlier}


def _narrow(choice: str, to: Sequence[str], line: int, column: int) -> Iterator[Problem]:
    if choice == Choice.NARROW and not to:
        yield Problem(line, column, "narrow to what?", expected="to: what stays")
    if choice != Choice.NARROW and to:
        yield Problem(line, column, "what stays is said of narrow only", shown(choice), "narrow, or no to")


def _table(data: bytes, name: str) -> Parsed:
    problems: list[Problem] = []
    try:
        decoded = data.decode().removeprefix(MARK)
        rows = list(csv.reader(io.StringIO(decoded, newline=""), delimiter=_delimiter(decoded), strict=True))
    except UnicodeDecodeError as error:
        raise contract_error(name, [Problem(1, 1, "not UTF-8", f"byte {error.start}")], NOUN) from None
    except csv.Error as error:
        raise contract_error(name, [Problem(1, 1, "not a table", str(error), "CSV (RFC 4180)")], NOUN) from None
    head, *body = rows
    twice = sorted({each for each in head if head.count(each) > 1})
    missing = [each for each in COLUMNS if each not in head]
    if twice or missing:
        told = f"columns twice: {', '.join(twice)}" if twice else f"no column {', '.join(missing)}"
        raise contract_error(name, [Problem(1, 1, told, expected=", ".join(COLUMNS))], NOUN)
    found: dict[str, dict[str, str]] = {}
    decisions: list[Decision] = []
    for line, cells in enumerate(body, 2):
        if not any(cells):
            continue
        row = dict(zip(head, cells, strict=False))
        problems += _wrong(line, head, cells, row, found)
        found.setdefault(row.get("identity", ""), row)
        decided = row.get("decision", "").strip().lower()
        if decided in tuple(Choice):
            to = _stays(row.get("to", ""))
            problems += _narrow(decided, to, line, 1)
            reason = row.get("reason", "").strip()
            decisions.append(Decision(identity=row["identity"], choice=Choice(decided), reason=reason, to=to))
    heads = {(row.get("review", ""), row.get("population", "")) for row in found.values()}
    if len(heads) != 1:
        problems.append(Problem(1, 1, "not of one review", f"{len(heads)} reviews", "one name and digest in every row"))
    if problems:
        raise contract_error(name, problems, NOUN)
    ((review, population),) = heads
    return Parsed(review=review, population=population, decisions=tuple(decisions), rows=found)


def _wrong(
    line: int, head: Sequence[str], cells: Sequence[str], row: Mapping[str, str], before: Mapping[str, object]
) -> Iterator[Problem]:
    """What is wrong with a row. One without a decision is good: nothing was decided of it."""
    if len(cells) != len(head):
        yield Problem(line, 1, "a row of another length", f"{len(cells)} cells", f"{len(head)}")
        return
    if row["identity"] in before:
        yield Problem(line, 1, "an identity twice", shown(row["identity"]), "one row an identity")
    decided, reason = row["decision"].strip().lower(), row["reason"].strip()
    if decided and decided not in tuple(Choice):
        yield Problem(line, 1, "not a decision", shown(row["decision"]), "keep, narrow or remove")
    if decided and not reason:
        yield Problem(line, 1, "a decision without a reason", shown(row["identity"]), "a reason")
    for each in (reason, *_stays(row["to"])):
        if len(each) > LONGEST or not readable(each):
            yield Problem(line, 1, "a text that is too long, or not all visible", shown(each), f"{LONGEST} characters")


def _stays(cell: str) -> tuple[str, ...]:
    """What stays, one a line or between semicolons."""
    pieces = (each.strip() for line in cell.splitlines() for each in line.split(";"))
    return tuple(dict.fromkeys(filter(None, pieces)))


def _delimiter(data: str) -> str:
    """What divides the cells: spreadsheets of some countries write a semicolon."""
    head = data.split("\n", 1)[0]
    return max(DELIMITERS, key=head.count)


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line.rstrip("\r")], delimiter=delimiter), [])
    except csv.Error:
        return []
