"""Epochs and pushed files into the log: once, whole, under their names; and what can be asked of the log then."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import msgspec
import pytest

from custody import __version__
from custody.errors import SourceError, StoreError, StoreLocked
from custody.model.brokered import DECODER, SOURCE
from custody.pipeline import audit
from custody.pipeline.audit import Surveyed, limits_of
from custody.pipeline.brokering import sealed
from custody.pipeline.brokering.places import broker_folder, epoch_name, pushed_name
from custody.pipeline.brokering.sealing import Pushed, Sealer, Taken
from custody.readers.survey import survey
from custody.settings.catalog import Settings
from custody.store.reader import Reader
from custody.store.writer import Writer
from tests.broker.evidence.said import check_chain
from tests.pipeline.brokering.journals import BROKER, check_store, fill, settings_for

EVENT = (
    b'{"eventVersion":"1.08","eventID":"%s","eventTime":"2026-11-22T10:00:00Z","eventSource":"sts.amazonaws.com",'
    b'"eventName":"GetCallerIdentity","awsRegion":"us-east-1","userIdentity":{"type":"AWSAccount"}}'
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with three sealed epochs of 3, 2 and 4 lines, and the journal beside it."""
    folder = tmp_path_factory.mktemp("model") / "home"
    folder.mkdir()
    settings = settings_for(folder)
    assert Sealer(settings, BROKER).seal(fill(settings, 3, 2, 4)) == ()
    return folder


@pytest.fixture
def settings(model: Path, tmp_path: Path) -> Settings:
    shutil.copytree(model, tmp_path / "home")
    return settings_for(tmp_path / "home")


def size(settings: Settings) -> int:
    with Reader.open(settings.store) as reader:
        return reader.size


def test_every_line_is_a_leaf_of_the_brokers_own(settings: Settings) -> None:
    with Reader.open(settings.store) as reader:
        leaves = [sealed.leaf_of(reader, BROKER, seq) for seq in range(1, 10)]
        assert len(set(leaves) - {None}) == 9
        assert [reader.record(leaf).id for leaf in leaves if leaf is not None] == [f"test/{n}" for n in range(1, 10)]
        assert sealed.leaf_of(reader, BROKER, 10) is None
        assert sealed.leaf_of(reader, "rest", 1) is None
        assert sealed.through(reader, BROKER) == 9
        assert sealed.through(reader, "rest") == 0
        assert check_chain(sealed.entries(reader, BROKER, 0)) == 9
        assert [each.seq for each in sealed.entries(reader, BROKER, 4)] == [5, 6, 7, 8, 9]
        assert [each.path for each in reader.acquisitions()] == [
            f"{SOURCE}/test/00000000000{first}.ndjson" for first in (1, 4, 6)
        ]
        assert reader.counts().records == reader.counts().leaves == 9
    check_store(settings)


def test_an_epoch_sealed_twice_counts_once(settings: Settings) -> None:
    before, epochs = size(settings), fill(settings)
    assert [each.last for each in epochs] == [3, 5, 9]
    Sealer(settings, BROKER).seal(epochs)
    assert size(settings) == before
    Sealer(settings, BROKER).seal(fill(settings, 2))
    with Reader.open(settings.store) as reader:
        assert reader.counts().records == reader.counts().leaves == 11
        assert sealed.through(reader, BROKER) == 11
    check_store(settings)


def test_an_epoch_that_was_cut_off_is_gone_on_with(settings: Settings) -> None:
    """Its file is acquired, none of its records are: what a crash between two commits leaves."""
    epoch = fill(settings, 5)[-1]
    found = survey(epoch.path, limits_of(settings))[0]
    assert not isinstance(found, SourceError)
    named = msgspec.structs.replace(found, path=epoch_name(BROKER, epoch.path))
    with Writer.open(settings.store, settings.keys, now=audit.now(), version=__version__) as writer:
        assert len(audit.seal(writer, [Surveyed(epoch.path, (named,), ())], limits_of(settings))) == 1
        assert len(writer.pending()) == 1
    Sealer(settings, BROKER).seal([epoch])
    with Reader.open(settings.store) as reader:
        assert [sealed.leaf_of(reader, BROKER, seq) is not None for seq in range(10, 15)] == [True] * 5
        assert all(known.done for known in reader.acquisitions())


@pytest.mark.parametrize("change", [b"", b'{"custody":"custody.broker/1"}\n'])
def test_an_epoch_that_is_not_what_the_journal_says_is_refused(settings: Settings, change: bytes) -> None:
    epoch = fill(settings, 2)[-1]
    lines = epoch.path.read_bytes().splitlines(keepends=True)
    epoch.path.write_bytes(lines[0] if not change else b"".join([*lines, change]))
    with pytest.raises(StoreError, match="not sealed whole"):
        Sealer(settings, BROKER).seal([epoch])


