"""A store without records, people with keys, and desks at a time that the test sets."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import msgspec

from custody.incidents.record.acting import Draft
from custody.incidents.record.folding import Action, Heard, Incident
from custody.ledger.ssh_keys import fingerprint
from custody.model.incidents import (
    DECISION,
    DECISION_NAMESPACE,
    STEP,
    STEP_NAMESPACE,
    ActionKind,
    Seed,
    SeedKind,
    Step,
    text_of,
)
from custody.model.register import Signature
from custody.model.times import text
from custody.model.verdicts import Severity
from custody.pipeline import approvals, sealed_text, signatures
from custody.pipeline.incidents import acting, deciding, opening, reading
from custody.pipeline.incidents.sealing import Desk, Sealed, Signer
from custody.pipeline.signatures import Signed
from custody.settings.catalog import Color, Settings
from custody.store.approvals import ApprovalsWriter
from custody.store.reader import Reader
from custody.store.writer import Writer
from tests.ssh_signing import ANN, BOB, Person

NOW = 1_795_341_600_000_000
"""2026-11-22T10:00:00Z, a Sunday."""
SECOND = 1_000_000
MINUTE = 60 * SECOND
CARL = Person("carl@example.com", 3)
DORA = Person("dora@example.com", 4)
EVE = Person("eve@example.com", 5)
"""Who is in no group."""
ANN_TOO = Person("ann-admin@example.com", 6)
"""Ann with another key and name."""
EVERYBODY = (ANN, BOB, CARL, DORA, EVE, ANN_TOO)
KEY = "aws_akid:aws:AKIAEXAMPLE00000001"
RESPONSE = """
[groups]
responders = ["ann@example.com", "bob@example.com"]
approvers = ["ann@example.com", "ann-admin@example.com", "bob@example.com", "carl@example.com", "dora@example.com"]
[people]
ann = ["ann@example.com", "ann-admin@example.com"]
"""


def signer(person: Person) -> Signer:
    return Signer(key=person.key, sign=lambda data, space: person.sign(data, space=space))


class Scene:
    """A store, and what people say in it; ``account`` is who the next step is sealed as."""

    def __init__(self, folder: Path, response: str | None = RESPONSE) -> None:
        self.folder, self.now, self.account, self.drawn = folder, NOW, "ops@host", 0
        folder.mkdir(exist_ok=True)
        (folder / "allowed").write_text("".join(each.line() for each in EVERYBODY))
        if response is not None:
            (folder / "response.toml").write_text(response)
        self.settings = Settings(
            store=folder / "store",
            keys=folder / "keys",
            approval_keys=folder / "approver",
            contract=None,
            jobs=1,
            memory=128,
            max_record=1 << 20,
            max_ratio=200,
            max_content=1 << 30,
            color=Color.NEVER,
            file=None,
            layers=(),
            signers=folder / "allowed",
            response=None if response is None else folder / "response.toml",
        )
        if not self.settings.store.exists():
            self.writer().close()

    @property
    def desk(self) -> Desk:
        return Desk(settings=self.settings, now=lambda: self.now, random=self._random, by=self.account)

    def writer(self) -> Writer:
        return Writer.open(self.settings.store, self.settings.keys, now=str(text(self.now)), version="1")

    def open(self, person: Person | None = ANN, severity: Severity = Severity.HIGH, title: str = "a theft") -> str:
        wanted = opening.Wanted(
            title=title, severity=severity, reason="a key is abused", seeds=(Seed(kind=SeedKind.KEY, value=KEY),)
        )
        found = opening.open_incident(self.desk, wanted, None if person is None else signer(person))
        return found.step.incident

    def act(self, incident: str, person: Person | None = ANN, /, **changed: object) -> acting.Told:
        draft = msgspec.structs.replace(
            Draft(kind=ActionKind.CONTAIN, targets=(KEY,), reason="stop it", content=("switch the key off",)), **changed
        )
        return acting.act(self.desk, incident, draft, None if person is None else signer(person))

    def asked(self, incident: str, person: Person | None = ANN, /, **changed: object) -> str:
        step = self.act(incident, person, **changed).sealed.step
        return str(getattr(step, "action", ""))

    def decide(self, action: str, person: Person, verdict: deciding.Verdict = "grant") -> Sealed:
        prepared = deciding.decision(self.desk, action, verdict, "it is what was agreed")
        return deciding.decide(self.desk, prepared, person.sign(prepared.text, space=DECISION_NAMESPACE))

    def review(self, action: str, person: Person) -> Sealed:
        prepared = deciding.review(self.desk, action, "justified", "there was no time")
        return deciding.decide(self.desk, prepared, person.sign(prepared.text, space=DECISION_NAMESPACE))

    def done(self, action: str, person: Person | None = ANN, at: str | None = None) -> acting.Told:
        return acting.done(self.desk, action, (), None if person is None else signer(person), at=at)

    def incident(self, name: str) -> Incident:
        return reading.one(self.settings, name)

    def action(self, name: str) -> Action:
        found = reading.read(self.settings).of_action(name).action(name)
        assert found is not None
        return found

    def whys(self, name: str) -> list[str]:
        """What each decision about an action weighs."""
        return [each.why for each in self.action(name).decisions]

    def inject(self, step: Step, person: Person | None, *, log: str = "approvals", by: str = "x@host") -> Heard:
        """Seal a step past every check, as somebody could who has the key of a log."""
        decides = log == "approvals"
        space = DECISION_NAMESPACE if decides else STEP_NAMESPACE
        armored = None if person is None else person.sign(text_of(step), space=space)
        return self.inject_text(text_of(step), armored, log=log, by=by)

    def inject_text(
        self, data: bytes, armored: bytes | None, *, log: str = "approvals", by: str = "x@host", allowed: bytes = b""
    ) -> Heard:
        allowed = allowed or (self.folder / "allowed").read_bytes()
        at, decides = str(text(self.now)), log == "approvals"
        signed = None
        if armored is not None:
            given = Signature(method="ssh", principals=("?",), key="?", anchor=sha256(allowed).hexdigest())
            signed = Signed(signature=given, armored=armored.decode(), signers=allowed)
        writer: ApprovalsWriter | Writer = (
            ApprovalsWriter.open(self.settings.store, self.settings.approval_keys) if decides else self.writer()
        )
        with writer, Reader.open(self.settings.store) as reader:
            told = approvals.everything(self.settings.store) if decides else reader
            fields = {"at": at, "by": by, **signatures.seal(writer, told, signed, at)}
            leaf = sealed_text.seal(writer, DECISION if decides else STEP, data, fields)
        found = [each for each in reading.read(self.settings).heard if each.leaf.index == leaf and each.leaf.log == log]
        return found[0] if found else None  # type: ignore[return-value]

    def _random(self, count: int) -> bytes:
        self.drawn += 1
        return sha256(str(self.drawn).encode()).digest()[:count]


def key_of(person: Person) -> str:
    return fingerprint(person.key)
