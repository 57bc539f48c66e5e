"""The lanes of a drawing: to which system, run or origin each step of a chain belongs, and how they are ordered."""

import msgspec

from custody.model.report import Chain, Step
from custody.reports.kinds import kind, system
from custody.reports.safe import shortened
from custody.reports.steps import RUN, sort
from custody.reports.views.drawing import LANE, NAME, ROLE, TOP, Lane
from custody.reports.words import counted, short_key

ORIGIN_LANES = 6
CANDIDATE_LANES = 3
ISSUERS = {"database role": "Vault"}
"""Credentials whose issuer is another system than that which knows their key."""

Place = tuple[str, str, str]
"""What a lane holds: the role of its steps, their system, their origin."""


class Row(msgspec.Struct, frozen=True):
    """A lane before it has a place: what it holds, and its words."""

    name: str
    role: str
    system: str
    holds: tuple[Place, ...]


class Lanes(msgspec.Struct, frozen=True):
    """The lanes from top to bottom; ``places`` says which holds what, ``parents`` which are of (candidate) parents."""

    lanes: tuple[Lane, ...]
    places: dict[Place, int]
    parents: tuple[int, ...]

    def of(self, step: Step, chain: Chain) -> int | None:
        """The lane of a step."""
        return self.places.get(place_of(step, chain))


def source_of(step: Step, chain: Chain) -> str:
    """The system that a step was read from: as the step says, else as its key and its join tell."""
    said: object = getattr(step, "source", None)
    if isinstance(said, str) and said:
        return system(said)
    own = chain.keys[0] if chain.keys else ""
    kept = sort(step)
    if kept in ("told", "approve", "request", "refresh"):
        return system(step.rule)
    if kept == "run":
        return system(chain.run or chain.workload or own)
    if step.stage == "issue" and chain.parent is not None and own.startswith("db_role"):
        return system(chain.parent.key)
    return ISSUERS.get(kind(own), system(own)) if step.stage == "issue" else system(own)


def place_of(step: Step, chain: Chain) -> Place:
    """What a lane has to hold for this step."""
    kept = sort(step)
    match kept:
        case "run":
            return ("run", "", "")
        case "use":
            return ("use", source_of(step, chain), step.origin or "unknown")
        case "told" | "session":
            return (kept, source_of(step, chain), "")
        case "approve" | "request":
            return ("approve", source_of(step, chain), "")
    return ("issuer", source_of(step, chain), "")


def lanes(chain: Chain) -> Lanes:
    """The lanes of ``chain``; rare origins share the last one of theirs."""
    found = list(dict.fromkeys(place_of(step, chain) for step in chain.stages))
    parents = _parents(chain)
    rows = [*parents]
    rows += [Row(place[1] or "approvals", "approvals", place[1], (place,)) for place in _of(found, "approve")]
    issuing = {place_of(step, chain) for step in chain.stages if step.stage == "issue"}
    issuers = sorted(_of(found, "issuer"), key=lambda place: place not in issuing)
    rows += [_issuer(place, chain, place in issuing or not issuing) for place in issuers]
    rows += [_run(place, chain) for place in _of(found, "run")]
    rows += [Row(place[1] or "sessions", "sessions", place[1], (place,)) for place in _of(found, "session")]
    rows += _origins(_of(found, "use"))
    rows += [Row(place[1] or "told", "told, proves nothing", place[1], (place,)) for place in _of(found, "told")]
    placed = tuple(
        Lane(shortened(row.name, NAME), row.name, shortened(row.role, ROLE), TOP + LANE * at + LANE // 2, row.system)
        for at, row in enumerate(rows)
    )
    places = {place: at for at, row in enumerate(rows) for place in row.holds}
    return Lanes(placed, places, tuple(range(len(parents))))


def _of(found: list[Place], role: str) -> list[Place]:
    return [place for place in found if place[0] == role]


def _parents(chain: Chain) -> list[Row]:
    """The exact parent, then the candidates."""
    rows: list[Row] = []
    if chain.parent is not None:
        key = chain.parent.key
        rows.append(Row(short_key(key), f"parent, {kind(key)}", system(key), ()))
    total = len(chain.candidates)
    for at, other in enumerate(chain.candidates[:CANDIDATE_LANES], 1):
        rows.append(Row(short_key(other.key), f"candidate parent {at} of {total}", system(other.key), ()))
    return rows


def _issuer(place: Place, chain: Chain, issues: bool) -> Row:
    """The issuing service where AWS names one; any other system by its name."""
    issue = next((step.text for step in chain.stages if step.stage == "issue"), "")
    _, by, rest = issue.partition(" by ")
    if issues and by and place[1] == "AWS":
        return Row(rest.partition(", until ")[0], "issuer", place[1], (place,))
    return Row(place[1] or "issuer", "issuer" if issues else "changes and ends", place[1], (place,))


def _run(place: Place, chain: Chain) -> Row:
    key = chain.run or chain.workload
    if key is None:
        text = next((step.text for step in chain.stages if sort(step) == "run"), "")
        return Row(_after(text) or "run", "run", "", (place,))
    return Row(short_key(key), f"run, {kind(key)}" if chain.run else "run", "", (place,))


def _after(text: str) -> str:
    head = next((head for head in RUN if text.startswith(head)), "")
    return text.removeprefix(head)


def _origins(places: list[Place]) -> list[Row]:
    shown = places if len(places) <= ORIGIN_LANES else places[: ORIGIN_LANES - 1]
    rows = [Row(place[2], _role("origin of use", place[1]), place[1], (place,)) for place in shown]
    if rest := places[len(shown) :]:
        rows.append(Row(counted(len(rest), "more origin"), "origins of use", "", tuple(rest)))
    return rows


def _role(role: str, name: str) -> str:
    return f"{role}, {name}" if name else role
