"""The small estate with an incident in it: opened, acted on, approved by somebody else, done, closed."""

from __future__ import annotations

from pathlib import Path

import msgspec

from custody.incidents.record.acting import Draft
from custody.model.incidents import ActionKind, Seed, SeedKind
from custody.model.verdicts import Severity
from custody.packs.manifest import Options
from custody.pipeline.incidents import acting, opening
from custody.pipeline.packing.pack import Packed, pack
from tests.packs.estate import HOSTILE, audited, key_of
from tests.pipeline.incidents.scene import CARL, Scene, signer
from tests.ssh_signing import ANN

KEY = f"aws_akid:aws:{key_of(1)}"
MINUTE = 60_000_000


class Played(Scene):
    """The estate and its incident ``name``, whose one action is ``action``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        audited(folder)
        super().__init__(folder)
        self.name = self.begin(HOSTILE)
        self.action_id = self.contained()

    def begin(self, title: str, value: str = KEY) -> str:
        """Open an incident about a key; gives its id."""
        wanted = opening.Wanted(
            title=title, severity=Severity.HIGH, reason="a key is abused", seeds=(Seed(kind=SeedKind.KEY, value=value),)
        )
        return opening.open_incident(self.desk, wanted, signer(ANN)).step.incident

    def contained(self) -> str:
        """Ask, have it approved by somebody else, say that it is done."""
        draft = Draft(kind=ActionKind.CONTAIN, targets=(KEY,), reason="stop it", content=("switch the key off",))
        step = acting.act(self.desk, self.name, draft, signer(ANN)).sealed.step
        action = str(getattr(step, "action", ""))
        self.now += MINUTE
        self.decide(action, CARL)
        self.now += MINUTE
        self.done(action)
        return action

    def packed(self, path: Path, **asked: object) -> Packed:
        """A pack of the incident."""
        options = msgspec.convert({"incident": self.name, **asked}, Options)
        return pack(self.settings, options, path, lambda progress: None)
