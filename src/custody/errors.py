"""Every error that custody raises on purpose.

The tree::

    CustodyError
    ├── UsageError          the command line, a setting or a contract is wrong; nothing was done
    │   └── ContractError   a contract file is wrong; carries file, line and column
    ├── SourceError         bytes of a log could not be read as far as was wanted; the rest goes on
    ├── StoreError          the store cannot be used as it is
    │   ├── StoreLocked     another writer holds the lock
    │   ├── StoreNewer      the store was written by a newer custody
    │   └── StoreForked     the store is behind, or contradicts, what was last signed: signing is refused
    ├── LogError            bytes that should be a log artefact (note, checkpoint, tile, proof) are not
    ├── NotFound            what was asked for is not in the store; says what was searched
    └── BrokerError         the broker gives no credential; ``reason`` is a stable word for machines
        ├── IdentityRefused     who asks is not proved, or is not in the register
        ├── IntentRefused       what is asked for cannot be asked for so
        ├── PolicyDenied        the policies do not allow it, or an identity is contained
        ├── ApprovalNeeded      people have to approve first; nothing is wrong
        ├── BackendFailed       the system that makes credentials did not
        └── EvidenceUnavailable nothing can be sealed, so nothing is issued

Each carries where, what was found, what was expected and what to do, so that one place (the command line) can print it.
"""


class CustodyError(Exception):
    """Root of the tree.

    ``message`` is one sentence; ``where`` a file, line, leaf or setting; ``found`` and ``expected`` the two sides;
    ``advice`` what a person should do next. ``str()`` gives all but the advice, on one line.
    """

    exit_code = 1

    def __init__(self, message: str, *, where: str = "", found: str = "", expected: str = "", advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.found = found
        self.expected = expected
        self.advice = advice

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        sides = [f"{name} {value}" for name, value in (("found", self.found), ("expected", self.expected)) if value]
        return f"{where}{self.message}" + (f" ({', '.join(sides)})" if sides else "")

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the way between processes with every field."""
        return (_rebuild, (type(self), self.message, self.where, self.found, self.expected, self.advice))


def _rebuild(
    kind: type[CustodyError], message: str, where: str, found: str, expected: str, advice: str
) -> CustodyError:
    return kind(message, where=where, found=found, expected=expected, advice=advice)


class UsageError(CustodyError):
    """The command line or a setting is wrong; nothing was done."""

    exit_code = 2


class ContractError(UsageError):
    """A contract file is wrong; ``where`` is ``file:line:column``."""


class SourceError(CustodyError):
    """Bytes of a log could not be read as far as was wanted; the rest goes on."""


class StoreError(CustodyError):
    """The store cannot be used as it is."""

    exit_code = 4


class StoreLocked(StoreError):
    """Another writer holds the lock."""


class StoreNewer(StoreError):
    """The store was written by a newer custody."""


class StoreForked(StoreError):
    """The store is behind, or contradicts, the last signed checkpoint: signing is refused."""


class LogError(CustodyError):
    """Bytes that should be a log artefact (note, checkpoint, tile, proof) are not one."""

    exit_code = 4


class NotFound(CustodyError):
    """What was asked for is not in the store."""

    exit_code = 3


class BrokerError(CustodyError):
    """The broker gives no credential. ``reason`` is a stable word (``token-expired``) that is safe to show and log."""

    exit_code = 7

    def __init__(
        self, message: str, *, reason: str, where: str = "", found: str = "", expected: str = "", advice: str = ""
    ) -> None:
        super().__init__(message, where=where, found=found, expected=expected, advice=advice)
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the way between processes with every field."""
        fields = (self.message, self.reason, self.where, self.found, self.expected, self.advice)
        return (_rebuild_broker, (type(self), *fields))


def _rebuild_broker(
    kind: type[BrokerError], message: str, reason: str, where: str, found: str, expected: str, advice: str
) -> BrokerError:
    return kind(message, reason=reason, where=where, found=found, expected=expected, advice=advice)


class IdentityRefused(BrokerError):
    """Who asks is not proved, or is not in the register."""


class IntentRefused(BrokerError):
    """What is asked for cannot be asked for so."""


class PolicyDenied(BrokerError):
    """The policies do not allow it, or the identity is contained."""


class ApprovalNeeded(BrokerError):
    """People have to approve first; nothing is wrong. ``found`` is the id of the request."""


class BackendFailed(BrokerError):
    """The system that makes credentials did not. ``left_unknown``: it may have made one all the same."""

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        left_unknown: bool = True,
        where: str = "",
        found: str = "",
        expected: str = "",
        advice: str = "",
    ) -> None:
        super().__init__(message, reason=reason, where=where, found=found, expected=expected, advice=advice)
        self.left_unknown = left_unknown


class EvidenceUnavailable(BrokerError):
    """Nothing can be sealed, so nothing is issued."""
