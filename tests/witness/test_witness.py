"""What a witness cosigns, and what it refuses (C2SP tlog-witness)."""

import http.client
import multiprocessing
import socket
import threading
from hashlib import sha256
from pathlib import Path

import pytest

from custody.errors import LogError, StoreError, UsageError
from custody.ledger import note
from custody.ledger.cosignature import Cosigner, cosignatures
from custody.ledger.witness_request import MAX_REQUEST, format_request, parse_request
from custody.witness import server
from custody.witness.folder import know, make, opened
from custody.witness.memory import Memory
from custody.witness.witness import SIZE, Reply, Witness
from tests.witness.logs import MemoryLog
from tests.witness.running import served

NOW = 1_772_445_600
ENTRIES = [f"entry {number}".encode() for number in range(40)]


class Watch:
    """A witness in a folder, and two logs that it knows."""

    def __init__(self, folder: Path) -> None:
        self.cosigner = make(folder, "witness.example.org")
        _, self.memory = opened(folder)
        self.log = MemoryLog("log.example.com/one", ENTRIES)
        self.other = MemoryLog("log.example.com/two", ENTRIES[:9], seed=b"t" * 32)
        for log in (self.log, self.other):
            assert know(self.memory, log.vkey)
        self.witness = Witness(self.cosigner, self.memory, lambda: NOW)

    def at(self, origin: str) -> int:
        """The size cosigned last."""
        known = self.memory.log(origin)
        assert known is not None
        return known.size


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    return Watch(tmp_path / "witness")


def cosigned(watch: Watch, log: MemoryLog, size: int, reply: Reply) -> int:
    """The time that the reply's cosignature says of the note of ``size``; fails where it does not hold."""
    assert reply.status == 200
    whole = log.note(size) + reply.body.encode()
    (found,) = cosignatures(note.parse_note(whole), [watch.cosigner.witness])
    return found.time


def test_checkpoints_that_continue_each_other_are_cosigned(watch: Watch) -> None:
    for old, size in ((0, 7), (7, 7), (7, 20), (20, 40)):
        reply = watch.witness.add_checkpoint(watch.log.request(old, size))

        assert cosigned(watch, watch.log, size, reply) == NOW
        assert watch.at(watch.log.origin) == size


def test_two_logs_are_watched_apart(watch: Watch) -> None:
    watch.witness.add_checkpoint(watch.log.request(0, 30))
    reply = watch.witness.add_checkpoint(watch.other.request(0, 5))

    assert cosigned(watch, watch.other, 5, reply) == NOW
    assert (watch.at(watch.log.origin), watch.at(watch.other.origin)) == (30, 5)


def test_a_fork_is_refused_at_every_size(watch: Watch) -> None:
    fork = MemoryLog(watch.log.origin, [*ENTRIES[:10], b"another", *ENTRIES[11:]])
    watch.witness.add_checkpoint(watch.log.request(0, 20))

    same_size = watch.witness.add_checkpoint(fork.request(20, 20))
    larger = watch.witness.add_checkpoint(fork.request(20, 30))

    assert (same_size.status, larger.status) == (409, 422)
    known = watch.memory.log(watch.log.origin)
    assert known is not None
    assert known.size == 20
    assert watch.witness.add_checkpoint(watch.log.request(20, 30)).status == 200


def test_an_older_checkpoint_is_refused_with_the_size_that_is_known(watch: Watch) -> None:
    watch.witness.add_checkpoint(watch.log.request(0, 20))

    again = watch.witness.add_checkpoint(watch.log.request(0, 10))
    wrong = watch.witness.add_checkpoint(watch.log.request(10, 30))

    assert again == Reply(409, "20\n", SIZE)
    assert wrong == Reply(409, "20\n", SIZE)


def test_an_old_size_above_the_checkpoint_is_no_request(watch: Watch) -> None:
    body = format_request(9, [], watch.log.note(7))

    assert watch.witness.add_checkpoint(body).status == 400


