"""Lambda's platform lines: mutation, framing heads, and what a function may not pass off as one."""

import random
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.model.events import SKIP_REASONS, Skip
from custody.sources.aws_lambda import SOURCE
from custody.sources.aws_lambda.lines import HEAD, function_of, parse
from custody.sources.masking import mask

CASES = Path(__file__).resolve().parents[1] / "cases" / "aws_lambda"
ID = "3604209a-e9a3-11e6-939a-754dd98c7be3"
STREAM = "2026/01/05/[$LATEST]0123456789abcdef0123456789abcdef"


def given_everything(raw: bytes) -> None:
    identity = SOURCE.identify(raw)
    result = SOURCE.read(raw, "cloudwatch")
    assert isinstance(SOURCE.recognise(raw), bool)
    assert not isinstance(result, Skip) or result.reason in SKIP_REASONS
    if identity is not None and not identity.withheld:
        kept = mask(raw, identity.secrets)
        again = SOURCE.identify(kept)
        assert again is not None
        assert again.id == identity.id


@pytest.mark.parametrize(
    "line",
    [
        f"2026-01-05T10:00:00.123000+00:00 {STREAM} START RequestId: {ID} Version: 1",
        f"2026-01-05T10:00:00.123000+00:00 {STREAM} something that the function printed",
        f"2026-01-05T10:00:00 REPORT RequestId: {ID}\tDuration: 1 ms",
        f"2026-01-05T10:00:00.123Z END RequestId: {ID}",
        f"START RequestId: {ID} Version: 1",
    ],
)
def test_a_file_of_lines_is_known_by_its_head(line: str) -> None:
    assert re.match(HEAD.encode(), line.encode())


@pytest.mark.parametrize("line", ["2026-01-05T10:00:00Z GET / 200", "RequestId: x", "2 111122223333 eni-1 OK", ""])
def test_other_text_is_not(line: str) -> None:
    assert re.match(HEAD.encode(), line.encode()) is None


@pytest.mark.parametrize(
    "line",
    [
        f"I say START RequestId: {ID} Version: 1",
        "START RequestId: none Version: 1",
        f"START RequestId: {ID}\nVersion: 1\x00",
        "2026-01-05T10:00:00Z hello",
        f"{ID} Task timed out after many seconds",
    ],
)
def test_what_a_function_prints_otherwise_is_no_platform_line(line: str) -> None:
    assert parse(line) is None
    assert SOURCE.identify(msgspec.json.encode({"timestamp": 1767607200000, "message": line})) is None


def test_an_application_log_with_the_same_words_is_not_taken() -> None:
    raw = msgspec.json.encode({"level": "info", "timestamp": "2026-01-05T10:00:00Z", "message": f"END RequestId: {ID}"})
    assert SOURCE.identify(raw) is None


def test_a_line_of_text_with_a_telling_word_is_withheld() -> None:
    identity = SOURCE.identify(f"2026-01-05T10:00:00Z END RequestId: {ID} password=must-not-stay".encode())
    assert identity is not None
    assert identity.withheld


def test_the_same_event_in_a_string_and_as_an_object_is_one_identity() -> None:
    raw = b'{"time":"2026-01-05T10:00:00Z","type":"platform.start","record":{"requestId":"' + ID.encode() + b'"}}'
    inside, alone = SOURCE.identify(msgspec.json.encode(raw.decode())), SOURCE.identify(raw)
    assert inside == alone
    assert SOURCE.read(msgspec.json.encode(raw.decode()), "cloudwatch") == SOURCE.read(raw, "lines")


def test_functions_of_streams() -> None:
    assert function_of("2026/01/05/thumb[7]0123456789abcdef") == "thumb"
    assert function_of(STREAM) is None
    assert function_of("any/other stream") is None
    assert function_of(None) is None


def test_flipped_cut_and_doubled_bytes() -> None:
    chosen = random.Random(3)
    for path in sorted((*CASES.glob("*.json"), *CASES.glob("*.txt"))):
        raw = path.read_bytes().strip()
        for _ in range(30):
            at = chosen.randrange(len(raw))
            given_everything(raw[:at] + bytes((chosen.randrange(256),)) + raw[at + 1 :])
            given_everything(raw[:at])
            given_everything(raw[:at] + raw[at // 2 :])


VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
FIELDS = st.sampled_from(["time", "type", "record", "message", "timestamp", "id", "eventId", "logStreamName"])
TEXTS = st.sampled_from([f"START RequestId: {ID}", "platform.start", "2026-01-05T10:00:00Z", "1-00000000-0", '{"a":1}'])


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(FIELDS, VALUES | TEXTS | st.dictionaries(FIELDS, VALUES, max_size=3)))
def test_any_json(fields: dict[str, object]) -> None:
    given_everything(msgspec.json.encode(fields))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(raw: bytes) -> None:
    given_everything(raw)
    given_everything(b"START RequestId: " + raw)


def test_numbers_out_of_range_and_deep_nesting() -> None:
    for number in (b"1e999", b"-1", b"9" * 400, b"99999999999999999999", b"0"):
        given_everything(b'{"timestamp":%s,"message":"END RequestId: %s"}' % (number, ID.encode()))
    deep = b"[" * 100_000 + b"]" * 100_000
    given_everything(b'{"time":"2026-01-05T10:00:00Z","type":"platform.start","record":' + deep + b"}")
