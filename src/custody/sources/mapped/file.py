"""Reads a mapping file: strict YAML, of which JSON is a part. All that is wrong comes in one error, with its lines."""

import hashlib
from pathlib import Path

from custody.errors import UsageError
from custody.settings.document import MAX_BYTES, Table, read_tree
from custody.settings.problems import MAX_SHOWN, Problem
from custody.sources.mapped.build import MARK, VERSION, Build
from custody.sources.mapped.mapping import Mapping


def read_mapping(path: Path) -> tuple[Mapping, str]:
    """The mapping in the file at ``path``, and its text; UsageError with everything that is wrong with it."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
        raise UsageError("cannot read the mapping", where=f"{path}:1:1", found=reason) from error
    return parse_mapping(data, str(path)), data.decode("utf-8")


def parse_mapping(data: bytes, name: str) -> Mapping:
    """The mapping in ``data``; ``name`` stands for the file in errors. UsageError with all that is wrong."""
    problems: list[Problem] = []
    root = read_tree(data, problems) if data.strip() else None
    if not isinstance(root, Table):
        problems = problems or [Problem(1, 1, "no mapping", expected=f"a mapping that begins with {MARK}: {VERSION}")]
        raise _error(name, problems)
    mapping = Build(problems).run(root, hashlib.sha256(data).hexdigest())
    if problems or mapping is None:
        raise _error(name, problems)
    return mapping


def _error(name: str, problems: list[Problem]) -> UsageError:
    """One error with every problem in the order of the file."""
    ordered = sorted(set(problems))
    first = ordered[0].error(name)
    if len(ordered) == 1:
        return UsageError(
            first.message, where=first.where, found=first.found, expected=first.expected, advice=first.advice
        )
    lines = [str(problem.error(name)) for problem in ordered[:MAX_SHOWN]]
    more = [f"and {len(ordered) - MAX_SHOWN} more"] if len(ordered) > MAX_SHOWN else []
    message = "\n".join([f"{len(ordered)} problems in the mapping", *lines, *more])
    return UsageError(message, where=first.where)
