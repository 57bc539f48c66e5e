"""Clocks that are apart prove nothing and violate nothing; and what outlived an end is ended by another action."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from custody.incidents.judging import conduct, endings, exposure
from custody.incidents.judging.answers import VERIFIED, answers
from custody.incidents.judging.checklist import checklist
from custody.incidents.judging.endings import Facts
from custody.incidents.judging.outcomes import facts, outcomes
from custody.incidents.judging.surviving import SURVIVES
from custody.incidents.record.folding import Incident
from custody.incidents.scope.grounds import Grounds
from custody.incidents.scope.reaching import scope
from custody.incidents.seen import Outcome
from custody.model.incidents import ActionKind, Item, SeedKind
from custody.model.report import ClockRef
from custody.model.verdicts import State
from tests.incidents.evidence_estate import CONTRACT, Trail, at, key
from tests.incidents.evidence_grounds import grounds_over, inputs
from tests.incidents.evidence_steps import ALLOWED, TWO, Told, seed

REVOKE, CONTAIN = ActionKind.REVOKE, ActionKind.CONTAIN
TRAIL, VAULT, DATABASE = "aws.cloudtrail", "vault.audit", "postgresql"
ROLE = "db_role:postgresql:v-kubernet-app-RRRRRRRRRRRRRRRR0001-1772445600"


def _trail() -> Trail:
    found = Trail()
    for name in ("good", "lag", "core", "tail"):
        found.made("09:30", name)
        found.used("09:40", name)
    found.switched("10:50", "tail", "Inactive")
    for name in ("good", "core"):
        found.switched("11:05", name, "Inactive")
    found.used("11:20", "odd")
    found.used("11:30", "lag")
    found.switched("12:00", "lag", "Inactive")
    found.call("12:45", "ops", "DescribeInstances")
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    with grounds_over(tmp_path_factory.mktemp("clocks"), [_trail().file()], CONTRACT) as found:
        yield found


@pytest.fixture(scope="module")
def role(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    """Dropped at 10:01:00; a session of it is open from 10:00:01 to 10:11:00."""
    with grounds_over(tmp_path_factory.mktemp("role"), inputs("session_survives_its_role")) as found:
        yield found


def apart(grounds: Grounds, one: str, other: str, seconds: float) -> Grounds:
    """The same, with the clocks of two sources measured so far apart."""
    clock = ClockRef(source=one, other=other, apart=seconds, widest=seconds, samples=5, how="made in both")
    report = msgspec.structs.replace(grounds.report, clocks=(clock,))
    return msgspec.structs.replace(grounds, report=report)


def words(state: str, *more: str | None) -> str:
    return " ".join(filter(None, (state, *more)))


@pytest.mark.parametrize(
    ("granted", "sources", "seconds", "expected"),
    [
        ("11:01", (TRAIL, VAULT), 0, "proved"),
        ("11:04", (TRAIL, VAULT), 0, "proved"),
        ("11:04:01", (TRAIL, VAULT), 0, "unproven: the logs show it at"),
        ("11:05:30", (TRAIL, VAULT), 0, "unproven: the logs show it at"),
        ("11:06", (TRAIL, VAULT), 0, "unproven: the logs show it at"),
        ("11:06:01", (TRAIL, VAULT), 0, "unproven: the logs show a change at"),
        ("11:01", (VAULT, TRAIL), 180, "proved"),
        ("11:02", (VAULT, TRAIL), 180, "unproven: the logs show it at"),
        ("11:02", (TRAIL, VAULT), -180, "unproven: the logs show it at"),
        ("11:02", (VAULT, DATABASE), 180, "proved"),
        ("11:08", (VAULT, TRAIL), 180, "unproven: the logs show it at"),
        ("11:09:30", (VAULT, TRAIL), 180, "unproven: the logs show a change at"),
    ],
)
def test_that_it_was_approved_before_is_proved_past_what_the_clocks_may_be_apart(
    made: Grounds, granted: str, sources: tuple[str, str], seconds: float, expected: str
) -> None:
    """The key was ended at 11:05 by the clock of its own log."""
    grounds = apart(made, *sources, seconds)
    told = Told()
    asked = told.ask(REVOKE, key("good"), decision=TWO)
    told.decide(asked, granted, "lea")
    told.done(asked, "11:10")
    incident = told.incident()
    found = conduct.inside(grounds, incident, outcomes(grounds, incident))
    (approved,) = (each for each in found.parts if "approved before" in each or "the logs show" in each)

    assert approved.replace(f"revoke {incident.actions[0].id}: ", "").startswith(expected), found.parts
    assert (found.state == "proved") == (expected == "proved")


@pytest.mark.parametrize(
    ("name", "seconds", "expected"),
    [
        ("odd", 0, "violated observed"),
        ("odd", 779, "violated observed"),
        ("odd", 780, "unproven indicated"),
        ("lag", 0, "unproven indicated"),
        ("lag", 1380, "proved issuer-enforced"),
    ],
)
def test_a_success_inside_of_what_the_clocks_are_apart_violates_nothing(
    made: Grounds, name: str, seconds: float, expected: str
) -> None:
    """Successes at 11:20 and 11:30, and it is said to be done at 11:05; of the second a record shows the end later."""
    told = Told()
    told.done(told.ask(REVOKE, key(name)), "11:05")
    (found,) = outcomes(apart(made, TRAIL, VAULT, seconds), told.incident())

    assert words(found.judged.state, found.judged.basis, found.judged.best) == expected, found.judged.text


@pytest.mark.parametrize(("seconds", "expected"), [(0.0, "proved"), (100.0, "proved"), (180.0, "unproven")])
def test_a_new_credential_from_about_when_it_was_asked_may_be_an_old_one(
    grounds: Grounds, seconds: float, expected: str
) -> None:
    """The old key was to be replaced from 11:00 on; the log dates the new one at 11:02, and its clock may be ahead."""
    told = Told()
    told.done(told.ask(ActionKind.ROTATE, key("rot")))
    (found,) = outcomes(apart(grounds, TRAIL, VAULT, seconds), told.incident())

    assert found.judged.state == expected, found.judged.text
    assert ("the clocks may be" in found.judged.text) == (expected == "unproven")


@pytest.mark.parametrize(
    ("state", "last", "expected"),
    [
        (State.PROVED, "10:40", "proved"),
        (State.VIOLATED, "10:40", "indicated"),
        (State.UNPROVEN, "10:40", "indicated"),
        (State.PROVED, "11:06", "indicated"),
    ],
)
def test_containment_is_proved_where_what_may_belong_to_it_is_proved_to_be_over(
    made: Grounds, state: State, last: str, expected: str
) -> None:
    incident = Told(seed(SeedKind.KEY, key("core"))).incident()
    reach = scope(made, incident.seeds)
    (core,) = reach.credentials
    tail = msgspec.structs.replace(core, key=key("tail"), join="inferred", depth=1)
    reach = msgspec.structs.replace(reach, credentials=(core, tail))
    known = facts(made, [key("core"), key("tail")])
    verdict = msgspec.structs.replace(known.verdicts[key("tail")], state=state)
    known = msgspec.structs.replace(
        known,
        verdicts={**known.verdicts, key("tail"): verdict},
        last={**known.last, key("tail"): (at(last), 1)},
    )
    (contained,) = (each for each in exposure.points(made, incident, reach, known) if each.name == "containment")

    assert (contained.at, contained.grade) == (at("11:05"), expected)


def _played(first: bool, asked: str, done: str | None) -> Told:
    """Dropped, as the first action asked for, and then what was left of it ended, as another did."""
    told = Told(seed(SeedKind.KEY, ROLE), aware="09:59", opened="09:59")
    if first:
        told.done(told.ask(REVOKE, ROLE, clock="10:00:30", decision=ALLOWED), "10:01:05")
    again = told.ask(CONTAIN, ROLE, clock=asked, decision=ALLOWED)
    if done is not None:
        told.done(again, done)
    return told


def _became(grounds: Grounds, incident: Incident) -> tuple[Outcome, ...]:
    return outcomes(grounds, incident, scope(grounds, incident.seeds))


@pytest.mark.parametrize(
    ("first", "asked", "done", "expected"),
    [
        (True, "10:05", "10:11", "proved"),
        (True, "10:05", "10:10:00", "proved"),
        (True, "10:05", "10:09:59", "violated"),
        (True, "10:01:30", "10:11", "proved"),
        (True, "10:05", None, "open"),
        (True, "10:00:40", None, "open"),
        (False, "10:05", "10:11", "proved"),
        (False, "10:01:30", "10:11", "violated"),
        (False, "10:00:30", "10:11", "violated"),
    ],
)
def test_another_action_ends_what_outlived_the_first(
    role: Grounds, first: bool, asked: str, done: str | None, expected: str
) -> None:
    found = _became(role, _played(first, asked, done).incident())

    assert [each.judged.state for each in found] == [*(["violated"] if first else []), expected], found
    assert [bool(each.surviving) for each in found] == [*([True] if first else []), expected != "proved"]


def test_nothing_survives_once_all_that_outlived_the_end_is_over(role: Grounds) -> None:
    incident = _played(True, "10:05", "10:11").incident()
    reach = scope(role, incident.seeds)
    found = {each.question: each for each in answers(role, incident, reach, _became(role, incident))}

    assert reach.surviving == ()
    assert (found[VERIFIED].state, found[SURVIVES].state) == ("violated", "proved")


def test_old_credentials_that_ended_late_have_ended(role: Grounds) -> None:
    incident = _played(True, "10:05", "10:11").incident()
    reach = scope(role, incident.seeds)
    became = _became(role, incident)
    (old,) = checklist(role, incident, reach, became, [Item.OLD_ENDED])

    assert old.judged.state == "proved"
    assert "1 of 1 credential ended, one of them late" in old.judged.text
    assert [each.judged.state for each in became] == ["violated", "proved"]


def _known(role: Grounds, **changed: object) -> Facts:
    """What is known of the role; ``changed`` is of its session, ``last`` its last success."""
    known = facts(role, [ROLE])
    (session,) = known.sessions
    more = changed.pop("last", None)
    last = known.last if more is None else {ROLE: (at(str(more)), 1)}
    return msgspec.structs.replace(known, last=last, sessions=(msgspec.structs.replace(session, **changed),))


def test_what_goes_on_after_an_end_is_not_quiet(role: Grounds) -> None:
    known = _known(role)

    assert endings.quiet(known, ROLE)
    assert endings.quiet(_known(role, last="10:11:00"), ROLE)
    assert not endings.quiet(known, ROLE, at("10:10:59"))
    assert not endings.quiet(_known(role, last="10:11:01"), ROLE)
    assert not endings.quiet(_known(role, closed=None), ROLE)
    assert not endings.quiet(_known(role, opened=at("10:01:01")), ROLE)
    assert not endings.quiet(msgspec.structs.replace(known, sessions=()), ROLE)
    (ended,) = (each.end_leaf for each in known.credentials.values() if each.end_leaf is not None)
    elsewhere = {**known.sources, ended: VAULT}
    assert not endings.quiet(msgspec.structs.replace(known, sources=elsewhere), ROLE), "an issuer's word of an end"
    for name in ("end_disputed", "use_disputed", "issue_disputed"):
        disputed = msgspec.structs.replace(known.credentials[ROLE], **{name: True})
        assert not endings.quiet(msgspec.structs.replace(known, credentials={ROLE: disputed}), ROLE)
