"""What is wrong with a file that people write, line by line, and the one error that carries all of it."""

from collections.abc import Iterable

import msgspec

from custody.errors import ContractError

MAX_SHOWN = 100
"""A file with more problems than this has one problem; the rest are counted."""


class Problem(msgspec.Struct, frozen=True, order=True):
    """One thing that is wrong. ``line`` and ``column`` count from 1, columns in characters."""

    line: int
    column: int
    message: str
    found: str = ""
    expected: str = ""
    advice: str = ""

    def error(self, name: str) -> ContractError:
        """The error that says only this, about file ``name``."""
        where = f"{name}:{self.line}:{self.column}"
        return ContractError(self.message, where=where, found=self.found, expected=self.expected, advice=self.advice)


def contract_error(name: str, problems: Iterable[Problem], noun: str = "contract") -> ContractError:
    """One error with every problem in the order of the file; ``where`` is the first one's ``file:line:column``.

    A single problem keeps its fields. With more, the message has one complete line for each, and the advice one for
    each that has any.
    """
    ordered = sorted(set(problems))
    errors = [problem.error(name) for problem in ordered[:MAX_SHOWN]]
    if len(ordered) == 1:
        return errors[0]
    more = [f"and {len(ordered) - MAX_SHOWN} more"] if len(ordered) > MAX_SHOWN else []
    lines = [str(error) for error in errors]
    advice = [f"{error.where}: {error.advice}" for error in errors if error.advice]
    message = "\n".join([f"{len(ordered)} problems in the {noun}", *lines, *more])
    return ContractError(message, where=errors[0].where, advice="\n".join(advice))
