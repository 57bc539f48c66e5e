"""What a broker tells of a request: beside the chain that came of it, or alone where none did."""

from collections.abc import Iterator

from custody.model.broker_told import Brokered
from custody.reports.broker_rows import FactRow, rows
from custody.reports.clock import Clock, clock
from custody.reports.safe import cleaned, shortened
from custody.reports.terminal.heading import INDENT, Row, laid
from custody.reports.terminal.layout import COLUMNS, wrapped
from custody.reports.terminal.style import PLAIN, Style
from custody.reports.words import counted

TERSE = {
    "acting for it": "acting",
    "approvals asked for": "approvals",
    "approve afterwards": "afterwards",
    "break-glass": "broken",
    "approvals counted": "counted",
    "asked from": "from",
    "descends from": "descends",
    "lifetime asked for": "lifetime",
    "scope asked for": "asked for",
}
IN_STEPS = ("decision", "digest", "approvals counted")
"""What the steps and the policy of a chain say already."""

FEW = 12
"""Requests that are listed before the rest are a number."""


def beside(told: Brokered, times: Clock) -> list[Row]:
    """The rows that stand above the steps of the chain."""
    found = [_row(each) for each in rows(told, times) if each.label not in IN_STEPS]
    return [*found, *([("unread", _unread(told), "")] if told.unread else [])]


def request(told: Brokered, style: Style = PLAIN) -> str:
    """A request of which no credential came: what is asked, what was decided, and what is waited for."""
    told = cleaned(told)
    times = clock([*(each.at for each in told.approvals), *(each.time for each in told.ends), told.since])
    lines = [style.strong(line) for line in wrapped(f"request {told.request or 'without an id'}", COLUMNS)]
    lines += wrapped(f"{told.state}; no credential came of it", COLUMNS)
    where = f"broker {told.broker}" + (f"  {told.chain}" if told.chain else "")
    lines += [*wrapped(where, COLUMNS), ""]
    for place, each in enumerate(rows(told, times)):
        label, text, evidence = _row(each)
        lines += laid(f"{'╭' if place == 0 else '│'} {label}", text, evidence, style)
    lines += wrapped(_unread(told), COLUMNS) if told.unread else []
    return "\n".join(lines) + "\n"


def requests(every: tuple[Brokered, ...], style: Style = PLAIN) -> str:
    """Several of them, one line each; one alone in full."""
    if len(every) == 1:
        return request(every[0], style)
    return "\n".join(_listed(cleaned(each) for each in every[:FEW])) + _more(len(every)) + "\n"


def _listed(every: Iterator[Brokered]) -> Iterator[str]:
    yield "requests of which no credential came"
    for each in every:
        wanted = next((fact.value for fact in each.facts if fact.name in ("backend", "refused")), "")
        yield shortened(f"{each.request or each.chain or each.broker}  {each.state}  {wanted}", COLUMNS)


def _more(total: int) -> str:
    return f"\nand {counted(total - FEW, 'more request')}" if total > FEW else ""


def _row(each: FactRow) -> Row:
    whose = f"{each.whose}  " if each.whose else ""
    return TERSE.get(each.label, each.label)[: INDENT - 3], each.text, f"{whose}leaf {each.leaf}"


def _unread(told: Brokered) -> str:
    return f"{counted(told.unread, 'line')} of the broker's log can not be read: erased or withheld"
