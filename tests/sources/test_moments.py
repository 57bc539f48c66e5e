"""Times of logs, as microseconds."""

import pytest

from custody.errors import SourceError
from custody.sources import moments

HALF_PAST = 1_767_614_400_500_000


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05T12:00:00.5Z",
        "2026-01-05 12:00:00.5Z",
        "2026-01-05T12:00:00,500000999z",
        "2026-01-05T14:00:00.500+02:00",
        "2026-01-05T06:30:00.500-0530",
    ],
)
def test_spellings_of_one_moment(text: str) -> None:
    assert moments.rfc3339(text, "$.time") == HALF_PAST


@pytest.mark.parametrize("text", ["", "2026-01-05T12:00:00", "2026-13-05T12:00:00Z", "1999-01-05T12:00:00Z", "now"])
def test_what_is_no_time_says_where_and_what(text: str) -> None:
    with pytest.raises(SourceError) as caught:
        moments.rfc3339(text, "$.time")
    assert caught.value.where == "$.time"
    assert repr(text) == caught.value.found


def test_numbers_of_each_unit() -> None:
    assert moments.of_seconds(1_767_614_400.5, "$") == HALF_PAST
    assert moments.of_milliseconds(1_767_614_400_500, "$") == HALF_PAST
    assert moments.of_nanoseconds(1_767_614_400_500_000_999, "$") == HALF_PAST
    for odd in (1_767_614_400_500, 1e308, float("nan"), float("-inf")):
        with pytest.raises(SourceError):
            moments.of_seconds(odd, "$")
