"""``custody trace``: one credential from issue to end, each step with its grade, who says so, and its leaf."""

from datetime import datetime

import msgspec

from custody.model.report import Answer, Chain
from custody.reports.safe import cleaned, shortened, width
from custody.reports.steps import Group, groups, violations
from custody.reports.terminal.layout import COLUMNS, ended, labelled, listed, pad, wrapped
from custody.reports.terminal.style import PLAIN, Style
from custody.reports.words import MARKS, NOT_JUDGED, answered, counted, moment, number, short_key, stamp, state_word

STEP_MARKS = {"issue": "●", "use": "◆", "end": "◌", "revoke": "◌", "expire": "◌", "change": "△", "start": "○"}
INDENT = 11
STATE = 13
STATES = ("violated", "proved", "unproven", "open", "n/a")


class Clock(msgspec.Struct, frozen=True):
    """How times are written in one trace: the clock alone where all are of one day."""

    day: str | None

    @property
    def columns(self) -> int:
        """What a time takes, with the gap after it."""
        return 10 if self.day else 16

    def show(self, text: str) -> str:
        """A time, cut to seconds; what is no time is shortened."""
        found = moment(text)
        if found is None:
            return shortened(text or "?", self.columns - 2)
        return f"{found:%H:%M:%S}" if self.day else f"{found:%m-%d %H:%M:%S}"


def chain(chain: Chain, style: Style = PLAIN) -> str:
    """The trace: who, the steps, then every answer by state with what it rests on."""
    chain = cleaned(chain)
    clock = _clock(chain)
    lines = [*_head(chain, clock, style), "", *_root(chain, style)]
    shown = groups(chain.stages)
    violated = violations(shown, chain.verdicts)
    for place, group in enumerate(shown):
        lines += _step(group, clock, style)
        lines += [_violated(answer, style) for answer in violated.get(place, ())]
    lines += _children(chain)
    lines += ["", *_answers(chain.verdicts, style), "", _tally(chain.verdicts)]
    return "\n".join(lines) + "\n"


def _clock(chain: Chain) -> Clock:
    found: list[datetime] = [time for step in chain.stages if (time := moment(step.time))]
    days = {f"{time:%Y-%m-%d}" for time in found}
    return Clock(days.pop() if len(days) == 1 else None)


def _head(chain: Chain, clock: Clock, style: Style) -> list[str]:
    keys = [short_key(key) for key in chain.keys]
    facts = [chain.population, chain.credential, *keys]
    if chain.identity_class:
        facts.append(f"class {chain.identity_class}")
    if chain.lineage:
        facts.append("in a lineage")
    days = clock.day or " – ".join(
        sorted({chain.stages[0].time[:10], chain.stages[-1].time[:10]}) if chain.stages else []
    )
    if days:
        facts.append(f"{days} UTC")
    counts = [counted(chain.uses, "use"), f"{number(chain.successes)} succeeded", f"{number(chain.denied)} denied"]
    if chain.forward_sessions:
        counts.append(f"candidate parent of {counted(chain.forward_sessions, 'forward access session')}")
    lines = [style.strong(line) for line in wrapped(chain.who, COLUMNS)]
    lines += [*listed(facts, COLUMNS, "  "), *listed(counts, COLUMNS)]
    if chain.conflicted:
        lines += [style.bad(line) for line in wrapped("✗ a record of this credential is in conflict", COLUMNS)]
    return lines


def _root(chain: Chain, style: Style) -> list[str]:
    lines: list[str] = []
    if chain.parent is not None:
        evidence = f"{chain.parent.join}  leaf {chain.parent.leaf.index}"
        lines += _laid("╭ parent", f"key {short_key(chain.parent.key)}", evidence, style)
    if chain.unissued:
        lines += _laid("╭ no issue", f"recorded: {chain.unissued}", "", style)
    elif chain.workload:
        lines += _laid("╭ bound to", short_key(chain.workload), "", style)
    elif chain.root and chain.parent is None:
        lines += _laid("╭ root", short_key(chain.root), "", style)
    if lines and chain.root and chain.parent is not None and chain.root != chain.parent.key:
        lines = [*_laid("╭ root", f"key {short_key(chain.root)}", "", style), *(_continued(line) for line in lines)]
    return lines or _laid("╭ root", "unknown", "", style)


def _continued(line: str) -> str:
    return line.replace("╭", "│", 1)


