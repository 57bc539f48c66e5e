"""What follows from the findings: a risk for each, and for each control that they bear on that it is not satisfied."""

from collections.abc import Sequence

from custody.model.verdicts import Borne, Finding, State
from custody.reports.frameworks import control
from custody.reports.oscal.observations import observation_uuid
from custody.reports.oscal.words import Object, props, stable_uuid, statement_id, text_of, time_of
from custody.reports.safe import Plain
from custody.reports.words import counted, moment


def risk(found: Finding) -> Plain:
    """The risk that a violation is; None where nothing is violated: an indication is observed, and no more.

    A suppressed one is a deviation that somebody approved, with who and why and until when.
    """
    if found.state is not State.VIOLATED:
        return None
    borne = found.suppressed if found.suppressed is not None and not found.suppressed.over else None
    described: Object = {
        "uuid": risk_uuid(found),
        "title": text_of(found.title),
        "description": text_of(f"{found.who}: {found.text}"),
        "statement": text_of(found.why),
        "props": props(finding=found.id, rule=found.rule, severity=found.severity.value, **_borne(borne)),
        "status": "open" if borne is None else "deviation-approved",
    }
    if borne is not None and moment(borne.until) is not None:
        described["deadline"] = time_of(borne.until)
    described["remediations"] = [
        {
            "uuid": stable_uuid("remediation", found.id),
            "lifecycle": "recommendation",
            "title": "What to do",
            "description": text_of(found.action),
        }
    ]
    described["related-observations"] = [{"observation-uuid": observation_uuid(found)}]
    return described


def risk_uuid(found: Finding) -> str:
    """The id of the risk of a finding."""
    return stable_uuid("risk", found.id)


def control_findings(every: Sequence[Finding], of: Sequence[str]) -> list[Plain]:
    """One OSCAL finding for each control that a finding names, in the order in which they are first named.

    ``of`` says what the document is about: the same control is another finding elsewhere.
    """
    named: dict[str, list[Finding]] = {}
    for found in every:
        for name in found.controls:
            known = control(name)
            named.setdefault(name if known is None else known.id, []).append(found)
    return [_of_control(name, those, of) for name, those in named.items()]


def _of_control(name: str, those: Sequence[Finding], of: Sequence[str]) -> Plain:
    known = control(name)
    violated = [each for each in those if each.state is State.VIOLATED]
    said = f"{counted(len(violated), 'violation')}, {counted(len(those) - len(violated), 'indication')}"
    judged: Object = {
        "uuid": stable_uuid("finding", name, *of),
        "title": text_of(f"{name}: {known.title}" if known else name),
        "description": text_of(f"Bears on this control: {said}."),
        "props": props(
            control=name,
            framework=None if known is None else known.framework.value,
            violated=len(violated),
            indicated=len(those) - len(violated),
        ),
        "target": {"type": "statement-id", "target-id": statement_id(name), "status": _status(len(violated))},
        "related-observations": [{"observation-uuid": observation_uuid(each)} for each in those],
    }
    if violated:
        judged["related-risks"] = [{"risk-uuid": risk_uuid(each)} for each in violated]
    return judged


def _status(violated: int) -> Object:
    """Never satisfied. Where nothing is violated the reason is another: it could not be shown either way."""
    if violated:
        return {"state": "not-satisfied", "reason": "fail"}
    remarks = "Not proved either way: there are indications, and no exact record that settles them."
    return {"state": "not-satisfied", "reason": "other", "remarks": remarks}


def _borne(borne: Borne | None) -> dict[str, object]:
    if borne is None:
        return {}
    return {"suppressed_by": borne.owner, "suppressed_because": borne.reason, "suppressed_until": borne.until}
