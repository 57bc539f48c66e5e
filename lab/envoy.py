"""Envoy as a gateway that asks callers for a client certificate and writes who they were into its access log (JSON).

The fields are those that the documentation names for downstream TLS: URI of the peer, serial, fingerprint, validity.
"""

import json
from pathlib import Path

from lab import web
from lab.certificates import Authority, Certificate
from lab.processes import LOOPBACK, Child, answers, free_port, run_as

FIELDS = {
    "start_time": "%START_TIME(%Y-%m-%dT%H:%M:%S.%6fZ)%",
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(:PATH)%",
    "protocol": "%PROTOCOL%",
    "response_code": "%RESPONSE_CODE%",
    "response_code_details": "%RESPONSE_CODE_DETAILS%",
    "response_flags": "%RESPONSE_FLAGS%",
    "connection_termination_details": "%CONNECTION_TERMINATION_DETAILS%",
    "transport_failure": "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%",
    "duration": "%DURATION%",
    "connection_id": "%CONNECTION_ID%",
    "stream_id": "%STREAM_ID%",
    "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%",
    "downstream_direct_remote_address": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
    "downstream_local_address": "%DOWNSTREAM_LOCAL_ADDRESS%",
    "downstream_peer_uri_san": "%DOWNSTREAM_PEER_URI_SAN%",
    "downstream_local_uri_san": "%DOWNSTREAM_LOCAL_URI_SAN%",
    "downstream_peer_subject": "%DOWNSTREAM_PEER_SUBJECT%",
    "downstream_peer_issuer": "%DOWNSTREAM_PEER_ISSUER%",
    "downstream_peer_serial": "%DOWNSTREAM_PEER_SERIAL%",
    "downstream_peer_fingerprint_256": "%DOWNSTREAM_PEER_FINGERPRINT_256%",
    "downstream_peer_cert_v_start": "%DOWNSTREAM_PEER_CERT_V_START%",
    "downstream_peer_cert_v_end": "%DOWNSTREAM_PEER_CERT_V_END%",
    "downstream_tls_version": "%DOWNSTREAM_TLS_VERSION%",
    "x_request_id": "%REQ(X-REQUEST-ID)%",
    "traceparent": "%REQ(TRACEPARENT)%",
    "user_agent": "%REQ(USER-AGENT)%",
    "authority": "%REQ(:AUTHORITY)%",
}


class Envoy:
    """A gateway on one port that lets in ``allowed`` (a SPIFFE id) and answers by itself."""

    def __init__(self, program: Path, folder: Path, allowed: str) -> None:
        self.program = program
        self.folder = folder
        self.allowed = allowed
        self.port = free_port()
        self.authority = Authority(folder / "pki", "example.org")
        self._child: Child | None = None

    @property
    def version(self) -> str:
        """The version as the program says it."""
        return run_as(None, [str(self.program), "--version"], Path("/")).strip().rpartition("version: ")[2]

    def start(self) -> None:
        """Write the configuration, start, and wait for the port."""
        configuration = self.folder / "envoy.json"
        configuration.write_text(json.dumps({"static_resources": {"listeners": [self._listener()]}}, indent=1))
        command = [str(self.program), "-c", str(configuration), "--use-dynamic-base-id", "--log-level", "warning"]
        self._child = Child([*command, "--concurrency", "1"], self.folder / "envoy.log")
        self._child.wait_until(lambda: answers(self.port), "Envoy")

    def _listener(self) -> web.Json:
        own = self.authority.issue("gateway")
        tls = {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "require_client_certificate": True,
            "common_tls_context": {
                "tls_certificates": [
                    {"certificate_chain": _file(own.file), "private_key": _file(own.key_file)},
                ],
                "validation_context": {"trusted_ca": _file(self.authority.own.file)},
            },
        }
        return {
            "name": "mutual",
            "address": {"socket_address": {"address": LOOPBACK, "port_value": self.port}},
            "access_log": [self._access_log()],
            "filter_chains": [
                {
                    "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls},
                    "filters": [
                        {
                            "name": "envoy.filters.network.http_connection_manager",
                            "typed_config": self._connections(),
                        }
                    ],
                }
            ],
        }

    def _connections(self) -> web.Json:
        answer = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "{}"}}}
        return {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
            ".HttpConnectionManager",
            "stat_prefix": "mutual",
            "generate_request_id": True,
            "access_log": [self._access_log()],
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [answer]}]},
            "http_filters": [
                {"name": "envoy.filters.http.rbac", "typed_config": self._rule()},
                {
                    "name": "envoy.filters.http.router",
                    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
                },
            ],
        }

    def _rule(self) -> web.Json:
        principal = {"authenticated": {"principal_name": {"exact": self.allowed}}}
        policy = {"permissions": [{"any": True}], "principals": [principal]}
        return {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": {"action": "ALLOW", "policies": {"shop": policy}},
        }

    def _access_log(self) -> web.Json:
        return {
            "name": "envoy.access_loggers.file",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                "path": str(self.logs["envoy-access"]),
                "log_format": {"json_format": FIELDS},
            },
        }

    def call(self, path: str, who: Certificate | None) -> web.Answer | None:
        """One request with a client certificate; None where the gateway ended the connection."""
        context = self.authority.client_context(who)
        try:
            return web.call(self.port, "GET", path, headers={"User-Agent": "laboratory"}, tls=context)
        except OSError:
            return None

    def stop(self) -> None:
        """End the gateway, so that its log is whole."""
        if self._child is not None:
            self._child.stop()

    @property
    def logs(self) -> dict[str, Path]:
        """The access log."""
        return {"envoy-access": self.folder / "access.log"}


def _file(path: Path) -> dict[str, str]:
    return {"filename": str(path)}
