"""OpenBao (or Vault): the audit device's pairs of lines, with every secret under the device's HMAC, and the server log.

Format: "Audit log entry schema". As the device does it, tokens, accessors and every string in the data of a request or
response become ``hmac-sha256:`` and the HMAC-SHA256 under the device's salt; leases, paths and metadata stay.
"""

import hashlib
import hmac

import msgspec

from custody.model.events import Stage
from custody.simulation.chance import BASE62, Chance
from custody.simulation.entry import VAULT, VAULT_HASH, VAULT_SERVER, About, Entry, Thing, encoded
from custody.simulation.estate import Estate
from custody.simulation.times import milliseconds, nanoseconds, seconds

Fields = dict[str, object]
DEVICE = "file/"
TOOK = 3_000
"""Microseconds between the two lines of a call."""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token as the audit lines tell it; ``life`` in seconds."""

    secret: str
    accessor: str
    display: str
    policies: tuple[str, ...]
    metadata: dict[str, str]
    entity: str
    life: int
    issued: int


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What was called: operation, path, and the mount that answers."""

    operation: str
    path: str
    mount: str
    kind: str


class Device:
    """One audit device with its salt."""

    def __init__(self, estate: Estate) -> None:
        self._salt = estate.chance.fork("audit salt").uuid().encode()

    def digest(self, text: str) -> str:
        """The HMAC of a text, hexadecimal."""
        return hmac.new(self._salt, text.encode(), hashlib.sha256).hexdigest()

    def hidden(self, text: str) -> str:
        """A text as it stands in the log."""
        return f"hmac-sha256:{self.digest(text)}"

    def data(self, values: Fields) -> Fields:
        """Data with every string hidden."""
        return {name: self.hidden(value) if isinstance(value, str) else value for name, value in values.items()}

    def key(self, token: Token) -> str:
        """The key of a token, by its accessor."""
        return f"vault_accessor:hmac:{self.digest(token.accessor)}"

    def alias(self, token: Token) -> str:
        """The same token by the HMAC of itself."""
        return f"vault_token:hmac:{self.digest(token.secret)}"


def token(chance: Chance, time: int, display: str, metadata: dict[str, str], policy: str, life: int) -> Token:
    """A new token."""
    return Token(
        secret=f"hvs.must-not-stay-{chance.letters(BASE62, 24)}",
        accessor=chance.letters(BASE62, 24),
        display=display,
        policies=("default", policy),
        metadata=metadata,
        entity=chance.uuid(),
        life=life,
        issued=time,
    )


def say(
    estate: Estate,
    device: Device,
    chance: Chance,
    time: int,
    who: Token | None,
    place: Place,
    origin: str,
    *,
    data: Fields | None = None,
    response: Fields | None = None,
    auth: Fields | None = None,
    about: tuple[About, ...] = (),
) -> None:
    """One call: the line of the request and, a moment later, the line of the response.

    ``auth`` is the token at the top of the response where it is not the one presented (a login).
    """
    request = _request(device, chance, who, place, origin, data)
    presented = _presented(device, who) if who else {"token_type": "default"}
    used: tuple[About, ...] = ((Stage.USE, device.key(who)),) if who else ()
    wanted: tuple[About, ...] = ((Stage.REQUEST, device.key(who)),) if who else ()
    _line(estate, time, None, {"type": "request", "auth": presented, "request": request}, wanted, ())
    answer: Fields = {"type": "response", "auth": auth or presented, "request": request, "response": response or {}}
    _line(estate, time + TOOK, time, answer, used + about, _touched(place))


def given(device: Device, token: Token) -> Fields:
    """A token that a response hands out."""
    return {
        "client_token": device.hidden(token.secret),
        "accessor": device.hidden(token.accessor),
        "display_name": token.display,
        "policies": list(token.policies),
        "token_policies": list(token.policies),
        "metadata": token.metadata,
        "entity_id": token.entity,
        "token_type": "service",
        "token_ttl": token.life,
    }


def server(estate: Estate, time: int, text: str, *about: About) -> None:
    """A line of the server log: ``2026-03-02T06:00:00.000Z [INFO]  expiration: …``."""
    line = f"{milliseconds(estate.clock(VAULT_SERVER, time))} [INFO]  {text}".encode()
    estate.say(Entry(time=time, source=VAULT_SERVER, line=line, about=about))


def translated(estate: Estate, device: Device, time: int, name: str) -> None:
    """A line of the table that the operator made with ``sys/audit-hash``."""
    value = {"device": DEVICE, "input": name, "hash": device.hidden(name), "time": seconds(time)}
    estate.say(Entry(time=time, source=VAULT_HASH, line=encoded(value)))


def _touched(place: Place) -> tuple[Thing, ...]:
    """A credential that is read is made by that: its issue says so. All else goes by its path."""
    if place.kind == "database":
        return ()
    return (("secret" if place.kind == "kv" else "resource", place.path),)


def _line(
    estate: Estate,
    time: int,
    belongs: int | None,
    value: Fields,
    about: tuple[About, ...],
    touched: tuple[Thing, ...],
) -> None:
    line = encoded({"time": nanoseconds(estate.clock(VAULT, time)), **value})
    estate.say(Entry(time=time, source=VAULT, line=line, about=about, belongs=belongs, touched=touched))


def _request(
    device: Device, chance: Chance, who: Token | None, place: Place, origin: str, data: Fields | None
) -> Fields:
    out: Fields = {"id": chance.uuid(), "operation": place.operation}
    out |= {"mount_point": place.mount, "mount_type": place.kind, "namespace": {"id": "root"}, "path": place.path}
    if who is not None:
        out |= {"client_id": who.entity, "client_token": device.hidden(who.secret)}
        out["client_token_accessor"] = device.hidden(who.accessor)
    out |= {"remote_address": origin, "remote_port": chance.between(32_768, 60_999)}
    return out | ({"data": device.data(data)} if data else {})


def _presented(device: Device, who: Token) -> Fields:
    granted = {"name": who.policies[-1], "namespace_id": "root", "type": "acl"}
    results = {"allowed": True, "granting_policies": [granted]}
    return given(device, who) | {"policy_results": results, "token_issue_time": seconds(who.issued)}
