"""The pack of an incident: all of its steps out of both logs, the same bytes each time; any change is named."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pymerkle
import pytest

from custody.cli import main
from custody.cli.exits import CODES
from custody.errors import NotFound, UsageError
from custody.ledger.checkpoint import parse
from custody.ledger.note import Signer, parse_note, sign
from custody.model.incidents import ActionKind, Closed, Ended, Noted, step_of
from custody.model.leaf import LeafRef
from custody.packs import manifest, parts
from custody.packs.steps import Listed as Step
from custody.pipeline import approvals
from custody.pipeline.erasing.hold import Scope, add
from custody.pipeline.packing.pack import Packed
from custody.pipeline.verify import verify, verify_pack
from custody.store import layout
from custody.store.logfiles import LogFiles
from custody.store.reader import Reader
from tests.packs.conftest import Made
from tests.packs.estate import SECRET, Files, checked, files_of, key_of, listed, named, packed, written
from tests.packs.incident_scene import KEY, Played
from tests.ssh_signing import ANN, BOB

Json = dict[str, object]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return Played(tmp_path_factory.mktemp("played"))


@pytest.fixture(scope="module")
def pack(played: Played, tmp_path_factory: pytest.TempPathFactory) -> tuple[Packed, Path]:
    path = tmp_path_factory.mktemp("packs") / "incident.zip"
    return played.packed(path), path


@pytest.fixture(scope="module")
def files(pack: tuple[Packed, Path]) -> Files:
    return files_of(pack[1])


@pytest.fixture
def later(played: Played, tmp_path: Path) -> Played:
    """The same store in another place, to say more in."""
    found = Played.__new__(Played)
    found.__dict__.update(played.__dict__)
    for name in ("store", "keys", "approver"):
        shutil.copytree(played.folder / name, tmp_path / name)
    found.settings = msgspec.structs.replace(
        played.settings, store=tmp_path / "store", keys=tmp_path / "keys", approval_keys=tmp_path / "approver"
    )
    return found


def steps(files: Files) -> list[Json]:
    found = json.loads(files[parts.INCIDENT_STEPS])["steps"]
    assert isinstance(found, list)
    return found


def test_it_has_every_step_of_both_logs_word_for_word(files: Files, played: Played) -> None:
    found = msgspec.convert(steps(files), list[Step])
    told = [(each.leaf.log, step_of(each.text.encode()), each.signed and each.signed.names) for each in found]

    assert [(log, type(step).__name__, names) for log, step, names in told] == [
        ("operations", "Opened", ("ann@example.com",)),
        ("operations", "Asked", ("ann@example.com",)),
        ("operations", "Done", ("ann@example.com",)),
        ("approvals", "Decided", ("carl@example.com",)),
    ]
    assert {step.incident for _, step, _ in told if step is not None} == {played.name}


def test_it_is_whole_offline_and_says_what_was_checked(pack: tuple[Packed, Path], played: Played) -> None:
    found, beside = checked(pack[1]), approvals.own_vkey(played.settings)

    assert (found.status, found.problems) == ("ok", ())
    assert (found.incident, found.steps, found.signed) == (played.name, 4, 4)
    assert found.approvals is not None
    assert (found.approvals.vkey, found.approvals.size) == (beside, 8)
    assert any("step" in each for each in found.proves)
    assert any("other steps" in each for each in found.not_proved)


def test_it_has_the_records_answers_outcomes_checklist_and_timeline(files: Files, played: Played) -> None:
    view, lines = json.loads(files[parts.INCIDENT_VIEW]), json.loads(files[parts.INCIDENT_TIMELINE])
    kept = {json.loads(data)["eventID"] for name, data in files.items() if name.startswith("records/")}

    assert (view["incident"], view["state"], len(view["answers"])) == (played.name, "open", 8)
    assert [each["outcome"]["judged"]["best"] for each in view["actions"]] == ["claimed"]
    assert view["scope"]["credentials_total"] == 1
    assert view["checkpoint"]["size"] == parse(parse_note(files[parts.CHECKPOINT]).text).size
    assert {"opened", "use"} <= {each["kind"] for each in lines["moments"]}
    assert "timeline" not in view
    assert len(kept) == 3
    assert [each["keys"] for each in json.loads(files[parts.CHAINS])["chains"]] == [[KEY]]
    response = json.loads(files[parts.RESPONSE])
    assert response["groups"]["approvers"]
    assert response["policies"]


def test_its_log_of_approvals_is_the_one_of_the_store(files: Files, played: Played) -> None:
    point = parse(parse_note(files[parts.APPROVALS_CHECKPOINT]).text)
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for _, raw in LogFiles(played.settings.store, layout.APPROVALS).entries(0, point.size, point.size):
        tree.append_entry(raw)

    assert tree.get_root() == point.root


def test_nothing_secret_is_in_it(files: Files) -> None:
    assert [name for name, data in files.items() if SECRET.encode() in data] == []
    assert [name for name, data in files.items() if b"<script>alert" in data and name.endswith(".html")] == []


@pytest.mark.slow
def test_the_same_store_gives_the_same_bytes(pack: tuple[Packed, Path], later: Played, tmp_path: Path) -> None:
    other = later.begin("another one", key_of(2))
    add(later.settings, "case-7", Scope(everything=True), "Example v. Example", None)
    later.now += 10**12
    unmoved = later.packed(tmp_path / "unmoved.zip")

    assert unmoved.sha256 == pack[0].sha256
    assert other != later.name
    assert verify(later.settings, None, None, None).status == "ok"


@pytest.mark.slow
def test_one_more_step_gives_another_pack_with_it(pack: tuple[Packed, Path], later: Played, tmp_path: Path) -> None:
    later.inject(Noted(incident=later.name, text="seen"), None, log="operations")
    later.inject(Noted(incident=later.name, text="in the wrong log"), BOB)
    found = later.packed(tmp_path / "more.zip")
    told = steps(files_of(tmp_path / "more.zip"))
    seen = checked(tmp_path / "more.zip")

    assert (found.counts["steps"], len(told)) == (6, 6)
    assert (seen.status, seen.problems, seen.steps, seen.signed) == ("ok", (), 6, 5)
    assert found.checkpoint.size > pack[0].checkpoint.size
    odd = json.loads(files_of(tmp_path / "more.zip")[parts.INCIDENT_VIEW])["odd"]
    assert [each["why"] for each in odd] == ["it is in the wrong log"]


@pytest.mark.slow
def test_what_was_decided_a_moment_ago_is_in_it(later: Played, tmp_path: Path) -> None:
    """Nothing had sealed the checkpoint of the log of approvals since: the pack does."""
    later.decide(later.asked(later.name, kind=ActionKind.ROTATE, targets=(KEY,)), BOB)
    found = later.packed(tmp_path / "decided.zip")
    again = later.packed(tmp_path / "again.zip")

    assert (checked(tmp_path / "decided.zip").problems, found.counts["steps"]) == ((), 6)
    assert again.sha256 == found.sha256


@pytest.mark.slow
def test_an_incident_that_reaches_nothing_and_has_no_decisions_has_a_pack_all_the_same(
    later: Played, tmp_path: Path
) -> None:
    later.name = later.begin("another one", "no-such-key")
    found = later.packed(tmp_path / "bare.zip")
    seen = checked(tmp_path / "bare.zip")

    assert (seen.status, seen.problems, seen.steps, seen.approvals) == ("ok", (), 1, None)
    assert found.counts["credentials"] == 0
    assert not any(name.startswith(parts.APPROVALS) for name in files_of(tmp_path / "bare.zip"))


def test_an_incident_that_there_is_not_is_said(later: Played, tmp_path: Path) -> None:
    later.name = "in-unknown"
    with pytest.raises(NotFound, match="no such incident"):
        later.packed(tmp_path / "none.zip")
    assert not (tmp_path / "none.zip").exists()


def test_the_command_makes_it_and_checks_it(later: Played, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = ["--store", str(later.settings.store), "--keys", str(later.settings.keys), "--jobs", "1"]
    out = str(tmp_path / "made.zip")
    narrow = ["--credential", key_of(2)]  # narrows the credentials and not the steps
    assert main(["pack", "--incident", later.name, *narrow, "-o", out, *store]) == CODES["done"]
    made = " ".join(capsys.readouterr().out.split())
    assert main(["verify", out]) == CODES["done"]
    told = " ".join(capsys.readouterr().out.split())

    assert "0 credentials" in made
    assert f"incident {later.name}, 4 steps" in made
    assert "4 steps, 4 of them signed" in told
    assert "/approvals, size 8, sealed at leaf" in told
    assert main(["pack", "--incident", "in-unknown", "-o", out, *store]) == CODES["not found"]


def test_the_key_of_the_approvers_can_be_given(pack: tuple[Packed, Path], played: Played, made: Made) -> None:
    vkey = approvals.own_vkey(played.settings)
    found = verify_pack(pack[1], None, None, None, None, vkey)
    other = verify_pack(pack[1], None, None, None, None, Signer("example.com/log", bytes(32)).vkey)

    assert found.approvals is not None
    assert (found.status, found.approvals.trusted) == ("ok", "the key that was given")
    assert "another key than the one that was given" in dict(other.problems)[parts.APPROVALS_CHECKPOINT]
    with pytest.raises(UsageError, match="no log of approvals"):
        verify_pack(made[2], None, None, None, None, vkey)


Change = Callable[[Files], Files]


def rows(change: Callable[[list[Json]], object]) -> Change:
    """The rows of steps.json, changed in place."""

    def changed(files: Files) -> Files:
        head, *lines = files[parts.INCIDENT_STEPS].decode().splitlines()
        found = [json.loads(line.removesuffix(",")) for line in lines[:-1]]
        change(found)
        text = ",\n".join(json.dumps(each, separators=(",", ":")) for each in found)
        return {**files, parts.INCIDENT_STEPS: f"{head}\n{text}\n]}}\n".encode()}

    return changed


def text_of(found: list[Json]) -> None:
    found[0]["text"] = str(found[0]["text"]).replace("a key is abused", "nothing happened")


def signer_of(found: list[Json]) -> None:
    found[3]["signed"] = {**found[3]["signed"], "names": ["dora@example.com"]}  # type: ignore[dict-item]


def unsigned(found: list[Json]) -> None:
    found[3]["signed"] = None


def earlier(found: list[Json]) -> None:
    found[2]["at"] = "2026-11-22T09:00:00Z"


def put(name: str, change: Callable[[bytes], bytes]) -> Change:
    return lambda files: {**files, name: change(files[name])}


def without(*prefixes: str) -> Change:
    return lambda files: {name: data for name, data in files.items() if not name.startswith(prefixes)}


def no_decision(files: Files) -> Files:
    """Without the last decision, wherever it stands in the log of approvals and in the list of steps."""
    names = (f"{parts.APPROVALS}entries/6", f"{parts.APPROVALS}proofs/6.tlog-proof")
    listed_name = f"{parts.APPROVALS}leaves.json"
    lines = files[listed_name].decode().splitlines()
    kept = [line.removesuffix(",") for line in lines[1:-1] if '"leaf":6,' not in line]
    shorter = {**files, listed_name: (lines[0] + "\n" + ",\n".join(kept) + "\n]}\n").encode()}
    return rows(lambda found: found.pop())(without(*names)(shorter))


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (rows(text_of), {parts.INCIDENT_STEPS}),
        (rows(signer_of), {parts.INCIDENT_STEPS}),
        (rows(unsigned), {parts.INCIDENT_STEPS}),
        (rows(earlier), {parts.INCIDENT_STEPS}),
        (rows(lambda found: found.pop(1)), {parts.INCIDENT_STEPS}),
        (rows(lambda found: found.append(found[0])), {parts.INCIDENT_STEPS}),
        (rows(lambda found: found.reverse()), {parts.INCIDENT_STEPS}),
        (rows(lambda found: found.clear()), {parts.INCIDENT_STEPS}),
        (no_decision, {parts.INCIDENT_VIEW, parts.INCIDENT_TIMELINE}),
        (put(parts.RESPONSE, lambda data: data.replace(b"responders", b"everybody")), {parts.RESPONSE}),
        (without(parts.RESPONSE), {parts.RESPONSE}),
        (without(parts.INCIDENT_PAGE), {parts.INCIDENT_PAGE}),
        (without(parts.INCIDENT_STEPS), {parts.INCIDENT_STEPS}),
        (put(parts.INCIDENT_VIEW, lambda data: data.replace(b'"index": 6\n', b'"index": 5\n')), {parts.INCIDENT_VIEW}),
        (put(parts.INCIDENT_VIEW, lambda data: data.replace(b'"approvals"', b'"approval"')), {parts.INCIDENT_VIEW}),
        (put(parts.INCIDENT_TIMELINE, lambda data: data.replace(b'"index":6}', b'"index":999}')),
         {parts.INCIDENT_TIMELINE}),
        (lambda files: {**files, parts.APPROVALS_CHECKPOINT: files[parts.CHECKPOINT]}, {parts.APPROVALS_CHECKPOINT}),
        (put(parts.APPROVALS_CHECKPOINT, lambda data: data[:-6] + b"AAAA=\n"), {parts.APPROVALS_CHECKPOINT}),
        (put(f"{parts.APPROVALS}entries/6", lambda data: data.replace(b'"by":"ops', b'"by":"eve')),
         {f"{parts.APPROVALS}entries/6", f"{parts.APPROVALS}proofs/6.tlog-proof"}),
        (put(f"{parts.APPROVALS}leaves.json", lambda data: data.replace(b"statement", b"record")),
         {f"{parts.APPROVALS}leaves.json"}),
        (lambda files: {**files, f"{parts.APPROVALS}entries/7": b"{}"}, {f"{parts.APPROVALS}entries/7"}),
        (lambda files: {**files, f"{parts.INCIDENT}more.json": b"{}"}, {f"{parts.INCIDENT}more.json"}),
        (lambda files: {**files, f"{parts.APPROVALS}policy": b"log x\n"}, {f"{parts.APPROVALS}policy"}),
    ],
)  # fmt: skip
def test_whatever_is_changed_in_it_is_named(change: Change, where: set[str], files: Files, tmp_path: Path) -> None:
    """Also where the manifest was made to fit."""
    changed = change(files)
    assert changed != files
    found = checked(written(tmp_path / "changed.zip", listed(changed)))

    assert found.status == "damaged"
    assert where <= named(found)


def test_a_pack_of_another_incident_than_it_says_is_named(files: Files, tmp_path: Path) -> None:
    def other(found: manifest.Manifest) -> manifest.Manifest:
        options = msgspec.structs.replace(found.options, incident="in-other")
        return msgspec.structs.replace(found, options=options)

    def about_none(found: manifest.Manifest) -> manifest.Manifest:
        options = msgspec.structs.replace(found.options, incident=msgspec.UNSET)
        return msgspec.structs.replace(found, options=options)

    assert parts.INCIDENT_STEPS in named(checked(written(tmp_path / "other.zip", listed(files, other))))
    strange = named(checked(written(tmp_path / "none.zip", listed(files, about_none))))
    assert {parts.INCIDENT_STEPS, parts.APPROVALS_CHECKPOINT, f"{parts.APPROVALS}entries/6"} <= strange


def test_a_checkpoint_that_only_the_approver_signed_is_not_believed(
    later: Played, files: Files, tmp_path: Path
) -> None:
    """Whoever has the key of the log of approvals signs another tree: the operations log has never seen it."""
    text = files[parts.APPROVALS_CHECKPOINT].decode().split("\n\n")[0] + "\n"
    (seed,) = later.settings.approval_keys.glob("*/seed")
    note = sign(text.replace("\n8\n", "\n9\n"), [Signer(text.split("\n")[0], seed.read_bytes())])
    found = checked(written(tmp_path / "forged.zip", listed({**files, parts.APPROVALS_CHECKPOINT: note})))

    assert "no leaf of the pack seals this checkpoint" in dict(found.problems)[parts.APPROVALS_CHECKPOINT]


@pytest.mark.parametrize(
    "module",
    ["custody.pipeline.packing.pack", "custody.pipeline.erasing.erase", "custody.pipeline.verify"],
)
def test_other_packs_holds_and_checks_need_no_policy_engine(module: str) -> None:
    """What an incident holds is held also where the extra ``broker`` is not installed."""
    code = f"import sys; sys.modules['cedarpy'] = None; import {module}"

    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_ordinary_pack_is_what_it_was(made: Made, tmp_path: Path) -> None:
    settings, first, _ = made
    with Reader.open(settings.store) as reader:
        fields = next(said.entry.fields for said in reader.statements(parts.STATEMENT) if said.leaf == first.leaf)

    assert "incident" not in msgspec.json.encode(fields["options"]).decode()
    assert checked(made[2]).incident is None
    assert packed(settings, tmp_path / "again.zip", made_for="auditor@example.com").sha256 == first.sha256


def test_what_a_close_calls_proved_and_the_records_do_not_show_is_said_in_the_pack(
    later: Played, tmp_path: Path
) -> None:
    """Somebody with the key of the operations log closed it past the commands: it is closed, with a warning beside."""
    ended = Ended(action=later.action_id, how="proved", leaves=(LeafRef("operations", 3),))
    step = Closed(incident=later.name, reason="over", answers="0" * 64, as_of="2026-03-02T10:00:00Z", ended=(ended,))
    later.now += 60_000_000
    later.inject(step, ANN, log="operations")
    later.packed(tmp_path / "closed.zip")
    view = json.loads(files_of(tmp_path / "closed.zip")[parts.INCIDENT_VIEW])

    assert checked(tmp_path / "closed.zip").problems == ()
    assert (view["state"], view["odd"]) == ("closed", [])
    assert view["closed"]["why"] == f"closed, but what the close says of {later.action_id} is not shown by the logs"
    assert view["closed"]["cites"] == [{"log": "operations", "index": 3}]
