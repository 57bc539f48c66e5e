"""What a shell offers for incidents and actions: the ids that are sealed in the store of the settings.

A shell asks at every press of a key, and shows nothing of what went wrong: whatever fails, nothing is offered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from custody.incidents.record.folding import Incident

MOST = 200
"""Ids that are offered, the newest first."""
Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _incidents(every: Iterable[Incident]) -> Iterator[tuple[str, str]]:
    for each in every:
        yield each.id, f"{'open' if each.closed is None else 'closed'}: {each.opening.title}"


def _actions(every: Iterable[Incident]) -> Iterator[tuple[str, str]]:
    for incident in every:
        for each in incident.actions:
            yield each.id, f"{each.request.kind.value} {' '.join(each.request.targets)}"


def _completer(named: Callable[[Iterable[Incident]], Iterable[tuple[str, str]]]) -> Completer:
    def complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from custody.reports.safe import plain, shortened

        found = [(name, told) for name, told in named(_every(context)) if name.startswith(incomplete)]
        return [CompletionItem(name, help=shortened(plain(told), 60)) for name, told in reversed(found[-MOST:])]

    return complete


def _every(context: click.Context) -> tuple[Incident, ...]:
    from custody.cli.options import resolved
    from custody.errors import CustodyError

    given = {name: value for name in ("store", "config") if (value := context.params.get(name)) is not None}
    try:
        from custody.pipeline.incidents.reading import every

        return every(resolved(given))
    except (CustodyError, OSError, ValueError):
        return ()


INCIDENT = _completer(_incidents)
ACTION = _completer(_actions)
"""For ``shell_complete`` of an argument."""
