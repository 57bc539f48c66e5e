"""Whether what an identity does is seen: by sources that the contract expects, and of which nothing is unread."""

from __future__ import annotations

from custody.incidents.judging import saying
from custody.incidents.judging.subjects import Subject, said
from custody.incidents.record.folding import Incident
from custody.incidents.scope.grounds import MOST, Grounds, credentials, descendants
from custody.incidents.scope.unread import watched
from custody.model.incident_view import Judged
from custody.model.incidents import Item
from custody.model.times import text
from custody.model.verdicts import Basis, Best

TOLD = 3
"""Gaps that the text names; the parts have all."""


def monitored(grounds: Grounds, incident: Incident, subject: Subject) -> Judged:
    """Every source that sees its credentials, or what descends from them, is expected, and whole since in all parts.

    A certificate proves no more than its own region of its own account. Whatever else of these sources is unread since
    it was contained, or not known, is named, and then it is indicated.
    """
    below = descendants(grounds.engine, subject.keys)
    members = list(credentials(grounds.engine, below).values())
    found = watched(grounds, members, subject.contained - subject.unsure)
    expected = {each.source for each in grounds.contract.sources}
    strange = [name for name in found.sources if name not in expected]
    if not found.sources or strange:
        told = "the contract does not expect the sources that see it"
        told += f": {', '.join(strange)}" if strange else ""
        return said(incident, subject, Item.MONITORING, told, "the contract's sources")
    settles = "certificates of its sources that are whole since it was contained"
    gaps = [*found.gaps, *(["there are more credentials than are looked at"] if len(below) >= MOST else [])]
    if not found.whole:
        told = "what sees it is not proved whole since" + (f": {_listed(gaps)}" if gaps else "")
        return said(incident, subject, Item.MONITORING, told, settles)
    told = f"{', '.join(found.sources)}: whole from before it was contained until {text(found.until)}"
    if gaps:
        why = f"{told}, as far as certificates go; not known: {_listed(gaps)}"
        return saying.unproven(Item.MONITORING, why, Best.INDICATED, settles=gaps[0], parts=gaps)
    if not subject.sure:
        why = f"{told}; that it was contained by then is not proved"
        return saying.unproven(Item.MONITORING, why, Best.INDICATED)
    return saying.proved(Item.MONITORING, told, Basis.CLOSED_WORLD, [])


def _listed(gaps: list[str]) -> str:
    more = f"; and {len(gaps) - TOLD} more" if len(gaps) > TOLD else ""
    return "; ".join(gaps[:TOLD]) + more
