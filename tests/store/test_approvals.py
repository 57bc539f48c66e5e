"""The log of approvals: a second log, another key, another process, and each holds the other to account."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.store.conftest import NOW

from custody.errors import StoreError, StoreForked, StoreLocked
from custody.ledger.note import encode64
from custody.store import approvals, approvals_check, layout
from custody.store.approvals import ApprovalsWriter
from custody.store.approvals_check import SEALED
from custody.store.verification import Verification, verify
from custody.store.writer import Writer

OPERATIONS, APPROVER, GROUP = 40_001, 40_002, 40_003


def operations(folder: Path) -> Writer:
    return Writer.open(folder / "store", folder / "keys", now=NOW, version="1")


def approver(folder: Path) -> ApprovalsWriter:
    return ApprovalsWriter.open(folder / "store", folder / "approver")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with operations(tmp_path):
        return tmp_path


def checked(folder: Path) -> Verification:
    return verify(folder / "store", processes=1)


def cross(folder: Path) -> None:
    """The operations log seals the checkpoint of the other."""
    found = approvals.read(folder / "store")
    assert found is not None
    with operations(folder) as writer:
        writer.seal(SEALED, {"vkey": found.vkey, "note": found.note.decode()})


def test_statements_are_sealed_and_read_in_order(folder: Path) -> None:
    for number in range(3):
        with approver(folder) as writer:
            assert writer.seal("review", {"number": number}) == 2 * number

    found = approvals.read(folder / "store")

    assert found is not None
    assert [(one.leaf, one.entry.fields["number"]) for one in found.said] == [(0, 0), (2, 1), (4, 2)]
    assert found.checkpoint.origin.endswith("/approvals")
    assert checked(folder).problems == ()


def test_a_statement_names_the_operations_log_that_its_author_saw(folder: Path) -> None:
    with operations(folder) as other, approver(folder) as writer:
        size = other.size
        writer.seal("review", {})

    found = approvals.read(folder / "store")
    assert found is not None
    seen = found.said[0].entry.fields["operations"]

    assert isinstance(seen, list)
    assert seen[0] == size


def test_the_two_logs_have_two_keys_and_grow_at_the_same_time(folder: Path) -> None:
    with operations(folder) as one, approver(folder) as other:
        one.seal("test", {})
        other.seal("review", {})
        one.seal("test", {})

    found = approvals.read(folder / "store")

    assert found is not None
    assert found.vkey != one.store.vkey
    assert checked(folder).problems == ()


def test_there_is_one_writer(folder: Path) -> None:
    with approver(folder), pytest.raises(StoreLocked):
        approver(folder)


def test_without_a_store_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        approver(tmp_path)


def test_the_operations_keys_do_not_open_it_nor_its_keys_the_operations_log(folder: Path) -> None:
    with approver(folder) as writer:
        writer.seal("review", {})

    with pytest.raises(StoreError, match="keys of this store are not here"):
        ApprovalsWriter.open(folder / "store", folder / "keys")
    with pytest.raises(StoreError, match="keys of this store are not here"):
        Writer.open(folder / "store", folder / "approver", now=NOW, version="1")


@pytest.mark.parametrize(
    "name", ["logs/approvals/checkpoint", "logs/approvals/tile/entries/000.p/2", "logs/approvals.vkey"]
)
def test_every_changed_file_is_named(folder: Path, name: str) -> None:
    with approver(folder) as writer:
        writer.seal("review", {})
    path = folder / "store" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))

    assert any(problem.path.startswith("logs/approvals") for problem in checked(folder).damage)


def test_a_file_too_many_is_named(folder: Path) -> None:
    with approver(folder) as writer:
        writer.seal("review", {})
    (folder / "store" / layout.APPROVALS / "more").write_text("more")

    assert [problem.path for problem in checked(folder).damage] == ["logs/approvals/more"]


def test_a_log_of_approvals_that_was_replaced_is_found_by_what_the_operations_log_sealed(folder: Path) -> None:
    with approver(folder) as writer:
        writer.seal("review", {"decision": "remove"})
    cross(folder)
    for name in ("logs/approvals.vkey", "logs/approvals"):
        path = folder / "store" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(folder / "approver")

    assert [problem.text for problem in checked(folder).damage] == ["the log of approvals is gone"]
    with approver(folder) as writer:
        writer.seal("review", {"decision": "keep"})
    assert any(problem.path == layout.APPROVALS_VKEY for problem in checked(folder).damage)


def test_an_older_copy_of_it_is_found_and_not_written(folder: Path) -> None:
    with approver(folder) as writer:
        writer.seal("review", {"number": 1})
    shutil.copytree(folder / "store" / layout.APPROVALS, folder / "older")
    with approver(folder) as writer:
        writer.seal("review", {"number": 2})
    cross(folder)
    shutil.rmtree(folder / "store" / layout.APPROVALS)
    shutil.copytree(folder / "older", folder / "store" / layout.APPROVALS)

    assert any("does not continue" in problem.text for problem in checked(folder).damage)
    with pytest.raises(StoreForked):
        approver(folder)


def test_an_operations_log_that_was_replaced_is_found_by_what_approvals_saw(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "store", folder / "before")
    shutil.copytree(folder / "keys", folder / "keys before")
    with operations(folder) as other:
        other.seal("test", {"number": 1})
    with approver(folder) as writer:
        writer.seal("review", {})
    shutil.copytree(folder / "store" / "logs", folder / "logs")
    shutil.rmtree(folder / "store")
    shutil.rmtree(folder / "keys")
    shutil.move(folder / "before", folder / "store")
    shutil.move(folder / "keys before", folder / "keys")
    with operations(folder) as other:
        other.seal("test", {"number": 2})
    shutil.copytree(folder / "logs" / "approvals", folder / "store" / layout.APPROVALS)
    shutil.copy(folder / "logs" / "approvals.vkey", folder / "store" / layout.APPROVALS_VKEY)

    assert any("another operations log" in problem.text for problem in checked(folder).damage)


def test_a_key_held_elsewhere_is_asked_for(folder: Path) -> None:
    with approver(folder) as writer:
        writer.seal("review", {})
    other = "custody.local/other/approvals+00000000+AX"

    found = verify(folder / "store", approvals_vkey=other, processes=1)

    assert any("expected custody.local/other" in problem.text for problem in found.damage)


def test_one_account_with_both_keys_is_no_separation(folder: Path) -> None:
    with approver(folder) as writer:
        found = approvals.separation(folder / "keys", folder / "approver", writer.store)

    assert not found.enforced
    assert "not enforced" in found.why


SCRIPT = """
import os, sys
from pathlib import Path
import numpy, pyarrow, encodings.ascii
from custody.errors import StoreError
from custody.store.approvals import ApprovalsWriter, separation
from custody.store.storefile import read_store_file
from custody.store.writer import Writer
import custody.store.payloads, custody.store.chunks
os.setgroups([40_003]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]))
folder = Path(sys.argv[2])
def tried(what):
    try:
        what()
    except StoreError as error:
        return type(error).__name__
    except PermissionError:
        return "PermissionError"
    return "written"
