"""Any two holders open a glass, nobody alone does, and nothing in the file can be changed without showing."""

from __future__ import annotations

import re
from itertools import combinations, permutations

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from custody.broker.backends.backend import Secret
from custody.broker.glass import file, holders, sealing, shares
from custody.broker.glass.file import Pair, Sealed
from custody.broker.glass.names import bytes_of, written
from custody.errors import UsageError
from tests.broker.glass.sealed import ANNA, BERT, CARA, KEYS, PASSWORD, PEOPLE, STRANGER, Count, draft, sealed

GLASS = sealed()
DATA = file.encoded(GLASS)


@pytest.mark.parametrize(("one", "other"), list(permutations(range(3), 2)))
def test_each_pair_opens_it_in_whatever_order(one: int, other: int) -> None:
    opened = shares.both(file.read(DATA, "f"), KEYS[one], KEYS[other])

    assert opened.contents.secrets["password"].reveal() == PASSWORD
    assert opened.contents.facts == {"host": "db.example"}
    assert set(opened.people) == {PEOPLE[one], PEOPLE[other]}
    signer = written(opened.signer.public_key().public_bytes_raw())
    assert set(GLASS.signers[signer]) == set(opened.people)


def test_each_pair_signs_with_a_key_of_its_own() -> None:
    assert len(GLASS.signers) == 3
    assert {frozenset(each) for each in GLASS.signers.values()} == {frozenset(each) for each in combinations(PEOPLE, 2)}


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        (KEYS[0], KEYS[0], "two different holders"),
        (KEYS[0], STRANGER, "nobody who holds"),
        (STRANGER, KEYS[1], "nobody who holds"),
        (STRANGER, STRANGER, "nobody who holds"),
    ],
)
def test_one_alone_and_strangers_do_not(one: X25519PrivateKey, other: X25519PrivateKey, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        shares.both(GLASS, one, other)


def test_the_half_of_one_opens_nothing_whatever_stands_in_for_the_other() -> None:
    pair = GLASS.pairs[0]
    own = sealing.half(pair, KEYS[0])
    others = (own, bytes(32), sealing.half(pair, KEYS[2]), sealing.half(GLASS.pairs[1], KEYS[1]))

    for other in others:
        with pytest.raises(UsageError, match="does not open"):
            sealing.open_with(GLASS, pair, own, other)
    right = sealing.half(pair, KEYS[1])
    with pytest.raises(UsageError, match="does not open"):
        sealing.open_with(GLASS, pair, right, own)
    assert sealing.open_with(GLASS, pair, own, right).contents.secrets["password"].reveal() == PASSWORD


def test_a_byte_that_is_changed_anywhere_shows() -> None:
    for place in range(len(DATA)):
        changed = DATA[:place] + bytes([DATA[place] ^ 1]) + DATA[place + 1 :]
        with pytest.raises(UsageError):
            shares.both(file.read(changed, "f"), KEYS[0], KEYS[2])


@pytest.mark.parametrize("cut", [0, 1, 2, 100, len(DATA) - 2, len(DATA) - 1])
def test_a_file_that_is_cut_or_spaced_anew_is_refused(cut: int) -> None:
    with pytest.raises(UsageError):
        file.read(DATA[:cut], "f")
    for other in (DATA + b"\n", b" " + DATA, msgspec.json.format(DATA), DATA[:-1]):
        with pytest.raises(UsageError):
            file.read(other, "f")


def _pairs(change: dict[str, object]) -> tuple[Pair, ...]:
    first = msgspec.structs.replace(GLASS.pairs[0], **change)
    return (first, *GLASS.pairs[1:])


OTHER = sealed(500)
FIELDS: list[dict[str, object]] = [
    {"glass": "bg-01m82b22222222222222222222"},
    {"broker": "test"},
    {"prepared": 5},
    {"chain": "cc-01m82b22222222222222222222"},
    {"backend": "other"},
    {"type": "custody:postgresql"},
    {"keys": ()},
    {"not_after": "2036-12-01T00:00:00Z"},
    {"holders": (GLASS.holders[0], GLASS.holders[1], holders.holder_of(CARA, STRANGER))},
    {"holders": (holders.Holder(CARA, GLASS.holders[0].key), *GLASS.holders[1:])},
    {"pairs": GLASS.pairs[:2]},
    {"pairs": (*GLASS.pairs, GLASS.pairs[0])},
    {"pairs": OTHER.pairs},
    {"pairs": _pairs({"signer": GLASS.pairs[1].signer})},
    {"pairs": _pairs({"ephemeral": GLASS.pairs[1].ephemeral})},
    {"pairs": _pairs({"box": GLASS.pairs[1].box})},
    {"box": OTHER.box},
    {"custody": "custody.glass/2"},
]


@pytest.mark.parametrize("change", FIELDS, ids=lambda each: next(iter(each)))
def test_a_field_that_is_changed_shows_though_the_file_is_well_made(change: dict[str, object]) -> None:
    changed = file.encoded(msgspec.structs.replace(GLASS, **change))

    with pytest.raises(UsageError):
        shares.both(file.read(changed, "f"), KEYS[0], KEYS[1])


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (0, 3), (-1, 1)])
def test_a_pair_of_nobody_is_refused(first: int, second: int) -> None:
    changed = msgspec.structs.replace(GLASS, pairs=_pairs({"first": first, "second": second}))

    with pytest.raises(UsageError, match="changed"):
        file.read(file.encoded(changed), "f")


