# ruff: noqa: N815 - fields have the names that they have in the log
"""What principals may do: roles and their bindings (``rbac.authorization.k8s.io/v1``)."""

from collections.abc import Iterator

import msgspec

from custody.model.events import Part, Stage
from custody.sources.kubernetes_audit import principals
from custody.sources.kubernetes_audit.call import Call
from custody.sources.kubernetes_audit.records import Meta

ROLES = ("roles", "clusterroles")
_EFFECTS = {
    "create": "grant.create",
    "update": "grant.update",
    "patch": "grant.update",
    "delete": "grant.delete",
    "deletecollection": "grant.delete",
}


class RoleRef(msgspec.Struct, frozen=True, gc=False):
    """The role that is granted."""

    kind: str | None = None
    name: str | None = None


class Subject(msgspec.Struct, frozen=True, gc=False):
    """Whom it is granted to."""

    kind: str | None = None
    name: str | None = None
    namespace: str | None = None


class Binding(msgspec.Struct, frozen=True, gc=False):
    """A role or a binding."""

    metadata: Meta | None = None
    roleRef: RoleRef | None = None
    subjects: list[Subject] | None = None


_BINDING = msgspec.json.Decoder(Binding)


def parts(call: Call) -> tuple[Part, ...]:
    """One change for each subject of a binding, one without a key where none is told; nothing for looking."""
    effect = _EFFECTS.get(call.record.verb)
    if effect is None:
        return ()
    body = _body(call)
    name = call.about.name or (body.metadata.name if body.metadata else None)
    if call.about.resource in ROLES:
        kind = "ClusterRole" if call.about.resource == "clusterroles" else "Role"
        return (Part(stage=Stage.CHANGE, effect=effect, object=role(kind, name, call.about.namespace)),)
    return tuple(_granted(call, body, effect, place(call.about.resource, name, call.about.namespace)))


def _body(call: Call) -> Binding:
    """The binding as it is after the call, else as it was asked for; the options of a delete name neither."""
    answered, asked = call.response(_BINDING), call.request(_BINDING)
    return next((one for one in (answered, asked) if one and (one.roleRef or one.subjects)), answered or Binding())


def _granted(call: Call, body: Binding, effect: str, binding: str | None) -> Iterator[Part]:
    granted = role_of(body.roleRef, call.about.namespace)
    for one in body.subjects or [Subject()]:
        key = subject(one, call.about.namespace, call.scope)
        yield Part(stage=Stage.CHANGE, key=key, effect=effect, object=granted, related=binding)


def subject(found: Subject, namespace: str | None, scope: str) -> str | None:
    """The key of a subject; None for a group, which is no principal."""
    if found.kind == "ServiceAccount":
        return principals.service_account(found.namespace or namespace, found.name, scope)
    return principals.principal(found.name, scope) if found.kind == "User" else None


def groups(call: Call) -> list[str]:
    """The groups that a binding is for."""
    return [one.name for one in _body(call).subjects or [] if one.kind == "Group" and one.name]


def role_of(found: RoleRef | None, namespace: str | None) -> str | None:
    """The role of a binding as text."""
    return role(found.kind or "Role", found.name, namespace) if found else None


def role(kind: str, name: str | None, namespace: str | None) -> str | None:
    """``ClusterRole/name`` or ``Role/namespace/name``."""
    if not name:
        return None
    return f"Role/{namespace}/{name}" if kind == "Role" and namespace else f"{kind}/{name}"


def place(resource: str | None, name: str | None, namespace: str | None) -> str | None:
    """A thing as text: ``rolebindings/namespace/name``."""
    return "/".join(filter(None, (resource, namespace, name))) if resource and name else None
