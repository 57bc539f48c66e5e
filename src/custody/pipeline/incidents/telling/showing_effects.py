"""Whether a system's own log shows the effect of what was done: asked when somebody is to be told of it."""

from __future__ import annotations

from contextlib import suppress

from custody.errors import CustodyError
from custody.incidents.seen import Outcome
from custody.incidents.telling.forms import Telling
from custody.incidents.telling.signals import Shown
from custody.model.incidents import Done
from custody.model.verdicts import State
from custody.pipeline.incidents.judging import judged
from custody.pipeline.incidents.telling.catching_up import Patience, ShownOf, tell, unseen
from custody.settings.catalog import Settings
from custody.settings.hooks import CAEP


def shown_of(settings: Settings) -> ShownOf:
    """What the derived tables show; where they cannot be read nothing is shown."""

    def shown(telling: Telling) -> Shown | None:
        step, incident = telling.heard.step, telling.incident
        if not isinstance(step, Done) or incident is None:
            return None
        try:
            outcomes = judged(settings, incident).outcomes
        except CustodyError:
            return None
        return _shown(next((each for each in outcomes if each.action == step.action), None))

    return shown


def tell_effects(settings: Settings) -> None:
    """Tell the receiver of tokens what is seen by now, for the service: in a process of its own. Once, and briefly."""
    with suppress(CustodyError):  # it is tried again, and a receiver that is away is said by who tells it of steps
        tell(
            settings,
            Patience(attempts=1, whole=10.0, heeds=True),
            shown_of(settings),
            CAEP,
            confirming=True,
            serving=True,
        )


def _shown(outcome: Outcome | None) -> Shown | None:
    if outcome is None or outcome.judged.state != State.PROVED or outcome.observed_at is None:
        return None
    leaf = next(iter(outcome.judged.leaves), None)
    return None if leaf is None else Shown(outcome.observed_at, f"{leaf.log}:{leaf.index}")


__all__ = ["shown_of", "tell_effects", "unseen"]
