"""Kubernetes API audit events (``audit.k8s.io/v1``), of the log backend: one Event a line, last stages only."""

import hashlib

import msgspec

from custody.model.events import Stage
from custody.simulation.chance import Chance
from custody.simulation.entry import KUBERNETES, About, Entry, Thing, encoded
from custody.simulation.estate import Estate
from custody.simulation.times import SECOND, microseconds, seconds
from custody.simulation.world import Instance

Fields = dict[str, object]
ISSUED = "authentication.kubernetes.io/issued-credential-id"
_EXTRA = "authentication.kubernetes.io/"
GROUPS = {"tokenreviews": "authentication.k8s.io", "rolebindings": "rbac.authorization.k8s.io"}
"""The API groups of resources that are not of the core."""
INJECTED = 3607
"""Seconds that the API server itself asks for the tokens of the pods that it admits."""


class Pod(msgspec.Struct, frozen=True, kw_only=True):
    """A pod on its node."""

    name: str
    namespace: str
    account: str
    uid: str
    account_uid: str
    node: Instance
    address: str

    @property
    def key(self) -> str:
        """The key of the run that it is."""
        return f"k8s_pod:k8s:{self.uid}"

    @property
    def account_key(self) -> str:
        """The key of its service account."""
        return f"k8s_service_account:-:{self.namespace}/{self.account}"


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts: as the server authenticated them, with the id of their credential."""

    name: str
    groups: tuple[str, ...]
    credential: str
    origin: str
    agent: str
    uid: str | None = None
    pod: Pod | None = None

    @property
    def key(self) -> str:
        """The key of the credential."""
        return credential_key(self.credential)


def credential_key(credential: str) -> str:
    """The key of a credential by its id."""
    return f"k8s_cred:-:{credential}"


def node_name(node: Instance) -> str:
    """The name of the node that an instance is."""
    return f"ip-{node.private.replace('.', '-')}.eu-central-1.compute.internal"


def node(instance: Instance) -> User:
    """The kubelet of a node, with its client certificate."""
    name = f"system:node:{node_name(instance)}"
    return certified(name, ("system:nodes", "system:authenticated"), instance.private, "kubelet/v1.33.4")


def controllers() -> User:
    """The controller manager."""
    agent = "kube-controller-manager/v1.33.4 (linux/amd64)"
    return certified("system:kube-controller-manager", ("system:authenticated",), "10.20.0.10", agent)


def scheduler() -> User:
    """The scheduler."""
    agent = "kube-scheduler/v1.33.4 (linux/amd64)"
    return certified("system:kube-scheduler", ("system:authenticated",), "10.20.0.10", agent)


def holder(pod: Pod, token: str) -> User:
    """A pod, with one of its tokens."""
    return User(
        name=f"system:serviceaccount:{pod.namespace}:{pod.account}",
        groups=("system:serviceaccounts", f"system:serviceaccounts:{pod.namespace}", "system:authenticated"),
        credential=token,
        origin=pod.address,
        agent="python-requests/2.32.3",
        uid=pod.account_uid,
        pod=pod,
    )


def pod_created(estate: Estate, chance: Chance, time: int, pod: Pod) -> None:
    """The controller makes the pod, the scheduler binds it to its node."""
    made: Fields = {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "name": pod.name,
            "namespace": pod.namespace,
            "uid": pod.uid,
            "creationTimestamp": seconds(time),
        },
        "spec": {
            "serviceAccountName": pod.account,
            "containers": [{"name": pod.account, "image": f"registry.example.org/{pod.account}:2026.3"}],
        },
        "status": {"phase": "Pending"},
    }
    asked: Fields = {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"generateName": f"{pod.account}-"},
        "spec": made["spec"],
    }
    say(
        estate, chance, time, controllers(), "create", "pods", pod.namespace, pod.name, 201,
        asked=asked, answered=made, about=((Stage.START, pod.key),),
    )  # fmt: skip
    target = {"kind": "Node", "name": node_name(pod.node)}
    binding: Fields = {"kind": "Binding", "metadata": {"name": pod.name, "uid": pod.uid}, "target": target}
    say(
        estate, chance, time + SECOND, scheduler(), "create", "pods/binding", pod.namespace, pod.name, 201,
        asked=binding, touched=("resource", pod.key),
    )  # fmt: skip


def pod_deleted(estate: Estate, chance: Chance, time: int, pod: Pod, grace: int) -> int:
    """The controller asks for the end, and after ``grace`` (µs) the kubelet reports it; gives when that was."""
    wish: Fields = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": pod.uid}}
    gone: Fields = {"kind": "Pod", "metadata": {"name": pod.name, "uid": pod.uid, "deletionGracePeriodSeconds": 30}}
    say(
        estate, chance, time, controllers(), "delete", "pods", pod.namespace, pod.name, 200,
        asked=wish, answered=gone, touched=("resource", pod.key),
    )  # fmt: skip
    final = wish | {"gracePeriodSeconds": 0}
    gone = {"kind": "Pod", "metadata": {"name": pod.name, "uid": pod.uid, "deletionGracePeriodSeconds": 0}}
    end = time + grace
    say(
        estate, chance, end, node(pod.node), "delete", "pods", pod.namespace, pod.name, 200,
        asked=final, answered=gone, about=((Stage.END, pod.key),),
    )  # fmt: skip
    return end


def token_issued(estate: Estate, chance: Chance, time: int, pod: Pod, token: str, audience: str, life: int) -> None:
    """The kubelet asks for a token that is bound to the pod; the server names it in an annotation."""
    spec: Fields = {
        "audiences": [audience],
        "expirationSeconds": life,
        "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": pod.name, "uid": pod.uid},
    }
    asked: Fields = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": spec}
    status = {"expirationTimestamp": seconds(time + life * SECOND)}
    say(
        estate, chance, time, node(pod.node), "create", "serviceaccounts/token", pod.namespace, pod.account, 201,
        asked=asked, answered=asked | {"status": status}, notes={ISSUED: token},
        about=((Stage.ISSUE, credential_key(token)),),
    )  # fmt: skip


def token_reviewed(estate: Estate, chance: Chance, time: int, by: User, pod: Pod, token: str, audience: str) -> None:
    """A service has the server look at a pod's token."""
    presented = holder(pod, token)
    status: Fields = {"authenticated": True, "audiences": [audience], "user": _user(presented)}
    review: Fields = {"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "spec": {}}
    say(
        estate, chance, time, by, "create", "tokenreviews", None, None, 201,
        asked=review, answered=review | {"status": status}, about=((Stage.USE, credential_key(token)),),
    )  # fmt: skip


def say(
    estate: Estate,
    chance: Chance,
    time: int,
    who: User,
    verb: str,
    kind: str,
    namespace: str | None,
    name: str | None,
    code: int,
    *,
    asked: Fields | None = None,
    answered: Fields | None = None,
    notes: dict[str, str] | None = None,
    about: tuple[About, ...] = (),
    touched: Thing | None = None,
) -> None:
    """One audit event at its last stage; ``kind`` is resource, or resource/subresource.

    ``touched`` is what the call did something to, where that has another name than the resource.
    """
    resource, _, part = kind.partition("/")
    group = GROUPS.get(resource)
    reference = {"resource": resource, "namespace": namespace, "name": name, "apiVersion": "v1"}
    reference |= {"subresource": part or None, "apiGroup": group}
    received = estate.clock(KUBERNETES, time)
    value: Fields = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse" if answered or asked else "Metadata",
        "auditID": chance.uuid(),
        "stage": "ResponseComplete",
        "requestURI": _address(group, resource, part, namespace, name, verb),
        "verb": verb,
        "user": _user(who),
        "sourceIPs": [who.origin],
        "userAgent": who.agent,
        "objectRef": {name: value for name, value in reference.items() if value},
        "responseStatus": {"metadata": {}, "code": code},
        "requestReceivedTimestamp": microseconds(received),
        "stageTimestamp": microseconds(received + chance.between(900, 9000)),
        "annotations": {
            "authorization.k8s.io/decision": "allow",
            "authorization.k8s.io/reason": _reason(who),
            **(notes or {}),
        },
    }
    value |= {name: each for name, each in (("requestObject", asked), ("responseObject", answered)) if each}
    used: About = (Stage.USE, who.key)
    thing = touched or ("resource", "/".join(filter(None, (resource, namespace, name or "*"))))
    estate.say(Entry(time=time, source=KUBERNETES, line=encoded(value), about=(used, *about), touched=(thing,)))


