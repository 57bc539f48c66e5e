"""Pieces of a growing file: where they end, that they give the records that the whole file gives, and what is known."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zipfile
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.errors import SourceError
from custody.model.records import Acquisition, Framed, TextFraming, Wrapping
from custody.readers import pieces
from custody.readers.content import Content
from custody.readers.framing import frame
from custody.readers.limits import DEFAULT, MIB, Limits
from custody.readers.pieces import Manner, manner_of, start_of
from custody.readers.survey import survey

TEXTS = (
    TextFraming(form="server", head=r"\d{4}-\d\d-\d\d [\d:.]+ UTC "),
    TextFraming(form="table", head=r"\d{4}-[^,]*,", csv=True),
    TextFraming(form="report", head=r"user,arn,", csv=True, header=True),
    TextFraming(form="columns", head=r"time\tuser", header=True),
)
DECLARED = (*TEXTS, Wrapping(form="delivered", container="Records"))
LINE = b"2026-01-01 00:00:00.1 UTC [7] LOG:  one\n"


def tarred() -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"), io.BytesIO())
    return target.getvalue()


def zipped() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("a.json", "{}")
    return target.getvalue()


@pytest.mark.parametrize(
    ("head", "manner"),
    [
        (b'{"a":1}\n', Manner.LINES),
        (b'\xef\xbb\xbf\n  {"a":1}\r\n{"a"', Manner.LINES),
        (b'{"Records":[{"a":1}]}\n{"Records":[]}\n', Manner.LINES),
        (LINE, Manner.LINES),
        (b"no framing\n" * 19 + LINE, Manner.LINES),
        (b'{"a":1}\n' + LINE, Manner.LINES),
        (b"time\tuser\n1\ta\n", Manner.LINES),
        (b"2026-01-01,a\n", Manner.ROWS),
        (b"user,arn,x\n", Manner.ROWS),
        (b"", Manner.WHOLE),
        (b'{"a":1}', Manner.WHOLE),
        (b'{"a":1,\n"b":2}\n', Manner.WHOLE),
        (b'[{"a":1},\n{"a":2}]\n', Manner.WHOLE),
        (b'"text"\n', Manner.WHOLE),
        (b"# a readme\nwith words\n", Manner.WHOLE),
        (b"2026-01-01 00:00:00.1 UTC half a li", Manner.WHOLE),
        (gzip.compress(b'{"a":1}\n', mtime=0), Manner.WHOLE),
        (zipped(), Manner.WHOLE),
        (tarred(), Manner.WHOLE),
    ],
)
def test_a_file_is_taken_by_lines_by_rows_or_at_once(head: bytes, manner: Manner) -> None:
    assert manner_of(head, TEXTS) is manner


def written(folder: Path, data: bytes) -> Path:
    path = folder / "log"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("data", "start", "end"),
    [
        (b"", 0, 0),
        (b"half", 0, 0),
        (b"one\n", 0, 4),
        (b"one\ntwo\nhal", 0, 8),
        (b"one\ntwo\nhal", 4, 8),
        (b"one\ntwo\nhal", 8, 8),
        (b"\n\n", 0, 2),
    ],
)
def test_a_piece_of_lines_ends_with_the_last_line_end(data: bytes, start: int, end: int, tmp_path: Path) -> None:
    assert pieces.end_of_lines(written(tmp_path, data), start, len(data), DEFAULT) == end


@pytest.mark.parametrize(
    ("data", "start", "end"),
    [
        (b"", 0, 0),
        (b"a,b", 0, 0),
        (b"a,b\n", 0, 4),
        (b'a,b\nc,"d\ne', 0, 4),
        (b'a,b\nc,"d\ne"\nf', 0, 12),
        (b'a,b\nc,"d\ne"\nf', 4, 12),
        (b'a,b\nc,"d""\n""e"\n', 4, 16),
    ],
)
def test_a_piece_of_rows_never_ends_in_a_quoted_field(data: bytes, start: int, end: int, tmp_path: Path) -> None:
    assert pieces.end_of_rows(written(tmp_path, data), start, len(data), DEFAULT) == end


def test_a_long_stretch_is_cut_at_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE", 10)
    path = written(tmp_path, b"12345\n12345\n1234567890123\n1\n")

    ends = [0]
    while (end := pieces.end_of_lines(path, ends[-1], 28, DEFAULT)) > ends[-1]:
        ends.append(end)

    assert ends == [0, 6, 12, 26, 28]
    assert pieces.end_of_rows(path, 0, 28, DEFAULT) == 12


def test_a_piece_is_named_by_its_offset_and_an_archive_member_of_that_name_is_none(tmp_path: Path) -> None:
    path = written(tmp_path, b"one\ntwo\nthree\n")
    piece = pieces.survey_piece(path, 4, 8, DEFAULT)
    digest = hashlib.sha256(b"two\n").hexdigest()

    assert piece == Acquisition(
        path=str(path), member="@4", received=digest, received_size=4, content=digest, content_size=4
    )
    assert start_of(piece.member, piece.received, piece.content) == 4
    for name in ("@04", "@-1", "@", "4", "@4x", "a/@4", None):
        assert start_of(name, digest, digest) is None

    packed = tmp_path / "x.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("@4", "two\n")
    (member,) = survey(packed)
    assert isinstance(member, Acquisition)
    assert member.member == "@4"
    assert start_of(member.member, member.received, member.content) is None


def records(path: Path, cuts: list[int], limits: Limits) -> list[Framed]:
    """The records of the pieces between ``cuts``, where they stand in the file."""
    found: list[Framed] = []
    for start, end in pairwise(cuts):
        piece = pieces.survey_piece(path, start, end, limits)
        content = pieces.open_piece(path, piece, start, limits)
        found += [msgspec.structs.replace(each, at=start + each.at) for each in frame(content, DECLARED, limits)]
    return found


JSON_LINES = [b'{"a":1}\n', b'{"Records":[{"b":1},{"b":2}]}\n', b'{"a":{"b":[1,2]}}\r\n', b"\n", b"junk\n"]
SERVER_LINES = [LINE, LINE.replace(b"one", b"two"), b"\tcontinued\n", b'{"a":1}\n', b"\n", b"\xff\n"]
TABLE_ROWS = [b"2026-01-01,a\n", b'2026-01-02,"b\nc"\n', b'2026-01-03,"d""\n"\n', b"\n", b"x,y\r\n"]
COLUMN_LINES = [b"1\tann\n", b"2\tbob\n", b"\n"]


@pytest.mark.parametrize(
    ("first", "more"),
    [
        (JSON_LINES[0], JSON_LINES),
        (LINE, SERVER_LINES),
        (TABLE_ROWS[0], TABLE_ROWS),
        (b"time\tuser\n", COLUMN_LINES),
        (b"user,arn,x\n", TABLE_ROWS),
    ],
    ids=["json", "server", "table", "columns", "report"],
)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_the_pieces_give_the_records_of_the_whole_file(
    first: bytes, more: list[bytes], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines = [first, *data.draw(st.lists(st.sampled_from(more), max_size=12))]
    ends = [sum(map(len, lines[: at + 1])) for at in range(len(lines))]
    cuts = sorted({0, ends[-1], *data.draw(st.sets(st.sampled_from(ends)))})
    path = written(tmp_path_factory.mktemp("pieces"), b"".join(lines))

    whole = list(frame(Content.of(path.read_bytes()), DECLARED, DEFAULT))

    assert records(path, cuts, DEFAULT) == whole
    assert records(path, cuts, Limits(whole=16)) == whole


def test_a_later_piece_has_the_header_of_its_file_in_its_form(tmp_path: Path) -> None:
    path = written(tmp_path, b"time\tuser\n1\tann\n2\tbob\n")

    assert records(path, [0, 10, 16, 22], DEFAULT) == [
        Framed(10, 5, b"1\tann", "columns time\tuser"),
        Framed(16, 5, b"2\tbob", "columns time\tuser"),
    ]


@pytest.mark.parametrize("whole", [4, 4 * MIB], ids=["streamed", "at once"])
def test_a_piece_that_changed_is_not_handed_on(whole: int, tmp_path: Path) -> None:
    path, limits = written(tmp_path, b"one\ntwo\nthree\n"), Limits(whole=whole)
    piece = pieces.survey_piece(path, 4, 14, limits)
    path.write_bytes(b"one\ntwo\nthref\n")

    with pytest.raises(SourceError, match="changed after it was hashed"):
        pieces.open_piece(path, piece, 4, limits)
    path.write_bytes(b"one\n")
    with pytest.raises(SourceError, match="became shorter"):
        pieces.survey_piece(path, 4, 14, limits)


@pytest.mark.parametrize(
    ("known", "data", "found"),
    [
        ({}, b"one\ntwo\n", []),
        ({0: [b"one\n"]}, b"one\ntwo\n", [(0, 4)]),
        ({0: [b"one\n", b"one\ntwo\n"], 4: [b"two\n"]}, b"one\ntwo\nthree\n", [(0, 8)]),
        ({0: [b"one\n"], 4: [b"two\n", b"TWO\n"], 8: [b"no\n"]}, b"one\ntwo\nthree\n", [(0, 4), (4, 4)]),
        ({0: [b"ONE\n"], 4: [b"two\n"]}, b"one\ntwo\n", []),
        ({0: [b"one\ntwo\n"]}, b"one\n", []),
        ({4: [b"two\n"]}, b"one\ntwo\n", []),
    ],
)
def test_what_an_earlier_run_acquired_is_known_by_its_hash(
    known: dict[int, list[bytes]], data: bytes, found: list[tuple[int, int]], tmp_path: Path
) -> None:
    spans: dict[int, dict[int, set[str]]] = {}
    for start, those in known.items():
        for each in those:
            spans.setdefault(start, {}).setdefault(len(each), set()).add(hashlib.sha256(each).hexdigest())

    told = pieces.known_pieces(written(tmp_path, data), spans, len(data), DEFAULT)

    assert [(start_of(each.member, each.received, each.content), each.content_size) for each in told] == found


def test_known_stretches_over_many_blocks(tmp_path: Path) -> None:
    data = b"".join(b"%07d\n" % number for number in range(400_000))
    spans = {0: {2 * MIB + 8: {hashlib.sha256(data[: 2 * MIB + 8]).hexdigest()}, 8: {"0" * 64}}}

    (piece,) = pieces.known_pieces(written(tmp_path, data), spans, len(data), DEFAULT)

    assert (piece.member, piece.content_size) == ("@0", 2 * MIB + 8)


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (b'{"a":1}', True),
        (b'{"a":1} \r\n', True),
        (b'{"a":', False),
        (b'{"a":1}{', False),
        (b"text", False),
        (b"", False),
    ],
)
def test_a_last_line_without_an_end_is_whole_where_it_is_one_object(data: bytes, whole: bool, tmp_path: Path) -> None:
    path = written(tmp_path, b"one\n" + data)

    assert pieces.is_whole_record(path, 4, 4 + len(data), DEFAULT) is whole
    assert not pieces.is_whole_record(path, 4, 4 + len(data), Limits(max_record=2))
