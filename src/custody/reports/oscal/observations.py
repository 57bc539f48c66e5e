"""What was examined, as OSCAL observations: one for each finding, and one for each question with its counts."""

from collections.abc import Callable, Sequence

from custody.model.report import QuestionCounts, Report
from custody.model.verdicts import Finding
from custody.reports.oscal.words import Object, props, stable_uuid, text_of, time_of
from custody.reports.safe import Plain
from custody.reports.words import NOT_JUDGED, counted


def observation_uuid(found: Finding) -> str:
    """The id of the observation of a finding."""
    return stable_uuid("observation", found.id)


def examined(found: Finding, report: Report, cite: Callable[[int], str]) -> Plain:
    """What a finding saw, with the records that it cites."""
    evidence: list[Plain] = [
        {"href": cite(leaf), "description": f"the record sealed at leaf {leaf}"} for leaf in found.leaves
    ]
    seen: Object = {
        "uuid": observation_uuid(found),
        "title": text_of(found.title),
        "description": text_of(f"{found.who}: {found.text}"),
        "props": props(
            finding=found.id,
            rule=found.rule,
            state=found.state.value,
            basis=None if found.basis is None else found.basis.value,
            severity=found.severity.value,
            question=found.question,
            subject=found.subject,
            credential=found.credential,
            records=found.count,
        ),
        "methods": ["EXAMINE"],
        "types": ["finding"],
        "collected": time_of(report.as_of),
    }
    if evidence:
        seen["relevant-evidence"] = evidence
    return seen


def coverage(report: Report, of: Sequence[str]) -> list[Plain]:
    """One observation for each question: how many machine credentials have which answer, of what ``of`` names."""
    return [_question(each, report, of) for each in report.coverage.questions]


def _question(counts: QuestionCounts, report: Report, of: Sequence[str]) -> Plain:
    total = counts.proved + counts.violated + counts.unproven + counts.open + counts.not_applicable
    said = (
        f"Of {counted(total, 'machine credential')}: {counts.proved:,} proved, {counts.violated:,} violated, "
        f"{counts.unproven:,} unproven (of which {counts.indicated:,} indicated, {counts.claimed:,} claimed), "
        f"{counts.open:,} open, {counts.not_applicable:,} not applicable."
    )
    return {
        "uuid": stable_uuid("question", counts.question, *of),
        "title": text_of(counts.question),
        "description": text_of(said if counts.judged else f"{said} {NOT_JUDGED.capitalize()}."),
        "props": props(
            question=counts.question,
            proved=counts.proved,
            violated=counts.violated,
            unproven=counts.unproven,
            indicated=counts.indicated,
            claimed=counts.claimed,
            open=counts.open,
            not_applicable=counts.not_applicable,
        ),
        "methods": ["EXAMINE"],
        "types": ["control-objective"],
        "collected": time_of(report.as_of),
    }
