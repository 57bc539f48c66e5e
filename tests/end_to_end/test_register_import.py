"""Register documents are sealed as they are: who signed them is checked on the way in, and again from the log alone."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from custody import __version__
from custody.errors import ContractError, StoreError, UsageError
from custody.model.register import SealedDocument
from custody.model.report import Report
from custody.pipeline import sealed_text, signatures
from custody.pipeline.audit import now
from custody.pipeline.rebuild import rebuild
from custody.pipeline.registering import documents as register_documents
from custody.pipeline.registering import importing as register
from custody.pipeline.registering.importing import Imported, import_document
from custody.pipeline.signatures import Given
from custody.pipeline.tables import canonical
from custody.pipeline.verify import verify
from custody.store.reader import Reader
from custody.store.writer import Writer
from tests.end_to_end.conftest import ROOT, every_file, run, settings_for
from tests.pipeline import test_oidc as oidc
from tests.ssh_signing import ANN, BOB, Person

BEFORE = "2026-01-01T00:00:00Z"
AFTER = "2026-02-01T00:00:00Z"
"""The logs are of 2026-01-05."""

DOCUMENT = """\
version: 1
register: payments
identities:
  app:
    kind: role
    names: ["arn:aws:iam::111122223333:role/app"]
    owner: ann@example.com
    purpose: "charges cards"
    until: 2027-01-01
"""
LOGS = ROOT / "tests" / "cases" / "chains" / "chain_of_three" / "input.ndjson"


class Desk:
    """A folder with a store, a document, and the people who may sign it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.signers = folder / "allowed_signers"
        self.signers.write_text(ANN.line() + BOB.line())
        self.settings = settings_for(folder, signers=str(self.signers))
        self.document = folder / "payments.yaml"
        self.document.write_text(DOCUMENT)

    def signed(self, by: Person, *, space: str = "custody-register") -> Given:
        path = self.folder / f"{by.name}.sig"
        path.write_bytes(by.sign(self.document.read_bytes(), space=space))
        return Given(signature=path)

    def take(self, given: Given | None = None, *, judge: bool = False) -> Imported:
        return import_document(self.settings, self.document, given or Given(), lambda progress: None, judge=judge)

    def audited(self) -> Report:
        return run(self.folder, [LOGS])

    def documents(self) -> tuple[SealedDocument, ...]:
        with Reader.open(self.settings.store) as reader:
            return register_documents.sealed(reader)

    def writer(self) -> Writer:
        return Writer.open(self.settings.store, self.settings.keys, now=now(), version=__version__)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def at(monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    monkeypatch.setattr(register, "now", lambda: moment)


def test_a_signed_document_names_its_signer(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, BEFORE)
    found = desk.take(desk.signed(ANN))
    (sealed,) = desk.documents()

    assert found.sealed
    assert found.signature is not None
    assert found.signature.principals == ("ann@example.com",)
    assert sealed.signature == found.signature
    assert (sealed.leaf, sealed.document.digest, sealed.document.name) == (found.leaf, found.digest, "payments")
    assert verify(desk.settings, None, None, None).status == "ok"


def test_without_a_signature_it_is_claimed(desk: Desk) -> None:
    found = desk.take()

    assert found.signature is None
    assert "@" in found.by
    assert desk.documents()[0].signature is None


def test_the_same_again_seals_nothing(desk: Desk) -> None:
    first = desk.take(desk.signed(ANN))
    leaves = list(every_file(desk.settings.store / "segments"))
    second, unsigned = desk.take(desk.signed(ANN)), desk.take()

    assert (second.sealed, unsigned.sealed) == (False, False)
    assert second.leaf == unsigned.leaf == first.leaf
    assert len(desk.documents()) == 1
    assert list(every_file(desk.settings.store / "segments")) == leaves
    assert unsigned.signature is not None
    assert any("stays in force" in note for note in unsigned.notes)


def test_a_signature_on_the_same_bytes_is_new(desk: Desk) -> None:
    assert desk.take().signature is None
    again = desk.take(desk.signed(ANN))

    assert (again.sealed, len(desk.documents())) == (True, 2)
    assert again.signature is not None


def test_a_change_without_the_signature_is_said_loudly(desk: Desk) -> None:
    desk.take(desk.signed(ANN))
    desk.document.write_text(DOCUMENT.replace("charges", "refunds"))
    gone = desk.take()
    other = desk.take(desk.signed(BOB))

    assert gone.sealed
    assert any(note.startswith("THE SIGNATURE IS GONE") and ANN.name in note for note in gone.notes)
    assert other.sealed
    desk.document.write_text(DOCUMENT)
    back = desk.take(desk.signed(ANN))
    assert any(note.startswith("ANOTHER SIGNER") and BOB.name in note and ANN.name in note for note in back.notes)


def test_a_signature_beside_the_file_is_not_taken_unasked(desk: Desk) -> None:
    desk.document.with_name("payments.yaml.sig").write_bytes(ANN.sign(desk.document.read_bytes()))
    found = desk.take()

    assert found.signature is None
    assert any("--signature" in note for note in found.notes)


def refused(desk: Desk, given: Given, message: str) -> UsageError:
    """Refused, and not one file was written."""
    before = {path: path.read_bytes() for path in every_file(desk.settings.store)}
    with pytest.raises(UsageError, match=message) as error:
        desk.take(given)
    assert {path: path.read_bytes() for path in every_file(desk.settings.store)} == before
    assert error.value.exit_code == 2
    return error.value


def test_a_changed_file_is_refused(desk: Desk) -> None:
    given = desk.signed(ANN)
    desk.document.write_text(DOCUMENT.replace("ann@", "eve@"))

    assert "ssh-keygen -Y sign" in refused(desk, given, "the signature is wrong").advice


def test_a_signature_for_something_else_is_refused(desk: Desk) -> None:
    assert refused(desk, desk.signed(ANN, space="file"), "another purpose").found == "namespace 'file'"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ('valid-before="20200101Z"', "it was valid before 2020-01-01T00:00:00Z"),
        ('valid-after="29990101Z"', "it is valid after 2999-01-01T00:00:00Z"),
        ('namespaces="git"', "it is not for namespace custody-register"),
        ("cert-authority", "certificates are not supported"),
    ],
)
def test_a_key_that_is_not_good_for_it_is_refused(desk: Desk, options: str, reason: str) -> None:
    desk.signers.write_text(ANN.line(options))

    assert reason in refused(desk, desk.signed(ANN), "gives? the key no name").found


