"""Which evidence is said to be missing, held against the telemetry that truly was never delivered, or was damaged.

*Wrong* is evidence that is called missing and is in the files. What is missing and not named is *not known*.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from accuracy.counted import RIGHT, UNKNOWN, WRONG, Counted, Truly
from accuracy.planted_incidents import Case
from custody.incidents.judging import answers
from custody.pipeline.incidents.judging import Evidence

SOURCE, ISSUE, DAMAGE = "incident: missing source", "incident: missing issue", "incident: damaged source"
_ISSUER = re.compile(r"who issued (?:(\d+) credentials, )?(\S+?)(?: first)?$")
TRUNCATED = ("vpcflowlogs", "records of what was read")
"""How what the fault ``truncated-log`` cuts off is called: the file, and a line that is none."""
_GENERAL = ("not read:", "who issued ")


def count(case: Case, evidence: Evidence, truly: Truly, where: str, counted: Counted) -> None:
    """Add what the evidence about one incident names as missing."""
    _named(case, evidence, truly, where, counted)
    damaged = damage(truly)
    for each in evidence.scope.missing:
        issuer = _ISSUER.match(each.what)
        if issuer is not None:
            counted.add(ISSUE, _issue(issuer.group(2), truly), f"{where}: {each.what}")
        elif not each.what.startswith(_GENERAL):
            known = any(word in each.source for word in damaged)
            counted.add(DAMAGE, RIGHT if known else WRONG, f"{where}: {each.source}: {each.what}")


def _named(case: Case, evidence: Evidence, truly: Truly, where: str, counted: Counted) -> None:
    """Each source of which records about the target's family were never delivered: whether it is named at all."""
    (found,) = (each for each in evidence.answers if each.question == answers.LACKS)
    told = {each.source for each in evidence.scope.missing}
    lines = "\n".join(found.parts)
    names = {name for each in case.family for name in (each.key, *each.aliases)}
    for source in sorted({each.source for each in truly.truth.dropped if names & set(each.keys)}):
        kind = RIGHT if source in told or source in lines else UNKNOWN
        counted.add(SOURCE, kind, f"{where}: {source}")


def _issue(key: str, truly: Truly) -> str:
    """Right where a record of its issue was not delivered; a damaged file may have had the one there was.

    A role of a database is issued in two logs, and one of them has its name hashed: that one alone tells nobody.
    """
    known = truly.known.get(truly.name(key))
    if known is None or not known.records.get("issue"):
        return RIGHT
    names = {known.key, *known.aliases}
    if any(each.stage in ("issue", "all") and names & set(each.keys) for each in truly.truth.dropped):
        return RIGHT
    return UNKNOWN if set(_damaged_files(truly)) & _telling(key) else WRONG


def _telling(key: str) -> set[str]:
    kinds = {"aws_akid": "aws.cloudtrail", "k8s_cred": "kubernetes.audit"}
    return {kinds.get(key.partition(":")[0], "")}


def _damaged_files(truly: Truly) -> Iterator[str]:
    return (each.subject for each in truly.truth.planted if each.fault in ("tampered-log", "truncated-log"))


def damage(truly: Truly) -> set[str]:
    """Words for what was damaged or not delivered: sources, and a file and records that were cut off."""
    files = TRUNCATED if any(each.fault == "truncated-log" for each in truly.truth.planted) else ()
    return {*_damaged_files(truly), *(each.source for each in truly.truth.dropped), *files}