def _step(group: Group, clock: Clock, style: Style) -> list[str]:
    mark = STEP_MARKS.get(group.stage, "·")
    head = pad(f"{mark} {group.stage}", INDENT) + pad(clock.show(group.first), clock.columns)
    evidence = f"{group.join}, {group.asserter}  {_leaf_words(group.leaves)}"
    if width(head) + width(group.text) + 2 + width(evidence) > COLUMNS:
        evidence = f"{group.join}, {group.asserter}  {_leaf_words(group.leaves, 1)}"
    until = f"until {clock.show(group.last)}" if group.last != group.first else ""
    detail = ": ".join(part for part in (until, group.detail) if part)
    indent = "│".ljust(INDENT + clock.columns)
    below = wrapped(detail, COLUMNS - len(indent), most=6) if detail else []
    return [*_laid(head, group.text, evidence, style), *(indent + line for line in below)]


def _violated(answer: Answer, style: Style) -> str:
    return "│".ljust(INDENT) + style.bad(f"{MARKS['violated']} violated: {shortened(answered(answer.question), 40)}")


def _leaf_words(indexes: tuple[int, ...], most: int = 2) -> str:
    shown = " ".join(str(index) for index in indexes[:most])
    return f"{'leaf' if len(indexes) == 1 else 'leaves'} {shown}{' …' if len(indexes) > most else ''}"


def _laid(head: str, text: str, evidence: str, style: Style) -> list[str]:
    """The head, the text in what room there is, and the evidence at the right edge of the first line."""
    head = pad(head, max(INDENT, width(head)))
    evidence = shortened(evidence, 44)
    room = COLUMNS - width(head) - (width(evidence) + 2 if evidence else 0)
    first, *rest = wrapped(text, room)
    gap = COLUMNS - width(head) - width(first) - width(evidence)
    line = f"{head}{first}{' ' * gap}{style.faint(evidence)}".rstrip()
    indent = "│" + " " * (width(head) - 1)
    again = wrapped(" ".join(rest), COLUMNS - width(indent)) if rest else []
    return [line, *(indent + more for more in again)]


def _children(chain: Chain) -> list[str]:
    if not chain.children_total:
        return []
    shown = [short_key(child.key) for child in chain.children[:4]]
    more = chain.children_total - len(shown)
    text = f"{counted(chain.children_total, 'child', 'children')}: {', '.join(shown)}"
    return labelled(
        "╰ children", wrapped(text + (f", {number(more)} more" if more > 0 else ""), COLUMNS - INDENT), INDENT
    )


def _answers(answers: tuple[Answer, ...], style: Style) -> list[str]:
    """Every answer with its sentence, the violated ones first, else by state in the order of the questions."""
    waiting = [answer for answer in answers if answer.text == NOT_JUDGED]
    ordered = [answer for answer in answers if answer.text != NOT_JUDGED]
    ordered.sort(key=lambda answer: STATES.index(answer.state) if answer.state in STATES else len(STATES))
    lines = [line for answer in ordered for line in _answer(answer, style)]
    if waiting:
        text = f"{NOT_JUDGED}: {', '.join(answered(answer.question) for answer in waiting)}"
        lines += labelled(f"{MARKS['unproven']} unproven", wrapped(text, COLUMNS - STATE), STATE)
    return lines


def _answer(answer: Answer, style: Style) -> list[str]:
    word = state_word(answer.state, answer.best)
    label = f"{MARKS.get(answer.state, '?')} {pad(word, STATE - 2)}"
    tail = [answer.basis] if answer.basis and answer.basis != "observed" else []
    tail += [f"until {stamp(answer.until)}"] if answer.until else []
    tail += [f"would settle it: {answer.settles}"] if answer.settles else []
    text = f"{answered(answer.question)}: {'; '.join([answer.text, *tail])}"
    laid = labelled(label, wrapped(text, COLUMNS - STATE), STATE)
    if answer.leaves:
        laid = ended(laid, shortened(_leaf_words(tuple(leaf.index for leaf in answer.leaves), 4), COLUMNS - STATE))
    return [style.state(answer.state, laid[0][:STATE]) + laid[0][STATE:], *laid[1:]]


def _tally(answers: tuple[Answer, ...]) -> str:
    states = [answer.state for answer in answers]
    return "   ".join(f"{MARKS[state]} {states.count(state)} {state}" for state in MARKS)
