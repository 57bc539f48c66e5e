"""The register as it was known: now, or at an earlier time, with what had arrived by then.

What was known at a time is derived again, from the records whose files had been received, the documents and the
contract that had been sealed; nothing is written. A commit counts once the last of its files had been received.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from custody.engine.duck import Engine
from custody.errors import NotFound, UsageError
from custody.model.contracts import Versions
from custody.model.register import SealedDocument
from custody.model.reviews import known_by
from custody.model.times import microseconds, text
from custody.pipeline import contracts, derive, refresh
from custody.pipeline.registering import documents as register_documents
from custody.pipeline.tables import answers
from custody.register.entry import When
from custody.settings.catalog import Settings
from custody.settings.moments import parse_end
from custody.store.history import Closed
from custody.store.reader import Reader

_DATE = len("2027-03-31")


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """The tables of the register. ``moment`` (µs) is when claims and credentials are judged.

    ``documents`` are all that were sealed by then, in order of leaf.
    """

    engine: Engine
    when: When
    moment: int | None
    documents: tuple[SealedDocument, ...]


def moment_of(given: str | None, flag: str) -> int | None:
    """The time (µs) that an option gives: the end of a date, or an RFC 3339 time. UsageError for anything else."""
    if given is None:
        return None
    try:
        return parse_end(given) - (len(given) == _DATE)  # a date stands for its last moment
    except UsageError as error:
        raise UsageError(error.message, where=flag, found=error.found, expected=error.expected) from None


@contextmanager
def opened(settings: Settings, as_of: int | None = None, known_at: int | None = None) -> Iterator[Opened]:
    """The register as of a moment, as it was known at another (µs; None: the last there is).

    NotFound where nothing was derived, or nothing had arrived by ``known_at``.
    """
    if known_at is None:
        with answers(settings) as found:
            yield _opened(found.engine, as_of, register_documents.sealed(found.reader))
        return
    with (
        Reader.open(settings.store) as reader,
        tempfile.TemporaryDirectory(prefix="custody-") as folder,
        Engine(memory_mib=settings.memory, threads=settings.jobs, spill=Path(folder) / "spill") as engine,
    ):
        committed = committed_by(reader, known_at)
        if not committed.acquisitions and not committed.documents:
            raise NotFound(
                "nothing had arrived by then", where=str(settings.store), found=f"--known-at {text(known_at)}"
            )
        derive.tables(engine, committed, _versions(reader, known_at))
        yield _opened(engine, as_of, committed.documents)


def committed_by(reader: Reader, moment: int) -> derive.Committed:
    """What had been committed of the files received by ``moment`` (µs), and of the documents sealed by then."""
    arrived = {each.leaf for each in reader.acquisitions() if _by(reader.acquired_at(each.leaf), moment)}
    commits = [each for each in reader.segments() if arrived.issuperset(reader.files_of(each.leaf))]
    files = [_of(commits, every) for every in (reader.events_files(), reader.skips_files())]
    whole = refresh.committed_of(reader, *files)
    known = [each for each in reader.acquisitions() if each.leaf in arrived]
    return msgspec.structs.replace(
        whole,
        repeated=tuple(refresh.repeated(reader, lambda leaf: any(one.first <= leaf < one.end for one in commits))),
        damaged=tuple(each for each in whole.damaged if each[0] in arrived),
        names=tuple((Path(each.member or each.path).name, each.content) for each in known),
        records=sum(each.records for each in known),
        sealed=sum(each.end - each.first for each in commits),
        duplicates=sum(each.duplicates for each in known),
        acquisitions=len(known),
        documents=tuple(each for each in whole.documents if each.at <= moment),
        reviews=known_by(whole.reviews, moment),
    )


def _of(commits: list[Closed], files: list[Path]) -> list[Path]:
    firsts = {each.first for each in commits}
    return [path for path in files if int(path.name[:12]) in firsts]


def _versions(reader: Reader, moment: int) -> Versions:
    return Versions(sealed=tuple(each for each in contracts.sealed(reader).sealed if each.at <= moment))


def _by(at: str, moment: int) -> bool:
    return (microseconds(at) or 0) <= moment


def _opened(engine: Engine, as_of: int | None, documents: tuple[SealedDocument, ...]) -> Opened:
    latest = engine.one("SELECT min(moment) FROM register_moment")[0]
    moment = as_of if as_of is not None else latest if isinstance(latest, int) else None
    return Opened(engine=engine, when=When(as_of=as_of), moment=moment, documents=documents)
