"""Steps told to receivers: in order, at least once, signed, with nothing secret, whatever the receiver does."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from custody.broker.approvals import webhooks
from custody.cli.incident.telling import afterwards
from custody.errors import StoreError, UsageError
from custody.incidents.telling.forms import WITHHELD
from custody.model.incidents import ActionKind, Noted
from custody.pipeline.incidents import closing
from custody.pipeline.incidents.telling import catching_up as telling
from custody.pipeline.incidents.telling.catching_up import Patience, Told, tell
from custody.pipeline.incidents.telling.outbox import folder_of, outbox
from custody.pipeline.incidents.telling.showing_effects import unseen
from custody.settings.response_file import read_response_file
from custody.store.storefile import read_store_file
from tests.end_to_end.http_sink import Answer, Sink, listening
from tests.pipeline.incidents.scene import CARL, KEY, RESPONSE, SECOND, Scene, signer
from tests.ssh_signing import ANN, BOB

KEY_BYTES = b"must-not-stay-a-key-of-32-bytes!"
SECRET = f"whsec_{base64.b64encode(KEY_BYTES).decode()}"
BEARER = "must-not-stay-bearer"
HOOK = """
[[hooks]]
name = "siem"
url = "{url}"
secret = "file:secret"
private = true
"""


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    (tmp_path / "bearer").write_text(f"{BEARER}\n")
    return Scene(tmp_path)


@pytest.fixture
def sink(scene: Scene) -> Iterator[Sink]:
    """A receiver that the response file names."""
    with listening() as found:
        hooked(scene, HOOK.format(url=found.url))
        yield found


def hooked(scene: Scene, hooks: str) -> None:
    (scene.folder / "response.toml").write_text(RESPONSE + hooks)


def once(scene: Scene, only: str | None = None) -> tuple[Told, ...]:
    return tell(scene.settings, Patience(attempts=1, whole=5.0), unseen, only)


def events(sink: Sink) -> list[dict[str, object]]:
    return [json.loads(body) for _, _, body in sink.requests]


def ids(sink: Sink) -> list[str]:
    return [str(each["id"]) for each in events(sink)]


def standing(event: dict[str, object]) -> object:
    data = event["data"]
    assert isinstance(data, dict)
    return data["standing"]


def test_every_step_is_told_once_in_the_order_of_both_logs(scene: Scene, sink: Sink) -> None:
    name = scene.open()
    action = scene.asked(name, kind=ActionKind.REVOKE)
    scene.decide(action, BOB)
    scene.done(action)
    (told,) = once(scene)
    told_events = events(sink)
    assert [each["type"] for each in told_events] == [
        f"custody.incident.{word}.v1" for word in ("opened", "asked", "decided", "done")
    ]
    logs = [str(each["id"]).partition(":")[0] for each in told_events]
    assert logs == ["operations", "operations", "approvals", "operations"]
    assert told == Told(receiver="siem", sent=tuple(ids(sink)))
    assert {each["subject"] for each in told_events} == {name}
    assert {each["specversion"] for each in told_events} == {"1.0"}
    assert {headers["Content-Type"] for _, headers, _ in sink.requests} == {"application/cloudevents+json"}
    assert [standing(each) for each in told_events] == [
        {"incident": "open"},
        {"incident": "open", "action": "waiting for approval"},
        {"incident": "open", "action": "may be done"},
        {"incident": "open", "action": "done"},
    ]
    assert once(scene) == (Told(receiver="siem"),)
    assert len(sink.requests) == 4


def test_an_event_is_what_custody_reads_itself(scene: Scene, sink: Sink) -> None:
    from custody.sources import cloudevents_approval

    name = scene.open()
    once(scene)
    (event,) = events(sink)
    body = sink.requests[0][2]
    store = read_store_file(scene.settings.store).store
    assert event["source"] == f"custody.local/{store}"
    identity = cloudevents_approval.identify(body)
    assert identity is not None
    assert identity.id == f"custody.local/{store} {event['id']}"
    assert event["data"]["said"]["seeds"][0]["value"] == KEY  # type: ignore[index]
    assert (event["data"]["author"], event["data"]["signed"]) == (ANN.name, True)  # type: ignore[index]
    assert event["data"]["title"] == scene.incident(name).opening.title  # type: ignore[index]


def test_what_was_done_without_approval_is_told_as_such(scene: Scene, sink: Sink) -> None:
    name = scene.open()
    action = scene.asked(name, kind=ActionKind.REVOKE)
    scene.done(action, None)
    once(scene)
    last = events(sink)[-1]
    assert standing(last) == {
        "incident": "open",
        "action": "done without approval",
        "unapproved": "nobody had approved it",
    }
    assert last["data"]["signed"] is False  # type: ignore[index]


def test_a_decision_that_does_not_count_is_told_as_such(scene: Scene, sink: Sink) -> None:
    from custody.model.incidents import Decided

    name = scene.open()
    action = scene.asked(name, kind=ActionKind.REVOKE)
    digest = scene.action(action).asked.digest
    scene.inject(Decided(incident=name, action=action, digest=digest, verdict="grant", reason="mine"), ANN)
    once(scene)
    assert standing(events(sink)[-1]) == {
        "incident": "open",
        "action": "waiting for approval",
        "uncounted": "barred: requester",
    }


def test_each_message_is_signed_and_no_other_fits(scene: Scene, sink: Sink) -> None:
    scene.open()
    once(scene)
    ((_, headers, body),) = sink.requests
    stamp = headers["webhook-timestamp"]
    message = webhooks.Message(headers["webhook-id"], stamp, headers["webhook-signature"], body)
    webhooks.verify(message, webhooks.Secret(SECRET, "here"), int(stamp) * SECOND)
    other = msgspec.structs.replace(message, body=body.replace(b"theft", b"thief"))
    with pytest.raises(Exception, match="not that of its secret"):
        webhooks.verify(other, webhooks.Secret(SECRET, "here"), int(stamp) * SECOND)


def test_a_receiver_that_is_away_is_told_later_and_in_order(scene: Scene) -> None:
    waits: list[float] = []
    with listening(Answer(200), Answer(0), Answer(503), Answer(429)) as sink:
        hooked(scene, HOOK.format(url=sink.url))
        name = scene.open()
        scene.asked(name)
        closing.note(scene.desk, name, "seen on the wire", (), None)
        patience = Patience(attempts=3, first=0.5, sleep=waits.append, whole=5.0)
        (first,) = tell(scene.settings, patience, unseen)
        (second,) = tell(scene.settings, patience, unseen)
    assert (len(first.sent), first.waiting) == (1, 2)
    assert "status 429" in first.problem
    assert waits == [0.5, 1.0]
    assert (len(second.sent), second.waiting, second.problem) == (2, 0, "")
    types = [json.loads(body)["type"].split(".")[2] for _, _, body in sink.requests]
    assert types == ["opened", "asked", "asked", "asked", "asked", "noted"]


def test_what_is_refused_holds_back_its_own_incident_alone(scene: Scene) -> None:
    with listening(Answer(200), Answer(400)) as sink:
        hooked(scene, HOOK.format(url=sink.url))
        one, other = scene.open(title="one"), scene.open(title="another")
        closing.note(scene.desk, one, "first", (), None)
        closing.note(scene.desk, other, "second", (), None)
        (told,) = once(scene)
        assert [each["subject"] for each in events(sink)] == [one, other, one]
        assert (len(told.sent), told.waiting) == (2, 2)
        assert "does not take it" in told.problem
        (after,) = once(scene)
        assert [each["subject"] for each in events(sink)[3:]] == [other, other]
    assert (len(after.sent), after.waiting, after.problem) == (2, 0, "")


def test_a_kill_before_it_is_noted_tells_it_again_under_the_same_id(scene: Scene) -> None:
    """The receiver kills the teller as soon as it has the message: a real process, a real signal."""
    program = """
