"""SPIRE's server log (logrus text, with ``audit_log_enabled`` and level debug) and Envoy's access log (JSON).

SPIRE's audit line of a certificate has no serial; the debug line of the same request has it, decimal. Envoy's keys are
those that its operator chose: downstream_peer_serial is lower-case hexadecimal without leading zeros.
"""

import hashlib

import msgspec

from custody.model.events import Stage
from custody.simulation.chance import Chance
from custody.simulation.entry import ENVOY, SPIRE, Entry, encoded
from custody.simulation.estate import Estate
from custody.simulation.times import SECOND, microseconds, milliseconds, seconds
from custody.simulation.world import TRUST_DOMAIN


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """An X.509 SVID. Times in microseconds, whole seconds."""

    spiffe: str
    serial: int
    entry: str
    agent: str
    not_before: int
    not_after: int

    @property
    def key(self) -> str:
        """The key of the certificate, by serial."""
        return f"x509_serial:{TRUST_DOMAIN}:{self.serial:x}"

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of it."""
        return hashlib.sha256(f"{self.spiffe} {self.serial}".encode()).hexdigest()

    @property
    def alias(self) -> str:
        """The key of the certificate, by hash."""
        return f"x509_sha256:x509:{self.fingerprint}"


def issued(estate: Estate, chance: Chance, time: int, certificate: Certificate, caller: str) -> None:
    """The two lines of one issue: what was signed, and the audit line."""
    at, request = seconds(estate.clock(SPIRE, time)), chance.uuid()
    shared = {
        "method": "BatchNewX509SVID",
        "registration_id": certificate.entry,
        "request_id": request,
        "service": "svid.v1.SVID",
        "spiffe_id": f"spiffe://{TRUST_DOMAIN}{certificate.spiffe}",
        "subsystem_name": "api",
    }
    agent = f"spiffe://{TRUST_DOMAIN}/spire/agent/k8s_psat/blue/{certificate.agent}"
    signed = {**shared, "expiration": seconds(certificate.not_after), "serial_num": str(certificate.serial)}
    about = ((Stage.ISSUE, certificate.key),)
    _line(estate, time, _logfmt(at, "debug", "Signed X509 SVID", {**signed, "caller_id": agent}), about)
    audit = {
        **shared,
        "caller_addr": f"{caller}:{chance.between(32_768, 60_999)}",
        "caller_id": agent,
        "csr": chance.hex(64),
        "expires_at": str(certificate.not_after // SECOND),
        "status": "OK",
        "type": "audit",
    }
    _line(estate, time + 1_000, _logfmt(at, "info", "API accessed", audit), ())


def called(
    estate: Estate, chance: Chance, time: int, certificate: Certificate, origin: str, to: str, path: str
) -> None:
    """One request through the proxy of the service that is called."""
    request = chance.uuid()
    peer = f"{origin}:{chance.between(32_768, 60_999)}"
    value = {
        "authority": f"{to}.mesh.example.org",
        "connection_id": chance.between(1, 90_000),
        "downstream_direct_remote_address": peer,
        "downstream_local_uri_san": f"spiffe://{TRUST_DOMAIN}/ns/{to}/sa/{to}",
        "downstream_peer_cert_v_end": milliseconds(certificate.not_after),
        "downstream_peer_cert_v_start": milliseconds(certificate.not_before),
        "downstream_peer_fingerprint_256": certificate.fingerprint,
        "downstream_peer_issuer": f"O=SPIRE,CN={TRUST_DOMAIN}",
        "downstream_peer_serial": f"{certificate.serial:x}",
        "downstream_peer_subject": "O=SPIRE,C=US",
        "downstream_peer_uri_san": f"spiffe://{TRUST_DOMAIN}{certificate.spiffe}",
        "downstream_remote_address": peer,
        "downstream_tls_version": "TLSv1.3",
        "duration": chance.between(1, 90),
        "method": "GET",
        "path": path,
        "protocol": "HTTP/2",
        "response_code": 200,
        "response_code_details": "via_upstream",
        "response_flags": "-",
        "start_time": microseconds(estate.clock(ENVOY, time)),
        "stream_id": request,
        "user_agent": "Go-http-client/2.0",
        "x_request_id": request,
    }
    things = (("resource", f"{to}.mesh.example.org{path}"),)
    used = ((Stage.USE, certificate.key), (Stage.USE, certificate.alias))
    estate.say(Entry(time=time, source=ENVOY, line=encoded(value), about=used, touched=things))


def _line(estate: Estate, time: int, line: str, about: tuple[tuple[Stage, str], ...]) -> None:
    estate.say(Entry(time=time, source=SPIRE, line=line.encode(), about=about))


def _logfmt(time: str, level: str, message: str, fields: dict[str, str]) -> str:
    pairs = " ".join(f"{name}={_quoted(value)}" for name, value in sorted(fields.items()))
    return f'time="{time}" level={level} msg="{message}" {pairs}'


def _quoted(value: str) -> str:
    """As logrus does it: quotes around all but plain words."""
    plain = all(each.isalnum() or each in "-._/@^+" for each in value)
    return value if plain and value else f'"{value}"'
