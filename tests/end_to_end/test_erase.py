"""Erasing on the command line: what is gone, what stays, what a hold refuses, and what is said of it all."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import msgspec
import pytest

from custody.chains import holes
from custody.cli import main
from custody.cli.exits import CODES
from custody.engine.duck import Engine
from custody.model.contracts import Contract, ExpectedSource
from custody.store.inventory import walk
from custody.store.reader import Reader
from custody.store.writer import Writer

Json = dict[str, object]
REASON = "the retention has passed"
SECRET = "ann-must-not-be-found"
LIVING = ("ASIATKEUCRLBQDKS2GZV", "ASIATKEUCRLBZCROBJAW")
"""Credentials of classes that ask for no retention."""

HOUR = 3_600_000_000


class Place:
    """A store and its keys, and commands on them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.store = folder / "store"
        self.options = ["--store", str(self.store), "--keys", str(folder / "keys")]

    def run(self, *arguments: str) -> tuple[int, str, str]:
        self._capsys.readouterr()
        code = main([*arguments, *self.options])
        found = self._capsys.readouterr()
        return code, found.out, found.err

    def json(self, *arguments: str) -> Json:
        found = json.loads(self.run(*arguments, "--json")[1])
        assert isinstance(found, dict)
        return found

    def erase(self, *arguments: str) -> Json:
        return self.json("erase", "--reason", REASON, *arguments)

    def ids(self) -> set[str]:
        found = self.json("findings")["findings"]
        assert isinstance(found, list)
        return {each["id"] for each in found}

    def state(self) -> dict[str, bytes]:
        return {name: (self.store / name).read_bytes() for name in walk(self.store) if not name.startswith("index/")}


