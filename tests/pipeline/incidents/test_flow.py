"""From the opening to the close over real logs: what is sealed, what is known already, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from custody.chains.ways import DENY_OLDER
from custody.errors import CustodyError, IntentRefused, NotFound, PolicyDenied, UsageError
from custody.incidents.record.folding import Incident, Where
from custody.incidents.record.weighing import approved, overdue, where
from custody.model.broker_terms import Verdict
from custody.model.incidents import ActionKind, Item, Seed, SeedKind
from custody.model.leaf import LeafRef
from custody.model.verdicts import Severity
from custody.pipeline.incidents import acting, closing, deciding, opening, reading
from custody.pipeline.incidents.closing import Judgement
from custody.pipeline.incidents.sealing import Sealed
from custody.store.verification import verify
from tests.pipeline.incidents.scene import ANN_TOO, CARL, DORA, EVE, KEY, MINUTE, NOW, Scene, key_of, signer
from tests.ssh_signing import ANN, BOB

KEYED = Seed(kind=SeedKind.KEY, value=KEY)
LATE = "2027-01-01T00:00:00Z"
SOON = "2026-11-22T10:30:00Z"
SECRET = "ghp_" + "must0not0stay" * 3


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without records, to be copied."""
    return Scene(tmp_path_factory.mktemp("fresh")).folder


@pytest.fixture
def scene(tmp_path: Path, fresh: Path) -> Scene:
    shutil.copytree(fresh, tmp_path, dirs_exist_ok=True)
    return Scene(tmp_path)


def kept(scene: Scene) -> bytes:
    return b"".join(path.read_bytes() for path in scene.settings.store.rglob("*") if path.is_file())


def test_from_the_opening_to_the_close(scene: Scene) -> None:
    name = scene.open()
    action = scene.asked(name)
    scene.now += MINUTE
    scene.decide(action, BOB)
    scene.now += MINUTE
    told = scene.done(action)
    judged: list[str] = []

    def judge(incident: Incident) -> Judgement:
        judged.append(incident.id)
        return Judgement(answers="a" * 64, as_of="2026-11-22T10:00:00Z")

    with pytest.raises(UsageError, match="not everything is over") as refused:
        closing.close(scene.desk, name, "it is over", judge, signer(ANN))
    shown = {action: (LeafRef("operations", 0),)}
    proved = closing.close(
        scene.desk, name, "it is over", lambda _: Judgement(proved=shown, as_of="2026-11-22T10:00:00Z"), signer(ANN)
    )
    found = scene.incident(name)

    assert told.where is Where.DONE
    assert action in refused.value.found
    assert judged == [name]
    assert (found.closed is not None and found.closed.leaf, found.odd) == (proved.leaf, ())
    (done,) = found.actions[0].done
    assert [leaf.log for leaf in getattr(done.step, "rests_on", ())] == ["approvals"]
    assert [each.signature.key for each in found.heard if each.signature] == [
        key_of(person) for person in (ANN, ANN, BOB, ANN, ANN)
    ]
    with pytest.raises(UsageError, match="is closed"):
        scene.asked(name)
    reopened = closing.reopen(scene.desk, name, "it goes on", signer(ANN))
    assert reopened.sealed
    assert not closing.reopen(scene.desk, name, "it goes on", signer(ANN)).sealed
    assert scene.incident(name).closed is None
    assert verify(scene.settings.store, processes=1).problems == ()


def test_what_is_said_again_is_sealed_once(scene: Scene) -> None:
    def opened() -> Sealed:
        wanted = opening.Wanted(title="t", severity=Severity.HIGH, reason="r")
        return opening.open_incident(scene.desk, wanted, signer(ANN))

    first, again = opened(), opened()
    name = first.step.incident
    asked = [scene.act(name).sealed for _ in range(2)]
    action = str(getattr(asked[0].step, "action", ""))
    scene.now += MINUTE
    granted = [scene.decide(action, BOB) for _ in range(2)]
    scene.now += MINUTE
    done = [scene.done(action).sealed for _ in range(2)]
    notes = [closing.note(scene.desk, name, "seen", [], signer(ANN)) for _ in range(2)]
    settled = [acting.settle(scene.desk, action, "accepted", "r", signer(ANN)).sealed for _ in range(2)]

    assert (first.sealed, again.sealed, again.leaf) == (True, False, first.leaf)
    for one, other in (asked, granted, done, notes, settled):
        assert (one.sealed, other.sealed, other.leaf) == (True, False, one.leaf)
    assert acting.done(scene.desk, action, ("something else",), signer(ANN)).sealed.sealed
    assert len(reading.read(scene.settings).heard) == 7


def test_the_same_asked_by_another_or_after_it_lapsed_is_another_request(scene: Scene) -> None:
    name = scene.open()
    first = scene.asked(name)
    second = scene.asked(name, BOB)
    scene.now += 3 * 60 * MINUTE
    third = scene.asked(name)

    assert len({first, second, third}) == 3


