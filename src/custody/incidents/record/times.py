"""Whether the times in a step can be read: what no command would seal is no step, and keeps nobody from reading others.

RFC 3339 with a zone, within the years that can be shown (0001 to 9999).
"""

from __future__ import annotations

from collections.abc import Iterator

from custody.model.incidents import Asked, Closed, Decided, Done, Opened, Step
from custody.model.times import microseconds, text


def readable(written: object) -> bool:
    """Whether a text is a time."""
    if not isinstance(written, str):
        return False
    try:
        return text(microseconds(written)) is not None
    except (ValueError, OverflowError, TypeError):
        return False


def whole(step: Step) -> bool:
    """Whether every time of a step can be read."""
    return all(map(readable, _times(step)))


def _times(step: Step) -> Iterator[str]:
    match step:
        case Opened():
            yield from () if step.aware is None else (step.aware,)
        case Asked():
            optional = (step.until, step.second_by, step.review_by, step.decision.context.get("now"))
            yield from (step.lapses, *(each for each in optional if each is not None))
        case Done():
            yield step.at
        case Closed(as_of=at) | Decided(until=at) if at is not None:
            yield at
        case _:
            return
