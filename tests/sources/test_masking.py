"""Masking in place, and what is done with bytes that no source understands."""

import json

import pytest

from custody.model.records import SecretSpan
from custody.sources.escapes import plain
from custody.sources.masking import mask, mask_unknown


def test_only_the_spans_change() -> None:
    raw = b'{"a":"one","b":"two","c":"three"}'
    spans = (SecretSpan(6, 9, "token"), SecretSpan(26, 31, "secret"))
    assert mask(raw, spans) == b'{"a":"custody-masked:token","b":"two","c":"custody-masked:secret"}'


def test_without_spans_the_very_bytes_come_back() -> None:
    raw = b'{"a" :  1e5}'
    assert mask(raw, ()) is raw


def test_unknown_bytes_without_a_telling_word_stay() -> None:
    for raw in (b'{"event":"x"}', b"plain text, 12 records", "größer".encode(), b""):
        assert mask_unknown(raw) == raw


def test_unknown_json_is_masked_under_every_telling_key() -> None:
    raw = json.dumps(
        {
            "authTokenValue": "x",
            "sessionId": "x",
            "Credentials": {"user": "x"},
            "cookieJar": ["x"],
            "text": '{"userPasswordHash": "x", "b": "stays"}',
            "b": "stays",
        }
    ).encode()
    kept = mask_unknown(raw)
    assert kept is not None
    assert b'"x"' not in kept
    assert kept.count(b"custody-masked:") == 5
    assert json.loads(kept)["b"] == "stays"
    assert json.loads(json.loads(kept)["text"])["b"] == "stays"


def test_unknown_json_with_escapes_is_masked() -> None:
    kept = mask_unknown(b'{"pass\\u0077ord":"gone"}')
    assert kept == b'{"pass\\u0077ord":"custody-masked:password"}'


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / Authorization: Bearer abc",
        b"password=abc",
        b'{"token":"abc"',
        b'{"token":"abc"}\n{"token":"abd"}',
        b'{"session":5}',
        b"\xff\xfet\x00o\x00k\x00e\x00n\x00",
        b"t\x00o\x00k\x00e\x00n\x00",
        b"said IQoJb3JpZ2luX2VjEAAAA",
        b"-----BEGIN RSA PRIVATE KEY-----",
        b"[" * 200_000 + b'"token"',
    ],
)
def test_where_it_is_unsure_the_payload_is_withheld(raw: bytes) -> None:
    assert mask_unknown(raw) is None


def test_plain_maps_every_position_back() -> None:
    raw = rb'{"a\u0062c":"{\u0022d\\u0065f\u0022:1}","\u00e9":"\n\u000a"}'
    document = plain(raw)
    assert document.text == rb'{"abc":"{\"def\":1}","?":"\n\n"}'
    assert json.loads(json.loads(document.text)["abc"]) == {"def": 1}
    for position in range(len(document.text)):
        byte = document.text[position : position + 1]
        origin = document.original(position)
        assert raw[origin : origin + 1] in (byte, b"\\", b"u", b"0") or byte in b'\\n"?'
    assert document.original(len(document.text)) == len(raw)


def test_plain_without_escapes_is_the_document_itself() -> None:
    raw = rb'{"path":"C:\\temp\\new"}'
    assert plain(raw).text == raw
    assert plain(raw).original(5) == 5
