"""``custody break-glass`` from beginning to end, as people run it, on a broker that is put together from its file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from custody.broker.evidence.standby import hold_journal
from custody.broker.glass import file as glass_file
from custody.broker.glass import holders
from custody.cli import main
from custody.cli.exits import CODES
from custody.model.brokered import DECODER, Glass, Service
from custody.pipeline.brokering.places import journal_folder
from custody.pipeline.brokering.sealing import Sealer
from custody.pipeline.glass import known
from custody.pipeline.glass.reviewing import NAMESPACE
from custody.pipeline.registering.importing import import_document
from custody.pipeline.report import stored
from custody.pipeline.signatures import Given
from custody.settings.catalog import Settings
from custody.settings.options import resolve
from custody.store.keyring import read_last_signed
from custody.store.reader import Reader
from custody.store.verification import verify
from tests.ssh_signing import ANN as ANN_SIGNS
from tests.ssh_signing import Person

ANNA, BERT, CARA = "person:idp.example:anna", "person:idp.example:bert", "person:idp.example:cara"
PHRASE = "phrase-must-not-stay"
WHY = ("--reason", "the database is on fire")
BROKER = """
broker = "prod"
issuer = "https://broker.example.com"
policies = "policies"
[[backends]]
name = "db"
kind = "memory"
max_ttl = 7200
options = { scopes = ["repair"], quick = false }
"""
POLICY = """@id("glass")
permit (principal in Identity::"payments-glass", action == Action::"BreakGlass", resource == Backend::"db")
when { context has reason && context.scope == ["repair"] };
"""
REGISTER = """
version: 1
register: main
identities:
  payments-glass:
    kind: workload
    names: ["break_glass:prod:payments"]
    owner: team:payments
    purpose: repairs while the broker is down
