"""The register as the broker asks it: is this workload known, and as whom?"""

from __future__ import annotations

from typing import Protocol

from custody.model.broker_terms import Proof, Registered


class Register(Protocol):
    """The register of non-human identities as it is now."""

    def find(self, proof: Proof) -> Registered | None:
        """The one identity that the proved workload is an instance of; None where there is none, or more than one."""
        ...

    def knows(self, identity: str) -> bool:
        """Whether a document in force declares an identity of this id."""
        ...

    def signed_since(self, identity: str, since: int) -> int | None:
        """The leaf of a signed register document that declares the identity, sealed after ``since`` (µs), if any."""
        ...
