import json
import re
from pathlib import Path

import pytest

from custody.settings.contract import parse_contract
from custody.settings.contract_build import EXPECTATIONS
from custody.settings.options import SETTINGS, resolve
from custody.settings.schema import schema_text

DOCS = Path(__file__).resolve().parents[2] / "docs"
CONTRACT = (DOCS / "contract.md").read_text("utf-8")
SETTINGS_PAGE = (DOCS / "settings.md").read_text("utf-8")
SCHEMA = json.loads(schema_text())
FIELDS = [*SCHEMA["$defs"]["class"]["properties"], *SCHEMA["properties"], *SCHEMA["$defs"]["suppression"]["properties"]]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_has_its_row(name: str) -> None:
    setting = SETTINGS[name]
    row = next((line for line in SETTINGS_PAGE.splitlines() if line.startswith(f"| `{name}` |")), "")
    assert f"`{setting.flag}`" in row
    assert f"`{setting.variable}`" in row
    assert setting.default in row


@pytest.mark.parametrize("name", SCHEMA["$defs"]["class"]["properties"])
def test_every_field_of_a_class_has_its_row(name: str) -> None:
    assert f"| `{name}` |" in CONTRACT


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_is_on_the_page(name: str) -> None:
    assert f"`{name}`" in CONTRACT


@pytest.mark.parametrize("word", EXPECTATIONS)
def test_every_word_for_an_expectation_is_on_the_page(word: str) -> None:
    assert f"`{word}` ({EXPECTATIONS[word]})" in CONTRACT


@pytest.mark.parametrize("block", blocks(CONTRACT, "yaml"))
def test_every_contract_on_the_page_is_one(block: str) -> None:
    assert parse_contract(block.encode(), "contract.md").digest


def test_the_settings_file_on_the_page_is_one(tmp_path: Path) -> None:
    (block,) = blocks(SETTINGS_PAGE, "toml")
    (tmp_path / "custody.toml").write_text(block)
    settings = resolve({}, {}, home=tmp_path / "home", cwd=tmp_path, cores=2)
    assert settings.file == tmp_path / "custody.toml"
    assert {name for name, layer in settings.layers if layer == "file"} == set(
        re.findall(r"^(\w+) =", block, re.MULTILINE)
    )
