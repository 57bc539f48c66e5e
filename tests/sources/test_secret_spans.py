"""Secrets are found at any depth, in any spelling, and masking never changes anything else."""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custody.sources import screen, secret_names
from custody.sources.masking import mask
from custody.sources.secret_spans import find

GONE = 'gone-"\\\n\u00e9-gone'
"""A secret that needs every kind of escape."""


def masked(value: object, *, ascii_only: bool = True) -> object:
    raw = json.dumps(value, ensure_ascii=ascii_only).encode()
    found = find(raw)
    assert not found.unsure
    return json.loads(mask(raw, found.spans))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sessionToken", "token"),
        ("SESSIONTOKEN", "token"),
        ("session_token", "token"),
        ("X-Amz-Security-Token", "token"),
        ("secretAccessKey", "secret"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("SecretString", "secret"),
        ("clientSecret", "secret"),
        ("masterUserPassword", "password"),
        ("passphrase", "password"),
        ("privateKey", "key"),
        ("private_key_pem", "key"),
        ("keyMaterial", "key"),
        ("apiKey", "key"),
        ("Authorization", "authorization"),
        ("Set-Cookie", "cookie"),
        ("sAMLAssertion", "assertion"),
        ("X-Amz-Signature", "signature"),
        ("tokenCode", "code"),
    ],
)
def test_names_of_secrets(name: str, kind: str) -> None:
    assert masked({"a": [{name: GONE, "b": "stays"}]}) == {"a": [{name: f"custody-masked:{kind}", "b": "stays"}]}
    assert secret_names.is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "nextToken",
        "clientToken",
        "clientRequestToken",
        "subjectFromWebIdentityToken",
        "secretId",
        "SecretARN",
        "accessKeyId",
        "sAMLAssertionID",
        "passwordLastUsed",
        "tokenType",
        "signatureVersion",
        "sessionContext",
    ],
)
def test_names_that_are_no_secrets(name: str) -> None:
    assert masked({name: "stays"}) == {name: "stays"}
    assert not secret_names.is_secret_name(name)


def test_what_is_hidden_or_empty_or_no_string_stays() -> None:
    value: dict[str, object] = {
        "password": "HIDDEN_DUE_TO_SECURITY_REASONS",
        "secret": "",
        "token": None,
        "apiKey": True,
        "nested": {"clientSecret": {}, "cookies": []},
    }
    assert masked(value) == value


def test_every_string_below_a_secret_goes_and_its_keys_stay() -> None:
    value = {"credentialsSecret": {"a": GONE, "b": [GONE, None, {"c": GONE}], "d": False}, "e": "stays"}
    gone = "custody-masked:secret"
    assert masked(value) == {
        "credentialsSecret": {"a": gone, "b": [gone, None, {"c": gone}], "d": False},
        "e": "stays",
    }


@pytest.mark.parametrize("value", [{"password": 1}, {"a": [{"token": -1.5}]}, {"secret": {"a": "x", "b": [2]}}])
def test_a_number_that_could_be_a_secret_withholds_the_record(value: object) -> None:
    assert find(json.dumps(value).encode()).unsure


def test_text_that_a_client_chose_never_withholds_a_record() -> None:
    for text in ('x "token": 5', '"password":[1', '{"secret": {"a":', "token", '\\"token\\": 1', '"token":"'):
        raw = json.dumps({"userAgent": text, "eventName": "stays"}).encode()
        found = find(raw)
        assert not found.unsure
        assert json.loads(mask(raw, found.spans))["eventName"] == "stays"
    assert not find(b'{"Tag":{"Key":"token","Value":5}}').unsure


def test_a_name_beside_its_value() -> None:
    value = {
        "environment": [
            {"name": "DB_PASSWORD", "value": GONE},
            {"value": GONE, "name": "API_KEY"},
            {"name": "MODE", "value": "stays"},
            {"ParameterKey": "DbPassword", "UsePrevious": False, "ParameterValue": GONE},
            {"key": "token", "values": [GONE, GONE]},
        ],
        "name": "rotate-password",
        "other": {"value": "stays"},
    }
    result = json.dumps(masked(value))
    assert "gone" not in result
    assert result.count("custody-masked") == 5
    assert result.count("stays") == 2


def test_shapes_of_secrets_in_any_text() -> None:
    value = {
        "url": "https://b.example/k?X-Amz-Security-Token=gone&part=1&x-amz-signature=gone#end",
        "said": "export T=IQoJb3JpZ2luX2VjEGone/gone+gone== now",
        "old": "FwoGZXIvYXdzEGone//gone",
        "pem": "-----BEGIN EC PRIVATE KEY-----\ngone\n-----END EC PRIVATE KEY-----\n",
        "cert": "-----BEGIN CERTIFICATE-----\nstays\n-----END CERTIFICATE-----\n",
    }
    result = json.dumps(masked(value)).lower()
    assert "gone" not in result
    for kept in ("part=1", "#end" if "#end" in result else "part=1", " now", "stays"):
        assert kept in result


def deeper(value: object, times: int) -> object:
    for _ in range(times):
        value = {"policy": json.dumps(value), "n": 1}
    return value


