"""VPC flow logs: framing heads, rows of hostile shapes, and columns in any order."""

import random
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.model.events import SKIP_REASONS, Outcome, Skip
from custody.sources.aws_vpc_flow import SOURCE

CASES = Path(__file__).resolve().parents[1] / "cases" / "aws_vpc_flow"
ROW = b"2 111122223333 eni-0123456789abcdef0 10.0.1.10 192.0.2.7 50123 443 6 20 4249 1767607200 1767607260 ACCEPT OK"
NAMES = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
)
DEFAULT, NAMED = SOURCE.texts


def given_everything(raw: bytes, form: str = "flow") -> None:
    identity = SOURCE.identify(raw)
    result = SOURCE.read(raw, form)
    assert isinstance(SOURCE.recognise(raw), bool)
    assert identity is None or identity.id.startswith("sha256:")
    assert not isinstance(result, Skip) or result.reason in SKIP_REASONS


def test_files_are_known_by_their_first_line() -> None:
    assert re.match(DEFAULT.head.encode(), ROW)
    assert re.match(NAMED.head.encode(), NAMES.encode())
    assert re.match(NAMED.head.encode(), b"instance-id srcaddr start\r")
    assert NAMED.header
    for other in (b"version: 2", b"srcaddr,dstaddr", b"Jan 5 host app: OK", b"a b c", b""):
        assert re.match(DEFAULT.head.encode(), other) is None
        assert re.match(NAMED.head.encode(), other) is None


@pytest.mark.parametrize(
    "line",
    [
        b"Jan  5 10:00:00 host app[1]: OK",
        b"level=info 1767607200 OK",
        b"1767607200 OK\x00",
        b"OK",
        b"1767607200  eni-0123456789abcdef0",
        b"- - -",
        b"2026-01-05 10:00:00 UTC OK",
        "1767607200 eni-0123456789abcdef0 é".encode(),
    ],
)
def test_other_text_is_not_taken(line: bytes) -> None:
    assert SOURCE.identify(line) is None
    assert isinstance(SOURCE.read(line, "flow"), Skip)


def test_columns_in_any_order_mean_the_same() -> None:
    chosen = random.Random(2)
    expected = SOURCE.read(ROW, "flow")
    assert isinstance(expected, tuple)
    pairs = list(zip(NAMES.split(), ROW.decode().split(), strict=True))
    for _ in range(20):
        chosen.shuffle(pairs)
        header, row = " ".join(name for name, _ in pairs), " ".join(value for _, value in pairs)
        read = SOURCE.read(row.encode(), f"flow-header {header}")
        assert isinstance(read, tuple)
        assert [event.time for event in read] == [event.time for event in expected]
        assert read[0].origin == "10.0.1.10"
        assert read[0].endpoint == "192.0.2.7:443"
        assert read[0].outcome is Outcome.SUCCESS


def test_a_row_under_another_header_is_no_event() -> None:
    assert isinstance(SOURCE.read(ROW, "flow-header srcaddr dstaddr"), Skip)
    assert isinstance(SOURCE.read(ROW, "flow-header"), Skip)


def test_times_that_are_none() -> None:
    for start in ("0", "9999999999999", "-5", "1e9", "٣"):
        read = SOURCE.read(
            f"{start} eni-0123456789abcdef0 1767607200".encode(), "flow-header start interface-id packets"
        )
        assert isinstance(read, Skip)


def test_flipped_cut_and_doubled_bytes() -> None:
    chosen = random.Random(3)
    for path in sorted((*CASES.glob("*.json"), *CASES.glob("*.txt"))):
        raw = path.read_bytes().strip()
        for _ in range(30):
            at = chosen.randrange(len(raw))
            given_everything(raw[:at] + bytes((chosen.randrange(256),)) + raw[at + 1 :])
            given_everything(raw[:at])
            given_everything(raw[:at] + raw[at // 2 :], f"flow-header {NAMES}")


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from([*ROW.decode().split(), "-", "NODATA", "SKIPDATA", "x", "::1"]), max_size=16), st.text()
)
def test_any_row_under_any_header(values: list[str], header: str) -> None:
    given_everything(" ".join(values).encode())
    given_everything(" ".join(values).encode(), f"flow-header {header}")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(raw: bytes) -> None:
    given_everything(raw)


def test_long_lines_cost_little() -> None:
    before = time.process_time()
    for text in (b"a " * 500_000, b"1767607200 " * 100_000, b"eni-0123456789abcdef0 " * 50_000, b"a" * 1_000_000):
        given_everything(text)
        assert SOURCE.identify(text) is None
    assert time.process_time() - before < 2
