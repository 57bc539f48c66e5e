"""More routes by which somebody could approve their own action: other names, other keys, other files, other stores."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import msgspec
import pytest

from custody.errors import IntentRefused, PolicyDenied
from custody.incidents.record.folding import Where
from custody.incidents.record.weighing import approved, by_other, unapproved, where
from custody.incidents.told import done as told_done
from custody.ledger.entry import StatementEntry
from custody.model.incidents import (
    DECISION_NAMESPACE,
    STEP_NAMESPACE,
    ActionKind,
    Decided,
    Done,
    Seed,
    SeedKind,
    text_of,
)
from custody.model.times import text
from custody.model.verdicts import Severity
from custody.pipeline import sealed_text
from custody.pipeline.incidents import acting, closing, reading
from custody.pipeline.incidents.closing import Judgement
from custody.pipeline.registering import documents
from custody.store.reader import Reader
from tests.pipeline.incidents.scene import ANN_TOO, CARL, DORA, EVE, KEY, MINUTE, RESPONSE, Scene, signer
from tests.ssh_signing import ANN, BOB, Person

OTHER = Person("zoe@example.com", 88)
"""Another key that Ann has."""


def called(name: str, person: Person = OTHER, options: str = "") -> str:
    """A line of allowed signers that gives a key another name."""
    return person.line(options).replace(person.name, name, 1)


def opened(scene: Scene, lines: str, members: str = "", title: str = "") -> str:
    """An incident whose sealed signers have more lines, and whose approvers have more members."""
    allowed, response = scene.folder / "allowed", scene.folder / "response.toml"
    before = allowed.read_text()
    allowed.write_text(before + lines)
    response.write_text(RESPONSE.replace("approvers = [", f"approvers = [{members}"))
    name = scene.open(title=title or f"at {scene.now}")
    allowed.write_text(before)
    response.write_text(RESPONSE)
    return name


def decided(scene: Scene, action: str, **changed: object) -> Decided:
    found = scene.action(action)
    step = Decided(
        incident=found.request.incident, action=action, digest=found.asked.digest, verdict="grant", reason="r"
    )
    return msgspec.structs.replace(step, **changed)


def tried(scene: Scene, action: str, person: Person) -> tuple[bool, list[str], list[str]]:
    """Past the commands: whether it is approved then, what the decisions weigh, and why steps about it are odd."""
    scene.now += MINUTE
    scene.inject(decided(scene, action), person)
    odd = reading.read(scene.settings).of_action(action).odd
    return approved(scene.action(action), scene.now), scene.whys(action), [each.why for each in odd]


UNSIGNED = "a decision that nobody signed"
BARRED = "barred: requester"
NAMES: dict[str, tuple[str, str, Person, list[str], list[str]]] = {
    "the certificate of an authority": (called("bob@example.com", options="cert-authority"), "", OTHER, [], [UNSIGNED]),
    "her own key as an authority, too": (called("bob@example.com", ANN, "cert-authority"), "", ANN, [BARRED], []),
    "the name in the comment": (
        called("nobody@example.com").replace("\n", " bob@example.com\n"), "", OTHER, ["not-in-group: approvers"], [],
    ),
    "a pattern": (called("*@example.com"), "", OTHER, [], [UNSIGNED]),
    "a pattern that takes her own name away": (called("*@example.com,!zoe@example.com"), "", OTHER, [], [UNSIGNED]),
    "a name that is taken away again": (called("bob@example.com,!bob@*"), "", OTHER, [], [UNSIGNED]),
    "a line that is commented out": (f"#{called('bob@example.com')}", "", OTHER, [], [UNSIGNED]),
    "another case of her name": (called("ANN@Example.COM"), '"ANN@Example.COM", ', OTHER, [BARRED], []),
    "other letters that look the same": (
        called("\uff41nn@example.com"), '"\uff41nn@example.com", ', OTHER, [BARRED], [],
    ),
    "the name of the group": (called("approvers", ANN), '"approvers", ', ANN, [BARRED], []),
    "a key for another namespace": (called("bob@example.com", options=f'namespaces="{STEP_NAMESPACE}"'), "", OTHER, [],
                                    [UNSIGNED]),
    "one key with a name for each namespace": (
        called("zoe@example.com", ANN, f'namespaces="{DECISION_NAMESPACE}"'), '"zoe@example.com", ', ANN, [BARRED], [],
    ),
    "one key with a name before and one after": (
        called("zoe@example.com", ANN, 'valid-after="20200101Z"'), '"zoe@example.com", ', ANN, [BARRED], [],
    ),
    "a key that is not valid any more": (
        called("bob@example.com", options='valid-before="20260101Z"'), "", OTHER, [], [UNSIGNED],
    ),
    "a key that is not valid yet": (
        called("bob@example.com", options='valid-after="20270101Z"'), "", OTHER, [], [UNSIGNED],
    ),
    "the key of a member of no group": ("", "", EVE, ["not-in-group: approvers"], []),
}  # fmt: skip


@pytest.fixture(scope="module")
def found(shared: Scene) -> dict[str, tuple[list[str], list[str]]]:
    """What each route of another key came to: all in one action, each by a key of its own; nothing approves it."""
    keys = {route: Person(OTHER.name, 100 + place) for place, route in enumerate(NAMES) if NAMES[route][2] is OTHER}
    lines = "".join(NAMES[route][0].replace(_written(OTHER), _written(key)) for route, key in keys.items())
    action = shared.asked(opened(shared, lines, "".join(NAMES[route][1] for route in keys)))
    shared.now += MINUTE
    leaves = {route: shared.inject(decided(shared, action), key).leaf for route, key in keys.items()}
    assert not approved(shared.action(action), shared.now)
    weighed = {each.heard.leaf: each.why for each in shared.action(action).decisions}
    odd = {each.heard.leaf: each.why for each in reading.read(shared.settings).of_action(action).odd}
    return {
        route: ([weighed[leaf]] if leaf in weighed else [], [odd[leaf]] if leaf in odd else [])
        for route, leaf in leaves.items()
    }


def _written(person: Person) -> str:
    return b64encode(person.key).decode()


@pytest.mark.parametrize("route", NAMES)
def test_no_line_of_the_sealed_signers_makes_her_somebody_else(
    scene: Scene, found: dict[str, tuple[list[str], list[str]]], route: str
) -> None:
    """The sealed file has a line more; its key is Ann's, or one that she has."""
    lines, members, person, whys, odd = NAMES[route]
    if person is OTHER:
        assert found[route] == (whys, odd)
        return
    action = scene.asked(opened(scene, lines, members))

    assert tried(scene, action, person) == (False, whys, odd)


