"""The Kubernetes API server's audit log: who called the API with which credential, and which it issued.

Log format: ``audit.k8s.io/v1`` Event, Kubernetes documentation, "Auditing". Events come one a line (log backend), as
EventList (webhook), out of CloudWatch Logs (EKS), out of Azure diagnostic settings (AKS), and as Google Cloud log
entries (GKE).
"""

from custody.model.records import Wrapping
from custody.sources.kubernetes_audit.event import read
from custody.sources.kubernetes_audit.identity import identify, identify_all, recognise
from custody.sources.source import Source

_MINUTE = 60 * 1_000_000

JSON = r"\s*\{"
"""Messages of CloudWatch that may be audit events: lines of text are other logs' own."""

SOURCE = Source(
    name="kubernetes.audit",
    title="Kubernetes API audit",
    wrappings=(
        Wrapping(form="list", container="items", beside="kind"),
        Wrapping(form="cloudwatch", container="logEvents", inner="message", encoded=True, beside="logGroup", text=JSON),
        Wrapping(
            form="cloudwatch", container="events", inner="message", encoded=True, beside="nextForwardToken", text=JSON
        ),
        Wrapping(
            form="cloudwatch", container="events", inner="message", encoded=True, beside="searchedLogStreams", text=JSON
        ),
        Wrapping(form="azure", container="records", inner="properties.log", encoded=True, marker="category"),
        Wrapping(form="azure", container="records", inner="properties.log", marker="category"),
        Wrapping(form="azure", inner="properties.log", encoded=True, marker="category"),
        Wrapping(form="azure", inner="properties.log", marker="category"),
    ),
    recognise=recognise,
    identify=identify,
    identify_all=identify_all,
    read=read,
    marks=(b"protoPayload", b"verb"),
    time_resolution=1,
    delivery_delay=15 * _MINUTE,
    standing="laboratory",
    proves=(
        "use of every credential that the API server checked, with its id on Kubernetes 1.30 and later; issue of "
        "service account tokens and client certificates, starts and ends of pods, ends of service accounts, changes of "
        "roles and bindings; all only as far as the audit policy logs them, and bindings and expiries from level "
        "Request on"
    ),
    enable=(
        "kube-apiserver --audit-log-path=/var/log/kubernetes/audit.log --audit-policy-file=POLICY, with level "
        "RequestResponse for serviceaccounts/token, tokenreviews, certificatesigningrequests, pods and RBAC, and "
        "Metadata for secrets and everything else; EKS: aws eks update-cluster-config --name CLUSTER --logging "
        '\'{"clusterLogging":[{"types":["audit"],"enabled":true}]}\'; AKS: a diagnostic setting with kube-audit; GKE: '
        "Data Access audit logs of the Kubernetes Engine API"
    ),
)
