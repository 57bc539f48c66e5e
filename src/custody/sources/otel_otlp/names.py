"""The attributes of spans and log records that are looked at, by the OpenTelemetry semantic conventions.

None of them is one whose value is masked.
"""

TAGS = (
    "gen_ai.agent.id", "gen_ai.agent.name", "gen_ai.agent.version", "gen_ai.conversation.id", "gen_ai.tool.name",
    "gen_ai.tool.type", "gen_ai.tool.call.id", "gen_ai.request.model", "gen_ai.provider.name", "mcp.method.name",
    "mcp.session.id", "mcp.protocol.version", "jsonrpc.request.id", "credential.type", "credential.parent.id",
    "credential.ticket", "aws.extended_request_id", "http.request.method", "http.response.status_code", "rpc.system",
    "rpc.service", "rpc.method", "db.system.name", "db.namespace", "messaging.destination.name", "client.address",
    "network.peer.address", "network.peer.port", "tls.client.subject", "tls.client.issuer", "tls.client.not_after",
    "cicd.pipeline.run.id", "cicd.pipeline.task.name", "cicd.pipeline.result", "ci.pipeline.run.url",
    "faas.invocation_id", "process.pid", "enduser.id", "user.id", "enduser.pseudo.id",
)  # fmt: skip
"""What goes into the tags of an event, under the name that it has in the log."""

_KEYS = (
    "gen_ai.operation.name", "mcp.resource.uri", "credential.id", "credential.issuer", "tls.client.hash.sha256",
    "aws.request_id", "aws.requestId", "session.id", "user_agent.original", "server.address", "server.port",
    "error.type", "rpc.grpc.status_code", "rpc.response.status_code", "cicd.pipeline.name",
    "cicd.pipeline.task.run.id", "ci.pipeline.id", "ci.pipeline.run.number", "event.name", "log.record.uid",
    "k8s.pod.uid", "container.id",
)  # fmt: skip

OF_SPANS = frozenset((*TAGS, *_KEYS))
"""Every attribute of a span or log record that is looked at."""

OPERATIONS = frozenset(
    ("chat", "execute_tool", "invoke_agent", "create_agent", "invoke_workflow", "generate_content", "embeddings")
)
"""What an agent or model does, by ``gen_ai.operation.name``."""

REFUSED = {
    "http.response.status_code": frozenset(("401", "403", "407")),
    "rpc.grpc.status_code": frozenset(("7", "16")),
    "rpc.response.status_code": frozenset(("PERMISSION_DENIED", "UNAUTHENTICATED")),
}
REFUSALS = ("AccessDenied", "Unauthorized", "Forbidden", "ExpiredToken", "PermissionDenied")
"""Status codes and types of error that say that a call was refused."""