def append(name):
    with (folder / "store" / name).open("ab") as file:
        file.write(b"x")
def operations():
    with Writer.open(folder / "store", folder / "keys", now="2026-11-22T10:00:00Z", version="1") as writer:
        writer.seal("test", {})
def approval():
    with ApprovalsWriter.open(folder / "store", folder / "approver") as writer:
        writer.seal("review", {})
other = "logs/approvals" if sys.argv[3] == "operations" else "logs/operations"
print(tried(operations), tried(approval), tried(lambda: append(other + "/checkpoint")),
      tried(lambda: append(other + "/new")),
      separation(folder / "keys", folder / "approver", read_store_file(folder / "store")).enforced)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become two accounts")
def test_neither_account_can_write_the_log_of_the_other(tmp_path: Path) -> None:
    """Two accounts as docs/approvals.md sets them up; each process is a real one under its own account."""
    folder = Path("/tmp") / f"custody-two-accounts-{os.getpid()}"
    folder.mkdir(mode=0o755)
    try:
        with operations(folder), approver(folder) as writer:
            writer.seal("review", {})
        for account, names in ((OPERATIONS, ("keys", "store")), (APPROVER, ("approver", "store/logs/approvals"))):
            for name in names:
                subprocess.run(["chown", "-R", f"{account}:{GROUP}", str(folder / name)], check=True)
        for name in ("store/logs/approvals.vkey", "store/logs/approvals.lock"):
            os.chown(folder / name, APPROVER, GROUP)
        subprocess.run(["chmod", "-R", "g+rX", str(folder / "store")], check=True)
        subprocess.run(["find", str(folder / "store"), "-type", "d", "-exec", "chmod", "g+s", "{}", "+"], check=True)

        said = {
            name: subprocess.run(
                [sys.executable, "-c", SCRIPT, str(account), str(folder), name],
                check=False,
                capture_output=True,
                text=True,
            )
            for name, account in (("operations", OPERATIONS), ("approver", APPROVER))
        }

        refused = "PermissionError PermissionError True"
        assert (said["operations"].stdout.strip(), said["operations"].stderr) == (f"written StoreError {refused}", "")
        assert (said["approver"].stdout.strip(), said["approver"].stderr) == (f"StoreError written {refused}", "")
        assert checked(folder).problems == ()
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize(("size", "wrong"), [(2, ""), (0, "the root at size 0 differs"), (9, "size 9, this has 4")])
def test_what_the_operations_log_saw_of_approvals_is_held_against_it(folder: Path, size: int, wrong: str) -> None:
    with approver(folder) as writer:
        writer.seal("review", {"number": 1})
    found = approvals.read(folder / "store")
    assert found is not None
    with operations(folder) as other:
        leaf = other.seal("incident-step", {"approvals": [size, encode64(found.checkpoint.root)]})
    with approver(folder) as writer:
        writer.seal("review", {"number": 2})

    told = [problem.text for problem in checked(folder).damage]

    assert told == ([f"leaf {leaf} of the operations log saw another one: {wrong}"] if wrong else [])


