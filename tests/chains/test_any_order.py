"""Any order, split and duplication of the same records gives the same canonical report."""

import tempfile
from functools import cache
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custody.model.contracts import EMPTY, Contract
from custody.pipeline.tables import canonical
from custody.settings.contract import read_contract
from tests.chains.running import Derived, derived

CASES = Path(__file__).resolve().parents[1] / "cases" / "chains"
ONE_FILE = sorted(path.parent for path in CASES.glob("*/input.ndjson"))
CONFLICTS = [path for path in ONE_FILE if "conflict" in path.name or "two_parents" in path.name]
OTHERS = [path for path in ONE_FILE if path not in CONFLICTS and not (path / "damaged.json").exists()]


TABLES = ("credentials", "use_origins", "ends", "links", "origin_uses")


def _without_leaves(case: Derived, table: str) -> list[str]:
    rows = case.rows(f"SELECT * FROM {table}")
    return sorted(
        str([(name, row[name]) for name in row if "leaf" not in name and "leaves" not in name]) for row in rows
    )


def contract_of(folder: Path) -> Contract:
    path = folder / "contract.yaml"
    return read_contract(path) if path.exists() else EMPTY


def report_of(files: list[list[bytes]], contract: Contract) -> tuple[bytes, list[object]]:
    """The canonical report, and the tables behind it without leaves."""
    with tempfile.TemporaryDirectory() as folder:
        data = [b"\n".join(lines) + b"\n" for lines in files if lines]
        with derived(Path(folder), data, contract) as case:
            report = case.report
            assert report.records == sum(map(len, files)) == report.understood + report.skips + report.duplicates
            assert sum(report.credentials.values()) == len(case.credentials())
            return canonical(report), [_without_leaves(case, name) for name in TABLES]


@cache
def as_they_lie(folder: Path) -> tuple[bytes, list[object]]:
    """What is said of a case's records as they lie there: the same for every arrangement."""
    return report_of([(folder / "input.ndjson").read_bytes().splitlines()], contract_of(folder))


@st.composite
def arranged(draw: st.DrawFn, cases: list[Path]) -> tuple[Path, list[list[bytes]]]:
    """A case, and its records in another order, some twice, in several files."""
    folder = draw(st.sampled_from(cases))
    lines = (folder / "input.ndjson").read_bytes().splitlines()
    again = draw(st.lists(st.sampled_from(lines), max_size=4))
    mixed = draw(st.permutations([*lines, *again]))
    cut = draw(st.integers(0, len(mixed)))
    return folder, [list(mixed[:cut]), list(mixed[cut:])]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(arranged(CONFLICTS))
def test_conflicts_are_judged_alike_in_any_order(given_: tuple[Path, list[list[bytes]]]) -> None:
    folder, files = given_

    assert report_of(files, contract_of(folder)) == as_they_lie(folder)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(arranged(OTHERS))
def test_records_are_judged_alike_in_any_order(given_: tuple[Path, list[list[bytes]]]) -> None:
    folder, files = given_

    assert report_of(files, contract_of(folder)) == as_they_lie(folder)
