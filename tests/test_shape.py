"""The shape of the code: sizes, and what must not be in it."""

import ast
import re
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = sorted((ROOT / "src").rglob("*.py"))
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}
BELOW_PIPELINE = ("model", "settings", "ledger", "engine", "chains", "readers", "sources", "rules", "reports", "broker")
CONSTANTS = {("fetching.py", "socket")}
"""Where only a constant of a module is meant."""
ADAPTERS = {"engine/duck.py", "sources/columns.py", "sources/screen.py"}


def functions(path: Path) -> list[tuple[str, int]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        (f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def test_no_file_is_over_400_lines() -> None:
    long = {str(path.relative_to(ROOT)): count for path in SOURCE if (count := path.read_text().count("\n")) > 400}

    assert long == {}


def test_no_function_is_over_60_lines_and_the_median_is_10_or_less() -> None:
    every = [found for path in SOURCE for found in functions(path)]

    assert [name for name, length in every if length > 60] == []
    assert statistics.median(length for _, length in every) <= 10


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [str(path) for path in SOURCE if path.stem in FORBIDDEN_NAMES or path.parent.name in FORBIDDEN_NAMES] == []


@pytest.mark.parametrize("path", SOURCE, ids=lambda path: str(path.relative_to(ROOT / "src" / "custody")))
def test_nothing_is_waived_or_left_open(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)

    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b|pragma: no cover", text)
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Global)]
    caught = [node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)]
    assert not [n for n in caught if n.type is None or getattr(n.type, "id", "") == "Exception"]


@pytest.mark.parametrize("room", BELOW_PIPELINE)
def test_rooms_below_the_pipeline_know_no_clock_environment_network_or_chance(room: str) -> None:
    found: list[str] = []
    for path in sorted((ROOT / "src" / "custody" / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            bad = {"socket", "random", "secrets", "time", "subprocess", "urllib.request", "http.client", "getpass"}
            found += [f"{path.name}: {name}" for name in names if name in bad and (path.name, name) not in CONSTANTS]
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                called = f"{node.value.id}.{node.attr}"
                if called in {"os.environ", "os.urandom", "os.getenv", "datetime.now", "date.today"}:
                    found.append(f"{path.name}: {called}")

    assert found == []


@pytest.mark.parametrize("room", BELOW_PIPELINE)
def test_any_is_only_in_the_named_adapters(room: str) -> None:
    folder = ROOT / "src" / "custody"
    found = [
        str(path.relative_to(folder))
        for path in sorted((folder / room).rglob("*.py"))
        if re.search(r"\bAny\b(?! )|dict\[str, Any\]", path.read_text(encoding="utf-8"))
        and re.search(r"import.*\bAny\b", path.read_text(encoding="utf-8"))
    ]

    assert [name for name in found if name not in ADAPTERS] == []
