"""The words, marks and numbers that all reports share: a page, a trace and a file say the same thing alike."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from custody.model.keys import KEY_TYPES
from custody.model.report import CheckpointRef, ClockRef, LeafRef
from custody.model.times import EPOCH, until_text
from custody.model.verdicts import Question, State

LOG = "operations"
"""The log that the leaves of findings and counts are in."""

MARKS: dict[str, str] = {"proved": "✔", "violated": "✗", "unproven": "?", "open": "…", "n/a": "–"}
"""A mark for each state; it always stands beside its word."""

SEVERITIES = ("critical", "high", "medium", "low")

PEOPLE: dict[str, str] = {"machine": "machines", "person": "people"}

NOT_JUDGED = "not judged yet"
"""What stands for an answer where no rule gives one."""

PROMISE = "tamper-evident to holders of an earlier checkpoint"
"""What an unanchored log may claim, and no more."""


def number(value: int) -> str:
    """With thousands separators."""
    return f"{value:,}"


def counted(value: int, one: str, many: str = "") -> str:
    """``1 leaf``, ``12 leaves``: the plural is ``one`` with an s unless given."""
    return f"{number(value)} {one if value == 1 else many or one + 's'}"


def population(name: str) -> str:
    """The plural under which a population is counted."""
    return PEOPLE.get(name, name)


def short_key(key: str) -> str:
    """The value of a typed key (``type:scope:value``), which is what people know it by; anything else as it is."""
    kind, colon, rest = key.partition(":")
    scope, second, value = rest.partition(":")
    if kind not in KEY_TYPES or not (colon and scope and second and value):
        return key
    return f"spiffe://{scope}{value}" if kind == "spiffe" else value


def moment(text: str | None) -> datetime | None:
    """The time that RFC 3339 ``text`` names; None where it names none."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def stamp(text: str | None) -> str:
    """``2023-07-10 11:55:22 UTC``; a text that is no time stays as it is."""
    found = moment(text)
    return f"{found:%Y-%m-%d %H:%M:%S} UTC" if found else text or "unknown"


def day(text: str) -> str:
    """An end as people write one: the date of the last day where it ends with a day, else the time."""
    found = moment(text)
    if found is None:
        return text
    shown = until_text((found - EPOCH) // timedelta(microseconds=1))
    return shown if len(shown) == len("2027-03-31") else stamp(text)


def period(first: str, last: str) -> str:
    """``2023-07-10 11:42–12:37``, both dates where they differ, one time where all is within a minute."""
    since, until = moment(first), moment(last)
    if since is None or until is None:
        return f"{first} – {last}"
    if f"{since:%Y-%m-%d %H:%M}" == f"{until:%Y-%m-%d %H:%M}":
        return f"{since:%Y-%m-%d %H:%M}"
    if since.date() == until.date():
        return f"{since:%Y-%m-%d %H:%M}–{until:%H:%M}"
    return f"{since:%Y-%m-%d %H:%M} – {until:%Y-%m-%d %H:%M}"


def apart(seconds: float) -> str:
    """``0.016 s behind``, ``level with``: how one clock stands to another, from the seconds that it shows less."""
    if abs(seconds) < 0.0005:
        return "level with"
    return f"{abs(seconds):.3f} s {'ahead of' if seconds > 0 else 'behind'}"


def span(first: str | None, last: str | None) -> str:
    """A life to the second: the date once where both ends are of one day."""
    since, until = moment(first), moment(last)
    if since is not None and until is not None and since.date() == until.date():
        return f"{since:%Y-%m-%d %H:%M:%S} – {until:%H:%M:%S} UTC"
    return f"{stamp(first) if first else 'not recorded'} – {stamp(last) if last else 'no expiry recorded'}"


def pairs(clocks: Iterable[ClockRef]) -> list[ClockRef]:
    """Each pair of sources once: a pair is measured from both sides."""
    found: dict[frozenset[str], ClockRef] = {}
    for each in clocks:
        found.setdefault(frozenset((each.source, each.other)), each)
    return list(found.values())


def state_word(state: str, best: str | None) -> str:
    """The word beside the mark: an unproven answer says what it does have."""
    return best if state == State.UNPROVEN and best in ("indicated", "claimed") else state


def answered(question: str) -> str:
    """A question's name where there is little room."""
    return "used within its limits" if question == Question.WITHIN else question


def said_by(source: str, signer: str | None, field: str, *, vouched: bool) -> tuple[str, str]:
    """How it is known who says a claim, and where they say it: ``signed by ann@example.com``, ``payments``.

    ``source`` is ``register:`` and a document, ``contract:`` and a class, or an inventory.
    """
    place, _, name = source.partition(":")
    if place != "register":
        return "declared", f"{place} {name}"
    if signer is None:
        return "claimed", name
    if vouched and field == "owner":
        return "signed by the owner", name
    whose = "" if vouched else ", who may not say it"
    return f"signed by {signer.replace(',', ', ')}{whose}", name


def granted_since(how: str, since: str | None) -> str:
    """Since when a grant is there: a list does not say, and what only ended was there before the records."""
    if how == "inventory":
        return "in an inventory; since when is not known"
    return f"since {since}" if since is not None and how == "observed" else "since before the records"


def leaf_text(leaf: LeafRef | None) -> str:
    """``operations:120``, nothing where no leaf tells it."""
    return "" if leaf is None else f"{leaf.log}:{leaf.index}"


def promise(checkpoint: CheckpointRef | None) -> str:
    """What the log may claim, and no more: anchors are sealed with it, and whose they are a report does not check."""
    anchored = None if checkpoint is None else checkpoint.anchored
    if anchored is None:
        return f"not anchored: {PROMISE}"
    return f"anchors are sealed over the first {counted(anchored, 'leaf', 'leaves')}; the rest is {PROMISE}"
