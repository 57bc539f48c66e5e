"""What a custody broker does in the database: roles that carry their receipt, and the end of them and their sessions.

Every step is a connection of the broker's own role; the statements are those of custody's backend for PostgreSQL.
"""

from custody.model.events import Stage
from custody.simulation.chance import Chance
from custody.simulation.entry import About, Thing
from custody.simulation.estate import Estate
from custody.simulation.systems.broker import NAME, Lease
from custody.simulation.systems.postgresql import Connection
from custody.simulation.times import microseconds

OWN = "custody_broker"
ADDRESS = "10.20.3.9"
DATABASE = "items"
HELD = 4_000
"""Microseconds between two statements."""


def make(estate: Estate, chance: Chance, time: int, lease: Lease, *, until: int | None = None) -> None:
    """A role with its expiry, its group and its receipt, in one transaction."""
    limits = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 5"
    secret = "PASSWORD 'SCRAM-SHA-256$4096:must-not-stay'"  # noqa: S105  the form of a verifier, invented
    valid = f"VALID UNTIL '{microseconds(until or lease.not_after)}'"
    receipt = f'{{"chain":"{lease.chain}","broker":"{NAME}","seq":{lease.decided}}}'
    _administer(
        estate,
        chance,
        time,
        ("BEGIN", (), ()),
        (f'CREATE ROLE "{lease.role}" LOGIN {limits} {secret} {valid}', ((Stage.ISSUE, lease.key),), ()),
        (f'GRANT "items_{lease.wish.scope}" TO "{lease.role}"', (), _group(lease)),
        (f"COMMENT ON ROLE \"{lease.role}\" IS '{receipt}'", (), ()),
        ("COMMIT", (), ()),
    )


def lock(estate: Estate, chance: Chance, time: int, lease: Lease) -> None:
    """No login any more, and no rights; sessions that are open go on."""
    never = f"ALTER ROLE \"{lease.role}\" NOLOGIN PASSWORD NULL VALID UNTIL '1970-01-01 00:00:00+00'"
    group = f'REVOKE "items_{lease.wish.scope}" FROM "{lease.role}"'
    role = (("resource", lease.key),)
    _administer(estate, chance, time, (never, ((Stage.REVOKE, lease.key),), role), (group, (), _group(lease)))


def drop(estate: Estate, chance: Chance, time: int, lease: Lease) -> None:
    """The role is gone."""
    _administer(estate, chance, time, (f'DROP ROLE IF EXISTS "{lease.role}"', ((Stage.REVOKE, lease.key),), ()))


def _group(lease: Lease) -> tuple[Thing, ...]:
    """What the role may do comes from a group."""
    return (("grant", f"db_role:postgresql:items_{lease.wish.scope}"),)


def _administer(
    estate: Estate, chance: Chance, time: int, *said: tuple[str, tuple[About, ...], tuple[Thing, ...]]
) -> None:
    session = Connection(estate, chance, time, OWN, DATABASE, ADDRESS, f"custody broker {NAME}")
    for turn, (sql, about, touched) in enumerate(said):
        session.statement(time + (turn + 1) * HELD, sql, *about, touched=touched)
    session.close(time + (len(said) + 1) * HELD)
