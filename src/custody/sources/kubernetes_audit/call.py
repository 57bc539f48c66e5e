"""One call of the Kubernetes API, as the functions for its kinds get it."""

from typing import TypeVar

import msgspec

from custody.sources.kubernetes_audit import principals
from custody.sources.kubernetes_audit.records import ObjectRef, Record, object_of

T = TypeVar("T")


class Call(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The record, the object it is about, the cluster, who acted and the credential presented (both as keys)."""

    record: Record
    about: ObjectRef
    scope: str
    principal: str | None
    credential: str | None

    @property
    def kind(self) -> str:
        """The resource with its subresource: ``serviceaccounts/token``."""
        below = f"/{self.about.subresource}" if self.about.subresource else ""
        return f"{self.about.resource or ''}{below}"

    def request(self, decoder: msgspec.json.Decoder[T]) -> T | None:
        """The request object, where the level has it; raises SourceError for a field of the wrong type."""
        return object_of(self.record.requestObject, decoder, "requestObject")

    def response(self, decoder: msgspec.json.Decoder[T]) -> T | None:
        """The response object, where the level has it; raises SourceError for a field of the wrong type."""
        return object_of(self.record.responseObject, decoder, "responseObject")

    def annotation(self, name: str) -> str | None:
        """An annotation of the audit event, None where it is absent or says nothing."""
        return (self.record.annotations or {}).get(name) or None

    def principal_of(self, username: str | None) -> str | None:
        """The key of a user of this cluster."""
        return principals.principal(username, self.scope)

    def service_account(self, namespace: str | None, name: str | None) -> str | None:
        """The key of a service account of this cluster."""
        return principals.service_account(namespace, name, self.scope)
