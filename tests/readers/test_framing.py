"""Framing: exact places in every wrapping, and a frame for every fault."""

import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.model.records import FORM_ARRAY, FORM_DELIVERED, FORM_DOCUMENT, FORM_LINES, Framed, Wrapping
from custody.readers.content import Content
from custody.readers.framing import frame
from custody.readers.limits import MIB, Limits
from tests.readers.framed import checked_frames

WRAPPINGS = (
    Wrapping(form=FORM_DELIVERED, container="Records"),
    Wrapping(form="lookup", container="Events", inner="CloudTrailEvent", encoded=True),
    Wrapping(form="bus", inner="detail", marker="detail-type"),
)


def frames_of(data: bytes, limits: Limits | None = None) -> list[Framed]:
    return checked_frames(data, WRAPPINGS, limits)


def raws(data: bytes, limits: Limits | None = None) -> list[bytes | None]:
    return [framed.raw for framed in frames_of(data, limits)]


def problems(data: bytes, limits: Limits | None = None) -> list[str | None]:
    return [framed.problem for framed in frames_of(data, limits)]


def forms(data: bytes) -> set[str]:
    return {framed.form for framed in frames_of(data)}


def test_delivered_file_gives_its_elements_where_they_stand() -> None:
    data = b'{"Records":[{"a":1},{"b":[1,2]} , \n{"c":"]}"}]}\n'
    assert frames_of(data) == [
        Framed(12, 7, b'{"a":1}', FORM_DELIVERED),
        Framed(20, 11, b'{"b":[1,2]}', FORM_DELIVERED),
        Framed(35, 10, b'{"c":"]}"}', FORM_DELIVERED),
    ]


def test_top_level_array_has_the_form_array() -> None:
    assert frames_of(b'[\n {"a": 1},\n {"b": 2}\n]') == [
        Framed(3, 8, b'{"a": 1}', FORM_ARRAY),
        Framed(14, 8, b'{"b": 2}', FORM_ARRAY),
    ]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n  \n", b"\n\xef\xbb\xbf"])
def test_lines_with_every_line_end(end: bytes) -> None:
    data = b"\xef\xbb\xbf" + end.join((b'{"a":1}', b'{"b":2}', b'{"c":3}'))
    assert raws(data) == [b'{"a":1}', b'{"b":2}', b'{"c":3}']
    assert forms(data) == {FORM_LINES}


def test_pretty_printed_document_is_one_record() -> None:
    data = b'\n{\n  "a": {\n    "b": [1,\n2]\n  }\n}\n\n'
    assert frames_of(data) == [Framed(1, len(data.strip()), data.strip(), FORM_DOCUMENT)]


def test_concatenated_documents_and_delivered_files() -> None:
    assert raws(b'{"a":1}{"b":2} {"c":\n3}{"Records":[{"d":4}]}{"Records":[{"e":5}]}') == [
        b'{"a":1}',
        b'{"b":2}',
        b'{"c":\n3}',
        b'{"d":4}',
        b'{"e":5}',
    ]


def test_container_is_found_after_other_members_and_under_any_spelling() -> None:
    assert raws(b'{"Next":"[{","n":{"x":[1]},"\\u0052ecords" : [ {"a":1} ],"z":[2]}') == [b'{"a":1}']


def test_container_on_lines() -> None:
    data = b'{"v":1,"Records":[{"a":1}]}\n{"v":1,"Records":[{"a":2}]}\n'
    assert raws(data) == [b'{"a":1}', b'{"a":2}']
    assert forms(data) == {FORM_DELIVERED}


@pytest.mark.parametrize("template", [b"[%s]", b"%s\n", b'{"x":0}\n%s', b'{"Records":[%s]}', b"\n %s"])
def test_event_bus_envelope_gives_its_detail_in_every_place(template: bytes) -> None:
    detail = b'{"eventID": "x", "detail": {"y":"}"}}'
    data = template % (b'{"version":"0","detail-type":"t","account": "1", "detail": ' + detail + b' ,"z":"{"}')
    (framed,) = [framed for framed in frames_of(data) if framed.form == "bus"]
    assert (framed.raw, framed.at) == (detail, data.index(detail))


def test_envelope_without_marker_or_with_other_detail_is_the_record() -> None:
    data = b'{"detail":{"a":1}}\n{"detail-type":"t","detail":"text"}\n'
    assert raws(data) == data.splitlines()


