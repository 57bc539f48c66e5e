"""``custody drill incident``: what is played, what is kept of it, and that it fails where something is not as it is."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from custody.cli import main
from custody.cli.commands import drill as command
from custody.cli.exits import CODES
from custody.errors import PolicyDenied, StoreError
from custody.incidents.judging import answers, conduct, surviving
from custody.model.brokered import Drilled, Service
from custody.model.incident_view import IncidentView
from custody.model.verdicts import State
from custody.pipeline.drills import drilling, script
from custody.pipeline.drills.comparing import Truth, compared, truth_of
from custody.pipeline.drills.drilling import Watched, drill
from custody.pipeline.drills.playing import Play
from custody.pipeline.drills.scoring import INCIDENT, MEASURES, Drill, Kind, Played, targets_of
from custody.pipeline.drills.theft import Theft
from custody.pipeline.glass.known import entry_at
from custody.store.keyring import read_last_signed
from custody.store.reader import Reader
from custody.store.verification import verify
from tests.broker.glass.sealed import Count

SEED = 20
TARGETS = targets_of(None, "incident")
NOW = 1_795_341_600_000_000


class Clock:
    def now(self) -> int:
        return NOW


class Ticks:
    """A clock of seconds by which every step takes exactly one."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        self.time += 1.0
        return self.time


def played(folder: Path, **changed: Callable[[Theft, dict[str, int]], Truth]) -> tuple[Drill, list[Played]]:
    seen: list[Played] = []
    return drill(folder, SEED, TARGETS, (Clock(), Count()), Watched(seen.append, Ticks()), **changed), seen


@pytest.mark.parametrize("fails", [*INCIDENT])
def test_after_a_step_that_was_not_done_nothing_is_played_and_no_figure_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    asked: list[str] = []

    def step_of(_: Play, name: str) -> str:
        asked.append(name)
        if name == fails:
            raise StoreError("no alarm was raised", found="must be told")
        return "done"

    monkeypatch.setattr(drilling, "step_of", step_of)
    found, seen = played(tmp_path / "played")
    names = list(INCIDENT)

    assert asked == names[: names.index(fails) + 1]
    assert tuple(seen) == found.steps
    assert [each.step for each in found.steps] == names
    assert [each.done for each in found.steps] == [name in asked and name != fails for name in names]
    assert [each.seconds for each in found.steps] == [1.0] * len(names), "what was measured is what is told"
    assert not found.met
    assert found.misses[0] == f"{fails}: no alarm was raised (found must be told)"
    assert [(each.name, each.value, each.met) for each in found.measures] == [(each, None, False) for each in MEASURES]
    assert (found.size, found.root, found.pack, found.seed) == (0, "", None, SEED)


def test_every_step_that_has_a_target_is_one(tmp_path: Path) -> None:
    play = Play(tmp_path, SEED, Count())

    assert list(script._STEPS) == list(INCIDENT)  # the order that is played
    with pytest.raises(KeyError):
        script.step_of(play, "another")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["incident", "--postgres"], "no database takes part"),
        (["break-glass", "--seed", "3"], "nothing is drawn"),
        (["incident", "--folder", "full"], "the folder is not empty"),
        (["--folder", "full"], "the folder is not empty"),
        (["fire"], "is not one of"),
        (["incident", "--seed", "-1"], "-1"),
        (["break-glass", "--targets", "wrong.toml"], "no such step"),
    ],
)
def test_what_does_not_go_together_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a file").touch()
    (tmp_path / "wrong.toml").write_text("[incident]\nuse = 3\n")

    assert main(["drill", *words]) == CODES["usage"]
    assert said in capsys.readouterr().err
    assert not (tmp_path / "custody-store").exists()


def made(kind: Kind, *, met: bool = True) -> Drill:
    step = Played(step="open", seconds=1.0, target=2.0, done=met, told="as it was seen")
    return Drill(kind=kind, drill=f"drill-{kind}", target="t", steps=(step,), size=1, root="00", seed=4)


@pytest.mark.parametrize(
    ("words", "kinds", "bad", "code"),
    [
        ([], ["break-glass", "incident"], "", "done"),
        (["incident"], ["incident"], "", "done"),
        (["break-glass"], ["break-glass"], "", "done"),
        ([], ["break-glass", "incident"], "break-glass", "findings"),
        ([], ["break-glass", "incident"], "incident", "findings"),
    ],
    ids=["both", "incident", "break-glass", "first not met", "second not met"],
)
def test_which_are_played_and_that_one_miss_is_enough(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    kinds: list[str],
    bad: str,
    code: str,
) -> None:
    folders: list[str] = []

    def glass(folder: Path, *_: object, **__: object) -> Drill:
        folders.append(folder.name)
        return made("break-glass", met=bad != "break-glass")

    def incident(folder: Path, *_: object) -> Drill:
        folders.append(folder.name)
        return made("incident", met=bad != "incident")

    monkeypatch.setattr(command, "_break_glass", glass)
    monkeypatch.setattr(command, "_incident", incident)
    assert main(["drill", *words, "--no-evidence", "--json"]) == CODES[code]
    found = json.loads(capsys.readouterr().out)

    assert folders == kinds == [each["kind"] for each in found["drills"]]
    assert found["met"] is (bad == "")
    assert [each["met"] for each in found["drills"]] == [each != bad for each in kinds]
    assert all(each["leaf"] is None for each in found["drills"])


