"""The derived tables of a store: made when something is new, opened to answer a question."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from custody.chains import stored
from custody.engine.duck import Engine
from custody.errors import NotFound
from custody.model.contracts import Contract, Versions
from custody.model.report import CheckpointRef, Report
from custody.model.times import microseconds
from custody.register import build as register
from custody.rules import judging
from custody.rules.registry import load
from custody.rules.rule import Rule
from custody.rules.shape import shape as shape_of
from custody.settings.catalog import Settings
from custody.store.reader import Reader

REPORT = "report.json"
CONTRACT = "contract.json"


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """An engine over the derived tables, and what was in force when they were made."""

    engine: Engine
    reader: Reader
    report: Report
    versions: Versions
    rules: tuple[Rule[msgspec.Struct], ...]
    folder: Path

    @property
    def contract(self) -> Contract:
        """The version of the contract that held at the time of judgement."""
        return self.versions.at(microseconds(self.report.as_of))

    def parts_of(self, keys: Sequence[str], enough: int | None = None) -> None:
        """Make the view ``parts`` over the event files that hold ``keys``."""
        stored.attach_parts(self.engine, self.reader.events_files(), keys, enough)

    def all_parts(self) -> None:
        """Make the view ``parts`` over every event file."""
        stored.attach_parts(self.engine, self.reader.events_files(), None)


def shape() -> str:
    """The digest of everything that makes the derived tables: SQL of the chains, the register and the rules."""
    return shape_of(load(), register.texts())


@contextmanager
def answers(settings: Settings) -> Iterator[Answers]:
    """Open the derived tables of the store; NotFound where none were made yet."""
    with Reader.open(settings.store) as reader:
        report, folder = current_report(reader, settings.store)
        versions = msgspec.json.decode((folder / CONTRACT).read_bytes(), type=Versions)
        rules = load()
        with Engine(memory_mib=settings.memory, threads=settings.jobs) as engine:
            stored.attach(engine, folder, judging.fact_tables(rules), tuple(register.TABLES))
            judging.define(engine, microseconds(report.as_of) or 0)
            yield Answers(engine=engine, reader=reader, report=report, versions=versions, rules=rules, folder=folder)


def current_report(reader: Reader, root: Path) -> tuple[Report, Path]:
    """The report object of the committed store with its checkpoint, and the folder of its tables."""
    manifest = reader.manifest()
    if manifest is None:
        raise NotFound("nothing was derived yet", where=str(root), advice="`custody audit PATH` or `custody rebuild`.")
    folder = root / "derived" / manifest.folder
    if manifest.meta.get("shape") != shape():
        raise NotFound(
            "the derived tables were made by another version of custody",
            where=str(folder),
            found=str(manifest.meta.get("version")),
            advice="`custody rebuild` makes them anew from the sealed records.",
        )
    try:
        report = msgspec.json.decode((folder / REPORT).read_bytes(), type=Report)
    except FileNotFoundError:
        raise NotFound("a derived table is missing", where=str(folder / REPORT), advice="`custody rebuild`") from None
    return msgspec.structs.replace(report, checkpoint=checkpoint(reader)), folder


def checkpoint(reader: Reader) -> CheckpointRef:
    """The checkpoint as it stands."""
    found = reader.checkpoint()
    sizes = (said.entry.fields.get("size") for said in reader.statements("anchor"))
    return CheckpointRef(
        log=found.origin,
        size=found.size,
        root=base64.b64encode(found.root).decode(),
        anchored=max((size for size in sizes if isinstance(size, int)), default=None),
    )


def canonical(report: Report) -> bytes:
    """The report without what depends on the way in: run, records, duplicates, acquisitions, checkpoint, leaves."""
    plain = json.loads(msgspec.json.encode(report))
    for name in ("run", "records", "duplicates", "acquisitions", "checkpoint", "certificates"):
        plain.pop(name)
    for found in (*plain["findings"], *plain["suppressed"]):
        found.pop("leaves")
    for version in plain["contract"]["versions"]:
        version.pop("leaf")
        version.pop("sealed")
    return json.dumps(plain, sort_keys=True).encode()