def test_an_envelope_of_another_sender_is_a_record_of_its_own() -> None:
    wrappings = (Wrapping(form="bus", inner="detail", marker="detail-type", sender=("source", "aws.")),)
    sent = [
        b'{"detail-type":"t","source":%s,"detail":{"a":1}}' % who for who in (b'"aws.s3"', b'"x.aws."', b"null", b"7")
    ]
    found = checked_frames(b"\n".join((*sent, b'{"detail-type":"t","detail":{"a":1}}')), wrappings)
    assert [framed.form for framed in found] == ["bus", *[FORM_LINES] * 4]


def test_lookup_output_gives_the_escaped_string() -> None:
    inner = json.dumps({"eventID": "é", "text": 'a "quoted" \\ b'})
    pages = json.dumps({"NextToken": "t", "Events": [{"EventId": "1", "CloudTrailEvent": inner, "Resources": []}] * 2})
    for text in (pages, json.dumps(json.loads(pages), indent=2)):
        frames = frames_of(text.encode())
        assert [framed.form for framed in frames] == ["lookup", "lookup"]
        assert [json.loads(json.loads(framed.raw or b"")) for framed in frames] == [json.loads(inner)] * 2


@pytest.mark.parametrize(
    ("inner", "problem"),
    [
        ('{"a":1,"a":2}', "duplicate-keys"),
        ('{"a":', "not-json"),
        ("[" * 200 + "]" * 200, "too-deep"),
        ('"\ud800"', "invalid-utf8"),
    ],
)
def test_faults_inside_an_encoded_record_are_seen(inner: str, problem: str) -> None:
    data = json.dumps({"Events": [{"CloudTrailEvent": inner}, {"CloudTrailEvent": "{}"}]}).encode()
    assert problems(data) == [problem, None]


def test_element_of_a_wrapping_container_without_the_member_is_the_record() -> None:
    assert frames_of(b'{"Events":[{"a":1},{"CloudTrailEvent":null}]}') == [
        Framed(11, 7, b'{"a":1}', FORM_ARRAY),
        Framed(19, 24, b'{"CloudTrailEvent":null}', FORM_ARRAY),
    ]


def test_wrapper_with_a_key_twice_is_itself_the_problem() -> None:
    wrapper = b'{"detail-type":"t","detail":{"a":1},"detail":{"a":2}}'
    assert frames_of(b"[" + wrapper + b"]") == [Framed(1, len(wrapper), wrapper, FORM_ARRAY, "duplicate-keys")]


def test_container_twice_loses_nothing_and_is_told() -> None:
    data = b'{"Records":[{"a":1}],"Records":[{"b":2},{"c":3}]}'
    assert [(framed.raw, framed.problem) for framed in frames_of(data)] == [
        (b'{"a":1}', None),
        (b'"Records"', "duplicate-keys"),
        (b'{"b":2}', None),
        (b'{"c":3}', None),
    ]
    assert raws(b'{"Records":[{"a":1}],"Records":[]}') == [b'{"a":1}', b'"Records"']


def test_container_twice_with_parts_that_could_be_laid_over_each_other() -> None:
    hidden = b'{"a":1}'
    data = b'{"Records":[' + hidden + b'],"Records":[{"b":"' + b" " * 80 + b'"},{}]}'
    assert raws(data)[0] == hidden


def test_two_containers_give_both() -> None:
    data = b'{"Records":[{"a":1}],"Events":[{"CloudTrailEvent":"{}"}]}'
    assert raws(data) == [b'{"a":1}', b'"{}"']


def test_truncated_delivery_gives_the_complete_records_and_the_tail() -> None:
    data = b'{"Records":[{"a":1},{"b":2},{"c":{"d":"x'
    assert [(framed.raw, framed.problem) for framed in frames_of(data)] == [
        (b'{"a":1}', None),
        (b'{"b":2}', None),
        (b'{"c":{"d":"x', "not-json"),
    ]


@pytest.mark.parametrize("cut", [b'{"Records":[{"a":1}', b'{"Records":[{"a":1},', b'{"Records":[{"a":1}]'])
def test_a_cut_between_records_is_told_too(cut: bytes) -> None:
    assert frames_of(cut)[1:] == [Framed(len(cut), 0, b"", FORM_ARRAY, "not-json")]


