"""A log of one's own, read as a mapping file says: the file is sealed, and its records stay its own once it changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from custody.cli import main
from custody.cli.exits import CODES
from custody.errors import UsageError
from custody.model.report import Chain, Report
from custody.pipeline import mappings
from custody.pipeline.locate import locate
from custody.pipeline.rebuild import rebuild
from custody.pipeline.show import show
from custody.pipeline.tables import canonical
from custody.pipeline.trace import find
from custody.pipeline.verify import verify
from custody.settings.catalog import Settings
from custody.sources.mapped.file import read_mapping
from custody.store.reader import Reader
from tests.end_to_end.conftest import delivered, every_file, run, settings_for

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
LOG, MAPPING = EXAMPLES / "broker.jsonl", EXAMPLES / "mapping.yaml"
ISSUED_LATER = {
    "event": {"id": "b-20", "kind": "token.issue"},
    "at": "2026-03-03T08:00:00Z",
    "by": "operator-1",
    "from": "192.0.2.20",
    "subject": "spiffe://example.org/billing",
    "grant": {"jti": "t-200", "secret": "must-not-stay-200", "expires": "2026-03-03T09:00:00Z"},
    "result": "ok",
}
"""A record of the broker's next version: other names for the id and the subject of a token."""


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    path = tmp_path / "mapping.yaml"
    path.write_bytes(MAPPING.read_bytes())
    return path


@pytest.fixture
def later(tmp_path: Path) -> Path:
    path = tmp_path / "later.jsonl"
    path.write_text(json.dumps(ISSUED_LATER) + "\n")
    return path


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    """The example, audited once; tests that go on from there do so in a copy."""
    folder = tmp_path_factory.mktemp("audited")
    return folder, run(folder, [LOG], mapping=(str(MAPPING),))


@pytest.fixture
def first(audited: tuple[Path, Report], tmp_path: Path) -> Report:
    """The example's first audit, and its store in this test's folder."""
    folder, report = audited
    for name in ("store", "keys"):
        shutil.copytree(folder / name, tmp_path / name)
    return report


def changed(mapping: Path) -> None:
    """What the broker's next version needs."""
    text = mapping.read_text().replace("path: grant.id", "path: grant.jti").replace("path: for,", "path: subject,")
    mapping.write_text(text)


def chains_of(settings: Settings, *keys: str) -> list[Chain]:
    found = [find(settings, key).chain for key in keys]
    chains = [chain for chain in found if chain is not None]
    assert len(chains) == len(keys), keys
    return chains


def stages(chain: Chain) -> list[tuple[str, str, str]]:
    return [(step.stage, step.event, step.asserter) for step in chain.stages]


def statements(folder: Path, what: str) -> list[dict[str, object]]:
    with Reader.open(folder / "store") as reader:
        return [dict(said.entry.fields) for said in reader.statements(what)]


def notes(report: Report) -> Sequence[str]:
    assert report.run is not None
    return report.run.notes


def test_the_example_is_audited_traced_rebuilt_and_verified(tmp_path: Path, mapping: Path) -> None:
    settings = settings_for(tmp_path)
    first = run(tmp_path, [LOG], mapping=(str(mapping),))
    mapping.unlink()
    chain, by_event, named = chains_of(settings, "custom:broker/token:t-100", "b-4", "t-101")

    assert (first.records, first.understood, first.skipped) == (7, 6, {"unknown": 1})
    assert stages(chain) == [
        ("issue", "b-1", "issuer"),
        ("use", "b-2", "verifier"),
        ("end", "b-5", "issuer"),
        ("use", "b-6", "verifier"),
    ]
    assert (chain.subject, chain.not_after) == ("spiffe:example.org:/billing", "2026-03-02T09:00:00Z")
    assert (chain.successes, chain.denied) == (1, 1)
    assert {each.question: each.state for each in chain.verdicts}["end recorded"] == "proved"
    assert by_event.credential == named.credential  # an event id of the log
    assert canonical(rebuild(settings, lambda progress: None)) == canonical(first)
    assert verify(settings, None, None, None).status == "ok"
    assert not [path for path in every_file(tmp_path / "store") if b"must-not-stay" in path.read_bytes()]


