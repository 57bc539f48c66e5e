"""``custody incident show``: what the incident is now, what was done and whether it worked, and every answer."""

from custody.model.incident_view import ActionView, CheckView, IncidentView, Judged, ScopeView, Told
from custody.reports.safe import cleaned, shortened
from custody.reports.terminal.layout import COLUMNS, LABEL, ended, labelled, listed, pad, wrapped
from custody.reports.terminal.style import PLAIN, Style
from custody.reports.words import MARKS, counted, leaf_text, number, stamp, state_word

ROOM = COLUMNS - LABEL
STATE = 13
CITED = 3
PARTS = 6
LISTED = 8
BAD = ("done without approval", "denied", "lapsed")


def page(view: IncidentView, style: Style = PLAIN) -> str:
    """The whole page, 80 columns. Commands stand on lines of their own, never divided, so that they can be copied."""
    view = cleaned(view)
    sections = (
        _head(view, style),
        _actions(view, style),
        _titled("ANSWERS", [line for each in view.answers for line in _judged(each, style)], style),
        _titled("RE-ENABLE", [line for each in view.checks for line in _check(each, style)], style),
        _scope(view.scope, style),
        _missing(view, style),
        _odd(view, style),
        _next(view, style),
    )
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def _titled(title: str, lines: list[str], style: Style) -> list[str]:
    return [style.strong(title), *lines] if lines else []


def _head(view: IncidentView, style: Style) -> list[str]:
    facts = [view.incident, view.severity, view.state]
    facts += [f"as of {stamp(view.as_of)}"] if view.as_of else []
    facts += [f"as it was known at {stamp(view.known_at)}"] if view.known_at else []
    lines = [style.strong(line) for line in wrapped(view.title, COLUMNS)] + listed(facts, COLUMNS, "  ")
    lines += _told("opened", view.opened, style)
    lines += labelled("aware since", [stamp(view.aware)])
    lines += labelled("grows from", [line for each in view.seeds for line in wrapped(each, ROOM)])
    lines += _told("closed", view.closed, style) if view.closed is not None else []
    for each in (*view.notes, *view.claims):
        lines += _told("said", each, style)
    return lines


def _told(label: str, told: Told, style: Style) -> list[str]:
    """Who and when, what they said, and why it does not count where it does not."""
    signed = "signed" if told.signed else "not signed"
    lines = listed([f"{stamp(told.at)} by {told.who}", signed], ROOM, ", ") + wrapped(told.what, ROOM)
    found = labelled(label, ended(lines, leaf_text(told.leaf), ROOM))
    return found + [" " * LABEL + style.bad(line) for line in (wrapped(f"✗ {told.why}", ROOM) if told.why else ())]


def _actions(view: IncidentView, style: Style) -> list[str]:
    lines = [line for each in view.actions for line in ("", *_action(each, style))]
    return _titled("ACTIONS", lines[1:] or ["nothing was asked for yet"], style)


def _action(each: ActionView, style: Style) -> list[str]:
    paint = style.bad if each.status in BAD or each.unapproved or each.overdue else _same
    glass = "  break-glass" if each.break_glass else ""
    lines = [f"{style.strong(f'{each.action}  {each.kind}')}  {paint(each.status)}{glass}"]
    lines += labelled("  of", [line for target in each.targets for line in wrapped(target, ROOM)])
    lines += _told("  asked", each.asked, style)
    policy = f"{each.policy}{f': {each.approvals_asked}' if each.approvals_asked else ''}"
    policy += f" ({', '.join(each.policies)})" if each.policies else ""
    lines += labelled("  policy", wrapped(policy, ROOM))
    for decision in each.decisions:
        lines += _told("  decided", decision, style)
    for done in each.done:
        lines += _told("  told", done, style)
    lines += labelled("  said at", [stamp(each.said_at)]) if each.said_at else []
    lines += _told("  settled", each.settled, style) if each.settled is not None else []
    for review in each.reviews:
        lines += _told("  reviewed", review, style)
    lines += labelled("  owes", [style.bad(", ".join(each.overdue))]) if each.overdue else []
    return [*lines, *_outcome(each, style), *(style.faint(f"    {one}") for one in each.content)]


def _same(text: str) -> str:
    return text


