"""What was given for each setting, layer by layer, read into the type that the setting has."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from custody.errors import UsageError
from custody.settings.amounts import SIZE_FORM, format_size, parse_size, shown
from custody.settings.catalog import MIB, SETTINGS, Color, Kind, Layer, Setting

_WHOLE = re.compile(r"[0-9]{1,12}")


class Found(msgspec.Struct, frozen=True):
    """A value as given: ``where`` says it in words, relative paths in it start from ``base``."""

    layer: Layer
    value: object
    where: str
    base: Path

    def error(self, message: str, expected: str, advice: str = "") -> UsageError:
        """The error that this value is not what was expected."""
        return UsageError(message, where=self.where, found=shown(self.value), expected=expected, advice=advice)


class Given(msgspec.Struct, frozen=True):
    """The three layers. ``table`` is the content of the settings file ``file``."""

    flags: Mapping[str, object | None]
    environ: Mapping[str, str]
    file: Path | None
    table: Mapping[str, object]
    home: Path
    cwd: Path

    def find(self, name: str) -> Found | None:
        """The strongest value for a setting; None where nothing was given."""
        setting = SETTINGS[name]
        if self.flags.get(name) is not None:
            return Found(Layer.FLAG, self.flags[name], setting.flag, self.cwd)
        if self.environ.get(setting.variable):
            return Found(Layer.ENVIRONMENT, self.environ[setting.variable], setting.variable, self.cwd)
        if name == "color" and self.environ.get("NO_COLOR"):
            return Found(Layer.ENVIRONMENT, Color.NEVER.value, "NO_COLOR", self.cwd)
        if self.file is not None and name in self.table:
            return Found(Layer.FILE, self.table[name], f"{self.file}: {name}", self.file.parent)
        return None

    def layer(self, name: str) -> Layer:
        """Where the value of a setting comes from."""
        found = self.find(name)
        return found.layer if found else Layer.DEFAULT

    def where(self, name: str) -> str:
        """The same in words, for an error message."""
        found = self.find(name)
        return found.where if found else f"{name} (default)"

    def path(self, name: str) -> Path | None:
        """The absolute path given for a setting."""
        found = self.find(name)
        return None if found is None else absolute(found, self.home)

    def paths(self, name: str) -> tuple[Path, ...]:
        """The absolute paths given for a setting, each once, in the order given."""
        found = self.find(name)
        items = () if found is None else _several(found)
        return tuple(dict.fromkeys(absolute(item, self.home) for item in items))

    def number(self, name: str, default: int | None = None) -> int:
        """The number given for a setting, in its own unit, else ``default``, else that of the list."""
        setting, found = SETTINGS[name], self.find(name)
        if found is None:
            return _amount(setting, setting.default) if default is None else default
        try:
            value = _amount(setting, found.value)
        except UsageError as error:
            raise found.error(f"bad {name}: {error.message}", _range(setting), error.advice) from error
        if not setting.low <= value <= setting.high:
            raise found.error(f"{name} out of range", _range(setting))
        return value

    def color(self) -> Color:
        """Whether output is coloured."""
        found = self.find("color")
        if found is None:
            return Color(SETTINGS["color"].default)
        if not isinstance(found.value, str) or found.value not in {color.value for color in Color}:
            raise found.error("bad color", "one of auto, always, never")
        return Color(found.value)


def absolute(found: Found, home: Path) -> Path:
    """The path in ``found``, absolute; ``~`` and ``~/`` are ``home``."""
    text = str(found.value) if isinstance(found.value, str | Path) else ""
    if not text or "\0" in text:
        raise found.error("not a path", "the path of a file or folder")
    if text == "~" or text.startswith("~/"):
        return home / text[2:]
    return found.base / text


def _several(found: Found) -> list[Found]:
    """The values that one layer gives for a setting that takes several; a variable has them as ``PATH`` has folders."""
    if isinstance(found.value, list | tuple):
        values: list[object] = list(found.value)
    elif found.layer is Layer.ENVIRONMENT and isinstance(found.value, str):
        values = [text for text in found.value.split(os.pathsep) if text]
    else:
        values = [found.value]
    return [msgspec.structs.replace(found, value=value) for value in values]


def _amount(setting: Setting, value: object) -> int:
    """The number in ``value``: as it is, or in text; a size in text may have a unit."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise UsageError("wrong type")
    if _WHOLE.fullmatch(value):
        return int(value)
    if setting.kind is Kind.COUNT:
        raise UsageError("not a whole number")
    size = parse_size(value)
    return size // MIB if setting.kind is Kind.MEMORY else size


def _range(setting: Setting) -> str:
    if setting.kind is Kind.COUNT:
        return f"a whole number from {setting.low} to {setting.high}"
    scale = MIB if setting.kind is Kind.MEMORY else 1
    bare = "MiB" if setting.kind is Kind.MEMORY else "bytes"
    low, high = format_size(setting.low * scale), format_size(setting.high * scale)
    return f"{SIZE_FORM}, from {low} to {high}; a bare number is {bare}"