def test_a_stranger_and_a_pattern_are_refused(desk: Desk) -> None:
    desk.signers.write_text(BOB.line())
    assert "no line has this key" in refused(desk, desk.signed(ANN), "no name").found
    desk.signers.write_text(ANN.line().replace("ann@", "*@"))
    assert "a pattern is no name" in refused(desk, desk.signed(ANN), "no name").found


def test_wrong_files_are_refused(desk: Desk) -> None:
    given = desk.signed(ANN)
    desk.signers.write_text("ann@example.com colour ssh-ed25519 AAAA\n")
    assert refused(desk, given, "not an option").where == f"{desk.signers}:1"
    desk.settings = settings_for(desk.folder)
    assert "--signers" in refused(desk, given, "whose the key is").advice
    desk.settings = settings_for(desk.folder, signers=str(desk.signers))
    desk.signers.write_text(ANN.line())
    (desk.folder / "x.sig").write_bytes(b"x" * 20_000)
    refused(desk, Given(signature=desk.folder / "x.sig"), "too long")
    refused(desk, msgspec.structs.replace(given, token=desk.document), "a signature and a token")
    refused(desk, Given(token=desk.document), "all four")


def test_a_wrong_document_is_refused_with_its_lines(desk: Desk) -> None:
    desk.document.write_text(DOCUMENT + "    colour: red\n")
    with pytest.raises(ContractError, match=r"payments\.yaml:10:"):
        desk.take()
    assert every_file(desk.settings.store) == []


def test_the_log_alone_says_who_signed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the signature nor the signers file nor the document is needed again."""
    at(monkeypatch, BEFORE)
    desk.take(desk.signed(ANN))
    first = desk.audited()
    for path in (desk.document, desk.signers, desk.folder / f"{ANN.name}.sig"):
        path.unlink()
    shutil.rmtree(desk.settings.store / "derived")

    assert canonical(rebuild(settings_for(desk.folder), lambda progress: None)) == canonical(first)
    signature = desk.documents()[0].signature
    assert signature is not None
    assert signature.principals == (ANN.name,)


def test_it_is_judged_by_the_key_of_its_day(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that has expired since signed while it was good; a later signers file changes nothing of what was."""
    desk.signers.write_text(ANN.line('valid-before="20260110Z"'))
    at(monkeypatch, BEFORE)
    desk.take(desk.signed(ANN))
    at(monkeypatch, AFTER)
    refused(desk, desk.signed(ANN), "no name")
    desk.signers.write_text(BOB.line())
    desk.document.write_text(DOCUMENT.replace("payments", "other"))
    changed = desk.take(desk.signed(BOB))

    assert any(note.startswith("the allowed signers changed") for note in changed.notes)
    assert [each.signature is not None and each.signature.principals for each in desk.documents()] == [
        (ANN.name,),
        (BOB.name,),
    ]