# What follows plays the drill to its end, which takes some ten seconds of a machine.


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("drill")


@pytest.fixture(scope="module")
def told(places: Path) -> dict[str, object]:
    """The object that the command prints."""
    with pytest.MonkeyPatch.context() as patch:
        out: list[object] = []
        patch.setattr("custody.cli.output.emit", out.append)
        words = ["--folder", str(places / "played"), "--store", str(places / "store"), "--keys", str(places / "keys")]
        assert main(["drill", "incident", "--seed", str(SEED), *words, "--json"]) == CODES["done"]
    return msgspec.convert(msgspec.json.decode(msgspec.json.encode(out[0])), dict[str, object])


def one(told: dict[str, object]) -> dict[str, object]:
    drills = told["drills"]
    assert isinstance(drills, list)
    (found,) = drills
    return msgspec.convert(found, dict[str, object])


def rows(found: dict[str, object], name: str) -> list[dict[str, object]]:
    return msgspec.convert(found[name], list[dict[str, object]])


@pytest.mark.slow
def test_an_incident_from_the_alarm_to_the_pack(told: dict[str, object], places: Path) -> None:
    found = one(told)
    steps = {str(each["step"]): each for each in rows(found, "steps")}
    figures = {str(each["name"]): each for each in rows(found, "measures")}
    held = {str(each["question"]): (each["state"], each["held"]) for each in rows(found, "answers")}

    assert (told["met"], found["met"], found["kind"], found["seed"]) == (True, True, "incident", SEED)
    assert list(steps) == list(INCIDENT)
    assert all(each["done"] and each["met"] for each in steps.values())
    assert steps["own-approval"]["told"] == "refused (barred)"
    assert steps["scope"]["told"] == "2 of 2 credentials of the theft, and no other"
    assert str(steps["survivor"]["told"]).startswith("violated: ")
    assert steps["enable-early"]["told"] == "refused (checklist-open), and withdrawn"
    assert {name: (each["value"], each["met"]) for name, each in figures.items() if name != "answers-not-known"} == {
        "scope-recall": (1.0, True),
        "scope-wrong": (0.0, True),
        "answers-wrong": (0.0, True),
        "times-apart": (0.0, True),
        "exposure-to-containment": (0.0, True),
    }
    assert list(held) == list(answers.QUESTIONS)
    assert held[conduct.WHO] == held[conduct.INSIDE] == ("proved", "right")
    assert (places / "played" / "incident" / "logs").is_dir()


@pytest.mark.slow
def test_what_is_kept_says_which_drill_it_was_and_how_it_went(told: dict[str, object], places: Path) -> None:
    found = one(told)
    with Reader.open(places / "store") as reader:
        first, leaf = entry_at(reader, str(found["drill"]), 1)
        second, _ = entry_at(reader, str(found["drill"]), 2)
        note = read_last_signed(places / "keys" / reader.store.store)
    assert isinstance(first.body, Drilled)
    assert isinstance(second.body, Service)
    fields = second.body.fields

    assert found["leaf"] == {"log": "operations", "index": leaf}
    assert first.body.met
    assert [each[0] for each in first.body.steps] == list(INCIDENT)
    assert (fields["kind"], fields["seed"], fields["pack"]) == ("incident", str(SEED), found["pack"])
    assert fields["measure answers-wrong"] == "0, at most 0: met"
    assert fields[f"answer {conduct.WHO}"] == "right: proved"
    assert verify(places / "store", last_signed=note).problems == ()
    with Reader.open(places / "played" / "incident" / "store") as reader:
        assert (fields["size"], fields["root"]) == (str(found["size"]), found["root"])
        assert reader.size == found["size"]


