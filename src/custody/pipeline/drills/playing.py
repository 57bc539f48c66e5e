"""What the steps of an incident drill share: the estate, a store that is thrown away, and people at a desk.

The clock of the desk is that of the estate, so that the way from exposure to containment is a real one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from custody.broker.clock import Random
from custody.errors import StoreError
from custody.incidents.record.acting import Draft
from custody.incidents.record.folding import Action, Where
from custody.model.incident_view import IncidentView
from custody.model.incidents import DECISION_NAMESPACE, ActionKind
from custody.model.report import Report
from custody.pipeline import audit
from custody.pipeline.drills.comparing import Compared, Truth, truth_of
from custody.pipeline.drills.people import People, Person
from custody.pipeline.drills.staging import Stage
from custody.pipeline.drills.theft import Theft
from custody.pipeline.incidents import acting, deciding, reading
from custody.pipeline.incidents.sealing import Desk
from custody.pipeline.incidents.viewing import viewed
from custody.pipeline.packing.pack import Packed
from custody.settings.catalog import Settings
from custody.settings.options import resolve

BY = "drill@drill.invalid"
CONTRACT, RESPONSE, SIGNERS, LOGS = "contract.yaml", "response.toml", "allowed_signers", "logs"

Knowing = Callable[[Theft, dict[str, int]], Truth]
"""Gives what is true of the theft; the figures are the records of each key in the files."""


def lay_out(folder: Path, people: People, contract: bytes) -> Settings:
    """The files of a store that is thrown away, in ``folder``, and the settings that name them."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / CONTRACT).write_bytes(contract)
    (folder / RESPONSE).write_text(people.response, encoding="utf-8")
    (folder / SIGNERS).write_text(people.signers, encoding="utf-8")
    places = {"store": "store", "keys": "keys", "approval_keys": "approver", "contract": CONTRACT}
    places |= {"response": RESPONSE, "signers": SIGNERS}
    flags: dict[str, object] = {name: str(folder / place) for name, place in places.items()}
    return resolve({**flags, "jobs": "1"}, {}, None, home=folder, cwd=folder, cores=1)


class Play:
    """What the steps of one drill hand on to each other. ``now`` (µs) is the time of the people at the desk."""

    def __init__(self, folder: Path, seed: int, random: Random, knowing: Knowing = truth_of) -> None:
        self.folder, self.seed, self.random, self.knowing = folder, seed, random, knowing
        self.people, self.now = People(random), 0
        self.incident = self.finding = self.first = self.second = ""
        self._stage: Stage | None = None
        self._settings: Settings | None = None
        self.report: Report | None = None
        self.view: IncidentView | None = None
        self.compared: Compared | None = None
        self.packed: Packed | None = None

    @property
    def stage(self) -> Stage:
        """The estate, once it is generated."""
        assert self._stage is not None
        return self._stage

    @property
    def theft(self) -> Theft:
        """What is true of the theft."""
        return self.stage.theft

    @property
    def settings(self) -> Settings:
        """Those of the store that is thrown away."""
        assert self._settings is not None
        return self._settings

    @property
    def desk(self) -> Desk:
        """Where the people sit, at the time that it is for them."""
        return Desk(settings=self.settings, now=lambda: self.now, random=self.random, by=BY)

    def generate(self) -> None:
        """Make the estate, and a store for it."""
        self._stage = Stage(self.seed)
        self._settings = lay_out(self.folder, self.people, self._stage.contract)

    def collect(self, moment: int | None) -> Report:
        """Take in what had been delivered at a moment. StoreError where a file could not be read."""
        self.stage.deliver(self.folder / LOGS, moment)
        report = audit.audit(self.settings, [self.folder / LOGS], lambda _: None)
        if report.run is not None and report.run.problems:
            raise StoreError("not everything was read", found=report.run.problems[0])
        self.report = report
        return report

    def look(self) -> IncidentView:
        """The incident as it stands now."""
        self.view = viewed(self.settings, self.incident, now=self.now)
        return self.view

    def ask(self, kind: ActionKind, targets: tuple[str, ...], reason: str) -> str:
        """Ask for an action, signed; its id. StoreError where it is not people that are waited for."""
        ways = acting.ways(self.settings, targets).content or tuple(f"{kind} {each}" for each in targets)
        draft = Draft(kind=kind, targets=targets, reason=reason, content=ways)
        told = acting.act(self.desk, self.incident, draft, self.people.ann.signer)
        if told.where is not Where.WAITING:
            raise StoreError("it does not wait for approval", found=f"{told.where}: {told.why}")
        return str(getattr(told.sealed.step, "action", ""))

    def approve(self, action: str, person: Person, reason: str) -> None:
        """Somebody approves exactly what was asked for."""
        prepared = deciding.decision(self.desk, action, "grant", reason)
        deciding.decide(self.desk, prepared, person.sign(prepared.text, DECISION_NAMESPACE))

    def done(self, action: str) -> None:
        """Say that it was done. StoreError where that was not approved before."""
        told = acting.done(self.desk, action, (), self.people.ann.signer)
        if told.where is not Where.DONE or told.why:
            raise StoreError("it counts as done without approval", found=f"{told.where}: {told.why}")

    def action(self, name: str) -> Action:
        """An action as it is sealed and weighed."""
        found = reading.read(self.settings).of_action(name).action(name)
        assert found is not None
        return found
