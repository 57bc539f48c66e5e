"""Records of text: lines and rows where they stand, in the framing that the file's first lines tell."""

import csv
import io
import json
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.model.records import FORM_LINES, Framed, Identity, TextFraming, Wrapping
from custody.pipeline.intake import readings, wrappings_of
from custody.readers.content import Content
from custody.readers.framing import frame
from custody.readers.limits import MIB, Limits
from custody.sources.source import Source
from tests.readers.framed import checked_frames

DECLARED = (
    TextFraming(form="server", head=r"\d{4}-\d\d-\d\d [\d:.]+ UTC "),
    TextFraming(form="banner", head=r"==> \S+ server configuration"),
    TextFraming(form="lambda", head=r"START RequestId: |INIT_START "),
    TextFraming(form="table", head=r"(?:\d{4}-[^,]*|#t),", csv=True),
    TextFraming(form="report", head=r"user,arn,|\"user\",", csv=True, header=True),
    TextFraming(form="columns", head=r"time\tuser", header=True),
    TextFraming(form="b-second", head=r"same"),
    TextFraming(form="a-first", head=r"same"),
    Wrapping(form="bus", inner="detail", marker="detail-type"),
    Wrapping(form="delivered", container="Records"),
    Wrapping(form="list", container="items", beside="kind"),
)


def frames_of(data: bytes, limits: Limits | None = None) -> list[Framed]:
    return checked_frames(data, DECLARED, limits)


def told(data: bytes, limits: Limits | None = None) -> list[tuple[str, bytes | None, str | None]]:
    return [(framed.form, framed.raw, framed.problem) for framed in frames_of(data, limits)]


LINE = b"2026-01-01 00:00:00.1 UTC [7] LOG:  one"


def test_each_line_stands_where_it_stands() -> None:
    assert frames_of(LINE + b"\r\n\n  \t\n\tSELECT 2 \r\n  three") == [
        Framed(0, 39, LINE, "server"),
        Framed(46, 10, b"\tSELECT 2 ", "server"),
        Framed(58, 7, b"  three", "server"),
    ]


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"\n \r\n", b"\xef\xbb\xbf\r\n\n"])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n\n"])
def test_byte_order_marks_and_blank_lines_around_belong_to_no_record(start: bytes, end: bytes) -> None:
    assert frames_of(start + LINE + end) == [Framed(len(start), len(LINE), LINE, "server")]


def test_a_first_line_keeps_its_indent() -> None:
    assert told(b"\n  continued\n" + LINE)[0] == ("server", b"  continued", None)


@pytest.mark.parametrize("lines_before", [0, 1, 199])
def test_a_framing_is_told_by_one_of_the_first_two_hundred_lines(lines_before: int) -> None:
    frames = frames_of(b"some banner\n" * lines_before + LINE + b"\n")
    assert [framed.form for framed in frames] == ["server"] * (lines_before + 1)


@pytest.mark.parametrize("before", [b"some banner\n" * 200, b"x" * 65536 + b"\n"])
def test_later_lines_tell_nothing(before: bytes) -> None:
    data = before + LINE
    assert told(data) == [("document", data, "not-json")]


def test_the_earliest_line_decides_and_then_the_form() -> None:
    assert {framed.form for framed in frames_of(b"same\n" + LINE)} == {"a-first"}
    assert {framed.form for framed in frames_of(LINE + b"\nsame")} == {"server"}
    assert {framed.form for framed in frames_of(b"x same\n")} == {"document"}


@pytest.mark.parametrize(
    "data",
    [
        b'"2026-01-01 00:00:00 UTC "\n',
        b'{"a":1}\n{"b":2}',
        b"[{}]",
        b"[\n1]",
        b'{"a":1,\n%s\n}' % LINE,
        b"{\n%s\n" % LINE,
    ],
)
def test_what_begins_as_json_is_json(data: bytes) -> None:
    assert not {framed.form for framed in frames_of(data)} & {"server", "table", "report"}


def test_a_line_that_begins_with_a_bracket_and_is_no_json_can_be_text() -> None:
    declared = (TextFraming(form="proxy", head=r"\[\d{4}-"),)
    data = b'[2026-01-01T00:00:00.000Z] "GET / HTTP/2" 200\n[2026-01-01T00:00:01.000Z] "GET / HTTP/2" 200\n'
    assert [framed.raw for framed in checked_frames(data, declared)] == data.splitlines()


@pytest.mark.parametrize("line", [b"a\x00b\x1b[0m\x7f", b"\x00" * 9, b"a\rb\r\rc", b"\x0c", b"\\\"'[{"])
def test_control_characters_break_nothing(line: bytes) -> None:
    expected = [] if line.isspace() else [("server", line, None)]
    assert told(LINE + b"\n" + line + b"\n" + LINE) == [("server", LINE, None), *expected, ("server", LINE, None)]


def test_carriage_returns_alone_end_no_line() -> None:
    assert told(LINE + b"\r" + LINE + b"\r") == [("server", LINE + b"\r" + LINE, None)]
    assert told(LINE + b"\r\r\n") == [("server", LINE + b"\r", None)]