def test_the_rules_of_the_opening_hold_to_the_end(scene: Scene) -> None:
    """Whoever changes the file afterwards changes what is opened then."""
    name = scene.open()
    response = scene.folder / "response.toml"
    response.write_text(response.read_text().replace('ann = ["ann@example.com", "ann-admin@example.com"]', ""))
    action = scene.asked(name)
    with pytest.raises(PolicyDenied):
        scene.decide(action, ANN_TOO)
    wanted = opening.Wanted(title="another", severity=Severity.HIGH, reason="r")
    other = opening.open_incident(scene.desk, wanted, signer(ANN))

    assert any(each.startswith("another response file than the last") for each in other.notes)
    assert len(reading.read(scene.settings).responses) == 2


def test_without_a_response_file_people_ask_and_nobody_approves(tmp_path: Path) -> None:
    scene = Scene(tmp_path, None)
    action = scene.asked(scene.open(severity=Severity.CRITICAL))
    with pytest.raises(PolicyDenied) as refused:
        scene.decide(action, BOB)

    assert "No group approvers is named" in refused.value.advice
    assert where(scene.action(action), scene.now) is Where.WAITING


def test_a_responder_stops_at_once_what_is_critical(scene: Scene) -> None:
    name = scene.open(severity=Severity.CRITICAL)
    told = scene.act(name)
    asked = scene.act(name, EVE)

    assert told.where is Where.READY
    assert asked.where is Where.WAITING
    assert scene.done(str(getattr(told.sealed.step, "action", ""))).where is Where.DONE


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"kind": ActionKind.EMERGENCY, "until": "2026-11-22T18:00:00Z"}, "too-long"),
        ({"kind": ActionKind.ENABLE, "break_glass": True}, "no-permit-matched"),
    ],
)
def test_what_the_policies_deny_is_sealed_as_that(scene: Scene, changed: dict[str, object], why: str) -> None:
    told = scene.act(scene.open(), ANN, **changed)
    action = scene.action(str(getattr(told.sealed.step, "action", "")))

    assert (told.where, told.why) == (Where.DENIED, why)
    assert (action.request.decision.verdict, action.overruled) == (Verdict.DENY, "")


def test_a_break_glass_is_loud_until_two_others_looked(scene: Scene) -> None:
    name = scene.open()
    told = scene.act(name, break_glass=True)
    action = str(getattr(told.sealed.step, "action", ""))
    scene.now += MINUTE
    done = scene.done(action)
    proved = Judgement(proved={action: (LeafRef("operations", 0),)}, as_of="2026-11-22T10:00:00Z")
    scene.now += 31 * MINUTE

    assert (told.where, done.where, done.why) == (Where.READY, Where.UNAPPROVED, "it was done as break-glass")
    assert overdue(scene.action(action), scene.now) == ("second person",)
    with pytest.raises(UsageError, match="not everything is over") as refused:
        closing.close(scene.desk, name, "r", lambda _: proved, signer(ANN))
    assert "nobody else reviewed it" in refused.value.found
    for person in (ANN, ANN_TOO):
        with pytest.raises(PolicyDenied):
            scene.review(action, person)
    scene.review(action, DORA)
    assert closing.close(scene.desk, name, "r", lambda _: proved, signer(ANN)).sealed


def test_a_second_person_decides_in_time(scene: Scene) -> None:
    action = scene.asked(scene.open(), break_glass=True)
    scene.done(action)
    scene.now += MINUTE
    scene.decide(action, BOB)
    scene.now += 60 * MINUTE

    assert overdue(scene.action(action), scene.now) == ()
    with pytest.raises(IntentRefused, match="after the time"):
        scene.decide(action, CARL, "deny")


@pytest.mark.parametrize(
    "say",
    [
        lambda scene, name: scene.open(title=f"see {SECRET}"),
        lambda scene, name: scene.asked(name, reason=f"it was {SECRET}"),
        lambda scene, name: scene.asked(name, content=(f"curl -H 'Authorization: Bearer {SECRET}'",)),
        lambda scene, name: scene.asked(name, targets=(SECRET,)),
        lambda scene, name: closing.note(scene.desk, name, SECRET, [], signer(ANN)),
    ],
)
def test_a_secret_is_sealed_nowhere_and_told_nowhere(scene: Scene, say: Callable[[Scene, str], object]) -> None:
    name = scene.open()
    with pytest.raises(UsageError, match="looks like a secret") as refused:
        say(scene, name)

    assert "must0not0stay" not in f"{refused.value!r} {refused.value} {refused.value.advice}"
    assert b"must0not0stay" not in kept(scene)


