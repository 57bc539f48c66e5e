"""Records inside the wrappers of several products: arrays that need a neighbour, members at the end of a path."""

import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.model.records import FORM_ARRAY, FORM_DOCUMENT, FORM_LINES, Framed, Wrapping
from custody.readers.limits import Limits
from tests.readers.framed import checked_frames

WRAPPINGS = (
    Wrapping(form="delivered", container="Records"),
    Wrapping(form="list", container="items", beside="apiVersion"),
    Wrapping(form="azure", container="records"),
    Wrapping(form="aks", container="records", inner="properties.log"),
    Wrapping(form="aks", container="records", inner="properties.log", encoded=True),
    Wrapping(form="aks", inner="properties.log", marker="category"),
    Wrapping(form="aks", inner="properties.log", encoded=True, marker="category"),
    Wrapping(form="subscription", container="logEvents", inner="message", encoded=True),
    Wrapping(form="filtered", container="events", inner="message", encoded=True, beside="searchedLogStreams"),
    Wrapping(form="paged", container="events", inner="message", encoded=True, beside="nextForwardToken"),
    Wrapping(form="deep", container="events", inner="a.b.c", beside="nextForwardToken"),
    Wrapping(form="iam-user", container="UserDetailList"),
    Wrapping(form="iam-group", container="GroupDetailList"),
    Wrapping(form="iam-role", container="RoleDetailList"),
    Wrapping(form="iam-policy", container="Policies", beside="RoleDetailList"),
)


def frames_of(data: bytes, limits: Limits | None = None) -> list[Framed]:
    return checked_frames(data, WRAPPINGS, limits)


def told(data: bytes, limits: Limits | None = None) -> list[tuple[str, bytes | None, str | None]]:
    return [(framed.form, framed.raw, framed.problem) for framed in frames_of(data, limits)]


EVENT_LIST = {
    "kind": "EventList",
    "apiVersion": "audit.k8s.io/v1",
    "metadata": {},
    "items": [{"auditID": "a"}, {"b": [1]}],
}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("order", [["kind", "apiVersion", "items"], ["items", "apiVersion"], ["apiVersion", "items"]])
def test_a_list_is_found_wherever_its_neighbour_stands(indent: int | None, order: list[str]) -> None:
    text = json.dumps({name: EVENT_LIST[name] for name in order}, indent=indent)
    frames = frames_of(text.encode())
    assert [framed.form for framed in frames] == ["list", "list"]
    assert [json.loads(framed.raw or b"") for framed in frames] == EVENT_LIST["items"]


@pytest.mark.parametrize("between", ["\n", "", " \n\n"])
def test_lists_on_lines_and_one_after_the_other(between: str) -> None:
    one = '{"items":[{"a":1},{"a":2}],"apiVersion":"v1"}'
    two = '{"apiVersion":"v1","items":[{"a":3}]}'
    assert told(between.join((one, two, one)).encode()) == [
        ("list", b'{"a":%d}' % number, None) for number in (1, 2, 3, 1, 2)
    ]


@pytest.mark.parametrize(
    ("order", "form"),
    [
        (b'{"id":7,"items":[{"price":1}]}', FORM_LINES),
        (b'{"items":[{"price":1}]}', FORM_LINES),
        (b'{"items":[{"price":1,"apiVersion":1}],"more":{"apiVersion":1}}', FORM_LINES),
        (b'{"items":[{"price":1}],\n "id": 7}', FORM_DOCUMENT),
        (b'{"records":{"apiVersion":[]},"items":[{}]}', FORM_LINES),
    ],
)
@pytest.mark.parametrize("times", [1, 3])
def test_without_its_neighbour_the_object_is_a_record_like_any_other(order: bytes, form: str, times: int) -> None:
    assert told(b"\n".join([order] * times)) == [(form, order, None)] * times


def test_with_and_without_neighbour_in_one_file() -> None:
    data = b'{"id":1,"items":[{"price":1}]}\n{"apiVersion":1,"items":[{"a":1}]}\n{"items":[{}],"id":2}'
    assert told(data) == [
        (FORM_LINES, b'{"id":1,"items":[{"price":1}]}', None),
        ("list", b'{"a":1}', None),
        (FORM_LINES, b'{"items":[{}],"id":2}', None),
    ]


