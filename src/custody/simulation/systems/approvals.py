"""Approvals of a change desk, as CloudEvents in structured JSON (CloudEvents 1.0), one a line."""

from custody.model.events import Stage
from custody.simulation.chance import Chance
from custody.simulation.entry import APPROVALS, Entry, encoded
from custody.simulation.estate import Estate
from custody.simulation.times import HOUR, microseconds

SOURCE = "https://approvals.example.org/change"
_TYPE = "org.example.change.approval."
_STAGES = {"requested": Stage.REQUEST, "granted": Stage.APPROVE, "denied": Stage.APPROVE}


def person(name: str) -> str:
    """The key of a person as the change desk names them."""
    return f"person:{SOURCE.replace(':', '%3A')}:{name}"


def say(
    estate: Estate, chance: Chance, time: int, what: str, target: str, request: str, *who: str, valid: int = 4 * HOUR
) -> None:
    """``requested`` by who[0], or ``granted`` (``denied``) to who[0] by who[1], for ``valid`` µs."""
    data: dict[str, object] = {
        "request": request,
        "target": target,
        "requester": who[0],
        "scope": "deploy to production",
        "valid_until": microseconds(time + valid),
    }
    if what != "requested":
        data |= {"approver": who[1], "policy": "two-person/3"}
    value = {
        "specversion": "1.0",
        "id": chance.uuid(),
        "source": SOURCE,
        "type": _TYPE + what,
        "time": microseconds(time),
        "datacontenttype": "application/json",
        "data": data,
    }
    estate.say(Entry(time=time, source=APPROVALS, line=encoded(value), about=((_STAGES[what], target),)))
