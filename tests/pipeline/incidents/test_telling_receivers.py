"""Receivers that are hostile, slow, away or stubborn: where messages may go, and what becomes of those not taken."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from custody.cli import main
from custody.errors import UsageError
from custody.pipeline.incidents import closing
from custody.pipeline.incidents.telling import catching_up as telling
from custody.pipeline.incidents.telling.catching_up import Patience, Told, tell, unseen
from custody.pipeline.incidents.telling.delivering import Away, Message, checked, post, resolved
from custody.pipeline.incidents.telling.outbox import LONGEST_REST, MOST_REFUSALS, Outbox, folder_of
from custody.pipeline.incidents.telling.outbox import outbox as held_outbox
from tests.end_to_end.http_sink import Answer, Sink, certificate, listening
from tests.pipeline.incidents.scene import NOW, RESPONSE, SECOND, Scene

SECRET = "whsec_" + "bXVzdC1ub3Qtc3RheS1hLWtleS1vZi0zMi1ieXRlcyE="
HOOK = """
[[hooks]]
name = "siem"
url = "{url}"
secret = "file:secret"
private = true
"""
ONCE = Patience(attempts=1, whole=5.0, heeds=True)


def message(*, private: bool = False, whole: float = 5.0) -> Message:
    headers = {"Authorization": "Bearer must-not-stay"}
    return Message(body=b"{}", kind="application/json", headers=headers, whole=whole, private=private)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The time of the receivers, as the test sets it."""
    now, made = [NOW], telling.edge_of
    monkeypatch.setattr(telling, "edge_of", lambda *given: msgspec.structs.replace(made(*given), now=lambda: now[0]))
    return now


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    (tmp_path / "secret").write_text(SECRET)
    return Scene(tmp_path)


def hooked(scene: Scene, sink: Sink) -> None:
    (scene.folder / "response.toml").write_text(RESPONSE + HOOK.format(url=sink.url))


def once(scene: Scene, *, again: bool = False) -> Told:
    (told,) = tell(scene.settings, ONCE, unseen, again=again)
    return told


def ids(sink: Sink) -> list[str]:
    return [json.loads(body)["id"] for _, _, body in sink.requests]


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/in",
        "https://10.0.0.8/in",
        "https://192.168.1.1/in",
        "https://100.64.0.1/in",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/in",
        "https://[fd00::1]/in",
        "https://[fe80::1]/in",
        "https://[::ffff:127.0.0.1]/in",
        "https://[64:ff9b::a00:1]/in",
        "https://0.0.0.0/in",
        "https://localhost/in",
        "https://2130706433/in",
        "https://0x7f.1/in",
    ],
)
def test_no_message_goes_inside_without_a_setting(url: str) -> None:
    with pytest.raises(Away, match=r"may not be used|does not resolve") as error:
        post(checked(url, private=False, where="x"), message())
    assert "must-not-stay" not in str(error.value)


@pytest.mark.parametrize("url", ["https://169.254.169.254/", "http://10.0.0.8/", "https://[fd00:ec2::254]/"])
def test_some_addresses_are_no_receivers_whatever_is_set(url: str) -> None:
    with pytest.raises(Away, match="may not be used"):
        post(checked(url, private=True, where="x"), message(private=True))


@pytest.mark.parametrize(
    "url", ["http://h.example/in", "ftp://h.example/", "https://u:p@h.example/", "https:///x", "https://h.example/#x"]
)
def test_only_https_without_a_setting(url: str) -> None:
    with pytest.raises(UsageError, match="not an address that may be used"):
        checked(url, private=False, where="x")


def test_a_name_is_resolved_once_and_that_address_alone_is_used() -> None:
    asked: list[str] = []

    def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.8"]

    with listening() as sink:
        url = sink.url.replace("127.0.0.1", "receiver.shop.test")
        assert post(checked(url, private=True, where="x"), message(private=True), resolve).status == 200
        ((path, headers, _),) = sink.requests
    assert (asked, path) == (["receiver.shop.test"], "/in")
    assert headers["Host"].startswith("receiver.shop.test:")


