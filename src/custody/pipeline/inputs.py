"""Which files a run reads, and what has to be said about those that it did not understand."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from custody.errors import SourceError, UsageError
from custody.pipeline.brokering.places import broker_folder
from custody.pipeline.intake import FileRead
from custody.pipeline.tables import answers
from custody.readers.discover import discover
from custody.readers.limits import Limits
from custody.settings.catalog import Settings
from custody.sources.mapped import source_of
from custody.sources.mapped.mapping import Mapping
from custody.store.history import Known
from custody.store.layout import STORE_FILE

NAMED = 5
"""Files that a note names; the rest is a count."""

MOST = 20
"""Paths that an error lists."""

TOO_LARGE = 10_000
"""Records over the size limit that are looked at, at most, to say which known files hold one."""

LOOKED_AT = 2_000
"""Records that no source understood of which is tried, at most, whether a mapping in force would read them."""

LIMITS = ("over the limit", "more than", "too large")
"""How the problem of an acquisition begins or goes on that a limit stopped."""


def found(settings: Settings, paths: Sequence[Path], written: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """The files to read, and what cannot be. UsageError where nothing can and there is no store that knew more."""
    _check(paths)
    files, problems = listed(settings, paths, written)
    if not (settings.store / STORE_FILE).exists() and not any(os.access(path, os.R_OK) for path in files):
        raise _nothing(paths, files, problems)
    return files, problems


def listed(settings: Settings, paths: Sequence[Path], written: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """The files there are now, and what cannot be read; there may be none."""
    files: list[Path] = []
    problems: list[str] = []
    for each in discover(paths, _own(settings, written)):
        if isinstance(each, SourceError):
            problems.append(str(each))
        else:
            files.append(each)
    return files, problems


def _check(paths: Sequence[Path]) -> None:
    if not paths:
        raise UsageError("nothing to audit", expected="files or folders")


def _nothing(paths: Sequence[Path], files: Sequence[Path], problems: Sequence[str]) -> UsageError:
    refused = [f"{path}: cannot be read" for path in files]
    empty = [f"{path}: holds no file" for path in paths] if not problems and not refused else []
    lines = [*problems, *refused, *empty]
    more = [f"and {len(lines) - MOST} more"] if len(lines) > MOST else []
    return UsageError("\n".join(["nothing to audit, and no store was made", *lines[:MOST], *more]))


def _own(settings: Settings, written: Sequence[Path]) -> list[Path]:
    """What custody itself writes: the store, a broker's folder beside it, the folders of keys and the report."""
    keys = [path.parent for path in settings.keys.glob("*/vkey")] if settings.keys.is_dir() else []
    return [settings.store, broker_folder(settings.store), *keys, *written]


def said(read: Sequence[FileRead]) -> tuple[list[str], list[str]]:
    """The problems of the files that were read, by file and reason, and the notes about what holds nothing known."""
    ordered = sorted(read, key=lambda each: each.name)
    problems = [
        f"{each.name}: {_counted(count, 'record')} not read: {reason}, {'first ' if count > 1 else ''}at byte {first}"
        for each in ordered
        for reason, count, first in sorted(each.skips)
        if reason != "unknown"
    ]
    return problems, [*_empty(ordered), *_foreign(ordered)]


def _empty(read: Sequence[FileRead]) -> list[str]:
    names = [each.name for each in read if not each.records]
    if not names:
        return []
    return [f"{_counted(len(names), 'file')} {'holds' if len(names) == 1 else 'hold'} no record: {_listed(names)}"]


def _foreign(read: Sequence[FileRead]) -> list[str]:
    """Sound JSON that no source understands is no fault, and must not go unsaid."""
    places = [(each.name, count, first) for each in read for reason, count, first in each.skips if reason == "unknown"]
    if not places:
        return []
    total = _counted(sum(count for _, count, _ in places), "record")
    return [f"{total} of no kind that custody understands: {_listed([f'{n} from byte {at}' for n, _, at in places])}"]


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED:,} more" if len(names) > NAMED else "")


def stopped(settings: Settings, finished: Sequence[tuple[Path, Known]], limits: Limits) -> list[str]:
    """A note for each known file that a limit once stopped: it is not read again, whatever the limits are now."""
    large = _large(settings, {known.leaf for _, known in finished}, limits)
    notes: list[str] = []
    for path, known in finished:
        name = str(path) if known.member is None else f"{path}: {known.member}"
        reasons = [known.problem] if known.problem and any(word in known.problem for word in LIMITS) else []
        if known.leaf in large:
            reasons.append(f"{_counted(large[known.leaf], 'record')} over the limit of size")
        notes += [
            f"{name}: known and done; it was stopped by a limit then: {reason}; audit it into a new store to read on"
            for reason in reasons
        ]
    return list(dict.fromkeys(notes))


def passed_by(settings: Settings, finished: Sequence[tuple[Path, Known]], mapped: tuple[Mapping, ...]) -> list[str]:
    """A note for each known file with records that nobody understood then, and that a mapping would read now."""
    paths = {known.leaf: path for path, known in finished}
    described = [source_of(mapping) for mapping in mapped]
    counts: Counter[tuple[Path, str]] = Counter()
    for file, kept in _unknown(settings, paths.keys()) if described else ():
        taker = next((each for each in described if each.recognise(kept) and each.identify(kept) is not None), None)
        if taker is not None:
            counts[paths[file], taker.name] += 1
    return [
        f"{path}: known and done; {_counted(count, 'record')} that nobody understood then would now be {name}; "
        "audit it into a new store to have them read"
        for (path, name), count in sorted(counts.items())
    ]


def _unknown(settings: Settings, leaves: Collection[int]) -> Iterator[tuple[int, bytes]]:
    """The records of some files that no source understood, as they were kept: the file's leaf, and the bytes."""
    if not leaves:
        return
    with answers(settings) as tables:
        if not tables.report.skipped.get("unknown"):
            return
        sql = f"SELECT leaf FROM skipped WHERE reason = 'unknown' ORDER BY leaf LIMIT {LOOKED_AT}"
        for (leaf,) in tables.engine.rows(sql):
            file, kept = tables.reader.record(int(str(leaf))).file, tables.reader.kept(int(str(leaf))).kept
            if file in leaves and kept is not None:
                yield file, kept


def _large(settings: Settings, leaves: set[int], limits: Limits) -> dict[int, int]:
    """How many records of each file were withheld for their size and would be read under ``limits``."""
    counts: dict[int, int] = {}
    if not leaves:
        return counts
    with answers(settings) as tables:
        if not tables.report.skipped.get("too-large"):
            return counts
        sql = f"SELECT leaf FROM skipped WHERE reason = 'too-large' ORDER BY leaf LIMIT {TOO_LARGE}"
        for (leaf,) in tables.engine.rows(sql):
            entry = tables.reader.record(int(str(leaf)))
            if entry.file in leaves and entry.length <= limits.max_record:
                counts[entry.file] = counts.get(entry.file, 0) + 1
    return counts
