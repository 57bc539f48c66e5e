"""What each version asks, and one finding where several versions judge one principal."""

from typing import cast

import msgspec

from custody.engine.duck import Engine
from custody.model.contracts import Contract, IdentityClass, SealedContract, Versions
from custody.model.verdicts import Severity, Verdict, indicated
from custody.rules import asked, judging
from custody.rules.judging import Demands
from custody.rules.rule import Rule


def version(rotation: int | None, since: int | None = None) -> SealedContract:
    contract = Contract(classes=(IdentityClass(name="c", match=(), rotation=rotation),), since=since)
    return SealedContract(contract=contract)


class Row(msgspec.Struct, frozen=True, array_like=True):
    subject: str
    who: str
    key: str | None
    contract_version: int


def judge(row: Row, contract: Contract) -> Verdict | None:
    rotation = contract.classes[0].rotation
    return indicated(f"asks for {rotation}", Severity.HIGH if rotation == 1 else Severity.LOW, row.contract_version)


RULE = Rule(
    id="test", title="t", question=None, severity=Severity.LOW, why="w.", action="a.", fix="", controls=(), row=Row,
    judge=judge, facts="SELECT 'p' AS subject, 'p' AS who, CAST(NULL AS VARCHAR) AS key, version AS contract_version "
    "FROM asked WHERE field = 'rotation'",
)  # fmt: skip


def test_each_version_is_asked_by_itself() -> None:
    versions = Versions(sealed=(version(None), version(1, since=5), version(2, since=9)))
    with Engine(memory_mib=100, threads=1) as engine:
        asked.build(engine, versions)
        rows = engine.rows("SELECT version, identity_class, field FROM asked ORDER BY version")

    assert [tuple(row) for row in rows] == [(1, "c", "rotation"), (2, "c", "rotation")]


def test_rows_of_several_versions_about_one_subject_are_one_finding_the_gravest() -> None:
    versions = Versions(sealed=(version(2), version(1, since=5), version(3, since=9)))
    with Engine(memory_mib=100, threads=1) as engine:
        asked.build(engine, versions)
        engine.run("CREATE TABLE credentials AS SELECT 'x' AS key, 0 AS contract_version")
        (found,) = judging._records(engine, cast("judging.AnyRule", RULE), Demands(versions, None))

    assert (found.severity, found.text, found.leaves) == (Severity.HIGH, "asks for 1", (1,))
