import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.store.values import fingerprint, lacks_only, same_value

SAME = [
    (b'{"a":1}', b'{ "a" : 1 }'),
    (b'{"a":1,"b":2}', b'{"b":2,"a":1}'),
    (b'{"a":"\\u0041"}', b'{"a":"A"}'),
    (b'{"a":1.0}', b'{"a":1}'),
    (b'{"a":100}', b'{"a":1e2}'),
    (b'{"a":1.50E+3}', b'{"a":1500}'),
    (b'{"a":-0}', b'{"a":0.0e9}'),
    (b'{"a":0.05}', b'{"a":5e-2}'),
    (b'"{\\"a\\":1}"', b'{"a":1}'),
    (b'"{\\"a\\": 1.0}"', b'"{\\"a\\":1}"'),
    (b'"not json"', b'"not\\u0020json"'),
    (b'{"a":"\\ud800"}', b'{"a":"\\uD800"}'),
]
DIFFERENT = [
    (b'{"a":1}', b'{"a":2}'),
    (b'{"a":1}', b'{"a":true}'),
    (b'{"a":0}', b'{"a":false}'),
    (b'{"a":null}', b"{}"),
    (b'{"a":1}', b'{"a":"1"}'),
    (b"[1,2]", b"[2,1]"),
    (b'{"a":9007199254740993}', b'{"a":9007199254740992}'),
    (b'{"a":0.1}', b'{"a":0.1000000000000000055511151231257827}'),
    (b'{"a":1e400}', b'{"a":1e401}'),
    (b'{"a":1,"a":2}', b'{"a":2}'),
    (b'{"a":1,"a":2}', b'{"a": 1,"a": 2}'),
    (b'{"a":NaN}', b'{"a": NaN}'),
    (b'{"a":"\xff"}', b'{"a": "\xff"}'),
    (b'{"a":[false,"15",2]}', b'{"a":1500}'),
    (b'"\\"{\\\\\\"a\\\\\\":1}\\""', b'{"a":1}'),
    (b"\xef\xbb\xbf{}", b"{}"),
    (b"not json", b"not json "),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spelling_does_not_count(one: bytes, other: bytes) -> None:
    assert same_value(one, other)
    assert same_value(other, one)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_values_do(one: bytes, other: bytes) -> None:
    assert not same_value(one, other)
    assert not same_value(other, one)


@pytest.mark.parametrize("raw", [b'{"a":1,"a":2}', b"\xff", b"", b'{"a":NaN}', b"[" * 100_000])
def test_equal_bytes_are_equal_whatever_they_are(raw: bytes) -> None:
    assert same_value(raw, bytes(bytearray(raw)))


def test_numbers_of_any_length_are_compared_or_refused_quickly() -> None:
    long = b"1" * 50_000
    assert not same_value(b"[%s]" % long, b"[%s2]" % long)
    assert same_value(b"[%s]" % long, b"[ %s ]" % long)
    assert not same_value(b"[1e%s]" % long, b"[ 1e%s ]" % long)


def test_deep_nesting_is_no_error() -> None:
    assert not same_value(b"[" * 100_000 + b"]" * 100_000, b"[ " * 100_000 + b"]" * 100_000)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, JSON)
def test_it_agrees_with_typed_equality(one: object, other: object) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    if not isinstance(one, str) and not isinstance(other, str):
        assert same_value(json.dumps(one).encode(), json.dumps(other, indent=1).encode()) == same


@given(st.decimals(-(10**15), 10**15, places=6), st.integers(-9, 9))
def test_any_spelling_of_a_number_is_that_number(number: Decimal, shift: int) -> None:
    spelled = f"[{number.scaleb(shift):f}e{-shift}]".encode()
    assert fingerprint(spelled) == fingerprint(f"[{number:f}]".encode())


def test_a_copy_that_lacks_members_is_told_from_one_that_differs() -> None:
    assert lacks_only(b'{"a":{"b":1}}', b'{"a":{"b":1,"c":2},"d":3}')
    assert not lacks_only(b'{"a":{"b":2}}', b'{"a":{"b":1,"c":2}}')
    assert not lacks_only(b'{"a":1}', b'{"a":1.0}')
