"""Everything that can be set, and what was: ``SETTINGS`` is the list, ``Settings`` the values of one run."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

import msgspec

MIB = 1 << 20
PREFIX = "CUSTODY_"
"""What the environment variable of every setting begins with."""


class Layer(StrEnum):
    """Where a value came from, strongest first."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


class Color(StrEnum):
    """Whether output is coloured; ``auto`` is only on a terminal."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class Kind(StrEnum):
    """How a setting is written."""

    PATH = "path"
    PATHS = "paths"
    COUNT = "count"
    SIZE = "size"
    MEMORY = "memory"
    CHOICE = "choice"


class Setting(msgspec.Struct, frozen=True):
    """One thing that can be set. ``low`` and ``high`` bound it, in its own unit; ``default`` says what holds unset."""

    name: str
    kind: Kind
    default: str
    meaning: str
    low: int = 0
    high: int = 0

    @property
    def flag(self) -> str:
        """Its flag on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return PREFIX + self.name.upper()


_ALL = (
    Setting("store", Kind.PATH, "custody-store", "The folder of the store."),
    Setting("keys", Kind.PATH, "", "The folder of the signing keys, never under the store."),
    Setting("approval_keys", Kind.PATH, "", "The folder of the key of the log of approvals, never under the store."),
    Setting("contract", Kind.PATH, "", "The contract file; none: what needs one is not asked."),
    Setting("mapping", Kind.PATHS, "", "The mapping files, each of which says how to read a log of one's own."),
    Setting("signers", Kind.PATH, "", "The allowed-signers file: whose the keys are that sign the register."),
    Setting("response", Kind.PATH, "", "The response file: who may do and approve what in an incident."),
    Setting("jobs", Kind.COUNT, "", "Worker processes.", 1, 256),
    Setting("memory", Kind.MEMORY, "700", "Memory limit of the query engine, in MiB.", 128, 1 << 20),
    Setting("max_record", Kind.SIZE, "16MiB", "Records over this are withheld: hashed, not kept.", 1 << 10, 1 << 30),
    Setting("max_ratio", Kind.COUNT, "200", "Decompressed bytes per compressed byte, at most.", 2, 1_000_000),
    Setting("max_content", Kind.SIZE, "16GiB", "Decompressed bytes of one file, at most.", MIB, 1 << 50),
    Setting("color", Kind.CHOICE, "auto", "Colour in the output; auto: on a terminal only."),
)
SETTINGS: Mapping[str, Setting] = MappingProxyType({setting.name: setting for setting in _ALL})
"""Everything that can be set, by name, in the order in which it is shown."""


Plain = str | int | list[str] | None
"""A value as ``--json`` shows it."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for one run. Paths are absolute; ``memory`` is MiB; ``max_record`` and ``max_content`` are bytes.

    ``mapping`` is empty where none was given.

    ``file`` is the settings file that was read; ``layers`` says of each setting where its value came from.
    """

    store: Path
    keys: Path
    approval_keys: Path
    contract: Path | None
    jobs: int
    memory: int
    max_record: int
    max_ratio: int
    max_content: int
    color: Color
    file: Path | None
    layers: tuple[tuple[str, Layer], ...]
    mapping: tuple[Path, ...] = ()
    signers: Path | None = None
    response: Path | None = None

    def layer(self, name: str) -> Layer:
        """Where the value of setting ``name`` came from."""
        return dict(self.layers)[name]

    def described(self) -> dict[str, dict[str, Plain]]:
        """Every setting as ``{"value": …, "from": …}``, for ``--json``."""
        return {name: {"value": _plain(getattr(self, name)), "from": layer.value} for name, layer in self.layers}


def _plain(value: Path | tuple[Path, ...] | Color | int | None) -> Plain:
    if isinstance(value, tuple):
        return [str(path) for path in value]
    if isinstance(value, Path):
        return str(value)
    return value.value if isinstance(value, Color) else value