def test_a_key_of_low_order_opens_nothing() -> None:
    pair = msgspec.structs.replace(GLASS.pairs[0], ephemeral=written(bytes(32)))

    with pytest.raises(UsageError, match="does not open"):
        sealing.half(pair, KEYS[0])


@pytest.mark.parametrize(
    "chosen",
    [(0,), (0, 0), (), (0, 1, 2) * 4],
    ids=["one", "twice", "none", "many"],
)
def test_two_different_holders_are_needed(chosen: tuple[int, ...]) -> None:
    wrong = msgspec.structs.replace(draft(), holders=tuple(draft().holders[each] for each in chosen))

    with pytest.raises(UsageError):
        sealing.seal(wrong, {"password": Secret(PASSWORD)}, {}, Count())


def test_two_names_with_one_key_are_one_holder() -> None:
    same = (draft().holders[0], holders.holder_of(BERT, KEYS[0]))

    with pytest.raises(UsageError, match="two holders are one"):
        sealing.seal(msgspec.structs.replace(draft(), holders=same), {}, {}, Count())


def test_the_secret_shows_nowhere() -> None:
    opened = shares.both(GLASS, KEYS[0], KEYS[1])
    shown = f"{opened!r} {opened.contents!r} {GLASS!r} {DATA!r}"

    assert not re.search("must-not-stay|cc_role", shown)


def test_two_seals_of_one_credential_have_nothing_in_common() -> None:
    mine = {each.box for each in GLASS.pairs} | {each.ephemeral for each in GLASS.pairs} | {GLASS.box}
    theirs = {each.box for each in OTHER.pairs} | {each.ephemeral for each in OTHER.pairs} | {OTHER.box}

    assert not mine & theirs


def _share(glass: Sealed = GLASS) -> shares.Share:
    return shares.give(glass, KEYS[0], BERT, "the database is down", Count(700))


def test_a_share_and_the_key_of_its_taker_open_it() -> None:
    opened, reason = shares.take(GLASS, shares.read(shares.encoded(_share()), "s"), KEYS[1])

    assert opened.contents.secrets["password"].reveal() == PASSWORD
    assert (set(opened.people), reason) == ({ANNA, BERT}, "the database is down")


def test_a_share_for_somebody_before_the_giver_opens_it_too() -> None:
    opened, _ = shares.take(GLASS, shares.give(GLASS, KEYS[2], ANNA, "why", Count(700)), KEYS[0])

    assert set(opened.people) == {ANNA, CARA}


@pytest.mark.parametrize("key", [KEYS[0], KEYS[2], STRANGER], ids=["giver", "other holder", "stranger"])
def test_a_share_is_for_its_taker_alone(key: X25519PrivateKey) -> None:
    with pytest.raises(UsageError):
        shares.take(GLASS, _share(), key)


def test_a_share_of_another_glass_or_for_nobody_is_refused() -> None:
    with pytest.raises(UsageError, match="another glass"):
        shares.take(GLASS, _share(OTHER), KEYS[1])
    for taker in ("person:idp.example:dora", "", ANNA):
        with pytest.raises(UsageError):
            shares.give(GLASS, KEYS[0], taker, "why", Count())


def test_a_byte_of_a_share_that_is_changed_shows() -> None:
    data = shares.encoded(_share())

    for place in range(len(data)):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises(UsageError):
            shares.take(GLASS, shares.read(changed, "s"), KEYS[1])


def test_a_share_opens_nothing_without_the_takers_key_though_it_is_read() -> None:
    share = _share()

    assert "must-not-stay" not in repr(share)
    assert written(sealing.half(GLASS.pairs[0], KEYS[0])) not in shares.encoded(share).decode()


@pytest.mark.parametrize("text", ["A", "AB", "AA==", "A A", "AA+/", "é"])
def test_only_one_text_stands_for_bytes(text: str) -> None:
    with pytest.raises(ValueError):
        bytes_of(text)
