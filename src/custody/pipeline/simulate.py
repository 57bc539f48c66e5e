"""A generated estate, written into a folder: the logs of many systems, a contract, and the truth about them."""

from collections import Counter
from pathlib import Path

import msgspec

from custody.errors import UsageError
from custody.simulation import faults
from custody.simulation.estate import Plan
from custody.simulation.piece import Piece
from custody.simulation.run import TRUTH, Simulation
from custody.simulation.truth import Planted, Truth

LOGS = "logs"
SHORTEST = 4
"""Hours that a day must have for the slowest fault to happen in it."""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What was written: counts, and the faults that were planted."""

    folder: str
    seed: int
    files: int
    bytes: int
    records: dict[str, int]
    runs: int
    credentials: dict[str, int]
    links: int
    faults: tuple[Planted, ...]
    truth: str
    contract: str


def simulate(folder: Path, *, seed: int, hours: int, workloads: int, names: tuple[str, ...]) -> Written:
    """Write the estate of a seed into ``folder``: ``logs/``, ``contract.yaml`` and ``truth.json``.

    The folder must be empty or absent (UsageError): old files would be read as part of the estate. Raises OSError where
    it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError("the folder is not empty", where=str(folder), expected="an empty or a new folder")
    if names and hours < SHORTEST:
        raise UsageError(
            "too short for a fault to happen", where="--hours", found=str(hours), expected=f"{SHORTEST} or more"
        )
    plan = Plan(seed=seed, hours=hours, workloads=workloads, faults=faults.chosen(names))
    simulation = Simulation(plan)
    total = 0
    for piece in simulation.pieces():
        _write(folder if "/" not in piece.path else folder / LOGS, piece)
        total += len(piece.data)
    truth = simulation.truth()
    _write(folder, Piece(TRUTH, msgspec.json.format(msgspec.json.encode(truth), indent=1) + b"\n"))
    return _written(folder, truth, total)


def _write(folder: Path, piece: Piece) -> None:
    path = folder / piece.path
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab" if piece.append else "wb") as file:
        file.write(piece.data)


def _written(folder: Path, truth: Truth, total: int) -> Written:
    return Written(
        folder=str(folder),
        seed=truth.seed,
        files=truth.files,
        bytes=total,
        records=truth.records,
        runs=len(truth.runs),
        credentials=dict(sorted(Counter(each.population for each in truth.credentials).items())),
        links=len(truth.links),
        faults=truth.planted,
        truth=str(folder / TRUTH),
        contract=str(folder / truth.contract),
    )
