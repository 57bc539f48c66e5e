# ruff: noqa: N815 - fields have the names that they have in the log
"""What starts and ends: pods (the runs of a service account), service accounts and nodes.

A delete with a grace period only asks for the end; the kubelet deletes the pod again, with grace 0, when its containers
are gone. That last delete, or a forced one, is the end.
"""

import msgspec

from custody.model.events import Part, Stage
from custody.sources.kubernetes_audit import principals
from custody.sources.kubernetes_audit.call import Call
from custody.sources.kubernetes_audit.records import Meta


class PodSpec(msgspec.Struct, frozen=True, gc=False):
    """What a pod runs as, and where."""

    serviceAccountName: str | None = None
    nodeName: str | None = None


class Target(msgspec.Struct, frozen=True, gc=False):
    """The node that a pod is bound to."""

    name: str | None = None


class Thing(msgspec.Struct, frozen=True, gc=False):
    """A pod, a binding or an account."""

    kind: str | None = None
    metadata: Meta | None = None
    spec: PodSpec | None = None
    target: Target | None = None


class Things(msgspec.Struct, frozen=True, gc=False):
    """A list, as deletecollection answers."""

    items: list[Thing] | None = None


class Preconditions(msgspec.Struct, frozen=True, gc=False):
    """Which object alone is meant."""

    uid: str | None = None


class DeleteOptions(msgspec.Struct, frozen=True, gc=False):
    """How to delete."""

    gracePeriodSeconds: int | None = None
    preconditions: Preconditions | None = None


class Eviction(msgspec.Struct, frozen=True, gc=False):
    """The wish to evict a pod."""

    metadata: Meta | None = None
    deleteOptions: DeleteOptions | None = None


_THING = msgspec.json.Decoder(Thing)
_THINGS = msgspec.json.Decoder(Things)
_OPTIONS = msgspec.json.Decoder(DeleteOptions)
_EVICTION = msgspec.json.Decoder(Eviction)


def pod_created(call: Call) -> tuple[Part, ...]:
    """The start of a run; nothing where the level hides the uid."""
    asked, made = call.request(_THING) or Thing(), call.response(_THING) or Thing()
    key = principals.pod(_uid(made) or call.about.uid)
    if key is None:
        return ()
    spec, wish = made.spec or PodSpec(), asked.spec or PodSpec()
    namespace = _meta(made).namespace or call.about.namespace
    account = call.service_account(namespace, spec.serviceAccountName or wish.serviceAccountName)
    where = principals.node(spec.nodeName or wish.nodeName, call.scope)
    return (Part(stage=Stage.START, key=key, effect="pod.create", object=account, related=where),)


def pod_bound(call: Call) -> tuple[Part, ...]:
    """The scheduler's choice of a node."""
    asked = call.request(_THING) or Thing()
    key = principals.pod(_uid(asked) or call.about.uid)
    chosen = principals.node(asked.target.name if asked.target else None, call.scope)
    return (Part(stage=Stage.CHANGE, key=key, effect="pod.bind", related=chosen),) if key else ()


def pod_evicted(call: Call) -> tuple[Part, ...]:
    """The wish to end a pod: a delete with a grace period follows."""
    asked = call.request(_EVICTION) or Eviction()
    options = asked.deleteOptions or DeleteOptions()
    uid = call.about.uid or (asked.metadata or Meta()).uid or (options.preconditions or Preconditions()).uid
    key = principals.pod(uid)
    return (Part(stage=Stage.CHANGE, key=key, effect="pod.evict_requested"),) if key else ()


def pod_deleted(call: Call) -> tuple[Part, ...]:
    """The end of a run, or the wish for it; nothing where the level hides the uid."""
    options = call.request(_OPTIONS) or DeleteOptions()
    gone = call.response(_THING) or Thing()
    uid = call.about.uid or (options.preconditions or Preconditions()).uid or (_uid(gone) if _is_pod(gone) else None)
    return _end_of_pod(call, options, gone, uid)


def pods_deleted(call: Call) -> tuple[Part, ...]:
    """The same for each pod of a collection."""
    options = call.request(_OPTIONS) or DeleteOptions()
    items = (call.response(_THINGS) or Things()).items or []
    return tuple(part for gone in items for part in _end_of_pod(call, options, gone, _uid(gone)))


def _end_of_pod(call: Call, options: DeleteOptions, gone: Thing, uid: str | None) -> tuple[Part, ...]:
    key = principals.pod(uid)
    if key is None:
        return ()
    by = call.record.user.username if call.record.user else None
    at_once = 0 in (options.gracePeriodSeconds, _meta(gone).deletionGracePeriodSeconds)
    if at_once or (by or "").startswith(principals.NODE):
        return (Part(stage=Stage.END, key=key, effect="pod.delete"),)
    return (Part(stage=Stage.CHANGE, key=key, effect="pod.delete_requested"),)


def account_created(call: Call) -> tuple[Part, ...]:
    """A new service account: one of the same name starts anew."""
    made = call.response(_THING) or call.request(_THING) or Thing()
    key = call.service_account(call.about.namespace, call.about.name or _meta(made).name)
    return (Part(stage=Stage.CHANGE, key=key, effect="principal.create", object=_uid(made)),) if key else ()


def account_deleted(call: Call) -> tuple[Part, ...]:
    """The end of a service account, and with it of its tokens."""
    key = call.service_account(call.about.namespace, call.about.name)
    return (Part(stage=Stage.END, key=key, effect="principal.delete"),) if key else ()


def accounts_deleted(call: Call) -> tuple[Part, ...]:
    """The same for each account of a collection."""
    items = (call.response(_THINGS) or Things()).items or []
    found = (call.service_account(call.about.namespace or _meta(one).namespace, _meta(one).name) for one in items)
    return tuple(Part(stage=Stage.END, key=key, effect="principal.delete") for key in found if key)


def node_deleted(call: Call) -> tuple[Part, ...]:
    """A node object is gone: tokens bound to it are refused, its own certificate is not."""
    key = principals.node(call.about.name, call.scope)
    return (Part(stage=Stage.CHANGE, key=key, effect="node.delete"),) if key else ()


def _meta(thing: Thing) -> Meta:
    return thing.metadata or Meta()


def _uid(thing: Thing) -> str | None:
    return _meta(thing).uid or None


def _is_pod(thing: Thing) -> bool:
    return thing.kind in (None, "Pod")
