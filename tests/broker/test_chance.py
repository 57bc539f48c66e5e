"""Random bytes in pieces, and texts that are searched once."""

from __future__ import annotations

import itertools
import os
from concurrent.futures import ThreadPoolExecutor

from custody.broker.chance import PIECE, Chance
from custody.broker.clean import MOST, Clean
from custody.broker.clock import ALPHABET, ulid


class Counting:
    """A source that gives every piece of four bytes once, in order."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self._next = itertools.count()

    def __call__(self, count: int) -> bytes:
        self.asked.append(count)
        return b"".join(next(self._next).to_bytes(4, "big") for _ in range(count // 4 + 1))[:count]


class Given:
    """Gives what it was given."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __call__(self, count: int) -> bytes:
        return self._content[:count]


def test_no_byte_is_given_twice_whichever_threads_ask() -> None:
    chance = Chance(Counting())
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda _: chance(8), range(5_000)))
    assert len(set(given)) == 5_000
    assert {len(each) for each in given} == {8}


def test_small_requests_share_a_draw_and_what_could_be_a_key_is_drawn_alone() -> None:
    source = Counting()
    chance = Chance(source)
    for _ in range(100):
        chance(10)
    assert source.asked == [PIECE]
    assert len(chance(1000)) == 1000
    assert source.asked == [PIECE, 1000]


def test_a_ulid_is_its_number_in_base_32() -> None:
    for _ in range(200):
        rest = os.urandom(10)
        moment = int.from_bytes(os.urandom(6)) * 1000
        text = ulid(moment, Given(rest))
        number = 0
        for letter in text:
            number = number * 32 + ALPHABET.index(letter)
        assert (len(text), number) == (26, (moment // 1000) << 80 | int.from_bytes(rest))


def test_what_is_clean_is_searched_once_and_a_secret_every_time() -> None:
    searched: list[str] = []

    def search(text: str) -> bool:
        searched.append(text)
        return "must-not-stay" in text

    clean = Clean(search)
    assert [clean("reports"), clean("reports"), clean("must-not-stay"), clean("must-not-stay")] == [
        False,
        False,
        True,
        True,
    ]
    assert searched == ["reports", "must-not-stay", "must-not-stay"]
    assert "must-not-stay" not in repr(vars(clean))


def test_as_many_texts_are_remembered_as_there_may_be() -> None:
    searched: list[str] = []

    def search(text: str) -> bool:
        searched.append(text)
        return False

    clean = Clean(search)
    for number in range(MOST + 1):
        clean(str(number))
    assert len(vars(clean)["_clean"]) == MOST
    clean("0")
    assert searched[-1] == "0"
