"""Actions done by a broker that runs: approved first, each target held, sealed as answered, once whatever is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from custody.broker.desk import Handed, Lease, Standing
from custody.broker.desk import Person as Somebody
from custody.cli.exits import CODES
from custody.cli.incident.operating import Asked
from custody.client import TokenFile
from custody.client.operating import Operator
from custody.errors import BrokerError, CustodyError, IdentityRefused, NotFound, PolicyDenied, UsageError
from custody.incidents.judging.checklist import Listed
from custody.incidents.record.folding import Incident, Where
from custody.incidents.record.weighing import where
from custody.incidents.telling.answered import lives_on
from custody.model.brokered import Contained, Enabled, EndAsked
from custody.model.incident_view import Judged
from custody.model.incidents import ActionKind, Done, Item, Noted
from custody.model.verdicts import Best, State
from custody.pipeline.incidents import acting, doing
from custody.pipeline.incidents.doing import Wanted
from tests.broker.trial import NOON, Trial, caller, wants
from tests.pipeline.incidents.scene import CARL, DORA, KEY, Scene, signer
from tests.serve.running import parts_of, served
from tests.ssh_signing import ANN, BOB

_TESTS = count(1)
PROGRAM = """
import secrets, sys
from pathlib import Path
import msgspec
from custody.cli.incident.operating import Asked
from custody.client import TokenFile
from custody.client.operating import Operator
from custody.pipeline.incidents import doing
from custody.pipeline.incidents.sealing import Desk
from custody.settings.catalog import Settings
file, url, token, action, now = sys.argv[1:]
settings = msgspec.json.decode(Path(file).read_bytes(), type=Settings, dec_hook=lambda kind, value: kind(value))
desk = Desk(settings=settings, now=lambda: int(now), random=secrets.token_bytes, by="machine@host")
with Operator(url, TokenFile(token)) as operator:
    doing.do(desk, doing.Wanted(action=action), Asked(operator), lambda *_: (), None)
"""


class Place(NamedTuple):
    url: str
    trial: Trial
    token: Path
    given: dict[str, Handed]
    hooks: dict[str, object]


WORKLOADS = ("deploy", "report", "quick-one", "killed", "signed", "broken", "bound")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One broker for the module; each test has workloads of its own."""
    folder, trial = tmp_path_factory.mktemp("broker"), Trial()
    hooks: dict[str, object] = {}

    async def begin() -> dict[str, Handed]:
        await trial.broker.start()
        given = {name: await trial.broker.exchange(caller(name), wants("vault")) for name in WORKLOADS}
        given["waits"] = await trial.broker.exchange(caller("quick-one"), wants("quick"))
        return given

    given = asyncio.run(begin())
    contain = trial.broker.contain

    async def watched(person: Somebody, identity: str, *, reason: str, incident: str | None = None) -> list[Lease]:
        found = await contain(person, identity, reason=reason, incident=incident)
        then = hooks.get(identity)
        if isinstance(then, Exception):
            raise then
        if callable(then):
            then()
        return found

    setattr(trial.broker, "contain", watched)  # noqa: B010  # mypy forbids to assign a method
    token = folder / "token"
    token.write_text("must-not-stay-operator")
    with served(trial.broker, parts_of(folder)) as port:
        yield Place(f"http://127.0.0.1:{port}", trial, token, given, hooks)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    made = Scene(tmp_path)
    made.now, made.drawn = NOON, 1000 * next(_TESTS)  # ids of its own: one broker has heard of those of every test
    return made


def unlisted(_: Incident, __: tuple[Item, ...]) -> Iterable[Listed]:
    raise AssertionError("nobody asks for a checklist here")


def do(scene: Scene, place: Place, action: str, judge: doing.Judge = unlisted, *accepted: Item) -> acting.Told:
    with Operator(place.url, TokenFile(place.token)) as operator:
        wanted = Wanted(action=action, accepted=frozenset(accepted))
        return doing.do(scene.desk, wanted, Asked(operator), judge, signer(ANN))


