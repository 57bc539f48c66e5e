"""What a principal may do, in plain text: grants, statements, who may become it, and what is not known."""

from collections.abc import Iterable, Sequence

from custody.model.privileges import ApprovalView, ClaimedPrivilege, GrantView, PrivilegesView, StatementView, TrustView
from custody.model.register import sayer
from custody.reports.safe import cleaned
from custody.reports.terminal.layout import COLUMNS, labelled, wrapped
from custody.reports.terminal.style import PLAIN, Style
from custody.reports.words import short_key, stamp

WIDE = 14
ROOM = COLUMNS - WIDE
MOST = 12
"""Actions or resources of one statement that are written out."""


def privileges(found: Sequence[PrivilegesView], style: Style = PLAIN) -> str:
    """Each principal in turn, with the leaves of every record that it rests on."""
    return "\n".join("\n".join(_one(cleaned(each), style)) + "\n" for each in found)


def _one(found: PrivilegesView, style: Style) -> list[str]:
    when = f"as of {stamp(found.as_of)}" if found.as_of else "as far as the records go"
    made = f"made {stamp(found.made)}" if found.made else "what it had before the records is not known"
    lines = [style.strong(line) for line in wrapped(short_key(found.principal), COLUMNS)]
    lines += wrapped(f"{when}; {made}", COLUMNS)
    if not found.grants:
        lines += ["", "no grant of it was read" if found.declared else "no grant of it was in force"]
    for title, some in (
        ("CLAIMED", [line for each in found.declared for line in _claimed(each)]),
        ("GRANTS", [line for each in found.grants for line in _grant(each)]),
        ("MAY", [line for each in found.statements for line in _statement(each)]),
        ("TRUSTS", [line for each in found.trust for line in _trust(each)]),
        ("NOT KNOWN", _each(found.unresolved)),
        ("NOT READ", _each(found.outside)),
    ):
        if some:
            lines += ["", *_titled(title, some, style)]
    return lines


def _titled(title: str, lines: list[str], style: Style) -> list[str]:
    first, *rest = labelled(title, lines, WIDE)
    return [style.strong(title) + first[len(title) :], *rest]


def _each(texts: Iterable[str]) -> list[str]:
    return [line for text in texts for line in wrapped(text, ROOM)]


def _grant(grant: GrantView) -> list[str]:
    what = " ".join(filter(None, (grant.kind, grant.what, f"through {grant.through}" if grant.through else None)))
    lines = wrapped(what, ROOM)
    lines += _below(f"{_span(grant)}, leaf {grant.leaf.log}:{grant.leaf.index}")
    if grant.inherited:
        lines += _below(f"by {short_key(grant.inherited)}")
    if grant.by or grant.by_key:
        key = f" with {short_key(grant.by_key)}" if grant.by_key else ""
        lines += _below(f"given by {short_key(grant.by or 'nobody known')}{key}; {_approved(grant.approval)}")
    if grant.text:
        lines += _below(grant.text)
    return lines


def _span(grant: GrantView) -> str:
    until = f" until {stamp(grant.until)}" if grant.until else ""
    match grant.since_how:
        case "observed":
            return f"since {stamp(grant.since)}{until}"
        case "inventory":
            return "in an inventory; since when is not known"
    return f"from before the records{until}"


def _approved(approval: ApprovalView | None) -> str:
    if approval is None:
        return "no approval seen"
    by = short_key(approval.by) if approval.by else "somebody"
    leaf = f"leaf {approval.leaf.log}:{approval.leaf.index}"
    return f"approved by {by} at {stamp(approval.at)} ({approval.grade}, {approval.asserter}), {leaf}"


def _statement(one: StatementView) -> list[str]:
    word = "all but " if one.not_actions else ""
    where = "everywhere but " if one.not_resources else ""
    bound = "" if one.layer == "identity" else f" ({one.layer})"
    lines = wrapped(f"{one.effect}{bound} {word}{_list(one.actions)} on {where}{_list(one.resources)}", ROOM)
    lines += _below(f"by {one.via}")
    return lines + (_below(f"under condition {one.condition}") if one.condition else [])


def _trust(one: TrustView) -> list[str]:
    lines = wrapped(f"{one.who} for {_list(one.actions)}", ROOM)
    lines += _below(f"under condition {one.condition}") if one.condition else []
    return lines + (_below(one.wide) if one.wide else [])


def _claimed(one: ClaimedPrivilege) -> list[str]:
    leaf = f", leaf {one.leaf.log}:{one.leaf.index}" if one.leaf else ""
    signed = f", signed by {one.signer}" if one.signer else ", not signed"
    lines = wrapped(one.what, ROOM) + _below(f"says {sayer(one.said_by)}{signed}{leaf}")
    return lines + (_below(one.note) if one.note else [])


def _below(text: str) -> list[str]:
    return [f"  {line}" for line in wrapped(text, ROOM - 2)]


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + more if names else "nothing"
