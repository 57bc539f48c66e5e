"""What every kind of evidence promises: the same cases for the journal and for what stands in for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from custody.broker.evidence.evidence import Evidence
from custody.broker.evidence.journal import Journal
from custody.broker.evidence.memory import MemoryEvidence
from custody.errors import EvidenceUnavailable
from custody.model.brokered import DECODER, FORMAT, NO_LINE, Entry, line
from tests.broker.evidence.said import Clock, check_chain, refused, request, service

MOMENTS = [
    (1_795_341_600_000_000, "2026-11-22T10:00:00.000000Z"),
    (1_795_341_600_000_001, "2026-11-22T10:00:00.000001Z"),
    (1_795_341_599_999_999, "2026-11-22T09:59:59.999999Z"),
]


@pytest.fixture(params=["journal", "memory"])
def evidence(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Evidence]:
    if request.param == "memory":
        yield MemoryEvidence("test", Clock())
        return
    with Journal.open(tmp_path / "journal", broker="test", clock=Clock()) as journal:
        yield journal


def test_an_entry_comes_back_as_it_is_written(evidence: Evidence) -> None:
    async def run() -> list[Entry]:
        return [await evidence.append(request(1), chain="cc-" + "0" * 26), await evidence.append(service(2))]

    first, second = asyncio.run(run())
    assert (first.custody, first.broker, first.seq, first.prev) == (FORMAT, "test", 1, NO_LINE)
    assert first.chain == "cc-" + "0" * 26
    assert second.chain is None
    assert (first.body, second.body) == (request(1), service(2))
    assert first.at == "2026-11-22T10:00:00.001000Z"
    assert list(evidence.entries(0)) == [first, second]
    assert list(evidence.entries(1)) == [second]
    assert list(evidence.entries(2)) == []
    assert DECODER.decode(line(first)) == first


def test_sixty_four_at_once_are_one_chain(evidence: Evidence) -> None:
    told: list[Entry] = []
    evidence.watch(told.append)

    async def client(number: int) -> list[Entry]:
        found = []
        for step in range(10):
            found.append(await evidence.append(service(100 * number + step)))
            assert found[-1] in told, "append came back before the observer knew"
        return found

    async def run() -> list[list[Entry]]:
        return await asyncio.gather(*(client(number) for number in range(64)))

    every = asyncio.run(run())
    assert all([e.seq for e in mine] == sorted(e.seq for e in mine) for mine in every)
    assert sorted(e.seq for mine in every for e in mine) == list(range(1, 641))
    assert [e.seq for e in told] == list(range(1, 641))
    assert check_chain(evidence.entries(0)) == 640


def test_a_cancelled_caller_leaves_its_entry(evidence: Evidence) -> None:
    told: list[Entry] = []
    evidence.watch(told.append)

    async def run() -> None:
        gone = asyncio.create_task(evidence.append(service(1)))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait({gone})  # the one in memory was done before it could be cancelled
        await evidence.append(service(2))

    asyncio.run(run())
    assert [each.body for each in told] == [service(1), service(2)]
    assert check_chain(evidence.entries(0)) == 2


@pytest.mark.parametrize(
    "text", ["line\nend\r\u2028\0", '{"custody":"custody.broker/1","seq":9}', "é🔑", "x" * 100_000]
)
def test_text_of_a_caller_stays_in_its_line(evidence: Evidence, text: str) -> None:
    async def run() -> Entry:
        await evidence.append(refused(text))
        return await evidence.append(service(2))

    last = asyncio.run(run())
    assert last.seq == 2
    assert [each.body for each in evidence.entries(0)] == [refused(text), service(2)]


@pytest.mark.parametrize(
    "text", ["\ud800must-not-stay", "must-not-stay" + "x" * (1 << 20)], ids=["no text", "too long"]
)
def test_what_cannot_be_a_line_is_refused_alone(evidence: Evidence, text: str) -> None:
    async def run() -> Entry:
        await evidence.append(service(1))
        with pytest.raises(EvidenceUnavailable) as caught:
            await evidence.append(refused(text))
        assert caught.value.reason == "entry-unwritable"
        assert "must-not-stay" not in str(caught.value)
        return await evidence.append(service(2))

    assert asyncio.run(run()).seq == 2
    assert check_chain(evidence.entries(0)) == 2


@pytest.mark.parametrize(("now", "text"), MOMENTS)
def test_times_have_microseconds(now: int, text: str) -> None:
    evidence = MemoryEvidence("test", Clock(now - 1000))
    assert asyncio.run(evidence.append(service(1))).at == text


def test_evidence_in_memory_can_fail() -> None:
    evidence = MemoryEvidence("test", Clock())
    asyncio.run(evidence.append(service(1)))
    evidence.fail()
    with pytest.raises(EvidenceUnavailable) as caught:
        asyncio.run(evidence.append(service(2)))
    assert caught.value.reason == "journal-failed"
    assert check_chain(evidence.entries(0)) == 1
    assert evidence.lines == [line(evidence.said[0]) + b"\n"]
