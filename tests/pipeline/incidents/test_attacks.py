"""An actor approves their own action, by every route that we could think of, over real logs: none of them counts.

Each route is tried as the commands have it, and past them (a step sealed by somebody who has the key of a log). What
counts is what stands after everything was read and checked again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import pytest

from custody.broker.approvals.decision import Decision as BrokerDecision
from custody.broker.approvals.decision import fields_of, signed_text
from custody.errors import BrokerError, CustodyError, IntentRefused, NotFound, PolicyDenied, UsageError
from custody.incidents.record.folding import Where
from custody.incidents.record.weighing import approved, unapproved, where
from custody.model.broker_terms import Verdict
from custody.model.incidents import DECISION_NAMESPACE, ActionKind, Asked, Decided, digest_of, text_of
from custody.model.times import text
from custody.pipeline.incidents import deciding, reading
from custody.store.approvals import ApprovalsWriter
from custody.store.verification import verify
from tests.pipeline.incidents.scene import ANN_TOO, CARL, DORA, EVE, MINUTE, NOW, Scene, signer
from tests.ssh_signing import ANN, BOB, Person

ALONE = Person("bob@example.com", 99)
"""Ann, who made a key of her own and calls herself Bob with it."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """One store for all: each test asks for an action of its own."""
    return Scene(tmp_path_factory.mktemp("attacks"))


@pytest.fixture
def scene(shared: Scene) -> Iterator[Scene]:
    before, shared.now, shared.account = shared.now, shared.now + MINUTE, "ops@host"
    yield shared
    shared.now = max(before, shared.now) + MINUTE
    (shared.folder / "allowed").write_text((shared.folder / "allowed").read_text().replace(ALONE.line(), ""))


@pytest.fixture(scope="module")
def theft(shared: Scene) -> str:
    return shared.open()


@pytest.fixture
def action(scene: Scene, theft: str) -> str:
    """What Ann asked for, and nobody before."""
    name = scene.asked(theft, reason=f"stop it, the {scene.now}th time")
    scene.now += MINUTE
    scene.account = "other@host"
    return name


def granted(scene: Scene, action: str) -> bool:
    return approved(scene.action(action), scene.now)


def odd(scene: Scene, action: str) -> list[str]:
    """Why steps about the action change nothing."""
    every = reading.read(scene.settings).of_action(action).odd
    return [each.why for each in every if getattr(each.heard.step, "action", "") == action]


def decided(scene: Scene, action: str, **changed: object) -> Decided:
    found = scene.action(action)
    step = Decided(
        incident=found.request.incident, action=action, digest=found.asked.digest, verdict="grant", reason="r"
    )
    return msgspec.structs.replace(step, **changed)


def test_what_is_meant_to_count_does(scene: Scene, action: str) -> None:
    scene.decide(action, BOB)

    assert (granted(scene, action), scene.whys(action)) == (True, [""])


@pytest.mark.parametrize(
    ("person", "why"),
    [(ANN, "barred: requester"), (ANN_TOO, "barred: requester"), (EVE, "not-in-group: approvers")],
    ids=["the same key", "another key and name of the same person", "nobody of the group"],
)
def test_people_who_may_not(scene: Scene, action: str, person: Person, why: str) -> None:
    with pytest.raises(PolicyDenied):
        scene.decide(action, person)
    assert scene.whys(action) == []

    scene.inject(decided(scene, action), person)

    assert (granted(scene, action), scene.whys(action)) == (False, [why])


def test_another_name_of_the_same_key(scene: Scene) -> None:
    """The allowed signers give Ann's key Bob's name as well, from before the incident is opened."""
    allowed = scene.folder / "allowed"
    before = allowed.read_text()
    allowed.write_text(before + Person("carl@example.com", 1).line())
    name = scene.asked(scene.open(title="two names"))
    allowed.write_text(before)
    scene.inject(decided(scene, name), ANN)

    assert (granted(scene, name), scene.whys(name)) == (False, ["barred: requester"])


def test_a_file_of_ones_own_makes_nobody_somebody_else(scene: Scene, action: str) -> None:
    """Ann's own allowed-signers file calls a key of hers Bob: it is not the file that was sealed at the opening."""
    own = ALONE.line().encode()
    (scene.folder / "allowed").write_text((scene.folder / "allowed").read_text() + ALONE.line())
    with pytest.raises(UsageError, match="give the key no name"):
        scene.decide(action, ALONE)
    data = text_of(decided(scene, action))
    scene.inject_text(data, ALONE.sign(data, space=DECISION_NAMESPACE), allowed=own)

    assert (granted(scene, action), scene.whys(action)) == (False, [])
    assert odd(scene, action) == ["a decision that nobody signed"]


