"""The broker's watch over the log of approvals: what it takes, once, and what it never believes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from custody.broker.approvals.decision import Decision, fields_of
from custody.broker.approvals.people import Persons
from custody.broker.approvals.watching import Trust, Watcher
from custody.broker.approvals.weighing import Held
from custody.errors import StoreError
from custody.model.brokered import Request
from custody.store import layout
from custody.store.approvals import ApprovalsWriter, stored_vkey
from custody.store.logfiles import LogFiles
from tests.broker.approvals.requests import ANN, BOB, BROKER, GROUPS, NOW, SECOND, Estate, decision, held, request

SEEN = NOW + 61 * SECOND


class Watched:
    """A store, what was decided in it, and watchers over it."""

    def __init__(self, folder: Path) -> None:
        self.estate = Estate(folder)
        self.requests: dict[str, Request] = {request().request: request()}

    def say(self, *decisions: Decision) -> None:
        with ApprovalsWriter.open(self.estate.root, self.estate.approver) as writer:
            for each in decisions:
                writer.seal(each.what, fields_of(each))

    def watcher(self, vkey: str = "") -> Watcher:
        trust = Trust(broker=BROKER, vkey=vkey, groups=GROUPS, recheck=lambda one, _: (one.approver,))
        return Watcher(self.estate.root, trust, self._held)

    def vkey(self) -> str:
        return stored_vkey(self.estate.root) or ""

    def _held(self, name: str) -> Held | None:
        body = self.requests.get(name)
        return None if body is None else held(body)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def told(watcher: Watcher, leaf: int = 0, now: int = SEEN) -> list[tuple[int, str]]:
    return [(each.leaf, each.why) for each in watcher.since(leaf, now)]


def test_before_anybody_decides_there_is_nothing(watched: Watched) -> None:
    watcher = watched.watcher()

    assert (told(watcher), watcher.problem) == ([], "")


def test_each_decision_is_taken_in_order_and_weighed(watched: Watched) -> None:
    watcher = watched.watcher()
    watched.say(decision(), decision(), decision(approver=BOB, digest="0" * 64), decision(approver=BOB, broker="other"))

    (first, *rest) = watcher.since(0, SEEN)

    assert (first.approver, first.counts, first.verdict, first.given) == (ANN, True, "grant", decision().at)
    assert [(each.leaf, each.why) for each in rest] == [(2, "replayed: 0"), (4, "wrong-digest")]


def test_what_is_taken_is_not_given_again_and_what_is_not_is(watched: Watched) -> None:
    watcher = watched.watcher()
    watched.say(decision())

    assert told(watcher) == told(watcher) == [(0, "")]
    assert told(watcher, 1) == []
    watched.say(decision(approver=BOB))
    assert told(watcher, 1) == [(2, "")]


def test_a_broker_that_starts_again_goes_on_where_it_was(watched: Watched) -> None:
    """What counted before counts as before, also where its own end has passed since."""
    short = decision(until=decision(at=decision().at).at.replace("10:01", "10:02"))
    watched.say(short, decision(reason="once more"))

    assert told(watched.watcher()) == [(0, ""), (2, "second-decision: 0")]
    assert told(watched.watcher(), 1, NOW + 300 * SECOND) == [(2, "second-decision: 0")]
    assert told(watched.watcher(), 0, NOW + 300 * SECOND) == [(0, "expired"), (2, "")]


def test_the_log_is_read_only_where_its_checkpoint_changed(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    watcher = watched.watcher()
    reads: list[int] = []
    watched.say(decision())
    read = LogFiles.checkpoint_note

    def counted(files: LogFiles) -> bytes | None:
        reads.append(1)
        return read(files)

    monkeypatch.setattr(LogFiles, "checkpoint_note", counted)

    for _ in range(3):
        told(watcher)
    assert len(reads) == 1
    monkeypatch.undo()
    watched.say(decision(approver=BOB))
    assert told(watcher) == [(0, ""), (2, "")]


def test_a_request_that_the_broker_does_not_know_is_none_of_its(watched: Watched) -> None:
    watched.say(decision(request(9)))

    assert told(watched.watcher()) == [(0, "unknown-request")]


def test_only_the_pinned_key_is_believed(watched: Watched) -> None:
    watched.say(decision())
    pinned, other = watched.watcher(watched.vkey()), watched.watcher("custody.local/x/approvals+00000000+AX")

    assert told(pinned) == [(0, "")]
    assert (told(other), "another key" in other.problem) == ([], True)


def test_the_first_key_that_is_seen_is_kept(watched: Watched) -> None:
    watched.say(decision())
    watcher = watched.watcher()
    told(watcher)
    assert watcher.vkey == watched.vkey()
    _forget(watched)
    watched.say(decision(approver=BOB), decision(), decision())

    assert told(watcher, 1) == []
    assert "another key" in watcher.problem


def test_a_log_that_is_gone_or_set_back_is_believed_no_more(watched: Watched, tmp_path: Path) -> None:
    watched.say(decision())
    log, older = watched.estate.root / layout.APPROVALS, tmp_path / "older"
    shutil.copytree(log, older)
    watched.say(decision(approver=BOB))
    one, other = watched.watcher(), watched.watcher()
    assert told(one) == told(other) == [(0, ""), (2, "")]
    shutil.rmtree(log)
    assert told(one, 3) == []
    assert "gone" in one.problem
    shutil.copytree(older, log)

    assert told(other, 3) == []
    assert "set back" in other.problem
    assert told(one, 3) == []


def test_entries_that_nobody_signed_are_not_taken(watched: Watched) -> None:
    """Whoever can write the files of the log and has not its key."""
    watched.say(decision(verdict="deny", until=None))
    (bundle,) = (watched.estate.root / layout.APPROVALS / "tile" / "entries").rglob("2")
    bundle.write_bytes(bundle.read_bytes().replace(b'"deny"', b'"gran"'))
    watcher = watched.watcher()

    assert told(watcher) == []
    assert "not those that were signed" in watcher.problem


def test_a_log_that_is_being_written_is_looked_at_again(watched: Watched) -> None:
    watched.say(decision())
    (bundle,) = (watched.estate.root / layout.APPROVALS / "tile" / "entries").rglob("2")
    aside = bundle.with_name("aside")
    bundle.rename(aside)
    watcher = watched.watcher()
    assert told(watcher) == []
    assert watcher.problem
    aside.rename(bundle)

    assert told(watcher) == [(0, "")]
    assert watcher.problem == ""


def test_what_is_no_decision_is_passed_over(watched: Watched) -> None:
    with ApprovalsWriter.open(watched.estate.root, watched.estate.approver) as writer:
        writer.seal("review-close", {"review": "q1"})
        writer.seal("request-decision", {"request": 5})
    watched.say(decision())

    assert told(watched.watcher()) == [(4, "")]


def test_what_the_register_says_of_people_is_asked_for_at_each_look(watched: Watched) -> None:
    said: list[Persons] = [Persons(), Persons([("dora", BOB)])]
    trust = Trust(
        broker=BROKER, vkey="", groups=GROUPS, recheck=lambda one, _: (one.approver,), persons=lambda: said.pop(0)
    )
    watcher = Watcher(watched.estate.root, trust, lambda _: held())
    watched.say(decision())
    assert told(watcher) == [(0, "")]
    watched.say(decision(approver=BOB))

    assert told(watcher) == [(0, ""), (2, "barred: starter")]


def test_a_decision_that_could_not_be_weighed_is_weighed_the_next_time(watched: Watched) -> None:
    tries: list[str] = []

    def persons() -> Persons:
        tries.append("asked")
        if len(tries) == 1:
            raise StoreError("the register cannot be read")
        return Persons()

    trust = Trust(broker=BROKER, vkey="", groups=GROUPS, recheck=lambda one, _: (one.approver,), persons=persons)
    watcher = Watcher(watched.estate.root, trust, lambda _: held())
    watched.say(decision(), decision(approver=BOB, verdict="deny"))
    assert (told(watcher), watcher.problem) == ([], "the register cannot be read")

    assert (told(watcher), watcher.problem) == ([(0, ""), (2, "")], "")
    assert told(watcher) == [(0, ""), (2, "")]
    assert len(tries) == 2


def _forget(watched: Watched) -> None:
    shutil.rmtree(watched.estate.root / layout.APPROVALS)
    shutil.rmtree(watched.estate.approver)
    (watched.estate.root / layout.APPROVALS_VKEY).unlink()
