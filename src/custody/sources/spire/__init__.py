"""SPIRE: which workload identities the server gave out, by which registration entry, and what agents handed over.

Log format: lines of logrus, as text (``time="…" level=info msg="API accessed" …``) or, with ``log_format = "json"``, as
objects. The server's audit lines (``audit_log_enabled``, ``type=audit``) and its debug lines stand in one log; only the
debug line *Signed X509 SVID* has the serial of a certificate.
"""

from custody.model.records import TextFraming
from custody.sources.secret_names import SUSPECTS
from custody.sources.source import Source
from custody.sources.spire.event import read
from custody.sources.spire.identity import MARKS, identify, recognise
from custody.sources.spire.lines import HEAD

_SECOND = 1_000_000

SOURCE = Source(
    name="spire",
    title="SPIRE server and agent log",
    wrappings=(),
    texts=(TextFraming(form="logrus", head=HEAD),),
    recognise=recognise,
    identify=identify,
    read=read,
    marks=MARKS,
    glance=SUSPECTS.look,
    time_resolution=_SECOND,
    delivery_delay=60 * _SECOND,
    standing="documentation",
    proves=(
        "every X.509-SVID by its serial and the registration entry that it rests on, at log level debug; without it "
        "only that an SVID was asked for and until when it holds; changes of entries and agents, refused agents; no "
        "JWT-SVID, no agent certificate, and no process that an SVID was handed to has a key in the log"
    ),
    enable=(
        'in the server: audit_log_enabled = true, log_level = "DEBUG", log_format = "json"; in the agents: '
        'log_level = "DEBUG", log_format = "json"; keep what both print'
    ),
)
