"""Reviews of access as people make them: opened over the register, signed with real keys, carried out, closed."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import pytest

from custody.cli import main
from custody.cli.exits import CODES
from custody.errors import StoreError, StoreForked, UsageError
from custody.pipeline import approvals
from custody.pipeline.reviewing import closing as review_closing
from custody.pipeline.reviewing import opening as review_opening
from custody.pipeline.reviewing import showing as review_showing
from custody.pipeline.reviewing import signing as review_signing
from custody.pipeline.reviewing.opening import Wanted, open_review
from custody.pipeline.reviewing.signing import sign
from custody.pipeline.signatures import Given
from custody.pipeline.verify import Verified, verify
from custody.settings.catalog import Settings
from custody.store.approvals import ApprovalsWriter
from custody.store.approvals_check import SEALED
from custody.store.reader import Reader
from custody.store.writer import Writer
from tests.end_to_end.conftest import ROOT, run, settings_for
from tests.ssh_signing import ANN, BOB, Person

LOGS = ROOT / "tests" / "cases" / "chains" / "chain_of_three" / "input.ndjson"
REVIEW = "custody-review"
ROLE = "aws_arn:111122223333:arn:aws:iam::111122223333:role/"
ROLES = ("app", "end", "low", "mid")
EMPTY = '"","",""'
OPENED, DECIDED, CLOSED = "2025-11-01T00:00:00Z", "2025-11-20T00:00:00Z", "2025-11-21T00:00:00Z"
DUE = "2025-12-31"


class Case:
    """A store with four roles, its two folders of keys, and the clock of whoever uses it."""

    def __init__(self, folder: Path, clock: pytest.MonkeyPatch) -> None:
        self.folder, self.clock = folder, clock
        (folder / "allowed").write_text(ANN.line() + BOB.line())
        self.settings = self.as_account("approver")
        self.options = [
            "--store", str(folder / "store"), "--keys", str(folder / "keys"), "--approval-keys",
            str(folder / "approver"), "--signers", str(folder / "allowed"),
        ]  # fmt: skip

    def as_account(self, keys: str) -> Settings:
        return settings_for(self.folder, approval_keys=str(self.folder / keys), signers=str(self.folder / "allowed"))

    def at(self, moment: str) -> None:
        for module in (review_opening, review_signing, review_closing, review_showing):
            self.clock.setattr(module, "now", lambda: moment)

    def open(self, **wanted: object) -> str:
        self.at(OPENED)
        given = {"reviewer": ANN.name, "due": DUE, "name": "q1", "every": True, **wanted}
        return open_review(self.settings, Wanted(**given)).opening.digest  # type: ignore[arg-type]

    def file(self, digest: str, **decisions: str) -> Path:
        """A decisions file: each role with its decision, keep where none is given."""
        path = self.folder / "decisions.yaml"
        rows = [
            f"  '{ROLE}{role}': {{decision: {decisions.get(role, 'keep')}, reason: 'looked at {role}'}}\n"
            for role in ROLES
            if decisions.get(role) != "nothing"
        ]
        path.write_text(f"version: 1\nreview: q1\npopulation: '{digest}'\ndecisions:\n{''.join(rows)}")
        return path

    def sign(self, path: Path, by: Person | None = ANN, **options: bool) -> review_signing.Decided:
        self.at(DECIDED)
        signature = None
        if by is not None:
            signature = path.with_suffix(".sig")
            signature.write_bytes(by.sign(path.read_bytes(), space=REVIEW))
        return sign(self.settings, "q1", path, Given(signature=signature), **options)

    def crossed(self) -> bool:
        """As whoever brings the tables up to date begins: whether a checkpoint was sealed."""
        with Writer.open(self.settings.store, self.settings.keys, now=CLOSED, version="1") as writer:
            return approvals.cross(writer, self.settings.store)

    def judged(self) -> dict[str, tuple[str, str]]:
        """The findings about reviews, by rule, with state and text."""
        found = run(self.folder, [LOGS]).findings
        return {one.rule: (one.state.value, one.text) for one in found if one.rule.startswith("review-")}

    def checked(self) -> Verified:
        return verify(self.settings, None, None, None)


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audited")
    run(folder, [LOGS])
    return folder


@pytest.fixture
def case(audited: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    shutil.copytree(audited, tmp_path, dirs_exist_ok=True)
    return Case(tmp_path, monkeypatch)


def test_from_opening_to_close_by_the_command_line(
    case: Case, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*arguments: str) -> dict[str, object]:
        capsys.readouterr()
        assert main(["review", *arguments, "--json"]) == 0, capsys.readouterr().err
        found = json.loads(capsys.readouterr().out)
        assert isinstance(found, dict)
        return found

    table, reading = case.folder / "q1.csv", case.options[:4]
    opening = ["--due", DUE, "--reviewer", ANN.name, "--name", "q1", "-o", str(table), *reading]
    case.at(OPENED)
    opened = said("open", "--identity", "*role/app", *opening)
    lines = table.read_bytes().decode().split("\r\n")
    table.write_bytes(f'{lines[0]}\r\n{lines[1].removesuffix(EMPTY)}"remove","","nobody needs it"'.encode())
    signature = case.folder / "q1.sig"
    signature.write_bytes(ANN.sign(table.read_bytes(), space=REVIEW))
    case.at(DECIDED)
    signed = said("sign", "q1", "--decisions", str(table), "--signature", str(signature), *case.options)
    listed = said("show", *reading)
    shown = said("show", "q1", *reading)
    case.at(CLOSED)
    code = main(["review", "close", "q1", *case.options])
    closed = said("close", "q1", "--accept", "a week is left", *case.options)

    assert (opened["identities"], opened["state"], opened["chosen"]) == (1, "open", {"identity": "*role/app"})
    assert (signed["sealed"], signed["undecided"], signed["leaf"]) == (True, 0, {"log": "approvals", "index": 6})
    assert [one["state"] for one in rows(listed, "reviews")] == ["signed"]
    (identity,) = rows(shown["review"], "population_shown")
    assert identity["identity"] == f"{ROLE}app"
    assert '"by_reviewer": true' in json.dumps(identity["decided"])
    assert '"state": "open"' in json.dumps(identity["carried_out"])
    assert code == CODES["usage"]
    assert closed["accepted"] == "a week is left"
    assert case.checked().status == "ok"


def rows(found: object, name: str) -> list[dict[str, object]]:
    assert isinstance(found, dict)
    every = found[name]
    assert isinstance(every, list)
    return every


def test_the_pages_fit_80_columns(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    case.sign(case.file(case.open(), app="remove"), by=BOB)
    capsys.readouterr()

    assert main(["review", "show", "q1", *case.options[:4]]) == 0
    assert main(["review", "show", *case.options[:4]]) == 0
    text = capsys.readouterr().out

    assert max(map(len, text.splitlines())) <= 80
    assert "CLAIMED: signed by bob@example.com, who was not asked" in " ".join(text.split())
    assert "1 review" in text


def test_the_same_population_twice_has_the_same_digest(case: Case) -> None:
    first, second = case.open(), case.open(name="q2")
    other = case.open(name="q3", every=False, kind="role", identity="*role/app")

    assert first == second != other


def test_the_digest_is_that_of_the_exported_lines(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    digest, path = case.open(), case.folder / "population.ndjson"

    assert main(["review", "show", "q1", "-o", str(path), *case.options[:4]]) == 0
    assert sha256(path.read_bytes()).hexdigest() == digest


def test_a_sample_is_drawn_again_from_its_seed(case: Case) -> None:
    first = case.open(sample=2, seed="2025")
    second = case.open(name="q2", sample=2, seed="2025")
    found = review_showing.found(case.settings)

    assert first == second
    assert [len(one.opening.members) for one in found] == [2, 2]
    assert found[0].opening.sampled is not None
    assert found[0].opening.sampled.population == 4


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"every": False}, "a review of whom"),
        ({"owner": "ann@example.com"}, "a review of whom"),
        ({"due": "2025-01-01"}, "due already"),
        ({"due": "soon"}, "not a time"),
        ({"name": "a/b"}, "not a name"),
        ({"sample": 2}, "a size and a seed"),
        ({"reviewer": " "}, "not a name"),
    ],
)
def test_an_opening_that_makes_no_sense_is_refused(case: Case, wanted: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        case.open(**wanted)


def test_a_name_is_used_once(case: Case) -> None:
    case.open()

    with pytest.raises(UsageError, match="opened before"):
        case.open()


@pytest.mark.parametrize(("given", "told"), [({"app": "nothing"}, "not decided"), ({"name": "q2"}, "another review")])
def test_decisions_cover_exactly_what_was_shown(case: Case, given: dict[str, str], told: str) -> None:
    digest = case.open()
    path = case.file(digest, **given) if "name" not in given else case.file("0" * 64)

    with pytest.raises(UsageError, match=told):
        case.sign(path)
    path.write_text(case.file(digest).read_text() + "  stranger: {decision: keep, reason: x}\n")
    with pytest.raises(UsageError, match="not of the population: stranger"):
        case.sign(path)
    assert approvals.everything(case.settings.store).said == ()


def test_some_may_be_decided_first_where_that_is_said(case: Case) -> None:
    digest = case.open()
    first = case.sign(case.file(digest, app="nothing", mid="nothing"), partial=True)
    second = case.sign(case.file(digest, mid="remove"))

    assert (first.undecided, second.undecided) == (2, 0)
    assert case.sign(case.file(digest, mid="remove")).sealed is False


def test_a_signature_over_other_bytes_seals_nothing(case: Case) -> None:
    path = case.file(case.open())
    wrong = case.folder / "wrong.sig"
    wrong.write_bytes(ANN.sign(path.read_bytes() + b"\n", space=REVIEW))
    other = case.folder / "other.sig"
    other.write_bytes(ANN.sign(path.read_bytes()))

    for signature in (wrong, other):
        with pytest.raises(UsageError):
            sign(case.settings, "q1", path, Given(signature=signature))
    assert approvals.everything(case.settings.store).said == ()


def test_decisions_that_nobody_signed_are_claimed_and_said_to_be(case: Case) -> None:
    found = case.sign(case.file(case.open()), by=None)

    assert found.signature is None
    assert any("NOBODY SIGNED" in note for note in found.notes)
    assert any("separation is not enforced" in note for note in found.notes)
    assert review_showing.one(case.settings, "q1").state == "decided"


def test_a_signer_who_was_not_asked_is_told_of(case: Case) -> None:
    found = case.sign(case.file(case.open()), by=BOB)

    assert any("ann@example.com was asked, bob@example.com signed" in note for note in found.notes)
    assert review_showing.one(case.settings, "q1").signed == 0


def test_a_removal_that_was_not_carried_out_is_found_by_the_next_rebuild(case: Case) -> None:
    case.sign(case.file(case.open(), app="remove"))
    before = case.judged()
    later = case.folder / "later.ndjson"
    later.write_text(LOGS.read_text().replace("chain_of_three", "later").replace("ASIA000", "ASIA111"))
    found = {one.rule: one for one in run(case.folder, [later]).findings}["review-not-carried-out"]

    assert before == {}
    assert (found.state, found.who) == ("violated", f"{ROLE}app")
    assert "signed by ann@example.com" in found.text
    assert "1 credential was issued since, 1 call succeeded since" in found.text
    again = run(case.folder, [later]).run
    assert again is not None
    assert again.derived == "unchanged"
    assert case.checked().status == "ok"


def test_a_review_is_overdue_by_the_clock_and_by_the_records(case: Case) -> None:
    case.open()

    assert [one.state for one in review_showing.every(case.settings)] == ["open"]
    case.at("2026-01-01T00:00:00Z")
    assert [one.state for one in review_showing.every(case.settings)] == ["overdue"]
    told = [text for _, text in case.judged().values()]
    assert ["4 of 4 identities not decided" in text for text in told] == [True]


def test_what_is_closed_stays_closed(case: Case) -> None:
    digest = case.open()
    with pytest.raises(UsageError, match="not everything is decided"):
        review_closing.close(case.settings, "q1")
    case.sign(case.file(digest))
    case.at(CLOSED)
    found = review_closing.close(case.settings, "q1")

    assert (found.actions, found.accepted) == ((), None)
    with pytest.raises(UsageError, match="the review is closed"):
        case.sign(case.file(digest, app="remove"))
    with pytest.raises(UsageError, match="the review is closed"):
        review_closing.close(case.settings, "q1")


def test_the_operations_log_seals_each_new_checkpoint_of_the_other_once(case: Case) -> None:
    digest = case.open()
    told = [case.crossed()]
    for app in ("keep", "remove"):
        case.sign(case.file(digest, app=app))
        told += [case.crossed(), case.crossed()]

    assert told == [False, True, False, True, False]
    with Reader.open(case.settings.store) as reader:
        assert len(reader.statements(SEALED)) == 2
        assert len(approvals.covered(reader).said) == len(approvals.everything(case.settings.store).said)
    case.sign(case.file(digest, app="narrow, to: [less]"))
    with Reader.open(case.settings.store) as reader:
        assert len(approvals.covered(reader).said) < len(approvals.everything(case.settings.store).said)


def sealed_once(case: Case) -> str:
    digest = case.open()
    case.sign(case.file(digest))
    assert case.crossed()
    return digest


def without_approvals(case: Case) -> None:
    shutil.rmtree(case.settings.store / "logs" / "approvals")
    (case.settings.store / "logs" / "approvals.vkey").unlink()


def test_a_log_of_approvals_that_is_gone_is_damage_and_nothing_is_judged(case: Case) -> None:
    sealed_once(case)
    without_approvals(case)

    assert case.checked().status == "damaged"
    with pytest.raises(StoreError, match="the log of approvals is gone"):
        case.crossed()


def test_a_log_of_approvals_that_was_replaced_is_damage_and_nothing_is_judged(case: Case) -> None:
    digest = sealed_once(case)
    without_approvals(case)
    case.settings = case.as_account("somebody else")
    case.sign(case.file(digest, app="remove"))

    assert case.checked().status == "damaged"
    with pytest.raises(StoreForked, match="does not continue"):
        case.crossed()


def test_a_log_of_approvals_that_was_set_back_is_damage_before_anybody_sealed_it(case: Case) -> None:
    digest = case.open()
    case.sign(case.file(digest))
    before = case.folder / "before"
    shutil.copytree(case.settings.store / "logs" / "approvals", before)
    case.sign(case.file(digest, app="remove"))
    shutil.rmtree(case.settings.store / "logs" / "approvals")
    shutil.copytree(before, case.settings.store / "logs" / "approvals")

    found = case.checked()

    assert found.status == "damaged"
    assert any("last signed" in text for _, text in found.damage)


def test_a_changed_decision_is_damage(case: Case) -> None:
    sealed_once(case)
    bundles = case.settings.store / "logs" / "approvals" / "tile" / "entries"
    for path in bundles.rglob("*.p/*"):
        path.write_bytes(path.read_bytes().replace(b"decision: keep", b"decision: kept", 1))

    assert case.checked().status == "damaged"


def test_verify_names_the_key_of_the_second_log_and_whose_word_it_is(
    case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    sealed_once(case)
    own = case.checked().approvals
    stranger = verify(case.as_account("nobody's"), None, None, None).approvals
    assert own is not None
    assert stranger is not None

    assert (own.trusted, own.enforced) == ("the folder of its keys", False)
    assert stranger.trusted == "the operations log, which sealed it"
    assert verify(case.settings, None, None, None, approvals_vkey=own.vkey).status == "ok"
    with Reader.open(case.settings.store) as reader:
        foreign = reader.store.vkey
    capsys.readouterr()
    assert main(["verify", "--approvals-vkey", foreign, *case.options[:6]]) == CODES["store"]
    text = capsys.readouterr().out
    assert "approvals   custody.local/" in text
    assert "the separation is not" in text


def test_a_pack_tells_of_the_reviews_of_its_identities_and_of_no_other(case: Case) -> None:
    case.open(every=False, identity="*role/app")
    case.open(every=False, identity="*role/low", name="q2")
    run(case.folder, [LOGS])
    path = case.folder / "app.zip"

    assert main(["pack", "--identity", f"{ROLE}app", "-o", str(path), *case.options[:4]]) == 0
    with zipfile.ZipFile(path) as pack:
        text = b"".join(pack.read(name) for name in pack.namelist()).decode("utf-8", "replace")

    assert '"review":"q1"' in text
    assert '"q2"' not in text
    assert main(["verify", str(path)]) == 0


def test_a_run_that_was_cut_off_leaves_pieces_that_belong_to_nothing(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = case.open()
    path = case.file(digest)
    real = ApprovalsWriter.seal

    def cut(writer: ApprovalsWriter, what: str, fields: Mapping[str, object]) -> int:
        if what == "review-decisions":
            monkeypatch.setattr(ApprovalsWriter, "seal", real)
            raise KeyboardInterrupt
        return real(writer, what, fields)

    monkeypatch.setattr(ApprovalsWriter, "seal", cut)
    with pytest.raises(KeyboardInterrupt):
        case.sign(path, by=None)

    assert len(approvals.everything(case.settings.store).said) == 1
    assert review_showing.one(case.settings, "q1").decided == {}
    assert case.sign(path).undecided == 0
    assert case.checked().status == "ok"
