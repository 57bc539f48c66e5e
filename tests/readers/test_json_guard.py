"""The guard: what two parsers could read differently is named, what only looks odd passes."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.model.events import SKIP_REASONS
from custody.readers.json_guard import check, depth

SOUND = [
    b"{}",
    b'{"a":1}',
    b'{ "a" : [ 1 , 2 ] }\n',
    b'{"a":12345678901234567890123456789012345678901234567890}',
    b'{"a":' + b"9" * 5000 + b"}",
    b'{"a":1e5,"b":1.0,"c":1E-400,"d":-0}',
    b'{"a":"\\u003d\\/"}',
    b'{"a":"\\ud800"}',
    b'{"\\ud800":1,"\\ud801":2}',
    b'{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}',
    '{"a":"é","e\u0301":1,"\u00e9":2}'.encode(),
]


@pytest.mark.parametrize("raw", SOUND)
def test_sound_records_pass(raw: bytes) -> None:
    assert check(raw, 128) is None


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":2}',
        b'{"x":[{"y":{"a":1,"b":2,"a":3}}]}',
        b'{"\\ud83d\\ude00":1,"\xf0\x9f\x98\x80":2}',
        b'{"":1,"":2}',
        b'{"\\ud800":1,"\\uD800":2}',
        b'{"a":1e400,"a":' + b"9" * 5000 + b"}",
        b'{"a\\/":1,"a/":2}',
    ],
)
def test_a_key_twice_is_seen_at_any_depth_in_any_spelling(raw: bytes) -> None:
    assert check(raw, 128) == "duplicate-keys"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b'{"a":1,}',
        b'{"a":01}',
        b"{'a':1}",
        b'{"a":NaN}',
        b"[-Infinity]",
        b'{"a":1}x',
        b'{"a":1} {}',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":"\n"}',
        b'{"a":"\\x"}',
        b'{"a":1,"a":2',
        b'{"a":1 /* c */}',
        b"[1.]",
        b"\x0b{}",
    ],
)
def test_what_is_no_json_is_named(raw: bytes) -> None:
    assert check(raw, 128) == "not-json"


@pytest.mark.parametrize("bad", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc3"])
def test_bytes_that_are_not_utf8_are_named(bad: bytes) -> None:
    assert check(b'{"a":"' + bad + b'"}', 128) == "invalid-utf8"
    assert check(b'{"' + bad + b'":1,"a":1,"a":2}', 128) == "invalid-utf8"
    assert check(b"[" * 200 + bad, 128) == "invalid-utf8"


@pytest.mark.parametrize("levels", [1, 5, 128])
def test_nesting_up_to_the_limit_passes(levels: int) -> None:
    assert check(b"[" * levels + b"]" * levels, levels) is None
    assert check(b'{"a":' * levels + b"1" + b"}" * levels, levels - 1) == "too-deep"


def test_a_limit_beyond_what_a_parser_can_do_is_no_crash() -> None:
    assert check(b"[" * 200_000 + b"]" * 200_000, 1_000_000) == "too-deep"


def test_wide_records_are_not_deep() -> None:
    wide = orjson.dumps([{"a": [{}]}] * 1000)
    assert check(wide, 4) is None
    assert check(wide, 3) == "too-deep"


def test_brackets_in_strings_do_not_count() -> None:
    assert depth(rb'{"a":"[[[\"[[[","b":"\\","c":[1]}') == 2
    assert depth(b"") == 0
    assert depth(b'"[[') == 2, "an estimate where the bytes are no JSON"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
)


@given(value=JSON, ascii_only=st.booleans(), indent=st.sampled_from([None, 0, 2]))
def test_whatever_a_writer_writes_passes(value: object, ascii_only: bool, indent: int | None) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    assert check(raw, 128) is None


@given(value=st.dictionaries(st.text(max_size=4), JSON, min_size=1, max_size=4), data=st.data())
def test_any_key_repeated_anywhere_is_found(value: dict[str, object], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(value)))
    twin = "".join(f"\\u{unit:04x}" for unit in memoryview(key.encode("utf-16-le", "surrogatepass")).cast("H"))
    raw = json.dumps(value, ensure_ascii=False).encode()[:-1] + f',"{twin}":0}}'.encode()
    assert check(b'{"x":[' + raw + b"]}", 128) == "duplicate-keys"


@given(st.binary(max_size=40) | st.text(alphabet='{}[]",:\\u0d8 1e.-', max_size=40).map(str.encode))
def test_any_bytes_give_a_reason_or_none(raw: bytes) -> None:
    problem = check(raw, 8)
    assert problem is None or problem in SKIP_REASONS
    if problem is None:
        json.loads(raw)
