"""One spelling for each origin: IPv6 has many for one address, and IPv4 can be written as IPv6.

A log keeps what the client's side wrote; origins are compared, grouped and searched by the form of
``settings.origins``. Records and their steps show what the log says.
"""

from custody.engine.duck import Engine
from custody.errors import UsageError
from custody.settings.origins import canonical_origin


def canonical(origin: str) -> str:
    """The one form of an origin; what is none (a name that a service gave itself) stands as it is."""
    try:
        return canonical_origin(origin)
    except UsageError:
        return origin


def build(engine: Engine, use_origins: str) -> None:
    """Make ``spellings``, from each origin in another spelling to its one form, and settle ``use_origins`` by it.

    ``use_origins`` is the SQL that makes that table of ``parts`` with the origins of ``spellings``.
    """
    columns = {"origin": "VARCHAR", "canonical": "VARCHAR"}
    engine.table("spellings", columns, [])
    engine.run(use_origins)
    seen = engine.rows("SELECT DISTINCT origin FROM use_origins WHERE origin LIKE '%:%' ORDER BY origin")
    others = [(name, canonical(name)) for name in (str(origin) for (origin,) in seen) if canonical(name) != name]
    if others:
        engine.table("spellings", columns, others)
        engine.run(use_origins)
