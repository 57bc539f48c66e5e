"""What a broker tells of a request, as rows of words: the same in a terminal and on a page."""

import re
from collections.abc import Iterator

import msgspec

from custody.model.broker_told import Brokered, Consent, EndStep, Fact
from custody.reports.clock import Clock
from custody.reports.words import stamp

DIGEST = re.compile(r"\b([0-9a-f]{16})[0-9a-f]{48}\b")
WHOSE = {"requester": "requester's word", "issuer": "issuer's word", "register": "register", "broker": ""}
WORD = {"grant": "approved", "deny": "denied"}


class FactRow(msgspec.Struct, frozen=True):
    """One row: its label, what it says, whose word it is (empty: the broker's own), and the leaf."""

    label: str
    text: str
    whose: str
    leaf: int


def rows(told: Brokered, times: Clock) -> Iterator[FactRow]:
    """Who asked for what and why, who approved, what was decided, and how it ended."""
    yield from (_fact(each, times) for each in told.facts)
    yield from (_consent(each, times) for each in told.approvals)
    yield from ended(told, times)


def ended(told: Brokered, times: Clock) -> Iterator[FactRow]:
    """Who ended it and why, and what was seen last."""
    asked = [each for each in told.ends if each.step == "asked"]
    seen = [each for each in told.ends if each.step == "seen"]
    if asked:
        yield FactRow("end asked", _asked(asked[0], times), "", asked[0].leaf.index)
    if seen:
        last = seen[-1]
        label = "ended" if last.effect == "gone" else "seen"
        text = f"{last.text}, {_when(last.time, times)}{times.within(_answers(last))}"
        yield FactRow(label, text, "", last.leaf.index)


def shorter(text: str) -> str:
    """SHA-256 digests by their first sixteen digits: the whole ones are in the JSON."""
    return DIGEST.sub(r"\1…", text)


def _fact(each: Fact, times: Clock) -> FactRow:
    return FactRow(each.name, shorter(times.within(each.value)), WHOSE.get(each.said_by, each.said_by), each.leaf.index)


def _consent(each: Consent, times: Clock) -> FactRow:
    who = each.approver.split(":", 2)[-1]
    why = "" if each.counts else f" (does not count: {each.why or 'no reason said'})"
    until = f", until {_when(each.until, times)}" if each.until else ""
    text = f"by {who}, {_when(each.at, times)}{until}: {each.reason}{why}"
    return FactRow(WORD.get(each.verdict, each.verdict), text, "", each.leaf.index)


def _asked(each: EndStep, times: Clock) -> str:
    return f"{each.text.removeprefix('end asked for, ')}, {_when(each.time, times)}"


def _answers(each: EndStep) -> str:
    """What the server answered, as it said it."""
    if not each.seen:
        return ""
    said = ", ".join(f"{name} {value}" for name, value in sorted(each.seen.items()))
    return f" ({said})"


def _when(time: str, times: Clock) -> str:
    return times.show(time).strip() if times.day else stamp(time)
