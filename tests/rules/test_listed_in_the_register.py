"""What the register says of an identity, and no contract: claims weigh less, and a machine is a machine."""

from pathlib import Path

import pytest

from custody.model.contracts import EMPTY
from custody.model.register import Declared, Document, IdentityKind, SealedDocument
from tests.chains.running import derived

CASES = Path(__file__).resolve().parents[1] / "cases" / "chains"
NAMES = ("aws:role/less", "aws:role/machine")
APP = Declared(identity="app", kind=IdentityKind.ROLE, names=NAMES, depends_on=("ssm.*",))
DOCUMENT = Document(name="apps", digest="0" * 64, identities=(APP,))
SEALED = SealedDocument(document=DOCUMENT, leaf=900, at=1, by="ann@example.com")


@pytest.mark.parametrize(
    ("case", "rule", "subject", "told", "words"),
    [
        (
            "dependencies_declared_and_not",
            "dependency-not-declared",
            "less",
            ("unproven", "low", 2),
            "the register does not list",
        ),
        (
            "person_in_the_place_of_a_machine",
            "person-used-credential",
            "machine",
            ("unproven", "low", 1),
            "the register has it as app",
        ),
    ],
)
def test_a_document_alone_is_enough(
    case: str, rule: str, subject: str, told: tuple[str, str, int], words: str, tmp_path: Path
) -> None:
    files = [(CASES / case / "input.ndjson").read_bytes()]
    with derived(tmp_path, files, EMPTY, documents=(SEALED,)) as found:
        grave = [each for each in found.report.findings if each.rule == rule and each.subject.endswith(subject)]

    assert [(each.state, each.severity, each.count) for each in grave] == [told]
    assert words in grave[0].text
