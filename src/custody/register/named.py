"""From a name of the register to the credentials of the identity that goes by it."""

from custody.chains.search import LIMIT
from custody.engine.duck import Engine
from custody.register.spelling import canonical

HOW = "name in the register"

NAMED = "SELECT identity FROM identities WHERE identity IN (?, ?)"
ALIASED = f"{NAMED} UNION SELECT identity FROM identity_names WHERE how = 'declared' AND name IN (?, ?)"


def credentials(engine: Engine, name: str, *, alias: bool) -> tuple[tuple[str, int], ...]:
    """Each credential of the identity that ``name`` is the stable id of, with its uses, most first.

    With ``alias`` also of identities that declare it as one of their names: an alias alone is often the principal of a
    few of them, and those are who was meant.
    """
    text, form = name.strip(), canonical(name.strip())
    chosen = ALIASED if alias else NAMED
    rows = engine.rows(
        "SELECT DISTINCT c.key, c.uses FROM key_identities k JOIN credentials c ON c.key = k.key "
        f"WHERE k.identity IN ({chosen}) ORDER BY c.uses DESC, c.key LIMIT {LIMIT}",
        [text, form] * (2 if alias else 1),
    )
    return tuple((str(key), int(str(uses))) for key, uses in rows)
