"""What the service says of each backend: by the calls that a real broker made, and by nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import httpx
import pytest
from litestar.testing import TestClient

from custody.broker.broker import Broker
from custody.broker.reachable import Outcome, Reachable
from custody.errors import BackendFailed, CustodyError
from custody.model.broker_terms import Ending, Intent
from custody.serve.app import build
from tests.broker.trial import NOON, SECOND, Trial, caller, played
from tests.serve.running import parts_of

Play = Callable[[Trial, Broker], Awaitable[None]]
NOTHING = {"answered": None, "failed": None, "step": "", "reason": "", "failures": 0}


async def issue(trial: Trial, broker: Broker, backend: str = "vault", *, fails: bool = False) -> None:
    trial.clock.time += SECOND
    try:
        await broker.exchange(caller("payments"), Intent(backend=backend, scope=("read",)))
    except CustodyError:
        assert fails


async def silent(trial: Trial, broker: Broker) -> None:
    """One call that was answered, then two that were not."""
    await issue(trial, broker)
    trial.memory.reachable = False
    await issue(trial, broker, fails=True)
    await issue(trial, broker, fails=True)


async def back(trial: Trial, broker: Broker) -> None:
    """It answers again: the search for orphans shows it."""
    await silent(trial, broker)
    trial.memory.reachable = True
    trial.clock.time += SECOND
    await broker.reaper.orphans()


async def untouched(trial: Trial, broker: Broker) -> None:
    """Nothing but the start."""
    trial.clock.time += SECOND


def asked(folder: Path, play: Play, *paths: str) -> list[httpx.Response]:
    """What the service of a broker answers after it was played with."""
    trial = Trial()
    played(trial, lambda broker: play(trial, broker))
    with TestClient(build(trial.broker, parts_of(folder))) as client:
        return [client.get(path) for path in paths]


@pytest.mark.parametrize(
    ("play", "vault"),
    [
        (untouched, {"state": "answers", "answered": "2026-11-22T12:00:00Z"}),
        (issue, {"state": "answers", "answered": "2026-11-22T12:00:01Z"}),
        (
            silent,
            {
                "state": "fails", "answered": "2026-11-22T12:00:01Z", "failed": "2026-11-22T12:00:03Z",
                "step": "issue", "reason": "unreachable", "failures": 2,
            },
        ),
        (back, {"state": "answers", "answered": "2026-11-22T12:00:04Z"}),
    ],
)  # fmt: skip
def test_readiness_names_the_backend_that_fails_and_stays_what_it_is(
    tmp_path: Path, play: Play, vault: dict[str, object]
) -> None:
    (answer,) = asked(tmp_path, play, "/readyz")
    quick, found = answer.json()["backends"]

    assert (answer.status_code, answer.json()["ready"], answer.json()["reasons"]) == (200, True, [])
    assert found == {"backend": "vault", **NOTHING, **vault}
    assert quick == {"backend": "quick", **NOTHING, "state": "unknown"}


def test_metrics_and_the_page_name_it_too_and_say_no_more(tmp_path: Path) -> None:
    metrics, page = asked(tmp_path, silent, "/metrics", "/docs")

    assert 'custody_backend_failing{backend="vault",reason="unreachable"} 1.0' in metrics.text
    (sample,) = [each for each in metrics.text.splitlines() if each.startswith("custody_backend_failed_timestamp")]
    assert float(sample.split()[-1]) == NOON / SECOND + 3
    assert 'backend="quick"' not in metrics.text
    assert "custody_leases_live 3.0" in metrics.text
    assert "<td>quick</td><td>not known: no call" in page.text
    assert "fails: issue at 2026-11-22T12:00:03Z, unreachable, 2 calls in a row" in page.text
    assert "it last answered at 2026-11-22T12:00:01Z" in page.text
    assert page.headers["cache-control"] == "no-store"
    assert "out of reach" not in metrics.text + page.text


class Named:
    """As much of a backend as counts here."""

    def __init__(self, ends: Ending) -> None:
        self.name, self.ends = "one", ends


FAILED = BackendFailed("must-not-stay", reason="unreachable")


@pytest.mark.parametrize(
    ("ends", "failing", "after", "state"),
    [
        (Ending.KILLED, "issue", "look", "answers"),
        (Ending.EXPIRY, "issue", "orphans", "fails"),
        (Ending.EXPIRY, "issue", "issue", "answers"),
        (Ending.EXPIRY, "end", "end", "answers"),
        (Ending.EXPIRY, "end", "issue", "answers"),
        (Ending.KILLED, "issue", "probe", "fails"),
        (Ending.KILLED, "probe", "", "unknown"),
        (Ending.EXPIRY, "", "issue", "answers"),
        (Ending.EXPIRY, "", "orphans", "unknown"),
        (Ending.KILLED, "", "orphans", "answers"),
    ],
)
def test_a_success_settles_a_failure_where_it_shows_that_the_server_answers(
    ends: Ending, failing: str, after: str, state: str
) -> None:
    """A backend that only time ends may look, and search, without asking anybody."""
    reachable, backend = Reachable(), cast("Trial", Named(ends))
    if failing:
        reachable.failed(backend, failing, 1, FAILED)  # type: ignore[arg-type]
    if after:
        reachable.did(backend, after, 2)  # type: ignore[arg-type]
    found = reachable.of("one")

    if state == "fails":
        assert (found.failed, found.answered, found.step, found.reason) == (1, None, failing, "unreachable")
    else:
        assert found == Outcome(backend="one", answered=2 if state == "answers" else None)
    assert "must-not-stay" not in repr(found)


def test_what_nobody_foresaw_is_a_failure_without_its_text() -> None:
    reachable = Reachable()
    reachable.failed(Named(Ending.KILLED), "look", 5, RuntimeError("must-not-stay"))  # type: ignore[arg-type]

    assert reachable.of("one") == Outcome(backend="one", failed=5, step="look", reason="unforeseen", failures=1)
