"""OCSF events as input: what a tool translated out of another product's log.

Log format: Open Cybersecurity Schema Framework 1.0 to 1.9, one JSON object an event (Security Lake, pipelines, SIEM
exports). Whoever translated is not the one who issued or checked a credential: every part is declared, and proves
nothing. Give the original log where you have it.
"""

from custody.sources.ocsf.event import read
from custody.sources.ocsf.identity import identify, recognise
from custody.sources.secret_names import SUSPECTS
from custody.sources.source import Source

SOURCE = Source(
    name="ocsf",
    title="OCSF events",
    wrappings=(),
    recognise=recognise,
    identify=identify,
    read=read,
    marks=(b'"class_uid"',),
    glance=SUSPECTS.look,
    time_resolution=1_000,
    delivery_delay=60 * 60 * 1_000_000,
    standing="documentation",
    proves=(
        "nothing by itself: an event of OCSF is a translation. It shows, as declared, who used which credential from "
        "where, logons and their sessions, and changes of accounts and their rights"
    ),
    enable="export the events as JSON, one a line or in an array; better, give the product's own log",
)
