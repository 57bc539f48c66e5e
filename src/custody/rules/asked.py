"""What each version of the contract asks of each class, for the facts of rules: what nobody asks for is not gathered.

``asked``: version (its index), identity_class, field. A class is there once for each field that it gives; a field of
the contract itself (``environments``, ``provenance``) stands beside the empty text.
"""

from custody.engine.duck import Engine
from custody.model.contracts import Versions

COLUMNS = {"version": "BIGINT", "identity_class": "VARCHAR", "field": "VARCHAR"}
OF_CLASS = ("depends_on", "hours", "risk", "rotation", "workloads")
OF_CONTRACT = ("environments", "provenance")


def build(engine: Engine, versions: Versions) -> None:
    """Make ``asked``."""
    rows: list[tuple[int, str, str]] = []
    for index, each in enumerate(versions.sealed):
        rows += [(index, "", field) for field in OF_CONTRACT if getattr(each.contract, field)]
        rows += [(index, one.name, field) for one in each.contract.classes for field in OF_CLASS if getattr(one, field)]
    engine.table("asked", COLUMNS, rows)


def of_class(field: str) -> str:
    """The SQL of whether the class of a credential of ``credentials c`` gives ``field``, in its version."""
    return (
        "EXISTS (SELECT 1 FROM asked a WHERE a.version = c.contract_version AND a.identity_class = c.identity_class "
        f"AND a.field = '{field}')"
    )


def of_contract(field: str) -> str:
    """The SQL of whether the version of the contract that judges a credential of ``credentials c`` gives ``field``."""
    return (
        "EXISTS (SELECT 1 FROM asked a WHERE a.version = c.contract_version AND a.identity_class = '' "
        f"AND a.field = '{field}')"
    )