def test_who_asks_without_signing_cannot_approve_from_the_account(scene: Scene) -> None:
    scene.account = "shared@host"
    name = scene.asked(scene.open(title="unsigned"), None)
    assert scene.action(name).request.decision.verdict is Verdict.DENY
    broken = scene.asked(scene.open(title="unsigned"), None, break_glass=True)
    scene.inject(decided(scene, broken), BOB, by="shared@host")

    assert scene.whys(broken) == ["barred: requester"]
    assert where(scene.action(broken), scene.now) is Where.DENIED


@pytest.mark.parametrize("named", [True, False], ids=["who is to do it", "who did it"])
def test_who_does_it_does_not_approve_it(scene: Scene, named: bool) -> None:
    name = scene.asked(scene.open(title=f"executor {named}"), executor="bob@example.com" if named else None)
    scene.account = "other@host"
    if named:
        with pytest.raises(PolicyDenied, match="is to do it"):
            scene.decide(name, BOB)
        return
    scene.decide(name, BOB)
    told = scene.done(name, BOB)

    assert (told.where, told.why) == (Where.UNAPPROVED, "nobody had approved it")
    assert scene.whys(name) == ["barred: executor"]


def test_an_approval_from_before_the_request(scene: Scene) -> None:
    """Whoever can foresee the whole text of a request cannot have it approved before it is sealed."""
    incident = scene.open(title="foreseen")
    name = scene.asked(incident)
    request = scene.action(name).request
    other = msgspec.structs.replace(request, action="ac-foreseen")
    early = Decided(
        incident=incident, action="ac-foreseen", digest=digest_of(other), verdict="grant", reason="in advance"
    )
    with pytest.raises(NotFound):
        deciding.decision(scene.desk, "ac-foreseen", "grant", "in advance")
    scene.inject(early, BOB)
    scene.inject(other, ANN, log="operations")

    assert (granted(scene, "ac-foreseen"), scene.whys("ac-foreseen")) == (False, ["too-early"])


@pytest.mark.parametrize("which", ["action", "digest", "incident"])
def test_an_approval_of_something_else(scene: Scene, action: str, which: str) -> None:
    """A grant that Bob signed for another action, text or incident is sealed again for this one."""
    other = scene.asked(scene.open(title="harmless"), targets=("aws_akid:aws:AKIAHARMLESS",))
    mine, its = decided(scene, action), decided(scene, other)
    changed = {
        "action": msgspec.structs.replace(its, action=action),
        "digest": msgspec.structs.replace(mine, digest=its.digest),
        "incident": msgspec.structs.replace(mine, incident=its.incident),
    }[which]
    scene.inject(changed, BOB)

    assert not granted(scene, action)
    assert not granted(scene, other)


def test_a_signature_over_something_else(scene: Scene, action: str) -> None:
    other = scene.asked(scene.open(title="harmless"), targets=("aws_akid:aws:AKIAHARMLESS",))
    armored = BOB.sign(text_of(decided(scene, other)), space=DECISION_NAMESPACE)
    scene.inject_text(text_of(decided(scene, action)), armored)
    in_another_space = BOB.sign(text_of(decided(scene, action)), space="custody-register")
    scene.inject_text(text_of(decided(scene, action)), in_another_space)

    assert (granted(scene, action), scene.whys(action)) == (False, [])
    assert odd(scene, action) == ["a decision that nobody signed"] * 2


