"""A report as OSCAL 1.2.1 assessment results."""

from collections.abc import Callable, Sequence

from custody.model.report import Report, ScopePart
from custody.model.verdicts import Finding
from custody.reports.oscal import resources
from custody.reports.oscal.judgements import control_findings, risk
from custody.reports.oscal.observations import coverage, examined
from custody.reports.oscal.reviewed import reviewed_controls
from custody.reports.oscal.words import VERSION, Object, props, stable_uuid, text_of, time_of, written
from custody.reports.safe import Plain, cleaned
from custody.reports.words import LOG, PROMISE, moment

WHOLE = "the whole store"


def citation(leaf: int) -> str:
    """How a leaf is cited where nothing else holds the record: what ``custody show`` takes, as a URI."""
    return f"custody:{LOG}:{leaf}"


def assessment_results(
    report: Report, scope: str = WHOLE, controls: Sequence[str] = (), cite: Callable[[int], str] = citation
) -> bytes:
    """The JSON document, UTF-8 with a newline at its end. The same report, scope and controls give the same bytes.

    ``scope`` says in words what the report is about, ``controls`` are the ids that the rules in force speak to (those
    of the findings are always added), ``cite`` gives the URI of the record at a leaf: a path in a pack.
    Its time is that of judgement. No control is ever called satisfied: logs can show that one is not met, and only
    that far what was read is known.
    """
    report = cleaned(report)
    of = _identity(report, scope)
    lasting = ("" if report.checkpoint is None else report.checkpoint.log, scope)
    every = (*report.findings, *report.suppressed)
    asked = tuple(dict.fromkeys([*controls, *(name for each in every for name in each.controls)]))
    back, links = resources.back_matter(report, asked, of)
    result: Object = {
        "uuid": stable_uuid("result", *of),
        "title": "Chain of custody of machine identities",
        "description": text_of(_description(report, scope)),
        "start": time_of(_first(report.scope.read)),
        "end": time_of(report.as_of),
        "props": _totals(report),
        "reviewed-controls": reviewed_controls(asked, links),
        "remarks": text_of(_limits(report)),
    }
    observations = [*coverage(report, lasting), *(examined(each, report, cite) for each in every)]
    result.update(_lists(every, observations, lasting))
    document: Object = {
        "uuid": stable_uuid("assessment-results", *of),
        "metadata": {
            "title": "Evidence of machine identities: results of examining logs",
            "last-modified": time_of(report.as_of),
            "version": _version(report),
            "oscal-version": VERSION,
            "props": props(custody_version=report.version),
        },
        "import-ap": {"href": f"#{resources.plan_uuid(of)}"},
        "results": [result],
        "back-matter": back,
    }
    return written({"assessment-results": document})


def _lists(every: Sequence[Finding], observations: list[Plain], of: Sequence[str]) -> Object:
    """OSCAL has no empty lists."""
    lists: dict[str, list[Plain]] = {
        "observations": observations,
        "risks": [each for each in map(risk, every) if each is not None],
        "findings": control_findings(every, of),
    }
    return {name: items for name, items in lists.items() if items}


def _identity(report: Report, scope: str) -> tuple[str, ...]:
    log = "" if report.checkpoint is None else f"{report.checkpoint.log} {report.checkpoint.size}"
    return (log, report.as_of or "", report.contract.digest or "", report.version, scope)


def _version(report: Report) -> str:
    return "0" if report.checkpoint is None else str(report.checkpoint.size)


def _first(read: Sequence[ScopePart]) -> str | None:
    known = {found: part.first for part in read if (found := moment(part.first)) is not None}
    return known[min(known)] if known else None


def _description(report: Report, scope: str) -> str:
    read = ", ".join(dict.fromkeys(part.source for part in report.scope.read)) or "nothing"
    return f"About {scope}. Logs read: {read}. {report.records:,} records, {report.understood:,} understood."


def _limits(report: Report) -> str:
    missing = ", ".join(report.scope.not_read)
    unread = f" Not read: {missing}." if missing else ""
    return (
        "Rests on the logs named and nothing else. What is proved or violated has exact records of an issuer or "
        f"verifier; an indication has not. No control is called satisfied.{unread} The log is {PROMISE}."
    )


def _totals(report: Report) -> list[Plain]:
    totals: list[tuple[str, int | None, int | None]] = [
        ("complete-chains", report.coverage.chains.count, report.coverage.chains.of),
        ("complete-identities", report.coverage.identities.count, report.coverage.identities.of),
        ("population", report.coverage.population.count, report.coverage.population.of),
    ]
    found: dict[str, object] = {
        name: "unknown" if count is None or of is None else f"{count} of {of}" for name, count, of in totals
    }
    for population, number in sorted(report.credentials.items()):
        found[f"credentials-{population}"] = number
    if report.checkpoint is not None:
        found |= {"log": report.checkpoint.log, "log-size": report.checkpoint.size, "log-root": report.checkpoint.root}
    return props(**found)
