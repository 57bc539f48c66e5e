"""The whole estate: every life begun, every fault planted, every record put into its file, and the truth of it."""

from collections.abc import Iterator

import msgspec

from custody.simulation import faults as planting
from custody.simulation import rsa
from custody.simulation.book import COMPLETE_JOINS
from custody.simulation.contract import contract
from custody.simulation.deliveries import Deliveries
from custody.simulation.estate import Estate, Plan
from custody.simulation.fault import Planting
from custody.simulation.files import Files
from custody.simulation.lives import everything
from custody.simulation.piece import Piece
from custody.simulation.systems import iam
from custody.simulation.truth import Truth

CONTRACT = "contract.yaml"
TRUTH = "truth.json"


class Simulation:
    """One estate. ``pieces`` gives its files; when they are through, ``truth`` is known."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._estate = Estate(plan)
        self._paths: set[str] = set()

    def pieces(self) -> Iterator[Piece]:
        """The pieces of every log, in the order in which they are to be written, and the contract."""
        estate = self._estate
        key = rsa.make(estate.chance.fork("digest key"))
        deliveries = Deliveries(estate.chance.fork("deliveries"), key)
        files = Files(deliveries)
        afterwards = planting.plant(Planting(estate, deliveries), self.plan.faults)
        everything.begin(estate)
        for piece in self._all(files):
            for change in afterwards:
                piece = change.saw(piece)  # noqa: PLW2901  each change sees what the one before it left
            yield piece
        for change in afterwards:
            yield from change.after()
        yield Piece(CONTRACT, contract(estate).encode())

    def _all(self, files: Files) -> Iterator[Piece]:
        for entry in self._estate.entries():
            yield from self._counted(files.take(entry))
        yield from self._counted(files.finish(self._estate.until))
        yield from self._counted(iam.lists(self._estate))
        self._estate.book.cut(self._estate.until)

    def _counted(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        for piece in pieces:
            self._paths.add(piece.path)
            yield piece

    def truth(self) -> Truth:
        """What is true of the estate; asked for after ``pieces`` is through."""
        book, plan = self._estate.book, self.plan
        return Truth(
            version=2,
            seed=plan.seed,
            hours=plan.hours,
            workloads=plan.workloads,
            faults=plan.faults,
            since=self._estate.since,
            until=self._estate.until,
            contract=CONTRACT,
            files=len(self._paths),
            records=dict(sorted(book.records.items())),
            complete_joins=COMPLETE_JOINS,
            runs=tuple(book.runs[key] for key in sorted(book.runs)),
            credentials=tuple(book.credentials[key] for key in sorted(book.credentials)),
            sessions=tuple(sorted(book.sessions, key=lambda each: each.key)),
            approvals=tuple(sorted(book.approvals, key=lambda each: (each.time, each.target))),
            links=tuple(sorted({link for _, link in book.links}, key=msgspec.structs.astuple)),
            planted=tuple(sorted(book.planted, key=lambda each: (each.fault, each.subject))),
            expected=tuple(book.expectations()),
            dropped=tuple(sorted(book.dropped, key=lambda each: (each.source, each.stage, each.since))),
            skews=tuple(book.skews),
            grants=tuple(book.grants),
        )