import sys
from pathlib import Path
import msgspec
from custody.pipeline.incidents.telling.showing_effects import unseen
from custody.pipeline.incidents.telling.catching_up import Patience, tell
from custody.settings.catalog import Settings
tell(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Settings, dec_hook=lambda kind, value: kind(value)),
     Patience(attempts=1), unseen)
"""
    settings = scene.folder / "settings.json"
    settings.write_bytes(msgspec.json.encode(scene.settings, enc_hook=str))
    with listening(Answer(0)) as sink:
        hooked(scene, HOOK.format(url=sink.url))
        scene.open()
        child = subprocess.Popen([sys.executable, "-c", program, str(settings)])
        killed = threading.Event()
        taken = sink.requests.append

        def kill(request: tuple[str, dict[str, str], bytes]) -> None:
            taken(request)
            if not killed.is_set():
                child.kill()
                killed.set()

        sink.requests = type("Killing", (list,), {"append": lambda _, each: kill(each)})()
        before = sink.requests
        assert child.wait(20) == -9
        sink.requests = []
        taken = before  # type: ignore[assignment]
        (told,) = once(scene)
    assert killed.is_set()
    assert (len(told.sent), told.waiting) == (1, 0)
    assert ids(sink) == ["operations:" + told.sent[0].partition(":")[2]]


def test_where_the_file_is_lost_open_incidents_are_told_again(scene: Scene, sink: Sink) -> None:
    over, name = scene.open(title="over"), scene.open(title="goes on")
    once(scene)
    closing.close(scene.desk, over, "false alarm", lambda _: closing.Judgement(), signer(ANN))
    once(scene)
    (folder_of(scene.settings.store) / "siem.json").unlink()
    sink.requests.clear()
    once(scene)
    assert [each["subject"] for each in events(sink)] == [name]


def test_a_store_that_was_set_back_is_said(scene: Scene, sink: Sink) -> None:
    scene.open()
    once(scene)
    path = folder_of(scene.settings.store) / "siem.json"
    path.write_bytes(path.read_bytes().replace(b'"operations":', b'"operations":9'))
    (told,) = once(scene)
    assert "the store was set back" in told.problem
    assert len(sink.requests) == 1


def test_only_one_process_tells_a_receiver(scene: Scene, sink: Sink) -> None:
    scene.open()
    with outbox(scene.settings.store, "siem", "x"):
        (told,) = once(scene)
    assert told.problem.startswith(f"another process is telling it (process {os.getpid()}")
    assert "Wait until it has ended" in told.advice
    assert sink.requests == []
    assert len(once(scene)[0].sent) == 1


def test_a_file_that_is_damaged_is_said(scene: Scene, sink: Sink) -> None:
    scene.open()
    once(scene)
    path = folder_of(scene.settings.store) / "siem.json"
    path.write_bytes(b"{")
    (told,) = once(scene)
    assert "cannot be read" in told.problem
    with pytest.raises(StoreError), outbox(scene.settings.store, "siem", "x"):
        pass
    assert len(sink.requests) == 1


def test_what_looks_like_a_secret_is_withheld_whoever_sealed_it(scene: Scene, sink: Sink) -> None:
    name = scene.open()
    scene.inject(Noted(incident=name, text="password=must-not-stay-in-a-note"), None, log="operations")
    once(scene)
    assert events(sink)[-1]["data"]["said"]["text"] == WITHHELD  # type: ignore[index]
    assert b"must-not-stay" not in sink.body


def test_brief_tells_that_and_not_what(scene: Scene) -> None:
    with listening() as sink:
        hooked(scene, HOOK.format(url=sink.url) + 'detail = "brief"\n')
        name = scene.open()
        action = scene.asked(name, kind=ActionKind.REVOKE, content=("aws iam delete-access-key",))
        once(scene)
        opened, asked = events(sink)
    assert b"AKIA" not in sink.body
    assert b"delete-access-key" not in sink.body
    assert b"a key is abused" not in sink.body
    assert b"a theft" not in sink.body
    assert opened["data"]["said"] == {"seeds": 1, "severity": "high"}  # type: ignore[index]
    said = asked["data"]["said"]  # type: ignore[index]
    assert (said["action"], said["kind"], said["decision"]) == (action, "revoke", "approval-required")


def test_a_bearer_token_goes_to_the_receiver_and_nowhere_else(scene: Scene) -> None:
    bearer = HOOK.replace("file:secret", "file:bearer") + 'auth = "bearer"\n'
    with listening() as other, listening(Answer(307, Location="http://127.0.0.1:1/", X=BEARER), Answer(401)) as sink:
        hooked(scene, bearer.format(url=sink.url))
        scene.open()
        told = [*once(scene), *once(scene), *once(scene)]
    assert [headers["Authorization"] for _, headers, _ in sink.requests] == [f"Bearer {BEARER}"] * 3
    assert "redirects are not followed" in told[0].problem
    assert "401" in told[1].problem
    assert told[2].problem == ""
    assert other.requests == []
    assert BEARER not in repr(told)


def test_no_proxy_of_the_environment_gets_it(scene: Scene, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    scene.open()
    assert once(scene)[0].problem == ""
    assert len(sink.requests) == 1


@pytest.mark.parametrize(
    ("hook", "told"),
    [
        (HOOK.format(url="https://h.example").replace("file:secret", "file:none"), "cannot be read"),
        (HOOK.format(url="https://h.example").replace("file:secret", "env:CUSTODY_TEST_NONE"), "is empty"),
        (HOOK.format(url="https://h.example").replace("file:secret", "file:bearer"), "not the secret of a webhook"),
        (HOOK.format(url="http://h.example/must-not-stay").replace("private = true", ""), "not an address that may be"),
        (HOOK.format(url="env:CUSTODY_TEST_URL"), "not an address that may be used"),
    ],
)
def test_what_is_wrong_with_one_receiver_keeps_nothing_from_another(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, hook: str, told: str
) -> None:
    monkeypatch.setenv("CUSTODY_TEST_URL", "http://u:must-not-stay@h.example")
    with listening() as sink:
        hooked(scene, hook.replace("siem", "broken") + HOOK.format(url=sink.url))
        scene.open()
        broken, good = once(scene)
    assert told in broken.problem
    assert "must-not-stay" not in repr(broken)
    assert len(good.sent) == 1


@pytest.mark.parametrize(
    ("hooks", "told"),
    [
        (HOOK.format(url="https://h.example") * 2, "not the name of a hook"),
        (HOOK.format(url="https://h.example").replace("siem", "caep"), "not the name of a hook"),
        (HOOK.format(url="https://h.example").replace("file:secret", "must-not-stay"), "not a reference to a secret"),
        (HOOK.format(url="https://h.example") + 'format = "slack"', "the response file is wrong"),
        ('[caep]\nissuer = "http://c"\naudience = "r"\nurl = "https://r.example"', "who signs, and for whom"),
        ('[caep]\nissuer = "https://c"\naudience = "r"\nurl = "https://r"\ntoken = "must-not-stay"', "not a reference"),
    ],
)
def test_hooks_that_cannot_be_are_refused_when_the_file_is_read(scene: Scene, hooks: str, told: str) -> None:
    hooked(scene, hooks)
    with pytest.raises(UsageError, match=told) as error:
        read_response_file(scene.folder / "response.toml")
    assert "must-not-stay" not in str(error.value)


def test_only_one_receiver_can_be_asked_for(scene: Scene, sink: Sink) -> None:
    scene.open()
    with pytest.raises(UsageError, match="no such receiver"):
        once(scene, "other")
    assert len(once(scene, "siem")[0].sent) == 1
    assert len(sink.requests) == 1


def test_who_waits_for_their_command_is_told_what_could_not_be_told(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    hooked(scene, HOOK.format(url="http://127.0.0.1:1/in"))
    scene.open()
    afterwards(scene.settings)
    assert "siem: told 0 steps, 1 step waits" in capsys.readouterr().err
    hooked(scene, "nothing = 1")
    afterwards(scene.settings)
    assert "nobody was told" in capsys.readouterr().err


def test_a_later_decision_never_moves_what_was_told(scene: Scene, sink: Sink) -> None:
    name = scene.open()
    action = scene.asked(name, kind=ActionKind.REVOKE)
    once(scene)
    scene.decide(action, CARL)
    once(scene)
    closing.note(scene.desk, name, "and on", (), None)
    once(scene)
    kinds = [str(each["type"]).split(".")[2] for each in events(sink)]
    assert kinds == ["opened", "asked", "decided", "noted"]
    assert telling.receivers_of(telling.file_of(scene.settings)) == ("siem",)
