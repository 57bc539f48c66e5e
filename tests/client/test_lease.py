"""``custody lease``: real processes with a real service behind them."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest

from custody.broker.backends.backend import Made, Order
from custody.broker.desk import Standing
from custody.cli import main
from custody.client import broker as module
from custody.model.broker_terms import Plan
from custody.model.brokered import Issued
from tests.broker.trial import swap
from tests.client.conftest import PASSWORD, SHAPES, TOKEN, Known, Place
from tests.serve.running import parts_of, served

READS = ["lease", "--backend", "vault", "--scope", "read"]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("CUSTODY_", "PG", "AWS_"))}


@pytest.fixture(autouse=True)
def _heard() -> Iterator[None]:
    """A command that is started where these are ignored, as behind ``&`` or ``nohup``, ignores them too: not here."""
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    hang_up = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGHUP, hang_up)


def started(place: Place, *arguments: str, **options: object) -> subprocess.Popen[str]:
    """The command as users start it; ``options`` are Popen's own."""
    command = [sys.executable, "-m", "custody.cli", "lease", *arguments]
    environment = {**CLEAN, "CUSTODY_BROKER": place.url, "CUSTODY_TOKEN_FILE": str(place.token)}
    made: subprocess.Popen[str] = subprocess.Popen(
        command, env=environment, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        **options,  # type: ignore[call-overload]
    )  # fmt: skip
    return made


