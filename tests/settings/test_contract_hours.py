from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from custody.errors import UsageError
from custody.model.contracts import Hours
from custody.settings import contract_hours
from custody.settings.contract_hours import parse_hours, zone_digest


@pytest.mark.parametrize(
    ("text", "days", "start", "end"),
    [
        ("Mon-Fri 07:00-19:00 UTC", (0, 1, 2, 3, 4), 420, 1140),
        ("Sun 00:00-24:00 UTC", (6,), 0, 1440),
        ("Sat-Mon 22:30-06:00 UTC", (0, 5, 6), 1350, 360),
        ("Tue,Thu 08:00-09:00 UTC", (1, 3), 480, 540),
        ("Mon-Wed,Wed,Sun 08:00-09:01 UTC", (0, 1, 2, 6), 480, 541),
        ("Mon-Sun 00:00-00:01 UTC", (0, 1, 2, 3, 4, 5, 6), 0, 1),
        ("Tue-Mon 23:59-24:00 UTC", (0, 1, 2, 3, 4, 5, 6), 1439, 1440),
    ],
)
def test_days_and_times(text: str, days: tuple[int, ...], start: int, end: int) -> None:
    assert parse_hours(text) == Hours(days=days, start=start, end=end, zone="UTC")


@pytest.mark.parametrize("zone", ["UTC", "Europe/Zurich", "America/Argentina/Buenos_Aires", "Etc/GMT+5"])
def test_a_zone_goes_by_its_name(zone: str) -> None:
    assert parse_hours(f"Mon 07:00-08:00 {zone}").zone == zone


@pytest.mark.parametrize(
    "zone",
    [
        "localtime",
        "posixrules",
        "Zurich",
        "CET",
        "posix/Europe/Zurich",
        "right/UTC",
        "../UTC",
        "/etc/localtime",
        "Europe/",
    ],
)
def test_what_is_no_name_of_a_zone_is_refused(zone: str) -> None:
    with pytest.raises(UsageError, match=r"not a time zone|not hours"):
        parse_hours(f"Mon 07:00-08:00 {zone}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Mon-Fri",
        "Mon-Fri 07:00-19:00",
        "Mon-Fri 7:00-19:00 UTC",
        "Mon-Fri 07:00 - 19:00 UTC",
        "mon-fri 07:00-19:00 UTC",
        "Mon--Fri 07:00-19:00 UTC",
        "Mon, 07:00-19:00 UTC",
        "Mon-Tue-Wed 07:00-19:00 UTC",
        "Mon 07:60-19:00 UTC",
        "Mon 24:00-19:00 UTC",
        "Mon 07:00-07:00 UTC",
        "Mon 07:00-19:00 UTC ",
        "Mon ٠٧:00-19:00 UTC",
    ],
)
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_hours(text)


def test_a_machine_without_zones_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> ZoneInfo:
        raise ZoneInfoNotFoundError(name)

    monkeypatch.setattr(contract_hours, "ZoneInfo", none)
    with pytest.raises(UsageError, match="no time zone database") as caught:
        parse_hours("Mon 07:00-08:00 Europe/Zurich")
    assert "tzdata" in caught.value.advice


def test_the_digest_of_a_zone_is_of_its_rules() -> None:
    assert zone_digest("Etc/UTC") == zone_digest("UTC")
    assert zone_digest("Europe/Zurich") == zone_digest("Europe/Vaduz")
    assert len({zone_digest(name) for name in ("UTC", "Europe/Zurich", "Europe/Dublin", "Asia/Kolkata")}) == 4
