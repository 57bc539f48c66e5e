"""The formats there are, and the JSON one."""

import json

import msgspec
import pytest

from custody.errors import UsageError
from custody.model.annex import NO_ANNEX
from custody.model.report import Report
from custody.reports import html, json_object
from custody.reports.format import ReportFormat
from custody.reports.registry import collect, formats, named
from tests.reports.hostile import HIDDEN
from tests.reports.sample import empty_report, sample_report
from tests.reports.sample_annex import sample_annex
from tests.reports.sample_chains import HOSTILE, sample_chains


def test_formats_are_found_by_module_scan_and_sorted() -> None:
    assert [each.id for each in formats()] == ["html", "json"]
    assert [each.suffix for each in formats()] == [".html", ".json"]
    assert [each.media_type for each in formats()] == ["text/html", "application/json"]
    assert html.FORMAT in formats()


def test_two_formats_with_one_id_are_refused() -> None:
    twin = msgspec.structs.replace(html.FORMAT, title="another")

    with pytest.raises(UsageError, match="two report formats have one id"):
        collect([html.FORMAT, json_object.FORMAT, twin])


def test_formats_come_out_in_one_order() -> None:
    assert collect([json_object.FORMAT, html.FORMAT]) == collect([html.FORMAT, json_object.FORMAT])


def test_an_unknown_format_says_which_there_are() -> None:
    with pytest.raises(UsageError, match="html or json") as caught:
        named("pdf")

    assert caught.value.exit_code == 2
    assert named("json") is json_object.FORMAT


@pytest.mark.parametrize("each", formats(), ids=lambda each: str(each.id))
def test_every_format_gives_the_same_bytes_again(each: ReportFormat) -> None:
    first = each.render(sample_report(), sample_chains(), sample_annex())

    assert each.render(sample_report(), sample_chains(), sample_annex()) == first


@pytest.mark.parametrize("each", formats(), ids=lambda each: str(each.id))
def test_every_format_writes_down_an_audit_of_nothing(each: ReportFormat) -> None:
    assert each.render(empty_report(), (), NO_ANNEX).decode()


def test_json_gives_back_the_very_report() -> None:
    written = json_object.render(sample_report(), sample_chains())

    found = json.loads(written)
    for each in found["findings"]:
        assert {leaf["log"] for leaf in each["leaves"]} <= {"operations"}
        each["leaves"] = [leaf["index"] for leaf in each["leaves"]]
    assert msgspec.convert(found, Report) == sample_report()


def test_json_has_stable_order_two_spaces_and_a_newline_at_the_end() -> None:
    written = json_object.render(sample_report(), ()).decode()
    keys = list(json.loads(written))

    assert keys == list(Report.__struct_fields__)
    assert written.startswith('{\n  "version": "0.1.0",\n  "as_of"')
    assert written.endswith("}\n")
    assert '"n/a": 6' in written
    assert list(json.loads(written)["skipped"]) == ["duplicate-keys", "not-json"]


def test_json_is_the_same_whatever_the_order_of_counts() -> None:
    report = sample_report()
    turned = msgspec.structs.replace(report, skipped=dict(reversed(report.skipped.items())))

    assert json_object.render(turned, ()) == json_object.render(report, ())


def test_json_hides_nothing_from_a_terminal_and_changes_nothing() -> None:
    report = sample_report()
    finding = msgspec.structs.replace(report.findings[0], text=f"{HOSTILE}\U000e0041\x7f\n漢字 ü")
    written = json_object.render(msgspec.structs.replace(report, findings=(finding,)), ()).decode()

    assert not HIDDEN.search(written)
    assert "\\u202e" in written
    assert "\\u007f" in written
    assert "\\udb40\\udc41" in written
    assert "漢字 ü" in written
    assert json.loads(written)["findings"][0]["text"] == finding.text
