"""Roles of machines that a list says were last used long before it was made.

``idle_roles``: principal, last_used (µs, as the list says), newest (µs: the latest time that any list of the account
speaks of; the list was made then or later), leaf. Only roles of which no use was read are there, and only those that
services and holders of OpenID Connect tokens alone may take on: a role that people may take on is theirs to leave idle.
"""

from collections.abc import Iterator, Sequence

from custody.engine.duck import Cell, Engine
from custody.model.privileges import TextKind, Texts
from custody.model.times import microseconds
from custody.register.privileges import policy
from custody.register.privileges.trust import trusted

COLUMNS = {"principal": "VARCHAR", "last_used": "BIGINT", "newest": "BIGINT", "leaf": "BIGINT"}

LAST_USED = """
    SELECT p.key, max(p.object) AS last_used, max(p.leaf) AS leaf, min(p.resource) AS arn
    FROM parts p
    WHERE p.source = 'aws.iam_details' AND p.effect = 'inventory.last_used' AND NOT p.in_conflict AND p.key IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM credentials c WHERE c.subject = p.key)
    GROUP BY p.key
    ORDER BY p.key
"""
SPOKEN = """
    SELECT p.account, max(p.created) AS created,
           max(CASE WHEN p.effect = 'inventory.last_used' THEN p.object END) AS last_used
    FROM parts p
    WHERE p.source = 'aws.iam_details' AND p.account IS NOT NULL
    GROUP BY p.account
"""
"""Times of one list are written alike (RFC 3339, UTC), so the latest is the greatest text."""

SERVICE_PATHS = (":role/aws-service-role/", ":role/aws-reserved/")
MACHINES = ("Service:", "Federated:")


def build(engine: Engine, texts: Texts) -> None:
    """Make ``idle_roles``."""
    newest = {str(account): _latest(made, used) for account, made, used in engine.rows(SPOKEN)}
    engine.table("idle_roles", COLUMNS, list(_idle(engine.rows(LAST_USED), newest, texts)))


def _idle(rows: Sequence[tuple[Cell, ...]], newest: dict[str, int | None], texts: Texts) -> Iterator[tuple[Cell, ...]]:
    for key, used, leaf, arn in rows:
        principal, last, latest = str(key), _moment(used), newest.get(str(key).split(":", 2)[1])
        if last is not None and latest is not None and isinstance(leaf, int) and _is_a_machines(str(arn), leaf, texts):
            yield principal, last, latest, leaf


def _is_a_machines(arn: str, leaf: int, texts: Texts) -> bool:
    """Whether services and tokens alone may take the role on, as its trust policy says."""
    if any(path in arn for path in SERVICE_PATHS):
        return False
    found = [each for each in texts("aws.iam_details", leaf) if each.kind is TextKind.TRUST]
    doors = trusted(policy.read(found[0].text)) if len(found) == 1 else ()
    return bool(doors) and all(each.who.startswith(MACHINES) and ":saml-provider/" not in each.who for each in doors)


def _latest(*told: Cell) -> int | None:
    found = [each if isinstance(each, int) else _moment(each) for each in told]
    return max((each for each in found if each is not None), default=None)


def _moment(given: Cell) -> int | None:
    try:
        return microseconds(str(given)) if given is not None else None
    except (ValueError, TypeError, OverflowError):
        return None
