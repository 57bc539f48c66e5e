"""The estate of a drill, and its logs as far as they had been delivered at a moment.

Files that a product appends to are cut where they stood; files that it delivers by window or hour are there once their
window or hour was over. What is listed only when the estate is collected (inventories) comes last.
"""

from __future__ import annotations

import re
from pathlib import Path

from custody.pipeline.drills.theft import HOURS, Theft, plant
from custody.simulation.entry import CLOUDTRAIL, Entry
from custody.simulation.estate import Plan
from custody.simulation.files import APPENDED, HOURLY
from custody.simulation.run import CONTRACT, Simulation
from custody.simulation.times import HOUR, START, long_stamp, stamp
from custody.simulation.truth import Truth

_WINDOW = re.compile(r"_(\d{8}T\d{4})Z_\w+\.json\.gz$|_(\d{8}T\d{6})Z\.json\.gz$")
KEYS = "aws/public-keys.json"


class Staged(Simulation):
    """A small estate with the theft in it. ``theft`` is what is true of it."""

    def __init__(self, seed: int, workloads: int = 0) -> None:
        super().__init__(Plan(seed=seed, hours=HOURS, workloads=workloads))
        self.theft: Theft = plant(self._estate)
        self._lengths: dict[str, list[tuple[int, int]]] = {}
        self._hours: dict[str, int] = {}
        self._estate.kept.append(self._heard)

    def _heard(self, entry: Entry) -> bool:
        """Where each file stood after each record; every record is written."""
        if entry.source in APPENDED:
            lengths = self._lengths.setdefault(APPENDED[entry.source], [])
            lengths.append((entry.time, (lengths[-1][1] if lengths else 0) + len(entry.line) + 1))
        elif entry.source != CLOUDTRAIL:
            self._hours[HOURLY[entry.source].path(entry)] = entry.time - (entry.time - START) % HOUR + HOUR
        return True

    def length(self, path: str, data: bytes, moment: int) -> int:
        """How many bytes of a file were there at ``moment`` (µs)."""
        if path in self._lengths:
            return max((size for time, size in self._lengths[path] if time <= moment), default=0)
        if path in self._hours:
            return len(data) if self._hours[path] <= moment else 0
        if (found := _WINDOW.search(path)) is not None:
            window, signed = found.groups()
            return len(data) if (window <= stamp(moment)[:-1] if window else signed <= long_stamp(moment)[:-1]) else 0
        return len(data) if path == KEYS else 0


class Stage:
    """The files of an estate, laid into a folder as they come. ``theft`` and ``truth`` are what is true."""

    def __init__(self, seed: int, workloads: int = 0) -> None:
        simulation = Staged(seed, workloads)
        self._simulation = simulation
        self._files: dict[str, bytearray] = {}
        for piece in simulation.pieces():
            if not piece.append:
                self._files[piece.path] = bytearray()
            self._files.setdefault(piece.path, bytearray()).extend(piece.data)
        self.contract = bytes(self._files.pop(CONTRACT))
        self.theft: Theft = simulation.theft
        self.truth: Truth = simulation.truth()

    def deliver(self, folder: Path, moment: int | None) -> int:
        """Lay into ``folder`` what had been delivered at ``moment`` (µs; None: all there is); how many files it has."""
        found = 0
        for path, data in self._files.items():
            size = len(data) if moment is None else self._simulation.length(path, bytes(data), moment)
            if size:
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(bytes(data[:size]))
                found += 1
        return found
