"""What is known to be missing from a log, as OCSF 1.8.0 Event Log Activity."""

from collections.abc import Iterator

from custody.model.keys import stable_id
from custody.model.report import Certificate, Report
from custody.model.times import microseconds
from custody.reports.ocsf.classes import EVENT_LOG_ACTIVITY, OTHER, Object, given, line, metadata, numbered
from custody.reports.ocsf.events import EVIDENCE_VERSION, NAMESPACE
from custody.reports.ocsf.fields import AWS_ACCOUNT
from custody.reports.safe import cleaned


def holes(report: Report) -> Iterator[bytes]:
    """A line for each source, account and region of which something is known to be missing, changed or late."""
    report = cleaned(report)
    for certificate in report.certificates:
        if certificate.problems_total:
            yield line(_hole(certificate, report))


def _hole(found: Certificate, report: Report) -> Object:
    until = _milliseconds(found.until)
    cloud: Object = {}
    if found.source.startswith("aws."):
        account: Object = {"uid": found.account, **AWS_ACCOUNT} if found.account else {}
        cloud = {"provider": "AWS", **given(account=account, region=found.region)}
    where = (found.source, found.account or "", found.region or "", found.since, found.until)
    return {
        **numbered(EVENT_LOG_ACTIVITY, OTHER, "Hole"),
        "time": until or 0,
        "severity_id": 3,
        "severity": "Medium",
        "status_id": 2,
        "status": "Failure",
        **given(start_time=_milliseconds(found.since), end_time=until, cloud=cloud),
        "status_detail": "; ".join(found.problems),
        "message": f"{found.received:,} of {found.expected:,} received: {found.how}",
        "log_name": found.source,
        "metadata": metadata(
            report.version, uid=stable_id("h", *where), log_name=found.source, profiles=["cloud"] if cloud else []
        ),
        "unmapped": {
            NAMESPACE: {
                "version": EVIDENCE_VERSION,
                "completeness": given(
                    expected=found.expected,
                    received=found.received,
                    signatures=dict(found.signatures),
                    whole=[list(stretch) for stretch in found.whole],
                    problems_total=found.problems_total,
                ),
            }
        },
    }


def _milliseconds(moment: str) -> int | None:
    try:
        found = microseconds(moment)
    except (TypeError, ValueError):
        return None
    return None if found is None else found // 1000
