"""What ``verify`` found, as text."""

from __future__ import annotations

import textwrap

from custody.pipeline.verify import Verified
from custody.reports.safe import plain
from custody.store.layout import EXEMPT

WIDTH, LABEL = 80, 12
MOST = 50
OWN_WORD = "the store's own word"


def described(found: Verified) -> str:
    """Every problem with its file, then the log and how far the claim goes."""
    count = len(found.damage)
    words = {
        "ok": "everything agrees",
        "unfinished": "an unfinished commit, no damage; the next audit clears it",
        "damaged": f"{count:,} {'thing is' if count == 1 else 'things are'} not as signed",
    }
    lines = [f"{found.status.upper() if found.status == 'damaged' else found.status:<11} {words[found.status]}"]
    for name, problems in (("damage", found.damage), ("unfinished", found.unfinished)):
        lines += [f"{name:<11} {plain(path)}: {plain(text)}" for path, text in problems[:MOST]]
        if len(problems) > MOST:
            lines.append(f"{name:<11} and {len(problems) - MOST} more; --json lists all")
    lines += [
        f"log         {plain(found.origin)}, {found.size if found.size is not None else 'no'} leaves",
        f"records     {found.records - found.erased:,} payloads agree with their entries"
        if found.status == "ok"
        else f"records     {found.records - found.erased:,} payloads compared",
        *([f"            {found.erased:,} erased, as the log says; their entries stay"] if found.erased else []),
        f"key         {plain(found.vkey)}",
        f"            trusted: {found.trusted}{_why_little(found.trusted)}",
        *_approvals(found),
        f"not covered {', '.join(EXEMPT)}",
    ]
    if found.against is not None and found.status == "ok":
        lines.append(f"against     {plain(found.against)}: the log continues it")
    claim = f"{'yes' if found.anchored else 'no'}: {plain(found.claim)}"
    lines.append(_row("anchored", claim))
    return "\n".join(lines)


def _approvals(found: Verified) -> list[str]:
    """The log of approvals: its size, its key and whose word that is, and whether the two are kept apart."""
    beside = found.approvals
    if beside is None:
        return []
    size = "no checkpoint that holds" if beside.size is None else f"{beside.size} leaves"
    return [
        f"approvals   {plain(beside.origin)}, {size}",
        f"            {plain(beside.vkey)}",
        f"            trusted: {beside.trusted}",
        f"            {beside.why}",
    ]


def _why_little(trusted: str) -> str:
    return "; give --vkey to find out whether the whole store was replaced" if trusted == OWN_WORD else ""


def _row(label: str, text: str) -> str:
    """A row of at most 80 columns where its words allow it: a key is never broken or shortened."""
    return textwrap.fill(
        text, WIDTH, initial_indent=f"{label:<{LABEL}}", subsequent_indent=" " * LABEL,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
