"""Jira: free texts by their places, and identities."""

import msgspec
import pytest

from custody.sources.jira import SOURCE, texts
from custody.sources.masking import mask


def masked(record: object) -> object:
    raw = msgspec.json.encode(record)
    return msgspec.json.decode(mask(raw, texts.find(raw)))


HIDDEN = "custody-masked:text"


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"description": "a"}, {"description": HIDDEN}),
        ({"summary": "a", "n": [1, "b"]}, {"summary": "a", "n": [1, "b"]}),
        ({"body": {"type": "doc", "n": 1, "in": [{"text": "a"}]}},
         {"body": {"type": HIDDEN, "n": 1, "in": [{"text": HIDDEN}]}}),
        ({"comment": "a", "self": "b"}, {"comment": HIDDEN, "self": "b"}),
        ({"comment": {"id": "1", "body": "a"}}, {"comment": {"id": "1", "body": HIDDEN}}),
        ({"x": "two\nlines", "y": "one"}, {"x": HIDDEN, "y": "one"}),
        ({"items": [{"toString": "a", "field": "description"}, {"toString": "b", "field": "status"}]},
         {"items": [{"toString": HIDDEN, "field": "description"}, {"toString": "b", "field": "status"}]}),
        ({"items": [{"fieldId": "environment", "from": "a", "fromString": "b"}]},
         {"items": [{"fieldId": "environment", "from": HIDDEN, "fromString": HIDDEN}]}),
        ({"description": "", "body": None}, {"description": "", "body": None}),
        (["a", {"environment": ["a", 'b"', "\\"]}], ["a", {"environment": [HIDDEN, HIDDEN, HIDDEN]}]),
    ],
)  # fmt: skip
def test_free_texts_go_and_the_rest_stays(record: object, expected: object) -> None:
    assert masked(record) == expected


def test_an_escaped_name_is_the_same_name() -> None:
    raw = rb'{"descr\u0069ption":"must-not-stay","a\"b":"stays"}'
    assert mask(raw, texts.find(raw)) == rb'{"descr\u0069ption":"custody-masked:text","a\"b":"stays"}'


def test_white_space_makes_no_other_approval() -> None:
    record = {"finalDecision": "pending", "createdDate": {"epochMillis": 1709287200000}}
    close, wide = msgspec.json.encode(record), msgspec.json.format(msgspec.json.encode(record), indent=2)
    ids = {identity.id for raw in (close, wide) if (identity := SOURCE.identify(raw))}
    assert len(ids) == 1


def test_an_object_with_values_that_are_no_approvals_is_not_ours() -> None:
    assert SOURCE.identify(b'{"values":[{"id":1}],"x":"finalDecision"}') is None
    assert SOURCE.identify(b'{"finalDecision":null}') is None
    assert SOURCE.identify(b'{"webhookEvent":""}') is None