def test_a_changed_mapping_reads_what_is_new_and_the_old_one_what_it_sealed(
    tmp_path: Path, mapping: Path, later: Path, first: Report
) -> None:
    assert first.understood == 6
    settings = settings_for(tmp_path)
    old = read_mapping(mapping)[0]
    changed(mapping)
    new = read_mapping(mapping)[0]
    report = run(tmp_path, [later], mapping=(str(mapping),))
    mapping.unlink()

    told = f"{new.digest[:12]}… reads what is new; what was sealed by {old.digest[:12]}… stays as it was read"
    assert notes(report) == (f"mapping broker: {told}",)
    assert [said["sha256"] for said in statements(tmp_path, "mapping")] == [old.digest, new.digest]
    assert ([one.scheme for one in show(settings, "b-1")], [one.scheme for one in show(settings, "b-20")]) == (
        [old.scheme],
        [new.scheme],
    )
    keys = ("t-100", "t-101", "t-200")
    chains = chains_of(settings, *keys)
    before = [stages(chain) for chain in chains]
    assert [len(found) for found in before] == [4, 2, 1]
    assert chains[2].subject == "spiffe:example.org:/billing"

    shutil.rmtree(tmp_path / "store" / "derived")
    again = rebuild(settings, lambda progress: None)

    assert canonical(again) == canonical(report)
    assert [stages(chain) for chain in chains_of(settings, *keys)] == before
    assert show(settings, "b-1")[0].events[0].parts[0].key == "custom:broker/token:t-100"
    assert verify(settings, None, None, None).status == "ok"
    for path, own in ((LOG, 7), (later, 1)):
        located, problems = locate(settings, path)
        assert (len([one for one in located if one.own]), problems) == (own, ()), path


def test_it_stays_in_force_without_the_flag_and_is_sealed_once(tmp_path: Path, mapping: Path, first: Report) -> None:
    again = run(tmp_path, [LOG], mapping=(str(mapping),))
    more = tmp_path / "more.jsonl"
    more.write_bytes(LOG.read_bytes().splitlines()[0].replace(b"b-1", b"b-30").replace(b"t-100", b"t-300"))
    third = run(tmp_path, [more])

    assert notes(first) == (f"1 record of no kind that custody understands: {LOG} from byte 1121",)
    assert again.run is not None
    assert again.run.derived == "unchanged"
    digest = read_mapping(mapping)[0].digest
    assert notes(third) == (
        f"read with what was sealed of mappings: broker {digest[:12]}…; --mapping FILE replaces the one of its name",
    )
    assert third.understood == 7
    assert len(statements(tmp_path, "mapping")) == 1


def test_one_that_was_given_up_can_come_back(tmp_path: Path, mapping: Path, later: Path, first: Report) -> None:
    assert first.understood == 6
    text = mapping.read_text()
    changed(mapping)
    run(tmp_path, [later], mapping=(str(mapping),))
    mapping.write_text(text)
    run(tmp_path, [LOG], mapping=(str(mapping),))

    with Reader.open(tmp_path / "store") as reader:
        found = mappings.sealed(reader)
    assert [one.mapping.digest == found[0].mapping.digest for one in found] == [True, False, True]
    assert mappings.newest(found) == (found[0].mapping,)
    assert mappings.newest(found, before=found[2].leaf) == (found[1].mapping,)
    assert len(mappings.every(found)) == 2


def test_a_long_one_is_sealed_in_pieces(tmp_path: Path, mapping: Path) -> None:
    mapping.write_text(mapping.read_text() + "# é" * 20_000)
    first = run(tmp_path, [LOG], mapping=(str(mapping),))
    mapping.unlink()

    assert [said["pieces"] for said in statements(tmp_path, "mapping")] == [len(statements(tmp_path, "mapping-part"))]
    assert len(statements(tmp_path, "mapping-part")) > 3
    assert canonical(rebuild(settings_for(tmp_path), lambda progress: None)) == canonical(first)


def test_workers_and_containers_know_the_mappings_and_other_logs_stay_theirs(
    tmp_path: Path, mapping: Path, sample_logs: Path, sample_store: tuple[Settings, Report]
) -> None:
    """A second mapping takes lines of logfmt; CloudTrail in its own array is read as ever."""
    lines = tmp_path / "lines.yaml"
    lines.write_text(
        "custody-mapping: 1\nname: gate\nformat: logfmt\nasserter: verifier\nmatch: {msg: checked}\ntime: t\n"
        "outcome: {value: success}\norigin: peer\n"
        "parts: [{stage: use, key: {type: custom, scope: {value: token}, path: token_id}}]\n"
    )
    arrays = tmp_path / "arrays.yaml"
    arrays.write_text(
        "custody-mapping: 1\nname: arrays\narray: Records\nmatch: {kind: mine}\ntime: t\noutcome: {value: success}\n"
    )
    logs = tmp_path / "logs"
    shutil.copytree(sample_logs, logs / "sample")
    (logs / "gate.log").write_text('t=2026-03-02T08:06:00Z msg=checked token_id=t-100 peer=198.51.100.7 note="a b"\n')
    (logs / "arrays.json").write_text('{"Records":[{"kind":"mine","t":"2026-03-02T08:06:00Z"}]}')
    delivered(logs / "broker.json.gz", LOG.read_bytes().splitlines())
    _, plain = sample_store
    report = run(tmp_path, [logs], mapping=(str(mapping), str(lines), str(arrays)), jobs="2")

    assert report.understood == plain.understood + 6 + 1 + 1
    assert report.skipped == {**plain.skipped, "unknown": plain.skipped.get("unknown", 0) + 1}
    assert [found.id for found in report.findings] == [found.id for found in plain.findings]
    assert show(settings_for(tmp_path), "b-1")[0].source == "mapped.broker"