def certified(name: str, groups: tuple[str, ...], origin: str, agent: str) -> User:
    """Somebody with a client certificate."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return User(name=name, groups=groups, credential=f"X509SHA256={digest}", origin=origin, agent=agent)


def _user(who: User) -> Fields:
    extra: dict[str, list[str]] = {f"{_EXTRA}credential-id": [who.credential]}
    if who.pod is not None:
        extra |= {
            f"{_EXTRA}pod-name": [who.pod.name],
            f"{_EXTRA}pod-uid": [who.pod.uid],
            f"{_EXTRA}node-name": [node_name(who.pod.node)],
        }
    uid: Fields = {"uid": who.uid} if who.uid else {}
    return {"username": who.name, **uid, "groups": list(who.groups), "extra": extra}


def _reason(who: User) -> str:
    if who.pod is None:
        return ""
    account = f"{who.pod.account}/{who.pod.namespace}"
    return f'RBAC: allowed by RoleBinding "{account}" of Role "{who.pod.account}" to ServiceAccount "{account}"'


def _address(group: str | None, resource: str, part: str, namespace: str | None, name: str | None, verb: str) -> str:
    root = f"/apis/{group}/v1" if group else "/api/v1"
    path = f"{root}/namespaces/{namespace}/{resource}" if namespace else f"{root}/{resource}"
    return path + (f"/{name}" if name and (verb != "create" or part) else "") + (f"/{part}" if part else "")
