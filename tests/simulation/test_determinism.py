"""The same seed gives the same bytes, another seed others; a fault changes nothing but itself."""

import hashlib
import json
from pathlib import Path

from custody.simulation.chance import Chance
from tests.simulation.conftest import Made, files, make


def digests(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files(folder)}


def test_the_same_seed_gives_the_same_bytes(clean: Made, tmp_path: Path) -> None:
    again = make(tmp_path)

    assert digests(again.folder) == digests(clean.folder)


def test_another_seed_gives_other_keys(clean: Made, tmp_path: Path) -> None:
    other = make(tmp_path, seed=6)

    mine, theirs = ({each.key for each in made.truth.credentials} for made in (clean, other))
    shared = {
        key for key in mine & theirs if "X509SHA256" not in key and not key.endswith(("vault-admin", "custody_broker"))
    }
    assert shared == set()


def test_a_fault_changes_no_other_record(clean: Made, tmp_path: Path) -> None:
    planted = make(tmp_path, "no-approval", "surviving-session")

    for log in ("kubernetes/audit.log", "openbao/audit.log", "postgresql/postgresql.json", "github/webhooks.ndjson"):
        mine, theirs = set(clean.lines(log)), set(planted.lines(log))
        assert mine < theirs if log != "github/webhooks.ndjson" else mine <= theirs, log


def test_every_id_is_unique(clean: Made) -> None:
    records = [
        record for line in clean.lines("aws/AWSLogs/*/CloudTrail/**/*.gz") for record in json.loads(line)["Records"]
    ]
    events = [record["eventID"] for record in records]
    audits = [json.loads(line)["auditID"] for line in clean.lines("kubernetes/audit.log")]
    deliveries = [json.loads(line)["delivery"] for line in clean.lines("github/webhooks.ndjson")]
    sessions = [(each["session_id"], each["line_num"]) for each in map(json.loads, clean.lines("postgresql/*"))]

    for ids in (events, audits, deliveries, sessions):
        assert len(ids) == len(set(ids)) > 50


def test_streams_are_named_and_do_not_disturb_each_other() -> None:
    one = Chance("estate", 1)
    first = one.fork("a").hex(32)
    one.hex(100)

    assert one.fork("a").hex(32) == first
    assert one.fork("b").hex(32) != first
    assert Chance("estate", 2).fork("a").hex(32) != first


def test_numbers_stay_within_their_bounds() -> None:
    chance = Chance("bounds")

    assert {chance.between(3, 5) for _ in range(200)} == {3, 4, 5}
    assert all(0 <= chance.below(7) < 7 for _ in range(200))
    times = chance.spread(1_000, 9_000, 6)
    assert times == sorted(times)
    assert times[0] > 1_000
    assert times[-1] < 9_000
