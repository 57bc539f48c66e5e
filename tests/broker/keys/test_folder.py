"""The folder of a ring: who may look into it, and what a crash at any step leaves."""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import pytest

from custody.broker.keys.folder import KeyFolder
from custody.broker.keys.ring import Member, Place, Ring, begun, due, turned
from custody.broker.keys.signer import Algorithm, Jwk, decoded, drawn, loaded
from custody.errors import StoreLocked, UsageError
from custody.store.disk import Fault, FaultyDisk
from custody.store.lock import hold

NOW = 1_795_000_000_000_000
LATER = NOW + 40 * 86_400_000_000
MOST_STEPS = 60


def folder(path: Path) -> KeyFolder:
    return KeyFolder(path / "own", "EdDSA")


def test_only_the_owner_can_read_and_only_two_private_keys_are_kept(tmp_path: Path) -> None:
    own = folder(tmp_path)
    ring, signer = own.open(NOW)
    for turn in range(1, 4):
        ring, signer = own.turn(ring, NOW + turn, until=LATER)

    files = sorted(path.name for path in (tmp_path / "own").iterdir())
    assert files == sorted(["ring.json", *(f"{ring.at(p).jwk.kid}.pem" for p in (Place.CURRENT, Place.NEXT))])
    assert (tmp_path / "own").stat().st_mode & 0o7777 == 0o700
    assert {path.stat().st_mode & 0o7777 for path in (tmp_path / "own").iterdir()} == {0o600}
    assert len([each for each in ring.members if each.place is Place.PREVIOUS]) == 3
    assert b"PRIVATE" not in (tmp_path / "own" / "ring.json").read_bytes()
    assert signer.jwk == ring.at(Place.CURRENT).jwk


@pytest.mark.parametrize("fault", ["lost", "torn", "kept"])
@pytest.mark.parametrize("distrusted", [False, True])
def test_a_crash_at_any_step_of_a_turn_leaves_a_ring_that_signs_and_that_was_published(
    tmp_path: Path, fault: Fault, distrusted: bool
) -> None:
    steps = 0
    for fail_at in range(MOST_STEPS):
        path = tmp_path / str(fail_at)
        before, _ = KeyFolder(path, "EdDSA").open(NOW)
        disk = FaultyDisk(fail_at=fail_at, fault=fault)
        try:
            KeyFolder(path, "EdDSA", disk=disk).turn(before, NOW + 1, until=LATER, distrusted=distrusted)
        except OSError:
            steps += 1
        else:
            break

        ring, signer = KeyFolder(path, "EdDSA").open(NOW + 2)
        signed = signer.sign(b"x")
        assert ring.at(Place.CURRENT).jwk.verifies(signed, b"x")
        if not distrusted:
            assert signer.jwk in [each.jwk for each in before.members]
        again, _ = KeyFolder(path, "EdDSA").turn(ring, NOW + 3, until=LATER)
        assert again.at(Place.CURRENT).jwk == ring.at(Place.NEXT).jwk
    assert 5 < steps < MOST_STEPS - 1


@pytest.mark.parametrize("fault", ["lost", "torn", "kept"])
def test_a_crash_at_any_step_of_the_beginning_leaves_a_folder_that_opens(tmp_path: Path, fault: Fault) -> None:
    steps = 0
    for fail_at in range(MOST_STEPS):
        path = tmp_path / str(fail_at)
        try:
            KeyFolder(path, "EdDSA", disk=FaultyDisk(fail_at=fail_at, fault=fault)).open(NOW)
        except OSError:
            steps += 1
        else:
            break

        ring, signer = KeyFolder(path, "EdDSA").open(NOW + 1)
        assert ring.at(Place.CURRENT).jwk == signer.jwk
    assert 5 < steps < MOST_STEPS - 1


def _open_folder(path: Path) -> None:
    path.chmod(0o750)


def _open_key(path: Path) -> None:
    _key(path).chmod(0o640)


def _other_key(path: Path) -> None:
    _key(path).write_bytes(drawn("EdDSA").pem())


def _other_curve(path: Path) -> None:
    _key(path).write_bytes(drawn("ES256").pem())