def test_every_truncation_of_a_delivery_keeps_what_is_complete() -> None:
    records = [b'{"a":"%d","b":[{}]}' % number for number in range(4)]
    data = b'{"Records":[' + b",".join(records) + b"]}"
    for end in range(13, len(data)):
        frames = frames_of(data[:end])
        whole = [framed.raw for framed in frames if framed.problem is None]
        assert whole == records[: len(whole)]
        assert len(whole) == sum(12 + 19 * count + 18 <= end for count in range(4))
        assert frames[-1].problem == "not-json"


def test_broken_elements_do_not_take_their_neighbours_along() -> None:
    data = b'{"Records":[{"a":1},{"b":},{"c":3},,:{"d":4},nonsense,{"e":5}{"f":6},]}'
    assert [(framed.raw, framed.problem) for framed in frames_of(data)] == [
        (b'{"a":1}', None),
        (b'{"b":}', "not-json"),
        (b'{"c":3}', None),
        (b",:", "not-json"),
        (b'{"d":4}', None),
        (b"nonsense", "not-json"),
        (b'{"e":5}', None),
        (b"", "not-json"),
        (b'{"f":6}', None),
        (b",", "not-json"),
    ]


def test_a_cut_line_does_not_take_the_lines_after_it_along() -> None:
    data = b'{"a":1,\n{"b":2}\n{"c":"x\n{"d":4}\nrubbish\n{"e":[\n{"f":6}\n'
    assert [(framed.raw, framed.problem) for framed in frames_of(data)] == [
        (b'{"a":1,', "not-json"),
        (b'{"b":2}', None),
        (b'{"c":"x', "not-json"),
        (b'{"d":4}', None),
        (b"rubbish", "not-json"),
        (b'{"e":[', "not-json"),
        (b'{"f":6}', None),
    ]


def test_many_cut_lines_end_the_patience_but_not_the_reading() -> None:
    data = b'{"a":[\n' * 50 + b'{"b":2}\n{"z":0,"Records":[{"c":3}]}\n'
    frames = frames_of(data, Limits(max_record=64))
    assert [framed.problem for framed in frames] == ["not-json"] * 50 + [None, None]
    assert frames[-1].raw == b'{"c":3}'


def test_rubbish_after_a_delivery_is_framed() -> None:
    data = b'{"Records":[{"a":1}]} tail\n{"Records":[{"b":2}], oops\n{"c":3}'
    assert raws(data) == [b'{"a":1}', b"tail", b'{"b":2}', b"oops", b'{"c":3}']


def test_truncated_pretty_document_is_one_broken_record() -> None:
    data = b'{\n  "a": [\n    1,\n    2'
    assert frames_of(data) == [Framed(0, len(data), data, FORM_LINES, "not-json")]


@pytest.mark.parametrize("data", [b"", b"\n \r\n", b"\xef\xbb\xbf", b'{"Records":[]}', b"[]", b"[ ]\n"])
def test_files_without_records(data: bytes) -> None:
    assert frames_of(data) == []


@pytest.mark.parametrize("data", [b"plain text\nof two lines", b"\x00\x01\xff", b"\xff\xfe{\x00", b"a,b\n1,2"])
def test_a_file_that_is_no_json_is_one_frame(data: bytes) -> None:
    (framed,) = frames_of(data + b"\n")
    assert (framed.raw, framed.problem) == (data, "invalid-utf8" if b"\xff" in data else "not-json")


def test_a_large_file_that_is_no_json_is_hashed() -> None:
    assert problems(b"word " * 100, Limits(max_record=99)) == ["too-large"]


@pytest.mark.parametrize("data", [b"17", b'"text"', b"[1,2]", b"null\n"])
def test_values_that_are_no_objects_are_records(data: bytes) -> None:
    assert set(problems(data)) == {None}


@pytest.mark.parametrize(
    "template", [b'{"Records":[{"a":1},%s,{"b":2}]}', b'{"a":1}\n%s\n{"b":2}\n', b'[{"a":1},%s,{"b":2}]']
)
def test_too_large_records_are_hashed_and_passed(template: bytes) -> None:
    data = template % (b'{"text":"' + b'\\"[x' * 100 + b'"}')
    assert problems(data, Limits(max_record=100)) == [None, "too-large", None]


