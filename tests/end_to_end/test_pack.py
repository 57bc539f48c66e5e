"""The pack as people make and check it: on the command line, with its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from custody.cli import main
from custody.cli.exits import CODES

Options = list[str]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, sample_logs: Path) -> Options:
    folder = tmp_path_factory.mktemp("packs")
    options = ["--store", str(folder / "store"), "--keys", str(folder / "keys"), "--jobs", "1"]
    main(["audit", str(sample_logs), "--contract", str(sample_logs / "contract.yaml"), "--json", *options])
    return options


@pytest.fixture(scope="module")
def pack(store: Options, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pack") / "evidence.zip"
    asked = ["--rule", "used-by-holder", "--sample", "12", "--seed", "1", "--for", "Ann \x85 Example"]
    assert main(["pack", *asked, "-o", str(path), *store]) == CODES["done"]
    return path


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(list(arguments))
    found = capsys.readouterr()
    return code, found.out, found.err


def test_it_is_made_and_checked(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "verify", str(pack))

    assert code == CODES["done"]
    assert out.startswith("ok ")
    assert "the pack's own word" in " ".join(out.split())
    assert "for Ann \\x85 Example at 20" in " ".join(out.split())
    assert "absence" in out
    assert max(len(line) for line in out.splitlines() if "+" not in line and str(pack) not in line) <= 80


def test_what_was_made_is_one_object(store: Options, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "evidence.zip"
    asked = ["pack", "--rule", "used-by-holder", "--sample", "12", "--seed", "1", "-o", str(path)]
    made = json.loads(said(capsys, *asked, *store, "--json")[1])
    again = json.loads(said(capsys, *asked, *store, "--json")[1])
    checked = json.loads(said(capsys, "verify", str(path), "--json")[1])

    assert made["sha256"] == again["sha256"] == checked["sha256"]
    assert checked["sealed"]["leaf"] == again["leaf"] > made["leaf"]
    assert made["counts"]["credentials"] == 12 < made["population"]
    assert (checked["status"], checked["size"]) == ("ok", made["checkpoint"]["size"])
    assert checked["cited"] <= checked["leaves"] == made["counts"]["leaves"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["evidence.zip", "evidence.zip.tlog-proof"]


def test_a_damaged_pack_is_said_in_words_and_by_the_code(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    path = tmp_path / "damaged.zip"
    path.write_bytes(data)
    code, out, _ = said(capsys, "verify", str(path))

    assert code == CODES["store"]
    assert out.startswith("DAMAGED ")
    assert "problem " in out


@pytest.mark.parametrize("data", [b"", b"PK\x05\x06" + bytes(18), b"not an archive at all", b"x" * 100_000])
def test_what_is_no_pack_is_not_ok(data: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "some.zip"
    path.write_bytes(data)

    assert said(capsys, "verify", str(path))[0] == CODES["store"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["pack", "-o", "OUT"],
        ["pack", "--period", "2026-01-01", "-o", "OUT"],
        ["pack", "--period", "2026-01-01..", "-o", "OUT"],
        ["pack", "--rule", "used-by-holder", "--sample", "0", "-o", "OUT"],
        ["pack", "--rule", "used-by-holder", "--seed", "", "-o", "OUT"],
        ["pack", "--rule", "used-by-holder", "-o", "OUT/no/such/folder.zip"],
        ["verify", "OUT"],
        ["verify", "--policy", "OUT"],
    ],
)
def test_what_cannot_be_asked_is_refused(
    arguments: list[str], store: Options, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word.replace("OUT", str(tmp_path / "out.zip")) for word in arguments]
    options = store if arguments[0] == "pack" else []

    assert said(capsys, *words, *options)[0] == CODES["usage"]
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ["--store", str(tmp_path / "store"), "--keys", str(tmp_path / "keys")]
    code, _, _ = said(capsys, "pack", "--rule", "owner", "-o", str(tmp_path / "out.zip"), *folder)

    assert code == CODES["store"]
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_is_for_stores(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "verify", str(pack), "--against", str(pack))[0] == CODES["usage"]
    assert said(capsys, "verify", str(pack), "--vkey", "no key")[0] == CODES["usage"]
