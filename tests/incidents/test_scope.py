"""How far an incident reaches: over the made account, over cases of the chains, and over the real theft."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from custody.incidents.scope.grounds import Grounds
from custody.incidents.scope.reaching import scope
from custody.incidents.seen import Scope
from custody.model.incidents import SeedKind
from custody.model.leaf import LeafRef
from custody.model.times import text
from custody.pipeline.incidents.judging import judged
from tests.end_to_end.conftest import run, settings_for
from tests.incidents.evidence_estate import SECRET, at, key, user
from tests.incidents.evidence_grounds import grounds_over, inputs
from tests.incidents.evidence_steps import Told, seed

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "aws_cloudtrail"
THIEF = "203.0.113.66"


def reach(grounds: Grounds, kind: SeedKind, value: str) -> Scope:
    return scope(grounds, [seed(kind, value)])


def ways(found: Scope) -> dict[str, tuple[str, int]]:
    """Tail of the key → grade and depth, of all but siblings."""
    return {each.key[-6:].lstrip("0"): (each.join, each.depth) for each in found.credentials if not each.apart}


def did(found: Scope, what: str) -> set[tuple[str, str, str, int, str]]:
    return {
        (
            each.name.rpartition(":")[2],
            each.by[-6:].lstrip("0"),
            each.event.rpartition(":")[2],
            each.count,
            each.outcome,
        )
        for each in found.touched
        if each.what == what
    }


def test_all_that_descends_from_a_stolen_key_is_reached(grounds: Grounds) -> None:
    found = reach(grounds, SeedKind.KEY, key("victim"))

    assert ways(found) == {"VICTIM": ("exact", 0), "THIEF": ("exact", 1), "EVIL": ("exact", 1)}
    assert {each.key[-6:].lstrip("0"): each.alive for each in found.credentials} == {
        "VICTIM": True,
        "THIEF": True,
        "EVIL": True,
    }
    assert found.first_success == at("09:40")
    assert found.last_success == at("10:42")
    assert not found.cut_off


def test_what_it_read_made_and_changed_is_told_by_kind(grounds: Grounds) -> None:
    found = reach(grounds, SeedKind.KEY, key("victim"))

    assert did(found, "secret") == {
        ("pay", "VICTIM", "GetSecretValue", 2, "success"),
        ("/db/password", "VICTIM", "GetParameter", 1, "success"),
        ("no", "VICTIM", "GetSecretValue", 1, "denied"),
    }
    assert {(each.what, each.event) for each in found.touched if each.what not in ("secret", "resource")} == {
        ("user", "user.create"),
        ("key", "key.create"),
        ("grant", "policy.attach"),
        ("trust", "trust.change"),
    }
    assert ("invoices/2026.csv", "THIEF", "GetObject", 1, "success") in did(found, "resource")
    assert [each.what for each in found.touched] == sorted(
        (each.what for each in found.touched), key=["secret", "key", "user", "trust", "grant", "resource"].index
    )
    assert SECRET not in repr(found)


def test_an_address_means_who_succeeded_there_and_is_inferred(grounds: Grounds) -> None:
    found = reach(grounds, SeedKind.ADDRESS, THIEF)

    assert {tail: join for tail, (join, _) in ways(found).items()} == dict.fromkeys(
        ("VICTIM", "THIEF", "EVIL"), "inferred"
    )
    assert ways(reach(grounds, SeedKind.ADDRESS, "::ffff:203.0.113.66")) == ways(found)
    assert reach(grounds, SeedKind.ADDRESS, "203.0.113.99").unknown == ("203.0.113.99",)


@pytest.mark.parametrize("value", [user("rot"), "rot", "bot-rot"])
def test_an_identity_means_all_of_its_credentials(grounds: Grounds, value: str) -> None:
    found = reach(grounds, SeedKind.IDENTITY, value)

    assert ways(found) == {"ROT": ("exact", 0), "ROTB": ("exact", 0)}
    assert found.identities == ("rot",)


def test_an_alert_means_the_keys_of_its_record(grounds: Grounds) -> None:
    (row,) = grounds.engine.rows("SELECT min(leaf) FROM parts WHERE resource LIKE '%2026.csv'")
    found = scope(grounds, [seed(SeedKind.ALERT, "alert-1", LeafRef("operations", int(str(row[0]))))])

    assert ways(found)["THIEF"] == ("exact", 0)
    assert "VICTIM" not in ways(found)


def test_what_nothing_is_found_for_is_said(grounds: Grounds) -> None:
    found = scope(grounds, [seed(SeedKind.FINDING, "f-0000000000000000"), seed(SeedKind.KEY, key("nosuch"))])

    assert found.unknown == ("f-0000000000000000", key("nosuch"))
    assert (found.credentials, found.touched) == ((), ())


def test_what_was_not_read_is_named_with_its_source(grounds: Grounds) -> None:
    found = reach(grounds, SeedKind.KEY, key("child"))

    assert {(each.what, each.source) for each in found.missing} >= {("not read: data events", "aws.cloudtrail")}
    assert not any("who issued" in each.what for each in found.missing)
    assert any("who issued" in each.what for each in reach(grounds, SeedKind.KEY, key("ops")).missing)


def test_a_finding_means_its_credential_and_siblings_stand_apart(stolen: Grounds) -> None:
    (about,) = stolen.report.findings
    own, *others = reach(stolen, SeedKind.FINDING, about.id).credentials

    assert (own.key, own.join, own.apart) == (about.subject, "exact", False)
    assert [(each.key[-3:], each.join, each.apart) for each in others] == [("SIB", "bounded", True)]
    assert {each.by for each in reach(stolen, SeedKind.FINDING, about.id).touched} == {own.key}


def test_order_and_repetition_change_nothing(grounds: Grounds, disordered: Grounds) -> None:
    for kind, value in ((SeedKind.KEY, key("victim")), (SeedKind.ADDRESS, THIEF)):
        assert _plain(reach(disordered, kind, value)) == _plain(reach(grounds, kind, value))


def _plain(found: Scope) -> Scope:
    """Without where it is sealed."""
    return msgspec.structs.replace(
        found,
        credentials=tuple(msgspec.structs.replace(each, leaf=None) for each in found.credentials),
        touched=tuple(msgspec.structs.replace(each, leaf=LeafRef("operations", 0)) for each in found.touched),
        missing=tuple(each for each in found.missing if each.what.startswith("not read")),
    )


ADDRESS = "192.168.10.20"


def _real() -> list[dict[str, object]]:
    if not SHARED.is_dir():
        pytest.skip(f"the real logs are not beside the checkout: {SHARED.name}")
    found: list[dict[str, object]] = []
    for path in sorted(SHARED.glob("*.json.gz")):
        found += json.loads(gzip.decompress(path.read_bytes()))["Records"]
    return found


def _at(record: dict[str, object], *names: str) -> object:
    value: object = record
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _key_of(record: dict[str, object]) -> object:
    return _at(record, "userIdentity", "accessKeyId")


def _succeeded(records: Iterable[dict[str, object]]) -> list[dict[str, object]]:
    return [each for each in records if "errorCode" not in each]


def test_the_real_theft_from_one_address(tmp_path: Path) -> None:
    """Expected by counting the records themselves: keys, their children, what they made, secrets, first and last."""
    records = _real()
    good = _succeeded(records)
    there = {_key_of(each) for each in good if each["sourceIPAddress"] == ADDRESS} - {None}
    issued = {_at(each, "responseElements", "credentials", "accessKeyId"): _key_of(each) for each in good}
    made = {_at(each, "responseElements", "accessKey", "accessKeyId"): _key_of(each) for each in good}
    below = {child for child, parent in {**issued, **made}.items() if child and parent in there}
    secrets = {
        (_at(each, "requestParameters", "secretId") or _name(each))
        for each in good
        if _key_of(each) in there | below and _is_secret(each)
    }
    times = sorted(str(each["eventTime"]) for each in good if _key_of(each) in there)

    run(tmp_path, [SHARED])
    evidence = judged(settings_for(tmp_path), Told(seed(SeedKind.ADDRESS, ADDRESS)).incident(), now=at("12:00"))
    found = evidence.scope

    own = {each.key.rpartition(":")[2] for each in found.credentials if each.depth == 0 and not each.apart}
    reached = {
        each.key.rpartition(":")[2] for each in found.credentials if not each.apart and "principal" not in each.why
    }
    assert own == there == {"AKIATFQR7NSC8Q4X20BJ", "ASIATFQR7NSC36DZQP7P"}
    assert reached == there | below
    assert {each.join for each in found.credentials} == {"inferred"}
    assert {each.name for each in found.touched if each.what == "secret" and each.outcome == "success"} == secrets
    assert len([each for each in found.touched if each.what == "key"]) == len(made.keys() - {None})
    assert (_clock(found.first_success), _clock(found.last_success)) == (times[0], times[-1])
    assert [each.state for each in evidence.answers] == [*["n/a"] * 4, "open", *["unproven"] * 3]
    assert f"first abuse {times[0]}" in evidence.answers[6].text


def test_an_end_that_was_asked_of_a_broker_names_the_chain_that_ends(tmp_path: Path) -> None:
    """By the token that was shown for it. Why it was asked is no thing that was touched."""
    broker, server = inputs("brokered_life")
    lines = [json.loads(line) for line in broker.splitlines()]
    (asked,) = (line for line in lines if line["body"]["kind"] == "ending")
    proof = next(line["body"]["proof"] for line in lines if line["body"]["kind"] == "request")
    asked["body"] |= {"proof": proof, "reason": "it is done"}
    files = [b"".join(json.dumps(line).encode() + b"\n" for line in lines), server]
    with grounds_over(tmp_path, files) as there:
        found = reach(there, SeedKind.KEY, proof["credential"])

    ended = [(each.name, each.by) for each in found.touched if each.event == "end.ask"]
    assert ended == [(f"broker_chain:shop-broker:{asked['chain']}", proof["credential"])]


def _is_secret(record: dict[str, object]) -> bool:
    if record["eventSource"] == "secretsmanager.amazonaws.com":
        return record["eventName"] in ("GetSecretValue", "BatchGetSecretValue")
    named = record["eventSource"] == "ssm.amazonaws.com" and str(record["eventName"]).startswith("GetParameter")
    return named and _at(record, "requestParameters", "withDecryption") is True


def _name(record: dict[str, object]) -> object:
    resources = record.get("resources")
    assert isinstance(resources, list)
    return resources[0]["ARN"]


def _clock(moment: int | None) -> str:
    return text(moment) or ""
