"""Every kind of step is one CloudEvent, with nothing in it that must not be: over all kinds that there are."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import cast, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect

from custody.broker.approvals.people import Persons
from custody.incidents.record.folding import Heard
from custody.incidents.record.weighing import People
from custody.incidents.telling import forms
from custody.model.incidents import APPROVALS, Noted, Opened, Step, digest_of
from custody.model.leaf import LeafRef
from custody.model.verdicts import Severity
from custody.sources import cloudevents_approval
from custody.sources.pasted_secrets import holds

KINDS: tuple[type[msgspec.Struct], ...] = get_args(Step)
NOW = 1_795_341_600_000_000
OPENED = Opened(incident="in-1", title="t", severity=Severity.HIGH, seeds=(), reason="r", aware="2026-11-22T10:00:00Z")
PAGE = (Path(__file__).resolve().parents[3] / "docs" / "incident-hooks.md").read_text()
NOBODY = People(persons=Persons(), groups={})
Texts = Callable[[str], st.SearchStrategy[str]]


def values(kind: inspect.Type, name: str, texts: Texts) -> st.SearchStrategy[object]:
    """Any value of a type, with ``texts`` for the strings of a field."""
    plain_ones: dict[type, st.SearchStrategy[object]] = {
        inspect.StrType: texts(name),
        inspect.IntType: st.integers(0, 10**6),
        inspect.BoolType: st.booleans(),
        inspect.NoneType: st.none(),
    }
    return plain_ones[type(kind)] if type(kind) in plain_ones else made_of(kind, name, texts)


def made_of(kind: inspect.Type, name: str, texts: Texts) -> st.SearchStrategy[object]:
    match kind:
        case inspect.EnumType(cls=cls):
            return st.sampled_from(list[Enum](cls))
        case inspect.LiteralType(values=every):
            return st.sampled_from(every)
        case inspect.UnionType(types=types):
            return st.one_of([values(each, name, texts) for each in types])
        case inspect.VarTupleType(item_type=item):
            return st.lists(values(item, name, texts), max_size=2).map(tuple)
        case inspect.DictType(value_type=value):
            return st.dictionaries(texts(name), values(value, name, texts), max_size=2)
        case inspect.StructType(cls=cls, fields=fields):
            return st.builds(cls, **{each.name: values(each.type, each.name, texts) for each in fields})
    raise AssertionError(f"no value of {kind} is known here: teach this test, and look what its events say")


def steps(kind: type[msgspec.Struct], texts: Texts) -> st.SearchStrategy[Step]:
    made = cast("st.SearchStrategy[Step]", values(inspect.type_info(kind), "", texts))
    return made.map(lambda each: msgspec.structs.replace(each, incident="in-1"))


def heard(step: Step, leaf: int) -> Heard:
    log = "approvals" if isinstance(step, APPROVALS) else "operations"
    return Heard(leaf=LeafRef(log, leaf), at=NOW + leaf, by="ops@host", step=step, digest=digest_of(step), seen=leaf)


def event_of(step: Step, *, brief: bool = False) -> dict[str, object]:
    """The one event of a step of an incident that was opened."""
    (told,) = told_of(step)
    body = forms.cloud_event(told, "custody.local/x", brief=brief, secretive=holds)
    assert len(body) <= forms.MOST
    identity = cloudevents_approval.identify(body)
    assert identity is not None
    found: dict[str, object] = json.loads(body)
    return found


def told_of(step: Step) -> list[forms.Telling]:
    one = heard(step, 7)
    return forms.tellings([heard(OPENED, 1), one], frozenset([one.leaf]), NOBODY, {})


def plain(name: str) -> st.SearchStrategy[str]:
    return st.text(max_size=20)


def test_each_kind_of_step_is_known() -> None:
    assert len(KINDS) == len({inspect.type_info(each).tag for each in KINDS}) >= 12  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", KINDS, ids=lambda each: each.__name__)
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_each_kind_of_step_is_exactly_one_event(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    step = data.draw(steps(kind, plain))
    event = event_of(step)
    tag = str(inspect.type_info(kind).tag)  # type: ignore[attr-defined]
    assert event["type"] == f"custody.incident.{tag}.v1"
    assert f"`{tag}`" in PAGE, "the page says which events there are"
    log = "approvals" if issubclass(kind, APPROVALS) else "operations"
    assert (event["specversion"], event["id"], event["subject"]) == ("1.0", f"{log}:7", "in-1")
    assert (event["source"], event["datacontenttype"]) == ("custody.local/x", "application/json")
    assert set(event) == {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"}
    assert str(event["time"]).endswith("Z")


@pytest.mark.parametrize("kind", KINDS, ids=lambda each: each.__name__)
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_brief_has_nothing_that_anybody_wrote(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    marked = lambda name: st.just("x" if name in forms.BRIEF else "they wrote this")  # noqa: E731
    assert "they wrote" not in json.dumps(event_of(data.draw(steps(kind, marked)), brief=True))


@pytest.mark.parametrize("kind", KINDS, ids=lambda each: each.__name__)
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_no_event_holds_what_looks_like_a_secret(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    step = data.draw(steps(kind, lambda _: st.just("password=must-not-stay-in-it")))
    assert "must-not-stay" not in json.dumps(event_of(step))


def test_an_event_that_would_be_too_long_is_told_briefly_and_says_so() -> None:
    event = event_of(Noted(incident="in-1", text="x" * forms.MOST))
    data = event["data"]
    assert isinstance(data, dict)
    assert (data["cut"], data["said"]) == (True, {})
    short = event_of(Noted(incident="in-1", text="x"))["data"]
    assert isinstance(short, dict)
    assert (short["cut"], short["said"]) == (False, {"text": "x", "cites": []})