def until(so: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


@pytest.fixture
def here(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The environment of this process is that of a workload."""
    monkeypatch.setenv("CUSTODY_BROKER", place.url)
    monkeypatch.setenv("CUSTODY_TOKEN_FILE", str(place.token))
    monkeypatch.setattr(module, "PAUSES", (0.0,))
    return place


def leased(place: Place) -> str:
    """The chain that was issued last."""
    entry = [each for each in place.trial.evidence.said if isinstance(each.body, Issued)][-1]
    assert entry.chain is not None
    return entry.chain


def test_a_command_runs_with_a_credential_and_gives_it_back(place: Place, tmp_path: Path) -> None:
    """Also: who looks at the processes sees no secret, and the command sees no proof."""
    script = (
        'cat /proc/$PPID/cmdline /proc/$$/cmdline > seen; env > env; read line; echo "out $line"; echo err >&2; exit 9'
    )
    done = started(place, *READS[1:], "--", "sh", "-c", script, cwd=tmp_path)
    out, err = done.communicate(timeout=20)
    chain = leased(place)

    assert (done.returncode, out) == (9, "out \n")
    first, second, third = err.splitlines()
    assert first.startswith(f"custody: leased vault as {chain} until 2026-11-22T13:00:00Z, receipt {chain}@")
    assert (second, third) == ("err", f"custody: gave {chain} back, ended: it is gone, as the broker saw")
    assert place.trial.standing(chain) is Standing.ENDED
    environment = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines() if "=" in line)
    assert environment["PGPASSWORD"] == PASSWORD
    assert (environment["PGUSER"], environment["PGHOST"], environment["PGPORT"]) == ("cc_role", "db.example", "5433")
    assert (environment["CUSTODY_CHAIN"], environment["CUSTODY_EXPIRES"]) == (chain, "2026-11-22T13:00:00Z")
    assert TOKEN not in "".join(environment.values())
    assert "CUSTODY_TOKEN_FILE" not in environment
    assert b"must-not-stay" not in (tmp_path / "seen").read_bytes()
    assert "must-not-stay" not in out + err
    assert b"must-not-stay" not in b"".join(place.lines.raw)


WAITS = 'trap "echo {0} >> got" {0}; : > begun; while :; do sleep 0.02; [ -e end ] && exit 7; done'


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "USR1"])
def test_signals_go_on_to_the_command(here: Place, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def play() -> None:
        until((tmp_path / "begun").exists)
        os.kill(os.getpid(), getattr(signal, f"SIG{name}"))
        try:
            until((tmp_path / "got").exists)
        finally:
            (tmp_path / "end").touch()

    beside = threading.Thread(target=play)
    beside.start()
    code = main([*READS, "sh", "-c", WAITS.format(name)])
    beside.join()

    assert code == 7
    assert (tmp_path / "got").read_text() == f"{name}\n"
    assert here.trial.standing(leased(here)) is Standing.ENDED


ALL = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1}


COUNTS = """
import pathlib, signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
pathlib.Path("begun").touch()
while (found := signal.sigtimedwait({signal.SIGINT}, 0.25 if pathlib.Path("end").exists() else 5)) is not None:
    with open("got", "a") as file:
        file.write(f"{found.si_code}\\n")
raise SystemExit(7)
"""
BY_THE_TERMINAL = "128\n"


def test_ctrl_c_reaches_the_command_once(place: Place, tmp_path: Path) -> None:
    """The terminal sends it to all that run in it: handed on, it would come twice, which many take as impatience."""
    ours, theirs = pty.openpty()

    def own_terminal() -> None:
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    def seen(count: int) -> bool:
        return got.read_text().count("\n") >= count

    got = tmp_path / "got"
    got.touch()
    done = started(place, *READS[1:], "--", sys.executable, "-c", COUNTS, cwd=tmp_path, preexec_fn=own_terminal)
    until((tmp_path / "begun").exists)
    for number in range(1, 6):
        if number == 5:
            (tmp_path / "end").touch()
        os.write(ours, b"\x03")
        until(partial(seen, number))
    _, err = done.communicate(timeout=20)
    os.close(ours)
    os.close(theirs)

    assert (done.returncode, got.read_text()) == (7, BY_THE_TERMINAL * 5)
    assert err.count("gave ") == 1


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        (["sh", "-c", "kill -TERM $$"], 143, ""),
        (["sh", "-c", "kill -KILL $$"], 137, ""),
        (["/no/such/command"], 127, "/no/such/command: No such file or directory"),
        (["/"], 126, "/: "),
        (["true"], 0, ""),
    ],
)
def test_the_exit_code_is_the_commands(
    here: Place, capfd: pytest.CaptureFixture[str], command: list[str], code: int, told: str
) -> None:
    assert main([*READS, "--", *command]) == code
    err = capfd.readouterr().err

    assert told in err
    assert err.endswith("back, ended: it is gone, as the broker saw\n")
    assert here.trial.standing(leased(here)) is Standing.ENDED


def test_the_state_of_signals_is_as_before(here: Place) -> None:
    def state() -> tuple[object, ...]:
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        return mask, *(signal.getsignal(each) for each in (*sorted(ALL), signal.SIGCHLD, signal.SIGQUIT))

    before = state()
    assert main([*READS, "--", "true"]) == 0

    assert state() == before


@pytest.mark.parametrize("shape", SHAPES)
def test_the_names_are_those_of_the_kind(here: Place, capfd: pytest.CaptureFixture[str], shape: str) -> None:
    here.trial.shape = shape
    opening = {"postgresql": "PGPASSWORD", "aws_sts": "AWS_SECRET_ACCESS_KEY", "jwt": "CUSTODY_TOKEN"}
    name = opening.get(shape, "CUSTODY_PASSWORD")

    assert main([*READS, "--", "sh", "-c", f'echo "$CUSTODY_CHAIN ${name}"']) == 0
    assert capfd.readouterr().out == f"{leased(here)} {PASSWORD}\n"


def test_a_token_in_a_variable_does_not_reach_the_command(
    here: Place, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB_TOKEN", TOKEN)
    monkeypatch.setenv("HEADER", f"Bearer {TOKEN}")
    monkeypatch.delenv("CUSTODY_TOKEN_FILE")

    assert main([*READS, "--token-env", "JOB_TOKEN", "--env", "DB", "env"]) == 0
    out = capfd.readouterr().out
    assert TOKEN not in out
    assert f"DB_PASSWORD={PASSWORD}\n" in out
    assert "PGPASSWORD" not in out


def test_what_waits_for_people_can_be_fetched_later(here: Place, capfd: pytest.CaptureFixture[str]) -> None:
    here.trial.needing()
    assert main([*READS, "--", "echo", "ran"]) == 7
    told = capfd.readouterr()
    request = here.trial.evidence.said[-1].body.request  # type: ignore[union-attr]
    assert told.out == ""
    assert f"custody approve {request} --reason" in told.err
    assert f"custody lease --request {request}" in told.err
    here.trial.granted(request)

    assert main(["lease", "--request", request, "--", "echo", "ran"]) == 0
    assert capfd.readouterr().out == "ran\n"


def test_it_waits_for_people(here: Place, capfd: pytest.CaptureFixture[str]) -> None:
    here.trial.needing()
    requests = here.trial.broker.running.state.requests
    before = set(requests)

    def approve() -> None:
        until(lambda: set(requests) - before)
        here.trial.granted((set(requests) - before).pop())

    beside = threading.Thread(target=approve)
    beside.start()
    assert main([*READS, "--wait", "30s", "--", "echo", "ran"]) == 0
    beside.join()
    told = capfd.readouterr()

    assert told.out == "ran\n"
    assert "waits for people: custody request show rq-" in told.err.splitlines()[0]


def test_a_signal_ends_the_waiting(place: Place) -> None:
    place.trial.needing()
    done = started(place, *READS[1:], "--wait", "30s", "--", "echo", "ran")
    assert done.stderr is not None
    line = done.stderr.readline()
    done.send_signal(signal.SIGTERM)
    out, err = done.communicate(timeout=20)

    assert "waits for people" in line
    assert (done.returncode, out, err) == (143, "", "custody: stopped by signal 15\n")


def test_a_signal_while_it_is_issued_waits_and_gives_it_back(place: Place) -> None:
    """The credential is there: nobody would end it before its expiry if the answer were not waited for."""
    begun, go_on = threading.Event(), threading.Event()

    def slow(order: Order, plan: Plan) -> Made:
        begun.set()
        assert go_on.wait(10)
        return place.trial.issued(order, plan)

    swap(place.trial.memory, slow)
    done = started(place, *READS[1:], "--", "echo", "ran")
    assert begun.wait(10)
    done.send_signal(signal.SIGINT)
    time.sleep(0.05)
    go_on.set()
    out, err = done.communicate(timeout=20)
    chain = leased(place)

    assert (done.returncode, out) == (130, "")
    assert f"gave {chain} back, ended" in err
    assert place.trial.standing(chain) is Standing.ENDED


def test_a_second_signal_does_not_wait(place: Place) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(order: Order, plan: Plan) -> Made:
        begun.set()
        go_on.wait(10)
        return place.trial.issued(order, plan)

    swap(place.trial.memory, slow)
    done = started(place, *READS[1:], "--", "echo", "ran")
    assert begun.wait(10)
    done.send_signal(signal.SIGINT)
    time.sleep(0.05)
    done.send_signal(signal.SIGTERM)
    out, err = done.communicate(timeout=20)
    go_on.set()

    assert (done.returncode, out) == (143, "")
    assert "stopped by signal 15" in err


def test_a_broker_that_dies_in_the_middle_changes_no_exit_code(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    trial = Known()
    trial.forget()
    asyncio.run(trial.broker.start())
    (tmp_path / "token").write_text(TOKEN)
    monkeypatch.setattr(module, "PAUSES", (0.0,))
    served_ = served(trial.broker, parts_of(tmp_path))
    port = served_.__enter__()

    def dying() -> None:
        until((tmp_path / "begun").exists)
        served_.__exit__(None, None, None)
        (tmp_path / "end").touch()

    beside = threading.Thread(target=dying)
    beside.start()
    script = f"cd {tmp_path}; : > begun; while [ ! -e end ]; do sleep 0.02; done; exit 3"
    arguments = ["--broker", f"http://127.0.0.1:{port}", "--token-file", str(tmp_path / "token")]
    code = main([*READS, *arguments, "--", "sh", "-c", script])
    beside.join()
    err = capfd.readouterr().err

    assert code == 3
    assert "was not given back, it ends at its expiry: " in err
    assert "custody lease --give-back cc-" in err
    assert "must-not-stay" not in err


def test_what_the_broker_saw_is_told(here: Place, capfd: pytest.CaptureFixture[str]) -> None:
    def stubborn(order: Order, plan: Plan) -> Made:
        made = here.trial.issued(order, plan)
        here.trial.memory.open(order.chain, stubborn=True)
        return made

    swap(here.trial.memory, stubborn)
    assert main([*READS, "--json", "--", "true"]) == 0
    first, second = (msgspec.json.decode(line) for line in capfd.readouterr().err.splitlines())

    assert (first["event"], first["chain"], first["kind"]) == ("leased", leased(here), "postgresql")
    assert second == {
        "event": "ended",
        "chain": leased(here),
        "standing": "surviving",
        "effect": "sessions",
        "alive": [],
    }


def test_it_prints_only_when_asked_to(here: Place, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main([*READS, "--print"]) == 0
    told = capfd.readouterr()
    chain = leased(here)
    lines = tmp_path / "lines"
    lines.write_text(told.out)
    again = subprocess.run(["sh", "-c", f'. {lines}; echo "$PGPASSWORD"'], capture_output=True, text=True, check=True)

    assert again.stdout == f"{PASSWORD}\n"
    assert here.trial.standing(chain) is Standing.LIVE
    assert "must-not-stay" not in told.err
    assert f"custody lease --give-back {chain}" in told.err
    assert main(["lease", "--give-back", chain]) == 0
    assert here.trial.standing(chain) is Standing.ENDED


def test_it_prints_json(here: Place, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*READS, "--print", "--json"]) == 0
    found = msgspec.json.decode(capfd.readouterr().out)

    assert found["chain"] == leased(here)
    assert (found["kind"], found["fields"]["password"], found["environment"]["PGUSER"]) == (
        "postgresql",
        PASSWORD,
        "cc_role",
    )


def test_what_cannot_be_printed_is_given_back(place: Place) -> None:
    done = started(place, *READS[1:], "--print")
    assert done.stdout is not None
    done.stdout.close()
    assert done.stderr is not None
    err = done.stderr.read()
    done.wait(20)
    done.stderr.close()

    assert "ended" in err
    assert place.trial.standing(leased(place)) is Standing.ENDED


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--backend", "vault"], "give a command to run"),
        (["--backend", "vault", "--print", "true"], "give a command to run"),
        (["true"], "what is asked for is not clear"),
        (["--backend", "a", "--request", "rq-1", "true"], "what is asked for is not clear"),
        (["--backend", "a", "--github", "--token-env", "X", "true"], "which proof is meant"),
        (["--backend", "a", "--svid-cert", "X", "true"], "which proof is meant"),
        (["--backend", "a", "--token-env", "NONE_SUCH", "true"], "NONE_SUCH: no token"),
        (["--backend", "a", "--token-file", "/no/such", "true"], "/no/such: the token cannot be read"),
        (["--backend", "a", "--github", "true"], "no GitHub Actions job"),
        (["--backend", "a", "--ttl", "5 minutes", "true"], "not a duration"),
        (["--backend", "a", "--broker", "http://broker.example", "true"], "a token does not go over this"),
        (["--backend", "a", "--env", "1", "--", "true"], "not the beginning of a variable"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_done(
    here: Place, capfd: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    before = len(here.trial.evidence.said)
    code = main(["lease", *arguments])

    assert code == 2
    assert told in capfd.readouterr().err
    assert len(here.trial.evidence.said) == before


def test_without_a_broker_or_a_proof_it_says_where_they_go(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CUSTODY_BROKER", "CUSTODY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert main(["lease", "--backend", "a", "true"]) == 2
    assert "CUSTODY_BROKER" in capfd.readouterr().err
    assert main(["lease", "--backend", "a", "--broker", "http://127.0.0.1:1", "true"]) == 2
    assert "CUSTODY_TOKEN_FILE" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--scope", "other"], "scope"),
        (["--scope", "read", "--token-env", "WRONG"], "the signature does not verify"),
        (["--scope", "read", "--broker", "http://127.0.0.1:1"], "the broker cannot be reached"),
    ],
)
def test_a_refusal_has_its_own_exit_code(
    here: Place, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.setenv("WRONG", "must-not-stay-wrong")
    code = main(["lease", "--backend", "vault", *arguments, "--", "echo", "ran"])
    found = capfd.readouterr()

    assert (code, found.out) == (7, "")
    assert told in found.err
    assert "must-not-stay" not in found.err


def test_the_installation_without_the_client_says_what_to_install(
    here: Place, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [each for each in sys.modules if each.startswith("custody.client")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "httpx", None)

    assert main(["lease", "--backend", "vault", "--", "true"]) == 2
    assert "pip install 'custody[client]'" in capfd.readouterr().err