@pytest.mark.parametrize(
    "command",
    [
        "aws iam update-access-key --access-key-id AKIAIOSFODNN7EXAMPLE --status Inactive --user-name pay",
        "bao token revoke -accessor ACCESSOR  # to revoke the token (ends the token, the tokens and the leases)",
        f"aws iam put-role-policy --role-name pay --policy-name AWSRevokeOlderSessions --policy-document {DENY_OLDER}",
        "psql -c 'ALTER ROLE \"v-app\" NOLOGIN'",
        "kubectl delete secret deploy-token -n pay",
    ],
)
def test_the_commands_that_stop_something_hold_no_secret(scene: Scene, command: str) -> None:
    assert scene.act(scene.open(), content=(command,)).sealed.sealed


@pytest.mark.parametrize(
    ("say", "error", "told"),
    [
        (lambda s, n: s.asked(n, targets=()), UsageError, "too few"),
        (lambda s, n: s.asked(n, targets=tuple(map(str, range(201)))), UsageError, "too many"),
        (lambda s, n: s.asked(n, content=()), UsageError, "too little"),
        (lambda s, n: s.asked(n, reason=" "), UsageError, "not a text"),
        (lambda s, n: s.asked(n, kind=ActionKind.EMERGENCY), UsageError, "without an end"),
        (lambda s, n: s.asked(n, until="2020-01-01T00:00:00Z"), UsageError, "ended already"),
        (lambda s, n: s.asked(n, until="tomorrow"), UsageError, "not a time"),
        (lambda s, n: s.asked("in-none"), NotFound, "no such incident"),
        (lambda s, n: s.done("ac-none"), NotFound, "no such action"),
        (lambda s, n: s.decide("ac-none", BOB), NotFound, "no such action"),
        (lambda s, n: s.done(s.asked(n), at="2026-11-22T11:00:00Z"), UsageError, "later than now"),
        (lambda s, n: s.review(s.asked(n), BOB), IntentRefused, "nothing was done yet"),
        (lambda s, n: closing.reopen(s.desk, n, "r", None), UsageError, "is not closed"),
        (lambda s, n: closing.widen(s.desk, n, (), "r", None), UsageError, "nothing to grow from"),
        (lambda s, n: closing.widen(s.desk, n, (KEYED,), "r", None), UsageError, "all of these"),
        (lambda s, n: closing.close(s.desk, n, "r", lambda _: Judgement(), None), PolicyDenied, "do not allow"),
        (lambda s, n: deciding.decision(s.desk, s.asked(n), "grant", "r", digest="0"), UsageError, "another digest"),
        (lambda s, n: deciding.decision(s.desk, s.asked(n), "deny", "r", until=SOON), UsageError, "only a grant"),
        (lambda s, n: deciding.decision(s.desk, s.asked(n), "grant", "r", until=LATE), UsageError, "lapses before"),
        (lambda s, n: opening.leaf_of(s.settings, "operations:999999"), NotFound, "no such leaf"),
        (lambda s, n: opening.leaf_of(s.settings, "x:1"), UsageError, "not a leaf"),
        (lambda s, n: opening.seeds_of(s.settings, [(SeedKind.ALERT, "0")]), NotFound, "not a record"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_and_not_sealed(
    scene: Scene, say: Callable[[Scene, str], object], error: type[CustodyError], told: str
) -> None:
    name = scene.open()
    with pytest.raises(error, match=told):
        say(scene, name)

    assert {type(each.step).__name__ for each in reading.read(scene.settings).heard} <= {"Opened", "Asked"}


def test_the_checklist_is_that_of_the_response_file(tmp_path: Path) -> None:
    scene = Scene(tmp_path, '[groups]\n[people]\n[limits]\nlapse = "5m"\n')
    file = scene.folder / "response.toml"
    file.write_text('checklist = ["new credential"]\n')
    name = scene.open()
    leaf = LeafRef("operations", 0)
    found = closing.claim(scene.desk, name, Item.NEW_CREDENTIAL, "pay", "issued anew", [leaf], signer(ANN))
    with pytest.raises(UsageError, match="not on the checklist"):
        closing.claim(scene.desk, name, Item.OWNER_SIGNS, "pay", "r", [], signer(ANN))
    prepared = deciding.vouch(scene.desk, name, "pay", "it may work again")
    vouched = deciding.decide(scene.desk, prepared, DORA.sign(prepared.text, space="custody-approval"))

    incident = scene.incident(name)
    assert [each.leaf for each in incident.claims] == [found.leaf]
    assert [each.leaf for each in incident.vouched] == [vouched.leaf]


def test_what_was_known_at_a_time(scene: Scene) -> None:
    action = scene.asked(scene.open())
    before = scene.now
    scene.now += MINUTE
    scene.decide(action, BOB)
    name = scene.action(action).request.incident

    then = reading.one(scene.settings, name, before).action(action)
    now = reading.one(scene.settings, name).action(action)
    assert then is not None
    assert now is not None
    assert (approved(then, scene.now), approved(now, scene.now)) == (False, True)
    with pytest.raises(NotFound):
        reading.one(scene.settings, name, NOW - MINUTE)