def test_records_of_a_known_file_that_a_mapping_would_read_are_told(tmp_path: Path, mapping: Path) -> None:
    run(tmp_path, [LOG])
    report = run(tmp_path, [LOG], mapping=(str(mapping),))

    assert report.understood == 0
    told = (
        "6 records that nobody understood then would now be mapped.broker; audit it into a new store to have them read"
    )
    assert notes(report) == (f"{LOG}: known and done; {told}",)


def test_a_file_whose_reading_was_cut_off_goes_on_by_the_mapping_that_it_began_with(mapping: Path, later: Path) -> None:
    from custody.pipeline.intake import Task
    from custody.readers.limits import Limits

    old = read_mapping(mapping)[0]
    changed(mapping)
    found = (mappings.Sealed(1, old), mappings.Sealed(9, read_mapping(mapping)[0]))
    begun, fresh = Task(later, (), (5,), (3,), Limits()), Task(later, (), (5,), (0,), Limits())

    assert [task.mappings for task in mappings.assigned([begun, fresh], found)] == [
        (found[0].mapping,),
        (found[1].mapping,),
    ]


def test_a_wrong_mapping_stops_before_anything_is_done_and_names_every_line(
    tmp_path: Path, mapping: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = MAPPING.read_text().replace("stage: use", "stage: used").replace("id: event.id", "id: event..id")
    mapping.write_text(wrong)
    at = [number for number, line in enumerate(wrong.splitlines(), 1) if "stage: used" in line or "event..id" in line]
    options = ["--store", str(tmp_path / "store"), "--keys", str(tmp_path / "keys"), "--mapping", str(mapping)]

    assert main(["audit", str(LOG), *options]) == CODES["usage"]
    err = capsys.readouterr().err
    assert f"{mapping}:{at[0]}:" in err
    assert f"{mapping}:{at[1]}:" in err
    assert "expected" in err
    assert every_file(tmp_path / "store") == []


def test_two_files_with_one_name_are_refused_and_the_same_file_twice_is_not(tmp_path: Path, mapping: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(mapping.read_text() + "# another\n")

    with pytest.raises(UsageError, match="two mappings have one name") as caught:
        run(tmp_path, [LOG], mapping=(str(mapping), str(other)))
    assert (caught.value.where, str(mapping) in caught.value.found) == (f"{other}: name", True)
    assert len(mappings.given(settings_for(tmp_path, mapping=(str(mapping), str(MAPPING))))) == 1


def test_sources_lists_what_is_in_force_in_the_store_and_what_is_given(
    tmp_path: Path, mapping: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def listed(*options: str) -> list[str]:
        assert main(["sources", "--json", "--store", str(tmp_path / "store"), *options]) == 0
        return [each["name"] for each in json.loads(capsys.readouterr().out)["sources"] if "mapped" in each["name"]]

    assert (listed(), listed("--mapping", str(mapping))) == ([], ["mapped.broker"])
    run(tmp_path, [LOG], mapping=(str(mapping),))
    assert listed() == ["mapped.broker"]


def test_the_variable_and_the_file_name_mappings_too(
    tmp_path: Path, mapping: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "custody.toml").write_text('store = "store"\nkeys = "keys"\nmapping = ["mapping.yaml"]\njobs = 1\n')
    monkeypatch.chdir(tmp_path)
    assert main(["audit", str(LOG), "--json"]) == 0
    assert msgspec.json.decode(capsys.readouterr().out)["understood"] == 6
    monkeypatch.setenv("CUSTODY_MAPPING", "nowhere.yaml")
    assert main(["audit", str(LOG), "--json"]) == CODES["usage"]
    assert "nowhere.yaml:1:1" in capsys.readouterr().err