def _no_key(path: Path) -> None:
    _key(path).unlink()


def _rubbish(path: Path) -> None:
    _key(path).write_bytes(b"-----BEGIN PRIVATE KEY-----\nmust-not-stay\n-----END PRIVATE KEY-----\n")


def _link(path: Path) -> None:
    key = _key(path)
    key.rename(path.parent / "elsewhere.pem")
    key.symlink_to(path.parent / "elsewhere.pem")


def _half_a_ring(path: Path) -> None:
    ring = path / "ring.json"
    ring.write_bytes(ring.read_bytes()[:50])


def _no_current(path: Path) -> None:
    ring = path / "ring.json"
    ring.write_bytes(ring.read_bytes().replace(b'"current"', b'"next"'))


def _outside(path: Path) -> None:
    kid = _key(path).stem
    ring = path / "ring.json"
    ring.write_bytes(ring.read_bytes().replace(kid.encode(), b"../" + kid.encode()))


def _key(path: Path) -> Path:
    return min(path.glob("*.pem"))


@pytest.mark.parametrize(
    "damage",
    [
        _open_folder, _open_key, _other_key, _other_curve, _no_key, _rubbish, _link, _half_a_ring, _no_current, _outside
    ],
)  # fmt: skip
def test_keys_that_cannot_be_trusted_are_refused(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    folder(tmp_path).open(NOW)
    damage(tmp_path / "own")

    with pytest.raises((UsageError, OSError)) as refused:
        folder(tmp_path).open(NOW)

    assert "must-not-stay" not in str(refused.value)


def test_another_algorithm_needs_a_folder_of_its_own(tmp_path: Path) -> None:
    folder(tmp_path).open(NOW)

    with pytest.raises(UsageError, match="another algorithm"):
        KeyFolder(tmp_path / "own", "ES256").open(NOW)


def test_a_folder_above_with_the_set_group_id_bit_gives_nothing_away(tmp_path: Path) -> None:
    tmp_path.chmod(0o2770)
    if not tmp_path.stat().st_mode & 0o2000:
        os.chown(tmp_path, -1, os.getegid())
        tmp_path.chmod(0o2770)

    folder(tmp_path).open(NOW)

    assert {path.stat().st_mode & 0o7777 for path in (tmp_path / "own").iterdir()} == {0o600}


def test_a_private_key_does_not_show_itself() -> None:
    signer = drawn("EdDSA")

    assert "PRIVATE" not in repr(signer) + str(signer)
    with pytest.raises(TypeError):
        pickle.dumps(signer)
    assert loaded(signer.pem(), "x", "EdDSA").jwk == signer.jwk


def jwk(kid: str) -> Jwk:
    return Jwk(kid=kid, kty="OKP", crv="Ed25519", x=kid, alg="EdDSA")


def test_the_next_key_is_published_and_is_not_believed_to_have_signed() -> None:
    ring = begun(jwk("a"), jwk("b"), NOW)

    assert [each.jwk.kid for each in ring.believed(NOW)] == ["a", "b"]
    assert ring.of("a", NOW) == jwk("a")
    assert ring.of("b", NOW) is None
    assert ring.of("c", NOW) is None


@pytest.mark.parametrize(
    ("now", "expected"),
    [(NOW, False), (NOW + 99, False), (NOW + 100, True), (NOW - 1_000_000, False)],
)
def test_it_is_time_when_the_current_key_has_signed_long_enough_and_the_next_is_known(now: int, expected: bool) -> None:
    ring = begun(jwk("a"), jwk("b"), NOW)

    assert due(ring, now, every=100, ahead=50) is expected
    assert due(ring, now, every=50, ahead=100) is expected


def test_previous_keys_leave_one_by_one() -> None:
    ring = turned(begun(jwk("a"), jwk("b"), NOW), jwk("c"), NOW + 10, until=NOW + 100)
    ring = turned(ring, jwk("d"), NOW + 20, until=NOW + 200)

    assert ring.at(Place.CURRENT) == Member(jwk=jwk("c"), place=Place.CURRENT, published=NOW + 10, since=NOW + 20)
    assert [each.jwk.kid for each in ring.believed(NOW + 99)] == ["c", "d", "b", "a"]
    assert [each.jwk.kid for each in ring.believed(NOW + 100)] == ["c", "d", "b"]
    assert [each.jwk.kid for each in turned(ring, jwk("e"), NOW + 201, until=NOW + 300).members] == ["d", "e", "c"]
    with pytest.raises(UsageError, match="damaged"):
        Ring(members=()).at(Place.CURRENT)


@pytest.mark.parametrize("text", ["AQG", "AQ=", "A Q", "A\nQ", "ü", "A", "AQ+/"])
def test_base64url_is_written_one_way(text: str) -> None:
    with pytest.raises(ValueError):
        decoded(text)


@pytest.mark.parametrize("algorithm", ["EdDSA", "Ed25519", "ES256"])
def test_a_signature_of_another_key_or_length_does_not_verify(algorithm: Algorithm) -> None:
    signer, other = drawn(algorithm), drawn("EdDSA")
    good = signer.sign(b"x")

    assert signer.jwk.verifies(good, b"x")
    assert not signer.jwk.verifies(good, b"y")
    assert not signer.jwk.verifies(good[:-1], b"x")
    assert not signer.jwk.verifies(good + b"\0", b"x")
    assert not signer.jwk.verifies(b"\0" * 64, b"x")
    assert not other.jwk.verifies(good, b"x")


def test_of_many_that_open_at_once_one_makes_the_keys_and_the_others_read_them(tmp_path: Path) -> None:
    together = Barrier(8)

    def opens(number: int) -> tuple[Ring, Jwk, bool]:
        together.wait(10)
        ring, signer = folder(tmp_path).open(NOW + number)
        return ring, signer.jwk, ring.at(Place.CURRENT).jwk.verifies(signer.sign(b"x"), b"x")

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(opens, range(8)))

    assert [each == found[0] for each in found] == [True] * 8
    assert found[0][2]
    assert len(list((tmp_path / "own").glob("*.pem"))) == 2


