"""Our logs under somebody else's code: golang.org/x/mod/sumdb verifies checkpoint, tiles and proofs.

Needs Go, and its module either in the module cache or through the module proxy; skipped where neither is there.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from custody.ledger.checkpoint import Checkpoint
from custody.ledger.entry import statement_entry
from custody.ledger.memory import MemoryLog
from custody.ledger.merkle import leaf_hash
from custody.ledger.note import Signer, encode64, sign
from custody.ledger.proof import consistency_proof, inclusion_proof, read_entry

pytestmark = pytest.mark.slow

MODULE = "golang.org/x/mod v0.30.0"
SIGNER = Signer("example.com/log", bytes(32))
SIZES = (20, 300, 70_000)


@pytest.fixture(scope="module")
def outsider(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go program, built."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("go is not installed: nobody else to check the log with")
    folder = tmp_path_factory.mktemp("outsider")
    shutil.copy(Path(__file__).parent / "outsider" / "main.go", folder)
    (folder / "go.mod").write_text(f"module outsider\n\ngo 1.23\n\nrequire {MODULE}\n")
    fetched = _go(folder, [go, "mod", "download"])
    if fetched.returncode:
        pytest.skip(f"{MODULE} cannot be fetched: {fetched.stderr.strip()[-200:]}")
    built = _go(folder, [go, "build", "-o", "outsider"])
    assert built.returncode == 0, built.stderr
    return folder / "outsider"


def _go(folder: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def _log(size: int) -> tuple[MemoryLog, Checkpoint, Checkpoint]:
    """A log of ``size``, its checkpoint at about a third, and its last."""
    log = MemoryLog(SIGNER)
    old = log.commit([statement_entry("test", {"number": number}) for number in range(size // 3)])
    new = log.commit([statement_entry("test", {"number": number}) for number in range(old.size, size - 1)])
    return log, old, new


def _run(program: Path, log: MemoryLog, old: Checkpoint, lines: list[str], folder: Path) -> tuple[int, str]:
    for path, data in log.files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    done = subprocess.run(
        [program, folder, SIGNER.vkey, str(old.size), encode64(old.root)],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def _lines(log: MemoryLog, old: Checkpoint, indexes: set[int]) -> list[str]:
    size = log.tree.size
    lines = [" ".join(["tree", *map(encode64, consistency_proof(old.size, size, log.read))])]
    for index in sorted(indexes):
        leaf = leaf_hash(read_entry(index, size, log.read))
        proof = inclusion_proof(index, size, log.read)
        lines.append(" ".join(["record", str(index), *map(encode64, [leaf, *proof])]))
    return lines


@pytest.mark.parametrize("size", SIZES)
def test_somebody_elses_code_verifies_our_log_and_our_proofs(outsider: Path, size: int, tmp_path: Path) -> None:
    log, old, new = _log(size)
    indexes = {0, 1, old.size - 1, old.size, size // 2, new.size - 2, new.size - 1}
    assert new.size == size
    lines = _lines(log, old, indexes)
    assert _run(outsider, log, old, lines, tmp_path) == (0, f"ok {len(lines)}\n")


def test_somebody_elses_code_refuses_what_we_would_refuse(outsider: Path, tmp_path: Path) -> None:
    log, old, new = _log(300)
    lines = _lines(log, old, {5})
    assert _run(outsider, log, old, [lines[1].replace("record 5", "record 6")], tmp_path)[0] == 1
    assert _run(outsider, log, Checkpoint(old.origin, old.size, new.root), lines[:1], tmp_path)[0] == 1
    log.files["checkpoint"] = sign(new.text(), [Signer(SIGNER.name, bytes(31) + b"x")])
    assert _run(outsider, log, old, lines, tmp_path)[0] == 1
