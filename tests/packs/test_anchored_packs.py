"""A pack of an anchored store is made under the anchored checkpoint, and brings what witnesses and authorities said."""

from __future__ import annotations

import base64
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from custody.cli.packed import checked as described
from custody.errors import UsageError
from custody.ledger.checkpoint import parse
from custody.ledger.cosignature import Cosigner, with_signatures
from custody.ledger.note import parse_note
from custody.ledger.timestamp import query
from custody.packs import parts
from custody.packs.stamps import stamp_paths
from custody.pipeline.verify import verify_pack
from custody.settings.catalog import Settings
from custody.store.reader import Reader
from custody.store.writer import Writer
from tests.packs.conftest import Made
from tests.packs.estate import Files, checked, files_of, listed, named, packed, settings_in, written
from tests.witness.running import has_openssl, make_authority, stamp

SEEN = 1_772_400_000
WITNESSES = [Cosigner(f"example.com/witness-{number}", bytes([number]) * 32) for number in (1, 2)]


def anchored(made: Made, folder: Path) -> tuple[Settings, int]:
    """A copy of the store whose checkpoint two witnesses cosigned and an authority stamped, and its size then."""
    shutil.copytree(made[0].store, folder / "store")
    shutil.copytree(made[0].keys, folder / "keys")
    settings = settings_in(folder)
    with Reader.open(settings.store) as reader:
        note, size = reader.note(), reader.size
    statements: list[dict[str, object]] = []
    for each in WITNESSES:
        whole = with_signatures(note, (each.cosign(parse_note(note).text, SEEN),))
        statements.append(
            {"how": "witness", "size": size, "note": whole.decode(), "witness": each.witness.vkey, "time": SEEN}
        )
    answer = b"as an authority would answer: " + sha256(note).digest()
    stamp = {"how": "rfc3161", "size": size, "note": note.decode(), "answer": base64.b64encode(answer).decode()}
    with Writer.open(settings.store, settings.keys, now="2026-03-02T00:00:00Z", version="test") as writer:
        for fields in [*statements, stamp]:
            writer.seal("anchor", fields)
    return settings, size


@pytest.fixture(scope="module")
def found(made: Made, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, int, Path]:
    folder = tmp_path_factory.mktemp("anchored")
    settings, size = anchored(made, folder)
    packed(settings, folder / "anchored.zip")
    return settings, size, folder / "anchored.zip"


@pytest.fixture(scope="module")
def files(found: tuple[Settings, int, Path]) -> Files:
    return files_of(found[2])


def test_it_is_made_under_the_anchored_checkpoint(found: tuple[Settings, int, Path], files: Files) -> None:
    note = parse_note(files[parts.CHECKPOINT])
    again = packed(found[0], found[2].with_name("again.zip"))

    assert parse(note.text).size == found[1]
    assert [each.name for each in note.others][1:] == [each.witness.name for each in WITNESSES]
    assert again.sha256 == sha256(found[2].read_bytes()).hexdigest()
    assert again.checkpoint.size == found[1]


def test_its_witnesses_count_for_who_asks_for_them(
    found: tuple[Settings, int, Path], files: Files, tmp_path: Path
) -> None:
    log = files[parts.POLICY].decode().split("\n")[0]
    one, two = (each.witness.vkey for each in WITNESSES)
    policy = tmp_path / "policy"
    policy.write_text(f"{log}\nwitness a {one}\nwitness b {two}\ngroup both all a b\nquorum both\n")
    asked = verify_pack(found[2], None, policy, None)
    own = checked(found[2])

    assert (asked.status, asked.cosigned) == ("ok", ("a", "b"))
    assert (own.status, own.time_stamps) == ("ok", 1)
    assert own.cosigned == ("witness-1", "witness-2")


