"""What one version of a contract asks less than another: a pure comparison, in sentences.

Classes are compared by their names, and where a name is gone with the class of the same patterns, else with the first
that surely matches all that it matched. Stricter, equal and merely other words give nothing. Patterns are compared as
texts: a pattern that names the same keys in another way counts as another one, since what it matches is not known.
"""

import ipaddress
from collections.abc import Iterator

from custody.model.contracts import Approval, Contract, Hours, IdentityClass, Suppression, matches
from custody.model.events import Granularity
from custody.model.times import duration, until_text

FINENESS = tuple(Granularity)
RISKS = ("low", "medium", "high")
DAY = 24 * 60


def weakenings(old: Contract, new: Contract) -> list[str]:
    """Each thing that ``new`` asks less than ``old`` did, in the order of the old one's classes, each once."""
    found = [*_classes(old, new), *_overtaken(old, new), *_top_level(old, new), *suppressed(old, new)]
    return list(dict.fromkeys(found))


def suppressed(old: Contract, new: Contract) -> list[str]:
    """The findings that only ``new`` suppresses, or for longer."""
    before = {_target(each): each.until for each in old.suppressions}
    return [
        f"suppresses {_target(each)} until {until_text(each.until)}"
        for each in new.suppressions
        if each.until > before.get(_target(each), 0)
    ]


def _target(one: Suppression) -> str:
    return one.finding or f"findings of {one.rule} on {one.subject}"


def _classes(old: Contract, new: Contract) -> Iterator[str]:
    by_name = {each.name: each for each in new.classes}
    by_match = {frozenset(each.match): each for each in new.classes}
    for one in old.classes:
        other = by_name.get(one.name) or by_match.get(frozenset(one.match))
        other = other or next((each for each in new.classes if _covers(each, one)), None)
        if other is None:
            if any(_less(one, IdentityClass(name=one.name, match=()), old, new)):
                yield f"class {one.name} is gone"
            continue
        if not _covers(other, one) and any(_less(one, IdentityClass(name="", match=()), old, new)):
            yield f"class {one.name}: matches no longer all that it matched"
        yield from (f"class {one.name}: {text}" for text in _less(one, other, old, new))


def _overtaken(old: Contract, new: Contract) -> Iterator[str]:
    """Classes that now come first for what an old class may have matched, and ask less than that one."""
    names = [each.name for each in old.classes]
    for place, one in enumerate(new.classes):
        if one.name not in names:
            continue
        asked = old.classes[names.index(one.name)]
        before = set(names[: names.index(one.name)])
        for other in new.classes[:place]:
            if other.name not in before and _meet(other, asked) and any(_less(asked, other, old, new)):
                yield f"class {other.name} comes before class {one.name} and asks less"


def _less(old: IdentityClass, new: IdentityClass, was: Contract, now: Contract) -> Iterator[str]:
    """What the class ``new`` asks less than ``old``; ``was`` and ``now`` are their contracts."""
    for name in ("ttl", "max_life", "rotation"):
        yield from _longer(name, getattr(old, name), getattr(new, name))
    if old.approval is not None:
        yield from (["approval is gone"] if new.approval is None else _approval(old.approval, new.approval))
    yield from _coarser(_granularity(old, was), _granularity(new, now))
    yield from _wider("origins", old.origins, new.origins)
    yield from _wider("depends_on", old.depends_on, new.depends_on)
    yield from _wider("environments", old.environments, new.environments)
    if old.hours is not None:
        yield from _hours(old.hours, new.hours)
    if old.workloads is not None and (new.workloads is None or new.workloads > old.workloads):
        yield f"workloads {old.workloads} became {new.workloads or 'any number'}"
    if old.risk is not None and (new.risk is None or RISKS.index(new.risk) < RISKS.index(old.risk)):
        yield f"risk {old.risk} became {new.risk or 'not said'}"
    yield from _retention(old.retention, new.retention)
    yield from _population(old.population, new.population)
    until = new.exception.until if new.exception else 0
    if until > (old.exception.until if old.exception else 0):
        yield f"an exception until {until_text(until)}"


def _longer(name: str, old: int | None, new: int | None) -> Iterator[str]:
    if old is not None and (new is None or new > old):
        yield f"{name} {duration(old)} " + ("is gone" if new is None else f"became {duration(new)}")


def _retention(old: int | None, new: int | None) -> Iterator[str]:
    if old is not None and (new is None or new < old):
        yield f"retention {duration(old)} " + ("is gone" if new is None else f"became {duration(new)}")


def _approval(old: Approval, new: Approval) -> Iterator[str]:
    if new.count < old.count:
        yield f"{old.count} approvals became {new.count}"
    if not _fits(old.by, new.by, (old.by,)):
        yield f"approval by {old.by} became by {new.by}"
    yield from (f"approval by the {role} counts" for role in old.not_ if role not in new.not_)
    yield from _longer("approval within", old.within, new.within)


def _fits(old: str, new: str, allowed: tuple[str, ...]) -> bool:
    """Whether ``new`` is no wider than one of the patterns ``allowed``; ``old`` itself always is."""
    return new == old or any(_covered(new, one) for one in allowed)


