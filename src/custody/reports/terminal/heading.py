"""Above the steps of a trace: who the credential is, its other names, and what it hangs on."""

from collections import defaultdict
from collections.abc import Sequence

from custody.model.report import Chain, Related
from custody.reports.broker_rows import shorter
from custody.reports.clock import Clock
from custody.reports.kinds import alias_kind, named
from custody.reports.safe import shortened, width
from custody.reports.terminal.layout import COLUMNS, labelled, listed, pad, wrapped
from custody.reports.terminal.style import Style
from custody.reports.words import counted, number, short_key, stamp

INDENT = 12
EVIDENCE = 44
CANDIDATES = 4
ALIASES = 4


def heading(chain: Chain, clock: Clock, style: Style) -> list[str]:
    """Name, population, key, other names, counts."""
    facts = [chain.population, chain.credential]
    if chain.keys and short_key(chain.keys[0]) not in chain.who:
        facts.append(short_key(chain.keys[0]))
    if chain.identity_class:
        facts.append(f"class {chain.identity_class}")
    if chain.lineage:
        facts.append("in a lineage")
    if days := clock.day or " – ".join(sorted({step.time[:10] for step in (*chain.stages[:1], *chain.stages[-1:])})):
        facts.append(f"{days} UTC")
    counts = [counted(chain.uses, "use"), f"{number(chain.successes)} succeeded", f"{number(chain.denied)} denied"]
    if chain.forward_sessions:
        counts.append(f"candidate parent of {counted(chain.forward_sessions, 'forward access session')}")
    lines = [style.strong(line) for line in wrapped(chain.who, COLUMNS)]
    lines += [*listed(facts, COLUMNS, "  "), *_aliases(chain.keys[1:]), *listed(counts, COLUMNS)]
    if chain.conflicted:
        lines += [style.bad(line) for line in wrapped("✗ a record of this credential is in conflict", COLUMNS)]
    return lines


def _aliases(keys: tuple[str, ...]) -> list[str]:
    """The other names that the issuing record gives the credential, by kind."""
    found: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        found[alias_kind(key)].append(short_key(key))
    lines: list[str] = []
    for word, values in found.items():
        room = max((COLUMNS - INDENT - width(word) - 1) // min(len(values), ALIASES) - 2, 16)
        shown = [shortened(value, room) for value in values[:ALIASES]]
        more = [f"and {number(len(values) - ALIASES)} more"] if len(values) > ALIASES else []
        lines += listed([f"{word} {shown[0]}", *shown[1:], *more], COLUMNS - INDENT)
    return labelled("also", lines, INDENT) if lines else []


Row = tuple[str, str, str]
"""A label, what stands beside it, and the evidence at the right edge."""


def relations(chain: Chain, style: Style, more: Sequence[Row] = ()) -> list[str]:
    """What the credential hangs on, from the root down: parents, candidates, workload, run, policy, and ``more``."""
    rows = [*_parents(chain), *_workload(chain)]
    if not rows:
        known = chain.root is not None
        rows.append(("root", "this credential itself: no record names a parent" if known else "unknown", ""))
    if chain.policy:
        rows.append(("policy", shorter(chain.policy), ""))
    rows += more
    if chain.provable_until:
        by = f": then {chain.provable_by} forgets it" if chain.provable_by else ""
        rows.append(("provable", f"at the source until {stamp(chain.provable_until)}{by}", ""))
    marks = ["╭", *"│" * (len(rows) - 1)]
    return [
        line
        for mark, (label, text, evidence) in zip(marks, rows, strict=True)
        for line in laid(f"{mark} {label}", text, evidence, style)
    ]


def _parents(chain: Chain) -> list[Row]:
    rows: list[Row] = []
    parent = chain.parent
    if chain.root and chain.root not in chain.keys and (parent is None or chain.root != parent.key):
        rows.append(("root", named(chain.root), ""))
    if parent is not None:
        rows.append(("parent", named(parent.key), _joined(parent)))
    total = len(chain.candidates)
    for at, other in enumerate(chain.candidates[:CANDIDATES], 1):
        rows.append(("candidate", f"parent {at} of {total}\n{named(other.key)}", _joined(other)))
    if total > CANDIDATES:
        rows.append(("", f"and {counted(total - CANDIDATES, 'more candidate parent')}", ""))
    return rows


def _joined(other: Related) -> str:
    return f"{other.grade}, {other.join.replace('_', ' ')}  leaf {other.leaf.index}"


def _workload(chain: Chain) -> list[Row]:
    grade = chain.run_grade or ""
    rows: list[Row] = []
    if chain.unissued:
        rows.append(("no issue", f"recorded: {chain.unissued}", ""))
    elif chain.workload:
        rows.append(("bound to", named(chain.workload), grade if chain.run == chain.workload else ""))
    if chain.run and (chain.run != chain.workload or chain.unissued):
        rows.append(("run", named(chain.run), grade))
    return rows


def laid(head: str, text: str, evidence: str, style: Style) -> list[str]:
    """The head, the text in what room there is, and the evidence at the right edge of the first line.

    A newline in ``text``, which no text of a log can hold here, says where it is divided.
    """
    head = pad(head, max(INDENT, width(head)))
    evidence = shortened(evidence, EVIDENCE)
    room = COLUMNS - width(head) - (width(evidence) + 2 if evidence else 0)
    first, _, rest = text.partition("\n")
    if not rest:
        first, rest = _fitting(text, room)
    gap = COLUMNS - width(head) - width(first) - width(evidence)
    line = f"{head}{first}{' ' * gap}{style.faint(evidence)}".rstrip()
    indent = "│" + " " * (width(head) - 1)
    again = wrapped(rest, COLUMNS - width(indent)) if rest else []
    return [line, *(indent + more for more in again)]


def _fitting(text: str, room: int) -> tuple[str, str]:
    """The words that fit into ``room``, and the rest: a word is cut only where not even a whole line holds it."""
    words = text.split(" ")
    taken = 0
    while taken < len(words) and width(" ".join(words[: taken + 1])) <= room:
        taken += 1
    if taken == 0:
        first, *rest = wrapped(text, room)
        return first, " ".join(rest)
    return " ".join(words[:taken]), " ".join(words[taken:])
