"""Events as columns."""

import pyarrow as pa

from custody.model.events import Event, Outcome, Part, Stage
from custody.model.records import PARTS_COLUMNS
from custody.sources.columns import to_parts

USE = Part(stage=Stage.USE, key="aws_akid:aws:ASIA1")
ISSUE = Part(stage=Stage.ISSUE, key="aws_akid:aws:ASIA2", parent="aws_akid:aws:ASIA1", not_after=7)


def event(*parts: Part) -> Event:
    return Event(
        id="e1", time=5, service="sts.amazonaws.com", action="AssumeRole", outcome=Outcome.SUCCESS, parts=parts
    )


def test_the_columns_are_those_declared() -> None:
    batch = to_parts([(0, "aws.cloudtrail", "e1", "delivered", (event(USE),))])
    assert batch.schema.names == list(PARTS_COLUMNS)
    assert [field.type for field in batch.schema] == [pa.type_for_alias(kind) for kind in PARTS_COLUMNS.values()]


def test_one_row_a_part_in_order() -> None:
    batch = to_parts(
        [(3, "aws.cloudtrail", "e1", "delivered", (event(USE, ISSUE),)), (4, "s", "e2", "f", (event(USE),))]
    )
    rows = batch.to_pylist()
    assert [row["row"] for row in rows] == [3, 3, 4]
    assert [row["stage"] for row in rows] == ["use", "issue", "use"]
    assert [row["event"] for row in rows] == ["e1", "e1", "e2"]
    assert rows[1]["parent"] == "aws_akid:aws:ASIA1"
    assert rows[1]["not_after"] == 7
    assert rows[0]["not_after"] is None
    assert rows[0]["outcome"] == "success"
    assert rows[0]["console"] is False


def test_an_event_without_a_part_is_still_a_row() -> None:
    rows = to_parts([(0, "s", "e1", "f", (event(),))]).to_pylist()
    assert len(rows) == 1
    assert rows[0]["stage"] is None
    assert rows[0]["action"] == "AssumeRole"


def test_no_rows_give_an_empty_batch() -> None:
    batch = to_parts([])
    assert batch.num_rows == 0
    assert batch.schema.names == list(PARTS_COLUMNS)


def test_a_record_without_events_gives_no_row() -> None:
    assert to_parts([(0, "s", "e1", "f", ())]).num_rows == 0
