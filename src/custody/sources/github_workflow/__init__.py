"""GitHub Actions as it tells others: webhook deliveries and REST objects of runs, jobs, reviews and found secrets.

Log format: "Webhook events and payloads" and the REST API of Actions, GitHub Docs; deliveries as their receiver keeps
them, a payload a line or in an array, bare or as ``{"event": …, "delivery": …, "payload": …}`` or
``{"headers": …, "payload": …}``. Claims of OIDC tokens that a job logged are read too, as the job's own word.
"""

from custody.model.records import Wrapping
from custody.sources.github_workflow.event import read
from custody.sources.github_workflow.identity import MARKS, identify, recognise
from custody.sources.secret_names import SUSPECTS
from custody.sources.source import Source

_SECOND = 1_000_000

SOURCE = Source(
    name="github.workflow",
    title="GitHub Actions webhooks and REST API",
    wrappings=(
        Wrapping(form="rest-runs", container="workflow_runs"),
        Wrapping(form="rest-jobs", container="jobs"),
    ),
    recognise=recognise,
    identify=identify,
    read=read,
    marks=(b'"workflow_', *MARKS, b'"payload"'),
    glance=SUSPECTS.look,
    time_resolution=_SECOND,
    delivery_delay=10 * 60 * _SECOND,
    standing="documentation",
    proves=(
        "starts and ends of workflow runs and jobs, who asked for and who approved a deployment, and secrets that "
        "were found; only if the receiver keeps every delivery unchanged, for a payload on disk has no signature"
    ),
    enable=(
        "Organization settings, Webhooks: events workflow_run, workflow_job, deployment_review, deployment, "
        "deployment_protection_rule, secret_scanning_alert; or gh api --paginate 'repos/OWNER/REPO/actions/runs'"
    ),
)
