"""The log of a custody broker: who proved what, what was decided and approved, issued, ended, and seen of the end.

Log format: ``custody.broker/1`` (``model.brokered``, docs/broker-log.md): one JSON object a line, ``seq`` without gaps,
``prev`` the SHA-256 of the line before.
"""

from custody.sources.custody_broker.event import read
from custody.sources.custody_broker.identity import MARKS, identify, recognise
from custody.sources.secret_names import SUSPECTS
from custody.sources.source import Source

SOURCE = Source(
    name="custody.broker",
    title="Log of a custody broker",
    wrappings=(),
    recognise=recognise,
    identify=identify,
    read=read,
    marks=MARKS,
    glance=SUSPECTS.look,
    time_resolution=1,
    delivery_delay=60 * 1_000_000,
    standing="documentation",
    proves=(
        "who proved to be which workload and what they asked for, what was decided by which policies, who approved it "
        "before it was issued, which keys were issued and what was seen of their end; that no line between two that "
        "were read is missing or changed; no use of what was issued, and no word of a requester"
    ),
    enable="custody serve seals it by itself; the journal of another broker is read with custody audit PATH",
)