def test_one_address_that_may_not_be_used_is_enough_to_refuse_all() -> None:
    with listening() as sink:
        port = sink.url.rpartition(":")[2]
        url = checked(f"https://receiver.shop.test:{port}", private=False, where="x")
        with pytest.raises(Away, match="may not be used"):
            post(url, message(), lambda *_: ["93.184.215.14", "127.0.0.1"])
    assert sink.requests == []


def test_the_certificate_has_to_be_that_of_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate(tmp_path)
    with listening(tls=tmp_path) as sink:
        own = checked(sink.url, private=True, where="x")
        with pytest.raises(Away, match="the certificate"):
            post(own, message(private=True))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        assert post(own, message(private=True)).status == 200
        other = checked(sink.url.replace("127.0.0.1", "receiver.shop.test"), private=True, where="x")
        with pytest.raises(Away, match="the certificate"):
            post(other, message(private=True), lambda *_: ["127.0.0.1"])
    assert len(sink.requests) == 1


@contextmanager
def dripping() -> Iterator[str]:
    """Somebody who sends a byte of an answer now and then, and never all of it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        over = threading.Event()

        def drip() -> None:
            line, _ = server.accept()
            with line:
                while not over.wait(0.02):
                    try:
                        line.sendall(b"H")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        over.set()
        thread.join()


def test_who_answers_a_byte_now_and_then_keeps_nobody() -> None:
    with dripping() as url:
        begun = time.monotonic()
        with pytest.raises(Away, match="not whole after"):
            post(checked(url, private=True, where="x"), message(private=True, whole=0.2))
        assert time.monotonic() - begun < 2
        until = time.monotonic() + 5
        while any(each.name == "custody-deliver" for each in threading.enumerate()):
            assert time.monotonic() < until, "the thread of the message has to end, too"
            time.sleep(0.01)


def test_what_is_refused_again_and_again_is_set_aside_and_holds_nothing_back(scene: Scene) -> None:
    with listening(*[Answer(422)] * MOST_REFUSALS) as sink:
        hooked(scene, sink)
        name = scene.open()
        closing.note(scene.desk, name, "and on", (), None)
        for number in range(1, MOST_REFUSALS):
            told = once(scene)
            assert (told.refused[0].times, told.waiting, told.aside) == (number, 2, ())
        told = once(scene)
        first, second = ids(sink)[0], ids(sink)[-1]
        assert (told.sent, told.waiting, told.refused) == ((second,), 0, ())
        assert [(each.step, each.times, each.why) for each in told.aside] == [
            (first, MOST_REFUSALS, "the receiver does not take it (found status 422)")
        ]
        quiet = once(scene)
        assert "is set aside" in quiet.problem
        assert "--again" in quiet.advice
        assert len(sink.requests) == MOST_REFUSALS + 1
        back = once(scene, again=True)
    assert (back.sent, back.aside, back.problem) == ((first,), (), "")


def test_a_receiver_that_is_away_rests_longer_and_longer_and_is_said(scene: Scene, clock: list[int]) -> None:
    with listening(*[Answer(503)] * 3) as sink:
        hooked(scene, sink)
        scene.open()
        first = once(scene)
        assert first.away is not None
        assert (first.away.times, first.away.next) == (1, "2026-11-22T10:00:05Z")
        resting = once(scene)
        assert len(sink.requests) == 1
        assert (resting.waiting, resting.problem) == (1, "away: the receiver takes nothing now (found status 503)")
        clock[0] += 5 * SECOND
        second = once(scene)
        assert second.away is not None
        assert (second.away.times, second.away.first, second.away.next) == (
            2,
            "2026-11-22T10:00:00Z",
            "2026-11-22T10:00:15Z",
        )
        (asked,) = tell(scene.settings, Patience(attempts=1, whole=5.0), unseen)  # a person asks: at once
        assert asked.away is not None
        assert asked.away.times == 3
        clock[0] += int(LONGEST_REST) * SECOND
        last = once(scene)
    assert (len(last.sent), last.waiting, last.away, last.problem) == (1, 0, None, "")


def test_what_somebody_has_to_mend_is_not_tried_again_at_once(scene: Scene) -> None:
    waits: list[float] = []
    patience = Patience(attempts=3, sleep=waits.append, whole=5.0)
    with listening(Answer(401), Answer(503), Answer(503), Answer(503)) as sink:
        hooked(scene, sink)
        scene.open()
        tell(scene.settings, patience, unseen)
        assert (len(sink.requests), waits) == (1, [])
        tell(scene.settings, patience, unseen)
        assert (len(sink.requests), waits) == (4, [0.5, 1.0])


def test_a_receiver_may_ask_to_be_left_alone_but_not_for_ever(scene: Scene, clock: list[int]) -> None:
    with listening(Answer(429, Retry_After="120"), Answer(503, Retry_After="999999")) as sink:
        hooked(scene, sink)
        scene.open()
        told = [once(scene)]
        clock[0] += 120 * SECOND
        told.append(once(scene))
    assert [each.away.next for each in told if each.away is not None] == [
        "2026-11-22T10:02:00Z",
        "2026-11-22T11:02:00Z",
    ]


def test_two_tellers_at_once_tell_each_step_once(scene: Scene) -> None:
    with listening() as sink:
        hooked(scene, sink)
        name = scene.open()
        for number in range(5):
            closing.note(scene.desk, name, f"note {number}", (), None)
        found: list[Told] = []
        tellers = [threading.Thread(target=lambda: found.append(once(scene))) for _ in range(4)]
        for each in tellers:
            each.start()
        for each in tellers:
            each.join()
        once(scene)
    assert len(ids(sink)) == len(set(ids(sink))) == 6
    assert {each.problem.partition(" (")[0] for each in found} <= {"", "another process is telling it"}


def test_a_teller_that_read_the_log_before_another_told_more_reads_it_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two receivers of one command somebody else seals a step, and tells the second one of it."""
    with listening() as sink, listening() as chat:
        hooks = HOOK.format(url=sink.url) + HOOK.replace("siem", "zchat").format(url=chat.url)
        (scene.folder / "response.toml").write_text(RESPONSE + hooks)
        name = scene.open()
        meanwhile = list[str]()

        @contextmanager
        def outbox(store: Path, receiver: str, store_id: str) -> Iterator[Outbox]:
            if receiver == "zchat" and not meanwhile:
                meanwhile.append(receiver)
                closing.note(scene.desk, name, "more", (), None)
                assert len(tell(scene.settings, ONCE, unseen, "zchat")[0].sent) == 2
            with held_outbox(store, receiver, store_id) as box:
                yield box

        monkeypatch.setattr(telling, "outbox", outbox)
        told = tell(scene.settings, ONCE, unseen)
    assert (len(told[0].sent), told[1]) == (1, Told(receiver="zchat"))
    assert len(ids(chat)) == 2


