"""OpenTelemetry in OTLP/JSON: what services, pipelines and agents say of themselves, with trace and request ids.

Log format: OTLP/JSON as the file exporter of the collector writes it, one ``ExportTraceServiceRequest``,
``ExportLogsServiceRequest`` or ``ExportMetricsServiceRequest`` a line or a file; attributes by the OpenTelemetry
semantic conventions. All of it is self-reported: it finds and explains, and proves nothing.
"""

from custody.sources.otel_otlp.event import read
from custody.sources.otel_otlp.identity import identify, recognise
from custody.sources.otel_otlp.secrets import glance
from custody.sources.source import Source

_SECOND = 1_000_000

SOURCE = Source(
    name="otel.otlp",
    title="OpenTelemetry (OTLP/JSON traces and logs)",
    wrappings=(),
    recognise=recognise,
    identify=identify,
    read=read,
    glance=glance,
    marks=(b'"resource',),
    time_resolution=1,
    delivery_delay=5 * 60 * _SECOND,
    standing="samples",
    proves=(
        "nothing by itself: every span and log record is the workload's own word. It joins a request id or a trace to "
        "the pod, function, pipeline run or agent task that says it made the request"
    ),
    enable=(
        "add a file exporter with format json to the traces and logs pipelines of the OpenTelemetry Collector, and the "
        "attributes credential.type and credential.id (an id or a hash, never the credential) to the spans"
    ),
)
