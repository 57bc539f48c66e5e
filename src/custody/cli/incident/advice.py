"""What to do about an error of ``custody incident``, where what raised it does not say.

The errors of incidents come from rooms that know nothing of a command line; here it is known what was typed.
"""

from __future__ import annotations

from collections.abc import Mapping

from custody.errors import CustodyError

LIST = "`custody incident list` shows all."
TIME = "Write it with a zone: date -u +%Y-%m-%dT%H:%M:%SZ prints the time of now in this form."
LEAVES = "`custody trace KEY` and `custody findings` name the leaf of everything they say."
ADVICE: Mapping[str, str] = {
    "no such incident": LIST,
    "no such action was asked for": LIST,
    "several incidents have an action of this id": LIST,
    "not a time": TIME,
    "no real time": TIME,
    "nobody can have known it by then": "Give a time that is over, or leave it out.",
    "not a text": "Say it in one line of plain text.",
    "no such leaf": LEAVES,
    "not a leaf": LEAVES,
    "nothing to grow from": "`custody findings` and `custody trace` name findings, keys, identities and addresses.",
    "emergency access without an end": "Say when it ends; when it did not, the incident shows it.",
    "it was done already": "What was done cannot be decided any more: `custody incident review` looks back on it.",
    "no such receiver": "The receivers are the hooks of the response file by their name, and caep.",
    "the incident is not closed": "It is open: `custody incident show` says where it stands.",
}
"""By the message of an error: nothing here is said of another one."""


def advised(error: CustodyError, command: str) -> None:
    """Add where it was and what to do to an error of ``custody incident COMMAND`` that does not say so, in one line."""
    if not (error.where or error.found):
        error.where = f"incident {command}"
    if error.where.startswith("ac-") and error.message == "no such incident":
        error.advice = f"That is an action: `custody incident request {error.where}` shows it. {LIST}"
    elif not error.advice:
        error.advice = ADVICE.get(error.message) or f"`custody incident {command} --help` says what it takes."
    error.advice = "; ".join(error.advice.splitlines())