def test_a_missing_epoch_is_refused(settings: Settings) -> None:
    epoch = fill(settings, 2)[-1]
    epoch.path.unlink()
    with pytest.raises(SourceError):
        Sealer(settings, BROKER).seal([epoch])


def test_what_an_audit_read_before_is_one_leaf(settings: Settings) -> None:
    """Somebody audits the journal under its own path: the broker's sealing of it finds duplicates, and the leaf."""
    epoch = fill(settings, 2)[-1]
    copy = settings.store.parent / "copy.ndjson"
    copy.write_bytes(epoch.path.read_bytes() + b"\n")  # other bytes, the same lines
    Sealer(settings, BROKER).seal([], [Pushed(copy, "copy")])
    with Reader.open(settings.store) as reader:
        assert sealed.leaf_of(reader, BROKER, 10) is None, "it is not the broker's word yet"
    Sealer(settings, BROKER).seal([epoch])
    with Reader.open(settings.store) as reader:
        leaf = sealed.leaf_of(reader, BROKER, 10)
        assert leaf is not None
        assert DECODER.decode(reader.kept(leaf).kept or b"").seq == 10
        assert reader.counts().duplicates == 2


def test_pushed_files_are_sealed_and_say_what_became_of_them(settings: Settings) -> None:
    folder = broker_folder(settings.store) / "spool"
    folder.mkdir()
    files = {
        "lines": b"".join(EVENT % b"a%d" % number + b"\n" for number in range(3)),
        "packed": gzip.compress(EVENT % b"p" + b"\n" + EVENT % b"a1" + b"\n"),
        "foreign": b'{"hello":1}\n{"hello":2}\n',
        "empty": b"",
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    pushed = [Pushed(folder / name, f"ci/{name}") for name in files]
    answers = Sealer(settings, BROKER).seal([], [*pushed, Pushed(folder / "absent", "ci/absent")])
    lines, packed, foreign, empty, absent = answers
    assert isinstance(lines, Taken)
    assert isinstance(packed, Taken)
    assert isinstance(foreign, Taken)
    assert isinstance(empty, Taken)
    assert isinstance(absent, SourceError)
    assert (lines.records, lines.duplicates, lines.skips) == (3, 0, ())
    assert (packed.records, packed.duplicates) == (2, 1)
    assert (foreign.records, foreign.skips) == (2, (("unknown", 2),))
    assert empty.records == 0
    with Reader.open(settings.store) as reader:
        names = {known.leaf: known.path for known in reader.acquisitions()}
        assert [names[each.leaf] for each in (lines, packed, foreign)] == [
            "intake/ci/lines", "intake/ci/packed", "intake/ci/foreign",
        ]  # fmt: skip
        before = reader.size
    again = Sealer(settings, BROKER).seal([], pushed[:2])
    assert again == (lines, packed)
    assert size(settings) == before
    check_store(settings)


@pytest.mark.parametrize("name", ["custody.broker/test/000000000010.ndjson", "../../x", "a\nb", "\ud800", "x" * 5000])
def test_no_name_of_a_pushed_file_passes_for_the_brokers_own(name: str) -> None:
    found = pushed_name(name)
    assert found.startswith("intake/")
    assert found.isprintable()
    assert len(found) < 5000
    assert not found.startswith(SOURCE)


@pytest.mark.parametrize("kept", [None, b"", b"{}", b'{"custody":"custody.broker/1"}', b"\xff"])
def test_entries_whose_payload_is_gone_are_an_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, kept: bytes | None
) -> None:
    """Erased, or masked so that it is no entry any more."""
    records = Reader.records
    monkeypatch.setattr(
        Reader,
        "records",
        lambda self, closed: (
            (entry, msgspec.structs.replace(found, kept=kept)) for entry, found in records(self, closed)
        ),
    )
    with Reader.open(settings.store) as reader, pytest.raises(StoreError, match="cannot be read"):
        list(sealed.entries(reader, BROKER, 0))


def test_a_writer_that_does_not_end_is_an_error(settings: Settings) -> None:
    epochs = fill(settings)
    held = Writer.open(settings.store, settings.keys, now=audit.now(), version=__version__)
    with held, pytest.raises(StoreLocked):
        Sealer(settings, BROKER, wait=0.05).seal(epochs)
    assert Sealer(settings, BROKER, wait=0.05).seal(epochs) == ()


def test_a_store_is_made_where_there_is_none(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    Sealer(settings, BROKER).seal(fill(settings, 1))
    with Reader.open(settings.store) as reader:
        assert sealed.leaf_of(reader, BROKER, 1) is not None
    check_store(settings)
