"""Whatever is changed in a pack, the file is named; also where the manifest was made to fit."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from custody.errors import LogError
from custody.ledger.note import Signer, sign
from custody.ledger.policy import format_policy, of_log, parse_policy
from custody.ledger.proof import format_proof, parse_proof
from custody.packs import cited, manifest, parts
from custody.packs.evidence import LEAVES
from custody.packs.manifest import Manifest
from custody.packs.seal import read_seal
from custody.packs.verification import verify
from tests.packs.conftest import Made
from tests.packs.estate import Files, audited, checked, files_of, listed, named, packed, written


def flip(data: bytes) -> bytes:
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] if data else b"x"


def cut(data: bytes) -> bytes:
    return data[:-1] if data else b"x"


def longer(data: bytes) -> bytes:
    return data + b"\0"


def drawn(files: Files) -> list[str]:
    """Every file that stands alone, and some of each folder."""
    noise = random.Random(7)
    folders: dict[str, list[str]] = {}
    for name in files:
        folders.setdefault(name.rpartition("/")[0], []).append(name)
    return [name for folder, names in folders.items() for name in (noise.sample(names, 3) if folder else names)]


def test_the_pack_is_whole(made: Made, files: Files) -> None:
    found = checked(made[2])

    assert (found.status, found.problems) == ("ok", ())
    assert found.files == len(files)
    assert found.records == sum(name.startswith("records/") for name in files)
    assert found.trusted == "the pack's own word"


@pytest.mark.parametrize("way", [flip, cut, longer])
def test_every_changed_file_is_named(way: Callable[[bytes], bytes], files: Files, tmp_path: Path) -> None:
    for name in drawn(files):
        path = written(tmp_path / "changed.zip", {**files, name: way(files[name])})
        found = checked(path)

        assert found.status == "damaged", name
        assert name in named(found) or name == manifest.NAME, (name, found.problems)


def test_every_missing_file_is_named(files: Files, tmp_path: Path) -> None:
    for name in drawn(files):
        path = written(tmp_path / "less.zip", {each: data for each, data in files.items() if each != name})

        assert name in named(checked(path)), name


def test_every_missing_file_is_named_though_the_manifest_fits(files: Files, tmp_path: Path) -> None:
    for name in drawn(files):
        if name == manifest.NAME:
            continue
        path = written(tmp_path / "less.zip", listed({each: data for each, data in files.items() if each != name}))

        assert checked(path).status == "damaged", name


@pytest.mark.parametrize("name", ["extra.txt", "entries/999999", "records/0.bin", "proofs/0.txt", "csv/more.csv"])
def test_an_added_file_is_named(name: str, files: Files, tmp_path: Path) -> None:
    assert named(checked(written(tmp_path / "more.zip", {**files, name: b"x"}))) == {name}


def test_an_added_file_of_no_leaf_is_named_though_the_manifest_fits(files: Files, tmp_path: Path) -> None:
    for name in ("entries/999999", "records/0.bin", "extra.txt"):
        found = checked(written(tmp_path / "more.zip", listed({**files, name: b"x"})))

        assert named(found) == {name}


def test_files_in_another_order_are_named(files: Files, tmp_path: Path) -> None:
    names = list(files)
    names[3], names[9] = names[9], names[3]
    found = checked(written(tmp_path / "order.zip", {name: files[name] for name in names}))

    assert named(found) == {names[3]}
    assert "should, by the manifest" in dict(found.problems)[names[3]]


def test_two_files_that_changed_places_are_named(files: Files, tmp_path: Path) -> None:
    one, other = [name for name in files if name.startswith("records/")][:2]
    swapped = listed({**files, one: files[other], other: files[one]})

    assert named(checked(written(tmp_path / "swapped.zip", swapped))) == {one, other}


@pytest.mark.parametrize("way", [flip, cut, longer])
def test_evidence_is_named_though_the_manifest_fits(
    way: Callable[[bytes], bytes], files: Files, tmp_path: Path
) -> None:
    folders = ("entries/", "proofs/", "records/")
    names = [name for name in drawn(files) if name.startswith(folders)]
    for name in [*names, parts.CHECKPOINT, parts.POLICY, parts.DERIVED, parts.CONTRACT, LEAVES]:
        found = checked(written(tmp_path / "forged.zip", listed({**files, name: way(files[name])})))

        assert found.status == "damaged", name
        assert name in named(found), (name, found.problems)


def test_any_byte_of_the_archive_counts(made: Made, tmp_path: Path) -> None:
    data, noise = made[2].read_bytes(), random.Random(11)
    path = tmp_path / "flipped.zip"
    places = [0, 4, 8, 10, 14, 28, len(data) - 1, len(data) - 22, len(data) - 12, *noise.sample(range(len(data)), 25)]
    for at in places:
        path.write_bytes(data[:at] + bytes([data[at] ^ 1 << noise.randrange(8)]) + data[at + 1 :])

        assert checked(path).status == "damaged", at


@pytest.mark.parametrize("change", [longer, lambda data: b"x" + data, lambda data: data[:-5], lambda data: b""])
def test_bytes_around_the_archive_count(change: Callable[[bytes], bytes], made: Made, tmp_path: Path) -> None:
    path = tmp_path / "around.zip"
    path.write_bytes(change(made[2].read_bytes()))

    assert checked(path).status == "damaged"


def test_a_proof_of_another_log_is_named(files: Files, tmp_path: Path) -> None:
    (tmp_path / "foreign").mkdir()
    settings = audited(tmp_path / "foreign")
    packed(settings, tmp_path / "foreign.zip")
    other = files_of(tmp_path / "foreign.zip")
    name = next(name for name in files if name.startswith("proofs/") and name in other)
    found = checked(written(tmp_path / "mixed.zip", listed({**files, name: other[name]})))

    assert name in named(found)
    assert "another checkpoint" in dict(found.problems)[name]


def test_a_proof_that_carries_something_is_named(files: Files, tmp_path: Path) -> None:
    name = next(name for name in files if name.startswith("proofs/"))
    proof = parse_proof(files[name])
    more = format_proof(proof.index, proof.hashes, proof.checkpoint, b"unauthenticated")

    assert name in named(checked(written(tmp_path / "extra.zip", listed({**files, name: more}))))


def test_a_pack_signed_again_with_another_key_is_whole_and_not_theirs(made: Made, files: Files, tmp_path: Path) -> None:
    forged = _signed_again(files)
    path = written(tmp_path / "forged.zip", forged)
    own = verify(path, None, None)
    right = parse_policy(files[parts.POLICY])
    theirs = verify(path, right, (made[2].parent / "evidence.zip.tlog-proof").read_bytes())

    assert own.status == "ok"
    assert own.trusted == "the pack's own word"
    assert parts.CHECKPOINT in named(theirs)
    assert path.name + parts.SEAL in named(theirs)
    assert theirs.leaves == 0


def _signed_again(files: Files) -> Files:
    """The pack as somebody with another key of the same name would make it."""
    text = files[parts.CHECKPOINT].decode().split("\n\n")[0] + "\n"
    signer = Signer(text.split("\n")[0], bytes(32))
    note = sign(text, [signer])
    forged = {**files, parts.CHECKPOINT: note, parts.POLICY: format_policy(of_log(signer.vkey))}
    for name in files:
        if name.startswith("proofs/"):
            proof = parse_proof(files[name])
            forged[name] = format_proof(proof.index, proof.hashes, note)
    return listed(forged)


def test_another_checkpoint_in_the_manifest_is_named(files: Files, tmp_path: Path) -> None:
    def smaller(found: Manifest) -> Manifest:
        return msgspec.structs.replace(found, basis=msgspec.structs.replace(found.basis, size=found.basis.size - 1))

    assert named(checked(written(tmp_path / "stated.zip", listed(files, smaller)))) == {manifest.NAME}


def test_a_pack_of_a_newer_custody_is_not_guessed_at(files: Files, tmp_path: Path) -> None:
    newer = {**files, manifest.NAME: files[manifest.NAME].replace(b'"format":1', b'"format":2')}
    found = checked(written(tmp_path / "newer.zip", newer))

    assert "another version of custody" in dict(found.problems)[manifest.NAME]


@pytest.mark.parametrize("name", [parts.VERDICTS, parts.CHAINS, parts.FINDINGS, parts.REGISTER, parts.SCOPE])
def test_a_leaf_that_is_cited_and_not_there_is_named(name: str, files: Files, tmp_path: Path) -> None:
    cited = b'{"log":"operations","index":99999}'
    data = files[name]
    if name == parts.SCOPE:
        forged = data.rstrip()[:-1] + b',"more":' + cited + b"}\n"
    else:
        head, *rest = data.split(b"\n")
        forged = b"\n".join([head, cited + (b"," if rest[0] != b"]}" else b""), *rest])
    found = checked(written(tmp_path / "cited.zip", listed({**files, name: forged})))

    assert "cites leaf 99999" in dict(found.problems).get(name, ""), found.problems


@pytest.mark.parametrize("name", [parts.FINDINGS, parts.REGISTER, parts.EVENTS, parts.SCOPE, parts.OSCAL])
def test_an_object_with_a_name_twice_is_named(name: str, files: Files, tmp_path: Path) -> None:
    """Readers differ in which of the two they believe: what is checked here need not be what somebody reads."""
    data = files[name]
    twice = data.replace(b"{", b'{"said":1,"said":2,', 1) if data else b'{"said":1,"said":2}\n'
    found = checked(written(tmp_path / "twice.zip", listed({**files, name: twice})))

    assert named(found) == {name}
    assert "a name twice" in dict(found.problems)[name]


def test_a_document_that_fills_the_memory_is_not_read(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cited, "LARGEST", 100_000)
    large = b'{"large":"' + b" " * 100_000 + b'"}\n'

    found = checked(written(tmp_path / "large.zip", listed({**files, parts.SCOPE: large})))

    assert "too large" in dict(found.problems)[parts.SCOPE]


@pytest.mark.parametrize("depth", [900, 960, 990, 100_000])
def test_deep_nesting_breaks_nothing(depth: int, files: Files, tmp_path: Path) -> None:
    deep = b'{"deep":' + b"[" * depth + b"]" * depth + b"}\n"

    assert named(checked(written(tmp_path / "deep.zip", listed({**files, parts.SCOPE: deep})))) <= {parts.SCOPE}


def test_a_population_made_smaller_is_named(files: Files, tmp_path: Path) -> None:
    head, first, *rest = files[parts.POPULATION].split(b"\n")
    fewer = listed({**files, parts.POPULATION: b"\n".join([head, *rest])})
    found = checked(written(tmp_path / "population.zip", fewer))

    assert first
    assert parts.POPULATION in named(found)


def test_a_sample_chosen_by_hand_is_named(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "sample.zip"
    packed(made[0], path, sample=1, seed="a")
    files = files_of(path)

    def other(found: Manifest) -> Manifest:
        return msgspec.structs.replace(found, options=msgspec.structs.replace(found.options, seed=wanted))

    honest = checked(path)
    ids = [json.loads(line.rstrip(b",")) for line in files[parts.POPULATION].split(b"\n")[1:-2]]
    verdicts = json.loads(files[parts.VERDICTS])["verdicts"]
    wanted = next(seed for seed in "bcdefghij" if _first(ids, seed) != verdicts[0]["credential"])
    found = checked(written(tmp_path / "chosen.zip", listed(files, other)))

    assert honest.status == "ok"
    assert {parts.VERDICTS, parts.CHAINS} <= named(found)


def _first(ids: list[str], seed: str) -> str:
    from custody.model.sampling import sample

    return sample(ids, 1, seed).chosen[0]


def test_the_seal_is_of_these_bytes_alone(made: Made, files: Files, tmp_path: Path) -> None:
    seal = Path(made[1].seal).read_bytes()
    policy = parse_policy(files[parts.POLICY])
    good = verify(made[2], policy, seal)
    changed = {**files, parts.VERDICTS: files[parts.VERDICTS].replace(b"unproven", b"proved", 1)}
    forged = written(tmp_path / "better.zip", listed(changed))

    assert good.status == "ok"
    assert good.sealed is not None
    assert (good.sealed.leaf, good.sealed.made_for) == (made[1].leaf, "auditor@example.com")
    assert checked(forged).status == "ok", "nothing in a pack can show what only the log can say"
    assert named(verify(forged, policy, seal)) == {forged.name + parts.SEAL}


@pytest.mark.parametrize("way", [flip, cut, longer])
def test_a_changed_seal_is_refused(way: Callable[[bytes], bytes], made: Made, files: Files) -> None:
    with pytest.raises(LogError):
        read_seal(way(Path(made[1].seal).read_bytes()), parse_policy(files[parts.POLICY]), made[1].sha256)
