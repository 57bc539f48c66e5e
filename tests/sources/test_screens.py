"""A screen only ever saves time: what passes it holds nothing that the exact search would find.

The records are those of all cases and, so that screens also meet what they must stop, each of them with a secret of
every shape pasted into it. They are asked together, as in a large file, and must give what they give alone.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from custody.sources import pasted_secrets, secret_names, secret_spans
from custody.sources.github_audit import token_shapes
from custody.sources.kubernetes_audit import secrets as kubernetes
from custody.sources.masking import mask
from custody.sources.otel_otlp import secrets as otel
from custody.sources.postgresql import secrets as postgresql
from custody.sources.registry import sources
from custody.sources.screen import Screen
from custody.sources.source import Source

CASES = Path(__file__).parent.parent / "cases"
KNOWN = sources()
PASTED = (
    b'"sessionToken":"must-not-stay"',
    b'"x":{"name":"DB_PASSWORD","value":"must-not-stay"}',
    b'"x":"{\\"apiKey\\":\\"must-not-stay\\"}"',
    b'"x":"ses\\u0073ion","to\\u006ben":"must-not-stay"',
    b'"x":"password = must-not-stay"',
    b'"x":"access key: must-not-stay"',
    b'"x":"alter role a password \'must-not-stay\'"',
    b'"x":"ghp_mustnotstay0123456789abcdefghij"',
    b'"x":"github_pat_mustnotstay0123456789abcdefghij"',
    b'"x":"glpat-must-not-stay-0123456789"',
    b'"x":"xoxb-must-not-stay-0123456789"',
    b'"x":"hvs.mustnotstay0123456789abcdefghij"',
    b'"x":"Bearer must-not-stay-0123456789"',
    b'"x":"postgres://me:must-not-stay@db.example.org/x"',
    b'"x":"eyJtdXN0LW5v.eyJtdXN0LW5vdC1z.must-not-stay"',
    b'"x":"https://example.org/?token=must-not-stay"',
    b'"x":"-----BEGIN PRIVATE KEY-----must+not+stay"',
    b'"x":"IQoJb3JpZ2luX21ustnotstay"',
    b'"x":["--token","must-not-stay"]',
    b'"x":"[\\"--token\\", \\"must-not-stay\\"]"',
    b'"x":[{"stringValue":"--db-password"},{"stringValue":"must-not-stay"}]',
    b'"x":"run --password must-not-stay"',
    b'"x":"exec?command=--password%3Dmust-not-stay&command=--token&command=must-not-stay"',
    b'"x":"exec?command=postgres%3A%2F%2Fme%3Amust-not-stay%40db"',
    b'"x":"STRIPE_KEY=must-not-stay STRIPE_KEY%3Dmust-not-stay"',
    b'"x":"/a?sig=must-not-stay&code=must-not-stay"',
    b'"x":"create user a identified with plain by \'must-not-stay\'"',
    b'"x":"redis://:must-not-stay@db.example.org"',
    b'"x-hub-signature-256":"sha256=0123456789abcdef"',
)
PLAIN = (b'"x":"nothing"', b'"nextToken":"a cursor"', b'"x":"a:/\\/b@c"', '"x":"K\u212aey \u017fecret"'.encode())


def lines() -> list[bytes]:
    found = {line for path in sorted(CASES.rglob("*")) if path.is_file() for line in path.read_bytes().splitlines()}
    return sorted(line.strip().rstrip(b",") for line in found if line.strip().startswith(b"{"))


def with_more(raws: Sequence[bytes]) -> list[bytes]:
    bare = [b"{%s}" % more for more in (*PASTED, *PLAIN)]
    return [*raws, *bare, *(b"{%s,%s" % (more, raw[1:]) for raw in raws[::40] for more in (*PASTED, *PLAIN))]


RAWS = with_more(lines())
SEARCHES: tuple[tuple[Screen, Callable[[bytes], object], object], ...] = (
    (secret_names.SUSPECTS, secret_spans.find, secret_spans.NOTHING),
    (secret_names.SUSPECTS, pasted_secrets.find, secret_spans.NOTHING),
    (secret_names.SUSPECTS, token_shapes.find, secret_spans.NOTHING),
    (postgresql.SCREEN, lambda raw: postgresql.hinted_bytes(raw) or postgresql.hinted(raw.decode()), False),
    (otel.PASTED, lambda raw: pasted_secrets.joined(raw, ()), ()),
    (otel.SCREEN, lambda raw: [*otel.own(raw)], []),
)


@pytest.mark.parametrize(("screen", "search", "nothing"), SEARCHES)
def test_what_passes_holds_nothing(screen: Screen, search: Callable[[bytes], object], nothing: object) -> None:
    screen.look(RAWS)
    passed = [raw for raw in RAWS if screen.passed(raw)]
    screen.look([])
    assert not any(screen.passed(raw) for raw in passed)
    assert [raw for raw in passed if search(raw) != nothing] == []
    assert len(passed) > len(RAWS) // 20


def test_every_pasted_secret_is_stopped() -> None:
    stopped = [b"{%s}" % more for more in PASTED]
    secret_names.SUSPECTS.look(RAWS)
    assert not any(secret_names.SUSPECTS.passed(raw) for raw in stopped)
    secret_names.SUSPECTS.look([])
    assert all(pasted_secrets.find(raw).spans or token_shapes.find(raw).spans for raw in stopped)


def test_kubernetes_suspects_whatever_its_search_finds() -> None:
    suspects = kubernetes.suspects(RAWS)
    passed = [raw for raw, suspect in zip(RAWS, suspects, strict=True) if not suspect]
    assert [raw for raw in passed if kubernetes.find(raw).spans] == []
    assert len(passed) > len(RAWS) // 20


def test_a_few_records_are_suspected_as_a_search_finds() -> None:
    for at in range(0, len(RAWS), 7):
        some = RAWS[at : at + 7]
        for raw, suspect in zip(some, secret_spans.suspects(some), strict=True):
            found = secret_spans.find(raw)
            assert suspect or not (found.spans or found.unsure), raw


@pytest.mark.parametrize("source", KNOWN, ids=lambda source: source.name)
def test_many_together_give_what_each_gives_alone(source: Source) -> None:
    mine = [raw for raw in RAWS if source.recognise(raw)]
    together = [(identity, source.read(raw, "lines")) for raw, identity in zip(mine, source.each(mine), strict=True)]
    if source.glance is not None:
        source.glance([])
    alone = [(source.identify(raw), source.read(raw, "lines")) for raw in mine]
    assert together == alone


@pytest.mark.parametrize("source", KNOWN, ids=lambda source: source.name)
def test_what_is_recognised_holds_a_mark(source: Source) -> None:
    unmarked = [raw for raw in RAWS if not any(mark in raw for mark in source.marks)]
    assert not source.marks or not any(source.recognise(raw) for raw in unmarked)


@pytest.mark.parametrize(
    "message",
    [rb"to postgres:\/\/me:must-not-stay@db.example.org\/x", rb"to postgres:/\/me:must-not-stay@db.example.org"],
)
def test_a_password_in_an_address_with_escaped_slashes_is_masked(message: bytes) -> None:
    raw = (
        b'{"timestamp":"2026-03-02 06:03:23.881 UTC","session_id":"69a5282b.18a33","line_num":1,'
        b'"error_severity":"LOG","message":"%s"}' % message
    )
    identity = next(source for source in KNOWN if source.name == "postgresql").identify(raw)
    assert identity is not None
    assert b"must-not-stay" not in mask(raw, identity.secrets)
