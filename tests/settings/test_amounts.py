import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.errors import UsageError
from custody.settings.amounts import (
    MAX_DURATION,
    MAX_SIZE,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
    shown,
)

SECOND = 1_000_000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("15m", 900),
        ("12h", 43_200),
        ("90d", 7_776_000),
        ("1h30m", 5_400),
        ("2w", 1_209_600),
        ("1w2d3h4m5s", 604_800 + 172_800 + 10_800 + 240 + 5),
        ("015m", 900),
        ("0h1s", 1),
        ("36525d", 36_525 * 86_400),
    ],
)
def test_a_duration_is_microseconds(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds * SECOND


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0s",
        "0h0m",
        "15",
        "m",
        "30m1h",
        "1h1h",
        "1.5h",
        "-1h",
        "+1h",
        " 1h",
        "1h ",
        "1 h",
        "1M",
        "15min",
        "1h\n",
        "١h",
    ],
)
def test_other_forms_are_no_durations(text: str) -> None:
    with pytest.raises(UsageError, match="not a duration") as caught:
        parse_duration(text)
    assert "15m" in caught.value.expected


@pytest.mark.parametrize("text", ["36525d1s", "999999999w"])
def test_a_duration_over_a_hundred_years_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="too long"):
        parse_duration(text)


@given(st.integers(1, MAX_DURATION // SECOND))
def test_durations_round_trip(seconds: int) -> None:
    assert parse_duration(format_duration(seconds * SECOND)) == seconds * SECOND


def test_durations_are_shown_in_their_largest_units() -> None:
    assert format_duration(5_400 * SECOND) == "1h30m"
    assert format_duration(7_776_000 * SECOND) == "90d"
    assert format_duration(0) == "0s"


@pytest.mark.parametrize(
    ("text", "count"),
    [("16MiB", 16 << 20), ("2GiB", 2 << 30), ("512 KiB", 512 << 10), ("7", 7), ("7B", 7), ("1TiB", 1 << 40), ("0", 0)],
)
def test_a_size_is_bytes(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "MiB", "1.5GiB", "-1", "16 MiB ", "0x10", "1e6", "12345678901234567", "16MiBs"])
def test_other_forms_are_no_sizes(text: str) -> None:
    with pytest.raises(UsageError, match="not a size"):
        parse_size(text)


@pytest.mark.parametrize("text", ["16MB", "16M", "16mib", "2gb"])
def test_units_that_are_read_in_two_ways_are_refused_with_advice(text: str) -> None:
    with pytest.raises(UsageError, match="not a size") as caught:
        parse_size(text)
    assert "powers of 1024" in caught.value.advice


def test_a_size_over_the_limit_is_refused() -> None:
    assert parse_size("1024TiB") == MAX_SIZE
    with pytest.raises(UsageError, match="too large"):
        parse_size("1025TiB")


@given(st.integers(0, MAX_SIZE))
def test_sizes_round_trip(count: int) -> None:
    assert parse_size(format_size(count)) == count


@given(st.text())
def test_any_text_is_an_amount_or_a_usage_error(text: str) -> None:
    for parse in (parse_duration, parse_size):
        try:
            value = parse(text)
        except UsageError as error:
            assert error.found == shown(text)  # noqa: PT017 - either way is right, and both are checked
        else:
            assert 0 <= value <= max(MAX_DURATION, MAX_SIZE)


def test_a_value_is_shown_escaped_and_cut() -> None:
    assert shown("a\x1b[31m\u202e") == r"'a\x1b[31m\u202e'"
    assert shown("x" * 100) == "'" + "x" * 60 + "'..."
    assert shown(7) == "7"
    assert shown([0] * 100) == "[" + "0, " * 19 + "0,..."
