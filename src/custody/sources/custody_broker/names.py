"""What the entries of a broker speak of, as typed keys; and what every event of its log has."""

import msgspec

from custody.errors import SourceError
from custody.model import keys
from custody.model.brokered import Entry
from custody.model.events import Event, Granularity, Outcome, Part
from custody.sources import moments

SERVICE = "custody-broker"


def chain(broker: str, name: str) -> str:
    """The key of a chain: of a credential that a broker was asked for, whatever became of it."""
    return keys.scoped("broker_chain", broker, name)


def request(broker: str, name: str) -> str:
    """The key by which people decide on a request."""
    return keys.scoped("approval", broker, name)


def glass(name: str) -> str:
    """The key of a break-glass credential: its id is the same in the broker's log and in that of those who open it."""
    return keys.scoped("break_glass", "custody", name)


def known(text: str | None) -> str | None:
    """``text`` where it is a typed key, else None."""
    try:
        return str(keys.parse(text or ""))
    except SourceError:
        return None


def needed(text: str, where: str) -> str:
    """``text``, which is a typed key; SourceError where it is none."""
    found = known(text)
    if found is None:
        raise SourceError("not a key", where=where, expected="type:scope:value with a known type")
    return found


def identity(text: str) -> str:
    """The key of an identity of the register, which goes by its stable id or by a key of its own."""
    return known(text) or keys.scoped("custom", "custody/identity", text or "-")


def granularity(text: str | None) -> Granularity | None:
    """How finely a token was bound; None where it says nothing that is known."""
    return Granularity(text) if text in set(Granularity) else None


def population(*, person: bool) -> str:
    """For whom a credential works, as who asked for it proved."""
    return "person" if person else "machine"


def policy(policies: tuple[str, ...], policy_set: str) -> str | None:
    """The policies that decided and the digest of the set that they stand in."""
    return f"{', '.join(sorted(policies))} (set {policy_set})" if policies else None


def moment(text: str, where: str) -> int:
    """A time of an entry (µs)."""
    return moments.rfc3339(text, where)


def event(
    entry: Entry,
    action: str,
    parts: tuple[Part, ...],
    *,
    outcome: Outcome = Outcome.SUCCESS,
    account: bool = True,
    tags: object = None,
    **more: str | None,
) -> Event:
    """An event of the entry. With ``account`` it is an event of the broker's own, and tells of no other's account."""
    plain = Event(
        id=entry.id,
        time=moment(entry.at, "$.at"),
        service=SERVICE,
        action=action,
        outcome=outcome,
        parts=parts,
        account=entry.broker if account else None,
        source_identity=entry.chain,
        tags=None if not tags else msgspec.json.encode(tags, order="deterministic").decode(),
    )
    return msgspec.structs.replace(plain, **more) if more else plain
