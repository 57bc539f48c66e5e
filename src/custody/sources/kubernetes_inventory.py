# ruff: noqa: N815 - fields have the names that they have in the log
"""Objects of a Kubernetes cluster, as kubectl lists them: who there is, who may do what, which pods run as whom.

Format: the items of ``kubectl get serviceaccounts,roles,clusterroles,rolebindings,clusterrolebindings,pods -A -o json``
(Kubernetes API objects with kind, metadata and status). A listing says nothing of when it was made: the time of a
record is that of the object's last change as far as it tells (its creation, or a later entry of ``managedFields``).
"""

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from custody.errors import SourceError
from custody.model import keys
from custody.model.events import Event, Outcome, Part, Skip, Stage
from custody.model.records import Identity, Wrapping
from custody.sources import identities
from custody.sources.decoding import events_of
from custody.sources.kubernetes_audit import principals, secrets
from custody.sources.kubernetes_audit.grants import RoleRef, Subject, place, role, role_of, subject
from custody.sources.kubernetes_audit.moments import time_at
from custody.sources.source import Source

SCHEME = "object-version/1"
_SECOND = 1_000_000
_UNNAMED = principals.UNNAMED
_PLURALS = {
    "ServiceAccount": "serviceaccounts",
    "Role": "roles",
    "ClusterRole": "clusterroles",
    "RoleBinding": "rolebindings",
    "ClusterRoleBinding": "clusterrolebindings",
    "Pod": "pods",
}
_AWS_ROLE = "eks.amazonaws.com/role-arn"
_CLOUD = (_AWS_ROLE, "iam.gke.io/gcp-service-account", "azure.workload.identity/client-id")


class _HeadMeta(msgspec.Struct, frozen=True, gc=False):
    name: str
    uid: str
    namespace: str | None = None
    resourceVersion: str | None = None


class _Head(msgspec.Struct, frozen=True, gc=False):
    """What makes a JSON object an object that a server has kept: these members of these types."""

    kind: str
    apiVersion: str
    metadata: _HeadMeta


class ManagedField(msgspec.Struct, frozen=True, gc=False):
    """Who last wrote some fields, and when; kubectl leaves these out unless told otherwise."""

    time: str | None = None


class Meta(msgspec.Struct, frozen=True, gc=False):
    """The metadata of an object."""

    name: str
    uid: str
    namespace: str | None = None
    creationTimestamp: str | None = None
    managedFields: list[ManagedField] | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class PodSpec(msgspec.Struct, frozen=True, gc=False):
    """What a pod runs as, and where."""

    serviceAccountName: str | None = None
    nodeName: str | None = None


class Terminated(msgspec.Struct, frozen=True, gc=False):
    """The end of a container."""

    finishedAt: str | None = None


class State(msgspec.Struct, frozen=True, gc=False):
    """The state of a container."""

    terminated: Terminated | None = None


class Container(msgspec.Struct, frozen=True, gc=False):
    """A container of a pod."""

    state: State | None = None


class PodStatus(msgspec.Struct, frozen=True, gc=False):
    """What became of a pod."""

    phase: str | None = None
    startTime: str | None = None
    podIP: str | None = None
    hostIP: str | None = None
    containerStatuses: list[Container] | None = None


