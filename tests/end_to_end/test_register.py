"""The register as people ask it: who answers for what, who said so, as of any time, and with what was known then."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from custody.cli import main
from custody.cli.exits import CODES
from custody.pipeline import audit
from custody.pipeline.registering import importing as register
from custody.pipeline.registering.importing import import_document
from custody.pipeline.signatures import Given
from custody.pipeline.verify import verify
from custody.register.documents import parse_document
from tests.end_to_end.conftest import ROOT, run, settings_for
from tests.ssh_signing import ANN, BOB, Person

LOGS = ROOT / "tests" / "cases" / "chains" / "chain_of_three" / "input.ndjson"
HOSTILE = '=cmd|"x"!A1'
"""What a spreadsheet would run. What steers a terminal cannot stand in a document, but in a role's name in a log."""

ENTRY = """\
version: 1
register: {name}
identities:
  {name}:
    kind: role
    names: ["arn:aws:iam::111122223333:role/{name}"]
    owner: {owner}
    purpose: {purpose}
"""
REST = """\
    deputy: person:dora
    risk: high
    environments: [prod]
    repository: example.com/end
    resources: ["arn:aws:s3:::example"]
    depends_on: ["aws:111122223333:role/low"]
    privileges:
    - {what: "ec2:Describe*", on: "*", approved_by: bob@example.com, ticket: OPS-1}
    since: 2025-12-01
    until: 2027-01-01
    exception: {until: 2026-12-31, owner: ann@example.com, reason: "old", compensating: [origins]}
parties:
  team:payments: {members: [ann@example.com]}
  carl@example.com: {ended: 2026-05-01}
"""


class Story:
    """Four roles in one chain, each declared in another way; a second chain that arrives later.

    app is signed by its owner before the logs, mid after them, low by somebody else, end by nobody.
    """

    def __init__(self, folder: Path, clock: pytest.MonkeyPatch) -> None:
        self.folder, self._clock = folder, clock
        (folder / "allowed_signers").write_text(ANN.line() + BOB.line())
        self.options = ["--store", str(folder / "store")]
        self.take("2026-01-01T00:00:00Z", "app", ANN)
        self.take("2026-01-01T00:00:01Z", "low", BOB)
        self.take("2026-01-01T00:00:02Z", "end", None, purpose=json.dumps(HOSTILE), rest=REST)
        self.audited("2026-01-06T00:00:00Z", LOGS)
        self.take("2026-02-01T00:00:00Z", "mid", ANN)
        self.take("2026-03-01T00:00:00Z", "app", None, owner="carl@example.com")
        later = folder / "later.ndjson"
        text = LOGS.read_text().replace("chain_of_three", "later").replace("ASIA0000000000000", "ASIA1111111111111")
        text = text.replace("role/low", r"role/low\u001b[31m\u202e")
        later.write_text(text.replace("role/", "role/x-").replace("2026-01-05", "2026-03-01"))
        self.audited("2026-03-02T00:00:00Z", later)

    def take(
        self, at: str, name: str, by: Person | None, *, owner: str = ANN.name, purpose: str = "jobs", rest: str = ""
    ) -> None:
        path = self.folder / f"{name}.yaml"
        path.write_text(ENTRY.format(name=name, owner=owner, purpose=purpose) + rest)
        given = Given()
        if by is not None:
            given = Given(signature=self.folder / "sig")
            (self.folder / "sig").write_bytes(by.sign(path.read_bytes()))
        self._clock.setattr(register, "now", lambda: at)
        settings = settings_for(self.folder, signers=str(self.folder / "allowed_signers"))
        import_document(settings, path, given, lambda progress: None, judge=False)

    def audited(self, at: str, logs: Path) -> None:
        self._clock.setattr(audit, "now", lambda: at)
        run(self.folder, [logs])


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with pytest.MonkeyPatch.context() as clock:
        yield Story(tmp_path_factory.mktemp("register"), clock)


