"""SARIF: what a scanner found in code, its history or its artifacts, as far as it is an exposed secret.

Log format: Static Analysis Results Interchange Format (SARIF) Version 2.1.0, OASIS Standard. A record is one run of a
tool with all of its results: a result has neither time nor tool of its own.
"""

from custody.model.records import Wrapping
from custody.sources.sarif.event import read
from custody.sources.sarif.identity import identify, recognise
from custody.sources.secret_names import SUSPECTS
from custody.sources.source import Source

_SECOND = 1_000_000

SOURCE = Source(
    name="sarif",
    title="SARIF results of secret scanners",
    wrappings=(Wrapping(form="sarif", container="runs", beside="version"),),
    recognise=recognise,
    identify=identify,
    read=read,
    marks=(b'"driver"',),
    glance=SUSPECTS.look,
    time_resolution=_SECOND,
    delivery_delay=24 * 3600 * _SECOND,
    proves=(
        "nothing by itself: that a scanner says it found a secret, where, since when, and for AWS which access key; "
        "the scanner is neither the issuer nor the verifier of what it found"
    ),
    enable=(
        "have the secret scanner write SARIF 2.1.0, for example gitleaks git --report-format sarif --report-path "
        "leaks.sarif, and audit the file"
    ),
)