def forged(desk: Desk, fields: Mapping[str, object]) -> SealedDocument:
    """What a writer of the log could seal without any check; gives the document as it counts."""
    with desk.writer() as writer:
        sealed_text.seal(
            writer, "register", desk.document.read_bytes(), {"name": "payments", "at": AFTER, "by": "x", **fields}
        )
    return desk.documents()[-1]


def test_a_sealed_signature_is_not_taken_on_trust(desk: Desk) -> None:
    desk.take(desk.signed(ANN))
    anchor = desk.documents()[0].signature
    assert anchor is not None
    good = ANN.sign(desk.document.read_bytes()).decode()
    wrong = ANN.sign(b"something else").decode()

    assert forged(desk, {"signature": good, "signers": anchor.anchor, "oidc": None}).signature is not None
    assert forged(desk, {"signature": wrong, "signers": anchor.anchor, "oidc": None}).signature is None
    assert forged(desk, {"signature": good, "signers": "0" * 64, "oidc": None}).signature is None
    assert forged(desk, {"signature": "no", "signers": anchor.anchor, "oidc": None}).signature is None
    assert forged(desk, {"signature": None, "signers": None, "oidc": {"principals": ["ann"]}}).signature is None


def test_what_was_cut_off_is_taken_up_again(desk: Desk) -> None:
    """Killed between the pieces: nothing counts. Killed before the judging: the next import or audit judges."""
    desk.audited()
    desk.document.write_text(DOCUMENT + "# é\n" * 10_000)
    with desk.writer() as writer:
        text = desk.document.read_text()
        for number in range(2):
            piece = text[number * 15_000 : (number + 1) * 15_000]
            digest = sha256(text.encode()).hexdigest()
            writer.seal("register-part", {"sha256": digest, "piece": number, "text": piece})
    assert desk.documents() == ()

    desk.take(desk.signed(ANN))
    again = desk.take(desk.signed(ANN), judge=True)
    assert not again.sealed
    assert again.report is not None
    assert again.report.run is not None
    assert again.report.run.derived == "built"
    assert len(desk.documents()) == 1
    assert verify(desk.settings, None, None, None).status == "ok"


def test_a_piece_that_was_changed_is_not_read_over(desk: Desk) -> None:
    desk.take()
    with desk.writer() as writer:
        writer.seal("register", {"sha256": "0" * 64, "pieces": 1, "name": "payments", "at": AFTER, "by": "x"})
    with pytest.raises(StoreError, match="not whole"):
        desk.documents()


def test_signers_are_sealed_once(desk: Desk) -> None:
    desk.take(desk.signed(ANN))
    desk.document.write_text(DOCUMENT.replace("charges", "refunds"))
    desk.take(desk.signed(ANN))
    with Reader.open(desk.settings.store) as reader:
        assert len(reader.statements(signatures.SIGNERS)) == 1


def test_a_token_names_who_imports_and_is_not_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, "2026-11-22T12:00:00Z")
    given = oidc.token(said={"email": "ann@example.com", "email_verified": True, "nonce": "must-not-stay"})
    token, jwks = desk.folder / "token", desk.folder / "jwks.json"
    token.write_bytes(given)
    jwks.write_bytes(oidc.jwks(oidc.key("ES256")))
    asked = Given(token=token, jwks=jwks, issuer=oidc.ISSUER, audience=oidc.AUDIENCE)
    found = desk.take(asked)

    assert found.signature is not None
    assert (found.signature.method, found.signature.principals) == ("oidc", (f"{oidc.ISSUER}#ann", "ann@example.com"))
    assert desk.documents()[0].signature == found.signature
    assert not desk.take(asked).sealed
    parts = [part for part in given.split(b".") if len(part) > 10] + [b"must-not-stay"]
    assert [path for path in every_file(desk.settings.store) if any(part in path.read_bytes() for part in parts)] == []
    at(monkeypatch, "2026-11-22T13:00:00Z")
    assert "must-not-stay" not in str(refused(desk, asked, "expired"))
