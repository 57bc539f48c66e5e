"""What policies come to: every case under ``tests/cases/privileges``, and what no file can hold.

A case names the documents of each layer (``identity``, ``boundary``, ``session``) by the grant that they came by: an
object, a text as it would stand in a record, or null where no record has it. ``asks`` are an action, a resource and the
answer; ``unresolved`` are all reasons why something is not known (none: everything is).
"""

import json
import time
from pathlib import Path

import msgspec
import pytest

from custody.register.privileges import policy
from custody.register.privileges.evaluate import OUTSIDE, Answer, Effective, Held, Layer, allows, effective, fits

CASES = sorted((Path(__file__).parents[1] / "cases" / "privileges").glob("*.json"))
Documents = dict[str, dict[str, object] | str | None]


class Case(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One case."""

    why: str
    identity: Documents
    asks: list[tuple[str, str, str]]
    boundary: Documents = {}
    session: Documents = {}
    unresolved: list[str] = []


def held(case: Case) -> Effective:
    layers = {Layer.IDENTITY: case.identity, Layer.BOUNDARY: case.boundary, Layer.SESSION: case.session}
    return effective(
        Held(via=via, layer=layer, document=policy.read(text_of(given)))
        for layer, documents in layers.items()
        for via, given in documents.items()
    )


def text_of(given: dict[str, object] | str | None) -> bytes | None:
    if given is None:
        return None
    return given.encode() if isinstance(given, str) else json.dumps(given).encode()


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path) -> None:
    case = msgspec.json.decode(path.read_bytes(), type=Case)
    found = held(case)

    assert {(action, on): str(allows(found, action, on)) for action, on, _ in case.asks} == {
        (action, on): answer for action, on, answer in case.asks
    }
    assert list(found.unresolved) == case.unresolved
    assert found.complete is not bool(case.unresolved)
    assert found.outside == OUTSIDE


def test_there_are_cases_of_every_answer() -> None:
    asked = [msgspec.json.decode(path.read_bytes(), type=Case).asks for path in CASES]

    assert {answer for asks in asked for _, _, answer in asks} == set(Answer)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"[" * 60_000, "its text is no JSON"),
        (b'"' + b"x" * policy.LARGEST + b'"', "its text is longer than 65536 bytes"),
        (b'{"Version":"2012-10-17","Statement":' + b"1" * 5000 + b"}", "its text is no JSON"),
        (b"\xff\xfe", "its text is no JSON"),
        (None, "its text is in no record"),
    ],
)
def test_hostile_texts_are_said_and_never_raise(text: bytes | None, problem: str) -> None:
    assert policy.read(text) == policy.Document(problem=problem)
    assert policy.read_rules(text) == policy.Document(problem=problem)


def test_statements_are_in_normal_form_whatever_their_spelling() -> None:
    one = policy.read(b'{"Statement":{"Effect":"Allow","Action":"s3:Get*","Resource":["b","a","b"]}}')
    other = policy.read(
        b'{"Version":"2008-10-17","Id":"x","Statement":[{"Sid":"s","Resource":["a","b"],"Action":["s3:Get*"],'
        b'"Effect":"Allow","Condition":{}}]}'
    )

    assert one == other
    assert one.statements[0].resources == ("a", "b")


def test_grants_that_are_missing_leave_the_identity_layer_open() -> None:
    document = policy.read(b'{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}')
    found = effective([Held(via="inline a", layer=Layer.IDENTITY, document=document)], ["group ops: not listed"])

    assert allows(found, "s3:GetObject", "*") is Answer.UNKNOWN
    assert allows(found, "ec2:RunInstances", "*") is Answer.UNKNOWN
    assert (found.complete, found.unresolved) == (False, ("group ops: not listed",))


@pytest.mark.parametrize(
    ("pattern", "value", "there"),
    [("*", "", True), ("a*a", "a", False), ("a*b*c", "aXbYc", True), ("a**c", "ac", True), ("?", "", False),
     ("a*", "b", False), ("*c", "abc", True), ("*b*", "abc", True), ("a?c*", "abcd", True), ("a\nb*", "a\nbc", True)],
)  # fmt: skip
def test_patterns(pattern: str, value: str, there: bool) -> None:
    assert fits(pattern, value) is there


def test_a_pattern_of_many_stars_takes_no_time() -> None:
    started = time.process_time()

    assert not fits("*a" * 2000 + "b", "a" * 6000)
    assert time.process_time() - started < 2


def test_rules_of_a_role_are_statements() -> None:
    found = policy.read_rules(
        b'[{"apiGroups":["","apps"],"resources":["pods"],"verbs":["list","get"]},'
        b'{"apiGroups":["*"],"resources":["*"],"verbs":["*"]},'
        b'{"apiGroups":[""],"resources":["secrets"],"resourceNames":["db"],"verbs":["get"]},'
        b'{"nonResourceURLs":["/metrics"],"verbs":["get"]}]'
    )

    assert [(one.actions, one.resources) for one in found.statements] == [
        (("get", "list"), ("apps/pods", "pods")),
        (("*",), ("*",)),
        (("get",), ("secrets:db",)),
        (("get",), ("/metrics",)),
    ]
