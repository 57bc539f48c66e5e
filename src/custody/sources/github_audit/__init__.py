"""GitHub's audit log: who did what with which token, and the lifecycle of tokens, runs and their approvals.

Log format: "Audit log events for your organization" and "Streaming the audit log for your enterprise", GitHub Docs.
Records come one a line (streaming), as a JSON array (REST API, export), in ``{"records": […]}`` (Event Hubs), and as
Panther keeps them (``p_…`` members, times as text).
"""

from custody.model.records import Wrapping
from custody.sources.github_audit.event import read
from custody.sources.github_audit.identity import identify, recognise
from custody.sources.secret_names import SUSPECTS
from custody.sources.source import Source

_MILLISECOND = 1_000
_HOUR = 3_600 * 1_000_000

SOURCE = Source(
    name="github.audit",
    title="GitHub audit log",
    wrappings=(Wrapping(form="event-hub", container="records"),),
    recognise=recognise,
    identify=identify,
    read=read,
    marks=(b'"action"',),
    glance=SUSPECTS.look,
    time_resolution=_MILLISECOND,
    delivery_delay=_HOUR,
    retention=180 * 24 * _HOUR,
    standing="samples",
    proves=(
        "use of a token, by the hash or id that GitHub recorded; approval, grant and revocation of personal access "
        "tokens; starts and ends of workflow runs and who approved their jobs; nothing of how installation tokens and "
        "GITHUB_TOKEN were issued, for that is not logged"
    ),
    enable=(
        "Enterprise settings, Audit log, Log streaming, with API request events and source IP addresses enabled; or "
        "gh api --paginate '/enterprises/ENTERPRISE/audit-log?include=all&per_page=100'"
    ),
)
