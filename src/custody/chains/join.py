"""What a join is: a declared way in which one part belongs to another, with its grade and its limits."""

import importlib
import pkgutil
from enum import StrEnum

import msgspec

from custody.errors import CustodyError


class Grade(StrEnum):
    """How strong a join is, strongest first. A rule or report never raises it."""

    EXACT = "exact"
    BOUNDED = "bounded"
    INFERRED = "inferred"


class Join(msgspec.Struct, frozen=True, kw_only=True):
    """One declared join.

    ``relation`` is what it links (``use → issue``). ``fields`` names the two sides as the logs call them,
    ``asserter`` who stands behind each. ``sql`` makes the view ``join_<id>``: one row a link, with the columns
    ``from_key``, ``to_key`` and ``leaf`` (the record that carries the link), over ``parts`` and the tables of
    ``chains.keys``. ``counted`` says that its rows count as links, ``kept`` says that the links are also written
    to the derived ``links`` table (use → issue is not: a use names its key itself).
    """

    id: str
    relation: str
    grade: Grade
    fields: str
    asserter: str
    pitfalls: str
    sql: str
    counted: bool = True
    kept: bool = True

    @property
    def view(self) -> str:
        """The name of the view that ``sql`` makes."""
        return f"join_{self.id}"


def load() -> tuple[Join, ...]:
    """Every join in ``chains/joins``, found by module scan, sorted by id; duplicate ids are refused."""
    package = importlib.import_module("custody.chains.joins")
    found: dict[str, Join] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
        join = importlib.import_module(f"custody.chains.joins.{module}").JOIN
        if join.id in found:
            raise CustodyError("two joins have one id", where=module, found=join.id)
        found[join.id] = join
    return tuple(found[name] for name in sorted(found))
