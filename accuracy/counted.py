"""Right, wrong and not known: how answers about planted incidents are counted, and what they are all held against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec

from custody.model.verdicts import Question, State
from custody.pipeline.tables import Answers
from custody.simulation.entry import POSTGRESQL
from custody.simulation.truth import Credential, Truth

LOUD = (State.PROVED, State.VIOLATED)
RIGHT, UNKNOWN, WRONG = "right", "not known", "wrong"


class Counted(msgspec.Struct):
    """Right, wrong and not known of each question, and what was wrong in words; adds up over estates."""

    questions: dict[str, Counter[str]] = msgspec.field(default_factory=dict)
    wrong: list[str] = msgspec.field(default_factory=list)
    incidents: int = 0

    def add(self, question: str, kind: str, words: str) -> None:
        """One answer more."""
        self.questions.setdefault(question, Counter())[kind] += 1
        if kind == WRONG:
            self.wrong.append(f"{question}: {words}")

    def judged(self, question: str, state: State, true: frozenset[State], words: str) -> None:
        """One verdict more: right where it is one of ``true``; one that claims nothing is not known."""
        kind = UNKNOWN if state not in LOUD else RIGHT if state in true else WRONG
        right = ", ".join(sorted(each.value for each in true)) or "so"
        self.add(question, kind, f"{words}: {state}, not {right}")


class Truly(msgspec.Struct, frozen=True, kw_only=True):
    """What is true of an estate beside its cases: all names, the ends that are planted without effect, skew (µs)."""

    truth: Truth
    names: Mapping[str, str]
    known: Mapping[str, Credential]
    in_vain: frozenset[str]
    ahead: Mapping[str, int]
    until: int
    exposed: frozenset[str]
    abused: frozenset[str]

    def name(self, key: str) -> str:
        """The key that the truth has for a name of a credential."""
        return self.names.get(key, key)

    def skew(self, key: str) -> int:
        """By how much (µs) the clock is ahead that the uses of a credential are dated by."""
        return self.ahead.get(POSTGRESQL, 0) if key.startswith("db_role:") else 0


def truly(truth: Truth, tables: Answers) -> Truly:
    """What is true of an estate."""
    return Truly(
        truth=truth,
        names=_names(truth, tables),
        known={each.key: each for each in truth.credentials},
        in_vain=frozenset(
            each.key
            for each in truth.expected
            if each.question == Question.END_EFFECTIVE and State.PROVED not in each.states
        ),
        ahead={each.source: each.ahead for each in truth.skews},
        until=truth.until,
        exposed=_subjects(truth, "exposed-key"),
        abused=_subjects(truth, "stolen-key") | _subjects(truth, "shared-key"),
    )


def _subjects(truth: Truth, fault: str) -> frozenset[str]:
    return frozenset(each.subject for each in truth.planted if each.fault == fault)


def _names(truth: Truth, tables: Answers) -> dict[str, str]:
    """Every name of a credential, custody's and the estate's own, to the key that the truth has for it."""
    found = {alias: each.key for each in truth.credentials for alias in (each.key, *each.aliases)}
    for key, target in tables.engine.rows("SELECT key, target FROM aliases"):
        first, second = str(key), str(target)
        if first in found or second in found:
            known = found.get(first) or found[second]
            found.setdefault(first, known)
            found.setdefault(second, known)
    return found
