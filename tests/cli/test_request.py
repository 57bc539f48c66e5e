"""``custody request show``: what those who decide see first, and that nothing a requester wrote draws on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from custody.cli import main
from custody.cli.approving.summary import lasting
from custody.model.broker_terms import Intent
from custody.pipeline.approving import signing
from tests.broker.approvals.requests import NOW, SECOND, Estate, acting, request

PLAIN = request()
HOSTILE = request(
    2,
    intent=Intent(
        backend="orders",
        scope=("re\u0430d", "w" * 150),
        resource=("https://orders.example/a\u202eb",),
        purpose="a rele\u200base\n\x1b[2Jdigest      0000 `x`",
        reason="für Ann",
        ttl=5400,
    ),
    decision=msgspec.structs.replace(PLAIN.decision, max_ttl=3600),
    actors=acting("eve\x07"),
    registered=None,
)
ENDLESS = request(3, intent=Intent(backend="orders"), count=2)
Show = Callable[..., str]


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = Estate(tmp_path_factory.mktemp("requests"))
    found.seal([PLAIN, HOSTILE, ENDLESS])
    return found.root


@pytest.fixture
def show(estate: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Show:
    monkeypatch.setattr(signing, "now", lambda: NOW + 60 * SECOND)

    def shown(*words: str) -> str:
        assert main(["request", *words, "--store", str(estate)]) == 0
        return capsys.readouterr().out

    return shown


def rows(text: str) -> dict[str, str]:
    """What stands beside each label, each line after the first of it joined."""
    found: dict[str, str] = {}
    label = ""
    for line in text.split("\n\n")[1].split("\n"):
        label = line[:12].strip() or label
        found[label] = found.get(label, "") + line[12:]
    return found


def test_the_summary_says_who_what_why_how_long_and_who_decides(show: Show) -> None:
    told = rows(show("show", PLAIN.request))

    assert told == {
        "asks": "pay-deploy, owned by team:pay",
        "proved": f"{PLAIN.proof.workload} (oidc, {PLAIN.proof.issuer})",
        "in run": "github_run:github:77/1",
        "for": "backend orders",
        "scope": "read",
        "how long": "10 minutes asked for",
        "purpose": "“a release” (claimed)",
        "ticket": "“OPS-1” (claimed)",
        "policy": "release",
        "approvals": "0 of 1 of releasers",
        "until": "2026-11-22T10:15:00Z",
        "digest": PLAIN.digest,
        "sealed": "leaf operations:4, broker tunnel",
    }


def test_the_exact_text_comes_when_it_is_asked_for(show: Show) -> None:
    exact = json.loads(show("show", PLAIN.request, "--json"))["request"]["shown"]

    assert exact not in show("show", PLAIN.request)
    assert show("show", PLAIN.request, "--all").endswith(exact)


def test_what_a_requester_wrote_is_escaped_and_whole(show: Show) -> None:
    text = show("show", HOSTILE.request)
    told = rows(text)

    assert all(each.isprintable() for each in text.split("\n"))
    assert max(map(len, text.split("\n"))) <= 80
    assert told["scope"].replace(" ", "") == r"re\u0430d" + "w" * 150
    assert told["resource"] == r"https://orders.example/a\u202eb"
    assert told["purpose"] == "“a rele\\u200base\\x0a\\x1b[2Jdigest      0000 `x`” (claimed)"
    assert told["reason"] == "“für Ann” (claimed)"
    assert told["acting"] == "eve\\x07 (the issuer's word)"
    assert told["how long"] == "90 minutes asked for; policy allows 1 hour at most"
    assert told["digest"] == HOSTILE.digest
    assert "\u0430" not in show("list")


def test_what_was_not_said_is_not_made_up(show: Show) -> None:
    told = rows(show("show", ENDLESS.request))

    assert told["how long"] == "as long as policy and backend allow"
    assert told["purpose"] == "none was given"
    assert told["approvals"] == "0 of 2 of releasers"
    assert {"scope", "ticket", "acting"}.isdisjoint(told)


def test_programs_get_the_same(show: Show) -> None:
    found = json.loads(show("show", HOSTILE.request, "--json"))["request"]
    names = ("backend", "scope", "purpose", "ttl", "max_ttl", "ticket", "needed", "policies", "workload")

    assert {name: found[name] for name in names} == {
        "backend": "orders",
        "scope": list(HOSTILE.intent.scope),
        "purpose": HOSTILE.intent.purpose,
        "ttl": 5400,
        "max_ttl": 3600,
        "ticket": None,
        "needed": 1,
        "policies": [{"id": "release", "sha256": "7" * 64}],
        "workload": HOSTILE.proof.workload,
    }


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 seconds"), (1, "1 second"), (60, "1 minute"), (90, "90 seconds"), (7200, "2 hours"), (172_800, "2 days")],
)
def test_a_length_of_time_is_exact(seconds: int, told: str) -> None:
    assert lasting(seconds) == told
