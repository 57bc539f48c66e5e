"""An incident shown from a store: now, and exactly as it was shown at an earlier time."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click.testing
import msgspec
import pytest

from custody.cli.incident.showing import COMMAND as SHOW
from custody.cli.incident.timeline import COMMAND as TIMELINE
from custody.errors import LogError, NotFound, UsageError
from custody.model.incident_view import IncidentView
from custody.model.times import microseconds, text
from custody.pipeline import audit
from custody.pipeline.incidents import heads, reading, writing
from custody.pipeline.incidents.viewing import known, viewed
from custody.pipeline.registering import documents
from custody.store.reader import Reader
from tests.incidents.evidence_estate import SECRET, Trail, key
from tests.pipeline.incidents.scene import Scene
from tests.ssh_signing import ANN, BOB

FIRST, OPENED, ASKED, LATER = (f"2026-03-02T{clock}:00Z" for clock in ("12:00", "12:10", "12:20", "12:40"))
"""Received, opened, asked for and approved; received again, told to be done."""


def early() -> Trail:
    found = Trail()
    found.made("10:00", "web")
    for minute in range(10, 15):
        found.used(f"10:{minute}", "web", origin="203.0.113.9")
    return found


def late() -> Trail:
    """What happened before the first was received, and arrived after it."""
    found = early()
    found.used("11:00", "web", origin="203.0.113.66")
    found.switched("12:25", "web", "Inactive")
    found.records = found.records[6:]
    return found


class Story:
    """The store, the incident, and how it was shown in between."""

    def __init__(self, folder: Path) -> None:
        self.scene = Scene(folder)
        self.patch = pytest.MonkeyPatch()
        self.read(FIRST, early())
        self.at(OPENED)
        self.incident = self.open()
        self.at(ASKED)
        self.action = self.scene.asked(self.incident, ANN, targets=(key("web"),))
        self.scene.decide(self.action, BOB)
        self.between = viewed(self.scene.settings, self.incident, now=microseconds(ASKED))
        self.at(LATER)
        self.read(LATER, late())
        self.scene.done(self.action, ANN, at="2026-03-02T12:25:00Z")
        self.after = viewed(self.scene.settings, self.incident, now=microseconds(LATER))

    def at(self, moment: str) -> None:
        found = microseconds(moment)
        assert found is not None
        self.scene.now = found

    def read(self, moment: str, trail: Trail) -> None:
        path = self.scene.folder / f"{moment.replace(':', '')}.ndjson"
        path.write_bytes(trail.file())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(audit, "now", lambda: moment)
            audit.audit(self.scene.settings, [path], lambda progress: None)

    def open(self) -> str:
        from custody.model.incidents import Seed, SeedKind
        from custody.model.verdicts import Severity
        from custody.pipeline.incidents import opening
        from tests.pipeline.incidents.scene import signer

        seeds = (Seed(kind=SeedKind.KEY, value=key("web")),)
        wanted = opening.Wanted(title="a theft", severity=Severity.HIGH, reason="abused", seeds=seeds)
        return opening.open_incident(self.scene.desk, wanted, signer(ANN)).step.incident

    def command(self, command: click.Command, *arguments: str) -> click.testing.Result:
        where = ["--store", str(self.scene.settings.store), "--keys", str(self.scene.settings.keys)]
        return click.testing.CliRunner().invoke(command, [self.incident, *arguments, *where], standalone_mode=False)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return Story(tmp_path_factory.mktemp("story"))


def bare(view: IncidentView) -> IncidentView:
    """Without what names the moment of looking: a replay says what it replays."""
    return msgspec.structs.replace(view, known_at=None)


def test_what_was_known_at_a_time_is_shown_exactly_as_it_was_shown_then(story: Story) -> None:
    replayed = viewed(story.scene.settings, story.incident, known_at=microseconds(ASKED))

    assert replayed.known_at == ASKED
    assert bare(replayed) == bare(story.between)
    assert bare(replayed) != bare(story.after)


def test_the_tree_head_is_that_of_what_was_known_then(story: Story) -> None:
    """It is the size that the log had, with the root that it had: not today's."""
    replayed = viewed(story.scene.settings, story.incident, known_at=microseconds(ASKED))

    assert story.between.checkpoint is not None
    assert replayed.checkpoint == story.between.checkpoint
    assert story.after.checkpoint is not None
    assert story.after.checkpoint.size > story.between.checkpoint.size


