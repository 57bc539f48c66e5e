"""Which scenes there are, what each needs, and the playing of those whose servers can be had."""

import importlib
import pkgutil
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from lab import builds, parts, scenes


class Scene(msgspec.Struct, frozen=True):
    """A scene: its name, the servers it needs, and the function that plays it in a folder."""

    name: str
    needs: tuple[str, ...]
    play: Callable[[Path, parts.Found], None]


class Played(msgspec.Struct, frozen=True):
    """What became of a scene; ``problem`` is empty where it was played to the end."""

    name: str
    folder: Path
    problem: str = ""


def known() -> list[Scene]:
    """Every scene, sorted by name, found by module scan."""
    modules = [importlib.import_module(f"lab.scenes.{found.name}") for found in pkgutil.iter_modules(scenes.__path__)]
    return [Scene(module.NAME, module.NEEDS, module.play) for module in modules]


def play(names: Sequence[str], folder: Path, say: Callable[[str], None]) -> list[Played]:
    """Play the named scenes (all where none is named), each in a folder of its own, one after the other."""
    chosen = [scene for scene in known() if not names or scene.name in names]
    servers = {need: builds.obtain(need) for need in sorted({need for scene in chosen for need in scene.needs})}
    for name, server in servers.items():
        say(f"{name}: {server.reason if isinstance(server, builds.Missing) else f'{server.product} at {server.path}'}")
    return [_play(scene, folder / scene.name, servers, say) for scene in chosen]


def _play(
    scene: Scene, folder: Path, servers: dict[str, builds.Server | builds.Missing], say: Callable[[str], None]
) -> Played:
    found = {need: server for need in scene.needs if isinstance(server := servers[need], builds.Server)}
    missing = [need for need in scene.needs if need not in found]
    if missing:
        return Played(scene.name, folder, f"not played: no {', no '.join(missing)}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    say(f"playing {scene.name}")
    try:
        scene.play(folder, found)
    except (RuntimeError, LookupError, OSError) as error:
        return Played(scene.name, folder, f"broke off: {error}")
    return Played(scene.name, folder)