def test_a_long_object_is_taken_apart_without_its_neighbour_for_it_would_be_withheld() -> None:
    elements = [b'{"a":%d}' % number for number in range(30)]
    data = b'{"items":[' + b",".join(elements) + b"]}"
    assert told(data, Limits(max_record=len(data))) == [(FORM_LINES, data, None)]
    assert told(data, Limits(max_record=len(data) - 1)) == [("list", element, None) for element in elements]
    assert told(data, Limits(max_record=64)) == [("list", element, None) for element in elements]


def test_a_cut_line_that_could_be_a_list_does_not_take_the_lines_after_it_along() -> None:
    cut = b'{"items":[{"a":1},{"b'
    lines = [b'{"n":%d}' % number for number in range(40)]
    for limit in (64, 100_000):
        found = told(b"\n".join((cut, *lines)), Limits(max_record=limit))
        assert found == [(FORM_LINES, cut, "not-json"), *((FORM_LINES, line, None) for line in lines)]


def test_a_list_cut_short_gives_its_records_where_the_neighbour_came_first() -> None:
    assert told(b'{"apiVersion":1,"items":[{"a":1},{"b') == [("list", b'{"a":1}', None), ("list", b'{"b', "not-json")]


def test_of_several_wrappings_of_one_array_those_hold_whose_neighbour_is_there() -> None:
    text, other = b'{"message":"m"}', b'{"a":{"b":{"c":{"x":1}}}}'
    data = b'{"events":[%s,%s],"%s":1}'
    assert told(data % (text, other, b"searchedLogStreams")) == [("filtered", b'"m"', None), (FORM_ARRAY, other, None)]
    assert told(data % (text, other, b"nextForwardToken")) == [("paged", b'"m"', None), ("deep", b'{"x":1}', None)]
    both = data % (text, other, b'searchedLogStreams":[],"nextForwardToken')
    assert told(both) == [("filtered", b'"m"', None), ("deep", b'{"x":1}', None)]
    none = data % (text, other, b"calendar")
    assert told(none) == [(FORM_LINES, none, None)]


def test_account_details_give_each_array_its_own_form() -> None:
    data = (
        b'{\n "UserDetailList": [{"UserId": "AIDA"}],\n "GroupDetailList": [],\n'
        b' "RoleDetailList": [{"RoleId": "AROA"}, {"RoleId": "AROB"}],\n "Policies": [{"PolicyId": "ANPA"}],\n'
        b' "IsTruncated": false\n}\n'
    )
    assert told(data) == [
        ("iam-user", b'{"UserId": "AIDA"}', None),
        ("iam-role", b'{"RoleId": "AROA"}', None),
        ("iam-role", b'{"RoleId": "AROB"}', None),
        ("iam-policy", b'{"PolicyId": "ANPA"}', None),
    ]
    assert told(b'{"Policies":[{"PolicyId":"ANPA"}]}') == [(FORM_LINES, b'{"Policies":[{"PolicyId":"ANPA"}]}', None)]


def subscription(*messages: str) -> dict[str, object]:
    events = [{"id": str(number), "timestamp": number, "message": text} for number, text in enumerate(messages)]
    return {"messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "g", "logEvents": events}


@pytest.mark.parametrize("between", [b"", b"\n"])
def test_subscription_data_gives_text_and_json_messages(between: bytes) -> None:
    event = json.dumps({"auditID": "é"})
    messages = ["START RequestId: 1 Version: $LATEST\n", event, "[INFO] done", " plain", ""]
    control = {"messageType": "CONTROL_MESSAGE", "logEvents": [{"id": "", "message": "CWL CONTROL MESSAGE"}]}
    data = between.join(orjson.dumps(each) for each in (control, subscription(*messages), subscription(event)))
    frames = frames_of(data)
    assert [framed.problem for framed in frames] == [None] * 7
    assert {framed.form for framed in frames} == {"subscription"}
    assert [json.loads(framed.raw or b"") for framed in frames] == ["CWL CONTROL MESSAGE", *messages, event]


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ("{not json", "not-json"),
        ('  {"a":1,"a":2}', "duplicate-keys"),
        ('["a",]', "not-json"),
        ('[{"a":1}] and more', "not-json"),
        ("[2026-01-01T00:00:00Z] text", None),
        ('"text in quotes', None),
        ("\x00\x1b[0m text", None),
        ("text \ud800", "invalid-utf8"),
    ],
)
def test_a_message_must_be_json_only_where_it_begins_so(message: str, problem: str | None) -> None:
    data = json.dumps(subscription(message, "next")).encode()
    assert [framed.problem for framed in frames_of(data)] == [problem, None]


