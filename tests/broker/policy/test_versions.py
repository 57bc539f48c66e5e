"""The commit of a folder: told where the files are exactly its own, by git's own files."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from custody.broker.policy.folder import PolicyFolder, read
from custody.broker.policy.versions import Repository
from tests.broker.policy.laying_out import EVERYTHING

FORBIDS = '@id("never") forbid (principal, action, resource);'


def git(folder: Path, *arguments: str) -> str:
    quiet = ("-c", "user.name=A", "-c", "user.email=a@example.invalid", "-c", "commit.gpgsign=false")
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", *quiet, "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A checkout whose objects are packed, with deltas, the policies two folders down."""
    root = tmp_path_factory.mktemp("checkout")
    folder = root / "deploy" / "policies"
    (folder / "teams").mkdir(parents=True)
    git(root, "init", "-q", "-b", "main")
    long = "".join(f"// line {number} of a long policy file\n" for number in range(400))
    (root / "big.txt").write_text(long * 5)
    for text in (long, long + FORBIDS, long + "// more\n" + FORBIDS):
        (folder / "teams" / "never.cedar").write_text(text)
        (folder / "all.cedar").write_text(EVERYTHING)
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", "policies")
    git(root, "repack", "-adfq", "--depth=10")
    git(root, "pack-refs", "--all")
    return folder, git(root, "rev-parse", "HEAD")


@pytest.fixture
def loose(tmp_path: Path) -> tuple[Path, str]:
    (tmp_path / "all.cedar").write_text(EVERYTHING)
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "policies")
    return tmp_path, git(tmp_path, "rev-parse", "HEAD")


def test_a_packed_checkout_tells_its_commit(packed: tuple[Path, str]) -> None:
    assert PolicyFolder(packed[0]).current.commit == packed[1]


def test_every_object_of_a_pack_is_read_as_git_reads_it(packed: tuple[Path, str]) -> None:
    root = packed[0].parents[1]
    repository = Repository(root / ".git")
    every = [line.split(" ")[0] for line in git(root, "rev-list", "--objects", "--all").splitlines()]
    index = next((root / ".git" / "objects" / "pack").glob("*.idx"))
    deltas = [line for line in git(root, "verify-pack", "-v", str(index)).splitlines() if len(line.split()) == 7]

    assert len(deltas) >= 2
    for each in every:
        kind, data = repository.object(each)
        assert kind.decode() == git(root, "cat-file", "-t", each)
        if kind != b"tree":
            assert data.decode().strip() == git(root, "cat-file", "-p", each)


def test_a_second_worktree_tells_its_own(packed: tuple[Path, str], tmp_path: Path) -> None:
    root = packed[0].parents[1]
    git(root, "worktree", "add", "-q", "--detach", str(tmp_path / "second"), "HEAD")

    assert PolicyFolder(tmp_path / "second" / "deploy" / "policies").current.commit == packed[1]


def test_a_commit_that_is_checked_out_by_itself(loose: tuple[Path, str]) -> None:
    git(loose[0], "checkout", "-q", "--detach")

    assert PolicyFolder(loose[0]).current.commit == loose[1]


def changed(folder: Path) -> None:
    (folder / "all.cedar").write_text(EVERYTHING + " ")


def staged(folder: Path) -> None:
    changed(folder)
    git(folder, "add", "-A")


def more(folder: Path) -> None:
    (folder / "never.cedar").write_text(FORBIDS)


def fewer(folder: Path) -> None:
    more(folder)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "more")
    (folder / "never.cedar").unlink()


def another_schema(folder: Path) -> None:
    (folder / "schema.cedarschema").write_text("entity Team;")


def no_git(folder: Path) -> None:
    (folder / ".git").rename(folder / ".not-git")


def damaged(folder: Path) -> None:
    for path in (folder / ".git" / "objects").glob("??/*"):
        path.chmod(0o600)
        path.write_bytes(b"damaged")


def no_commit(folder: Path) -> None:
    git(folder, "checkout", "-q", "--orphan", "new")


def outside(folder: Path) -> None:
    (folder / ".git" / "HEAD").write_text("ref: refs/../../../etc/passwd\n")


@pytest.mark.parametrize(
    "change",
    [changed, staged, more, fewer, another_schema, no_git, damaged, no_commit, outside],
    ids=lambda c: c.__name__,
)
def test_where_it_is_not_certain_no_commit_is_told(change: Callable[[Path], None], loose: tuple[Path, str]) -> None:
    change(loose[0])

    found = read(loose[0])

    assert found.found is not None
    assert found.found.commit is None


def test_what_is_no_policy_may_differ(loose: tuple[Path, str]) -> None:
    (loose[0] / "notes.txt").write_text("mine")

    assert PolicyFolder(loose[0]).current.commit == loose[1]