def approved(scene: Scene, *targets: str, kind: ActionKind = ActionKind.CONTAIN) -> tuple[str, str]:
    """An incident and an action of it that may be done."""
    name = scene.open()
    action = scene.asked(name, kind=kind, targets=targets)
    if where(scene.action(action), scene.now) is Where.WAITING:
        scene.decide(action, BOB)
    return name, action


def step_of(told: acting.Told) -> Done:
    assert isinstance(told.sealed.step, Done)
    return told.sealed.step


def test_a_containment_is_done_by_the_broker_and_sealed_as_it_answered(scene: Scene, place: Place) -> None:
    name, action = approved(scene, "deploy")
    told = do(scene, place, action)
    step, chain = step_of(told), place.given["deploy"].chain
    assert (step.how, told.where) == ("broker", Where.DONE)
    assert step.did == (
        "deploy: nothing is issued to it by the broker since 2026-11-22T12:00:00Z, by person:id.example:operator",
        f"deploy: {chain} ended",
    )
    assert step.told == "the broker answered: 1 of 1 leases over"
    (sealed,) = [each for each in place.trial.bodies(Contained) if each.identity == "deploy"]
    assert (sealed.incident, sealed.reason) == (name, f"{name}/{action}: stop it")
    assert place.trial.broker.running.state.leases.get(chain) is None or (
        place.trial.broker.running.state.leases[chain].standing is Standing.ENDED
    )
    again = do(scene, place, action)
    assert (again.sealed.sealed, again.sealed.leaf) == (False, told.sealed.leaf)
    assert len([each for each in place.trial.bodies(Contained) if each.identity == "deploy"]) == 1
    assert len(scene.action(action).done) == 1


def test_a_key_is_revoked_and_its_identity_goes_on(scene: Scene, place: Place) -> None:
    handed = place.given["report"]
    key = handed.keys[0]
    _, action = approved(scene, key, kind=ActionKind.REVOKE)
    step = step_of(do(scene, place, action))
    assert step.did == (f"{key}: {handed.chain} ended",)
    asked = [each for each in place.trial.bodies(EndAsked) if action in each.reason]
    assert [each.cause for each in asked] == ["operator"]
    assert not [each for each in place.trial.bodies(Contained) if each.identity == "report"]


def test_what_nothing_ends_before_its_expiry_is_said_to_live_on(scene: Scene, place: Place) -> None:
    chain = place.given["waits"].chain
    _, action = approved(scene, chain, kind=ActionKind.REVOKE)
    step = step_of(do(scene, place, action))
    assert step.did[0].startswith(f"{chain}: {chain} waiting, until ")
    assert step.told == f"the broker answered: 0 of 1 leases over; not over: {chain} waiting"
    assert lives_on(step.did, chain)


@pytest.mark.parametrize(
    ("kind", "target", "kind_of_error", "told"),
    [
        (ActionKind.ROTATE, "deploy", UsageError, "a broker does not do this"),
        (ActionKind.REVOKE, KEY, NotFound, "holds nothing of it"),
        (ActionKind.REVOKE, "cc-00000000000000000000000000", NotFound, "holds nothing of it"),
        (ActionKind.CONTAIN, "nobody", BrokerError, "no identity of the register"),
    ],
)
def test_what_this_broker_cannot_do_is_refused_and_not_said_to_be_done(
    scene: Scene, place: Place, kind: ActionKind, target: str, kind_of_error: type[CustodyError], told: str
) -> None:
    _, action = approved(scene, target, kind=kind)
    with pytest.raises(kind_of_error, match=told):
        do(scene, place, action)
    assert scene.action(action).done == ()


def test_a_target_that_is_not_held_keeps_the_others_from_being_asked_for(scene: Scene, place: Place) -> None:
    _, action = approved(scene, place.given["bound"].keys[0], KEY, kind=ActionKind.REVOKE)
    with pytest.raises(NotFound) as error:
        do(scene, place, action)
    assert error.value.found == KEY
    assert not [each for each in place.trial.bodies(EndAsked) if action in each.reason]


