"""The recordings are whole, small, and hold no secret that a server would take anywhere."""

import gzip
import json
import re
from pathlib import Path

import pytest

SCENES = sorted(path.parent for path in Path(__file__).parent.glob("*/truth.json"))
FORBIDDEN = {
    "a password in a statement": re.compile(rb"PASSWORD '(?!must-not-stay)"),
    "a token of Vault": re.compile(rb"\bhv[sbr]\.(?!must-not-stay)"),
    "a JSON Web Token with its signature": re.compile(rb"\beyJ[\w-]+\.eyJ[\w-]+\.(?!must-not-stay)[\w-]{20,}"),
    "a private key": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY"),
    "a home or work folder": re.compile(rb"/(home|root|work)/"),
}


def _files(scene: Path) -> list[Path]:
    return [path for path in scene.rglob("*") if path.is_file()]


def _bytes(path: Path) -> bytes:
    raw = path.read_bytes()
    return gzip.decompress(raw) if path.suffix == ".gz" else raw


@pytest.mark.parametrize("scene", SCENES, ids=lambda path: path.name)
@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_secret_stays(scene: Path, what: str) -> None:
    held = [path.name for path in _files(scene) if FORBIDDEN[what].search(_bytes(path))]
    assert held == []


@pytest.mark.parametrize("scene", SCENES, ids=lambda path: path.name)
def test_the_truth_names_its_servers_and_fits_the_limit(scene: Path) -> None:
    truth = json.loads((scene / "truth.json").read_bytes())
    note = json.loads((scene / "servers.json").read_bytes())
    assert truth["scene"] == scene.name
    assert truth["servers"] == note["servers"] != {}
    assert truth["credentials"]
    assert sum(path.stat().st_size for path in _files(scene)) <= 60_000


@pytest.mark.parametrize("scene", SCENES, ids=lambda path: path.name)
def test_links_of_parents_lead_to_credentials_of_the_truth(scene: Path) -> None:
    truth = json.loads((scene / "truth.json").read_bytes())
    keys = {credential["key"] for credential in truth["credentials"]}
    parents = {credential["parent"] for credential in truth["credentials"]} - {None}
    assert parents <= keys
    assert {link["target"] for link in truth["links"] if link["kind"] == "parent"} <= keys