def _granularity(one: IdentityClass, contract: Contract) -> Granularity | None:
    """How finely its credentials must be bound: by the class itself, or by what its risk asks."""
    by_risk = dict(contract.provenance).get(one.risk or "")
    asked = [each for each in (one.granularity, by_risk) if each is not None]
    return max(asked, key=FINENESS.index, default=None)


def _coarser(old: Granularity | None, new: Granularity | None) -> Iterator[str]:
    if old is not None and (new is None or FINENESS.index(new) < FINENESS.index(old)):
        yield f"granularity {old.value} " + ("is gone" if new is None else f"became {new.value}")


def _wider(name: str, old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[str]:
    """Of a list that limits: what was added to it, or that nothing limits any more. No list limits nothing."""
    if old and not new:
        yield f"{name} are gone" if name != "depends_on" else "depends_on is gone"
    elif old:
        within = _in_network if name == "origins" else _covered
        more = [each for each in new if not any(each == one or within(each, one) for one in old)]
        if more:
            yield f"{name} became wider by {', '.join(each[:60] for each in more[:3])}"


def _in_network(one: str, of: str) -> bool:
    try:
        inner, outer = ipaddress.ip_network(one), ipaddress.ip_network(of)
    except ValueError:
        return False
    if isinstance(inner, ipaddress.IPv4Network) and isinstance(outer, ipaddress.IPv4Network):
        return inner.subnet_of(outer)
    both = isinstance(inner, ipaddress.IPv6Network) and isinstance(outer, ipaddress.IPv6Network)
    return both and inner.subnet_of(outer)  # type: ignore[arg-type]  # one version of both


def _hours(old: Hours, new: Hours | None) -> Iterator[str]:
    if new is None:
        yield "hours are gone"
    elif new.zone != old.zone:
        yield f"hours are those of {new.zone[:40]}, not of {old.zone[:40]}"
    elif not _minutes(new) <= _minutes(old):
        yield "hours became wider"


def _minutes(hours: Hours) -> frozenset[int]:
    """The minutes of the week in it."""
    length = hours.end - hours.start if hours.end > hours.start else hours.end + DAY - hours.start
    starts = (day * DAY + hours.start for day in hours.days)
    return frozenset((start + minute) % (7 * DAY) for start in starts for minute in range(length))


def _population(old: str | None, new: str | None) -> Iterator[str]:
    if new != old and (old == "machine" or new not in (None, "machine")):
        yield f"population {old or 'as found'} became {new or 'as found'}"


def _covers(new: IdentityClass, old: IdentityClass) -> bool:
    """Whether ``new`` surely matches whatever ``old`` does: a pattern fewer matches more."""
    globs = dict(old.match)
    return all(name in globs and _covered(globs[name], glob) for name, glob in new.match)


def _covered(narrow: str, wide: str) -> bool:
    """Whether ``wide`` surely matches whatever ``narrow`` does; each ``*`` of it stands as a text that is no ``?``."""
    return matches(wide, narrow.replace("*", "\0\0"))


def _meet(one: IdentityClass, other: IdentityClass) -> bool:
    """Whether something may match both, as far as their patterns on the same field tell."""
    globs = dict(other.match)
    return all(_overlap(glob, globs[name]) for name, glob in one.match if name in globs)


def _overlap(one: str, other: str) -> bool:
    """Whether some text fits both patterns."""
    reached = {(0, 0)}
    waiting = [(0, 0)]
    while waiting:
        i, j = waiting.pop()
        if i == len(one) and j == len(other):
            return True
        for step in _steps(one[i : i + 1], other[j : j + 1]):
            place = (i + step[0], j + step[1])
            if place not in reached and place[0] <= len(one) and place[1] <= len(other):
                reached.add(place)
                waiting.append(place)
    return False


def _steps(one: str, other: str) -> Iterator[tuple[int, int]]:
    """How far both patterns may go on from here: past a star, or over a letter that both can be."""
    if one == "*":
        yield 1, 0
        if other and other != "*":
            yield 0, 1
    if other == "*":
        yield 0, 1
        if one and one != "*":
            yield 1, 0
    if one and other and "*" not in (one, other) and (one == other or "?" in (one, other)):
        yield 1, 1


def _top_level(old: Contract, new: Contract) -> Iterator[str]:
    now = dict(new.origins)
    for workload, origins in old.origins:
        yield from (f"{workload[:80]}: {text}" for text in _wider("origins", origins, now.get(workload, ())))
    expected = {each.source: each for each in new.sources}
    for one in old.sources:
        other = expected.get(one.source)
        if other is None:
            yield f"source {one.source} is expected no more"
            continue
        yield from (f"source {one.source}: {text}" for text in _longer("expect", one.expect, other.expect))
        lost = [each for each in one.accounts if each not in other.accounts]
        if lost and other.accounts:
            yield f"source {one.source}: expected no more of {', '.join(each[:40] for each in lost[:3])}"
    environments = {each.name: each for each in new.environments}
    for held in old.environments:
        kept = environments.get(held.name)
        if kept is None or not {*held.accounts, *held.match} <= {*kept.accounts, *kept.match}:
            yield f"environment {held.name} holds less"