def test_what_is_not_approved_is_not_asked_for(scene: Scene, place: Place) -> None:
    name = scene.open()
    waiting = scene.asked(name, kind=ActionKind.REVOKE, targets=("bound",))
    denied = scene.asked(name, kind=ActionKind.REVOKE, targets=("bound", "deploy"))
    scene.decide(denied, BOB, "deny")
    lapsed = scene.asked(name, kind=ActionKind.REVOKE, targets=("bound", "report"))
    for action, reason in ((waiting, "waiting"), (denied, "denied")):
        with pytest.raises(PolicyDenied) as error:
            do(scene, place, action)
        assert error.value.reason == reason
    scene.now += 3 * 3600 * 1_000_000
    with pytest.raises(PolicyDenied) as error:
        do(scene, place, lapsed)
    assert error.value.reason == "lapsed"
    assert not [each for each in place.trial.bodies(EndAsked) if name in each.reason]


def test_break_glass_is_done_at_once_and_stays_marked(scene: Scene, place: Place) -> None:
    name = scene.open()
    action = scene.asked(name, kind=ActionKind.REVOKE, targets=(place.given["bound"].keys[0],), break_glass=True)
    told = do(scene, place, action)
    assert (told.where, told.why) == (Where.UNAPPROVED, "it was done as break-glass")


def test_who_has_no_role_is_refused_and_the_token_shows_nowhere(scene: Scene, place: Place, tmp_path: Path) -> None:
    token = tmp_path / "auditor"
    token.write_text("must-not-stay-auditor")
    _, action = approved(scene, "signed")
    with Operator(place.url, TokenFile(token)) as operator, pytest.raises(BrokerError) as error:
        doing.do(scene.desk, Wanted(action=action), Asked(operator), unlisted, None)
    assert isinstance(error.value, PolicyDenied | IdentityRefused)
    assert "must-not-stay" not in repr(error.value) + str(error.value) + error.value.advice
    assert scene.action(action).done == ()


def test_where_the_broker_breaks_off_what_it_did_is_noted_and_the_rest_is_done_again(
    scene: Scene, place: Place
) -> None:
    name, action = approved(scene, "signed", "broken")
    place.hooks["broken"] = BrokerError("the disk is full", reason="no-space")
    with pytest.raises(BrokerError):
        do(scene, place, action)
    place.hooks.pop("broken")
    assert scene.action(action).done == ()
    (note,) = [each.step for each in scene.incident(name).heard if isinstance(each.step, Noted)]
    assert f"{action}: the broker broke off" in note.text
    assert "It had done: signed: nothing is issued" in note.text
    step = step_of(do(scene, place, action))
    assert [each for each in step.did if "nothing is issued" in each] == [
        f"{each}: nothing is issued to it by the broker since 2026-11-22T12:00:00Z, by person:id.example:operator"
        for each in ("signed", "broken")
    ]
    assert len([each for each in place.trial.bodies(Contained) if each.identity in ("signed", "broken")]) == 2


def test_a_kill_between_the_call_and_the_seal_is_made_good_by_running_again(scene: Scene, place: Place) -> None:
    name, action = approved(scene, "killed")
    child: list[subprocess.Popen[bytes]] = []
    place.hooks["killed"] = lambda: os.kill(child[0].pid, signal.SIGKILL)
    settings = scene.folder / "settings.json"
    settings.write_bytes(msgspec.json.encode(scene.settings, enc_hook=str))
    command = [sys.executable, "-c", PROGRAM, str(settings), place.url, str(place.token), action, str(scene.now)]
    child.append(subprocess.Popen(command))
    assert child[0].wait(30) == -9
    place.hooks.pop("killed")
    assert scene.action(action).done == ()
    assert "killed" in place.trial.broker.running.state.contained
    step = step_of(do(scene, place, action))
    assert step.at == "2026-11-22T12:00:00Z"
    (sealed,) = [each for each in place.trial.bodies(Contained) if each.identity == "killed"]
    assert sealed.reason.startswith(f"{name}/{action}: ")
    assert len(scene.action(action).done) == 1