def test_people_of_the_register_are_one_person_under_every_name_they_ever_had(scene: Scene) -> None:
    """A later version that forgets it, or a team that has both, changes nothing of that."""
    zoe = OTHER.line(), '"zoe@example.com", '
    assert tried(scene, scene.asked(opened(scene, *zoe)), OTHER) == (True, [""], [])
    both = "'person:ssh:ann@example.com', 'person:ssh:zoe@example.com'"
    every = (("ann@corp.example", both), ("ann@corp.example", "'person:ssh:ann@example.com'"))
    scene.now += MINUTE
    for party, members in every:
        data = f"version: 1\nregister: people\nidentities: {{}}\nparties:\n  {party}: {{members: [{members}]}}\n"
        with scene.writer() as writer, Reader.open(scene.settings.store) as reader:
            documents.seal(writer, reader, data.encode(), "people", None, by="x", now=str(text(scene.now)))
    action = scene.asked(opened(scene, *zoe))

    assert tried(scene, action, OTHER) == (False, [BARRED], [])


def test_what_was_denied_and_asked_for_again_under_another_name_is_still_her_own(scene: Scene) -> None:
    name = scene.open(title="again")
    first = scene.asked(name)
    scene.decide(first, CARL, "deny")
    second = scene.asked(name, ANN_TOO)

    assert second != first
    with pytest.raises(PolicyDenied):
        scene.decide(second, ANN)
    assert tried(scene, second, ANN) == (False, [BARRED], [])
    assert where(scene.action(first), scene.now) is Where.DENIED