def test_bytes_that_are_not_utf_8_are_told_line_by_line() -> None:
    assert told(LINE + b"\n\xff\n\xc3\xa9\n\xc3\n") == [
        ("server", LINE, None),
        ("server", b"\xff", "invalid-utf8"),
        ("server", "é".encode(), None),
        ("server", b"\xc3", "invalid-utf8"),
    ]


def test_too_long_lines_are_hashed_and_passed() -> None:
    data = b"\n".join((LINE, b"x" * 500, LINE, b"y" * 39, b"z" * 40 + b"\r", LINE))
    problems = [framed.problem for framed in frames_of(data, Limits(max_record=39))]
    assert problems == [None, "too-large", None, None, "too-large", None]


def test_json_among_lines_is_framed_as_among_lines_of_json() -> None:
    lines = [
        b"==> OpenBao server configuration:",
        b'{"type":"request"}',
        b'  {"detail-type":"t","detail":{"a":1}} ',
        b'{"a":1,"a":2}',
        b'{"cut":',
        b"{key=value}",
        b"   {",
        b'    {"pretty": 1},',
        b"[1,2]",
        b'"text"',
        b'{"Records":[{"b":1},{"b":2}]}',
        b'{"items":[],"kind":"List"}',
        b'{"items":[{}]}',
        b'{"x":' * 200 + b"1" + b"}" * 200,
        b'{"\xff":1}',
    ]
    data = b"\r\n".join(lines)
    assert told(data) == [
        ("banner", lines[0], None),
        (FORM_LINES, lines[1], None),
        ("bus", b'{"a":1}', None),
        (FORM_LINES, lines[3], "duplicate-keys"),
        (FORM_LINES, lines[4], "not-json"),
        ("banner", lines[5], None),
        ("banner", lines[6], None),
        ("banner", lines[7], None),
        ("banner", lines[8], None),
        ("banner", lines[9], None),
        ("delivered", b'{"b":1}', None),
        ("delivered", b'{"b":2}', None),
        (FORM_LINES, lines[12], None),
        (FORM_LINES, lines[13], "too-deep"),
        (FORM_LINES, lines[14], "invalid-utf8"),
    ]


def test_a_log_of_text_can_begin_with_a_line_of_json() -> None:
    assert told(b'{"time":1}\nSTART RequestId: 1\n{"time":2}\nplain\n') == [
        (FORM_LINES, b'{"time":1}', None),
        ("lambda", b"START RequestId: 1", None),
        (FORM_LINES, b'{"time":2}', None),
        ("lambda", b"plain", None),
    ]
    assert told(b'{"time":1}\nplain\n') == [(FORM_LINES, b'{"time":1}', None), (FORM_LINES, b"plain", "not-json")]


def test_the_header_names_the_columns_in_every_form() -> None:
    data = b"time\tuser\textra\r\n1\tann\t\r\n2\tbob\t\n"
    assert told(data) == [
        ("columns time\tuser\textra", b"1\tann\t", None),
        ("columns time\tuser\textra", b"2\tbob\t", None),
    ]


def test_a_header_of_rows_can_be_quoted_and_hold_a_line_end() -> None:
    data = b'\xef\xbb\xbf"user","a\r\n""b"""\r\n1,"x\ny"\n\n2,z\n'
    form = 'report "user","a\r\n""b"""'
    assert told(data) == [(form, b'1,"x\ny"', None), (form, b"2,z", None)]


@pytest.mark.parametrize("data", [b"user,arn,x", b"user,arn,x\n", b"user,arn,x\r\n\r\n", b"time\tuser\n"])
def test_a_header_alone_is_no_record(data: bytes) -> None:
    assert told(data) == []


@pytest.mark.parametrize("end", [b"", b"\r"])
def test_a_header_has_a_limit(end: bytes) -> None:
    longest = b"user,arn,".ljust(4096, b"x")
    assert told(longest + end + b"\n1,2") == [("report " + longest.decode(), b"1,2", None)]
    data = longest + b"x" + end + b"\n1,2"
    assert told(data) == [("document", data, "not-json")]


@pytest.mark.parametrize("header", [b'user,arn,"open\n1,2', b"user,arn,\xff\n1,2"])
def test_a_file_without_a_sound_header_is_no_text(header: bytes) -> None:
    assert [framed.form for framed in frames_of(header)] == ["document"]


def test_rows_hold_line_ends_in_quotes_only() -> None:
    data = b'#t,"a\r\nb ""c""\n",d\r\n#t,x"y\n#t,"q"r"s\n,\n#t,"",""""\n'
    assert told(data) == [
        ("table", b'#t,"a\r\nb ""c""\n",d', None),
        ("table", b'#t,x"y', None),
        ("table", b'#t,"q"r"s', None),
        ("table", b",", None),
        ("table", b'#t,"",""""', None),
    ]


