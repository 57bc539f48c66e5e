"""What goes into a pack: the same bytes for the same question, whole evidence, nothing raw, nothing secret."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pymerkle
import pytest

from custody.errors import CustodyError, NotFound, StoreError, UsageError
from custody.ledger.checkpoint import parse
from custody.ledger.entry import RecordEntry, decode
from custody.ledger.note import Signer, parse_note
from custody.packs import documents, evidence, manifest, parts
from custody.packs.archive import Writer
from custody.packs.evidence import LEAVES
from custody.pipeline.audit import audit
from custody.pipeline.rebuild import rebuild
from custody.pipeline.verify import verify, verify_pack
from custody.settings.catalog import Settings
from custody.store.earlier import Earlier
from custody.store.reader import Reader
from tests.packs.conftest import Made
from tests.packs.estate import (
    FORMULA,
    SECRET,
    Files,
    audited,
    checked,
    files_of,
    key_of,
    listed,
    packed,
    records,
    role_of,
    settings_in,
    written,
)


def moved(settings: Settings, folder: Path) -> Settings:
    """A copy of a store and its keys in another place."""
    shutil.copytree(settings.store, folder / "store")
    shutil.copytree(settings.keys, folder / "keys")
    return settings_in(folder)


def listing(files: Files, name: str, field: str) -> list[dict[str, object]]:
    found = json.loads(files[name])[field]
    assert isinstance(found, list)
    return found


def test_the_same_store_and_options_give_the_same_bytes(made: Made, tmp_path: Path) -> None:
    settings, first, path = made
    again = packed(settings, tmp_path / "again.zip", made_for="auditor@example.com")
    copy = packed(moved(settings, tmp_path), tmp_path / "copy.zip", made_for="auditor@example.com")

    assert first.sha256 == again.sha256 == copy.sha256 == sha256(path.read_bytes()).hexdigest()
    assert again.leaf > first.leaf
    assert first.manifest == sha256(files_of(path)[manifest.NAME]).hexdigest()


def test_reading_known_files_again_changes_nothing(made: Made, tmp_path: Path) -> None:
    settings, first, path = made
    mine = moved(settings, tmp_path)
    audit(mine, [path.parent / "logs"], lambda progress: None)
    known = packed(mine, tmp_path / "known.zip", made_for="auditor@example.com")

    assert known.sha256 == first.sha256
    assert verify(mine, None, None, None).status == "ok"


def test_a_rebuild_publishes_its_tables_anew_and_says_the_same(made: Made, files: Files, tmp_path: Path) -> None:
    settings, first, _ = made
    mine = moved(settings, tmp_path)
    rebuild(mine, lambda progress: None)
    later = packed(mine, tmp_path / "rebuilt.zip", made_for="auditor@example.com")
    rebuilt = files_of(tmp_path / "rebuilt.zip")

    assert later.checkpoint.size > first.checkpoint.size
    same = [name for name in files if name.startswith(("records/", "csv/"))]
    for name in (*same, parts.VERDICTS, parts.CHAINS, parts.FINDINGS, parts.REGISTER, parts.POPULATION, parts.CONTRACT):
        assert rebuilt[name] == files[name], name


def test_new_records_give_another_pack_under_a_later_checkpoint(made: Made, tmp_path: Path) -> None:
    settings, first, _ = made
    mine = moved(settings, tmp_path)
    more = tmp_path / "more.json"
    more.write_text(json.dumps({"Records": records(4)[-3:]}))
    audit(mine, [more], lambda progress: None)
    later = packed(mine, tmp_path / "later.zip", made_for="auditor@example.com")

    assert later.checkpoint.size > first.checkpoint.size
    assert later.counts["credentials"] == first.counts["credentials"] + 1


def test_that_a_pack_was_made_is_sealed(made: Made) -> None:
    settings, first, path = made
    with Reader.open(settings.store) as reader:
        fields = next(said.entry.fields for said in reader.statements(parts.STATEMENT) if said.leaf == first.leaf)

    assert (fields["sha256"], fields["bytes"]) == (first.sha256, path.stat().st_size)
    assert (fields["for"], fields["size"]) == ("auditor@example.com", first.checkpoint.size)
    assert fields["options"] == {
        "identities": [], "credentials": [], "rules": [], "controls": [], "sample": None, "seed": "0",
        "period": ["2026-03-01T00:00:00Z", "2026-03-03T00:00:00Z"],
    }  # fmt: skip


def test_the_checkpoint_is_one_that_was_published(made: Made, files: Files) -> None:
    point = parse(parse_note(files[parts.CHECKPOINT]).text)
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    with Reader.open(made[0].store) as reader:
        for leaf in range(point.size):
            tree.append_entry(reader.raw_entry(leaf))

    assert tree.get_root() == point.root


def test_every_record_of_a_chain_is_there_with_its_file(files: Files) -> None:
    kept = {name: data for name, data in files.items() if name.startswith("records/")}
    ids = {json.loads(data)["eventID"] for data in kept.values()}
    entries = [decode(data) for name, data in files.items() if name.startswith("entries/")]

    assert ids == {record["eventID"] for record in records(3)}
    assert len(kept) == sum(isinstance(entry, RecordEntry) for entry in entries)


def test_a_stranger_can_check_a_record_with_four_lines(files: Files) -> None:
    for leaf in listing(files, LEAVES, "leaves"):
        if leaf["kind"] == "record":
            sealed = json.loads(files[f"entries/{leaf['leaf']}"])
            kept = files[f"records/{leaf['leaf']}.bin"]
            assert sha256(bytes.fromhex(str(leaf["salt"])) + kept).hexdigest() == sealed["kept"]


def test_files_are_what_their_names_say(files: Files) -> None:
    for name, data in files.items():
        if name.endswith(".json"):
            assert json.loads(data) is not None, name
        elif name.endswith(".ndjson"):
            assert all(isinstance(json.loads(line), dict) for line in data.splitlines()), name
    assert files[parts.REPORT].startswith(b"<!doctype html>")
    assert "team:payments" in str(listing(files, parts.REGISTER, "rows"))
    assert b"team:payments" in files[parts.CONTRACT]


def test_verdicts_are_those_of_trace(made: Made, files: Files) -> None:
    from custody.pipeline.trace import find

    chain = find(made[0], key_of(1)).chain
    assert chain is not None
    mine = next(each for each in listing(files, parts.VERDICTS, "verdicts") if each["credential"] == chain.credential)

    assert [each["state"] for each in mine["verdicts"]] == [each.state for each in chain.verdicts]  # type: ignore[attr-defined]


def test_other_tools_unpack_it(made: Made) -> None:
    if shutil.which("unzip") is None:
        pytest.skip("unzip is not installed")
    done = subprocess.run(["unzip", "-tqq", str(made[2])], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")


def test_hostile_text_stands_nowhere_raw(files: Files) -> None:
    texts = {name: data for name, data in files.items() if not name.startswith(("records/", "entries/"))}

    for name, data in texts.items():
        assert b"\x1b" not in data, name
        assert "\u202e".encode() not in data, name
        assert b"<script>" not in data or not name.endswith(".html"), name
        if name.endswith(".csv"):
            cells = [cell for row in csv.reader(io.StringIO(data.decode())) for cell in row]
            assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "\t", "\r"))], name
    assert any(FORMULA.encode() in data for name, data in files.items() if name.startswith("records/"))


def test_no_secret_is_in_a_pack(made: Made, files: Files) -> None:
    assert not [name for name, data in files.items() if SECRET.encode() in data]
    seeds = [path.read_bytes() for path in made[0].keys.rglob("*") if path.name in ("seed", "secret")]
    assert len(seeds) == 2
    assert not [name for name, data in files.items() for seed in seeds if seed in data or seed.hex().encode() in data]


def test_options_narrow_each_other(made: Made, tmp_path: Path) -> None:
    settings = made[0]
    one = packed(settings, tmp_path / "one.zip", period=None, credentials=[key_of(1)])
    role = packed(settings, tmp_path / "role.zip", period=None, identities=[role_of(2)])
    both = packed(settings, tmp_path / "both.zip", identities=[role_of(0), role_of(2)])
    none = packed(settings, tmp_path / "none.zip", period=("2027-01-01", "2027-01-02"), identities=[role_of(0)])
    chosen = listing(files_of(tmp_path / "role.zip"), parts.CHAINS, "chains")

    assert [each.counts["credentials"] for each in (one, role, both, none)] == [1, 1, 2, 0]
    assert [each["subject"] for each in chosen] == [f"aws_arn:111122223333:{role_of(2)}"]
    assert key_of(0).encode() not in b"".join(files_of(tmp_path / "role.zip").values())
    assert {checked(tmp_path / f"{name}.zip").status for name in ("one", "role", "both", "none")} == {"ok"}


def test_a_rule_brings_all_that_it_looks_at_and_its_own_findings(made: Made, tmp_path: Path) -> None:
    asked = packed(made[0], tmp_path / "rule.zip", period=None, rules=["end-recorded"])
    control = packed(made[0], tmp_path / "control.zip", period=None, controls=["nhi1"])
    found = listing(files_of(tmp_path / "rule.zip"), parts.FINDINGS, "findings")

    assert asked.counts["credentials"] == control.counts["credentials"] == 3
    assert {each["rule"] for each in found} <= {"end-recorded"}
    assert checked(tmp_path / "control.zip").status == "ok"


def test_a_sample_says_what_it_was_drawn_from(made: Made, tmp_path: Path) -> None:
    drawn = packed(made[0], tmp_path / "drawn.zip", sample=2, seed="2026")
    population = json.loads(files_of(tmp_path / "drawn.zip")[parts.POPULATION])
    ids = population["members"]

    assert (drawn.counts["credentials"], drawn.population, len(ids)) == (2, 3, 3)
    assert population["digest"] == sha256("".join(f"{each}\n" for each in ids).encode()).hexdigest()
    ranked = sorted(ids, key=lambda each: sha256(f"2026\n{each}".encode()).digest())
    chains = listing(files_of(tmp_path / "drawn.zip"), parts.CHAINS, "chains")
    assert [each["credential"] for each in chains] == sorted(ranked[:2])


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"period": None}, UsageError),
        ({"rules": ["no-such-rule"]}, UsageError),
        ({"controls": ["XX-99"]}, UsageError),
        ({"identities": ["nobody"]}, NotFound),
        ({"credentials": ["ASIANOTTHERE00000000"]}, NotFound),
        ({"period": ("2026-03-02", "2026-03-01")}, UsageError),
        ({"period": ("yesterday", "today")}, UsageError),
    ],
)
def test_what_names_nothing_makes_nothing(
    asked: dict[str, object], error: type[CustodyError], made: Made, tmp_path: Path
) -> None:
    with Reader.open(made[0].store) as reader:
        before = reader.size
    with pytest.raises(error):
        packed(made[0], tmp_path / "none.zip", **asked)
    with Reader.open(made[0].store) as reader:
        assert reader.size == before
    assert list(tmp_path.iterdir()) == []


def test_a_pack_cannot_be_made_without_the_keys(made: Made, tmp_path: Path) -> None:
    mine = moved(made[0], tmp_path)
    shutil.rmtree(mine.keys)
    with pytest.raises(StoreError, match="keys of this store"):
        packed(mine, tmp_path / "unsealed.zip")
    assert not (tmp_path / "unsealed.zip").exists()


def test_a_changed_record_is_not_packed(made: Made, tmp_path: Path) -> None:
    mine = moved(made[0], tmp_path)
    manifest_file = mine.store / "derived" / "manifest.json"
    manifest_file.write_bytes(manifest_file.read_bytes().replace(b'"through": ', b'"through": 1'))
    with pytest.raises(StoreError, match="not those that were sealed"):
        packed(mine, tmp_path / "changed.zip")


def test_a_withheld_record_stands_by_its_commitment_alone(tmp_path: Path) -> None:
    large = {**records(1)[1], "eventID": "00000000-0000-4000-8000-999999999999", "padding": "x" * 3000}
    settings = audited(tmp_path, 1, [large], max_record="2KiB")
    data = io.BytesIO()
    with Reader.open(settings.store) as reader:
        earlier = Earlier(settings.store, settings.keys, reader.store, reader.checkpoint(), reader.size)
        every = [(path, leaf) for path, _, leaf in evidence.write(Writer(data), reader, earlier, range(reader.size))]
    withheld = [leaf for path, leaf in every if path == evidence.entry_path(leaf.leaf) and leaf.withheld]

    assert len(withheld) == 1
    assert withheld[0].salt is None
    assert evidence.record_path(withheld[0].leaf) not in dict(every)


def test_what_is_withheld_is_said_and_not_missed(files: Files, tmp_path: Path) -> None:
    name = next(name for name in files if name.startswith("records/"))
    leaf = int(name.removeprefix("records/").removesuffix(".bin"))
    erased = {
        each: _without_salt(data, leaf) if each == evidence.LEAVES else data
        for each, data in files.items()
        if each != name
    }
    found = checked(written(tmp_path / "erased.zip", listed(erased)))

    assert (found.status, found.withheld) == ("ok", 1)


def _without_salt(data: bytes, leaf: int) -> bytes:
    lines = data.split(b"\n")
    at = next(at for at, line in enumerate(lines) if line.startswith(b'{"leaf":%d,' % leaf))
    value = {**json.loads(lines[at].rstrip(b",")), "salt": None, "withheld": True}
    lines[at] = documents.line(value) + (b"," if lines[at].endswith(b",") else b"")
    return b"\n".join(lines)


def test_whose_word_it_is(made: Made, files: Files, tmp_path: Path) -> None:
    vkey = next(made[0].keys.rglob("vkey")).read_text()
    policy = tmp_path / "policy"
    policy.write_bytes(files[parts.POLICY])
    given = verify_pack(made[2], vkey, None, None)
    other = verify_pack(made[2], Signer("example.com/log", bytes(32)).vkey, None, None)

    assert (given.status, given.trusted) == ("ok", "the key or policy that was given")
    assert given.sealed is not None
    assert verify_pack(made[2], None, policy, None).status == "ok"
    assert other.status == "damaged"
    with pytest.raises(UsageError):
        verify_pack(made[2], "no key", None, None)
    with pytest.raises(UsageError):
        verify_pack(made[2], vkey, policy, None)
    with pytest.raises(UsageError):
        verify_pack(tmp_path / "nothing.zip", None, None, None)


def test_a_policy_that_asks_for_a_witness_is_not_met(made: Made, files: Files, tmp_path: Path) -> None:
    from custody.ledger.cosignature import Cosigner

    witness = Cosigner("example.com/witness", bytes(32)).witness
    policy = tmp_path / "policy"
    log = files[parts.POLICY].split(b"\n")[0]
    policy.write_bytes(log + f"\nwitness w {witness.vkey}\nquorum w\n".encode())
    found = verify_pack(made[2], None, policy, None)

    assert "did not cosign" in dict(found.problems)[parts.CHECKPOINT]
