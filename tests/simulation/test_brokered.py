"""The broker of the generated estate: its lines, what the database wrote of them, and what custody makes of both."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from custody.model.brokered import DECODER, NO_LINE, Entry, Issued, Request, line
from custody.model.verdicts import Finding, Severity
from custody.pipeline.audit import audit
from custody.settings.options import resolve
from tests.simulation.conftest import Made, make

LOG = "custody/broker.log"
RECEIPT = re.compile(r"COMMENT ON ROLE \"(\w+)\" IS '(\{[^']*\})'")


def entries(made: Made, broker: str = "blue") -> list[Entry]:
    return [each for each in map(DECODER.decode, made.lines(LOG)) if each.broker == broker]


def test_lines_are_numbered_and_each_names_the_one_before(clean: Made) -> None:
    every = entries(clean)
    digests = [NO_LINE, *(hashlib.sha256(line(each)).hexdigest() for each in every)]

    assert [each.seq for each in every] == list(range(1, len(every) + 1))
    assert [each.prev for each in every] == digests[:-1]
    assert [each.at for each in every] == sorted(each.at for each in every)
    assert {type(each.body).__name__ for each in every} == {
        "Approved", "EndAsked", "Ended", "Issued", "Refused", "Request", "Service",
    }  # fmt: skip


def test_every_role_carries_the_receipt_of_the_line_that_decided_it(clean: Made) -> None:
    said = [json.loads(each)["message"] for each in clean.lines("postgresql/*")]
    told = {match[1]: json.loads(match[2])["seq"] for each in said if (match := RECEIPT.search(each))}
    decided = {each.seq: each.chain for each in entries(clean) if isinstance(each.body, Request) and each.body.plan}
    issued = [each for each in entries(clean) if isinstance(each.body, Issued)]

    assert len(issued) > 10
    assert {(each.chain or "").replace("-", "_"): each.body.decided for each in issued} == told  # type: ignore[union-attr]
    assert {decided[number].replace("-", "_") for number in told.values()} == set(told)  # type: ignore[union-attr]


def test_truth_names_parent_and_run_of_what_was_issued(clean: Made) -> None:
    truth = {each.key: each for each in clean.truth.credentials}
    bodies = [each.body for each in entries(clean) if isinstance(each.body, Issued)]

    for body in bodies:
        known = truth[body.keys[0]]
        assert (known.parent, known.run, known.parent_join) == (body.parent, body.run, "brokered_parent")
        assert (known.parent_visible, known.run_visible) == ("exact", "issuer")


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The broker's life is the same with one workload beside it."""
    return make(tmp_path_factory.mktemp("lost"), "dropped-broker-lines", workloads=1)


def test_lines_that_were_lost_are_not_in_the_file(clean: Made, lost: Made) -> None:
    assert set(lost.lines(LOG)) < set(clean.lines(LOG))
    numbers = [each.seq for each in entries(lost)]
    missing = sorted(set(range(1, numbers[-1] + 1)) - set(numbers))
    dropped = next(each for each in lost.truth.dropped if each.source == "custody.broker")

    assert len(missing) == dropped.records > 10
    assert missing == list(range(missing[0], missing[-1] + 1))
    issued = {key for key in dropped.keys if key.startswith("db_role:")}
    blind = [each for each in lost.truth.credentials if each.key in issued and each.parent_visible == "none"]
    assert blind
    assert all(each.records["issue"] == 1 for each in blind)


def test_of_what_lost_lines_told_nothing_is_said_for_sure(lost: Made, tmp_path: Path) -> None:
    """A role whose outcome was lost, and whose end was not, carries a receipt that nothing denies."""
    found = findings(lost, tmp_path)
    receipts = [each for each in found if each.rule == "receipt-elsewhere"]

    assert [each for each in found if each.severity is Severity.HIGH] == []
    assert receipts
    assert {each.severity for each in receipts} <= {Severity.LOW, Severity.MEDIUM}
    holes = [each for each in found if each.rule == "source-with-holes"]
    assert [each.subject.split(":")[0] for each in holes] == ["custody.broker"]


def findings(made: Made, folder: Path) -> tuple[Finding, ...]:
    flags: dict[str, object] = {
        "store": str(folder / "store"),
        "keys": str(folder / "keys"),
        "contract": str(made.folder / made.truth.contract),
        "jobs": "1",
    }
    settings = resolve(flags, {}, None, home=folder, cwd=folder, cores=2)
    return audit(settings, [made.logs], lambda progress: None).findings
