"""The settings file: TOML 1.0, flat, one key for each setting."""

import tomllib
from pathlib import Path

from custody.errors import UsageError

FILE_NAME = "custody.toml"
"""Looked for in the working folder where no other file is named."""
MAX_BYTES = 1 << 16


def read_settings_file(path: Path) -> dict[str, object]:
    """The table in the file, unchecked; raises UsageError where it cannot be read or is not TOML."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
        raise UsageError("cannot read the settings file", where=str(path), found=reason) from error
    if len(data) > MAX_BYTES:
        raise UsageError("settings file too large", where=str(path), expected=f"at most {MAX_BYTES} bytes")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise UsageError("settings file is not UTF-8", where=str(path), found=f"byte {error.start}") from error
    except ValueError as error:  # TOMLDecodeError, and int() on a number of over 4,300 digits
        raise UsageError("settings file is not TOML", where=str(path), found=str(error)[:200]) from error
    except RecursionError as error:
        raise UsageError("settings file is not TOML", where=str(path), found="brackets nested too deeply") from error
