"""Jira and Jira Service Management: what became of tickets, and who approved a request.

Log formats: Jira webhooks (issue, comment and other events, one JSON object each), and the approvals of the Jira
Service Management REST API (``/rest/servicedeskapi/request/{issue}/approval``): one approval object, or a page of them.
"""

from custody.sources.jira.event import read
from custody.sources.jira.identity import APPROVAL_MARK, WEBHOOK_MARK, identify, recognise
from custody.sources.secret_names import SUSPECTS
from custody.sources.source import Source

SOURCE = Source(
    name="jira",
    title="Jira webhooks and approvals",
    wrappings=(),
    recognise=recognise,
    identify=identify,
    read=read,
    marks=(WEBHOOK_MARK, APPROVAL_MARK),
    glance=SUSPECTS.look,
    time_resolution=1_000,
    delivery_delay=15 * 60 * 1_000_000,
    proves=(
        "who decided an approval of Jira Service Management, and when it was final; how a ticket's status changed and "
        "who changed it; a status text by itself (Approved) proves no approval"
    ),
    enable=(
        "register a webhook for issue created, updated and deleted that writes each body to a file, and save the "
        "answers of /rest/servicedeskapi/request/KEY/approval for the requests that need approval"
    ),
)