def split(count: int, start: int = 0) -> tuple[str, ...]:
    return tuple(f"aws_akid:aws:AKIASPLIT{number:011}" for number in range(start, start + count))


@pytest.mark.parametrize("glass", [False, True], ids=["at once", "break-glass"])
def test_one_action_divided_into_many_is_as_large_as_it_was(scene: Scene, glass: bool) -> None:
    """25 targets need nobody; whoever asks for ten, ten, and six waits for somebody, or is refused."""
    name = scene.open(severity=Severity.HIGH if glass else Severity.CRITICAL, title=f"divided {glass}")
    told = [scene.act(name, ANN, targets=split(10, start), break_glass=glass).where for start in (0, 10)]
    third = scene.act(name, BOB, targets=split(6, 20), break_glass=glass)
    same = scene.act(name, BOB, targets=split(25 - 20, 20), break_glass=glass)

    assert told == [Where.READY] * 2
    assert third.where is (Where.DENIED if glass else Where.WAITING)
    assert same.where is Where.READY
    step = third.sealed.step
    small = scene.action(str(getattr(same.sealed.step, "action", ""))).request
    forged = msgspec.structs.replace(small, action=f"ac-forged-{glass}", targets=getattr(step, "targets", ()))
    scene.inject(forged, BOB, log="operations")
    assert scene.action(f"ac-forged-{glass}").overruled == "the sealed policies and limits come to something else"


def test_what_is_widened_after_the_approval_widens_no_action(scene: Scene) -> None:
    name = scene.open(title="widened")
    action = scene.asked(name)
    scene.decide(action, BOB)
    closing.widen(scene.desk, name, (Seed(kind=SeedKind.IDENTITY, value="everything"),), "more", signer(ANN))

    assert scene.action(action).request.targets == (KEY,)
    assert approved(scene.action(action), scene.now)
    more = scene.asked(name, targets=(KEY, "everything"))
    assert not approved(scene.action(more), scene.now)


def test_an_approval_from_before_a_close_is_spent(scene: Scene) -> None:
    name = scene.open(title="reopened")
    action = scene.asked(name)
    scene.decide(action, BOB)
    acting.settle(scene.desk, action, "withdrawn", "not needed", signer(ANN))
    closing.close(scene.desk, name, "over", lambda _: Judgement(), signer(ANN))
    closing.reopen(scene.desk, name, "not over", signer(ANN))
    told = scene.done(action)

    assert (told.where, told.why) == (Where.UNAPPROVED, "it had been settled before")


def test_an_approval_out_of_another_store_approves_nothing_here(scene: Scene, tmp_path: Path) -> None:
    """Whoever has the keys of this store seals here, word for word, what was asked and approved in a rehearsal."""
    other = Scene(tmp_path / "rehearsal")
    other.now, other.drawn = scene.now, 7000
    name = other.open()
    action = other.asked(name)
    other.decide(action, BOB)
    with Reader.open(other.settings.store) as reader:
        (response,) = reader.statements("response-file")
        rules = sealed_text.read(reader, response)
    with scene.writer() as writer, Reader.open(scene.settings.store) as reader:
        if sealed_text.digest(rules) not in {
            str(each.entry.fields["sha256"]) for each in reader.statements("response-file")
        }:
            sealed_text.seal(writer, "response-file", rules, {})
    for each in reading.read(other.settings).heard:
        scene.inject_text(text_of(each.step), _armored(other, each.leaf.log, each.leaf.index), log=each.leaf.log)
    here = scene.incident(name)

    assert approved(other.action(action), scene.now)
    assert [each.signature is not None for each in here.heard] == [True]
    assert here.actions == ()
    assert [each.why for each in here.odd] == ["it was asked for in another log", "no such action was asked for"]