def shallower(value: object, times: int) -> object:
    for _ in range(times):
        assert isinstance(value, dict)
        assert value["n"] == 1
        value = json.loads(value["policy"])
    return value


@pytest.mark.parametrize("times", range(5))
def test_json_in_strings_in_strings(times: int) -> None:
    value = deeper({"sessionToken": GONE, "list": [{"password": GONE}], "b": "stays"}, times)
    assert shallower(masked(value), times) == {
        "sessionToken": "custody-masked:token",
        "list": [{"password": "custody-masked:password"}],
        "b": "stays",
    }


@pytest.mark.parametrize("times", range(3))
def test_a_record_that_is_itself_a_string(times: int) -> None:
    raw = json.dumps(json.dumps(deeper({"secretKey": GONE, "b": "stays"}, times))).encode()
    found = find(raw)
    assert not found.unsure
    again = shallower(json.loads(json.loads(mask(raw, found.spans))), times)
    assert again == {"secretKey": "custody-masked:secret", "b": "stays"}


def spelt_out(text: str) -> str:
    """Every letter of every key and value of a JSON text as a Unicode escape."""
    return re.sub(r"(?<!\\)[A-Za-z]", lambda found: f"\\u{ord(found[0]):04x}", text)


def test_keys_spelt_with_escapes_at_every_level() -> None:
    inner = spelt_out(json.dumps({"password": "gone", "b": "stays"}))
    outer = spelt_out(json.dumps({"text": inner, "clientSecret": "gone"}))
    found = find(outer.encode())
    kept = json.loads(mask(outer.encode(), found.spans))
    assert kept["clientSecret"] == "custody-masked:secret"
    assert json.loads(kept["text"]) == {"password": "custody-masked:password", "b": "stays"}


def test_a_backslash_that_is_itself_an_escape() -> None:
    raw = rb'{"t":"{\"pass\u005cu0077ord\":\"gone\",\"b\":\"stays\"}"}'
    found = find(raw)
    kept = json.loads(mask(raw, found.spans))
    assert json.loads(kept["t"]) == {"password": "custody-masked:password", "b": "stays"}


NAMES = st.sampled_from(["sessionToken", "password", "name", "value", "a", "nextToken", "b c", 'q"', "back\\"])
TEXTS = st.text(st.sampled_from('ab"\\/{}[]:,\n\u00e9 tokensecret'), max_size=14)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(NAMES, inner, max_size=4)
        | st.dictionaries(NAMES, inner, max_size=3).map(json.dumps)
    ),
    max_leaves=14,
)


def secrets_in(value: object, note: Callable[[str], None], *, below: bool = False) -> None:
    """Every string at or below a member with the name of a secret, by the decoded document."""
    if isinstance(value, dict):
        for name, entry in value.items():
            secrets_in(entry, note, below=below or secret_names.is_secret_name(name))
    elif isinstance(value, list):
        for entry in value:
            secrets_in(entry, note, below=below)
    elif isinstance(value, str) and below:
        note(value)
    elif isinstance(value, str) and value[:1] == "{":
        with suppress(ValueError):
            secrets_in(json.loads(value), note)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DOCUMENTS, st.booleans(), st.sampled_from([None, 1]))
def test_no_string_below_a_secret_name_survives(document: object, ascii_only: bool, indent: int | None) -> None:
    raw = json.dumps({"d": document}, ensure_ascii=ascii_only, indent=indent).encode()
    found = find(raw)
    kept = json.loads(mask(raw, found.spans))
    left: list[str] = []
    secrets_in(kept, left.append)
    assert found.unsure or all(text == "" or text.startswith("custody-masked:") for text in left)
    if found.spans or found.unsure:
        assert screen.matches([raw], secret_names.SCREEN) == [True]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DOCUMENTS)
def test_masking_twice_is_masking_once(document: object) -> None:
    raw = json.dumps({"d": document}).encode()
    once = mask(raw, find(raw).spans)
    assert mask(once, find(once).spans) == once


def test_spans_are_in_order_and_apart() -> None:
    raw = json.dumps({"token": {"password": ["x", {"secret": "IQoJb3JpZ2luX2VjEAAA"}]}, "apiKey": "y"}).encode()
    spans = find(raw).spans
    assert len(spans) == 3
    for before, after in pairwise(spans):
        assert before.start < before.end <= after.start


@pytest.mark.parametrize(
    "raw",
    [
        b'{"token":' * 900 + b"[" + b"null," * 60_000 + b"null]" + b"}" * 900,
        b'{"a":[' + b'{"token":[1]},' * 30_000 + b"1]}",
        b'{"a":"' + b"\\\\" * 200_000 + b'"}',
        b'{"a":[' + b'{"name":"password"},' * 20_000 + b"1]}",
        b'{"a":"' + b"token" * 60_000 + b'"}',
        b'{"a":"' + b"\\u0074oken" * 30_000 + b'"}',
    ],
    ids=["nested", "numbers", "backslashes", "names", "words", "escapes"],
)
def test_hostile_input_costs_time_in_proportion(raw: bytes) -> None:
    assert find(raw).spans == ()