def test_a_cosignature_that_was_changed_is_named(files: Files, tmp_path: Path) -> None:
    note = files[parts.CHECKPOINT]
    *head, last = note.removesuffix(b"\n").split(b"\n")
    name, signature = last.rsplit(b" ", 1)
    value = bytearray(base64.b64decode(signature))
    value[-1] ^= 1
    forged = b"\n".join([*head, name + b" " + base64.b64encode(bytes(value)), b""])
    path = written(tmp_path / "forged.zip", listed({**files, parts.CHECKPOINT: forged}))

    assert parts.CHECKPOINT in named(checked(path))


def test_a_time_stamp_of_something_else_is_named(files: Files, tmp_path: Path) -> None:
    stamps = [name for name in files if name.startswith(parts.STAMPS)]
    note, answer = stamp_paths(int(stamps[0].removeprefix(parts.STAMPS).partition(".")[0]))
    other = files[note].replace(b"\n\n", b"\nmore\n\n")
    cases = {note: {answer: b"about nothing"}, answer: {note: b""}}
    forged = written(tmp_path / "forged.zip", listed({**files, **cases[note]}))
    lost = {name: data for name, data in files.items() if name != note}

    assert sorted(stamps) == [note, answer]
    assert named(checked(forged)) == {note}
    assert named(checked(written(tmp_path / "lost.zip", listed(lost)))) == {answer}
    assert named(checked(written(tmp_path / "other.zip", listed({**files, note: other})))) == {note}


def test_witnesses_that_only_the_pack_names_are_its_own_word(
    found: tuple[Settings, int, Path], tmp_path: Path, files: Files
) -> None:
    trusted = tmp_path / "policy"
    trusted.write_bytes(files[parts.POLICY])
    own, given = described(checked(found[2])), described(verify_pack(found[2], None, trusted, None))

    assert "cosigned by witnesses witness-1, witness-2, which is the pack's own word" in " ".join(own.split())
    assert "pack's own word" not in given
    assert "1 time stamp, not checked: give --tsa-roots" in " ".join(given.split())


@pytest.mark.skipif(not has_openssl(), reason="openssl, which plays the authority, is not installed")
def test_time_stamps_are_checked_under_roots(made: Made, files: Files, tmp_path: Path) -> None:
    note, answer = (name for name in files if name.startswith(parts.STAMPS))
    roots, other = make_authority(tmp_path / "one"), make_authority(tmp_path / "two")
    stamped = stamp(tmp_path / "one", query(files[note]).data)
    path = written(tmp_path / "stamped.zip", listed({**files, answer: stamped}))
    vkey = str(made[0].keys / next(made[0].keys.iterdir()).name / "vkey")
    good, bad, none = (verify_pack(path, vkey, None, None, pem) for pem in (roots, other, None))

    assert (good.status, good.time_stamps, len(good.stamped)) == ("ok", 1, 1)
    assert "by CN=Time,O=Example holds" in " ".join(described(good).split())
    assert named(bad) == {note}
    assert "does not hold" in dict(bad.problems)[note]
    assert (none.status, none.time_stamps, none.stamped) == ("ok", 1, ())


def test_what_are_no_roots_is_said(found: tuple[Settings, int, Path], tmp_path: Path) -> None:
    (tmp_path / "roots.pem").write_text("nothing")

    with pytest.raises(UsageError, match="not certificates"):
        verify_pack(found[2], None, None, None, tmp_path / "roots.pem")
    with pytest.raises(UsageError, match="cannot read the policy"):
        verify_pack(found[2], None, tmp_path / "missing", None)


def test_no_more_of_a_seal_is_read_than_a_seal_has(found: tuple[Settings, int, Path], tmp_path: Path) -> None:
    path = shutil.copy(found[2], tmp_path / "pack.zip")
    with (tmp_path / "pack.zip.tlog-proof").open("wb") as file:
        file.truncate(1 << 40)

    said = dict(verify_pack(Path(path), None, None, None).problems)

    assert "too long" in said["pack.zip.tlog-proof"]
