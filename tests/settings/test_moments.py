import pytest

from custody.errors import UsageError
from custody.model.times import text, until_text
from custody.settings.moments import parse_end, parse_start


@pytest.mark.parametrize(
    ("written", "start", "end"),
    [
        ("2027-03-31", "2027-03-31T00:00:00Z", "2027-04-01T00:00:00Z"),
        ("2024-02-29", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"),
        ("2999-12-31", "2999-12-31T00:00:00Z", "3000-01-01T00:00:00Z"),
        ("2027-03-31T12:00:00Z", "2027-03-31T12:00:00Z", "2027-03-31T12:00:00Z"),
        ("2027-03-31t12:00:00.25z", "2027-03-31T12:00:00.250000Z", "2027-03-31T12:00:00.250000Z"),
        ("2027-03-31T01:00:00+02:00", "2027-03-30T23:00:00Z", "2027-03-30T23:00:00Z"),
        ("1970-01-01", "1970-01-01T00:00:00Z", "1970-01-02T00:00:00Z"),
    ],
)
def test_a_date_is_a_whole_day(written: str, start: str, end: str) -> None:
    assert (text(parse_start(written)), text(parse_end(written))) == (start, end)


@pytest.mark.parametrize(
    "written",
    [
        "", "2027", "2027-3-31", "2027-02-29", "2027-13-01", "31.03.2027", "1969-12-31", "3000-01-01",
        "2027-03-31T12:00:00", "2027-03-31T12:00Z", "2027-03-31T24:00:00Z", "2027-03-31T12:00:60Z", "2027-W13-3",
        "2027-03-31 12:00:00Z",
        "2027-03-31T12:00:00+0200", "２０２７-03-31",
    ],
)  # fmt: skip
def test_anything_else_is_refused(written: str) -> None:
    with pytest.raises(UsageError):
        parse_start(written)


@pytest.mark.parametrize("written", ["2027-03-31", "2027-03-31T12:00:00Z", "2024-02-29"])
def test_an_end_is_shown_as_it_was_written(written: str) -> None:
    assert until_text(parse_end(written)) == written
