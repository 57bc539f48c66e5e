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
    └── NotFound            what was asked for is not in the store; says what was searched

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
