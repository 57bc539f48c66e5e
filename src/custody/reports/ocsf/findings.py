"""The findings of a report as OCSF 1.8.0 findings."""

from collections.abc import Iterator, Sequence

from custody.model.report import Report
from custody.model.times import microseconds
from custody.model.verdicts import Finding, Question, Severity, State
from custody.reports.frameworks import by_framework
from custody.reports.ocsf.classes import (
    COMPLIANCE_FINDING,
    DETECTION_FINDING,
    IAM_ANALYSIS_FINDING,
    OTHER,
    Object,
    OcsfClass,
    given,
    line,
    metadata,
    numbered,
)
from custody.reports.ocsf.events import EVIDENCE_VERSION, NAMESPACE, uid
from custody.reports.ocsf.fields import UNKNOWN, user
from custody.reports.safe import Plain, cleaned
from custody.reports.words import LOG, short_key

SUSPICIOUS = (Question.HOLDER.value, Question.WITHIN.value, Question.END_EFFECTIVE.value)
"""Questions whose violation is somebody doing what should not have been possible or is not the holder's."""

DETECTIONS = (
    "dependency-not-declared", "exposed-secret", "exposed-secret-place", "no-known-issuance", "outlives-run",
    "outside-hours", "person-used-credential", "revocation-without-effect",
)  # fmt: skip
"""Rules about such use that answer no such question."""

ANALYSES = ("open-trust", "over-granted")
"""Rules about rights that nobody needs, or that anybody can get."""

SEVERITIES: dict[str, tuple[int, str]] = {
    Severity.LOW.value: (2, "Low"),
    Severity.MEDIUM.value: (3, "Medium"),
    Severity.HIGH.value: (4, "High"),
    Severity.CRITICAL.value: (5, "Critical"),
}
RULE_ANALYTIC: Object = {"type_id": 1, "type": "Rule"}


def findings(report: Report) -> Iterator[bytes]:
    """A line for each finding of the report, in its order, and for each that is suppressed.

    Ids are stable: the same finding may be sent again, and takes the place of what was sent before.
    """
    report = cleaned(report)
    for found in (*report.findings, *report.suppressed):
        yield line(finding(found, report))


def finding(found: Finding, report: Report) -> Object:
    """One finding as an object; whom it is borne by, why and until when is its comment."""
    kind = class_of(found)
    severity, word = SEVERITIES[found.severity.value]
    borne = found.suppressed
    number, status = (1, "New") if borne is None or borne.over else (3, "Suppressed")
    return {
        **numbered(kind, 1),
        "time": _milliseconds(report.as_of),
        "severity_id": severity,
        "severity": word,
        "status_id": number,
        "status": status,
        **_sure(found),
        "message": f"{found.title}: {found.who}",
        **given(comment=None if borne is None else f"{borne.owner}, until {borne.until}: {borne.reason}"),
        "metadata": metadata(report.version, uid=found.id, correlation_uid=found.credential, log_name=LOG),
        "finding_info": _info(found, kind),
        "remediation": {"desc": found.action},
        "resources": [_resource(found)],
        **_of_class(found, kind),
        "unmapped": {NAMESPACE: _evidence(found, report)},
    }


def class_of(found: Finding) -> OcsfClass:
    """Suspicious use is a detection, rights beyond need an analysis; any other is a gap in a control."""
    if found.rule in ANALYSES:
        return IAM_ANALYSIS_FINDING
    if found.question in SUSPICIOUS or found.rule in DETECTIONS:
        return DETECTION_FINDING
    return COMPLIANCE_FINDING


def _sure(found: Finding) -> Object:
    """What is violated rests on exact records. An indication has a word of its own: it is no degree of proof."""
    if found.state is State.VIOLATED:
        return {"confidence_id": 3, "confidence": "High"}
    return {"confidence_id": OTHER, "confidence": "Indicated"}


def _info(found: Finding, kind: OcsfClass) -> Object:
    related: list[Plain] = [{"uid": uid(leaf)} for leaf in found.leaves]
    tags: list[Plain] = [] if kind is COMPLIANCE_FINDING else _tags(found.controls)
    named: Object = {"uid": found.id}
    return named | given(
        title=found.title,
        desc=found.text,
        types=[found.rule],
        analytic={"uid": found.rule, "name": found.rule, "desc": found.why, **RULE_ANALYTIC},
        related_events=related,
        related_events_count=found.count or None,
        tags=tags,
    )


def _tags(controls: Sequence[str]) -> list[Plain]:
    return [{"name": framework, "values": list(ids)} for framework, ids in by_framework(controls)]


def _of_class(found: Finding, kind: OcsfClass) -> Object:
    evidences: list[Plain] = [{"uid": uid(leaf), "data": {"log": LOG, "leaf": leaf}} for leaf in found.leaves]
    if kind is IAM_ANALYSIS_FINDING:
        who = user(found.subject, None, found.credential)
        return {"user": who, "access_analysis_result": {"accessors": [who]}}
    if kind is DETECTION_FINDING:
        return {"is_alert": True, **given(risk_details=found.why, evidences=evidences)}
    return {"compliance": _compliance(found), **given(evidences=evidences)}


def _compliance(found: Finding) -> Object:
    failed = found.state is State.VIOLATED
    status: Object = {"status_id": 3, "status": "Fail"} if failed else {"status_id": 2, "status": "Warning"}
    severity, word = SEVERITIES[found.severity.value]
    check: Object = {"uid": found.rule, "name": found.title, "severity_id": severity, "severity": word, **status}
    return {
        **status,
        "checks": [check],
        **given(
            control=found.controls[0] if found.controls else None,
            requirements=list(found.controls),
            standards=[framework for framework, _ in by_framework(found.controls)],
            status_detail=found.text,
        ),
    }


def _resource(found: Finding) -> Object:
    kind = "credential" if found.credential else "subject"
    return given(uid=short_key(found.subject), uid_alt=found.credential, name=found.who or UNKNOWN, type=kind)


def _evidence(found: Finding, report: Report) -> Object:
    log: Object = {}
    if report.checkpoint is not None:
        log = {"origin": report.checkpoint.log, "size": report.checkpoint.size, "root": report.checkpoint.root}
    return {
        "version": EVIDENCE_VERSION,
        "rule": found.rule,
        "subject": found.subject,
        "state": found.state.value,
        **given(
            question=found.question,
            basis=None if found.basis is None else found.basis.value,
            credential=found.credential,
            log=log,
            leaves=list(found.leaves),
            contract=report.contract.digest,
        ),
        "records": found.count,
    }


def _milliseconds(moment: str | None) -> int:
    try:
        return (microseconds(moment) or 0) // 1000
    except (TypeError, ValueError):
        return 0
