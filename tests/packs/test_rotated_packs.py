"""Packs of a store whose key was rotated: whoever holds an older key follows the rotations that the pack brings."""

from __future__ import annotations

import base64
import shutil
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from custody.errors import LogError
from custody.ledger.note import Signer
from custody.ledger.policy import Policy, of_log
from custody.packs import parts
from custody.packs.verification import Checked, verify
from custody.pipeline.rotate_key import rotate_key
from custody.store.reader import Reader
from custody.store.rotation import decode, encode, followed, rotation_note
from custody.store.writer import Writer
from tests.packs.conftest import Made
from tests.packs.estate import Files, files_of, listed, named, packed, settings_in, written

STRANGER = Signer("custody.local/example/operations", bytes(32))


class Rotated(msgspec.Struct, frozen=True):
    """The keys of a log, a pack made before its rotations, and one made after under the stamped checkpoint of then."""

    vkeys: tuple[str, ...]
    before: Path
    after: Path


@pytest.fixture(scope="module")
def rotated(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Rotated:
    folder = tmp_path_factory.mktemp("rotated")
    for name in ("store", "keys"):
        shutil.copytree(getattr(made[0], name), folder / name)
    settings = settings_in(folder)
    packed(settings, folder / "before.zip")
    with Reader.open(settings.store) as reader:
        note, size = reader.note(), reader.size
    answer = base64.b64encode(b"as an authority would answer: " + sha256(note).digest()).decode()
    with Writer.open(settings.store, settings.keys, now="2026-03-02T00:00:00Z", version="test") as writer:
        writer.seal("anchor", {"how": "rfc3161", "size": size, "note": note.decode(), "answer": answer})
    for reason in ("once a year", "another year"):
        rotate_key(settings, reason)
    packed(settings, folder / "after.zip")
    with Reader.open(settings.store) as reader:
        return Rotated(reader.vkeys, folder / "before.zip", folder / "after.zip")


@pytest.fixture(scope="module")
def files(rotated: Rotated) -> Files:
    return files_of(rotated.after)


def under(path: Path, vkey: str | None) -> Checked:
    """The pack and its seal, checked by a key or by its own."""
    seal = path.with_name(path.name + parts.SEAL)
    return verify(path, None if vkey is None else of_log(vkey), seal.read_bytes() if seal.exists() else None)


def test_every_key_of_the_log_verifies_a_pack_made_after_rotations(rotated: Rotated) -> None:
    found = [under(rotated.after, vkey) for vkey in (*rotated.vkeys, None)]

    assert [(each.status, each.time_stamps, each.sealed is None) for each in found] == [("ok", 1, False)] * 4
    assert [each.trusted for each in found] == [
        "the key or policy that was given, and 2 later by key rotation",
        "the key or policy that was given, and 1 later by key rotation",
        "the key or policy that was given",
        "the pack's own word",
    ]
    assert found[0].vkeys == rotated.vkeys


def test_a_pack_made_before_needs_the_key_of_then(rotated: Rotated) -> None:
    later = under(rotated.before, rotated.vkeys[-1])

    assert under(rotated.before, rotated.vkeys[0]).status == "ok"
    assert named(later) == {parts.CHECKPOINT, rotated.before.name + parts.SEAL}
    assert parts.ROTATIONS not in files_of(rotated.before)


def test_rotations_lead_from_no_key_but_those_trusted(rotated: Rotated, files: Files, tmp_path: Path) -> None:
    origin = rotated.vkeys[0].partition("+")[0]
    thief, accomplice = (Signer(origin, bytes([number]) * 32) for number in (7, 8))
    notes = decode(files[parts.ROTATIONS])
    foreign = encode([rotation_note(origin, thief, accomplice), *notes])
    forged = notes[0].replace(rotated.vkeys[1], thief.vkey)
    without = {name: data for name, data in files.items() if name != parts.ROTATIONS}

    found = under(written(tmp_path / "foreign.zip", listed({**files, parts.ROTATIONS: foreign})), rotated.vkeys[0])
    assert (found.status, found.vkeys) == ("ok", rotated.vkeys)
    for number, data in enumerate((encode([forged, *notes[1:]]), encode([]) + b" ", b"[[1]]", b'["\\ud800"]')):
        path = written(tmp_path / f"{number}.zip", listed({**files, parts.ROTATIONS: data}))
        assert parts.ROTATIONS in named(under(path, rotated.vkeys[0]))
    lost = under(written(tmp_path / "lost.zip", listed(without)), rotated.vkeys[0])
    assert named(lost) == {parts.CHECKPOINT}


def test_a_rotation_stays_with_its_log() -> None:
    """Both keys sign; the second has the name of another log."""
    mine, other = Signer(STRANGER.name, bytes([1]) * 32), Signer("custody.local/other/operations", bytes([2]) * 32)
    note = rotation_note(mine.name, mine, other)

    with pytest.raises(LogError, match="another log's key"):
        followed(of_log(mine.vkey), [note])
    assert followed(of_log(STRANGER.vkey), [note, "", "one\ntwo\n"]) == of_log(STRANGER.vkey)
    assert followed(Policy(logs=()), [note]).logs == ()
