"""``custody audit --follow``: a line a step, and a clean end on SIGINT and SIGTERM."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from custody.model.report import Report
from custody.pipeline.changes import Step
from custody.pipeline.growing import Timing
from custody.settings.catalog import Settings

SHOWN = 3
"""Ids of findings that a line names."""


def followed(
    settings: Settings, paths: Sequence[Path], written: Sequence[Path], timing: Timing, *, as_json: bool
) -> Report:
    """Follow ``paths`` until a signal; each step that changed something is a line on stderr, with JSON on stdout."""
    from custody.cli.output import emit_line
    from custody.cli.progress import watching
    from custody.pipeline.follow import follow

    def tell(step: Step) -> None:
        click.echo(line(step), err=True)
        if as_json:
            emit_line(step)

    with stopping() as stop, watching() as observer:
        return follow(settings, paths, observer, tell, stop, timing, written)


def line(step: Step) -> str:
    """What a step changed, in one line."""
    said = [f"{step.new:,} new record{'' if step.new == 1 else 's'}"]
    if step.duplicates:
        said.append(f"{step.duplicates:,} known")
    if not step.judged:
        said.append("to be judged later")
    said += _findings("new", step.findings.new) + _findings("gone", step.findings.gone)
    said += [f"{count:,} open → {state}" for state, count in step.answers.settled.items()]
    took = f"read in {step.seconds:.1f} s"
    return (
        f"{step.at}  {'; '.join(said)}; {took}, judged in {step.judging:.1f} s"
        if step.judged
        else (f"{step.at}  {'; '.join(said)}; {took}")
    )


def _findings(word: str, ids: Sequence[str]) -> list[str]:
    if not ids:
        return []
    more = f" and {len(ids) - SHOWN:,} more" if len(ids) > SHOWN else ""
    return [f"{len(ids):,} {word} finding{'' if len(ids) == 1 else 's'}: {', '.join(ids[:SHOWN])}{more}"]


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; the second signal interrupts at once. Worker processes just end."""
    stop, owner = threading.Event(), os.getpid()

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # the signature of a handler
        if os.getpid() != owner:
            os._exit(128 + number)
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