def test_a_grant_is_sealed_again_after_it_was_taken_back(scene: Scene, action: str) -> None:
    scene.decide(action, BOB)
    prepared = deciding.decision(scene.desk, action, "grant", "it is what was agreed")
    old = BOB.sign(prepared.text, space=DECISION_NAMESPACE)
    scene.decide(action, BOB, "withdraw")
    with pytest.raises(IntentRefused, match="decided before"):
        deciding.decide(scene.desk, prepared, old)
    scene.inject_text(prepared.text, old)

    assert not granted(scene, action)
    assert [each.partition(":")[0] for each in scene.whys(action)] == ["withdrawn", "withdraws", "second-decision"]


def test_after_it_has_lapsed(scene: Scene, action: str) -> None:
    scene.now += 31 * MINUTE
    with pytest.raises(IntentRefused, match="after the time"):
        scene.decide(action, BOB)
    scene.inject(decided(scene, action), BOB)

    assert (granted(scene, action), scene.whys(action)) == (False, ["too-late"])


def test_nobody_takes_back_what_another_granted(scene: Scene, action: str) -> None:
    scene.decide(action, BOB)
    for person in (ANN, CARL):
        with pytest.raises(BrokerError):
            scene.decide(action, person, "withdraw")
        scene.inject(decided(scene, action, verdict="withdraw"), person)

    assert granted(scene, action)


def test_two_grants_of_one_person_are_one(scene: Scene) -> None:
    name = scene.asked(scene.open(title="two of one"), CARL, kind=ActionKind.ENABLE)
    scene.account = "other@host"
    scene.decide(name, ANN)
    with pytest.raises(IntentRefused, match="decided before"):
        scene.decide(name, ANN_TOO)
    scene.inject(decided(scene, name), ANN_TOO)
    scene.inject(decided(scene, name, reason="again"), ANN)

    assert (granted(scene, name), scene.whys(name)) == (False, ["", "second-decision", "second-decision"])
    scene.decide(name, DORA)
    assert granted(scene, name)


def test_a_decision_of_the_broker_is_none_of_an_incident(scene: Scene, action: str) -> None:
    """What ``custody approve`` seals in the same log, signed in the same namespace, with the names of this action."""
    request = scene.action(action)
    other = BrokerDecision(
        request=action, broker="b", chain="cc-1", digest=request.asked.digest, verdict="grant",
        approver="person:ssh:bob@example.com", method="ssh", reason="r", at=str(text(scene.now)),
    )  # fmt: skip
    signature = BOB.sign(signed_text(other), space=DECISION_NAMESPACE)
    with ApprovalsWriter.open(scene.settings.store, scene.settings.approval_keys) as writer:
        writer.seal(other.what, fields_of(msgspec.structs.replace(other, signature=signature.decode())))
    scene.inject_text(text_of(decided(scene, action)), signature)
    unread = len(reading.read(scene.settings).unread)
    scene.inject_text(signed_text(other), signature)

    assert (granted(scene, action), scene.whys(action)) == (False, [])
    assert len(reading.read(scene.settings).unread) == unread + 1


@pytest.mark.parametrize("how", ["unsigned", "wrong log", "another spelling"])
def test_a_membership_or_a_decision_that_is_only_said(scene: Scene, action: str, how: str) -> None:
    step = decided(scene, action)
    if how == "unsigned":
        scene.inject(step, None, by="bob@example.com")
    elif how == "wrong log":
        scene.inject(step, BOB, log="operations")
    else:
        data = text_of(step).replace(b'":', b'": ', 1)
        scene.inject_text(data, BOB.sign(data, space=DECISION_NAMESPACE))

    assert (granted(scene, action), scene.whys(action)) == (False, [])


