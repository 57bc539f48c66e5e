"""What a resource says of itself: the service, what it runs in, and the facts that go into the tags of its events."""

import msgspec

from custody.model import keys
from custody.model.keys import scoped
from custody.sources.otel_otlp.records import Resource, attributes_of, first_of

_UNKNOWN = "unknown_service"
"""What the specification has SDKs write where nobody named the service."""

_TAGS = (
    "service.version", "service.instance.id", "deployment.environment.name", "k8s.cluster.name", "k8s.cluster.uid",
    "k8s.namespace.name", "k8s.pod.name", "k8s.node.name", "k8s.deployment.name", "k8s.container.name", "host.name",
    "faas.name", "faas.version", "faas.instance", "aws.ecs.task.arn", "cloud.resource_id", "vcs.repository.url.full",
    "vcs.ref.head.name", "vcs.ref.head.revision",
)  # fmt: skip
_KEYS = (
    "service.name", "service.namespace", "cloud.provider", "cloud.platform", "cloud.account.id", "cloud.region",
    "k8s.pod.uid", "container.id", "host.id", "faas.invocation_id", "cicd.pipeline.run.id",
    "cicd.pipeline.task.run.id", "cicd.pipeline.name",
)  # fmt: skip
NAMES = frozenset((*_TAGS, *_KEYS))
"""Every attribute of a resource that is looked at."""


class Context(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One resource: ``service`` by its name, ``key`` its key; ``workload`` the key of the finest run it says it is."""

    service: str
    key: str | None
    workload: str | None
    account: str | None
    region: str | None
    attributes: dict[str, str]
    tags: dict[str, str]


def context_of(resource: Resource | None) -> Context:
    """The facts of one resource; a batch without one has a service without a name."""
    said = attributes_of(resource.attributes if resource else None, NAMES)
    name = said.get("service.name")
    return Context(
        service=name or _UNKNOWN,
        key=scoped("otel_service", "otel", f"{said.get('service.namespace', '-')}/{name}") if name else None,
        workload=workload_of(said, name or _UNKNOWN),
        account=said.get("cloud.account.id"),
        region=said.get("cloud.region"),
        attributes=said,
        tags={tag: said[tag] for tag in _TAGS if tag in said},
    )


def workload_of(said: dict[str, str], service: str) -> str | None:
    """The key of the run that the attributes name, the finest first; None where they name none."""
    if (invocation := said.get("faas.invocation_id")) and _in_lambda(said):
        return f"aws_invocation:lambda:{invocation}"
    if run := first_of(said, "cicd.pipeline.task.run.id", "cicd.pipeline.run.id"):
        return scoped("ci_run", service, run)
    if pod := said.get("k8s.pod.uid"):
        return f"k8s_pod:k8s:{pod}"
    if container := said.get("container.id"):
        return f"container:container:{container}"
    host, account = said.get("host.id", ""), said.get("cloud.account.id")
    return scoped("aws_instance", account, host) if host.startswith("i-") and account else None


def _in_lambda(said: dict[str, str]) -> bool:
    return said.get("cloud.provider") == "aws" or said.get("cloud.platform") == "aws_lambda"


def person_of(said: dict[str, str], service: str) -> str | None:
    """The key of the person for whom the service says that it acted."""
    person = first_of(said, "enduser.id", "user.id", "enduser.pseudo.id")
    return keys.scoped("person", service, person) if person else None
