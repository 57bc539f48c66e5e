"""``custody drill break-glass``: every step is played for real and measured, and what came of it is evidence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from custody.broker.backends.backend import Held
from custody.broker.glass.file import Contents
from custody.cli import main
from custody.cli.exits import CODES
from custody.model.brokered import Drilled, Service
from custody.pipeline.drills.scoring import GLASS, Drill, Played, Targets
from custody.pipeline.glass.drilling import WITH_LOG, WITHOUT_LOG, drill
from custody.pipeline.glass.known import entry_at
from custody.pipeline.glass.targets import MemoryTarget
from custody.pipeline.glass.targets_postgresql import PostgresqlTarget
from custody.serve.composing import compose
from custody.store.keyring import read_last_signed
from custody.store.reader import Reader
from custody.store.verification import verify
from tests.broker.glass.sealed import Count
from tests.postgresql.server import missing


class Ticks:
    """A clock of seconds by which every step takes exactly one."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        self.time += 1.0
        return self.time


def test_the_drill_as_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, keys, folder = tmp_path / "store", tmp_path / "keys", tmp_path / "played"
    places = ["--store", str(store), "--keys", str(keys)]
    capsys.readouterr()
    code = main(["drill", "break-glass", "--folder", str(folder), *places, "--json"])
    told = json.loads(capsys.readouterr().out)
    (found,) = told["drills"]
    steps = {each["step"]: each for each in found["steps"]}

    assert (code, told["met"], found["met"], found["kind"], found["target"]) == (0, True, True, "break-glass", "memory")
    assert not {"seed", "measures", "answers", "pack"} & set(found)
    assert (folder / "break-glass" / "sealed.glass").exists()
    assert tuple(steps) == WITHOUT_LOG
    assert all(each["done"] and each["met"] for each in found["steps"])
    assert all(0 <= each["seconds"] <= each["target"] == GLASS[name] for name, each in steps.items())
    assert steps["detect"]["told"] == "break-glass-used, medium, from the journal"
    assert steps["revoke"]["told"].startswith("gone, seen in the target's state")
    _check_sealed(store, keys, found)
    assert main(["drill", "break-glass", "--folder", str(folder), *places]) == CODES["usage"]


def _check_sealed(store: Path, keys: Path, found: dict[str, object]) -> None:
    """The drill is a log of its own in the store that was named, and that is sound."""
    with Reader.open(store) as reader:
        first, leaf = entry_at(reader, str(found["drill"]), 1)
        second, _ = entry_at(reader, str(found["drill"]), 2)
        note = read_last_signed(keys / reader.store.store)
    assert isinstance(first.body, Drilled)
    assert isinstance(second.body, Service)
    assert found["leaf"] == {"log": "operations", "index": leaf}
    steps = found["steps"]
    assert isinstance(steps, list)
    told = [(each["step"], each["seconds"], each["target"], each["met"]) for each in steps]
    assert list(first.body.steps) == told
    assert first.body.met
    assert (second.body.fields["target"], len(second.body.fields["root"])) == ("memory", 64)
    assert verify(store, last_signed=note).problems == ()


class Deaf(MemoryTarget):
    """A target that takes no login."""

    def works(self, contents: Contents, held: Held) -> bool:
        return False


class Open(MemoryTarget):
    """A target that takes every login, whatever was ended."""

    def works(self, contents: Contents, held: Held) -> bool:
        return True


def played(folder: Path, target: MemoryTarget, targets: Targets) -> tuple[Drill, list[Played]]:
    seen: list[Played] = []
    with closing(target):
        found = asyncio.run(drill(folder, target, compose, targets, Count(), seen.append, Ticks()))
    return found, seen


@pytest.mark.parametrize(
    ("target", "step", "told", "after"),
    [(Deaf(), "use", "refused the credential", 5), (Open(), "revoke", "still works", 4)],
    ids=["refused", "not revoked"],
)
def test_a_step_that_was_not_done_is_said_and_nothing_is_played_after_it(
    tmp_path: Path, target: MemoryTarget, step: str, told: str, after: int
) -> None:
    found, seen = played(tmp_path, target, GLASS)
    by_name = {each.step: each for each in found.steps}

    assert tuple(seen) == found.steps
    assert not found.met
    assert not by_name[step].done
    assert told in by_name[step].told
    assert [each.told for each in found.steps if each.told == "not played"] == ["not played"] * after
    assert [each.seconds for each in found.steps] == [1.0] * len(WITHOUT_LOG), "what was measured is what is told"


def test_what_took_too_long_and_what_was_not_done_are_both_misses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryTarget, "works", lambda *_: False)
    (tmp_path / "targets.toml").write_text("prepare = 0.000001\n")
    words = ["--no-evidence", "--targets", str(tmp_path / "targets.toml"), "--store", str(tmp_path / "store")]
    capsys.readouterr()
    code = main(["drill", "break-glass", *words])
    out = capsys.readouterr().out
    marks = {line[5:].split()[0]: line[:4].strip() for line in out.splitlines()[1 : len(WITHOUT_LOG) + 1]}

    assert code == CODES["findings"]
    assert (marks["prepare"], marks["open"], marks["use"], marks["review"]) == ("MISS", "ok", "FAIL", "FAIL")
    assert "NOT MET" in out
    assert "         prepare took " in out
    assert "         use: target: the target refused the credential" in out
    assert "nothing was sealed" in out
    assert not (tmp_path / "store").exists()


def test_every_step_has_a_target() -> None:
    assert set(WITH_LOG) == set(WITHOUT_LOG) == set(GLASS)


@pytest.fixture
def server() -> Iterator[PostgresqlTarget]:
    if (why := missing()) is not None:
        pytest.skip(why)
    with closing(PostgresqlTarget()) as target:
        yield target


@pytest.mark.slow
def test_the_drill_against_a_real_postgresql(tmp_path: Path, server: PostgresqlTarget) -> None:
    seen: list[Played] = []
    found = asyncio.run(drill(tmp_path, server, compose, GLASS, Count(), seen.append))

    assert [(each.step, each.done, each.met) for each in found.steps] == [(each, True, True) for each in WITH_LOG]
    told = {each.step: each.told for each in found.steps}
    assert told["detect"] == "break-glass-used, high, from the target's log"
    assert told["revoke"] == "gone, seen in the target's state; a login was refused"
    with Reader.open(tmp_path / "store") as reader:
        note = read_last_signed(tmp_path / "keys" / reader.store.store)
    assert verify(tmp_path / "store", last_signed=note).problems == ()


@pytest.mark.slow
def test_nothing_of_the_server_is_left(server: PostgresqlTarget) -> None:
    folder = Path(str(server.table().options["host"]))
    assert (folder / "data" / "postmaster.pid").exists()
    server.close()

    assert not folder.exists()
