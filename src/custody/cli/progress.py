"""Live progress on stderr, only where somebody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from custody.pipeline.audit import Observer, Progress


@contextmanager
def watching() -> Iterator[Observer]:
    """An observer that draws one line: files, records, bytes and records a second."""
    if not sys.stderr.isatty():
        yield lambda progress: None  # noqa: ARG005  # an observer that nobody watches
        return
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[stage]:<10}"),
        TextColumn("{task.completed:,}/{task.total:,} files"),
        TextColumn("{task.fields[records]:,} records"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[rate]:,.0f} records/s"),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("audit", total=0, stage="looking", records=0, rate=0.0)

        def observe(progress: Progress) -> None:
            elapsed = bar.tasks[0].elapsed or 0.0
            rate = progress.records / elapsed if elapsed else 0.0
            bar.update(
                task,
                total=progress.files,
                completed=progress.done,
                stage=progress.stage,
                records=progress.records,
                rate=rate,
            )

        yield observe


@contextmanager
def verifying() -> Iterator[Callable[[int, int], None] | None]:
    """A callback with records compared and records in all, None where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("verifying", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
