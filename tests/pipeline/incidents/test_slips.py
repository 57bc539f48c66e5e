"""Slips of the pen, alternatives and refusals: what people are told before it costs, and what is never asked for."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec
import pytest

from custody.chains.containment import Containment, Member
from custody.chains.ways import Way
from custody.errors import NotFound, UsageError
from custody.incidents.record.acting import left
from custody.incidents.record.weighing import where
from custody.model.incidents import ActionKind, SeedKind
from custody.model.verdicts import Severity
from custody.pipeline import audit
from custody.pipeline.incidents import acting, closing, opening, unfound
from custody.pipeline.incidents.closing import Judgement
from tests.incidents.evidence_estate import Trail, key
from tests.pipeline.incidents.scene import MINUTE, Scene, signer
from tests.pipeline.incidents.test_commands import PEOPLE, Line
from tests.ssh_signing import ANN, BOB

KNOWN = key("web")


@pytest.fixture(scope="module")
def derived(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A store in which one credential was read."""
    scene = Scene(tmp_path_factory.mktemp("derived"))
    trail = Trail()
    trail.made("10:00", "web")
    trail.used("10:10", "web", origin="203.0.113.9")
    path = scene.folder / "trail.ndjson"
    path.write_bytes(trail.file())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit, "now", lambda: "2026-03-02T12:00:00Z")
        audit.audit(scene.settings, [path], lambda progress: None)
    return scene


