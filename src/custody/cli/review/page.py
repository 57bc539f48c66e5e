"""Reviews, 80 columns wide: the list, and one review with every identity of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from custody.cli.register.words import day
from custody.model.reviews import Member, Opening, Standing
from custody.model.times import until_text
from custody.pipeline.reviewing.showing import Shown, State, ordered
from custody.register.carried import Carried
from custody.reports.safe import plain, shortened, width
from custody.reports.terminal.layout import COLUMNS, labelled, right, wrapped
from custody.reports.terminal.style import Style
from custody.reports.words import counted, number, short_key

LABEL = 12
ROOM = COLUMNS - LABEL
MOST = 200
"""Identities that the page of a review shows, at most: ``--json`` has all."""


def listing(every: Sequence[Shown], style: Style) -> Iterator[str]:
    """Every review in two or three lines."""
    yield style.strong("REVIEWS")
    for shown in every:
        opening = shown.review.opening
        yield ""
        yield from _head(shown, style)
        yield f"  {_asked(opening)}"
        yield f"  {_progress(shown)}"
    yield ""
    late = sum(shown.state is State.OVERDUE for shown in every)
    many = counted(len(every), "review")
    yield style.warn(f"{many}, {number(late)} overdue") if late else many


def page(shown: Shown, style: Style) -> Iterator[str]:
    """One review: how far it is, then each identity, undecided ones first."""
    opening, closing = shown.review.opening, shown.review.closing
    yield from _head(shown, style)
    rows = [
        ("reviewer", f"{_asked(opening)}{'; decided late' if shown.late else ''}"),
        ("opened", f"{day(opening.at)} UTC by {opening.by}, as the system names them; leaf operations:{opening.leaf}"),
        ("population", f"{counted(len(opening.members), 'identity', 'identities')}: {chosen(opening)}"),
        ("digest", opening.digest),
        ("decided", _progress(shown)),
    ]
    if closing is not None:
        rows.append(("closed", f"{day(closing.at)} UTC by {closing.by}, leaf approvals:{closing.leaf}"))
    if closing is not None and closing.accepted is not None:
        left = counted(len(closing.unfinished), "action")
        rows.append(("accepted", f"{left} not seen carried out: {closing.accepted}"))
    for label, told in rows:
        yield from labelled(label, wrapped(plain(told), ROOM), LABEL)
    members = list(ordered(shown))
    for member in members[:MOST]:
        yield ""
        yield from _member(shown, member, style)
    if len(members) > MOST:
        yield ""
        yield f"… {number(len(members) - MOST)} more identities: --json"
    yield from _actions(shown, style)


def chosen(opening: Opening) -> str:
    """By what the population was chosen, in words."""
    told = ", ".join("all of the register" if name == "all" else f"{name} {value}" for name, value in opening.chosen)
    if opening.sampled is None:
        return told
    return f"a sample (seed {opening.sampled.seed}) of {number(opening.sampled.population)}: {told}"


def _head(shown: Shown, style: Style) -> Iterator[str]:
    name, state = shown.review.opening.name, shown.state.value
    loud = style.warn(state) if shown.state in (State.OVERDUE, State.DECIDED) else state
    yield f"{style.strong(name)}{' ' * max(COLUMNS - width(name) - width(state), 2)}{loud}"


def _asked(opening: Opening) -> str:
    return shortened(plain(f"asked of {opening.reviewer}, due {until_text(opening.due)}"), ROOM)


def _progress(shown: Shown) -> str:
    total, decided = len(shown.review.opening.members), len(shown.decided)
    if not decided:
        return f"none of {number(total)}"
    claimed = decided - shown.signed
    told = f"{number(decided)} of {number(total)}, {number(shown.signed)} signed by the reviewer"
    return f"{told}, {number(claimed)} CLAIMED" if claimed else told


def _member(shown: Shown, member: Member, style: Style) -> Iterator[str]:
    given = shown.decided.get(member.identity)
    word = "not decided" if given is None else given.decision.choice.value
    name = shortened(plain(short_key(member.identity)), COLUMNS - len(word) - 2)
    yield f"{style.strong(name)}{right(word, COLUMNS - width(name))}"
    rows = [
        ("owner", ", ".join(member.owners) or "nobody"),
        ("purpose", "; ".join(one.value for one in member.purpose) or "nobody says"),
        ("exception", "; ".join(member.exception)),
    ]
    if given is not None:
        rows += _decision(shown, given)
    action = (shown.actions or {}).get(member.identity)
    if action is not None:
        rows.append((action.state.value, action.text))
    for label, told in rows:
        if told:
            yield from labelled(f"  {label}", wrapped(plain(told), ROOM, 4), LABEL)


def _decision(shown: Shown, given: Standing) -> Iterator[tuple[str, str]]:
    yield "to", "; ".join(given.decision.to)
    yield "reason", given.decision.reason
    yield "by", f"{who(shown, given)}  {day(given.given.at)} UTC  approvals:{given.given.leaf}"


def who(shown: Shown, given: Standing) -> str:
    """Who decided, and how that is known."""
    signature = given.given.signature
    if signature is None:
        return f"CLAIMED by {given.given.by}: nobody signed"
    names = ", ".join(signature.principals)
    if given.signed_by(shown.review.opening.reviewer):
        return f"signed by {names}"
    return f"CLAIMED: signed by {names}, who was not asked"


def _actions(shown: Shown, style: Style) -> Iterator[str]:
    if shown.actions is None:
        return
    left = [one for one in shown.actions.values() if one.state is not Carried.DONE]
    yield ""
    if not shown.actions:
        yield "nothing was decided that is to be carried out"
        return
    told = f"{number(len(shown.actions) - len(left))} of {counted(len(shown.actions), 'action')} seen carried out"
    when = f", as of {shown.as_of}" if shown.as_of else ""
    yield style.warn(f"{told}{when}") if left else f"{told}{when}"
