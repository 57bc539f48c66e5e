"""The journal of an opened glass: every line follows, and is signed by those whom it names; or it is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import pytest

from custody.broker.glass import journal, shares
from custody.broker.glass.journal import Offline, Tip
from custody.broker.glass.sealing import Opened
from custody.errors import UsageError
from custody.model.brokered import DECODER, Body, Entry, Glass, Service, digest_of, line
from custody.sources.custody_broker import SOURCE
from tests.broker.glass.sealed import ANNA, BERT, CARA, GLASS, KEYS, LOG, sealed

NOW = 1_795_348_800_000_000
SEALED = sealed()
FIRST = shares.both(SEALED, KEYS[0], KEYS[1])
SECOND = shares.both(SEALED, KEYS[1], KEYS[2])
STEPS: tuple[Offline, ...] = ("opened", "used", "ended")


def lines(*said: tuple[Offline, Opened], glass: str = GLASS, log: str = LOG) -> list[bytes]:
    tip, found = Tip(log), []
    for number, (step, opened) in enumerate(said):
        text, tip = journal.signed(tip, NOW + number, step, glass, opened.people, "it is down", opened.signer)
        found.append(text)
    return found


WHOLE = lines(*((step, FIRST) for step in STEPS), *((step, SECOND) for step in STEPS))


def checked(found: Sequence[bytes], glass: str = GLASS) -> journal.Checked:
    return journal.check(b"".join(each + b"\n" for each in found), glass, SEALED.signers, "j")


def test_a_whole_journal_is_believed() -> None:
    found = checked(WHOLE)

    assert (found.tip.log, found.tip.seq, found.tip.prev) == (LOG, 6, digest_of(WHOLE[-1]))
    assert found.ended
    assert set(found.people) == {ANNA, BERT, CARA}
    assert [each.step for each in journal.steps(found.entries)] == [*STEPS, *STEPS]


def test_it_is_a_log_that_any_reader_of_a_brokers_log_reads() -> None:
    for seq, text in enumerate(WHOLE, 1):
        identity = SOURCE.identify(text)
        events = SOURCE.read(text, "")
        assert identity is not None
        assert (identity.id, identity.secrets) == (f"{LOG}/{seq}", ())
        assert isinstance(events, tuple)
        told = [(each.effect, each.method) for each in events[0].parts if each.effect != "log.line"]
        assert told == [(f"glass.{STEPS[(seq - 1) % 3]}", "offline")] * 2


@pytest.mark.parametrize("kept", range(1, 6))
def test_a_journal_that_was_cut_says_that_no_use_is_over(kept: int) -> None:
    assert checked(WHOLE[:kept]).ended is (kept == 3)


def test_a_last_line_that_was_torn_is_no_line() -> None:
    data = b"".join(each + b"\n" for each in WHOLE)
    for end in range(len(data) - len(WHOLE[-1]), len(data)):
        with pytest.raises(UsageError, match="does not end with a line"):
            journal.check(data[:end], GLASS, SEALED.signers, "j")
    with pytest.raises(UsageError):
        journal.check(b"", GLASS, SEALED.signers, "j")


def test_a_byte_that_is_changed_in_any_line_shows() -> None:
    for number in (0, 2):
        text = WHOLE[number]
        for place in range(len(text)):
            changed = text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :]
            with pytest.raises(UsageError):
                checked([*WHOLE[:number], changed, *WHOLE[number + 1 :]])
            with pytest.raises(UsageError):  # also as the last one, where nothing follows from it
                checked([*WHOLE[:number], changed])


@pytest.mark.parametrize(
    "order", [(1, 2), (0, 2), (0, 0, 1), (1, 0, 2), (0, 1, 2, 4, 5)], ids=["head", "gap", "twice", "swapped", "middle"]
)
def test_lines_out_of_place_are_refused(order: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="does not follow"):
        checked([WHOLE[each] for each in order])


def again(text: bytes, change: Callable[[Glass], Body], *, entry: dict[str, object] | None = None) -> bytes:
    """A line told otherwise, its signature left as it was."""
    found = DECODER.decode(text)
    assert isinstance(found.body, Glass)
    changed: Entry = msgspec.structs.replace(found, body=change(found.body), **(entry or {}))
    return line(changed)


FORGED: dict[str, Callable[[Glass], Body]] = {
    "reason": lambda body: msgspec.structs.replace(body, reason="a drill"),
    "people": lambda body: msgspec.structs.replace(body, people=(ANNA, CARA)),
    "one person": lambda body: msgspec.structs.replace(body, people=(ANNA,)),
    "one more": lambda body: msgspec.structs.replace(body, people=(ANNA, BERT, CARA)),
    "step": lambda body: msgspec.structs.replace(body, step="used"),
    "reviewed": lambda body: msgspec.structs.replace(body, step="reviewed"),
    "online": lambda body: msgspec.structs.replace(body, offline=False),
    "unsigned": lambda body: msgspec.structs.replace(body, signature=None),
    "a key": lambda body: msgspec.structs.replace(body, keys=("db_role:postgresql:other",)),
    "signature of another line": lambda body: msgspec.structs.replace(body, signature=_signature(WHOLE[1])),
    "signature of another pair": lambda body: msgspec.structs.replace(body, signature=_signature(WHOLE[3])),
    "another glass": lambda body: msgspec.structs.replace(body, glass="bg-01m82b22222222222222222222"),
    "another kind": lambda _: Service(what="started", version="1"),
}


def _signature(text: bytes) -> str:
    body = DECODER.decode(text).body
    assert isinstance(body, Glass)
    return body.signature or ""


@pytest.mark.parametrize("what", FORGED)
def test_a_line_that_was_forged_is_refused(what: str) -> None:
    with pytest.raises(UsageError):
        checked([again(WHOLE[0], FORGED[what])])


@pytest.mark.parametrize(
    "entry",
    [{"at": "2026-11-22T13:00:00.000000Z"}, {"broker": "prod"}, {"chain": "cc-01m82b00000000000000000000"}],
    ids=str,
)
def test_a_line_of_another_time_or_log_is_refused(entry: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        checked([again(WHOLE[0], lambda body: body, entry=entry)])


def test_nobody_uses_what_they_did_not_open() -> None:
    for said in ([("used", FIRST)], [("opened", FIRST), ("used", SECOND)], [("opened", FIRST), ("ended", SECOND)]):
        with pytest.raises(UsageError, match="did not open it"):
            checked(lines(*said))  # type: ignore[arg-type]


def test_those_of_another_glass_sign_nothing_here() -> None:
    stranger = shares.both(sealed(500), KEYS[0], KEYS[1])

    with pytest.raises(UsageError, match="not signed by"):
        checked(lines(("opened", stranger)))
    with pytest.raises(UsageError, match="another glass"):
        checked(WHOLE, glass="bg-01m82b22222222222222222222")
    with pytest.raises(UsageError, match="another glass"):
        checked(lines(("opened", FIRST), glass="bg-01m82b22222222222222222222"))


@pytest.mark.parametrize("raw", [b"{}", b"", b"null", b"\xff", b'{"custody":"custody.broker/1"}'])
def test_what_is_no_line_is_named(raw: bytes) -> None:
    with pytest.raises(UsageError, match=r"j:2: not a line"):
        checked([WHOLE[0], raw])
