"""Who acted and with which credential, as typed keys.

The scope is the cluster. An audit event does not name its cluster (scope ``-``); a log entry of GKE does.
"""

from functools import lru_cache

from custody.model import keys
from custody.sources.kubernetes_audit.records import Extra, User, first

UNNAMED = "-"
CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"
POD_NAME = "authentication.kubernetes.io/pod-name"
POD_UID = "authentication.kubernetes.io/pod-uid"
NODE_NAME = "authentication.kubernetes.io/node-name"
NODE_UID = "authentication.kubernetes.io/node-uid"
SERVICE_ACCOUNT, NODE = "system:serviceaccount:", "system:node:"
_AWS = ("aws-iam-authenticator:", "heptio-authenticator-aws:")
_PROVIDERS = (NODE, "system:kube-", "system:gke-", "system:gcp-", "eks:")
_PROVIDER_NAMES = frozenset(("system:apiserver", "aksService", "hcpService"))
_GKE_ROBOT = "@container-engine-robot.iam.gserviceaccount.com"


@lru_cache(maxsize=4096)
def principal(username: str | None, scope: str = UNNAMED) -> str | None:
    """The key of a user by the name that the server authenticated."""
    if not username:
        return None
    namespace, colon, name = username.removeprefix(SERVICE_ACCOUNT).partition(":")
    if username.startswith(SERVICE_ACCOUNT) and namespace and colon and name:
        return service_account(namespace, name, scope)
    if username.startswith(NODE) and len(username) > len(NODE):
        return node(username.removeprefix(NODE), scope)
    return keys.scoped("k8s_user", scope, username)


def service_account(namespace: str | None, name: str | None, scope: str = UNNAMED) -> str | None:
    """The key of a service account; None where either name is unknown."""
    return keys.scoped("k8s_service_account", scope, f"{namespace}/{name}") if namespace and name else None


def node(name: str | None, scope: str = UNNAMED) -> str | None:
    """The key of a node."""
    return keys.scoped("k8s_node", scope, name) if name else None


def pod(uid: str | None) -> str | None:
    """The key of a pod: its uid is unique across clusters."""
    return f"k8s_pod:k8s:{uid}" if uid else None


def issued(credential_id: str | None, scope: str = UNNAMED) -> str | None:
    """The key of a credential by its whole credential id, prefix included."""
    return keys.scoped("k8s_cred", scope, credential_id) if credential_id else None


def kind(username: str | None) -> str | None:
    """What RBAC would call the user."""
    if not username:
        return None
    return "ServiceAccount" if username.startswith(SERVICE_ACCOUNT) else "Node" if username.startswith(NODE) else "User"


def population(username: str | None) -> str | None:
    """The population that the product's own naming settles; None for a user that could be anyone."""
    if not username:
        return None
    if username.startswith(SERVICE_ACCOUNT):
        return "machine"
    inside = username.startswith(_PROVIDERS) or username in _PROVIDER_NAMES or username.endswith(_GKE_ROBOT)
    return "provider-internal" if inside else None


def told(values: Extra | None, name: str) -> str | None:
    """One value of ``user.extra``, also under the name that some collectors write for it (no dots, no slash)."""
    if not values:
        return None
    return first(values.get(name)) or first(values.get(name.replace(".", "_").replace("/", "_slash_")))


def presented(user: User | None, scope: str = UNNAMED) -> str | None:
    """The key of the credential that the server says was presented: its id, else the AWS access key behind it."""
    if user is None:
        return None
    found = told(user.extra, CREDENTIAL_ID)
    return issued(found, scope) if found else access_key(user)


def access_key(user: User) -> str | None:
    """The AWS access key that signed the token of an IAM principal (EKS): the key of CloudTrail's own records."""
    value = told(user.extra, "accessKeyId")
    from_aws = (user.uid or "").startswith(_AWS) or told(user.extra, "arn")
    fits = value and len(value) <= 128 and value.isascii() and value.isalnum()
    return f"aws_akid:aws:{value}" if from_aws and fits else None
