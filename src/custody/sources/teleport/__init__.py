"""Teleport: joins of bots and hosts, certificates, access requests, sessions and locks, as the auth server audits them.

Log format: Teleport audit events (``events.proto`` of its API) as JSON, one a line (``events.log``, the event handler)
or in arrays (``tctl``, the API), also with the ``p_*`` members and the spellings that Panther adds.
"""

from custody.sources.secret_names import SUSPECTS
from custody.sources.source import Source
from custody.sources.teleport.event import read
from custody.sources.teleport.identity import identify, recognise

SOURCE = Source(
    name="teleport",
    title="Teleport audit events",
    wrappings=(),
    recognise=recognise,
    identify=identify,
    read=read,
    marks=(b'"uid"',),
    glance=SUSPECTS.look,
    time_resolution=1_000,
    delivery_delay=5 * 60 * 1_000_000,
    standing="samples",
    proves=(
        "which bot instance joined by which verified run or pod, its sessions and requests, who asked for and decided "
        "access requests, which certificate rests on which request, X.509 SVIDs by serial, locks and deletions; other "
        "certificates have no serial in the log"
    ),
    enable=(
        "read /var/lib/teleport/log/events.log of the auth servers, or run teleport-event-handler with an output that "
        "writes one event a line"
    ),
)
