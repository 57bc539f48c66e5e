"""What a witness answers is somebody else's word: whatever it is, the store stays whole and says what was wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from custody.errors import StoreForked, UsageError
from custody.ledger.cosignature import LENGTH, Cosigner
from custody.ledger.note import Signature, Signer, line, parse_note
from custody.ledger.witness_request import parse_request
from custody.pipeline import posting
from custody.pipeline.anchor import Anchored, anchor, held
from custody.pipeline.rotate_key import rotate_key
from custody.pipeline.verify import Verified, verify
from custody.settings.catalog import Settings
from custody.store.reader import Reader
from custody.store.writer import Writer
from tests.end_to_end.conftest import settings_for
from tests.witness.lying import lying

NOW = 1_772_445_600
LIAR = Cosigner("witness.example.org", b"w" * 32)
HONEST = Cosigner("audit.example.net", b"h" * 32)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = settings_for(tmp_path)
    with Writer.open(made.store, made.keys, now="2026-03-02T12:00:00Z", version="1"):
        return made


def key_of(settings: Settings) -> str:
    with Reader.open(settings.store) as reader:
        return reader.vkeys[-1]


def text_of(body: bytes) -> str:
    return parse_note(parse_request(body).signed).text


def cosigned(body: bytes, by: Cosigner = LIAR, time: int = NOW) -> bytes:
    return line(by.cosign(text_of(body), time)).encode()


def policy(folder: Path, log: str, quorum: str, **urls: str) -> Path:
    """A policy of two witnesses; those with a URL are asked."""
    path = folder / "policy"
    one, two = LIAR.witness.vkey, HONEST.witness.vkey
    lines = [f"log {log}", f"witness one {one} {urls.get('one', '')}", f"witness two {two} {urls.get('two', '')}"]
    path.write_text("\n".join([*lines, "group both all one two", f"quorum {quorum}", ""]))
    return path


def asked(settings: Settings, folder: Path, answer: Callable[[bytes], tuple[int, bytes]], pause: float = 0) -> Anchored:
    with lying(answer, pause=pause) as url:
        return anchor(settings, policy(folder, key_of(settings), "one", one=url), None, None)


def checked(settings: Settings, trusted: Path) -> Verified:
    return verify(settings, None, None, None, trusted)


def test_lines_of_others_in_an_answer_are_not_kept(settings: Settings, tmp_path: Path) -> None:
    """A wrong signature in the name of the log would make the anchor, and so the store, look damaged for ever."""
    log = Signer(key_of(settings).partition("+")[0], bytes(32))
    with Reader.open(settings.store) as reader:
        (own,) = parse_note(reader.note()).others
    second = HONEST.witness

    def answer(body: bytes) -> tuple[int, bytes]:
        others = [
            log.signature(b"something else"),
            Signature(own.name, own.key_id, own.value[::-1]),
            Signature(second.name, second.key_id, bytes(LENGTH)),
        ]
        return 200, b"".join(line(each).encode() for each in others) + cosigned(body)

    done = asked(settings, tmp_path, answer)
    (kept,) = held(settings, tmp_path / "policy", None)

    assert (len(done.sealed), done.problems) == (1, ())
    assert (kept.holds, kept.trusted) == (True, True)
    assert checked(settings, tmp_path / "policy").status == "ok"
    with Reader.open(settings.store) as reader:
        note = str(reader.statements("anchor")[-1].entry.fields["note"]).encode()
    assert [each.name for each in parse_note(note).others] == [own.name, LIAR.witness.name]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda body: (200, cosigned(body, HONEST)), "without its cosignature"),
        (lambda body: (200, b""), "not a signature line"),
        (lambda body: (200, b"\xff\xfe\n"), "not a signature line"),
        (lambda body: (200, cosigned(body)[:-9] + b"AAAAAAA=\n"), "cosignature"),
        (lambda body: (200, b"x" * 200_000), "too long"),
        (lambda body: (200, cosigned(body) * 65), "too many signatures"),
        (lambda body: (302, b"http://127.0.0.1:9/add-checkpoint"), "302"),
        (lambda body: (409, b"0\n"), "409"),
        (lambda body: (409, b"one\n"), "not a number"),
        (lambda body: (409, b"-1\n"), "not a number"),
        (lambda body: (500, b"\x1b[31m"), "500"),
    ],
)
def test_an_answer_that_is_none_is_said_and_nothing_is_sealed(
    answer: Callable[[bytes], tuple[int, bytes]], said: str, settings: Settings, tmp_path: Path
) -> None:
    done = asked(settings, tmp_path, answer)

    assert done.sealed == ()
    assert said in done.problems[0]
    assert "\x1b" not in done.problems[0]


def test_a_time_that_no_calendar_has_is_refused(settings: Settings, tmp_path: Path) -> None:
    """Sealed once, it would break whoever shows it."""

    def answer(body: bytes) -> tuple[int, bytes]:
        time = (1 << 40).to_bytes(8, "big")
        signer = Signer(LIAR.witness.name, b"w" * 32)
        signed = signer.signature(f"cosignature/v1\ntime {1 << 40}\n{text_of(body)}".encode())
        return 200, line(Signature(signed.name, LIAR.witness.key_id, time + signed.value)).encode()

    done = asked(settings, tmp_path, answer)

    assert done.sealed == ()
    assert "no time" in done.problems[0]


def test_a_time_or_answer_that_was_sealed_all_the_same_breaks_nothing(settings: Settings) -> None:
    with Reader.open(settings.store) as reader:
        note, size = reader.note().decode(), reader.size
    with Writer.open(settings.store, settings.keys, now="2026-03-02T12:00:00Z", version="1") as writer:
        writer.seal("anchor", {"how": "rfc3161", "size": size, "note": note, "time": 1 << 62, "answer": "not base64"})

    (kept,) = held(settings, None, None)

    assert (kept.time, kept.holds) == (None, False)


def test_an_answer_that_never_ends_is_given_up(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "WHOLE", 0.3)

    done = asked(settings, tmp_path, lambda body: (200, cosigned(body)), pause=0.05)

    assert "not whole after" in done.problems[0]


def test_a_witness_that_claims_to_know_more_stops_it_and_leaves_the_store_as_it_was(
    settings: Settings, tmp_path: Path
) -> None:
    with Reader.open(settings.store) as reader:
        before = reader.size

    with pytest.raises(StoreForked, match="larger tree"):
        asked(settings, tmp_path, lambda body: (409, b"9223372036854775807\n"))

    with Reader.open(settings.store) as reader:
        assert reader.size == before


def test_one_of_two_witnesses_is_no_quorum_of_both(settings: Settings, tmp_path: Path) -> None:
    log = key_of(settings)
    with lying(lambda body: (200, cosigned(body))) as one, lying(lambda body: (200, cosigned(body, HONEST))) as two:
        anchor(settings, policy(tmp_path, log, "both", one=one), None, None)
        alone = checked(settings, tmp_path / "policy")
        enough = checked(settings, policy(tmp_path, log, "two"))
        anyone = checked(settings, policy(tmp_path, log, "none"))
        second = anchor(settings, policy(tmp_path, log, "both", two=two), None, None)
        together = checked(settings, tmp_path / "policy")

    assert (alone.status, alone.anchored) == ("ok", False)
    assert "no quorum" in alone.claim
    assert (enough.anchored, anyone.anchored) == (False, True)
    assert together.anchored  # the second cosigned a larger tree, and with it the one that the first did
    (first, _) = together.anchors
    assert first.size < second.size
    assert f"up to size {first.size:,}" in together.claim


def test_a_policy_says_whose_the_log_is(settings: Settings, tmp_path: Path) -> None:
    log = key_of(settings)
    stranger = Signer("custody.local/other/operations", bytes(32))
    thief = Signer(log.partition("+")[0], bytes(32))

    assert checked(settings, policy(tmp_path, log, "none")).trusted == "the policy that was given"
    with pytest.raises(UsageError, match="another log"):
        checked(settings, policy(tmp_path, stranger.vkey, "none"))
    assert checked(settings, policy(tmp_path, thief.vkey, "none")).status == "damaged"


def test_anchors_from_before_a_rotation_hold_after_it(settings: Settings, tmp_path: Path) -> None:
    old = key_of(settings)
    with lying(lambda body: (200, cosigned(body))) as url:
        anchor(settings, policy(tmp_path, old, "one", one=url), None, None)
        new = rotate_key(settings, "once a year").vkey
        anchor(settings, policy(tmp_path, new, "one", one=url), None, None)

    for vkey in (old, new):
        found = checked(settings, policy(tmp_path, vkey, "one"))
        assert (found.status, found.anchored, found.vkey) == ("ok", True, new)
        assert [each.trusted for each in found.anchors] == [True, True]
        assert found.trusted == "the policy that was given" + (", and the key rotations since" if vkey == old else "")
