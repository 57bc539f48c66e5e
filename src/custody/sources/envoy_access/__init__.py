"""Envoy's access log: which client certificate was shown to a proxy, from where, for what, and whether it was let in.

Log format: "Access logging", Envoy documentation: ``json_format`` (``typed_json_format``) under the names that
docs/sources/envoy_access.md recommends or spellings of the operators' own names, and two formats of text.
"""

from custody.model.records import TextFraming
from custody.sources.envoy_access.event import read
from custody.sources.envoy_access.identity import identify, recognise
from custody.sources.envoy_access.text import FORM, HEAD
from custody.sources.secret_names import SUSPECTS
from custody.sources.source import Source

SOURCE = Source(
    name="envoy.access",
    title="Envoy access log",
    wrappings=(),
    texts=(TextFraming(form=FORM, head=HEAD),),
    recognise=recognise,
    identify=identify,
    read=read,
    glance=SUSPECTS.look,
    time_resolution=1_000,
    delivery_delay=15 * 60 * 1_000_000,
    standing="laboratory",
    proves=(
        "which verified client certificate came with a request or connection, by serial or SHA-256, its peer address, "
        "and whether the proxy let it through; only where the listener checks client certificates against an "
        "authority and these operators are logged; nothing over QUIC, where Envoy logs no certificate"
    ),
    enable=(
        "access_log with json_format of start_time, response_code, response_flags, response_code_details, "
        "downstream_direct_remote_address, downstream_peer_uri_san, downstream_peer_serial, "
        "downstream_peer_fingerprint_256, downstream_peer_cert_v_end and transport_failure on the listener and its "
        "connection manager (docs/sources/envoy_access.md)"
    ),
)
