"""``custody incident``: one record from the first alert to re-enablement, kept while it happens."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import click

from custody.cli.lazy import Lazy
from custody.errors import CustodyError

SUBCOMMANDS: dict[str, str] = {
    "open": "Open an incident: what it starts from, and the rules that hold for it.",
    "list": "List every incident.",
    "show": "Show one incident: what was done, by whom, and what the records prove of it.",
    "timeline": "Show what happened, in order: every source, every step, every person.",
    "status": "Show how far each action is, who approved it, and what does not count.",
    "widen": "Add a key, identity, address, finding or alert that it grows from.",
    "note": "Have something said, sealed.",
    "act": "Ask to contain, revoke, rotate, narrow, give emergency access or enable again.",
    "request": "Show the exact text of a request, and its digest.",
    "approve": "Approve a request exactly as it is sealed.",
    "deny": "Deny a request.",
    "withdraw": "Take a grant of one's own back.",
    "done": "Say that an action was done: a claim until the target's own log shows it.",
    "settle": "Say that an action is over without proof of its effect.",
    "review": "Review an action that was done as break-glass, or without approval.",
    "claim": "Say that an item of the checklist of an identity is done.",
    "vouch": "Sign, as the owner, that an identity may work again.",
    "close": "Close an incident of which every action is proved or settled.",
    "reopen": "Open a closed incident again.",
    "do": "Have the broker do an action that it holds the credentials of.",
    "tell": "Tell those who follow incidents what they were not told yet.",
    "policies": "Check a folder of policies for incidents, or print what is shipped.",
}
"""Every subcommand and its one-line help."""

_ROOM = "custody.cli.incident"
PLACES = {
    "open": f"{_ROOM}.opening:OPEN",
    "list": f"{_ROOM}.listing:LIST",
    "show": f"{_ROOM}.showing:COMMAND",
    "timeline": f"{_ROOM}.timeline:COMMAND",
    "status": f"{_ROOM}.listing:STATUS",
    "widen": f"{_ROOM}.opening:WIDEN",
    "note": f"{_ROOM}.opening:NOTE",
    "act": f"{_ROOM}.acting:ACT",
    "request": f"{_ROOM}.acting:REQUEST",
    "approve": f"{_ROOM}.deciding:APPROVE",
    "deny": f"{_ROOM}.deciding:DENY",
    "withdraw": f"{_ROOM}.deciding:WITHDRAW",
    "done": f"{_ROOM}.acting:DONE",
    "settle": f"{_ROOM}.acting:SETTLE",
    "review": f"{_ROOM}.deciding:REVIEW",
    "claim": f"{_ROOM}.closing:CLAIM",
    "vouch": f"{_ROOM}.deciding:VOUCH",
    "close": f"{_ROOM}.closing:CLOSE",
    "reopen": f"{_ROOM}.closing:REOPEN",
    "do": f"{_ROOM}.doing:COMMAND",
    "tell": f"{_ROOM}.telling:COMMAND",
    "policies": f"{_ROOM}.policies:COMMAND",
}
"""The module that holds each, and under which name."""


class Grouped(Lazy):
    """A group of commands several of which live in one module: a place is ``module:NAME``."""

    def __init__(
        self, *arguments: object, places: Mapping[str, str], helps: Mapping[str, str], **named: object
    ) -> None:
        super().__init__(*arguments, helps=helps, places=places, **named)
        self._named = places

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's
        """Import one command."""
        if cmd_name not in self._named:
            return None
        module, _, name = self._named[cmd_name].partition(":")
        found = getattr(importlib.import_module(module), name)
        assert isinstance(found, click.Command)
        return found

    def invoke(self, ctx: click.Context) -> object:
        """Run one command; every error that it raises says what to do."""
        try:
            return super().invoke(ctx)
        except CustodyError as error:
            from custody.cli.incident.advice import advised

            advised(error, str(ctx.invoked_subcommand))
            raise


@click.group("incident", cls=Grouped, helps=SUBCOMMANDS, places=PLACES)
def COMMAND() -> None:  # noqa: N802
    """Incidents: who asked, who approved, what was done, and what the records prove of it (docs/incidents.md).

    Each step is sealed at once: requests and what people say they did in the operations log; approvals, reviews and
    what owners sign in the log of approvals, by the process and key of whoever approves.
    """
