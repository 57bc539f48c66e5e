"""``custody trace``: one credential from issue to end, each step with its grade, who says so, and its leaf."""

from collections import Counter

from custody.model.report import Answer, Chain
from custody.reports.broker_rows import shorter
from custody.reports.clock import Clock, clock
from custody.reports.kinds import kind
from custody.reports.safe import cleaned, shortened, width
from custody.reports.steps import TOLD, Group, groups, violations
from custody.reports.terminal import brokered
from custody.reports.terminal.heading import INDENT, heading, laid, relations
from custody.reports.terminal.layout import COLUMNS, ended, labelled, pad, wrapped
from custody.reports.terminal.style import PLAIN, Style
from custody.reports.words import MARKS, NOT_JUDGED, answered, counted, number, short_key, stamp, state_word

STEP_MARKS = {
    "issue": "●",
    "use": "◆",
    "told": "◇",
    "run": "○",
    "start": "○",
    "session": "▷",
    "approve": "▣",
    "request": "▢",
    "decide": "▤",
    "refresh": "↻",
    "change": "△",
    "end": "◌",
    "revoke": "◌",
    "expire": "◌",
}
STATE = 13
STATES = ("violated", "proved", "unproven", "open", "n/a")
CHILDREN = 4


def chain(chain: Chain, style: Style = PLAIN) -> str:
    """The trace: who, the steps, then every answer by state with what it rests on."""
    chain = cleaned(chain)
    shown = groups(chain.stages)
    times = clock(time for group in shown for time in (group.first, group.last))
    told = [] if chain.brokered is None else brokered.beside(chain.brokered, times)
    lines = [*heading(chain, times, style), "", *relations(chain, style, told)]
    violated = violations(shown, chain.verdicts)
    for place, group in enumerate(shown):
        lines += _step(group, times, style)
        lines += [_violated(answer, style) for answer in violated.get(place, ())]
    lines += _children(chain)
    if any(group.sort == "told" for group in shown):
        lines += ["", style.faint("◇ told: neither the issuer nor the verifier says so; no answer is proved by it")]
    lines += ["", *_answers(chain.verdicts, times, style), "", _tally(chain.verdicts)]
    return "\n".join(lines) + "\n"


def _step(group: Group, times: Clock, style: Style) -> list[str]:
    mark = STEP_MARKS.get(group.sort, "·")
    if group.sort == "session" and group.stage == "end":
        mark = "◁"
    head = pad(f"{mark} {group.sort}", INDENT) + pad(times.show(group.first), times.columns)
    evidence = f"{_grade(group)}  {_leaf_words(group.leaves)}"
    if width(head) + width(group.text) + 2 + width(evidence) > COLUMNS:
        evidence = f"{_grade(group)}  {_leaf_words(group.leaves, 1)}"
    last = times.show(group.last)
    until = f"to {last}" if last != times.show(group.first) else ""
    detail = ": ".join(part for part in (until, times.within(group.detail)) if part)
    indent = "│".ljust(INDENT + times.columns)
    below = wrapped(detail, COLUMNS - len(indent), most=6) if detail else []
    return [*laid(head, times.within(group.text), evidence, style), *(indent + line for line in below)]


def _grade(group: Group) -> str:
    """How the step is joined and who says so; of what is only told, whose word it is."""
    if group.sort != "told":
        return f"{group.join}, {group.asserter}"
    return TOLD[group.asserter] if group.join == "exact" else f"{group.join}, {TOLD[group.asserter]}"


def _violated(answer: Answer, style: Style) -> str:
    return "│".ljust(INDENT) + style.bad(f"{MARKS['violated']} violated: {shortened(answered(answer.question), 40)}")


def _leaf_words(indexes: tuple[int, ...], most: int = 2) -> str:
    shown = " ".join(str(index) for index in indexes[:most])
    return f"{'leaf' if len(indexes) == 1 else 'leaves'} {shown}{' …' if len(indexes) > most else ''}"


def _children(chain: Chain) -> list[str]:
    if not chain.children_total:
        return []
    kinds = Counter(kind(child.key) for child in chain.children)
    word = next(iter(kinds)) if len(kinds) == 1 and chain.children_total > 1 else ""
    shown = [
        short_key(child.key) if word else f"{kind(child.key)} {short_key(child.key)}"
        for child in chain.children[:CHILDREN]
    ]
    more = chain.children_total - len(shown)
    head = counted(chain.children_total, "child", "children") + (f", {word} each" if word else "")
    text = f"{head}: {', '.join(shown)}" + (f", {number(more)} more" if more > 0 else "")
    return labelled("╰ children", wrapped(text, COLUMNS - INDENT), INDENT)


def _answers(answers: tuple[Answer, ...], times: Clock, style: Style) -> list[str]:
    """Every answer with its sentence, the violated ones first, else by state in the order of the questions."""
    waiting = [answer for answer in answers if answer.text == NOT_JUDGED]
    ordered = [answer for answer in answers if answer.text != NOT_JUDGED]
    ordered.sort(key=lambda answer: STATES.index(answer.state) if answer.state in STATES else len(STATES))
    lines = [line for answer in ordered for line in _answer(answer, times, style)]
    if waiting:
        text = f"{NOT_JUDGED}: {', '.join(answered(answer.question) for answer in waiting)}"
        lines += labelled(f"{MARKS['unproven']} unproven", wrapped(text, COLUMNS - STATE), STATE)
    return lines


def _answer(answer: Answer, times: Clock, style: Style) -> list[str]:
    word = state_word(answer.state, answer.best)
    label = f"{MARKS.get(answer.state, '?')} {pad(word, STATE - 2)}"
    tail = [answer.basis] if answer.basis and answer.basis != "observed" else []
    tail += [f"until {stamp(answer.until)}"] if answer.until else []
    tail += [f"would settle it: {answer.settles}"] if answer.settles else []
    text = f"{answered(answer.question)}: {'; '.join([times.within(shorter(answer.text)), *tail])}"
    laid = labelled(label, wrapped(text, COLUMNS - STATE), STATE)
    if answer.leaves:
        laid = ended(laid, shortened(_leaf_words(tuple(leaf.index for leaf in answer.leaves), 4), COLUMNS - STATE))
    return [style.state(answer.state, laid[0][:STATE]) + laid[0][STATE:], *laid[1:]]


def _tally(answers: tuple[Answer, ...]) -> str:
    states = [answer.state for answer in answers]
    return "   ".join(f"{MARKS[state]} {states.count(state)} {state}" for state in MARKS)