def _armored(scene: Scene, log: str, leaf: int) -> bytes:
    from custody.pipeline import approvals

    with Reader.open(scene.settings.store) as reader:
        said = reader.statements("incident-step") + approvals.everything(scene.settings.store).statements(
            "incident-decision"
        )
    what = "incident-step" if log == "operations" else "incident-decision"
    (entry,) = (each.entry for each in said if each.leaf == leaf and each.entry.what == what)
    assert isinstance(entry, StatementEntry)
    return str(entry.fields["signature"]).encode()


def test_access_that_the_incident_gave_makes_nobody_an_approver(scene: Scene) -> None:
    name = scene.open(title="given")
    until = str(text(scene.now + 30 * MINUTE))
    given = scene.asked(name, EVE, kind=ActionKind.EMERGENCY, targets=("approvers",), until=until)
    scene.decide(given, BOB)
    scene.done(given, EVE)
    action = scene.asked(name, ANN)

    assert where(scene.action(given), scene.now) is Where.DONE
    assert tried(scene, action, EVE) == (False, ["not-in-group: approvers"], [])


def test_who_granted_it_and_took_that_back_does_not_review_it(scene: Scene) -> None:
    action = scene.asked(scene.open(title="back and forth"), break_glass=True)
    scene.done(action)
    scene.now += MINUTE
    scene.decide(action, BOB)
    scene.now += MINUTE
    scene.decide(action, BOB, "withdraw")
    with pytest.raises(IntentRefused, match="its author granted it"):
        scene.review(action, BOB)
    assert scene.review(action, DORA).sealed


def test_a_request_that_another_signed_is_not_made_ones_own_by_sealing_it_again(scene: Scene) -> None:
    """Ann seals Bob's request once more under her account: it stays his, and he cannot approve it."""
    name = scene.open(title="his")
    action = scene.asked(name, BOB)
    request = scene.action(action).request
    scene.inject_text(text_of(request), BOB.sign(text_of(request), space=STEP_NAMESPACE), log="operations", by="ann@h")

    assert tried(scene, action, BOB) == (False, [BARRED], ["an action of this id was asked for before"])


@pytest.mark.parametrize("who", [CARL, ANN_TOO, None], ids=["another", "herself by another name", "an account"])
def test_who_did_it_instead_of_who_was_to_do_it_is_seen(scene: Scene, who: Person | None) -> None:
    name = scene.open(title=f"instead {scene.now}")
    action = scene.asked(name, executor="ann@example.com")
    scene.decide(action, BOB)
    scene.now += MINUTE
    scene.account = "other@host"
    scene.done(action, who)
    found, incident = scene.action(action), scene.incident(name)
    (heard,) = found.done
    author = "account:other@host" if who is None else who.name
    expected = "" if who is ANN_TOO else f"done by {author}; asked of ann@example.com"

    assert by_other(found, heard) == expected
    assert told_done(found, heard, incident).what.endswith(f" ({expected})" if expected else "switch the key off")
    assert unapproved(found, heard) == ""  # it is no refusal


def test_who_approved_it_is_its_executor_once_they_did_it_whatever_was_named(scene: Scene) -> None:
    """Executor named after the fact: Carl was to do it, Bob approved, and Bob's deed is sealed."""
    action = scene.asked(scene.open(title="after the fact"), executor="carl@example.com")
    scene.account = "other@host"
    scene.decide(action, BOB)
    request = scene.action(action).request
    at = str(text(scene.now))
    step = Done(incident=request.incident, action=action, how="broker", did=("c",), at=at)
    scene.inject(step, BOB, log="operations")
    found = scene.action(action)

    assert scene.whys(action) == ["barred: executor"]
    assert unapproved(found, found.done[0]) == "nobody had approved it"
    assert by_other(found, found.done[0]) == "done by bob@example.com; asked of carl@example.com"