class Asked:
    """What a command said."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        capsys.readouterr()
        self.code = main(list(arguments))
        self.out, self.err = capsys.readouterr()

    def answer(self) -> dict[str, object]:
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    def rows(self, name: str) -> list[dict[str, object]]:
        found = self.answer()[name]
        assert isinstance(found, list)
        return found


def listed(capsys: pytest.CaptureFixture[str], story: Story, *arguments: str) -> dict[str, dict[str, object]]:
    asked = Asked(capsys, "register", "list", "--json", *story.options, *arguments)
    assert asked.code == 0, asked.err
    return {role_of(str(one["identity"])): one for one in asked.rows("identities")}


def role_of(name: str) -> str:
    return name.rpartition("/")[2].partition("\x1b")[0].partition("\\x1b")[0]


def held(entry: dict[str, object], field: str) -> list[object]:
    claims = entry["claims"]
    assert isinstance(claims, list)
    return [one["value"] for one in claims if one["field"] == field and one["state"] == "held"]


@pytest.mark.parametrize(
    ("role", "key", "state", "best"),
    [("app", "TOP", "proved", None), ("mid", "MID", "unproven", "claimed"), ("low", "LOW", "unproven", "claimed"),
     ("end", "END", "unproven", "claimed")],
)  # fmt: skip
def test_only_the_owner_who_signed_beforehand_proves(
    role: str, key: str, state: str, best: str | None, story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    chain = Asked(capsys, "trace", f"ASIA0000000000000{key}", "--json", *story.options)
    (owner,) = [one for one in chain.rows("verdicts") if one["question"] == "owner"]

    assert (owner["state"], owner["best"]) == (state, best), owner


def test_every_identity_is_listed_with_what_is_missing(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    found = listed(capsys, story)

    assert {"app", "mid", "low", "end", "x-app", "x-end"} <= set(found)
    assert held(found["app"], "owner") == ["carl@example.com"]
    assert found["app"]["declared"] is True
    assert found["x-app"]["declared"] is False
    assert found["x-app"]["missing"] == ["purpose", "owner", "privileges"]
    assert set(listed(capsys, story, "--missing", "owner")) == {"x-app", "x-mid", "x-low", "x-end"}
    assert listed(capsys, story, "--kind", "bot") == {}


def test_as_of_gives_what_held_then(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    then = listed(capsys, story, "--as-of", "2026-01-05T10:00:03Z")
    assert held(then["app"], "owner") == [ANN.name]
    assert then["app"]["alive"] == 1
    assert "low" in then
    assert "x-app" not in then
    assert "mid" not in then

    late = listed(capsys, story, "--as-of", "2026-01-05")
    assert late["app"]["alive"] == 0
    assert held(listed(capsys, story, "--as-of", "2026-03-01")["app"], "owner") == ["carl@example.com"]


def test_known_at_gives_what_had_arrived(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    first = listed(capsys, story, "--known-at", "2026-01-02")
    assert set(first) == {"app", "low", "end"}
    assert all(one["credentials"] == 0 for one in first.values())

    second = listed(capsys, story, "--known-at", "2026-01-31T00:00:00Z")
    assert held(second["app"], "owner") == [ANN.name]
    assert second["app"]["credentials"] == 1
    assert second["mid"]["declared"] is False
    assert "x-app" not in second


@pytest.mark.slow
def test_with_all_that_ever_arrived_it_is_the_register_of_now(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(capsys, story, "--known-at", "2026-12-31") == listed(capsys, story)


def test_both_times_together(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    """Of March, with what was known in January: nothing of the version that came in March."""
    found = listed(capsys, story, "--as-of", "2026-03-05", "--known-at", "2026-01-31")

    assert held(found["app"], "owner") == [ANN.name]
    assert found["app"]["alive"] == 0


def test_before_anything_there_is_nothing(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    asked = Asked(capsys, "register", "list", "--known-at", "2020-01-01", *story.options)
    assert asked.code == CODES["not found"]
    assert "nothing had arrived" in asked.err


@pytest.mark.parametrize("time", ["yesterday", "2026-13-01", "2026-01-05T10:00:00", "", "99999-01-01"])
def test_what_is_no_time_is_refused(time: str, story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    for flag in ("--as-of", "--known-at"):
        asked = Asked(capsys, "register", "list", flag, time, *story.options)
        assert asked.code == CODES["usage"]
        assert flag in asked.err


@pytest.mark.parametrize("name", ["app", "arn:aws:iam::111122223333:role/app", "aws:role/app", "ASIA0000000000000TOP"])
def test_show_takes_any_exact_name(name: str, story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    if name.startswith("ASIA"):
        name = f"aws_akid:aws:{name}"
    asked = Asked(capsys, "register", "show", name, "--json", *story.options)
    found = asked.answer()["identity"]

    assert asked.code == 0
    assert isinstance(found, dict)
    assert found["identity"] == "app"
    lives = found["lives"]
    assert isinstance(lives, list)
    assert lives[0]["issued_at"] == "2026-01-05T10:00:00Z"
    assert lives[0]["issue_leaf"]["log"] == "operations"
    assert lives[0]["ttl"] == 6 * 3600


def test_show_says_of_every_claim_who_made_it(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    asked = Asked(capsys, "register", "show", "app", *story.options)
    now, before = asked.out.split("BEFORE")

    assert "carl@example.com" in now
    assert "claimed  app" in now
    assert "signed by the owner  app" in before
    assert "owner: ann@example.com" in before
    other = Asked(capsys, "register", "show", "low", *story.options).out
    assert "signed by bob@example.com, who may not say it" in other


def test_an_unknown_name_is_not_found(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    asked = Asked(capsys, "register", "show", "no-such-thing", *story.options)
    assert (asked.code, asked.out) == (CODES["not found"], "")
    late = Asked(capsys, "register", "show", "x-app", "--as-of", "2026-01-05", *story.options)
    assert late.code == CODES["not found"]


@pytest.mark.parametrize(
    "arguments",
    [("list",), ("show", "end"), ("show", "app"), ("export", "--document", "app"), ("export", "--format", "json")],
)
def test_pages_are_plain_and_narrow(
    arguments: tuple[str, ...], story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Asked(capsys, "register", *arguments, *story.options).out

    assert out.strip()
    assert not [character for character in out if character != "\n" and not character.isprintable()]
    if arguments[0] != "export":
        assert [line for line in out.splitlines() if len(line) > 80] == []


def exported(capsys: pytest.CaptureFixture[str], story: Story, *arguments: str) -> str:
    asked = Asked(capsys, "register", "export", *arguments, *story.options)
    assert asked.code == 0, asked.err
    return asked.out


def test_the_csv_is_no_formula(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(exported(capsys, story, "--format", "csv"), newline="")))
    found = {role_of(row["identity"]): row for row in rows}

    assert found["end"]["purpose"].startswith("'=cmd")
    assert "\x1b" not in found["end"]["purpose"]
    assert found["end"]["owner_signer"] == ""
    assert found["mid"]["owner_signer"] == ANN.name
    assert (found["mid"]["declared"], found["x-mid"]["declared"]) == ("true", "false")


def test_an_export_needs_a_document_where_there_are_several(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    asked = Asked(capsys, "register", "export", *story.options)
    assert asked.code == CODES["usage"]
    assert "several documents" in asked.err
    wrong = Asked(capsys, "register", "export", "--document", "nothing", *story.options)
    assert "one of app, end, low, mid" in wrong.err


def test_an_export_declares_the_same_again(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    text = exported(capsys, story, "--document", "end")
    again = parse_document(text.encode(), "export.yaml")
    before = parse_document((story.folder / "end.yaml").read_bytes(), "end.yaml")

    assert (again.name, again.parties) == (before.name, before.parties)
    assert again.identities[: len(before.identities)] == before.identities
    added = {name for one in again.identities[1:] for name in one.names}
    assert "aws_arn:111122223333:arn:aws:iam::111122223333:role/x-app" in added
    assert all(one.owner is None for one in again.identities[1:])
    assert yaml.safe_load(text)["register"] == "end"


def test_an_imported_export_changes_nothing_but_what_it_adds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], story: Story
) -> None:
    """Exported, imported, exported: the same text."""
    (tmp_path / "out.yaml").write_text(exported(capsys, story, "--document", "end"))
    settings = settings_for(tmp_path)
    import_document(settings, tmp_path / "out.yaml", Given(), lambda progress: None)
    again = Asked(capsys, "register", "export", "--store", str(tmp_path / "store"))

    seen = "  # Seen in the records"
    written = [line for line in (tmp_path / "out.yaml").read_text().splitlines() if not line.startswith(seen)]
    assert again.out.splitlines() == written


def test_export_writes_a_file(tmp_path: Path, story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    target = str(tmp_path / "register.csv")
    found = Asked(capsys, "register", "export", "--format", "csv", "-o", target, "--json", *story.options).answer()

    assert found == {"file": target, "format": "csv", "bytes": Path(target).stat().st_size}


def test_nothing_that_was_asked_changed_the_store(story: Story) -> None:
    assert verify(settings_for(story.folder), None, None, None).status == "ok"


def test_check_compares_with_the_store(story: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = tmp_path / "new.yaml"
    text = ENTRY.format(name="x-app", owner=ANN.name, purpose="new").replace("register: x-app", "register: new")
    new.write_text(text + "  ghost:\n    kind: bot\n    names: [nobody-has-seen-this]\n")
    found = Asked(capsys, "register", "check", str(new), "--json", *story.options).answer()
    files, undeclared = found["files"], found["undeclared"]

    assert isinstance(files, list)
    assert isinstance(undeclared, list)
    assert files[0]["unseen"] == ["ghost"]
    assert sorted(map(role_of, undeclared)) == ["x-end", "x-low", "x-mid"]
    page = Asked(capsys, "register", "check", str(new), *story.options)
    assert (page.code, "ghost" in page.out, "x-low" in page.out) == (0, True, True)
    assert Asked(capsys, "register", "check", str(new), "--strict", *story.options).code == CODES["findings"]


def test_check_of_a_wrong_file_says_nothing_of_who_is_declared(
    story: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("version: 1\nregister: a\nidentities: {a: {kind: chair}}\n")
    page = Asked(capsys, "register", "check", str(wrong), *story.options)
    found = Asked(capsys, "register", "check", str(wrong), "--json", *story.options)

    assert (page.code, found.code) == (CODES["usage"], CODES["usage"])
    assert "mend what is wrong first" in page.out
    assert "machine identit" not in page.out
    assert found.answer()["undeclared"] is None


def test_check_counts_entries_that_nobody_answers_for(
    story: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exported = tmp_path / "all.yaml"
    Asked(capsys, "register", "export", "--document", "app", "-o", str(exported), *story.options)
    page = Asked(capsys, "register", "check", str(exported), *story.options)
    (file,) = Asked(capsys, "register", "check", str(exported), "--json", *story.options).rows("files")

    assert (file["identities"], file["bare"]) == (4, 3)
    assert "3 entries say no owner or no purpose" in " ".join(page.out.split())


def test_privileges_that_are_only_declared_are_told_as_claimed(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    page = Asked(capsys, "privileges", "end", *story.options)
    (one,) = Asked(capsys, "privileges", "end", "--json", *story.options).rows("principals")
    before = Asked(capsys, "privileges", "end", "--as-of", "2025-01-01T00:00:00Z", *story.options)

    assert (page.code, before.code) == (0, CODES["not found"])
    assert "CLAIMED" in page.out
    assert "says register document end, not signed" in page.out
    assert "no grant of it was read" in page.out
    assert (one["grants"], one["complete"]) == ([], False)
    assert [each["what"] for each in one["declared"]] == ["ec2:Describe* on *"]  # type: ignore[attr-defined]
    assert Asked(capsys, "privileges", "low", *story.options).code == CODES["not found"]


def test_check_needs_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(ENTRY.format(name="a", owner=ANN.name, purpose="jobs"))
    signers, good, bad = tmp_path / "signers", tmp_path / "good", tmp_path / "bad"
    signers.write_text(ANN.line())
    good.write_bytes(ANN.sign(path.read_bytes()))
    bad.write_bytes(BOB.sign(path.read_bytes()))
    store = ["--store", str(tmp_path / "none"), "--signers", str(signers)]
    found = Asked(capsys, "register", "check", str(path), "--signature", str(good), "--json", *store)

    assert found.code == 0
    assert found.rows("files")[0]["signature"]["principals"] == [ANN.name]  # type: ignore[index]
    assert found.answer()["undeclared"] is None
    wrong = Asked(capsys, "register", "check", str(path), "--signature", str(bad), *store)
    assert wrong.code == CODES["usage"]
    assert "no line has this key" in wrong.out
    assert not (tmp_path / "none").exists()
    two = Asked(capsys, "register", "check", str(path), str(path), "--signature", str(good), *store)
    assert (two.code, "one file" in two.err) == (CODES["usage"], True)


def test_check_tells_of_every_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other, wrong = tmp_path / "one.yaml", tmp_path / "two.yaml", tmp_path / "wrong.yaml"
    for path in (one, other):
        path.write_text(ENTRY.format(name="a", owner=ANN.name, purpose="jobs"))
    wrong.write_text("version: 1\nregister: a\nidentities: {a: {kind: chair}}\n")
    found = Asked(capsys, "register", "check", str(one), str(other), str(wrong), "--store", str(tmp_path / "none"))

    assert found.code == CODES["usage"]
    assert found.out.count("two of the files are called a") == 2
    assert "every machine identity" not in found.out
    assert "wrong.yaml:3:" in found.out


def test_import_answers_as_its_page_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(ENTRY.format(name="a", owner=ANN.name, purpose="jobs"))
    store = ["--store", str(tmp_path / "store"), "--keys", str(tmp_path / "keys"), "--jobs", "1", "--no-judge"]
    page = Asked(capsys, "register", "import", str(path), *store)
    found = Asked(capsys, "register", "import", str(path), "--json", *store).answer()

    assert page.code == 0
    assert "nobody: what it says is claimed" in page.out
    assert [line for line in page.out.splitlines() if len(line) > 80] == []
    assert (found["document"], found["sealed"], found["signature"], found["judged"]) == ("a", False, None, None)
    assert set(found) == {
        "document", "digest", "sealed", "by", "signature", "identities", "parties", "notes", "leaf", "judged",
    }  # fmt: skip
