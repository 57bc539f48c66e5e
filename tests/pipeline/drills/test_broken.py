"""``custody drill incident`` where custody is broken: no step is called done then."""

from __future__ import annotations

import base64
from pathlib import Path

import msgspec
import pytest

from custody.errors import StoreError
from custody.model.incident_view import IncidentView
from custody.pipeline.drills import script
from custody.pipeline.drills.playing import Play
from custody.pipeline.drills.scoring import INCIDENT
from custody.pipeline.incidents import closing
from custody.pipeline.verify import verify_pack
from tests.broker.glass.sealed import Count

SEED = 20
Scene = tuple[Play, IncidentView]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A drill that was played as far as the outcome."""
    play = Play(tmp_path_factory.mktemp("broken") / "played", SEED, Count())
    for name in INCIDENT:
        if name == "answers":
            break
        script.step_of(play, name)
    assert play.view is not None
    return play, play.view


@pytest.mark.slow
def test_a_timeline_that_lacks_lines_fails_the_drill(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    play, view = scene
    every = view.timeline.moments
    monkeypatch.setattr(play, "view", view)
    assert script.step_of(play, "timeline")
    lacking = {
        "one line of a system": (every[0], *(each for each in every if each.party != "system")),
        "no end": tuple(each for each in every if each.kind != "end"),
        "no uses of the hidden key": tuple(
            each for each in every if (each.kind, each.key) != ("use", play.theft.hidden)
        ),
        "a step": tuple(each for each in every if each.kind != "opened"),
    }
    for moments in lacking.values():
        timeline = msgspec.structs.replace(view.timeline, moments=moments)
        monkeypatch.setattr(play, "view", msgspec.structs.replace(view, timeline=timeline))
        with pytest.raises(StoreError, match="lines are missing"):
            script.step_of(play, "timeline")


@pytest.mark.slow
def test_what_was_touched_and_is_not_listed_fails_the_drill(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    play, view = scene
    some = tuple(each for each in view.scope.touched if each.by != play.theft.session)
    for touched in ((), some):
        lacking = msgspec.structs.replace(view, scope=msgspec.structs.replace(view.scope, touched=touched))
        monkeypatch.setattr(play, "view", lacking)
        with pytest.raises(StoreError, match="nothing is listed that these touched"):
            script.step_of(play, "answers")
    monkeypatch.setattr(play, "view", view)
    assert script.step_of(play, "answers").endswith("0 wrong")


@pytest.mark.slow
def test_a_close_or_a_pack_that_anybody_gets_fails_the_drill(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is held against an early close, or every pack is said to hold."""
    play, _ = scene
    monkeypatch.setattr(closing, "close", lambda *_: None)
    with pytest.raises(StoreError, match="closed while an action is open"):
        script.step_of(play, "close")
    monkeypatch.undo()
    assert "refused with a bit of it changed" in script.step_of(play, "pack")
    real = verify_pack

    def always(*given: object) -> object:
        path, vkey, *_ = given
        found = real(Path(str(path)), str(vkey), None, None)
        return msgspec.structs.replace(found, status="ok", steps=1, signed=1, problems=())

    monkeypatch.setattr(script, "verify_pack", always)
    with pytest.raises(StoreError, match="somebody changed is said to hold"):
        script.step_of(play, "pack")


@pytest.mark.slow
def test_the_keys_of_the_people_are_in_no_file(scene: Scene) -> None:
    play, _ = scene
    raw = [each._private.private_bytes_raw() for each in play.people.everybody]
    spelt = [form for each in raw for form in (each, each.hex().encode(), base64.b64encode(each).rstrip(b"="))]
    files = [path.read_bytes() for path in play.folder.rglob("*") if path.is_file()]

    assert any(play.people.ann.name.encode() in data for data in files)
    assert not any(form in data for form in spelt for data in files)
