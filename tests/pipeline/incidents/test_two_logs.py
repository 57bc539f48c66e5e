"""The clock of one log gives nobody more time: each log says how much of the other there was when it was written."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from custody.errors import IntentRefused
from custody.incidents.record.weighing import approved, unapproved
from custody.ledger.note import decode64
from custody.ledger.proof import root_at
from custody.model.incidents import Decided
from custody.pipeline.incidents import closing
from custody.store import approvals as stored
from custody.store.layout import APPROVALS
from custody.store.logfiles import LogFiles
from custody.store.reader import Reader
from custody.store.storefile import read_store_file
from tests.pipeline.incidents.scene import MINUTE, Scene, signer
from tests.ssh_signing import ANN, BOB


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(tmp_path_factory.mktemp("logs"))


@pytest.fixture
def scene(shared: Scene) -> Iterator[Scene]:
    shared.now += 60 * MINUTE
    yield shared
    shared.now += 60 * MINUTE


def grant(scene: Scene, action: str, reason: str = "r") -> Decided:
    found = scene.action(action)
    return Decided(
        incident=found.request.incident, action=action, digest=found.asked.digest, verdict="grant", reason=reason
    )


def test_every_step_says_how_much_of_the_log_of_approvals_there_was(scene: Scene) -> None:
    action = scene.asked(scene.open(title="seen"))
    scene.decide(action, BOB)
    scene.now += MINUTE
    scene.done(action)
    found = scene.action(action)
    (decision,) = (each.heard for each in found.decisions)
    (done,) = found.done
    with Reader.open(scene.settings.store) as reader:
        (fields,) = (each.entry.fields for each in reader.statements("incident-step") if each.leaf == done.leaf.index)
    size, root = msgspec.convert(fields["approvals"], tuple[int, str])
    files = LogFiles(scene.settings.store, APPROVALS)

    assert found.asked.seen is not None
    assert done.seen is not None
    assert found.asked.seen <= decision.leaf.index < done.seen == size
    assert root_at(done.seen, files.read) == decode64(root)
    assert unapproved(found, done) == ""


@pytest.mark.parametrize("lying", [False, True], ids=["it names what it saw", "it names an older tree"])
def test_a_grant_with_a_clock_that_was_put_back_is_late(
    scene: Scene, lying: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bob has the key of the log of approvals: by his clock he is in time, and he may leave out what he saw."""
    name = scene.open(title=f"late {lying}")
    action = scene.asked(name)
    older = stored._seen(scene.settings.store, read_store_file(scene.settings.store))
    asked = scene.now
    scene.now += 31 * MINUTE
    closing.note(scene.desk, name, "still waiting", [], signer(ANN))
    scene.now = asked + 5 * MINUTE
    with pytest.raises(IntentRefused, match="after the time"):
        scene.decide(action, BOB)
    if lying:
        monkeypatch.setattr(stored, "_seen", lambda *_: older)
    scene.inject(grant(scene, action), BOB)
    monkeypatch.undo()
    (decision,) = (each.heard for each in scene.action(action).decisions)

    assert (decision.at, decision.seen == older.size) == (asked + 5 * MINUTE, lying)
    assert scene.whys(action) == ["too-late"]
    assert not approved(scene.action(action), scene.now)


def test_a_grant_that_is_dated_before_the_deed_and_names_an_older_log_came_after_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = scene.asked(scene.open(title="afterwards"))
    older = stored._seen(scene.settings.store, read_store_file(scene.settings.store))
    scene.now += 10 * MINUTE
    scene.done(action)
    scene.now -= 5 * MINUTE
    monkeypatch.setattr(stored, "_seen", lambda *_: older)
    scene.inject(grant(scene, action), BOB)
    monkeypatch.undo()
    found = scene.action(action)

    assert [each.why for each in found.decisions] == [""]  # in time, and too late for what was done before it
    assert [unapproved(found, each) for each in found.done] == ["nobody had approved it"]


def test_what_older_versions_sealed_is_read_as_it_was(scene: Scene) -> None:
    """Their steps do not say what they saw: what decisions saw, and the clocks, still do."""
    action = scene.asked(scene.open(title="older"))
    scene.inject(scene.action(action).request, None, log="operations")
    scene.decide(action, BOB)
    (odd,) = scene.incident(scene.action(action).request.incident).odd

    assert (odd.heard.seen, odd.why) == (None, "an action of this id was asked for before")
    assert approved(scene.action(action), scene.now)