FORGED: dict[str, Callable[[Asked], Asked]] = {
    "allowed": lambda asked: msgspec.structs.replace(
        asked, decision=msgspec.structs.replace(asked.decision, verdict=Verdict.ALLOW, asked=None)
    ),
    "another group": lambda asked: msgspec.structs.replace(
        asked, decision=msgspec.structs.replace(asked.decision, asked=_asked(asked, group="responders"))
    ),
    "more time": lambda asked: msgspec.structs.replace(asked, lapses="2030-01-01T00:00:00Z"),
    "another moment": lambda asked: msgspec.structs.replace(
        asked,
        decision=msgspec.structs.replace(
            asked.decision, context={**asked.decision.context, "now": "2026-11-20T00:00:00Z"}
        ),
    ),
    "no moment": lambda asked: msgspec.structs.replace(
        asked, decision=msgspec.structs.replace(asked.decision, context={})
    ),
    "other targets": lambda asked: msgspec.structs.replace(asked, targets=("a", "b")),
    "break-glass": lambda asked: msgspec.structs.replace(asked, break_glass=True),
    "another asker": lambda asked: msgspec.structs.replace(asked, asker="carl@example.com"),
}


def _asked(asked: Asked, **changed: object) -> object:
    assert asked.decision.asked is not None
    return msgspec.structs.replace(asked.decision.asked, **changed)


@pytest.mark.parametrize("how", FORGED)
def test_a_request_with_a_decision_of_ones_own(scene: Scene, action: str, how: str) -> None:
    """Ann has the key of the operations log and seals a request of her own making: it is decided again, and denied."""
    forged = msgspec.structs.replace(FORGED[how](scene.action(action).request), action=f"ac-{how}")
    scene.inject(forged, ANN, log="operations")
    found = scene.action(f"ac-{how}")

    assert found.overruled
    assert where(found, scene.now) is Where.DENIED
    scene.inject(decided(scene, f"ac-{how}"), BOB)
    assert not granted(scene, f"ac-{how}")


def test_a_request_is_edited_after_it_was_approved(scene: Scene, action: str) -> None:
    scene.decide(action, BOB)
    edited = msgspec.structs.replace(scene.action(action).request, content=("delete everything",))
    scene.inject(edited, ANN, log="operations")

    assert scene.action(action).request.content == ("switch the key off",)
    assert odd(scene, action) == ["an action of this id was asked for before"]


def test_an_incident_is_opened_a_second_time_with_other_rules(scene: Scene, action: str) -> None:
    """A response file that makes Ann's other key somebody else holds for what is opened with it, and for no other."""
    incident = reading.read(scene.settings).of_action(action)
    other = msgspec.structs.replace(incident.opening, response="0" * 64)
    scene.inject(other, ANN, log="operations")
    scene.inject(decided(scene, action), ANN_TOO)

    assert (granted(scene, action), scene.whys(action)) == (False, ["barred: requester"])
    assert reading.read(scene.settings).of_action(action).opening == incident.opening


def test_an_incident_without_rules_has_nobody_who_approves(scene: Scene, action: str) -> None:
    whole = reading.read(scene.settings).of_action(action).opening
    scene.inject(msgspec.structs.replace(whole, incident="in-bare", response=None), None, log="operations")
    with pytest.raises(UsageError, match="whose the key is cannot be said"):
        scene.act("in-bare")
    told = scene.act("in-bare", None)

    assert (told.where, told.why) == (Where.DENIED, "no-permit-matched")


def test_doing_first_is_visible_for_good(scene: Scene, action: str) -> None:
    told = scene.done(action)
    scene.inject(decided(scene, action), BOB)
    found = scene.action(action)

    assert (told.where, told.why) == (Where.UNAPPROVED, "nobody had approved it")
    assert [unapproved(found, each) for each in found.done] == ["nobody had approved it"]
    with pytest.raises(IntentRefused, match="done already"):
        scene.decide(action, BOB)


def test_nothing_of_all_this_damaged_the_store(shared: Scene) -> None:
    assert verify(shared.settings.store, processes=1).problems == ()
    assert shared.now > NOW


def test_a_signer_is_held_to_the_name_in_the_text(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signer who says that their key is Ann's and signs with another: the text would name somebody else."""
    incident = scene.open(title="mixed")
    mixed = msgspec.structs.replace(signer(ANN), sign=signer(BOB).sign)
    monkeypatch.setattr("tests.pipeline.incidents.scene.signer", lambda _: mixed)
    with pytest.raises(CustodyError, match="somebody else signed"):
        scene.asked(incident)

    assert scene.incident(incident).actions == ()
