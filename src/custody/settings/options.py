"""Settings: by flag, environment and file, in that order, each with where it came from.

``resolve`` depends on its arguments and the settings file alone: environment, home, working folder and cores are passed
in. ``catalog.SETTINGS`` is the list of everything that can be set.
"""

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from custody.errors import UsageError
from custody.settings.amounts import shown
from custody.settings.catalog import PREFIX, SETTINGS, Color, Layer, Setting, Settings
from custody.settings.given import Found, Given, absolute
from custody.settings.names import nearest
from custody.settings.settings_file import FILE_NAME, read_settings_file

__all__ = ["SETTINGS", "Color", "Layer", "Setting", "Settings", "resolve"]

CONFIG = PREFIX + "CONFIG"
"""The variable that names the settings file."""


def resolve(
    flags: Mapping[str, object | None],
    environ: Mapping[str, str],
    file: Path | None = None,
    *,
    home: Path,
    cwd: Path,
    cores: int,
) -> Settings:
    """The settings that hold. ``file`` is what ``--config`` named, ``flags`` has None for a flag that was not given.

    Without ``file`` the settings file is ``CUSTODY_CONFIG``, else ``custody.toml`` in the working folder if there is
    one. Relative paths start from the working folder, in the file from the file's own; ``~/`` is ``home``. An empty
    variable counts as unset. Raises UsageError for unknown names, wrong types and values out of range.
    """
    _check_names(flags, "flag", "")
    _check_variables(environ)
    path = _file(environ, file, home, cwd)
    table = read_settings_file(path) if path else {}
    _check_names(table, "setting", f"{path}: ")
    given = Given(flags, environ, path, table, home, cwd)
    settings = Settings(
        store=given.path("store") or cwd / SETTINGS["store"].default,
        keys=given.path("keys") or _data_home(environ, home) / "custody" / "keys",
        approval_keys=given.path("approval_keys") or _data_home(environ, home) / "custody" / "approval-keys",
        contract=given.path("contract"),
        mapping=given.paths("mapping"),
        signers=given.path("signers"),
        response=given.path("response"),
        jobs=given.number("jobs", min(max(cores, 1), SETTINGS["jobs"].high)),
        memory=given.number("memory"),
        max_record=given.number("max_record"),
        max_ratio=given.number("max_ratio"),
        max_content=given.number("max_content"),
        color=given.color(),
        file=path,
        layers=tuple((name, given.layer(name)) for name in SETTINGS),
    )
    _check_apart(settings, given)
    return settings


def _check_names(names: Iterable[str], what: str, where: str) -> None:
    for name in names:
        if name not in SETTINGS:
            raise UsageError(f"unknown {what}", where=where + name[:60], advice=nearest(name, list(SETTINGS)))


def _check_variables(environ: Mapping[str, str]) -> None:
    """Refuse a misspelt variable; others that begin alike are not ours (an orchestrator sets CUSTODY_PORT)."""
    known = [setting.variable.removeprefix(PREFIX) for setting in SETTINGS.values()] + ["CONFIG"]
    for variable in environ:
        name = variable.removeprefix(PREFIX)
        if variable.startswith(PREFIX) and name not in known:
            close = difflib.get_close_matches(name[:60], known, n=1, cutoff=0.8)
            if close:
                raise UsageError("unknown variable", where=variable[:60], advice=f"did you mean {PREFIX}{close[0]}?")


def _file(environ: Mapping[str, str], flag: Path | None, home: Path, cwd: Path) -> Path | None:
    if flag is not None:
        return absolute(Found(Layer.FLAG, flag, "--config", cwd), home)
    if environ.get(CONFIG):
        return absolute(Found(Layer.ENVIRONMENT, environ[CONFIG], CONFIG, cwd), home)
    usual = cwd / FILE_NAME
    try:
        usual.stat()
    except FileNotFoundError:
        return None
    except OSError:
        return usual  # it is there; reading it says what is wrong
    return usual


def _data_home(environ: Mapping[str, str], home: Path) -> Path:
    """Where data of a user belongs; the XDG Base Directory Specification says to ignore a relative path."""
    given = environ.get("XDG_DATA_HOME", "")
    return Path(given) if given.startswith("/") and "\0" not in given else home / ".local" / "share"


def _check_apart(settings: Settings, given: Given) -> None:
    """Keys lie outside of the store, so that whoever takes or copies the store has none of them."""
    store = Path(os.path.normpath(settings.store))
    for name, path in (("keys", settings.keys), ("approval_keys", settings.approval_keys)):
        keys = Path(os.path.normpath(path))
        if keys.is_relative_to(store):
            raise UsageError(
                "the keys lie in the store",
                where=given.where(name if settings.layer(name) is not Layer.DEFAULT else "store"),
                found=shown(str(keys), 200),
                expected=f"a folder outside of {store}",
            )
