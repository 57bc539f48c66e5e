"""Audit entries, server lines and translations with wrong types everywhere: events, a Skip and nothing else."""

import random
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custody.model import keys
from custody.model.events import SKIP_REASONS, Skip
from custody.sources import vault_audit, vault_audit_hash, vault_server
from custody.sources.columns import to_parts
from custody.sources.masking import mask
from custody.sources.source import Source

CASES = Path(__file__).resolve().parents[1] / "cases"
ODD: list[object] = [None, 0, -1, 1.5, 10**30, True, "", "x", "\x00", "ÿ\u202f", [], [None], {}, {"a": {}}, [[[]]]]
SOURCES = [vault_audit.SOURCE, vault_server.SOURCE, vault_audit_hash.SOURCE]
FORMS = {vault_audit.SOURCE.name: "prefixed", vault_server.SOURCE.name: "hclog"}


def given_everything(source: Source, raw: bytes, form: str = "lines") -> None:
    source.recognise(raw)
    identity = source.identify(raw)
    result = source.read(raw, form)
    if isinstance(result, Skip):
        assert result.reason in SKIP_REASONS
    else:
        assert len(result) == 1
        assert all(keys.parse(part.key) for part in result[0].parts if part.key)
        assert to_parts([(0, source.name, "i", form, result)]).num_rows == max(1, len(result[0].parts))
    if identity is not None:
        kept = mask(raw, identity.secrets)
        again = source.identify(kept)
        assert again is not None
        assert again.id == identity.id
        assert mask(kept, again.secrets) == kept
        read = source.read(kept, form)
        assert isinstance(read, Skip) or identity.id == read[0].id
        assert identity.withheld or read == result


