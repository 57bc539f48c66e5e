"""A forward access session, as text."""

from __future__ import annotations

from custody.pipeline.forwarded import Forwarded
from custody.reports.safe import plain
from custody.reports.terminal.style import Style
from custody.reports.words import short_key


def described(one: Forwarded, style: Style) -> str:
    """What it is, what was seen of it, and every credential whose use it could be."""
    lines = [
        style.strong(f"{short_key(plain(one.key))}  {plain(one.who)}"),
        "a service acted with the permissions of its caller: a use of the caller's credential, which no record names",
        f"evidence   {plain(one.service)}",
        f"uses       {one.uses:,}, first {one.first_use or 'at no known time'} (leaf {one.first_leaf.index})",
        f"principal  {plain((one.principal or 'unknown').split(':', 2)[-1])}",
    ]
    if not one.parents:
        return "\n".join([*lines, "parent     unknown: no credential of this principal was at work within a second"])
    lines.append(f"parent     {', '.join(dict.fromkeys(('inferred', one.join)))}: same principal, within a second")
    lines += [
        f"  {short_key(plain(each.key))}  {plain(each.who)}  leaf {each.leaf.log}:{each.leaf.index}"
        for each in one.parents
    ]
    if one.parents_total > len(one.parents):
        lines.append(f"  and {one.parents_total - len(one.parents):,} more")
    return "\n".join(lines)
