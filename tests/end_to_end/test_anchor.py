"""Checkpoints held elsewhere: a real witness over HTTP, a real time-stamping authority, and what verify makes of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from custody.cli import main
from custody.errors import StoreForked, UsageError
from custody.pipeline.anchor import Anchored, anchor, held
from custody.pipeline.verify import verify
from custody.settings.catalog import Settings
from custody.store.reader import Reader
from custody.store.writer import Writer
from custody.witness.folder import know, make, opened
from tests.end_to_end.conftest import settings_for
from tests.witness.running import has_openssl, make_authority, served, stamping

needs_openssl = pytest.mark.skipif(not has_openssl(), reason="openssl, which plays the authority, is not installed")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = settings_for(tmp_path)
    with Writer.open(made.store, made.keys, now="2026-03-02T12:00:00Z", version="1"):
        return made


def grow(settings: Settings, count: int = 3) -> None:
    with Writer.open(settings.store, settings.keys, now="2026-03-02T12:00:00Z", version="1") as writer:
        for number in range(count):
            writer.seal("test", {"number": number})


def policy(folder: Path, vkey: str, witness: str, url: str) -> Path:
    path = folder / "policy"
    path.write_text(f"log {vkey}\nwitness one {witness} {url}\nquorum one\n")
    return path


def watched(folder: Path, settings: Settings) -> tuple[str, str]:
    """A new witness that knows the log of the store: the key of each."""
    with Reader.open(settings.store) as reader:
        vkey = reader.store.vkey
    witness = make(folder / "witness", "witness.example.org").witness.vkey
    know(opened(folder / "witness")[1], vkey)
    return vkey, witness


def test_a_witness_cosigns_each_checkpoint_and_the_log_holds_it(tmp_path: Path, settings: Settings) -> None:
    vkey, witness = watched(tmp_path, settings)
    with served(tmp_path / "witness") as url:
        trusted = policy(tmp_path, vkey, witness, url)
        first = anchor(settings, trusted, None, None)
        grow(settings)
        second = anchor(settings, trusted, None, None)

    assert (first.problems, second.problems) == ((), ())
    assert second.size > first.size
    found = held(settings, trusted, None)
    assert [(one.size, one.how, one.holds, one.trusted) for one in found] == [
        (first.size, "witness", True, True),
        (second.size, "witness", True, True),
    ]
    assert [one.trusted for one in held(settings, None, None)] == [False, False]
    believed = verify(settings, None, None, None, trusted)
    assert (believed.status, believed.anchored, len(believed.anchors)) == ("ok", True, 2)
    assert f"up to size {second.size}" in believed.claim
    own_word = verify(settings, None, None, None)
    assert (own_word.status, own_word.anchored) == ("ok", False)


def test_a_log_that_was_forked_after_an_anchor_is_refused_and_said(tmp_path: Path, settings: Settings) -> None:
    """The owner restores a copy from before, keys and all, and writes another history of the same length."""
    vkey, witness = watched(tmp_path, settings)
    shutil.copytree(tmp_path / "store", tmp_path / "before")
    shutil.copytree(tmp_path / "keys", tmp_path / "keys before")
    with served(tmp_path / "witness") as url:
        trusted = policy(tmp_path, vkey, witness, url)
        grow(settings, 4)
        anchor(settings, trusted, None, None)
        for name, copy in (("store", "before"), ("keys", "keys before")):
            shutil.rmtree(tmp_path / name)
            shutil.copytree(tmp_path / copy, tmp_path / name)

        grow(settings, 1)
        with pytest.raises(StoreForked, match="larger tree"):
            anchor(settings, trusted, None, None)
        grow(settings, 20)
        forked = anchor(settings, trusted, None, None)

    assert forked.sealed == ()
    assert "422" in forked.problems[0]


def test_a_witness_that_does_not_know_the_log_or_does_not_answer_stops_nothing(
    tmp_path: Path, settings: Settings
) -> None:
    with Reader.open(settings.store) as reader:
        vkey = reader.store.vkey
    stranger = make(tmp_path / "witness", "witness.example.org").witness.vkey
    with served(tmp_path / "witness") as url:
        unknown = anchor(settings, policy(tmp_path, vkey, stranger, url), None, None)
    gone = anchor(settings, policy(tmp_path, vkey, stranger, "http://127.0.0.1:9"), None, None)

    assert (unknown.sealed, gone.sealed) == ((), ())
    assert "404" in unknown.problems[0]
    assert "no answer" in gone.problems[0]


def test_an_anchor_that_contradicts_the_log_is_damage(tmp_path: Path, settings: Settings) -> None:
    """Somebody with the key of the log seals an anchor that no witness gave."""
    vkey, witness = watched(tmp_path, settings)
    with served(tmp_path / "witness") as url:
        trusted = policy(tmp_path, vkey, witness, url)
        anchor(settings, trusted, None, None)
    with Writer.open(settings.store, settings.keys, now="2026-03-02T12:00:00Z", version="1") as writer:
        fields = dict(writer.last_statement("anchor") or {})
        writer.seal("anchor", {**fields, "time": 1_700_000_000})

    found = verify(settings, None, None, None, trusted)

    assert found.status == "damaged"
    assert "the anchor does not hold" in found.damage[0][1]


@needs_openssl
def test_a_time_stamp_over_the_checkpoint_is_sealed_and_checked(tmp_path: Path, settings: Settings) -> None:
    roots = make_authority(tmp_path / "authority")
    with stamping(tmp_path / "authority") as url:
        done: Anchored = anchor(settings, None, url, roots)

    assert (len(done.sealed), done.problems) == (1, ())
    (found,) = held(settings, None, roots)
    assert (found.how, found.size, found.holds, found.trusted) == ("rfc3161", done.size, True, True)
    (unchecked,) = held(settings, None, None)
    assert (unchecked.holds, unchecked.problem) == (False, "")
    other = make_authority(tmp_path / "other")
    (wrong,) = held(settings, None, other)
    assert (wrong.holds, "does not hold" in wrong.problem) == (False, True)


@needs_openssl
def test_a_stamp_under_other_roots_is_not_sealed(tmp_path: Path, settings: Settings) -> None:
    make_authority(tmp_path / "authority")
    other = make_authority(tmp_path / "other")
    with stamping(tmp_path / "authority") as url:
        done = anchor(settings, None, url, other)

    assert done.sealed == ()
    assert "does not hold" in done.problems[0]


def test_what_cannot_be_asked_is_said(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(UsageError, match="nobody to anchor at"):
        anchor(settings, None, None, None)
    with pytest.raises(UsageError, match="without its roots"):
        anchor(settings, None, "https://tsa.example.com", None)
    vkey, witness = watched(tmp_path, settings)
    with pytest.raises(UsageError, match="may be used"):
        anchor(settings, policy(tmp_path, vkey, witness, "http://witness.example.org"), None, None)
    with pytest.raises(UsageError, match="no witness of the policy"):
        anchor(settings, policy(tmp_path, vkey, witness, ""), None, None)


def test_the_commands_make_a_witness_and_use_it(
    tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(tmp_path / "watcher")
    assert main(["witness", "init", "--name", "witness.example.org", "--folder", folder]) == 0
    witness = capsys.readouterr().out.strip()
    with Reader.open(settings.store) as reader:
        vkey = reader.store.vkey
    assert main(["witness", "know", vkey, "--folder", folder, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["new"] is True
    where = ["--store", str(settings.store), "--keys", str(settings.keys)]

    with served(tmp_path / "watcher") as url:
        trusted = policy(tmp_path, vkey, witness, url)
        assert main(["anchor", "--policy", str(trusted), *where]) == 0
    sealed = capsys.readouterr().out
    assert main(["witness", "show", "--folder", folder]) == 0
    shown = capsys.readouterr().out
    assert main(["anchor", "--list", "--json", *where]) == 0
    (listed,) = json.loads(capsys.readouterr().out)["anchors"]

    assert "witness.example.org" in sealed
    assert vkey.partition("+")[0] in shown
    assert (listed["how"], listed["holds"], listed["trusted"]) == ("witness", True, False)