def _outcome(each: ActionView, style: Style) -> list[str]:
    if each.outcome is None:
        return labelled("  outcome", ["not judged"])
    lines = [f"  {line}" for line in _judged(each.outcome.judged, style, COLUMNS - 2)]
    if each.outcome.last_success_after:
        told = f"✗ last success after it: {stamp(each.outcome.last_success_after)}"
        lines.append(" " * (STATE + 2) + style.bad(told))
    return lines


def _judged(each: Judged, style: Style, columns: int = COLUMNS) -> list[str]:
    word = state_word(each.state, each.best)
    label = f"{MARKS.get(each.state, '?')} {pad(word, STATE - 2)}"
    tail = [each.basis] if each.basis and each.basis != "observed" else []
    tail += [f"would settle it: {each.settles}"] if each.settles else []
    lines = wrapped(f"{each.question}: {'; '.join([each.text, *tail])}", columns - STATE)
    parts = () if repeats(each) else each.parts
    lines += [line for part in parts[:PARTS] for line in wrapped(f"- {part}", columns - STATE)]
    if len(parts) > PARTS:
        lines.append(f"- and {number(len(parts) - PARTS)} more: --json has them")
    laid = labelled(label, lines, STATE)
    if each.leaves:
        laid = ended(laid, _leaves(each), columns)
    return [style.state(each.state, laid[0][:STATE]) + laid[0][STATE:], *laid[1:]]


def repeats(each: Judged) -> bool:
    """Whether its one part only says its text again."""
    return len(each.parts) == 1 and each.parts[0].partition(": ")[2] == each.text


def _leaves(each: Judged) -> str:
    more = " …" if max(each.count, len(each.leaves)) > CITED else ""
    return shortened(" ".join(leaf_text(leaf) for leaf in each.leaves[:CITED]) + more, COLUMNS - STATE - 4)


def _check(each: CheckView, style: Style) -> list[str]:
    return [shortened(each.identity, COLUMNS), *(line for item in each.items for line in _judged(item, style))]


def _scope(scope: ScopeView, style: Style) -> list[str]:
    """How far it reaches, in counts, with the first of what is listed."""
    counts = [counted(scope.credentials_total, "credential"), f"{number(scope.alive)} alive"]
    counts += [counted(len(scope.runs), "run"), counted(len(scope.identities), "identity", "identities")]
    counts += [f"{kind} {number(count)}" for kind, count in scope.counts.items()]
    lines = listed(counts, ROOM)
    if scope.first_success:
        lines += wrapped(f"successes from {stamp(scope.first_success)} to {stamp(scope.last_success)}", ROOM)
    members = [one for one in scope.credentials if not one.apart]
    for each in members[:LISTED]:
        alive = "ALIVE" if each.alive else "over"
        lines += wrapped(f"{alive}  {each.who} ({each.join}: {each.why})", ROOM)
    if scope.credentials_total > (shown := len(members[:LISTED])):
        lines.append(f"and {number(scope.credentials_total - shown)} more (siblings among them): --json, --html")
    lines += [style.bad(line) for one in scope.surviving[:LISTED] for line in wrapped(f"✗ session open: {one}", ROOM)]
    lines += [line for one in scope.unknown for line in wrapped(f"nothing was found for {one}", ROOM)]
    lines += ["the lists are cut off here"] if scope.cut_off else []
    first, *rest = labelled("SCOPE", lines)
    return [style.strong("SCOPE") + first[len("SCOPE") :], *rest]


def _missing(view: IncidentView, style: Style) -> list[str]:
    lines = []
    for each in view.missing:
        source = f" (would be in {each.source})" if each.source else ""
        lines += wrapped(f"{each.what}{source}: {each.settles}", COLUMNS)
    lines += wrapped(f"not read: {', '.join(view.not_read)}", COLUMNS) if view.not_read and not view.missing else []
    return _titled("MISSING EVIDENCE", lines, style)


def _odd(view: IncidentView, style: Style) -> list[str]:
    return _titled("STEPS THAT CHANGE NOTHING", [line for e in view.odd for line in _told("said", e, style)], style)


def _next(view: IncidentView, style: Style) -> list[str]:
    told = f" --known-at {view.known_at}" if view.known_at else ""
    lines = [style.faint(f"custody incident timeline {view.incident}{told}")]
    return [
        *labelled("timeline", lines),
        *labelled("page", [style.faint(f"custody incident show {view.incident}{told} --html FILE")]),
    ]