class Rule(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What a role allows."""

    apiGroups: list[str] | None = None
    resources: list[str] | None = None
    resourceNames: list[str] | None = None
    nonResourceURLs: list[str] | None = None
    verbs: list[str] | None = None


class Object(msgspec.Struct, frozen=True, gc=False):
    """An object of the cluster; the members below ``metadata`` are those of the kinds that custody reads."""

    kind: str
    apiVersion: str
    metadata: Meta
    spec: msgspec.Raw = msgspec.Raw(b"null")
    status: msgspec.Raw = msgspec.Raw(b"null")
    rules: msgspec.Raw = msgspec.Raw(b"null")
    roleRef: msgspec.Raw = msgspec.Raw(b"null")
    subjects: msgspec.Raw = msgspec.Raw(b"null")


T = TypeVar("T")

_HEAD = msgspec.json.Decoder(_Head)
_OBJECT = msgspec.json.Decoder(Object)
_SPEC, _STATUS = msgspec.json.Decoder(PodSpec | None), msgspec.json.Decoder(PodStatus | None)
_RULES, _ROLE = msgspec.json.Decoder(list[Rule] | None), msgspec.json.Decoder(RoleRef | None)
_SUBJECTS = msgspec.json.Decoder(list[Subject] | None)


def recognise(raw: bytes) -> bool:
    """Whether ``raw`` looks like an object of a cluster, by its bytes alone."""
    return b"apiVersion" in raw and b"metadata" in raw and b"uid" in raw


def identify(raw: bytes) -> Identity | None:
    """The object with its version, and the places of secrets; None where a server has not kept it. Raises nothing."""
    try:
        head = _HEAD.decode(raw)
        known = identities.canonical(_name(head.kind, head.metadata))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    if not head.kind or not head.metadata.name or not head.metadata.uid:
        return None
    found = secrets.find(raw)
    return Identity(SCHEME, known, found.spans, found.unsure)


def _name(kind: str, meta: _HeadMeta) -> str:
    return f"{kind}/{meta.namespace or '-'}/{meta.name}/{meta.uid}@{meta.resourceVersion or '-'}"


def read(kept: bytes, _form: str) -> tuple[Event, ...] | Skip:
    """The state of an object as one event, or why there is none. Raises nothing."""
    return events_of(kept, _OBJECT, lambda found: (_event(found, _HEAD.decode(kept)),))


def _event(found: Object, head: _Head) -> Event:
    meta = found.metadata
    group, slash, _ = found.apiVersion.rpartition("/")
    return Event(
        id=_name(head.kind, head.metadata),
        time=_time(meta),
        service=group if slash else "core.k8s.io",
        action=f"list {found.kind}",
        outcome=Outcome.SUCCESS,
        parts=_parts(found),
        resource=place(_PLURALS.get(found.kind, found.kind), meta.name, meta.namespace),
        tags=_tags(found),
    )


def _time(meta: Meta) -> int:
    """The latest change that the object tells of."""
    changed = [time_at(one.time, "$.metadata.managedFields[].time") for one in meta.managedFields or [] if one.time]
    return max(time_at(meta.creationTimestamp, "$.metadata.creationTimestamp"), *changed, 0)


def _parts(found: Object) -> tuple[Part, ...]:
    meta = found.metadata
    match found.kind:
        case "ServiceAccount":
            key = principals.service_account(meta.namespace, meta.name)
            arn = (meta.annotations or {}).get(_AWS_ROLE)
            taken = keys.aws_arn(arn) if arn else None
            return (Part(stage=Stage.INVENTORY, key=key, effect="inventory.service_account", related=taken),)
        case "Role" | "ClusterRole":
            allowed = role(found.kind, meta.name, meta.namespace)
            return (Part(stage=Stage.INVENTORY, effect="inventory.role", object=allowed),)
        case "RoleBinding" | "ClusterRoleBinding":
            return tuple(_granted(found))
        case "Pod":
            return (_pod(found),)
    return ()


def _granted(found: Object) -> Iterator[Part]:
    meta = found.metadata
    allowed = role_of(_told(_ROLE, found.roleRef, "roleRef"), meta.namespace)
    binding = place(_PLURALS[found.kind], meta.name, meta.namespace)
    for one in _told(_SUBJECTS, found.subjects, "subjects") or []:
        key = subject(one, meta.namespace, _UNNAMED)
        yield Part(stage=Stage.INVENTORY, key=key, effect="inventory.grant", object=allowed, related=binding)


def _pod(found: Object) -> Part:
    spec = _told(_SPEC, found.spec, "spec") or PodSpec()
    return Part(
        stage=Stage.INVENTORY,
        key=principals.pod(found.metadata.uid),
        effect="inventory.pod",
        object=principals.service_account(found.metadata.namespace, spec.serviceAccountName),
        related=principals.node(spec.nodeName),
    )


def _tags(found: Object) -> str | None:
    annotations = found.metadata.annotations or {}
    told: dict[str, object] = {"labels": found.metadata.labels, **_of_kind(found)}
    told |= {name: annotations.get(name) for name in _CLOUD}
    said = {name: value for name, value in sorted(told.items()) if value}
    return msgspec.json.encode(said, order="sorted").decode() if said else None


def _of_kind(found: Object) -> dict[str, object]:
    match found.kind:
        case "Role" | "ClusterRole":
            return {"rules": _told(_RULES, found.rules, "rules")}
        case "RoleBinding" | "ClusterRoleBinding":
            subjects = _told(_SUBJECTS, found.subjects, "subjects") or []
            return {"groups": [one.name for one in subjects if one.kind == "Group" and one.name]}
        case "Pod":
            return _of_pod(_told(_STATUS, found.status, "status") or PodStatus())
    return {}


def _of_pod(status: PodStatus) -> dict[str, object]:
    """When a pod started, where it is, and when the last of its containers ended, if all have."""
    ends = [one.state.terminated if one.state else None for one in status.containerStatuses or []]
    told = [end.finishedAt for end in ends if end and end.finishedAt]
    return {
        "phase": status.phase,
        "started_at": status.startTime,
        "pod_ip": status.podIP,
        "host_ip": status.hostIP,
        "finished_at": max(told) if told and len(told) == len(ends) else None,
    }


def _told(decoder: msgspec.json.Decoder[T], raw: msgspec.Raw, where: str) -> T:
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise SourceError(f"{error} in $.{where}") from None


SOURCE = Source(
    name="kubernetes.inventory",
    title="Kubernetes inventory",
    wrappings=(Wrapping(form="list", container="items", beside="kind"),),
    recognise=recognise,
    identify=identify,
    read=read,
    marks=(b"apiVersion",),
    time_resolution=_SECOND,
    delivery_delay=60 * _SECOND,
    standing="documentation",
    proves=(
        "which service accounts, roles, bindings and pods the cluster held when it was listed, and which pod ran as "
        "which account on which node; nothing about when, and nothing about what was there before"
    ),
    enable=(
        "kubectl get serviceaccounts,roles,clusterroles,rolebindings,clusterrolebindings,pods -A -o json "
        "> inventory.json, as a principal that may list them (not secrets)"
    ),
)
