"""What a broker gave under break-glass, in a store: listed, reviewed, explained and found."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from custody.broker import issuing
from custody.broker.asking import Asking
from custody.broker.desk import Handed
from custody.broker.intent import check
from custody.cli import main
from custody.cli.exits import CODES
from custody.errors import PolicyDenied
from custody.model.broker_terms import Intent, Proof
from custody.pipeline.brokering.sealing import Sealer
from custody.pipeline.glass.session import session
from custody.pipeline.registering.importing import import_document
from custody.pipeline.report import stored
from custody.pipeline.signatures import Given
from custody.serve.composing import compose
from custody.settings.broker_file import read_broker_file
from tests.pipeline.glass.test_commands import BROKER, CARA, REGISTER, settings_of

EMERGENCY = """// For the night when nobody answers.
@id("emergency")
@approval("1 of oncall within 30m")
permit (principal in Identity::"payments-glass", action == Action::"BreakGlass", resource == Backend::"db")
when { context has break_glass };
"""
PERSON = "person:idp.example:anna"


def asks(folder: Path) -> Asking:
    """A person who proved who they are, and whom the register has."""
    proof = Proof(
        method="oidc", issuer="https://idp.example", subject="anna", workload=PERSON, digest="6" * 64, key="key",
        trust="7" * 64, expires="2999-01-01T00:00:00Z", person=True,
    )  # fmt: skip
    composed = compose(settings_of(folder), read_broker_file(folder / "broker.toml"))
    registered = composed.register.find(proof)
    composed.tables.close()
    assert registered is not None
    return Asking(subject=proof, holder=proof, registered=registered)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Handed]:
    """A store in which one was given, and another one that policies did not allow."""
    folder = tmp_path_factory.mktemp("given")
    (folder / "policies").mkdir()
    (folder / "policies" / "emergency.cedar").write_text(EMERGENCY)
    (folder / "broker.toml").write_text(BROKER)
    (folder / "register.yaml").write_text(REGISTER.replace("break_glass:prod:payments", PERSON))
    settings = settings_of(folder)
    import_document(settings, folder / "register.yaml", Given(), lambda _: None, judge=False)
    wanted = Intent(backend="db", scope=("repair",), reason="nobody answers", ticket="INC-7", break_glass=True)

    async def play() -> Handed:
        composed = compose(settings, read_broker_file(folder / "broker.toml"))
        try:
            async with session(composed) as running:
                asking = asks(folder)
                plain = check(Intent(backend="db", scope=("repair",), reason="nobody answers", ticket="INC-7"))
                usual = issuing.task(running, asking, plain)
                with pytest.raises(PolicyDenied):
                    await issuing.go(running, usual)
                return await issuing.go(running, issuing.task(running, asking, check(wanted)))
        finally:
            composed.tables.close()

    return folder, asyncio.run(play())


def told(capsys: pytest.CaptureFixture[str], *words: str, code: str = "done") -> str:
    capsys.readouterr()
    found = main(list(words))
    said = capsys.readouterr()
    assert found == CODES[code], said.err
    return said.out


def answered(capsys: pytest.CaptureFixture[str], *words: str, code: str = "done") -> dict[str, object]:
    found = json.loads(told(capsys, *words, "--json", code=code))
    assert isinstance(found, dict)
    return found


def stores(folder: Path) -> tuple[str, ...]:
    return ("--store", str(folder / "store"), "--keys", str(folder / "keys"))


def only(found: dict[str, object], name: str) -> dict[str, object]:
    """The one entry of a list in an answer."""
    (one,) = msgspec.convert(found[name], list[dict[str, object]])
    return one


def test_it_is_listed_with_what_is_due_until_somebody_else_reviews_it(
    place: tuple[Path, Handed], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, handed = place
    glass, listing = f"bg-{handed.chain.removeprefix('cc-')}", ("break-glass", "list", "--store", str(folder / "store"))
    one = only(answered(capsys, *listing), "glasses")
    assert (one["glass"], one["standing"], one["account"]) == (glass, "given", PERSON)
    assert (one["approve_by"], one["overdue"]) == (handed.review_by, [])
    assert one["review_by"] is not None
    assert f"approve by {str(handed.review_by)[:19]}Z" in told(capsys, *listing)

    words = ("break-glass", "review", glass, "--reason", "read every statement")
    assert "does not review" in str(answered(capsys, *words, "--by", PERSON, *stores(folder), code="refused")["error"])
    assert answered(capsys, *words, "--by", CARA, *stores(folder))["reviewer"] == CARA
    one = only(answered(capsys, *listing), "glasses")
    assert (one["standing"], one["review_by"]) == ("reviewed", None)


def test_it_is_no_sealed_one(place: tuple[Path, Handed], capsys: pytest.CaptureFixture[str]) -> None:
    folder, handed = place
    new = ("--until", "2999-01-01", "--reason", "x", "--out", str(folder / "x.glass"))
    broker = ("--broker-file", str(folder / "broker.toml"), *stores(folder))
    glass = f"bg-{handed.chain.removeprefix('cc-')}"
    assert "under no seal" in str(
        answered(capsys, "break-glass", "rotate", glass, *new, *broker, code="usage")["error"]
    )
    unknown = ("break-glass", "review", "bg-" + "0" * 26, "--reason", "x", "--by", CARA)
    answered(capsys, *unknown, *stores(folder), code="not found")


def test_people_are_shown_what_they_have_to_approve(
    place: tuple[Path, Handed], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, handed = place
    one = only(answered(capsys, "request", "list", "--store", str(folder / "store")), "requests")
    assert (one["request"], one["state"]) == (handed.review, "pending")
    text = told(capsys, "request", "show", str(handed.review), "--all", "--store", str(folder / "store"))
    assert '"break_glass": true' in text
    assert "INC-7" in text


def test_it_is_found_as_an_alarm(place: tuple[Path, Handed]) -> None:
    folder, handed = place
    settings = settings_of(folder)
    Sealer(settings, "prod").derive()
    found = [each for each in stored(settings).findings if each.rule == "break-glass-used"]
    assert [handed.chain.removeprefix("cc-") in each.who for each in found] == [True]
    assert "without approval" in found[0].text


def explained(folder: Path, capsys: pytest.CaptureFixture[str], request: str) -> dict[str, object]:
    words = ("policy", "explain", str(folder / "policies"), "--request", request, "--store", str(folder / "store"))
    return only(answered(capsys, *words), "decisions")


def test_a_sealed_decision_is_explained_by_the_texts_of_then(
    place: tuple[Path, Handed], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, handed = place
    one = explained(folder, capsys, handed.request)
    assert str(only(one, "determined")["text"]).startswith('@id("emergency")')
    assert one["same"] == dict.fromkeys(("policy_set", "schema", "entities", "request", "verdict"), True)
    assert msgspec.convert(one["rested_on"], dict[str, dict[str, object]])["context"]["ticket"] == "INC-7"
    asked = explained(folder, capsys, handed.review or "")
    assert msgspec.convert(asked["decision"], dict[str, object])["verdict"] == "approval-required"
    words = ("policy", "explain", str(folder / "policies"), "--store", str(folder / "store"), "--request")
    text = told(capsys, *words, handed.request)
    assert "allow  (break-glass)" in text
    assert '  @approval("1 of oncall within 30m")' in text
    assert 'context.ticket = "INC-7"' in text
    assert "has the policies and the schema of then, and they come to the same" in text
    told(capsys, *words, "rq-" + "0" * 26, code="not found")
    told(capsys, *words, handed.request, "--case", str(folder / "broker.toml"), code="usage")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (EMERGENCY.replace("30m", "40m"), "changed since: sha256 "),
        (EMERGENCY.replace('"emergency"', '"other"'), "not there any more"),
    ],
)
def test_policies_that_changed_are_said_to_have(
    place: tuple[Path, Handed], tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    folder, handed = place
    (tmp_path / "one.cedar").write_text(text)
    found = told(
        capsys, "policy", "explain", str(tmp_path), "--request", handed.request, "--store", str(folder / "store")
    )
    assert words in found
    assert "has changed since: policy set" in found
    assert "has the sealed digests" in found
    assert "within 30m" not in found
    assert "@approval" not in found
