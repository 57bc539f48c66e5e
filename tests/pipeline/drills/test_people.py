"""The people of a drill sign as ssh-keygen does, and their keys stay in memory."""

from __future__ import annotations

from hashlib import sha256

import pytest

from custody.errors import LogError
from custody.ledger import allowed_signers
from custody.model.incidents import DECISION_NAMESPACE, STEP_NAMESPACE
from custody.pipeline.drills.people import People, Person
from custody.pipeline.signatures import verified
from custody.simulation.times import START


def draw(count: int) -> bytes:
    return b"must-not-stay".ljust(count, b".")[:count]


class Drawn:
    """Another value each time."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, count: int) -> bytes:
        self.count += 1
        return sha256(str(self.count).encode()).digest()[:count]


def test_what_they_sign_holds_for_them_and_for_nobody_and_nothing_else() -> None:
    people = People(Drawn())
    allowed = allowed_signers.parse(people.signers.encode(), "signers")
    armored = people.ann.sign(b"a text", STEP_NAMESPACE)
    found = verified(b"a text", armored, STEP_NAMESPACE, allowed, START)

    assert found.principals == (people.ann.name,)
    assert len({each.key for each in people.everybody}) == 3
    for data, space in ((b"another", STEP_NAMESPACE), (b"a text", DECISION_NAMESPACE)):
        with pytest.raises(LogError):
            verified(data, armored, space, allowed, START)
    strangers = allowed_signers.parse(people.bob.line.encode(), "signers")
    with pytest.raises(LogError):
        verified(b"a text", armored, STEP_NAMESPACE, strangers, START)


def test_a_private_key_is_in_nothing_that_they_show() -> None:
    person = Person("ann@drill.invalid", draw)
    shown = [repr(person), str(person), person.line, person.sign(b"a text", STEP_NAMESPACE).decode()]

    assert all("must-not-stay" not in each for each in shown)
    assert draw(32) not in person.key + person.sign(b"a text", STEP_NAMESPACE)


def test_everybody_may_approve_so_that_only_who_asked_is_refused() -> None:
    people = People(Drawn())

    assert all(people.response.count(each.name) == 2 for each in people.everybody)
