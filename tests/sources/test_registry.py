"""The list of sources."""

import dataclasses

import pytest

from custody.errors import UsageError
from custody.sources.aws_cloudtrail import SOURCE
from custody.sources.registry import collect, sources


def test_sources_are_found_by_themselves_and_sorted() -> None:
    names = [source.name for source in sources()]
    assert "aws.cloudtrail" in names
    assert names == sorted(names)


def test_two_sources_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match=r"two sources have one name \(found aws\.cloudtrail"):
        collect([SOURCE, dataclasses.replace(SOURCE, title="another")])


def test_a_source_without_a_way_for_many_identifies_one_by_one() -> None:
    alone = dataclasses.replace(SOURCE, identify_all=None)
    raws = [b'{"eventID":"e","eventSource":"s","eventName":"n"}', b"{}"]
    assert alone.identities(raws) == SOURCE.identities(raws)


def test_wrappings_say_how_the_records_stand() -> None:
    by_form = {wrapping.form: wrapping for wrapping in SOURCE.wrappings}
    assert by_form["delivered"].container == "Records"
    assert by_form["lookup-events"].encoded
    assert by_form["eventbridge"].inner == "detail"


def test_no_records_have_no_identities() -> None:
    assert SOURCE.identities([]) == []
