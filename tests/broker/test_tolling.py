"""Refusals before an identity is proved: line by line at first, then counted; none is lost, and none counted twice."""

from __future__ import annotations

from contextlib import suppress

import msgspec
import pytest

from custody.broker.broker import Broker
from custody.broker.tolling import EACH, MOST, WINDOW, Refusals
from custody.errors import EvidenceUnavailable, IdentityRefused
from custody.model.brokered import Refused, Service
from tests.broker.trial import SECOND, Trial, caller, played, wants


async def refused(broker: Broker, number: int, token: str = "bad", origin: str = "192.0.2.7") -> None:
    for _ in range(number):
        with pytest.raises(IdentityRefused):
            await broker.exchange(msgspec.structs.replace(caller(token), origin=origin), wants())


def counts(trial: Trial) -> list[int]:
    return [each.count for each in trial.bodies(Refused)]


def test_the_first_are_sealed_at_once_and_the_rest_in_one_line_when_the_minute_is_over() -> None:
    trial = Trial()

    async def play(broker: Broker) -> None:
        await refused(broker, EACH)
        assert counts(trial) == [1] * EACH
        await refused(broker, 90)
        await broker.tick()
        assert counts(trial) == [1] * EACH
        trial.clock.time += WINDOW
        await broker.tick()
        await broker.tick()
        assert counts(trial) == [*[1] * EACH, 90]
        last = trial.bodies(Refused)[-1]
        assert (last.reason, last.origin, last.digest, last.proof) == ("bad-signature", "192.0.2.7", None, None)
        await refused(broker, EACH + 1)
        assert sum(counts(trial)) == 2 * EACH + 90, "a new minute begins anew"

    played(trial, play)


def test_the_next_refusal_after_the_minute_seals_what_was_counted_before_it() -> None:
    trial = Trial()

    async def play(broker: Broker) -> None:
        await refused(broker, EACH + 5)
        trial.clock.time += WINDOW
        await refused(broker, 1)
        assert counts(trial) == [*[1] * EACH, 5, 1]

    played(trial, play)


def test_what_is_counted_is_sealed_when_the_broker_stops() -> None:
    trial = Trial()

    async def play(broker: Broker) -> None:
        await refused(broker, EACH + 7)
        await broker.stop()

    played(trial, play)
    assert counts(trial) == [*[1] * EACH, 7]
    last, stopped = trial.evidence.said[-2:]
    assert isinstance(last.body, Refused)
    assert isinstance(stopped.body, Service)


@pytest.mark.parametrize(
    ("token", "origin"), [("bad", "192.0.2.8"), ("badly", "192.0.2.9")], ids=["another-origin", "another-one"]
)
def test_each_origin_is_counted_by_itself(token: str, origin: str) -> None:
    trial = Trial()

    async def play(broker: Broker) -> None:
        await refused(broker, EACH + 1)
        await refused(broker, EACH + 2, token, origin)
        await broker.stop()

    played(trial, play)
    told = {(each.origin, each.count) for each in trial.bodies(Refused) if each.count > 1 or each.digest is None}
    assert told == {("192.0.2.7", 1), (origin, 2)}


def test_refusals_of_a_proved_caller_have_a_line_each() -> None:
    trial = Trial()
    played(trial, lambda broker: refused(broker, EACH + 5, "stranger"))

    assert counts(trial) == [1] * (EACH + 5)


def test_a_clock_that_is_set_back_ends_the_minute() -> None:
    trial = Trial()

    async def play(broker: Broker) -> None:
        await refused(broker, EACH + 3)
        trial.clock.time -= 3600 * SECOND
        await broker.tick()
        assert counts(trial) == [*[1] * EACH, 3]

    played(trial, play)


def test_many_origins_fill_no_memory_and_lose_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial()
    monkeypatch.setattr("custody.broker.tolling.MOST", 4)

    async def play(broker: Broker) -> None:
        for number in range(12):
            await refused(broker, EACH + 2, origin=f"2001:db8::{number}")
            assert len(broker.refusals._windows) <= 4
        await broker.stop()

    played(trial, play)
    assert MOST > 4
    assert sum(counts(trial)) == 12 * (EACH + 2)


def test_a_count_that_cannot_be_sealed_is_kept() -> None:
    trial = Trial()

    async def play(broker: Broker) -> None:
        await refused(broker, EACH + 5)
        trial.evidence._failed = True
        with pytest.raises(EvidenceUnavailable):
            await broker.refusals.stop()
        trial.clock.time += WINDOW
        with suppress(EvidenceUnavailable):
            await broker.refusals.tick()
        trial.evidence._failed = False
        await broker.refusals.tick()
        await broker.refusals.stop()

    played(trial, play)
    assert counts(trial) == [*[1] * EACH, 5]


def test_nothing_of_the_token_is_in_any_line() -> None:
    trial = Trial()

    async def play(broker: Broker) -> None:
        await refused(broker, EACH + 1, "bad-must-not-stay")
        await broker.stop()

    played(trial, play)
    assert sum(counts(trial)) == EACH + 1
    assert not [line for line in trial.evidence.lines if b"must-not-stay" in line]
    assert "must-not-stay" not in repr(Refusals(trial.broker.running)._windows)