"""


def settings_of(folder: Path) -> Settings:
    flags = {"store": str(folder / "store"), "keys": str(folder / "keys"), "jobs": "1"}
    return resolve(flags, {}, None, home=folder, cwd=folder, cores=1)


class Desk:
    """A folder with a broker's file and three holders, and a command line."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        self.settings = settings_of(folder)
        self.err = ""

    def run(self, *words: str, code: str | int = "done") -> str:
        self.capsys.readouterr()
        found = main(["break-glass", *words])
        told = self.capsys.readouterr()
        self.err = told.err
        assert found == (CODES[code] if isinstance(code, str) else code), told.err
        assert "must-not-stay" not in told.out + told.err
        return told.out

    def json(self, *words: str, code: str = "done") -> dict[str, object]:
        found: dict[str, object] = json.loads(self.run(*words, "--json", code=code))
        return found

    def error(self, *words: str, code: str) -> str:
        told = self.json(*words, code=code)["error"]
        assert isinstance(told, dict)
        return f"{told['where']} {told['message']} {told['found']}"

    def at(self, name: str) -> str:
        return str(self.folder / name)

    @property
    def store(self) -> tuple[str, ...]:
        return ("--store", self.at("store"), "--keys", self.at("keys"))

    @property
    def broker(self) -> tuple[str, ...]:
        return ("--broker-file", self.at("broker.toml"), *self.store)

    def prepare(self, out: str, *more: str, code: str = "done", until: str = "2999-01-01") -> dict[str, object]:
        public = [word for name in ("anna", "bert", "cara") for word in ("--holder", self.at(f"{name}.key.pub"))]
        wish = ("--backend", "db", "--account", "payments", "--scope", "repair", "--until", until)
        return self.json("prepare", *wish, *public, *WHY, "--out", self.at(out), *self.broker, *more, code=code)

    def keys(self, *names: str) -> tuple[str, ...]:
        found = [word for name in names for word in ("--key", self.at(f"{name}.key"))]
        return (*found, *(word for _ in names for word in ("--passphrase-file", self.at("phrase"))))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a glass was prepared (``a.glass``) with the policies and the register of a broker."""
    folder = tmp_path_factory.mktemp("glass") / "home"
    (folder / "policies").mkdir(parents=True)
    (folder / "policies" / "glass.cedar").write_text(POLICY)
    (folder / "broker.toml").write_text(BROKER)
    (folder / "register.yaml").write_text(REGISTER)
    (folder / "phrase").write_text(PHRASE + "\n")
    (folder / "signers").write_text(ANN_SIGNS.line())
    places = ["--store", str(folder / "store"), "--keys", str(folder / "keys")]
    import_document(settings_of(folder), folder / "register.yaml", Given(), lambda _: None, judge=False)
    for name in (ANNA, BERT, CARA):
        out = str(folder / f"{name.rpartition(':')[2]}.key")
        made = ["break-glass", "key", "--holder", name, "--out", out, "--passphrase-file", str(folder / "phrase")]
        assert main(made) == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        public = [word for name in ("anna", "bert", "cara") for word in ("--holder", f"{name}.key.pub")]
        wish = ["--backend", "db", "--account", "payments", "--scope", "repair", "--until", "2999-01-01", *WHY]
        words = ["prepare", *wish, *public, "--out", "a.glass", "--broker-file", "broker.toml", *places]
        assert main(["break-glass", *words]) == 0
    return folder


@pytest.fixture
def desk(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    shutil.copytree(model, tmp_path / "home")
    return Desk(tmp_path / "home", capsys)


def opened(desk: Desk, *names: str, journal: str = "a.glass.journal.ndjson") -> dict[str, object]:
    """Open ``a.glass`` by two keys; gives the credential as it was printed."""
    words = ("open", desk.at("a.glass"), *desk.keys(*names), *WHY, "--journal", desk.at(journal), "--print")
    found: dict[str, object] = json.loads(desk.run(*words))
    return found


def steps(desk: Desk) -> list[tuple[str, str]]:
    """The steps of the only glass, and how it stands after them."""
    (listed,) = _listed(desk)
    told = listed["steps"]
    assert isinstance(told, list)
    return [(str(each["step"]), str(listed["standing"])) for each in told]


def _listed(desk: Desk) -> list[dict[str, object]]:
    found = desk.json("list", "--store", desk.at("store"))["glasses"]
    assert isinstance(found, list)
    return found


def size(desk: Desk) -> int:
    with Reader.open(desk.settings.store) as reader:
        return reader.size


def test_what_is_sealed_of_a_preparation(desk: Desk) -> None:
    sealed = glass_file.read((desk.folder / "a.glass").read_bytes(), "a.glass")
    with Reader.open(desk.settings.store) as reader:
        found = known.known(reader, known.card_of(desk.settings, sealed.glass))
        told, _ = known.entry_at(reader, "prod", sealed.prepared + 1)
        note = read_last_signed(desk.settings.keys / reader.store.store)

    assert isinstance(told.body, Service)
    assert found.signers == sealed.signers
    assert found.holders == sealed.holders
    assert found.file == glass_file.digest_of(sealed)
    assert (found.chain, found.backend, found.account) == (sealed.chain, "db", "payments")
    assert steps(desk) == [("prepared", "sealed")]
    assert verify(desk.settings.store, last_signed=note).problems == ()


def test_the_life_is_bounded_by_the_file(desk: Desk) -> None:
    with Reader.open(desk.settings.store) as reader:
        (card,) = known.cards(desk.settings)
        request, _ = known.entry_at(reader, "prod", card.prepared - 2)

    plan = getattr(request.body, "plan", None)
    assert plan is not None
    assert plan.ttl == 7200


def test_a_command_gets_the_credential_and_every_step_is_signed_before_it(desk: Desk) -> None:
    journal = desk.folder / "a.glass.journal.ndjson"
    script = f'test -n "$CUSTODY_PASSWORD" && wc -l < {journal} > {desk.at("lines")}; echo "$CUSTODY_GLASS"; exit 3'
    words = ("open", desk.at("a.glass"), *desk.keys("cara", "anna"), *WHY, "--", "sh", "-c", script)
    desk.run(*words, code=3)
    entries = [DECODER.decode(each) for each in journal.read_bytes().splitlines()]
    bodies = [each.body for each in entries if isinstance(each.body, Glass)]

    assert (desk.folder / "lines").read_text().strip() == "2", "opened and used stand there while it runs"
    assert [(each.step, each.reason) for each in bodies] == [
        ("opened", "the database is on fire"),
        ("used", "command 'sh'"),
        ("ended", "exit code 3"),
    ]
    assert all(set(each.people) == {ANNA, CARA} for each in bodies)
    assert journal.stat().st_mode & 0o777 == 0o600


def test_a_command_that_is_not_there_ends_the_use(desk: Desk) -> None:
    words = ("open", desk.at("a.glass"), *desk.keys("anna", "bert"), *WHY, "--", "no-such-command")
    desk.run(*words, code=127)
    found = desk.json("ingest", desk.at("a.glass.journal.ndjson"), *desk.store)

    assert (found["lines"], found["fresh"], found["ended"]) == (3, 3, True)


def test_two_people_at_two_machines(desk: Desk) -> None:
    share = ("share", desk.at("a.glass"), *desk.keys("bert"), "--to", CARA, "--reason", "I cannot come")
    desk.json(*share, "--out", desk.at("bert.share"))
    both = ("open", desk.at("a.glass"), "--share", desk.at("bert.share"), *WHY, "--print")
    desk.run(*both, *desk.keys("anna"), code="usage")
    assert not (desk.folder / "a.glass.journal.ndjson").exists()
    found = json.loads(desk.run(*both, *desk.keys("cara")))
    (line, _) = (desk.folder / "a.glass.journal.ndjson").read_bytes().splitlines()
    body = DECODER.decode(line).body

    assert len(found["password"]) == 40
    assert isinstance(body, Glass)
    assert set(body.people) == {BERT, CARA}
    assert body.reason == "I cannot come / the database is on fire"


@pytest.mark.parametrize("names", [("anna",), ("anna", "anna"), ("anna", "bert", "cara")], ids=" ".join)
def test_it_takes_two(desk: Desk, names: tuple[str, ...]) -> None:
    desk.run("open", desk.at("a.glass"), *desk.keys(*names), *WHY, "--print", code="usage")

    assert not (desk.folder / "a.glass.journal.ndjson").exists()


def test_a_wrong_passphrase_opens_nothing(desk: Desk) -> None:
    (desk.folder / "phrase").write_text("another-must-not-stay")
    desk.run("open", desk.at("a.glass"), *desk.keys("anna", "bert"), *WHY, "--print", code="usage")

    assert "another passphrase" in desk.err


def test_the_credential_is_in_no_file(desk: Desk) -> None:
    password = str(opened(desk, "anna", "bert")["password"])
    desk.json("ingest", desk.at("a.glass.journal.ndjson"), *desk.store)
    files = [path for path in desk.folder.rglob("*") if path.is_file()]

    assert len(files) > 20
    assert not [path for path in files if password.encode() in path.read_bytes()]
    assert not [path for path in files if path.name != "phrase" and PHRASE.encode() in path.read_bytes()]


def test_a_journal_is_taken_in_once_and_goes_on(desk: Desk) -> None:
    opened(desk, "anna", "bert")
    journal = desk.at("a.glass.journal.ndjson")
    first = desk.json("ingest", journal, *desk.store)
    before = size(desk)
    again = desk.json("ingest", journal, *desk.store)
    assert (first["fresh"], again["fresh"], size(desk)) == (2, 0, before)
    assert first["notes"] == ["its last line ends no use: what came after it is not known"]

    opened(desk, "bert", "cara")
    more = desk.json("ingest", journal, *desk.store)
    assert (more["lines"], more["fresh"]) == (4, 2)
    assert set(map(str, more["people"])) == {ANNA, BERT, CARA}  # type: ignore[call-overload]
    assert steps(desk) == [(each, "opened") for each in ("prepared", "opened", "used", "opened", "used")]


def test_two_journals_of_one_glass_are_two_logs(desk: Desk) -> None:
    for names, journal in ((("anna", "bert"), "one"), (("bert", "cara"), "two")):
        opened(desk, *names, journal=journal)
        desk.json("ingest", desk.at(journal), *desk.store)

    assert [each for each, _ in steps(desk)] == ["prepared", "opened", "used", "opened", "used"]


def test_a_journal_that_contradicts_a_sealed_one_is_refused(desk: Desk) -> None:
    opened(desk, "anna", "bert", journal="one")
    shutil.copy(desk.at("one"), desk.at("two"))
    for names, journal in ((("anna", "bert"), "one"), (("bert", "cara"), "two")):
        opened(desk, *names, journal=journal)
    desk.json("ingest", desk.at("one"), *desk.store)
    before = size(desk)

    assert "contradicts one that is sealed" in desk.error("ingest", desk.at("two"), *desk.store, code="usage")
    assert size(desk) == before


@pytest.mark.parametrize("change", ["reason", "people", "cut", "torn", "other"])
def test_a_journal_that_was_forged_is_not_sealed(desk: Desk, change: str) -> None:
    opened(desk, "anna", "bert")
    path = desk.folder / "a.glass.journal.ndjson"
    first, second = path.read_bytes().splitlines(keepends=True)
    forged = {
        "reason": first.replace(b"on fire", b"as fire") + second,
        "people": first.replace(BERT.encode(), CARA.encode()) + second,
        "cut": second,
        "torn": first + second[:-9],
        "other": b'{"custody":"custody.broker/1"}\n',
    }
    path.write_bytes(forged[change])
    before = size(desk)

    desk.error("ingest", str(path), *desk.store, code="usage")
    assert size(desk) == before
    assert steps(desk) == [("prepared", "sealed")]


def test_a_journal_is_taken_in_beside_a_running_broker_and_what_it_alone_does_is_not(desk: Desk) -> None:
    opened(desk, "anna", "bert")
    lock = hold_journal(journal_folder(desk.settings.store))
    try:
        desk.json("ingest", desk.at("a.glass.journal.ndjson"), *desk.store)
        desk.json("review", desk.at("a.glass"), *WHY, "--by", CARA, *desk.store)
        assert "a broker is running" in str(desk.prepare("b.glass", code="store"))
        words = ("--until", "2999-01-01", *WHY, "--out", desk.at("b.glass"), *desk.broker)
        assert "a broker is running" in desk.error("rotate", desk.at("a.glass"), *words, code="store")
        assert "a broker is running" in desk.error("end", desk.at("a.glass"), *WHY, *desk.broker, code="store")
    finally:
        lock.release()
    assert not (desk.folder / "b.glass").exists()


def test_rotated_and_reviewed(desk: Desk) -> None:
    opened(desk, "anna", "bert")
    desk.json("ingest", desk.at("a.glass.journal.ndjson"), *desk.store)
    words = ("--until", "2999-01-01", "--reason", "it was opened", "--out", desk.at("b.glass"), *desk.broker)
    new = desk.json("rotate", desk.at("a.glass"), *words)
    assert (new["seen"], new["holders"]) == ("gone", [ANNA, BERT, CARA])
    assert _listed(desk)[0]["standing"] == "rotated"
    desk.json("review", desk.at("a.glass"), *WHY, "--by", CARA, *desk.store)
    old, fresh = _listed(desk)
    assert (old["standing"], fresh["standing"]) == ("reviewed", "sealed")

    shutil.copy(desk.at("b.glass"), desk.at("a.glass"))
    assert len(str(opened(desk, "bert", "cara", journal="of-b")["password"])) == 40


def test_a_glass_can_be_ended_without_another(desk: Desk) -> None:
    found = desk.json("end", desk.at("a.glass"), *WHY, *desk.broker)

    assert (found["standing"], found["seen"]) == ("ended", "gone")
    assert steps(desk) == [("prepared", "ended"), ("ended", "ended")]
    assert "ended" in desk.run("list", "--store", desk.at("store"))


def test_who_opened_does_not_review_by_whatever_name(desk: Desk) -> None:
    opened(desk, "anna", "bert")
    desk.json("ingest", desk.at("a.glass.journal.ndjson"), *desk.store)
    before = size(desk)
    for name in (ANNA, BERT, "person:chat.example:ANNA"):
        told = desk.error("review", desk.at("a.glass"), *WHY, "--by", name, *desk.store, code="refused")
        assert "does not review" in told
    desk.error("review", desk.at("a.glass"), *WHY, *desk.store, code="usage")

    assert size(desk) == before


def _sign(desk: Desk, person: Person) -> tuple[str, ...]:
    said, signed = (desk.at(f"{person.key[-1]}.{each}") for each in ("said", "sig"))
    desk.run("review", desk.at("a.glass"), *WHY, "--write", said, *desk.store)
    Path(signed).write_bytes(person.sign(Path(said).read_bytes(), space=NAMESPACE))
    return ("--signature", signed, "--signers", desk.at("signers"), *desk.store)


def test_a_review_that_is_signed_names_who_signed(desk: Desk) -> None:
    opened(desk, "anna", "bert")
    desk.json("ingest", desk.at("a.glass.journal.ndjson"), *desk.store)
    signed = _sign(desk, ANN_SIGNS)
    found = desk.json("review", desk.at("a.glass"), *WHY, *signed)

    assert (found["reviewer"], found["signed"]) == ("person:ssh:ann@example.com", True)
    assert "notes" not in found
    with Reader.open(desk.settings.store) as reader:
        step = known.steps(reader, known.card_of(desk.settings, desk.at("a.glass")))[-1]
    assert step.body.signature is not None
    assert "BEGIN SSH SIGNATURE" in step.body.signature

    desk.run("review", desk.at("a.glass"), "--reason", "another one", *signed, code="usage")
    stranger = _sign(desk, Person("ann@example.com", 9))
    desk.run("review", desk.at("a.glass"), *WHY, *stranger, code="usage")


def test_a_claimed_review_is_called_so(desk: Desk) -> None:
    found = desk.json("review", desk.at("a.glass"), *WHY, "--by", CARA, *desk.store)

    assert found["signed"] is False
    assert found["notes"] == [
        "nobody signed: who reviewed is claimed",
        "no journal was taken in: who opened it is not known",
    ]


def test_the_alarm_is_raised_by_the_journal(desk: Desk) -> None:
    opened(desk, "anna", "bert")
    desk.json("ingest", desk.at("a.glass.journal.ndjson"), *desk.store)
    Sealer(desk.settings, "prod").derive()
    found = [each for each in stored(desk.settings).findings if each.rule == "break-glass-used"]
    sealed = glass_file.read((desk.folder / "a.glass").read_bytes(), "a.glass")

    assert [sealed.glass in each.who for each in found] == [True]
    assert "2 people opened it before" in found[0].text


def test_the_policies_decide(desk: Desk) -> None:
    (desk.folder / "policies" / "never.cedar").write_text(
        '@id("never") forbid (principal, action == Action::"BreakGlass", resource);'
    )
    told = desk.prepare("b.glass", code="refused")

    assert "policies do not allow" in str(told)
    assert not (desk.folder / "b.glass").exists()


def test_an_index_that_is_lost_is_made_up_for_by_the_file(desk: Desk) -> None:
    shutil.rmtree(desk.folder / "store-broker" / "glass")
    opened(desk, "anna", "bert")
    journal = desk.at("a.glass.journal.ndjson")
    desk.error("ingest", journal, *desk.store, code="not found")
    desk.json("ingest", journal, "--glass", desk.at("a.glass"), *desk.store)

    assert [each for each, _ in steps(desk)] == ["prepared", "opened", "used"]


def test_a_card_that_lies_is_found_out(desk: Desk) -> None:
    (card,) = known.cards(desk.settings)
    known.keep(desk.settings, msgspec.structs.replace(card, prepared=card.prepared - 1))

    assert "something else than the glass" in desk.error("list", "--store", desk.at("store"), code="store")


def test_the_key_of_a_holder_is_made_once(desk: Desk) -> None:
    words = ("key", "--holder", ANNA, "--passphrase-file", desk.at("phrase"))
    desk.run(*words, "--out", desk.at("anna.key"), code="usage")
    desk.run("key", "--holder", "anna", "--passphrase-file", desk.at("phrase"), "--out", desk.at("x"), code="usage")
    desk.run(*words, "--out", desk.at("new.key"))
    made = holders.read_private((desk.folder / "new.key").read_bytes(), PHRASE, "k")

    assert holders.holder_of(ANNA, made) == holders.read_public((desk.folder / "new.key.pub").read_bytes(), "p")
    assert (desk.folder / "new.key").stat().st_mode & 0o777 == 0o600
