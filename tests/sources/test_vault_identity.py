"""Which lines of an audit device are the same, and that what is sealed stays the same."""

import hashlib

import msgspec
import pytest

from custody.model.events import Event
from custody.sources import vault_audit, vault_audit_hash, vault_server
from custody.sources.masking import mask

ID = "00000000-0000-4000-8000-0000000000aa"


def hmac(device: str, value: str) -> str:
    """What a device writes for a value: any function that differs between devices will do."""
    return f"hmac-sha256:{hashlib.sha256(f'{device} {value}'.encode()).hexdigest()}"


def line(device: str = "file", kind: str = "response", **changed: object) -> dict[str, object]:
    """A call as a device writes it, with members put in or in the place of others."""
    token = {"client_token": hmac(device, "token"), "accessor": hmac(device, "accessor")}
    request = {"id": ID, "operation": "read", "path": "secret/data/a", "mount_type": "kv"}
    request |= {"client_token": hmac(device, "token"), "client_token_accessor": hmac(device, "accessor")}
    return {"time": "2026-01-05T10:00:00.000000001Z", "type": kind, "auth": token, "request": request, **changed}


def sealed(value: object) -> str:
    identity = vault_audit.SOURCE.identify(msgspec.json.encode(value))
    assert identity is not None
    return identity.id


def test_the_identity_is_frozen() -> None:
    short = hashlib.sha256(hmac("file", "token").removeprefix("hmac-sha256:").encode()).hexdigest()[:16]

    assert sealed(line()) == f"response:{ID}:{short}"
    assert sealed(line(kind="request")) == f"request:{ID}:{short}"
    assert sealed(line(forwarded=True)) == f"response:{ID}:forwarded:{short}"
    assert sealed(line(kind="request", forwarded_from="vault-1:8201")) == f"request:{ID}:forwarded:{short}"


def test_copies_of_a_line_are_one_whatever_their_form() -> None:
    one = line()
    turned = {name: one[name] for name in reversed(one)}

    assert sealed(one) == sealed(turned)
    prefixed = vault_audit.SOURCE.identify(b"<134>Jan  5 10:00:00 vault-1 vault[1]: " + msgspec.json.encode(one))
    assert prefixed is not None
    assert prefixed.id == sealed(one)


def test_two_devices_write_two_lines() -> None:
    assert sealed(line("file")) != sealed(line("syslog", time="2026-01-05T10:00:00.000000002Z"))


def test_a_standby_and_the_active_node_write_two_lines() -> None:
    assert sealed(line()) != sealed(line(forwarded=True))


@pytest.mark.parametrize(
    "altered",
    [
        {"time": "2026-01-05T11:00:00Z"},
        {"error": "permission denied"},
        {"response": {"data": {"keys": [hmac("file", "x")]}}},
        {"auth": {"client_token": hmac("file", "other"), "accessor": hmac("file", "other")}},
    ],
)
def test_an_altered_copy_has_the_same_identity_and_so_is_a_conflict(altered: dict[str, object]) -> None:
    assert sealed(line() | altered) == sealed(line())


def test_without_an_hmac_the_time_tells_two_devices() -> None:
    plain = line() | {"request": {"id": ID, "operation": "read", "path": "sys/internal/ui/mounts"}, "auth": {}}

    assert sealed(plain) == f"response:{ID}@2026-01-05T10:00:00.000000001Z"
    assert sealed(plain) != sealed(plain | {"time": "2026-01-05T10:00:00.000000002Z"})


def test_of_a_login_the_hashed_token_tells_the_device_before_the_data_does() -> None:
    request = {"id": ID, "operation": "update", "path": "auth/jwt/login", "data": {"jwt": hmac("file", "jwt")}}
    given = {"auth": {"client_token": hmac("file", "new"), "accessor": hmac("file", "new-accessor")}}
    asked, answered = sealed(line(request=request, auth={})), sealed(line(request=request, auth={}, response=given))

    assert asked.endswith(hashlib.sha256(hmac("file", "jwt")[12:].encode()).hexdigest()[:16])
    assert answered.endswith(hashlib.sha256(hmac("file", "new")[12:].encode()).hexdigest()[:16])


def test_without_a_request_id_the_kept_bytes_are_the_identity() -> None:
    entry = line(kind="kmip-request", request={"client_token": "hvs.must-not-stay-0000"}, auth={})
    raw = msgspec.json.encode(entry)
    identity = vault_audit.SOURCE.identify(raw)
    assert identity is not None
    kept = mask(raw, identity.secrets)

    assert b"must-not-stay" not in kept
    assert identity.id == f"sha256:{hashlib.sha256(kept).hexdigest()}"


def test_an_id_of_any_length_is_sealed_short() -> None:
    assert sealed(line(request={"id": "i" * 5000, "operation": "read", "path": "a"})).startswith("sha256:")


def test_lines_of_the_server_and_of_the_table_are_their_kept_bytes() -> None:
    text = b"2026-01-05T10:00:00.250Z [INFO]  core: said: token=must-not-stay"
    for source, raw in (
        (vault_server.SOURCE, text),
        (vault_audit_hash.SOURCE, b'{"device":"file/","input":"hvs.must-not-stay","hash":"x"}'),
    ):
        identity = source.identify(raw)
        assert identity is not None
        kept = mask(raw, identity.secrets)
        assert b"must-not-stay" not in kept
        assert identity.id == f"sha256:{hashlib.sha256(kept).hexdigest()}"


@pytest.mark.parametrize(
    "raw",
    [
        b'{"type":"request","time":"x","request":{"url":"/a","method":"GET"}}',
        b'{"type":"access","time":"x","request":{"operation":"read","path":"/a"}}',
        b'{"type":"request","request":{"operation":"read","path":"/a"}}',
        b'{"type":"request","time":"x","request":"GET /"}',
        b'[{"type":"request","time":"x","request":{}}]',
    ],
)
def test_other_logs_with_requests_are_left_alone(raw: bytes) -> None:
    assert vault_audit.SOURCE.identify(raw) is None


@pytest.mark.parametrize(
    "raw",
    [
        b"2026-01-05T10:00:00.250Z [INFO]  agent.server.raft: entering leader state",
        b"2026-01-05T10:00:00.250Z [INFO]  proxy environment: http_proxy=",
        b'{"@level":"info","@message":"m","@module":"nomad","@timestamp":"2026-01-05T10:00:00.250000Z"}',
        b"2026-01-05 10:00:00 INFO core: not this format",
    ],
)
def test_other_servers_of_the_same_format_are_left_alone(raw: bytes) -> None:
    assert vault_server.SOURCE.identify(raw) is None


def keys_of(value: object) -> list[str | None]:
    read = vault_audit.SOURCE.read(msgspec.json.encode(value), "lines")
    assert isinstance(read, tuple)
    event: Event = read[0]
    return [part.key for part in event.parts]


def test_a_call_is_used_once_though_it_has_two_lines() -> None:
    key = f"vault_accessor:hmac:{hmac('file', 'accessor')[12:]}"
    both = [vault_audit.SOURCE.read(msgspec.json.encode(line(kind=kind)), "lines") for kind in ("request", "response")]

    stages = [part.stage.value for read in both if isinstance(read, tuple) for part in read[0].parts]
    assert stages == ["request", "use"]
    assert keys_of(line()) == keys_of(line(kind="request")) == [key]


def test_devices_give_keys_of_their_own() -> None:
    assert keys_of(line("file")) != keys_of(line("syslog"))
