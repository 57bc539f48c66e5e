"""``custody contain``: what is alive now, what would end each and with what collateral, and what was made."""

from custody.chains.containment import Containment, Member
from custody.chains.ways import Way
from custody.model.report import Made
from custody.reports.kinds import WORDS, named
from custody.reports.safe import cleaned, shortened, width
from custody.reports.terminal.layout import COLUMNS, LABEL, labelled, listed, wrapped
from custody.reports.terminal.style import PLAIN, Style
from custody.reports.words import counted, number, short_key, stamp

ROOM = COLUMNS - LABEL


def containment(found: Containment, style: Style = PLAIN) -> str:
    """The whole answer. Commands stand on lines of their own, never divided, so that they can be copied."""
    found = cleaned(found)
    asked = [member for member in found.members if member.depth == 0]
    below = [member for member in found.members if member.depth > 0]
    told: set[str] = set()
    lines = [
        *_alive(found, style),
        *_descendants(below, found.cut_off, style),
        *_made(found.made, style),
        *(line for member in (*asked, *below) if member.alive for line in _ways(member, told, style)),
    ]
    return "\n".join(lines) + "\n"


def _titled(title: str, lines: list[str], style: Style) -> list[str]:
    first, *rest = labelled(title, lines)
    return [style.strong(title) + first[len(title) :], *rest]


def _alive(found: Containment, style: Style) -> list[str]:
    if not found.members:
        return _titled("alive now", ["nothing is known of this key"], style)
    if found.alive:
        text = f"{number(found.alive)} of {counted(len(found.members), 'credential')}, as of {stamp(found.as_of)}"
        return _titled("alive now", wrapped(text, ROOM), style)
    ends = [f"{short_key(member.key)}: {member.ended}" for member in found.members if member.ended]
    what = "nothing of the key and its descendants" if found.made else "nothing"
    lines = wrapped(f"{what}, as of {stamp(found.as_of)}", ROOM)
    lines += [line for end in ends[:3] for line in wrapped(end, ROOM)]
    lines += [f"and {number(len(ends) - 3)} more"] if len(ends) > 3 else []
    return _titled("alive now", lines, style)


def _descendants(below: list[Member], cut_off: bool, style: Style) -> list[str]:
    if not below:
        return _titled("descendants", ["none seen in scope"], style)
    alive = sum(member.alive for member in below)
    text = f"{counted(len(below), 'credential')}, {number(alive)} alive, {number(len(below) - alive)} ended"
    return _titled("descendants", [text, *(["the list is cut off here"] if cut_off else [])], style)


def _made(made: tuple[Made, ...], style: Style) -> list[str]:
    if not made:
        return _titled("made with it", ["no users, keys or trust changes seen in scope"], style)
    lines = [line for one in made for line in _one(one)]
    lines += wrapped("what was made lives on by itself until it is removed; ask contain about each key", ROOM)
    return _titled("made with it", lines, style)


def _one(made: Made) -> list[str]:
    state = {True: ["ALIVE"], False: ["ended"], None: []}[made.alive]
    facts = [stamp(made.time), made.effect, *state, f"leaf {made.leaf.log}:{made.leaf.index}"]
    return [*listed(facts, ROOM, "  "), *(f"  {line}" for line in wrapped(_what(made.what), ROOM - 2))]


def _what(key: str) -> str:
    """A key that was made by its kind and value; a user, role or sentence as it is."""
    kind = key.partition(":")[0]
    return named(key) if kind in WORDS and not kind.startswith("aws_ar") else short_key(key)


def _ways(member: Member, told: set[str], style: Style) -> list[str]:
    """A live member and what would end it; a command that stands further up already is not written again."""
    until = f"alive until {stamp(member.until)}" if member.until else "alive, no expiry recorded"
    last = f"last success {stamp(member.last_success)}" if member.last_success else "never used with success"
    depth = "asked about" if member.depth == 0 else f"descendant, depth {member.depth}"
    key, who = shortened(short_key(member.key), COLUMNS), shortened(member.who, COLUMNS - 2)
    beside = width(key) + 2 + width(who) <= COLUMNS
    lines = ["", style.strong(f"{key}  {who}")] if beside else ["", style.strong(key), f"  {who}"]
    lines += [f"  {line}" for line in listed([depth, until, last], COLUMNS - 2)]
    fresh = [way for way in member.ways if way.command not in told]
    told.update(way.command for way in fresh)
    for way in fresh:
        lines += _way(way, style)
    return lines if fresh or not member.ways else [*lines, "  a command above ends it too"]


def _way(way: Way, style: Style) -> list[str]:
    others = (
        f"also ends {counted(way.collateral, 'other live credential')}"
        if way.collateral
        else "no other live credential seen that it would end"
    )
    text = f"{way.action}: {way.effect}; {others}"
    return [*(f"  {line}" for line in wrapped(text, COLUMNS - 2)), style.faint(f"    {way.command}")]