@pytest.mark.parametrize("old", [0, 8])
def test_a_wrong_proof_is_refused(watch: Watch, old: int) -> None:
    if old:
        watch.witness.add_checkpoint(watch.log.request(0, old))
    proof = [bytes(32), *watch.log.proof(old, 20)[1:]]

    assert watch.witness.add_checkpoint(format_request(old, proof, watch.log.note(20))).status == 422
    assert watch.at(watch.log.origin) == old


def test_an_unknown_log_and_an_unknown_key_are_told_apart(watch: Watch) -> None:
    stranger = MemoryLog("log.example.com/stranger", ENTRIES)
    thief = MemoryLog(watch.log.origin, ENTRIES, seed=b"x" * 32)

    assert watch.witness.add_checkpoint(stranger.request(0, 4)).status == 404
    assert watch.witness.add_checkpoint(thief.request(0, 4)).status == 403


def test_a_key_that_is_known_from_now_on_may_sign_too(watch: Watch) -> None:
    rotated = MemoryLog(watch.log.origin, ENTRIES, seed=b"n" * 32)
    watch.witness.add_checkpoint(watch.log.request(0, 8))
    assert watch.witness.add_checkpoint(rotated.request(8, 12)).status == 403

    assert know(watch.memory, rotated.vkey)
    assert not know(watch.memory, rotated.vkey)

    assert watch.witness.add_checkpoint(rotated.request(8, 12)).status == 200


def test_two_requests_at_once_give_one_history(watch: Watch) -> None:
    """Both continue what is known, and both say so truly; were check and memory two steps, 30 could undo 40."""
    replies: list[int] = []
    bodies = [watch.log.request(0, size) for size in range(20, 40)]
    threads = [
        threading.Thread(target=lambda body=body: replies.append(watch.witness.add_checkpoint(body).status))
        for body in bodies
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(replies) == [200] + [409] * 19


def test_what_is_remembered_cannot_be_advanced_from_a_stale_view(watch: Watch) -> None:
    stale = watch.memory.log(watch.log.origin)
    assert stale is not None
    watch.witness.add_checkpoint(watch.log.request(0, 20))

    assert not watch.memory.advance(stale, 10, bytes(32), b"note")
    assert watch.at(watch.log.origin) == 20


def test_it_remembers_over_a_restart(tmp_path: Path, watch: Watch) -> None:
    watch.witness.add_checkpoint(watch.log.request(0, 20))
    cosigner, memory = opened(tmp_path / "witness")

    reply = Witness(cosigner, memory, lambda: NOW + 5).add_checkpoint(watch.log.request(0, 40))

    assert (cosigner.witness.vkey, reply) == (watch.cosigner.witness.vkey, Reply(409, "20\n", SIZE))


def test_the_last_checkpoint_can_be_fetched_with_its_cosignature(watch: Watch) -> None:
    name = sha256(watch.log.origin.encode()).hexdigest()
    assert watch.witness.checkpoint(name).status == 404
    watch.witness.add_checkpoint(watch.log.request(0, 20))

    found = watch.witness.checkpoint(name)

    (cosignature,) = cosignatures(note.parse_note(found.body.encode()), [watch.cosigner.witness])
    assert (found.status, cosignature.time) == (200, NOW)


def test_signatures_of_strangers_are_not_passed_on(watch: Watch) -> None:
    foreign = Cosigner("stranger.example.net", b"f" * 32).cosign(note.parse_note(watch.log.note(5)).text, NOW)
    body = watch.log.request(0, 5) + note.line(foreign).encode()
    assert watch.witness.add_checkpoint(body).status == 200

    found = watch.witness.checkpoint(sha256(watch.log.origin.encode()).hexdigest())

    assert "stranger" not in found.body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0\n",
        b"old 0\n\n",
        b"old 00\n\n",
        b"old -1\n\n",
        b"new 0\n\n",
        b"old 0\nnot base64\n\n",
        b"old 0\nAAAA\n\n",
        b"old 0\n" + b"A" * 43 + b"=\n" * 70 + b"\n",
        b"old \xff\n\n",
        b"x" * (MAX_REQUEST + 1),
    ],
)
def test_what_is_no_request_is_answered_400(watch: Watch, body: bytes) -> None:
    assert watch.witness.add_checkpoint(body).status == 400