def test_too_large_document_is_hashed_unless_other_records_follow_its_first_line() -> None:
    limits = Limits(max_record=100)
    body = b",\n".join(b' "k%d":"%s"' % (number, b"x" * 20) for number in range(20))
    assert problems(b"{\n" + body + b"\n}\n" + b'{"b":2}', limits) == ["too-large", None]
    lines = b'{"a":1,\n' + b'{"b":"2"}\n' * 30
    assert problems(lines, limits) == ["not-json"] + [None] * 30


def test_the_hash_of_a_cut_line_over_the_limit_covers_the_line_alone() -> None:
    assert [framed.length for framed in frames_of(b'{"xxxxxx\r\n\n', Limits(max_record=4))] == [9]


@pytest.mark.parametrize("template", [b'{"Records":[%s,{}]}', b"%s\n{}", b"[%s,{}]"])
@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (b'{"a":"\xff"}', "invalid-utf8"),
        (b'{"a":1,"\\u0061":2}', "duplicate-keys"),
        (b'{"x":' * 200 + b"1" + b"}" * 200, "too-deep"),
        (b'{"x":' * 5000 + b"1" + b"}" * 5000, "too-deep"),
        (b'{"a":NaN}', "not-json"),
        (b'{"a":"\\ud800"}', None),
    ],
)
def test_the_guard_is_applied_in_every_wrapping(template: bytes, record: bytes, problem: str | None) -> None:
    assert problems(template % record) == [problem, None]


def test_deep_rubbish_is_one_broken_record_and_never_recurses() -> None:
    content = Content.of(b'{"Records":[{"a":1},' + b"[" * MIB)
    assert [framed.problem for framed in frame(content, WRAPPINGS)] == [None, "too-deep"]


KEYS = st.text(max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
RECORDS = st.dictionaries(KEYS.filter(lambda key: key not in ("Records", "Events", "detail")), VALUES, max_size=5)
SEPARATORS = st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " : ")])
SCRAPS = [b'{"Records":[', b'{"a":1}', b'"', b"\\", b"[", b"]", b"{", b"}", b",", b":", b"\n", b" ", b'"k":', b"x"]
SCRAPS += [b"\xef\xbb\xbf", b"\xff", b'{"Events":[{"CloudTrailEvent":"{}"}', b'{"detail-type":1,"detail":{}}']


@settings(max_examples=150, deadline=None)
@given(
    records=st.lists(RECORDS, min_size=1, max_size=4),
    ascii_only=st.booleans(),
    separators=SEPARATORS,
    gap=st.sampled_from(["", " ", "\n", "\r\n\t"]),
)
def test_records_come_out_of_every_wrapping_as_they_went_in(
    records: list[dict[str, object]], ascii_only: bool, separators: tuple[str, str], gap: str
) -> None:
    texts = [json.dumps(record, ensure_ascii=ascii_only, separators=separators) for record in records]
    bus = [f'{{"detail-type":"t",{gap}"detail"{gap}:{gap}{text}}}' for text in texts]
    lookup = [f'{{"EventId":"1","CloudTrailEvent":{json.dumps(text)}}}' for text in texts]
    files = [
        f'{gap}{{{gap}"Records"{gap}:{gap}[{gap}' + f"{gap},{gap}".join(texts) + f"{gap}]{gap}}}{gap}",
        f"[{gap}" + f"{gap},".join(texts) + "]",
        "\n".join(texts) + gap,
        gap.join(texts),
        f"[{gap}" + f",{gap}".join(bus) + "]",
        "\n".join(bus) if "\n" not in gap else "".join(bus),
        '{"Events":[' + f"{gap},{gap}".join(lookup) + "]}",
    ]
    for number, file in enumerate(files):
        frames = frames_of(file.encode())
        assert [framed.problem for framed in frames] == [None] * len(records), (number, file)
        values = [json.loads(framed.raw or b"") for framed in frames]
        assert [json.loads(value) if isinstance(value, str) else value for value in values] == records


@settings(max_examples=300, deadline=None)
@given(data=st.lists(st.sampled_from(SCRAPS), max_size=24).map(b"".join), most=st.sampled_from([4, 16, 1000]))
def test_any_bytes_are_framed_without_raising(data: bytes, most: int) -> None:
    frames_of(data, Limits(max_record=most))


def test_dumped_records_round_trip_through_the_fast_path() -> None:
    records = [{"eventID": str(number), "n": {"m": [number] * 3}} for number in range(1000)]
    assert raws(orjson.dumps({"Records": records})) == [orjson.dumps(record) for record in records]
