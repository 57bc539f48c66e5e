"""``custody incident tell``: who follows incidents is told what they were not told yet."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from custody.cli import options
from custody.errors import CustodyError, UsageError
from custody.settings.catalog import Settings

if TYPE_CHECKING:
    from custody.pipeline.incidents.telling.catching_up import Told

EVERY = 5.0
"""Seconds between two looks at the logs; a receiver that is away is left alone for longer."""
CONFIRMS = 300.0
"""Seconds between two looks whether the effect of what was done is seen by now: that asks the derived tables."""


@click.command("tell")
@click.option("--to", metavar="NAME", help="One receiver alone: a hook of the response file, or caep.")
@click.option("--follow", is_flag=True, help="Go on, as steps are sealed, until a signal.")
@click.option("--again", is_flag=True, help="Also what was refused so often that it was set aside.")
@click.option("--jwks", is_flag=True, help="Print the public keys of the security event tokens, and tell nobody.")
@options.responding
@options.as_json
def COMMAND(  # noqa: N802
    to: str | None, follow: bool, again: bool, jwks: bool, settings: Settings, as_json: bool
) -> int:
    """Tell the receivers of the response file every step of incidents that they were not told yet.

    [[hooks]] get CloudEvents, [caep] security event tokens (docs/incident-hooks.md). Each step is told at least once,
    in order for each incident; what was done once more to [caep], when the target's own log shows it. The exit code is
    1 where something could not be told: the same command goes on there. `custody serve` tells them, too.
    """
    from custody.cli.output import emit
    from custody.pipeline.incidents.telling.catching_up import Patience, keys_of, tell
    from custody.pipeline.incidents.telling.showing_effects import shown_of

    if jwks:
        emit(keys_of(settings))
        return 0
    if settings.response is None:
        raise UsageError("nobody is named to be told", expected="--response FILE with [[hooks]] or [caep]")
    if follow:
        _followed(settings, to, as_json=as_json, again=again)
        return 0
    told = tell(settings, Patience(), shown_of(settings), to, confirming=True, again=again)
    _put(told, as_json=as_json, whole=True)
    return 1 if any(each.problem for each in told) else 0


def afterwards(settings: Settings) -> None:
    """Tell of a step that was just sealed, once and briefly; what could not be told is said, and stops nothing."""
    from custody.cli.output import note
    from custody.pipeline.incidents.telling.catching_up import BRIEFLY, tell
    from custody.pipeline.incidents.telling.showing_effects import unseen
    from custody.reports.safe import plain

    if settings.response is None:
        return
    try:
        told = tell(settings, BRIEFLY, unseen)
    except CustodyError as error:
        note(f"custody: nobody was told: {plain(str(error))}")
        return
    for each in told:
        if each.problem and (each.waiting or not each.aside):
            note(f"custody: {plain(_line(each))}; `custody incident tell` tries again")


def _followed(settings: Settings, to: str | None, *, as_json: bool, again: bool) -> None:
    from custody.cli.following import stopping
    from custody.pipeline.incidents.telling.catching_up import Patience, tell
    from custody.pipeline.incidents.telling.showing_effects import shown_of

    with stopping() as stop:
        confirmed, shown, said = float("-inf"), shown_of(settings), dict[str, str]()
        while not stop.is_set():
            due = time.monotonic() - confirmed >= CONFIRMS
            patience = Patience(attempts=1, heeds=True, over=stop.is_set)
            told = tell(settings, patience, shown, to, confirming=due, again=again)
            confirmed, again = time.monotonic() if due else confirmed, False
            news = [each for each in told if each.sent or each.seen or each.problem != said.get(each.receiver, "")]
            said = {each.receiver: each.problem for each in told}
            _put(news, as_json=as_json, whole=False)
            stop.wait(EVERY)


def _put(told: list[Told] | tuple[Told, ...], *, as_json: bool, whole: bool) -> None:
    from custody.cli.output import emit, emit_line
    from custody.reports.safe import plain

    if as_json and whole:
        emit({"told": told})
        return
    for each in told:
        if as_json:
            emit_line(each)
        else:
            click.echo(plain(_line(each)))
    if whole and not told:
        click.echo("no receiver is named in the response file")


def _line(told: Told) -> str:
    from custody.reports.words import counted

    waits = f", {counted(told.waiting, 'step')} wait{'s' if told.waiting == 1 else ''}" if told.waiting else ""
    waits += f", {counted(len(told.seen), 'effect')} seen" if told.seen else ""
    own = told.problem.removeprefix(f"hooks.{told.receiver}.").removeprefix(f"{told.receiver}.")
    why = f": {own}" if own else ""
    why += f". {told.advice}" if told.problem and told.advice else ""
    why += f" (tried {told.away.times} times, next at {told.away.next})" if told.away and told.away.times > 1 else ""
    return f"{told.receiver}: told {counted(len(told.sent), 'step')}{waits}{why}"
