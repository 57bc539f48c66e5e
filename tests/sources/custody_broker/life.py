"""One whole brokered life: asked for, approved by another, decided, issued, used in PostgreSQL, ended and seen gone.

``python -m tests.sources.custody_broker.life`` writes it into tests/cases/chains/brokered_life.
"""

from pathlib import Path

from tests.sources.custody_broker.writing import (
    POD,
    Database,
    Log,
    asked,
    chain,
    digest,
    issued,
    moment,
    request_of,
    role,
)

from custody.model.broker_terms import ApprovalRef, Verdict
from custody.model.brokered import Approved, Effect, EndAsked, Ended, Service

FOLDER = Path(__file__).resolve().parents[2] / "cases" / "chains" / "brokered_life"
LEAD = "person:idp.shop.test:lead"


def live(log: Log, database: Database, number: int, minute: int) -> None:
    """A life of about two minutes from ``10:MM`` on."""
    key, name, at = f"db_role:postgresql:{role(number)}", role(number), f"10:{minute:02d}"
    after = f"10:{minute + 1:02d}"
    log.add(f"{at}:00", asked(number, Verdict.APPROVAL), chain(number))
    leaf = 40 + number
    log.add(f"{at}:20", Approved(
        request=request_of(number), digest=digest(number), verdict="grant", approver=LEAD, leaf=leaf,
        given=moment(f"{at}:19"), reason="the report is due", until=moment("10:59:00"),
    ))  # fmt: skip
    ref = ApprovalRef(approver=LEAD, leaf=leaf, at=moment(f"{at}:19"))
    decided = log.add(f"{at}:30", asked(number, Verdict.ALLOW, "11:00:00", approvals=(ref,)), chain(number))
    database.make(f"{at}:30.050", name, "11:00:00")
    log.add(f"{at}:30.060", issued(number, decided, key, "11:00:00"), chain(number))
    database.log_in(f"{at}:31", name, f"69a55f{number:02x}.c8")
    database.line(f"{at}:32", name, f"69a55f{number:02x}.c8", "statement: SELECT count(*) FROM orders")
    database.log_out(f"{at}:40", name, f"69a55f{number:02x}.c8")
    log.add(f"{after}:00", EndAsked(cause="complete", by=POD), chain(number))
    database.drop(f"{after}:00.020", name)
    gone = Ended(effect=Effect.GONE, basis="state", keys=(key,), sessions=0, cause="complete")
    log.add(f"{after}:00.040", gone, chain(number))
    database.line(f"{after}:30", "custody_broker", "69a55f3c.64", "statement: SELECT 1")


def main() -> None:
    """Write the inputs of the case."""
    log, database = Log(), Database()
    log.add("09:59:00", Service(what="started", version="0.1.0"))
    live(log, database, 1, 0)
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "input_broker.ndjson").write_bytes(log.file())
    (FOLDER / "input_postgresql.ndjson").write_bytes(database.file())


if __name__ == "__main__":
    main()