def test_a_log_of_approvals_that_only_a_step_saw_cannot_be_taken_away(folder: Path) -> None:
    with approver(folder) as writer:
        writer.seal("review", {})
    found = approvals.read(folder / "store")
    assert found is not None
    with operations(folder) as other:
        other.seal("incident-step", {"approvals": [found.checkpoint.size, encode64(found.checkpoint.root)]})
    shutil.rmtree(folder / "store" / layout.APPROVALS)
    (folder / "store" / layout.APPROVALS_VKEY).unlink()

    assert [problem.text for problem in checked(folder).damage] == ["the log of approvals is gone"]


@pytest.mark.parametrize("forged", [False, True], ids=["it grew", "nobody signed that"])
def test_what_is_approved_while_the_store_is_checked_is_no_damage(
    folder: Path, monkeypatch: pytest.MonkeyPatch, forged: bool
) -> None:
    """The operations log was read already; what the approver saw is newer, and continues it."""
    plain = approvals_check.check

    def meanwhile(*given: object) -> object:
        with operations(folder) as other:
            other.seal("test", {})
        with approver(folder) as writer:
            writer.seal("review", {})
        if forged:
            monkeypatch.setattr(approvals_check, "keys_of", lambda *_: [approvals.stored_vkey(folder / "store")])
        return plain(*given)  # type: ignore[arg-type]

    with approver(folder) as writer:
        writer.seal("review", {})
    monkeypatch.setattr(approvals_check, "check", meanwhile)
    texts = [each.text for each in checked(folder).damage]

    assert [text.partition(": size")[0] for text in texts] == (
        ["leaf 2: it was said over another operations log"] if forged else []
    )