def paths(value: object, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [at] if at else []
    if isinstance(value, dict):
        for name, entry in value.items():
            found += paths(entry, (*at, name))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            found += paths(entry, (*at, index))
    return found


def put(value: object, path: tuple[str | int, ...], odd: object) -> object:
    if not path:
        return odd
    if isinstance(value, dict):
        return {name: put(entry, path[1:], odd) if name == path[0] else entry for name, entry in value.items()}
    assert isinstance(value, list)
    return [put(entry, path[1:], odd) if index == path[0] else entry for index, entry in enumerate(value)]


def lines(source: Source) -> list[bytes]:
    folder = CASES / source.name.replace(".", "_")
    names = [path for path in sorted(folder.glob("*")) if not path.name.endswith(".expected.json")]
    assert names
    return [path.read_bytes().removesuffix(b"\n") for path in names]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_field_of_every_case_of_wrong_types(source: Source) -> None:
    chosen = random.Random(5)
    for raw in lines(source):
        if raw[:1] != b"{":
            continue
        record = msgspec.json.decode(raw)
        for place in paths(record):
            given_everything(source, msgspec.json.encode(put(record, place, chosen.choice(ODD))))


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_flipped_cut_and_doubled_bytes(source: Source) -> None:
    chosen = random.Random(6)
    for raw in lines(source):
        form = FORMS.get(source.name, "lines")
        for _ in range(6):
            at = chosen.randrange(len(raw))
            given_everything(source, raw[:at] + bytes((chosen.randrange(256),)) + raw[at + 1 :], form)
            given_everything(source, raw[:at], form)
            given_everything(source, raw[:at] + raw[at // 2 :], form)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200))
def test_any_bytes(raw: bytes) -> None:
    for source in SOURCES:
        given_everything(source, raw, FORMS.get(source.name, "lines"))
        given_everything(source, b"2026-01-05T10:00:00.250Z [INFO]  core: " + raw, FORMS.get(source.name, "lines"))


@pytest.mark.parametrize(
    ("before", "says", "kept"),
    [
        ("", "PRIVATE KEY-----", "T: custody-masked:key"),
        ("", "read -----BEGIN PRIVATE KEY-----must-not-stay-----END", "T: custody-masked:key"),
        ("", r"path=\u0065yJhbGciOiJIUzI1NiJ9.eyJtdXN0LW5vdC1zdGF5In0.c2lnbmF0dXJl", "T: custody-masked:token"),
        ("PRIVATE KEY-----must-not-stay ", "unsealed", "custody-masked:key vault: T: unsealed"),
        ("token=must-not-stay ", "unsealed", "token=custody-masked:secret vault: T: unsealed"),
    ],
)
def test_a_line_that_is_masked_whole_is_still_a_line(before: str, says: str, kept: str) -> None:
    head = "2026-01-05T10:00:00.250Z [INFO]  core"
    raw = (f"{before}vault: " if before else "") + f"{head}: {says}"
    given_everything(vault_server.SOURCE, raw.encode(), "hclog")
    identity = vault_server.SOURCE.identify(raw.encode())
    assert identity is not None
    masked = mask(raw.encode(), identity.secrets).decode()
    assert masked.replace(head, "T") == kept
    assert isinstance(vault_server.SOURCE.read(masked.encode(), "hclog"), tuple)


@pytest.mark.parametrize("depth", [500, 5_000, 200_000])
@pytest.mark.parametrize("brackets", [(b"[", b"]"), (b'{"a":', b"}")])
def test_deep_nesting_raises_nothing(depth: int, brackets: tuple[bytes, bytes]) -> None:
    deep = brackets[0] * depth + b"1" + brackets[1] * depth
    given_everything(
        vault_audit.SOURCE,
        b'{"time":"2026-01-05T10:00:00Z","type":"response","request":{"id":"i","operation":"read","path":"a","data":'
        + deep
        + b"}}",
    )
    given_everything(
        vault_server.SOURCE,
        b'{"@level":"info","@message":"m","@module":"core","@timestamp":"2026-01-05T10:00:00Z","x":' + deep + b"}",
    )


@pytest.mark.parametrize("name", [b"\\ud800", b"\xff\xfe", b"\\udc00\\ud800", b"\xed\xa0\x80", b"\\u0000"])
def test_lone_surrogates_and_bad_utf8_raise_nothing(name: bytes) -> None:
    entry = (
        b'{"time":"2026-01-05T10:00:00Z","type":"response","request":{"id":"%s","operation":"read","path":"auth/a/login"},'
        b'"response":{"auth":{"accessor":"%s","client_token":"%s","metadata":{"role":"%s","username":"%s"}}}}'
    )
    given_everything(vault_audit.SOURCE, entry % ((name,) * 5))
    given_everything(vault_audit.SOURCE, entry % (b"i", b"AbCdEfGhIjKl", name, name, name))
    given_everything(vault_audit_hash.SOURCE, b'{"device":"file/","input":"%s","hash":"%s"}' % (name, name))


@pytest.mark.parametrize("ttl", [b"9" * 400, b"-1", b"1e308", b"1.5", b"true", b'"1h"', b"3200000000"])
def test_a_lifetime_out_of_all_range_is_a_skip(ttl: bytes) -> None:
    raw = (
        b'{"time":"2026-01-05T10:00:00Z","type":"response","request":{"id":"i","operation":"update",'
        b'"path":"auth/a/login"},"response":{"auth":{"accessor":"AbCdEfGhIjKl","token_ttl":%s}}}'
    )
    result = vault_audit.SOURCE.read(raw % ttl, "lines")
    assert isinstance(result, Skip)
    assert result.reason in ("malformed", "not-json")


def test_hostile_text_costs_time_in_proportion_to_its_length() -> None:
    for piece in (b"s.", b"eyJ", b"://a:", b"hv", b'\\"', b"a=", b"vault: "):
        text = piece * (400_000 // len(piece))
        given_everything(vault_server.SOURCE, b"2026-01-05T10:00:00.250Z [INFO]  core: m: a=" + text)
        given_everything(
            vault_audit.SOURCE,
            b'{"time":"2026-01-05T10:00:00Z","type":"response","request":{"id":"i","operation":"read","path":"%s"}}'
            % text,
        )