@pytest.fixture
def line(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Line:
    def sign(path: Path, data: bytes, space: str) -> bytes:
        return PEOPLE[path.name].sign(data, space=space)

    monkeypatch.setattr("custody.cli.incident.signing.signature", sign)
    monkeypatch.setattr("custody.cli.incident.deciding.signature", sign)
    return Line(tmp_path, capsys)


def way(action: str, command: str, collateral: int = 0) -> Way:
    return Way(action=action, command=command, effect="ends it", collateral=collateral)


def member(name: str, *ways: Way) -> Member:
    return Member(
        key=name, credential=name, who="w", depth=0, alive=True, until=None, ended=None, last_success=None, ways=ways
    )


@pytest.fixture
def two_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that can be revoked, or ended with its whole role; and another whose only way is an alternative."""
    revoke, delete = way("revoke sessions", "revoke it", 1), way("delete the role", "delete the role", 7)
    members = (member("a", revoke, delete), member("b", way("delete the pod", "delete the pod", 2), revoke))
    found = Containment(as_of=None, members=members, alive=2, made=(), cut_off=False)
    monkeypatch.setattr(acting, "containment", lambda *_: found)


@pytest.mark.usefixtures("two_ways")
def test_alternatives_are_not_asked_for_together(line: Line) -> None:
    found = line.json("act", line.open(), "contain", "a", "--reason", "stop it")
    step = found["step"]
    assert isinstance(step, dict)

    assert step["content"] == [
        "revoke it # to revoke sessions (ends it; ends 1 other live credential too)",
        "delete the pod # to delete the pod (ends it; ends 2 other live credentials too)",
    ]
    other = "delete the role  # to delete the role (ends it; ends 7 other live credentials too)"
    assert found["other_ways"] == [other]
    assert f"  {other}" in line.told.err.splitlines()
    assert "delete the role" not in str(line.json("request", str(step["action"]))["text"])


def test_what_means_nothing_is_said_when_it_is_sealed(derived: Scene) -> None:
    seeds = opening.seeds_of(derived.settings, [(SeedKind.KEY, KNOWN), (SeedKind.KEY, "NOPE")])
    wanted = opening.Wanted(title="t", severity=Severity.HIGH, reason="r", seeds=seeds)
    opened = opening.open_incident(derived.desk, wanted, signer(ANN))
    name = opened.step.incident
    assert opened.notes[-1] == "nothing was found for NOPE; the scope has nothing of it until records name it"
    nobody = opening.seeds_of(derived.settings, [(SeedKind.IDENTITY, "nobody")])
    widened = closing.widen(derived.desk, name, nobody, "more", signer(ANN))
    assert widened.notes == ("nothing was found for nobody; the scope is empty until records name it",)
    again = opening.open_incident(derived.desk, wanted, signer(ANN))
    assert (again.sealed, again.notes) == (False, opened.notes[-1:])

    asked = derived.act(name, ANN, targets=(KNOWN, "NOPE")).sealed
    assert asked.notes == ("nothing was found for NOPE; no effect can be shown until records name it",)
    assert derived.act(name, ANN, targets=(KNOWN,)).sealed.notes == ()


def test_a_finding_that_is_none_is_refused_before_it_is_sealed(derived: Scene, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no finding has this id"):
        opening.seeds_of(derived.settings, [(SeedKind.FINDING, "f-nope")])
    empty = Scene(tmp_path)
    (seed,) = opening.seeds_of(empty.settings, [(SeedKind.FINDING, "f-nope")])
    assert seed.value == "f-nope"
    assert unfound.seeds(empty.settings, [seed]) == unfound.targets(empty.settings, ["NOPE"]) == ()


def test_an_executor_whom_no_signer_has_is_noted(line: Line) -> None:
    name = line.open()
    notes = line.json(*_asking(name, "olga"))["notes"]
    assert "no allowed signer is called olga" in json.dumps(notes)
    assert line.json(*_asking(name, "bob@example.com"))["notes"] == []


def _asking(name: str, executor: str) -> tuple[str, ...]:
    return ("act", name, "contain", "k", "--reason", "stop", "--content", "stop it", "--executor", executor)


def test_a_refused_close_has_a_line_of_advice_for_each_action(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    name = scene.open()
    glass = scene.asked(name, break_glass=True)
    scene.done(glass)
    acting.settle(scene.desk, glass, "accepted", "it is fine", signer(ANN))
    denied, waiting, done = (scene.asked(name, targets=(each,)) for each in ("one", "two", "three"))
    scene.decide(denied, BOB, "deny")
    scene.decide(done, BOB)
    scene.done(done)
    with pytest.raises(UsageError, match="not everything is over") as refused:
        closing.close(scene.desk, name, "over", lambda _: Judgement(), signer(ANN))
    told = dict(row.split(": ", 1) for row in refused.value.advice.split("\n"))

    assert told[glass].startswith(f"`custody incident review {glass} --verdict justified|not-justified")
    assert told[denied] == f"`custody incident settle {denied} --how withdrawn --reason TEXT`"
    assert f"custody incident approve {waiting}" in told[waiting]
    assert f"settle {waiting} --how withdrawn" in told[waiting]
    assert f"settle {done} --how failed|accepted" in told[done]
    assert len(told) == 4
    scene.now += 24 * 60 * MINUTE
    (lapsed,) = (each for each in left(scene.incident(name), frozenset((done,)), scene.now) if each.action == waiting)
    assert (lapsed.why, lapsed.advice) == (
        "lapsed, and not settled",
        f"`custody incident settle {waiting} --how withdrawn --reason TEXT`",
    )
    assert where(scene.action(waiting), scene.now) == "lapsed"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ([], "nobody had approved it"),
        ([("bob", "grant")], "only 1 of 2 had approved it"),
        ([("bob", "grant"), ("bob", "withdraw")], "the approval had been taken back"),
        ([("bob", "grant"), ("carl", "grant"), ("carl", "withdraw")],
         "only 1 of 2 had approved it, and 1 had taken it back"),
        ([("bob", "grant"), ("carl", "grant"), ("carl", "withdraw"), ("bob", "withdraw")],
         "all 2 approvals had been taken back"),
        ([("bob", "grant"), ("carl", "grant")], ""),
    ],
)  # fmt: skip
def test_who_had_approved_is_said_exactly(said: list[tuple[str, str]], why: str, enabling: tuple[Scene, str]) -> None:
    scene, name = enabling
    action = scene.asked(name, kind=ActionKind.ENABLE, targets=(f"pay {len(said)} {why}",))
    for who, verdict in said:
        scene.now += MINUTE
        scene.decide(action, PEOPLE[who], verdict)  # type: ignore[arg-type]
    scene.now += MINUTE
    assert scene.done(action).why == why


@pytest.fixture(scope="module")
def enabling(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scene, str]:
    scene = Scene(tmp_path_factory.mktemp("enabling"))
    return scene, scene.open()


def test_a_request_is_told_before_its_exact_text(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    name = line.open()
    content = ("--content", "first", "--content", "second \u0430")
    asked = line.json("act", name, "contain", "k-\u0430", "--reason", "to stop it", *content)["step"]
    assert isinstance(asked, dict)
    action = str(asked["action"])
    exact = line.json("request", action)
    assert line.run("request", action) == f"{exact['text']}\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    shown = line.run("request", action).splitlines()
    monkeypatch.undo()

    assert shown[0] == f"request     {action}: waiting for approval"
    for row in (
        "to          contain",
        "target      k-\\u0430",
        "do 1 of 2   first",
        "do 2 of 2   second \\u0430",
        "by          anybody",
        "reason      “to stop it” (claimed)",
        "approvals   0 of 1 of approvers",
        f"digest      {exact['digest']}",
    ):
        assert row in shown
    assert json.loads(shown[-1]) == msgspec.json.decode(str(exact["text"]))


def test_who_approves_is_told_the_same(line: Line) -> None:
    action = line.act(line.open())
    line.run("approve", action, "--reason", "agreed", who="bob")
    told = line.told.err
    assert (
        0 <= told.index(f"request     {action}: waiting for approval") < told.index('{"custody":"custody.incident/1"')
    )
    assert "approvals   0 of 1 of approvers" in told.splitlines()