AKS_OBJECT = b'{"category":"kube-audit","properties":{"pod":"p","log":{"auditID":"x"}}}'
AKS_STRING = b'{"category":"kube-audit", "properties" : {"log" : "{\\"auditID\\":\\"x\\"}","pod":"p"}}'


@pytest.mark.parametrize(
    "template", [b"%s\n%s", b"[%s,%s]", b'{"records":[%s,%s]}', b'{"n":1,"records":[%s, %s]}\n', b"%s%s"]
)
def test_a_member_at_the_end_of_a_path_as_object_and_as_string(template: bytes) -> None:
    data = template % (AKS_OBJECT, AKS_STRING)
    assert told(data) == [("aks", b'{"auditID":"x"}', None), ("aks", b'"{\\"auditID\\":\\"x\\"}"', None)]


def test_an_element_in_none_of_the_wrappings_has_the_plain_form_of_its_array() -> None:
    assert told(b'{"records":[{"category":"SignInLogs","properties":{"id":"1"}},%s]}' % AKS_OBJECT) == [
        ("azure", b'{"category":"SignInLogs","properties":{"id":"1"}}', None),
        ("aks", b'{"auditID":"x"}', None),
    ]


@pytest.mark.parametrize(
    "record",
    [
        b'{"category":"c","properties":{"log":7}}',
        b'{"category":"c","properties":{"other":{"log":{}}}}',
        b'{"category":"c","properties":"log"}',
        b'{"properties":{"log":{}}}',
        b'{"category":"c","log":{},"properties.log":{}}',
    ],
)
def test_without_the_whole_path_or_the_marker_the_element_is_the_record(record: bytes) -> None:
    assert told(record) == [(FORM_LINES, record, None)]


def test_the_path_is_followed_whatever_the_spelling_and_what_else_bears_the_name() -> None:
    head = b'{"log":{"no":1},"category":"c","x":{"properties":{"log":{}}},'
    data = head + b'"pr\\u006fperties":{"a":"log\\":{","l\\u006fg": {"y":2} }}'
    assert told(data) == [("aks", b'{"y":2}', None)]


def test_a_key_twice_on_the_path_is_the_problem() -> None:
    data = b'{"category":"c","properties":{"log":{"a":1},"log":{"a":2}}}'
    assert told(data) == [(FORM_LINES, data, "duplicate-keys")]


def test_a_batch_of_traces_is_one_record() -> None:
    batch = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"spanId":"1"},{"spanId":"2"}]}]}]}'
    assert told(batch + b"\n" + batch) == [(FORM_LINES, batch, None)] * 2


SCRAPS = [
    b'{"items":[',
    b'"apiVersion":1',
    b'{"a":1}',
    b'"',
    b"\\",
    b"[",
    b"]",
    b"{",
    b"}",
    b",",
    b":",
    b"\n",
    b'"k":',
    b" ",
]
SCRAPS += [b'{"events":[{"message":"x"}', b'"searchedLogStreams":[]', b'"nextForwardToken":1', b"\xff", AKS_STRING]


@settings(max_examples=300, deadline=None)
@given(data=st.lists(st.sampled_from(SCRAPS), max_size=24).map(b"".join), most=st.sampled_from([4, 16, 40, 1000]))
def test_any_bytes_are_framed_alike_in_blocks_of_any_size(data: bytes, most: int) -> None:
    frames_of(data, Limits(max_record=most))
