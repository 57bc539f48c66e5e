"""The sample as files: log files as CloudTrail delivers them, one lookup export, one EventBridge stream, a contract."""

import gzip
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from custody.model.verdicts import Population
from tests.sample_estate import calls, estate, incidents, machines, people
from tests.sample_estate.cloudtrail import Fields, moment
from tests.sample_estate.contract import CONTRACT
from tests.sample_estate.inventor import Inventor
from tests.sample_estate.journal import FORWARD, Entry, Journal, at
from tests.sample_estate.truth import Truth

DETAIL_TYPES = {"AwsApiCall": "AWS API Call via CloudTrail", "AwsServiceEvent": "AWS Service Event via CloudTrail"}
WINDOWS = {(estate.MAIN, estate.VIRGINIA): 3600, (estate.MAIN, estate.FRANKFURT): 5 * 3600}
WINDOW = 4 * 3600
DUPLICATES = 6


def write_sample(folder: Path, *, seed: int = 7) -> Truth:
    """Write the sample into ``folder`` (made where absent) and say what is true of it.

    The same seed gives the same bytes. Raises OSError where the folder cannot be written.
    """
    journal = tell(seed)
    entries = sorted(journal.entries, key=lambda entry: entry.time)
    looked_up = [entry for entry in entries if _by_lookup(entry)]
    streamed = [entry for entry in entries if _by_stream(entry)]
    delivered = [entry for entry in entries if not _by_lookup(entry) and not _by_stream(entry)]
    again = [entry for entry in delivered if entry.region == estate.FRANKFURT][-DUPLICATES:]
    files = _deliver(folder, delivered, journal.invent)
    files.append(_write(folder / "lookup-events.json", _lookup(looked_up)))
    files.append(_write(folder / "eventbridge.ndjson", _stream(again + streamed, journal.invent)))
    contract = _write(folder / "contract.yaml", CONTRACT.encode())
    return _truth(journal, [str(path.relative_to(folder)) for path in files], str(contract.relative_to(folder)))


def tell(seed: int) -> Journal:
    """All stories of the day, written down in the order of the telling."""
    inventor = Inventor(seed)
    journal = Journal(estate.build(inventor), inventor)
    cutoff = at("15:00:00")
    _, mara = people.operator(journal)
    people.build_networks(journal, mara)
    orders = journal.estate.orders
    lives = [
        machines.lineage(journal, instance, people.started(number) + 2, hours, calls.ORDERS, cutoff)
        for number, (instance, hours) in enumerate(zip(orders, (12, 12, 9), strict=True))
    ]
    node = machines.lineage(journal, journal.estate.node, people.started(3) + 2, 12, calls.NODE)
    for number, instance in enumerate(journal.estate.warehouse):
        machines.lineage(journal, instance, people.started(number) + 962, 12, calls.WAREHOUSE)
    machines.pods(journal, node, journal.estate.main.address)
    machines.functions(journal)
    runs = machines.deployments(journal)
    machines.provider_internal(journal)
    machines.services(journal)
    people.change_grants(journal, mara)
    people.consoles(journal)
    people.revoke(journal, mara, cutoff)
    incidents.stolen_key(journal, orders[0], lives[0], cutoff)
    incidents.ended_instance(journal, mara, orders[2], lives[2], at("11:30:00"))
    incidents.deleted_role(journal, mara)
    incidents.ended_key(journal, mara)
    incidents.unexplained_key(journal)
    incidents.long_deployment(journal, runs)
    incidents.orphan_forward(journal, mara)
    return journal


def _by_lookup(entry: Entry) -> bool:
    """The second account's global events of the afternoon were fetched with the command line."""
    return (entry.account, entry.region) == (estate.SECOND, estate.VIRGINIA) and entry.time >= at("12:00:00")


def _by_stream(entry: Entry) -> bool:
    """The main account's Frankfurt events of the afternoon came as a stream."""
    return (entry.account, entry.region) == (estate.MAIN, estate.FRANKFURT) and entry.time >= at("14:30:00")


def _deliver(folder: Path, entries: Iterable[Entry], inventor: Inventor) -> list[Path]:
    """The log files: one for each account, region and window, named as CloudTrail names them."""
    files: dict[tuple[str, str, int], list[Fields]] = {}
    for entry in entries:
        window = WINDOWS.get((entry.account, entry.region), WINDOW)
        end = at("06:00:00") + ((entry.time - at("06:00:00")) // window + 1) * window
        files.setdefault((entry.account, entry.region, end), []).append(entry.record)
    return [
        _write(folder / _name(account, region, end, inventor), gzip.compress(_json({"Records": records}), mtime=0))
        for (account, region, end), records in sorted(files.items())
    ]


def _name(account: str, region: str, end: int, inventor: Inventor) -> str:
    when = moment(end)
    day, stamp = when[:10].replace("-", "/"), f"{when[:10].replace('-', '')}T{when[11:13]}{when[14:16]}Z"
    place = f"AWSLogs/{account}/CloudTrail/{region}/{day}"
    return f"{place}/{account}_CloudTrail_{region}_{stamp}_{inventor.suffix()}.json.gz"


def _lookup(entries: list[Entry]) -> bytes:
    """The output of ``aws cloudtrail lookup-events``: newest first, each record as JSON in a string."""
    events = [
        {
            "EventId": entry.record["eventID"],
            "EventName": entry.record["eventName"],
            "ReadOnly": "true" if entry.record["readOnly"] else "false",
            "EventTime": moment(entry.time).replace("Z", "+00:00"),
            "EventSource": entry.record["eventSource"],
            "Resources": [],
            "CloudTrailEvent": _json(entry.record).decode(),
        }
        for entry in reversed(entries)
    ]
    return json.dumps({"Events": events}, indent=4).encode() + b"\n"


def _stream(entries: list[Entry], inventor: Inventor) -> bytes:
    """EventBridge envelopes, one a line; one line in the middle was cut off while it was written."""
    lines = [_envelope(entry, inventor) for entry in entries]
    middle = len(lines) // 2
    lines.insert(middle, lines[middle][:333])
    return b"".join(line + b"\n" for line in lines)


def _envelope(entry: Entry, inventor: Inventor) -> bytes:
    record = entry.record
    return _json(
        {
            "version": "0",
            "id": inventor.uuid(),
            "detail-type": DETAIL_TYPES[str(record["eventType"])],
            "source": "aws." + str(record["eventSource"]).partition(".")[0],
            "account": entry.account,
            "time": moment(entry.time),
            "region": entry.region,
            "resources": [],
            "detail": record,
        }
    )


def _truth(journal: Journal, files: list[str], contract: str) -> Truth:
    understood = len(journal.entries)
    credentials = journal.issued | {key: population for key, (population, _) in journal.unissued.items()}
    classes = Counter(why for _, why in journal.unissued.values())
    return Truth(
        files=tuple(files),
        records=understood + 1 + DUPLICATES,
        understood=understood,
        skips=1,
        duplicates=DUPLICATES,
        issued=tuple(sorted(journal.issued)),
        used=tuple(sorted(journal.used)),
        joined=tuple(sorted(journal.used & journal.issued.keys())),
        forward_access=tuple(sorted(journal.forward)),
        populations={population: list(credentials.values()).count(population) for population in Population},
        unissued=dict(classes) | {FORWARD: len(journal.forward)},
        tokens=tuple(journal.tokens),
        stories=tuple(journal.stories),
        contract=contract,
    )


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
