"""Counts and rows of the links that the joins made."""

from custody.chains.join import END, Grade, Join
from custody.engine.duck import Engine


def count(engine: Engine, joins: tuple[Join, ...]) -> dict[str, int]:
    """Links by grade. Only use → issue, child issue → parent key and end → issue count, and the inferred."""
    totals = dict.fromkeys((grade.value for grade in Grade), 0)
    for join in joins:
        if join.counted:
            only = " WHERE to_key IN (SELECT key FROM issues)" if join.relation == END else ""
            totals[_seen(join).value] += engine.number(f"SELECT count(*) FROM {join.view}{only}")
    return totals


def table(engine: Engine, joins: tuple[Join, ...]) -> None:
    """Make the table ``links`` of every join that keeps its rows."""
    selects = [
        f"SELECT '{join.id}' AS link, '{join.relation}' AS relation, '{_seen(join).value}' AS grade, from_key, to_key, "
        f"leaf FROM {join.view}"
        for join in joins
        if join.kept
    ]
    engine.run("CREATE OR REPLACE TABLE links AS " + " UNION ALL ".join(selects))


def _seen(join: Join) -> Grade:
    """The grade that its links have: nothing is bounded while no source is known to be complete."""
    return Grade.INFERRED if join.grade is Grade.BOUNDED else join.grade