def test_a_head_whose_tiles_are_gone_has_no_root_and_that_is_said(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> bytes:
        raise LogError("no such tile")

    monkeypatch.setattr(heads, "root_at", gone)
    replayed = viewed(story.scene.settings, story.incident, known_at=microseconds(ASKED))

    assert replayed.checkpoint is not None
    assert story.between.checkpoint is not None
    assert (replayed.checkpoint.size, replayed.checkpoint.root) == (story.between.checkpoint.size, "")
    assert "cannot be worked out" in replayed.not_read[-1]
    with Reader.open(story.scene.settings.store) as reader:
        assert heads.head_by(reader, 0) is None


def test_people_whom_the_register_named_later_were_not_known_then(story: Story, tmp_path: Path) -> None:
    """A document that comes later makes two of those who acted one person: now, and not in what was known then."""
    scene = Scene.__new__(Scene)
    scene.__dict__.update(story.scene.__dict__)
    for name in ("store", "keys", "approver"):
        shutil.copytree(story.scene.folder / name, tmp_path / name)
    scene.settings = msgspec.structs.replace(
        story.scene.settings, store=tmp_path / "store", keys=tmp_path / "keys", approval_keys=tmp_path / "approver"
    )
    data = (
        "version: 1\nregister: people\nidentities: {}\nparties:\n"
        "  ann@corp.example: {members: ['person:ssh:ann@example.com', 'person:ssh:bob@example.com']}\n"
    )
    with scene.writer() as writer, Reader.open(scene.settings.store) as reader:
        documents.seal(writer, reader, data.encode(), "people", None, by="x", now="2026-03-02T13:00:00Z")
    then = viewed(scene.settings, story.incident, known_at=microseconds(ASKED))
    now = reading.one(scene.settings, story.incident)

    assert bare(then) == bare(story.between)
    assert [each.why for each in now.actions[0].decisions] == ["barred: requester"]


def test_what_arrived_later_is_in_no_earlier_view(story: Story) -> None:
    def told(view: IncidentView) -> str:
        return " ".join(each.text for each in view.timeline.moments)

    assert "203.0.113.66" not in told(story.between)
    assert "203.0.113.66" in told(story.after)
    assert [each.status for each in story.between.actions] == ["may be done"]
    assert [each.status for each in story.after.actions] == ["done"]


def test_each_line_has_the_time_of_the_event_and_when_it_was_known(story: Story) -> None:
    found = {each.text: each for each in story.after.timeline.moments}
    stolen = next(each for words, each in found.items() if "203.0.113.66" in words)
    first = next(each for words, each in found.items() if "203.0.113.9" in words)
    done = next(each for each in found.values() if each.kind == "done")

    assert (stolen.at, stolen.known) == ("2026-03-02T11:00:00Z", LATER)
    assert (first.at, first.last, first.count, first.known) == (
        "2026-03-02T10:10:00Z",
        "2026-03-02T10:14:00Z",
        5,
        FIRST,
    )
    assert (done.at, done.known, done.grade) == ("2026-03-02T12:25:00Z", LATER, "said")


def test_the_outcome_comes_from_the_log_and_the_ends_of_its_line_from_both_logs(story: Story) -> None:
    (action,) = story.after.actions
    assert action.outcome is not None

    assert action.outcome.judged.state in ("proved", "unproven")
    assert [each.leaf.log for each in (action.asked, *action.decisions, *action.done)] == [
        "operations", "approvals", "operations",
    ]  # fmt: skip
    assert [each.signed for each in action.decisions] == [True]
    assert SECRET not in str(story.after)


def test_a_commit_is_known_when_the_last_of_its_files_was_received(story: Story) -> None:
    with Reader.open(story.scene.settings.store) as reader:
        found = known(reader)
        leaves = [commit.first for commit in found.commits]
        sources = {found.source_of(leaf) for leaf in leaves}

    assert [text(commit.at) for commit in found.commits] == [FIRST, LATER]
    assert sources == {"aws.cloudtrail"}
    assert found.source_of(0) is None
    assert found.at(10**9) is None


def test_before_it_was_opened_nothing_was_known_of_it(story: Story) -> None:
    with pytest.raises(NotFound, match="was known then"):
        viewed(story.scene.settings, story.incident, known_at=microseconds(FIRST))


def test_an_incident_is_shown_where_nothing_was_derived_yet(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    name = scene.open()
    found = viewed(scene.settings, name)

    assert [each.kind for each in found.timeline.moments] == ["opened"]
    assert found.scope.credentials == ()
    assert found.not_read


@pytest.mark.parametrize("form", writing.FORMATS)
def test_the_timeline_is_the_same_on_stdout_and_in_a_file(
    story: Story, tmp_path: Path, form: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    path = tmp_path / "a.jsonl"
    writing.write(story.after, form, None)
    writing.write(story.after, form, path)
    shown = capfdbinary.readouterr().out

    assert path.read_bytes() == shown
    assert b"203.0.113.66" in shown
    assert SECRET.encode() not in shown


def test_the_commands_replay_and_write_what_they_are_asked_for(story: Story, tmp_path: Path) -> None:
    replayed = story.command(TIMELINE, "--known-at", ASKED, "--json")
    both = story.command(SHOW, "--html", str(tmp_path / "page.html"), "--json")

    assert [each.exception for each in (replayed, both)] == [None] * 2
    told = json.loads(replayed.stdout)
    assert (told["incident"], told["known_at"]) == (story.incident, ASKED)
    assert len(told["moments"]) == len(story.between.timeline.moments)
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert msgspec.json.decode(both.stdout, type=IncidentView).incident == story.incident


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--format", "timesketch", "-o", "a.json"), "Timesketch imports no file of this name"),
        (("--format", "csv", "-o", "no/such/folder.csv"), "cannot be written"),
        (("--known-at", "yesterday"), "--known-at"),
    ],
)
def test_what_cannot_be_is_said_before_the_work(story: Story, arguments: tuple[str, ...], message: str) -> None:
    found = story.command(TIMELINE, *arguments)

    assert isinstance(found.exception, UsageError)
    assert message in str(found.exception)


def test_a_file_that_exists_is_replaced_whole(story: Story, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    writing.write(story.after, "csv", path)

    assert path.read_bytes().startswith(b'"time"')
    assert [each.name for each in tmp_path.iterdir()] == ["a.csv"]
