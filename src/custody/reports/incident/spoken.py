"""An incident as its pages say it: one form of time, and keys by the value that people know them by.

Judgements and records write times as RFC 3339, for programs as well. Whoever reads a page gets every time as all other
pages of custody have it, to the second. What people wrote stays as they wrote it; JSON, CSV and Timesketch stay, too.
"""

from __future__ import annotations

import re

import msgspec

from custody.model.incident_view import ActionView, CheckView, IncidentView, Judged, MomentView, ScopeView, TimelineView
from custody.reports.words import stamp

_TIME = re.compile(r"(?<![\w:.-])\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z(?![\w:-])")
_ACCESS_KEY = re.compile(r"\baws_akid:aws:(?=A[A-Z0-9]{15})")


def spoken(view: IncidentView) -> IncidentView:
    """``view`` with the sentences of custody in the words of its pages. Times that are values stay RFC 3339."""
    return msgspec.structs.replace(
        view,
        actions=tuple(map(_action, view.actions)),
        answers=tuple(map(_judged, view.answers)),
        checks=tuple(CheckView(identity=e.identity, items=tuple(map(_judged, e.items))) for e in view.checks),
        scope=_scope(view.scope),
        timeline=_timeline(view.timeline),
    )


def sentence(text: str) -> str:
    """One sentence of custody's own."""
    return _ACCESS_KEY.sub("", _TIME.sub(lambda found: stamp(found[0]), text))


def _judged(each: Judged) -> Judged:
    return msgspec.structs.replace(
        each,
        text=sentence(each.text),
        settles=None if each.settles is None else sentence(each.settles),
        parts=tuple(map(sentence, each.parts)),
    )


def _action(each: ActionView) -> ActionView:
    if each.outcome is None:
        return each
    outcome = msgspec.structs.replace(each.outcome, judged=_judged(each.outcome.judged))
    return msgspec.structs.replace(each, outcome=outcome)


def _scope(scope: ScopeView) -> ScopeView:
    return msgspec.structs.replace(
        scope,
        credentials=tuple(msgspec.structs.replace(each, why=sentence(each.why)) for each in scope.credentials),
        surviving=tuple(map(sentence, scope.surviving)),
    )


def _timeline(timeline: TimelineView) -> TimelineView:
    return msgspec.structs.replace(timeline, moments=tuple(map(_moment, timeline.moments)))


def _moment(each: MomentView) -> MomentView:
    return each if each.party == "person" else msgspec.structs.replace(each, text=sentence(each.text))