@pytest.fixture(scope="module")
def logs(sample_logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample logs, with one value in one record that stands nowhere else, and a contract with retention."""
    folder = tmp_path_factory.mktemp("erase") / "logs"
    shutil.copytree(sample_logs, folder)
    path = min(folder.rglob("*.json.gz"))
    found = msgspec.json.decode(gzip.decompress(path.read_bytes()))
    found["Records"][0]["userAgent"] = SECRET
    path.write_bytes(gzip.compress(msgspec.json.encode(found), mtime=0))
    contract = (folder / "contract.yaml").read_text()
    (folder / "contract.yaml").write_text(f"retention: 1h\nsources: {{aws.cloudtrail: {{expect: 2h}}}}\n{contract}")
    return folder


@pytest.fixture(scope="module")
def made(logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("erase-made")
    options = ["--store", str(folder / "store"), "--keys", str(folder / "keys"), "--jobs", "1"]
    main(["audit", str(logs), "--contract", str(logs / "contract.yaml"), "--json", *options])
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    """A store of its own, and a new one for each test."""
    for name in ("store", "keys"):
        shutil.copytree(made / name, tmp_path / name)
    return Place(tmp_path, capsys)


@pytest.fixture
def kept(made: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    """The store of all tests, for those that change nothing."""
    return Place(made, capsys)


def secret_leaf(store: Path) -> int:
    with Reader.open(store) as reader:
        return next(
            each.leaf for closed in reader.segments() for _, each in reader.records(closed)
            if each.kept is not None and SECRET.encode() in each.kept
        )  # fmt: skip


def files_with(store: Path, text: str) -> list[str]:
    """The files of a store in which ``text`` stands, Parquet files by their values."""
    import pyarrow.parquet as pq

    wanted = text.encode()
    found = []
    for name in walk(store):
        if not name.endswith(".parquet"):
            there = wanted in (store / name).read_bytes()
        else:
            columns = (column.unique().to_pylist() for column in pq.read_table(store / name).columns
                       if str(column.type) in ("string", "binary", "large_string"))  # fmt: skip
            there = any(text in value if isinstance(value, str) else wanted in (value or b"")
                        for values in columns for value in values if value)  # fmt: skip
        found += [name] if there else []
    return found


def test_a_record_is_gone_everywhere_and_still_proved(place: Place, logs: Path) -> None:
    leaf = secret_leaf(place.store)
    event = str(place.json("show", str(leaf))["id"])
    pack = str(place.folder / "before.zip")
    assert place.run("pack", "--credential", LIVING[0], "-o", pack)[0] == CODES["done"]
    assert files_with(place.store, SECRET)
    before = place.json("report", "--format", "json")

    done = place.erase("--leaf", str(leaf))
    after = place.json("report", "--format", "json")
    shown = place.json("show", str(leaf))
    verified = place.json("verify")

    assert (done["records"], done["sources"], done["empty"]) == (1, {"aws.cloudtrail": 1}, 0)
    assert files_with(place.store, SECRET) == []
    assert (verified["status"], verified["erased"], verified["records"]) == ("ok", 1, 1165)
    assert (shown["kept"], shown["salt"], shown["events"]) == (None, None, [])
    told = shown["erased"]
    statements = done["statements"]
    assert isinstance(told, dict)
    assert isinstance(statements, list)
    assert (told["reason"], told["statement"]["index"]) == (REASON, statements[0])
    assert place.json("prove", str(leaf))["erased"] == told
    skipped = after["skipped"]
    assert isinstance(skipped, dict)
    assert skipped["erased"] == 1
    assert (after["records"], after["duplicates"]) == (before["records"], before["duplicates"])
    assert after["records"] == sum(int(str(after[name])) for name in ("understood", "skips", "duplicates"))
    assert place.run("verify", pack)[0] == CODES["done"]
    said_of_it(place, logs, leaf, event)


def said_of_it(place: Place, logs: Path, leaf: int, event: str) -> None:
    """In words, and for the file in which the record stood."""
    code, out, _ = place.run("trace", event)
    assert (code, REASON in out) == (CODES["done"], True)
    assert "erased on 20" in place.run("show", str(leaf))[1]
    code, _, err = place.run("show", "--raw", str(leaf))
    assert (code, REASON in err) == (CODES["not found"], True)
    first = str(min(logs.rglob("*.json.gz")))
    located = place.json("locate", first)["records"]
    assert isinstance(located, list)
    assert [each["leaf"]["index"] for each in located if each["erased"]] == [leaf]
    assert "1 erased" in place.run("verify")[1]


def test_it_does_not_come_back_by_being_read_again(place: Place, logs: Path, tmp_path: Path) -> None:
    leaf = secret_leaf(place.store)
    place.erase("--leaf", str(leaf))
    again = tmp_path / "again.json"
    again.write_bytes(gzip.decompress(min(logs.rglob("*.json.gz")).read_bytes()))
    code, _, err = place.run("audit", str(again), "--jobs", "1")

    assert code == CODES["done"]
    assert "1 record has the identity of one that was erased" in err
    assert files_with(place.store, SECRET) == []
    assert place.json("verify")["status"] == "ok"


def test_what_the_retention_lets_go_adds_no_finding_and_takes_nothing_from_what_lives(place: Place) -> None:
    before, chains = place.ids(), [place.json("trace", key) for key in LIVING]
    planned = place.erase("--retention", "--dry-run")
    done = place.erase("--retention")
    after = place.ids()

    assert 50 < int(str(done["records"])) < 400
    assert (planned["records"], planned["dry_run"], planned["statements"]) == (done["records"], True, [])
    assert done["contract"] is not None
    assert after <= before
    for key, chain in zip(LIVING, chains, strict=True):
        assert place.json("trace", key)["stages"] == chain["stages"]
    assert place.json("verify")["status"] == "ok"
    code, out, _ = place.run("erase", "--retention", "--reason", REASON, "--source", "unknown")
    assert (code, "0 records" in out) == (CODES["done"], True)


def test_a_source_and_a_time_narrow_each_other(kept: Place) -> None:
    every = kept.erase("--source", "aws.cloudtrail", "--dry-run")
    early = kept.erase("--source", "aws.cloudtrail", "--before", "2026-03-02T09:00:00Z", "--dry-run")
    none = kept.erase("--source", "unknown", "--before", "2026-03-02", "--dry-run")

    assert every["sources"] == {"aws.cloudtrail": 1164}
    assert 0 < int(str(early["records"])) < 1164
    assert str(early["last"]) < "2026-03-02T09:00:00Z"
    assert none["records"] == 0


def test_holds_refuse_and_are_released(place: Place) -> None:
    leaf = secret_leaf(place.store)
    code, out, _ = place.run(
        "hold", "add", "case-7", "--leaf", str(leaf), "--reason", "Example v. Example", "--owner", "team:legal"
    )
    assert (code, "in force" in out) == (CODES["done"], True)
    before = place.state()
    code, _, err = place.run("erase", "--leaf", f"{leaf}-{leaf + 3}", "--reason", REASON)

    assert code == CODES["usage"]
    assert "case-7" in err
    assert place.state() == before
    planned = place.erase("--leaf", f"{leaf}-{leaf + 3}", "--dry-run")
    held = planned["held"]
    assert isinstance(held, list)
    assert [(each["name"], each["records"], each["owner"]) for each in held] == [("case-7", 1, "team:legal")]
    assert planned["records"] == 3
    assert place.run("hold", "add", "case-7", "--all", "--reason", "again")[0] == CODES["usage"]
    assert place.run("hold", "release", "case-8", "--reason", "over")[0] == CODES["not found"]
    place.run("hold", "release", "case-7", "--reason", "settled")
    assert place.run("hold", "list")[1] == "no hold is in force\n"
    assert "settled" in place.run("hold", "list", "--every")[1]
    assert place.erase("--leaf", f"{leaf}-{leaf + 3}", "--dry-run")["held"] == []


def test_what_is_held_stays_and_the_rest_goes_where_that_is_asked(place: Place) -> None:
    """A hold on a credential covers every record that names it, beyond the few that its chain shows."""
    chain = place.json("trace", LIVING[0])
    key = str(chain["keys"][0]) if isinstance(chain["keys"], list) else ""
    place.run("hold", "add", "case-7", "--credential", key, "--reason", "Example v. Example")
    place.run("hold", "add", "early", "--period", "2026-03-01..2026-03-02T07:00:00Z", "--reason", "asked for")
    done = place.erase("--source", "aws.cloudtrail", "--except-held")

    assert int(str(done["records"])) + int(str(done["held_records"])) == 1164
    left = place.json("trace", key)
    assert (left["uses"], left["issued_at"]) == (chain["uses"], chain["issued_at"])
    assert place.json("verify")["status"] == "ok"
    assert not any("nothing from" in str(each) for each in place.run("findings"))


def test_a_hold_that_leads_nowhere_stops_every_erasure(place: Place) -> None:
    scope = {"everything": False, "identities": ["nobody"], "credentials": [], "leaves": [], "sources": [],
             "periods": []}  # fmt: skip
    with Writer.open(place.store, place.folder / "keys", now="2026-11-22T10:00:00Z", version="1") as writer:
        writer.seal("legal-hold", {"name": "old", "scope": scope, "reason": "x", "owner": None, "by": "x", "at": "x"})
    code, _, err = place.run("erase", "--source", "unknown", "--reason", REASON)

    assert code == CODES["usage"]
    assert "old" in err
    assert "worked out" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["erase", "--reason", REASON],
        ["erase", "--leaf", "200"],
        ["erase", "--leaf", "200", "--reason", " "],
        ["erase", "--leaf", "200", "--reason", "two\nlines"],
        ["erase", "--leaf", "x", "--reason", REASON],
        ["erase", "--leaf", "9-8", "--reason", REASON],
        ["erase", "--leaf", "0", "--reason", REASON],
        ["erase", "--leaf", "99999999", "--reason", REASON],
        ["erase", "--source", "aws.cloudtrial", "--reason", REASON],
        ["erase", "--before", "yesterday", "--reason", REASON],
        ["hold", "add", "case", "--reason", REASON],
        ["hold", "add", "\x1b[31m", "--all", "--reason", REASON],
        ["hold", "add", "case", "--leaf", "99999999", "--reason", REASON],
        ["hold", "add", "case", "--source", "aws.cloudtrial", "--reason", REASON],
        ["hold", "add", "case", "--period", "2026-01-02..2026-01-01", "--reason", REASON],
        ["hold", "add", "case", "--period", "2026", "--reason", REASON],
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_refused(arguments: list[str], kept: Place) -> None:
    before = kept.state()

    assert kept.run(*arguments)[0] == CODES["usage"]
    assert kept.state() == before


def test_a_name_that_leads_nowhere_is_not_held(kept: Place) -> None:
    for option in ("--identity", "--credential"):
        code, _, err = kept.run("hold", "add", "case", option, "no-such-thing", "--reason", REASON)
        assert code == CODES["not found"]
        assert "no-such-thing" in err


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = Place(tmp_path, capsys)
    for arguments in (("erase", "--leaf", "1"), ("hold", "add", "x", "--all"), ("hold", "release", "x")):
        assert nowhere.run(*arguments, "--reason", REASON)[0] == CODES["store"]
    assert list(tmp_path.iterdir()) == []


def test_what_is_said_fits_a_terminal(place: Place) -> None:
    place.run("hold", "add", "case-7", "--leaf", "200", "--reason", "a long reason, " * 12, "--owner", "team:legal")
    for arguments in (
        ("hold", "list"),
        ("erase", "--leaf", "199-204", "--reason", REASON, "--dry-run"),
        ("erase", "--leaf", "199-204", "--reason", REASON, "--except-held"),
    ):
        code, out, _ = place.run(*arguments)
        assert code == CODES["done"], arguments
        assert max(map(len, out.splitlines())) <= 80
        assert "\x1b" not in out


@pytest.mark.parametrize(
    ("erased", "expected"),
    [
        ([], 1),
        ([("aws.cloudtrail", 3, 2 * HOUR, 4 * HOUR)], 0),
        ([("aws.cloudtrail", 3, None, None)], 0),
        ([("aws.cloudtrail", 3, 20 * HOUR, 21 * HOUR)], 1),
        ([("vault.audit", 3, 2 * HOUR, 4 * HOUR)], 1),
    ],
)
def test_a_silence_that_an_erasure_made_is_no_gap(erased: list[holes.Erased], expected: int) -> None:
    contract = Contract(sources=(ExpectedSource(source="aws.cloudtrail", expect=HOUR),))
    with Engine() as engine:
        engine.table(
            "parts", {"source": "VARCHAR", "account": "VARCHAR", "time": "BIGINT"},
            [("aws.cloudtrail", "111122223333", HOUR), ("aws.cloudtrail", "111122223333", 9 * HOUR)],
        )  # fmt: skip
        holes.build(engine, [], [], contract, 9 * HOUR, erased)

        assert engine.number("SELECT count(*) FROM holes") == expected