CHILD = """
import sys
from pathlib import Path
from custody.broker.keys.folder import KeyFolder
path = Path(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
ring, signer = KeyFolder(path / "own", "EdDSA").open(1)
print(signer.jwk.kid, *(each.jwk.kid for each in ring.members), flush=True)
"""


def test_two_processes_that_start_for_the_first_time_have_the_same_keys(tmp_path: Path) -> None:
    def started() -> subprocess.Popen[str]:
        arguments = [sys.executable, "-c", CHILD, str(tmp_path)]
        return subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    with started() as one, started() as other:
        both = (one, other)
        ready = [each.stdout.readline() for each in both if each.stdout]
        for each in both:
            assert each.stdin is not None
            each.stdin.write("\n")
            each.stdin.flush()
        told = [each.communicate(timeout=30)[0].split() for each in both]

    assert ready == ["ready\n"] * 2
    assert told[0] == told[1]
    assert len(set(told[0])) == 2


def test_a_ring_is_not_read_while_it_is_turned(tmp_path: Path) -> None:
    own = folder(tmp_path)
    ring, _ = own.open(NOW)
    done = Event()

    def reads() -> int:
        number = 0
        while not done.is_set() or number == 0:
            found, signer = folder(tmp_path).open(NOW)
            assert found.at(Place.CURRENT).jwk == signer.jwk
            number += 1
        return number

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(reads)
        for turn in range(30):
            ring, _ = own.turn(ring, NOW + turn, until=LATER)
        done.set()
        assert reading.result(30) > 0


def test_who_finds_another_at_work_for_too_long_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("custody.broker.keys.folder._WAIT", 0.02)
    own = folder(tmp_path)
    ring, _ = own.open(NOW)
    lock = hold(tmp_path / "own.lock")
    try:
        with pytest.raises(StoreLocked, match="another process is at work on these keys"):
            own.open(NOW)
        with pytest.raises(StoreLocked):
            own.turn(ring, NOW, until=LATER)
    finally:
        lock.release()
    assert own.open(NOW)[0] == ring
