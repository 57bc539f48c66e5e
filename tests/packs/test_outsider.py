"""A pack under other people's tools: Go's sumdb for every proof, openssl for the signature, a shell for a record.

Go needs its module either in the module cache or through the module proxy; skipped where neither is there.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from custody.ledger.note import Signer
from custody.packs import parts
from tests.packs.conftest import Made
from tests.packs.estate import Files

MODULE = "golang.org/x/mod v0.30.0"


def ran(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def unpacked(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(made[2]) as opened:
        opened.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def outsider(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go program, built."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("go is not installed: nobody else to check the pack with")
    folder = tmp_path_factory.mktemp("outsider")
    shutil.copy(Path(__file__).parent / "outsider" / "main.go", folder)
    (folder / "go.mod").write_text(f"module outsider\n\ngo 1.23\n\nrequire {MODULE}\n")
    fetched = ran([go, "mod", "download"], folder)
    if fetched.returncode:
        pytest.skip(f"{MODULE} cannot be fetched: {fetched.stderr.strip()[-200:]}")
    built = ran([go, "build", "-o", "outsider"], folder)
    assert built.returncode == 0, built.stderr
    return folder / "outsider"


def vkey_of(files: Files) -> str:
    return files[parts.POLICY].decode().split("\n")[0].removeprefix("log ")


@pytest.mark.slow
def test_somebody_elses_code_verifies_every_proof(outsider: Path, unpacked: Path, files: Files) -> None:
    leaves = sum(name.startswith("entries/") for name in files)
    done = ran([str(outsider), str(unpacked), vkey_of(files)], unpacked)

    assert (done.returncode, done.stdout) == (0, f"ok {leaves}\n"), done.stderr


@pytest.mark.slow
def test_somebody_elses_code_refuses_what_we_would_refuse(
    outsider: Path, unpacked: Path, files: Files, tmp_path: Path
) -> None:
    foreign = Signer(vkey_of(files).partition("+")[0], bytes(32)).vkey
    assert ran([str(outsider), str(unpacked), foreign], unpacked).returncode == 1
    changed = shutil.copytree(unpacked, tmp_path / "changed")
    entry = next((changed / "entries").iterdir())
    entry.write_bytes(entry.read_bytes() + b" ")
    assert ran([str(outsider), str(changed), vkey_of(files)], changed).returncode == 1


def test_the_shell_lines_of_the_readme_work(unpacked: Path, files: Files) -> None:
    if shutil.which("xxd") is None or shutil.which("sha256sum") is None:
        pytest.skip("xxd or sha256sum is not installed")
    leaf = next(each for each in json.loads(files["leaves.json"])["leaves"] if each["kind"] == "record")
    line = "(printf SALT | xxd -r -p; cat records/LEAF.bin) | sha256sum"
    assert line in files[parts.README].decode()
    done = ran(["sh", "-c", line.replace("SALT", leaf["salt"]).replace("LEAF", str(leaf["leaf"]))], unpacked)

    assert done.stdout.split()[0] == json.loads(files[f"entries/{leaf['leaf']}"])["kept"]


def test_openssl_verifies_the_checkpoint(files: Files, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    text, signature = files[parts.CHECKPOINT].decode().split("\n\n")
    (tmp_path / "note").write_text(f"{text}\n")
    (tmp_path / "signature").write_bytes(base64.b64decode(signature.split()[2])[4:])
    key = base64.b64decode(vkey_of(files).split("+", 2)[2])[1:]
    (tmp_path / "key.der").write_bytes(bytes.fromhex("302a300506032b6570032100") + key)
    options = "-verify -pubin -keyform DER -inkey key.der -rawin -in note -sigfile signature".split()
    done = ran(["openssl", "pkeyutl", *options], tmp_path)

    assert done.returncode == 0, done.stderr
