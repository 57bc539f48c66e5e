"""What a rule is: facts as SQL, and a pure function from one row of facts to a verdict."""

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import msgspec

from custody.model.contracts import Contract
from custody.model.verdicts import Population, Question, Severity, Verdict

Row = TypeVar("Row", bound=msgspec.Struct)

CREDENTIAL = "credential"
"""The subject of a rule that judges one row a credential."""

MACHINES = (Population.MACHINE,)
MACHINES_AND_UNKNOWN = (Population.MACHINE, Population.UNKNOWN)
ISSUED_HERE = (Population.MACHINE, Population.UNKNOWN, Population.PERSON)


class Rule(msgspec.Struct, Generic[Row], frozen=True, kw_only=True):
    """One rule.

    ``question`` is the one that it answers, None for a rule about records or sources. ``row`` is a Struct with
    ``array_like=True``. For a rule about credentials its fields are columns of ``credentials`` or of ``facts`` (SQL
    that gives one row a ``key``), or ``as_of``; ``populations`` says whose credentials it looks at. For any other rule
    ``facts`` alone gives the rows, and the first three fields of ``row`` are ``subject``, ``who`` and ``key``.
    ``judge`` gives the verdict, None where there is nothing to say. ``severity`` is that of a violation; ``why`` is
    one sentence, ``action`` what to do, ``fix`` the cheapest change that settles unproven answers; ``controls`` are
    ids of the catalogues in docs/controls.md. ``covered_by`` is the rule whose violation on the same key tells the same
    fact: there, this rule's verdict stands and its finding is left out. ``excusable`` says that it asks what the class
    of a credential asks: an exception of the class makes such a finding a step less severe. ``told_by`` names titles of
    verdicts that another rule tells as one finding for all credentials of a principal: they stand, without a finding.
    A row that is about no credential may have the field ``contract_version``: the version by which it is judged.
    """

    id: str
    title: str
    question: Question | None
    severity: Severity
    why: str
    action: str
    fix: str
    controls: tuple[str, ...]
    row: type[Row]
    judge: Callable[[Row, Contract], Verdict | None]
    facts: str | None = None
    populations: tuple[Population, ...] = MACHINES
    covered_by: str | None = None
    excusable: bool = False
    told_by: Mapping[str, str] = {}
