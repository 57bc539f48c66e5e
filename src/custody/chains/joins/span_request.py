"""OpenTelemetry → AWS: the request id that a workload's own span names is that of the recorded call."""

from custody.chains.join import TOLD, Grade, Join

JOIN = Join(
    id="span_request",
    relation=TOLD,
    grade=Grade.EXACT,
    fields="aws.request_id of the span = requestID of the event",
    asserter="self-reported: the workload says so of itself",
    pitfalls="one request id may stand on the caller's and the service's record; spans are sampled",
    sql="""
        SELECT s.workload AS from_key, u.key AS to_key, min(u.leaf) AS leaf, min(s.leaf) AS span_leaf
        FROM every_part s
        JOIN parts u ON u.request_id = s.request_id AND u.stage = 'use' AND u.invoked_by IS NULL
        WHERE s.source = 'otel.otlp' AND s.request_id IS NOT NULL AND s.workload IS NOT NULL AND u.key IS NOT NULL
        GROUP BY s.workload, u.key
    """,
    counted=False,
)
