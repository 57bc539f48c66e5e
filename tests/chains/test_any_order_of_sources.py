"""Any order, split and duplication of the records of several sources gives the same report and tables."""

import tempfile
from functools import cache
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from custody.chains.build import TABLES
from custody.model.contracts import EMPTY, Contract
from custody.pipeline.tables import canonical
from custody.settings.contract import read_contract
from tests.chains.running import Derived, derived

CASES = Path(__file__).resolve().parents[1] / "cases" / "chains"
SEVERAL = sorted({path.parent for path in CASES.glob("*/input_*") if not (path.parent / "input.ndjson").exists()})
MIXED = ("conflict", "disputed", "two", "devices")
"""Words in the names of cases in which two records say different things of one credential: where order could matter."""
CONTRARY = [path for path in SEVERAL if any(word in path.name for word in MIXED)]
MORE = ("decisions", "candidate_parents", "own_runs", "best_runs", "margins")
DERIVED = TABLES | {name: f"SELECT * FROM {name}" for name in MORE}
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""Each example derives twice: making a failing one smaller would take minutes, and the case is small as it is."""


class Records(msgspec.Struct, frozen=True):
    """What a case holds: lines that may stand in any file, and files of text that stand as they are."""

    lines: list[bytes]
    texts: list[bytes]


def records_of(folder: Path) -> Records:
    """A case's JSON lines, and its files that are no JSON lines (CSV, the text of a server's log)."""
    lines, texts = [], []
    for path in sorted(folder.glob("input_*")):
        data = path.read_bytes()
        if path.suffix == ".ndjson":
            lines += data.splitlines()
        else:
            texts.append(data)
    return Records(lines, texts)


def told(files: list[bytes], contract: Contract) -> tuple[bytes, dict[str, list[str]]]:
    """The canonical report, and every table without leaves, which are where a record came to lie."""
    with tempfile.TemporaryDirectory() as folder, derived(Path(folder), files, contract) as case:
        return canonical(case.report), {name: _rows(case, sql) for name, sql in DERIVED.items()}


def contract_of(folder: Path) -> Contract:
    path = folder / "contract.yaml"
    return read_contract(path) if path.exists() else EMPTY


@cache
def as_they_lie(folder: Path) -> tuple[bytes, dict[str, list[str]]]:
    """What is said of a case's files as they lie there: the same for every arrangement."""
    return told([path.read_bytes() for path in sorted(folder.glob("input_*"))], contract_of(folder))


def _rows(case: Derived, sql: str) -> list[str]:
    rows = case.rows(sql)
    return sorted(str([(column, row[column]) for column in row if "lea" not in column]) for row in rows)


@st.composite
def arranged(draw: st.DrawFn, cases: list[Path]) -> tuple[Path, list[bytes]]:
    """A case, and its records in another order, some twice, in one to three files beside those of text."""
    folder = draw(st.sampled_from(cases))
    held = records_of(folder)
    again = draw(st.lists(st.sampled_from(held.lines), max_size=4))
    mixed = draw(st.permutations([*held.lines, *again]))
    cuts = sorted(draw(st.lists(st.integers(0, len(mixed)), min_size=2, max_size=2)))
    parts = [mixed[: cuts[0]], mixed[cuts[0] : cuts[1]], mixed[cuts[1] :]]
    twice = draw(st.lists(st.sampled_from(held.texts), max_size=1)) if held.texts else []
    files = [b"".join(line + b"\n" for line in part) for part in parts if part]
    return folder, draw(st.permutations([*files, *held.texts, *twice]))


def _alike(given_: tuple[Path, list[bytes]]) -> None:
    folder, files = given_

    assert told(files, contract_of(folder)) == as_they_lie(folder)


@settings(max_examples=8, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.too_slow])
@given(arranged(CONTRARY))
def test_what_contradicts_is_judged_alike_in_any_order(given_: tuple[Path, list[bytes]]) -> None:
    _alike(given_)


@settings(max_examples=8, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.too_slow])
@given(arranged(SEVERAL))
def test_sources_are_judged_alike_in_any_order(given_: tuple[Path, list[bytes]]) -> None:
    _alike(given_)


def test_there_are_cases_of_both_kinds() -> None:
    assert len(SEVERAL) > 50
    assert len(CONTRARY) > 5