def test_the_command_says_what_was_tried_and_names_the_hook_once(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["incident", "tell", "--store", str(scene.settings.store)]
    command += ["--response", str(scene.folder / "response.toml")]
    with listening(Answer(422), Answer(422)) as sink:
        hooked(scene, sink)
        scene.open()
        assert main(command) == 1
        line = capsys.readouterr().out.strip()
        assert line.count("siem") == 1
        assert "the receiver does not take it (found status 422)" in line
        assert main([*command, "--json"]) == 1
        (told,) = json.loads(capsys.readouterr().out)["told"]
        (refused,) = told["refused"]
        assert (refused["times"], refused["step"], told["waiting"]) == (2, ids(sink)[0], 1)
        assert main([*command, "--again", "--json"]) == 0
    assert "must-not-stay" not in (folder_of(scene.settings.store) / "siem.json").read_text()


def test_a_hook_without_a_secret_is_told_how_to_give_one(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    hook = HOOK.format(url="https://h.example").replace('secret = "file:secret"', "")
    (scene.folder / "response.toml").write_text(RESPONSE + hook)
    assert main(["incident", "tell", "--store", "x", "--response", str(scene.folder / "response.toml")]) == 2
    shown = capsys.readouterr().err
    assert "hooks.siem.secret: a hook without a secret" in shown
    assert "env:NAME" in shown
    assert "The secret itself stands elsewhere" in shown


def test_the_system_resolver_gives_addresses() -> None:
    assert "127.0.0.1" in resolved("127.0.0.1", 443)
