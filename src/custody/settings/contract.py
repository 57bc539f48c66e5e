"""Reads a contract file: YAML, strictly, into ``custody.model.contracts.Contract``.

Three passes, each over a tree that keeps line and column: the YAML itself (``document``), the published JSON Schema
(``schema``), and what a schema cannot say (``contract_build``). All problems of a file come in one ContractError.
"""

import hashlib
from pathlib import Path

from custody.errors import ContractError
from custody.model.contracts import Contract
from custody.settings.contract_build import Build
from custody.settings.document import MAX_BYTES, Table, read_tree
from custody.settings.problems import Problem, contract_error
from custody.settings.schema import schema_problems


def read_contract(path: Path) -> Contract:
    """The contract in the file at ``path``; raises ContractError with everything that is wrong with it."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
        raise ContractError("cannot read the contract", where=f"{path}:1:1", found=reason) from error
    return parse_contract(data, str(path))


def parse_contract(data: bytes, name: str) -> Contract:
    """The contract in ``data``; ``name`` stands for the file in errors and in ``Contract.path``."""
    problems: list[Problem] = []
    root = read_tree(data, problems)
    if root is not None:
        _add_elsewhere(problems, schema_problems(root))
    if not isinstance(root, Table):
        raise contract_error(name, problems)
    build = Build()
    contract = build.run(root, hashlib.sha256(data).hexdigest(), name)
    _add_elsewhere(problems, build.problems)
    if problems:
        raise contract_error(name, problems)
    return contract


def _add_elsewhere(problems: list[Problem], more: list[Problem]) -> None:
    """Add what a later pass found, but for places that an earlier pass complained of: it would only be an echo."""
    places = {(problem.line, problem.column) for problem in problems}
    problems += [problem for problem in more if (problem.line, problem.column) not in places]