def test_a_row_whose_quotes_are_left_open_ends_with_the_file() -> None:
    assert told(b'#t,1\n#t,"cut\n#t,3\r\n') == [("table", b"#t,1", None), ("table", b'#t,"cut\n#t,3\r\n', "malformed")]
    assert told(b'#t,1\n#t,"') == [("table", b"#t,1", None), ("table", b'#t,"', "malformed")]
    assert told(b'#t,"' + b"x\n" * 40, Limits(max_record=50))[0][2] == "too-large"


def test_rows_are_never_read_as_json() -> None:
    assert told(b'#t,1\n{"a":1}\n') == [("table", b"#t,1", None), ("table", b'{"a":1}', None)]


@pytest.mark.parametrize("quotes", [100_000, 100_001])
def test_very_many_quotes_take_no_more_than_their_time(quotes: int) -> None:
    data = b"#t," + b'"' * quotes + b"\n#t,2\n"
    frames = list(frame(Content.of(data), DECLARED))
    assert [framed.problem for framed in frames] == ([None, None] if quotes % 2 == 0 else ["malformed"])
    pairs = b"#t," + b'"",' * quotes + b"\n" + b'#t,"\n' * quotes
    assert sum(framed.length for framed in frame(Content.of(pairs), DECLARED)) >= len(pairs) - quotes


def test_a_long_row_outgrows_the_limit_and_the_next_is_found() -> None:
    data = b'#t,"' + b'a""\n' * 30 + b'"\n#t,2\n'
    found = told(data, Limits(max_record=20))
    assert [problem for _, _, problem in found] == ["too-large", None]


def test_memory_does_not_grow_with_the_file() -> None:
    def blocks() -> Iterator[bytes]:
        yield LINE + b"\n"
        for _ in range(24):
            yield b"x" * MIB
        for _ in range(24):
            yield (b"y" * 1023 + b"\n") * 1024

    tracemalloc.start()
    problems = [framed.problem for framed in frame(Content(None, 0, blocks), DECLARED, Limits(max_record=MIB))]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(problems) == 1 + 24 * 1024
    assert problems[1] == "too-large"
    assert peak < 12 * MIB


def plain_source() -> Source:
    return Source(
        name="plain",
        title="Plain",
        wrappings=(Wrapping(form="delivered", container="Records"),),
        texts=(TextFraming(form="server", head=r"LOG: "),),
        recognise=lambda raw: raw.startswith(b"LOG: "),
        identify=lambda raw: Identity("plain/1", raw.decode()),
        read=lambda kept, form: (),
        time_resolution=1,
        delivery_delay=0,
        proves="nothing",
        enable="nothing",
    )


def test_what_a_source_declares_reaches_the_framing_and_its_lines_reach_the_source() -> None:
    sources = [plain_source()]
    framed = list(frame(Content.of(b"LOG: one\nno log\n"), wrappings_of(sources)))
    found = [(reading.source, reading.id, reading.form) for reading in readings(framed, sources)]
    assert found[0] == ("plain", "LOG: one", "server")
    assert (found[1][0], found[1][2]) == ("unknown", "skip:unknown")


def rows(text: str) -> list[list[str]]:
    """What the standard library makes of rows; blank ones are none."""
    return [row for row in csv.reader(io.StringIO(text, newline="")) if row]


@settings(max_examples=200, deadline=None)
@given(
    cells=st.lists(st.lists(st.text('ab",\r\n é\x00', max_size=6), min_size=1, max_size=4), max_size=6),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_written_rows_come_out_one_by_one(cells: list[list[str]], end: str) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(cells)
    frames = frames_of(f"#t,{end}{out.getvalue()}".encode())[1:]
    assert {framed.problem for framed in frames} <= {None}
    assert [rows((framed.raw or b"").decode()) for framed in frames] == [[row] for row in cells]


@settings(max_examples=300, deadline=None)
@given(text=st.text('",\na', max_size=40))
def test_any_rows_are_cut_where_the_standard_library_cuts_them(text: str) -> None:
    data = "#t,\n" + text
    frames = frames_of(data.encode())
    assert [row for framed in frames for row in rows((framed.raw or b"").decode())] == rows(data)
    assert all(len(rows((framed.raw or b"").decode())) == 1 for framed in frames)
    lost = data.encode()
    for framed in reversed(frames):
        lost = lost[: framed.at] + lost[framed.at + framed.length :]
    assert not lost.strip(b"\n")


SCRAPS = [
    LINE,
    b"#t,",
    b"user,arn,",
    b'"',
    b'""',
    b",",
    b"\n",
    b"\r",
    b"\r\n",
    b'{"a":1}',
    b"{",
    b"}",
    b"\xff",
    b"\0",
    b" ",
    b"[",
]
SCRAPS += [b"\xef\xbb\xbf", b"START RequestId: ", b'{"Records":[', json.dumps({"items": [{}], "kind": 1}).encode()]


@settings(max_examples=300, deadline=None)
@given(data=st.lists(st.sampled_from(SCRAPS), max_size=20).map(b"".join), most=st.sampled_from([4, 16, 50, 1000]))
def test_any_bytes_are_framed_alike_in_blocks_of_any_size(data: bytes, most: int) -> None:
    frames_of(data, Limits(max_record=most))