def listed(*states: tuple[Item, State, Best | None], identity: str = "deploy") -> doing.Judge:
    found = [
        Listed(identity=identity, item=item, judged=Judged(question=item.value, state=state, best=best, text=""))
        for item, state, best in states
    ]
    return lambda _, __: found


PROVED = tuple((each, State.PROVED, None) for each in Item)
CLAIMED = tuple(
    (each, State.UNPROVEN, Best.CLAIMED) if each is Item.CAUSE_REMOVED else (each, State.PROVED, None) for each in Item
)
OPEN = tuple((each, State.UNPROVEN, None) if each is Item.MONITORING else (each, State.PROVED, None) for each in Item)


def test_nothing_is_enabled_while_the_checklist_is_not_proved(scene: Scene, place: Place) -> None:
    from tests.broker.trial import BERT, run

    name, contained = approved(scene, "bound")
    do(scene, place, contained)
    action = scene.asked(name, kind=ActionKind.ENABLE, targets=("bound",))
    for person in (BOB, CARL, DORA):
        if where(scene.action(action), scene.now) is Where.WAITING:
            scene.decide(action, person)
    assert where(scene.action(action), scene.now) is Where.READY
    for judge, accepted, told in (
        (listed(identity="bound"), (), "new credential open"),
        (listed(*OPEN, identity="bound"), (Item.MONITORING,), "monitoring in place unproven"),
        (listed(*CLAIMED, identity="bound"), (), "cause removed unproven (claimed)"),
        (listed(*PROVED, identity="another"), (), "new credential open"),
    ):
        with pytest.raises(PolicyDenied) as error:
            do(scene, place, action, judge, *accepted)
        assert error.value.reason == "checklist-open"
        assert told in error.value.found
    assert "bound" in place.trial.broker.running.state.contained
    with pytest.raises(PolicyDenied) as error:  # the broker's own checklist: another person, and the owner's word
        do(scene, place, action, listed(*PROVED, identity="bound"))
    assert error.value.reason == "checklist-open"
    assert place.trial.bodies(Enabled) == []
    place.trial.book.signed["bound"] = 9
    run(place.trial.broker.enable(BERT, "bound", reason="by hand"))
    step = step_of(do(scene, place, action, listed(*CLAIMED, identity="bound"), Item.CAUSE_REMOVED))
    assert step.did == ("bound: not contained at the broker any more",)
    assert step.told == "accepted as claimed: bound: cause removed"


def test_by_the_command_a_refusal_has_its_code(scene: Scene, place: Place) -> None:
    from custody.cli import main

    name = scene.open()
    action = scene.asked(name, kind=ActionKind.REVOKE, targets=("bound",))
    where = ["--store", str(scene.settings.store), "--keys", str(scene.settings.keys)]
    assert (
        main(["incident", "do", action, "--broker", place.url, "--token-file", str(place.token), *where])
        == (CODES["refused"])
    )
    assert main(["incident", "do", action, "--broker", place.url, *where]) == CODES["usage"]


def test_by_the_command_the_checklist_is_that_of_the_evidence(
    scene: Scene, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    from custody.cli import main

    scene.now = time.time_ns() // 1000 // 1_000_000 * 1_000_000  # the command has the clock of this machine
    action = scene.asked(scene.open(), kind=ActionKind.ENABLE, targets=("deploy",))
    for person in (BOB, CARL, DORA):
        if where(scene.action(action), scene.now) is Where.WAITING:
            scene.decide(action, person)
    command = ["incident", "do", action, "--store", str(scene.settings.store), "--keys", str(scene.settings.keys)]
    assert main([*command, "--broker", place.url, "--token-file", str(place.token)]) == CODES["refused"]
    told = capsys.readouterr().err
    assert "the checklist is not proved" in told
    assert "deploy: new credential" in told
    assert "must-not-stay" not in told
