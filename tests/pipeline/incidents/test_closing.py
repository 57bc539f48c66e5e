"""A close that somebody seals past the commands, with the key of the operations log: what it leaves open stays open."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from custody.errors import UsageError
from custody.incidents.record.ending import unshown
from custody.incidents.record.folding import Where
from custody.incidents.told import closed
from custody.model.incidents import Closed, Ended, step_of, text_of
from custody.model.leaf import LeafRef
from custody.pipeline.incidents import acting, closing
from custody.pipeline.incidents.closing import Judgement
from tests.pipeline.incidents.scene import CARL, DORA, MINUTE, Scene, signer
from tests.ssh_signing import ANN, BOB

THERE = (LeafRef("operations", 0),)
AS_OF = "2026-11-22T10:00:00Z"


class Case:
    """An incident with an action in each state; what a close can say of each."""

    def __init__(self, scene: Scene, title: str) -> None:
        self.scene, self.name = scene, scene.open(title=title)
        self.done = scene.asked(self.name, targets=("done",))
        scene.decide(self.done, BOB)
        scene.now += MINUTE
        scene.done(self.done)
        self.settled = scene.asked(self.name, targets=("settled",))
        acting.settle(scene.desk, self.settled, "withdrawn", "r", signer(ANN))

    def close(self, *ended: Ended, as_of: str | None = AS_OF, **more: Ended) -> Closed:
        """What says of both how they are over, but for what is given: ``done`` and ``settled``, and others."""
        plain = {
            "done": Ended(action=self.done, how="proved", leaves=THERE),
            "settled": Ended(action=self.settled, how="settled"),
        }
        every = {**plain, **more}
        return Closed(incident=self.name, reason="over", answers="0" * 64, as_of=as_of, ended=(*every.values(), *ended))

    def sealed(self, step: Closed) -> list[str]:
        """Why what is odd changes nothing, once the close was sealed past the commands."""
        self.scene.inject(step, ANN, log="operations")
        return [each.why for each in self.scene.incident(self.name).odd]


def later(case: Case) -> Ended:
    return Ended(action=case.done, how="proved", leaves=(LeafRef("operations", 10**6),))


FORGED: dict[str, tuple[Callable[[Case], Closed], str]] = {
    "nothing is named": (
        lambda case: msgspec.structs.replace(case.close(), ended=()),
        "it does not say of every action how it was over",
    ),
    "one is left out": (
        lambda case: msgspec.structs.replace(case.close(), ended=case.close().ended[:1]),
        "it does not say of every action how it was over",
    ),
    "one stands twice": (
        lambda case: case.close(Ended(action=case.settled, how="settled")),
        "it does not say of every action how it was over: one stands twice",
    ),
    "one that nobody asked for": (
        lambda case: case.close(Ended(action="ac-none", how="settled")),
        "it does not say of every action how it was over: ac-none",
    ),
    "settled, what was only done": (
        lambda case: case.close(done=Ended(action=case.done, how="settled")),
        "was settled, and it was done",
    ),
    "refused, what was done": (
        lambda case: case.close(done=Ended(action=case.done, how="refused")),
        "was refused, and it was done",
    ),
    "proved, what nobody did": (
        lambda case: case.close(settled=Ended(action=case.settled, how="proved", leaves=THERE)),
        "was proved, and nobody had said that it was done",
    ),
    "proved by no record": (
        lambda case: case.close(done=Ended(action=case.done, how="proved")),
        "was proved, and it names no record that shows that, or no time",
    ),
    "proved as of no time": (
        lambda case: case.close(as_of=None),
        "was proved, and it names no record that shows that, or no time",
    ),
    "proved by a record that is to come": (
        lambda case: case.close(done=later(case)),
        "was proved, and the records that it names were not there yet",
    ),
}


@pytest.fixture(scope="module")
def forging(shared: Scene) -> Case:
    return Case(shared, "forged")


@pytest.mark.parametrize("how", FORGED)
def test_a_close_that_says_what_was_not_ends_nothing(scene: Scene, forging: Case, how: str) -> None:
    forge, why = FORGED[how]
    told = forging.sealed(forge(forging))

    assert why in told[-1]
    assert scene.incident(forging.name).closed is None


@pytest.mark.parametrize("state", ["waiting", "may be done", "denied by people"])
def test_what_is_open_is_open_whatever_a_close_calls_it(scene: Scene, state: str) -> None:
    case = Case(scene, state)
    action = scene.asked(case.name, targets=(state,))
    if state != "waiting":
        scene.decide(action, CARL, "grant" if state == "may be done" else "deny")
    for ended in (
        Ended(action=action, how="settled"),
        Ended(action=action, how="refused"),
        Ended(action=action, how="proved", leaves=THERE),
    ):
        assert f"{action} was {ended.how}, and " in case.sealed(case.close(ended))[-1]

    assert scene.incident(case.name).closed is None
    assert scene.act(case.name, ANN, targets=("more",)).where is Where.WAITING


def test_a_review_that_was_due_is_not_closed_away_and_one_that_comes_later_mends_nothing(scene: Scene) -> None:
    case = Case(scene, "no review")
    glass = scene.asked(case.name, targets=("glass",), break_glass=True)
    scene.done(glass)
    step = case.close(Ended(action=glass, how="proved", leaves=THERE))
    told = case.sealed(step)
    assert told == [f"{glass} was open: nobody else reviewed it"]
    scene.now += MINUTE
    scene.review(glass, DORA)
    assert scene.incident(case.name).closed is None
    shown = {case.done: THERE, glass: THERE}
    found = closing.close(
        scene.desk, case.name, "over", lambda _: Judgement(proved=shown, as_of=AS_OF), signer(ANN)
    ).step

    assert isinstance(found, Closed)
    assert [(each.action, each.how, each.leaves) for each in found.ended] == [
        (case.done, "proved", THERE),
        (case.settled, "settled", ()),
        (glass, "proved", THERE),
    ]
    assert scene.incident(case.name).closed is not None


def test_what_the_policies_refused_is_named_as_that(scene: Scene) -> None:
    case = Case(scene, "refused")
    action = scene.asked(case.name, None, targets=("unsigned",))
    closing.close(scene.desk, case.name, "r", lambda _: Judgement(proved={case.done: THERE}, as_of=AS_OF), signer(ANN))
    closed = scene.incident(case.name).closed

    assert closed is not None
    assert isinstance(closed.step, Closed)
    assert closed.step.ended[-1] == Ended(action=action, how="refused")
    scene.inject(closed.step, ANN, log="operations")  # said twice it changes nothing
    assert scene.incident(case.name).odd[-1].why == "the incident was closed"


def test_the_command_seals_no_close_that_would_be_void(scene: Scene) -> None:
    """A judge who is wrong, or an action that was settled while somebody signed."""
    case = Case(scene, "no record")
    with pytest.raises(UsageError, match="it would end nothing") as refused:
        closing.close(scene.desk, case.name, "r", lambda _: Judgement(proved={case.done: ()}), signer(ANN))

    assert "names no record" in refused.value.found
    assert scene.incident(case.name).odd == ()


def test_what_a_close_says_was_proved_is_held_against_the_evidence(scene: Scene) -> None:
    """Nothing was read that shows it: it is closed, and beside it stands that the logs do not show what it says."""
    case = Case(scene, "a lie")
    case.sealed(case.close())
    incident = scene.incident(case.name)
    shown = closed(incident, ())

    assert incident.closed is not None
    assert shown is not None
    assert shown.why == f"closed, but what the close says of {case.done} is not shown by the logs"
    assert shown.cites == THERE
    assert closed(scene.incident(Case(scene, "not yet").name), ()) is None
    assert unshown(incident, [case.done]) == ""
    both = case.close(settled=Ended(action=case.settled, how="proved", leaves=THERE))
    incident = msgspec.structs.replace(incident, closed=msgspec.structs.replace(incident.closed, step=both))
    assert unshown(incident, iter([case.settled, case.done])) == ""
    assert unshown(incident, iter([case.settled])) == shown.why
    assert unshown(scene.incident(Case(scene, "open").name), []) == ""


def test_a_close_of_before_says_nothing_of_actions_and_is_read_as_it_was_written(scene: Scene) -> None:
    """Its text has no ``ended``, also not an empty one: there is one spelling. It ends what had no action."""
    name = scene.open(title="of before")
    old = Closed(incident=name, reason="false alarm", answers="0" * 64, as_of=None)
    assert b"ended" not in text_of(old)
    assert step_of(text_of(old).replace(b'"incident"', b'"ended":[],"incident"')) is None
    scene.inject(old, ANN, log="operations")

    assert scene.incident(name).closed is not None