@pytest.mark.slow
def test_no_secret_of_the_estate_is_in_what_was_sealed(told: dict[str, object], places: Path) -> None:
    """What has the shape of a secret in the logs says must-not-stay; the pack and both stores have none of it."""
    folder = places / "played" / "incident"
    logs = [path for path in (folder / "logs").rglob("*") if path.is_file()]
    kept = [*(folder / "store").rglob("*"), *(places / "store").rglob("*"), folder / "response.toml"]

    assert any(b"must-not-stay" in path.read_bytes() for path in logs)
    assert not any(b"must-not-stay" in path.read_bytes() for path in kept if path.is_file())
    with zipfile.ZipFile(folder / script.PACK) as pack:
        assert not any(b"must-not-stay" in pack.read(name) for name in pack.namelist())
    assert "must-not-stay" not in json.dumps(told)
    assert not [path for path in folder.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()[:200]]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> tuple[Play, IncidentView]:
    """A drill that was played as far as the outcome."""
    play = Play(tmp_path_factory.mktemp("scene") / "played", SEED, Count())
    for name in INCIDENT:
        if name == "answers":
            break
        script.step_of(play, name)
    assert play.view is not None
    return play, play.view


@pytest.mark.slow
def test_a_truth_that_somebody_changed_is_not_met(scene: tuple[Play, IncidentView]) -> None:
    play, view = scene
    true = truth_of(play.theft, {each.key: sum(each.records.values()) for each in play.stage.truth.credentials})
    late = {**true.points, "containment": true.points["containment"] + 3_600_000_000}
    lives = {**true.states, surviving.SURVIVES: frozenset({State.VIOLATED})}
    changed = {
        "an end an hour later": msgspec.structs.replace(true, points=late),
        "something lives on": msgspec.structs.replace(true, states=lives),
        "a key is not of it": msgspec.structs.replace(true, family=true.family - {play.theft.hidden}),
        "another key is of it": msgspec.structs.replace(true, family=true.family | {"aws_akid:aws:AKIAOTHER"}),
    }
    missed = {
        name: {each.name for each in compared(one, view).measures(TARGETS) if not each.met}
        for name, one in changed.items()
    }

    assert [each.name for each in compared(true, view).measures(TARGETS) if not each.met] == []
    assert missed == {
        "an end an hour later": {"times-apart", "exposure-to-containment"},
        "something lives on": {"answers-wrong"},
        "a key is not of it": {"scope-wrong"},
        "another key is of it": {"scope-recall"},
    }


def proved(view: IncidentView) -> IncidentView:
    """The same with every outcome proved."""
    plain = msgspec.to_builtins(view)
    for each in plain["actions"]:
        each["outcome"]["judged"]["state"] = "proved"
    return msgspec.convert(plain, IncidentView)


@pytest.mark.slow
def test_a_step_fails_where_the_evidence_says_what_is_not_so(
    scene: tuple[Play, IncidentView], monkeypatch: pytest.MonkeyPatch
) -> None:
    play, view = scene
    monkeypatch.setattr(play, "look", lambda: proved(view))
    with pytest.raises(StoreError, match="what had no effect is called proved"):
        script.step_of(play, "outcome")
    empty = msgspec.structs.replace(view, scope=msgspec.structs.replace(view.scope, credentials=()))
    monkeypatch.setattr(play, "look", lambda: empty)
    with pytest.raises(StoreError, match="is not in the scope"):
        script.step_of(play, "outcome")
    with pytest.raises(StoreError, match="the scope is another"):
        script.step_of(play, "scope")
    only_records = msgspec.structs.replace(view.timeline, moments=view.timeline.moments[:1])
    monkeypatch.setattr(play, "view", msgspec.structs.replace(view, timeline=only_records))
    with pytest.raises(StoreError, match="lines are missing"):
        script.step_of(play, "timeline")


@pytest.mark.slow
def test_an_approval_of_ones_own_that_is_taken_fails_the_drill(
    scene: tuple[Play, IncidentView], monkeypatch: pytest.MonkeyPatch
) -> None:
    play, _ = scene
    monkeypatch.setattr(play, "approve", lambda *_: None)
    with pytest.raises(StoreError, match="somebody approved what they asked for"):
        script.step_of(play, "own-approval")

    def refused(*_: object) -> None:
        raise PolicyDenied("no", reason="barred")

    monkeypatch.setattr(play, "approve", refused)
    with pytest.raises(StoreError, match="is sealed"):
        script.step_of(play, "own-approval")


@pytest.mark.slow
def test_the_whole_drill_is_not_met_where_the_truth_is_another(tmp_path: Path) -> None:
    def knowing(theft: Theft, records: dict[str, int]) -> Truth:
        true = truth_of(theft, records)
        states = {**true.states, surviving.SURVIVES: frozenset({State.VIOLATED})}
        return msgspec.structs.replace(true, states=states)

    found, _ = played(tmp_path / "played", knowing=knowing)
    steps = {each.step: each for each in found.steps}

    assert not found.met
    assert not steps["answers"].done
    assert surviving.SURVIVES in steps["answers"].told
    assert {each.name for each in found.measures if not each.met} == {"answers-wrong"}
    assert all(steps[name].done for name in list(INCIDENT)[: list(INCIDENT).index("answers")])
    assert found.pack is None