def test_a_request_survives_the_way(watch: Watch) -> None:
    request = parse_request(watch.log.request(7, 20))

    assert (request.old, request.point.size, list(request.proof)) == (7, 20, watch.log.proof(7, 20))
    assert format_request(request.old, request.proof, request.signed) == watch.log.request(7, 20)


def test_the_key_is_for_its_owner_alone(tmp_path: Path, watch: Watch) -> None:
    seed = tmp_path / "witness" / "seed"
    assert seed.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="a witness here already"):
        make(tmp_path / "witness", "again.example.org")

    seed.chmod(0o644)

    with pytest.raises(StoreError, match="others can read this key"):
        opened(tmp_path / "witness")


def test_a_folder_without_a_witness_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no witness here"):
        opened(tmp_path)


def test_a_memory_that_cannot_be_used_cosigns_nothing(tmp_path: Path, watch: Watch) -> None:
    (tmp_path / "broken.db").write_bytes(b"not a database" * 100)

    with pytest.raises(StoreError, match="memory failed"):
        Memory(tmp_path / "broken.db")


def test_a_memory_that_is_gone_is_not_begun_anew(tmp_path: Path, watch: Watch) -> None:
    """An empty one in its place could be led to cosign a fork of what the key has cosigned."""
    watch.witness.add_checkpoint(watch.log.request(0, 20))
    (tmp_path / "witness" / "memory.db").unlink()

    with pytest.raises(StoreError, match="memory of this witness is gone"):
        opened(tmp_path / "witness")
    assert not (tmp_path / "witness" / "memory.db").exists()


def test_a_witness_in_several_processes_has_one_history(tmp_path: Path, watch: Watch) -> None:
    """Two branches of one log, each offered by processes of their own: one of them wins, at every size after."""
    fork = MemoryLog("log.example.com/one", [*ENTRIES[:5], *(b"other" for _ in range(35))])
    bodies = [log.request(0, size) for size in range(6, 16) for log in (watch.log, fork)]
    bodies += [log.request(size, size + 1) for size in range(6, 39) for log in (watch.log, fork)]
    forked = multiprocessing.get_context("fork")
    with forked.Pool(4) as pool:
        asked = [(str(tmp_path / "witness"), body) for body in bodies]
        statuses = pool.starmap(answered, asked, chunksize=3)

    won = [body for body, status in zip(bodies, statuses, strict=True) if status == 200]
    branches = [{parse_request(body).point.root for body in won} & roots_of(log) for log in (watch.log, fork)]
    assert won
    assert sorted(map(len, branches)) == [0, len(won)]
    assert set(statuses) <= {200, 409, 422}


def answered(folder: str, body: bytes) -> int:
    """The status that a process of its own gives to a request."""
    cosigner, memory = opened(Path(folder))
    return Witness(cosigner, memory, lambda: NOW).add_checkpoint(body).status


def roots_of(log: MemoryLog) -> set[bytes]:
    return {parse_request(log.request(0, size)).point.root for size in range(6, 41)}


def test_who_sends_slowly_keeps_no_place(tmp_path: Path, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "PATIENCE", 0.2)
    with served(tmp_path / "witness") as url:
        host, _, port = url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=5) as slow:
            slow.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nold 0")
            assert b" 408 " in slow.recv(100)
        huge = http.client.HTTPConnection(host, int(port), timeout=5)
        huge.request("POST", "/add-checkpoint", b"x" * (MAX_REQUEST + 1))
        assert huge.getresponse().status == 413
        huge.close()

    assert watch.at(watch.log.origin) == 0


def test_a_name_that_no_note_can_carry_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="not a key name"):
        make(tmp_path / "other", "two words")
