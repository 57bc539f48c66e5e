"""Entries as of any moment, and with what was known at any other."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from custody.cli.register.page import _name
from custody.model.contracts import EMPTY
from custody.model.register import SealedDocument
from custody.model.times import microseconds
from custody.register import build as register
from custody.register.claims import tags_of
from custody.register.documents import parse_document
from custody.register.entries import ending_in, entries, entry
from custody.register.entry import Said, When
from custody.register.times import DAY, State
from tests.chains.running import Derived, derived

CASES = Path(__file__).resolve().parents[1] / "cases" / "register"
ROLE = "aws_arn:111122223333:arn:aws:iam::111122223333:role/deploy"


def at(text: str) -> int:
    return microseconds(text) or 0


FIRST, SECOND = at("2026-01-06T00:00:00Z"), at("2026-01-08T00:00:00Z")
DOCUMENT = """
version: 1
register: payments
identities:
  payments-deploy: {{kind: role, names: ["aws:role/deploy"], owner: {owner}, purpose: deploys{more}}}
"""


def version(owner: str, leaf: int, moment: int, more: str = "") -> SealedDocument:
    document = parse_document(DOCUMENT.format(owner=owner, more=more).encode(), "payments.yaml")
    return SealedDocument(document=document, leaf=leaf, at=moment, by="ann")


TWO = (version("team:one", 1001, FIRST), version("team:two", 1002, SECOND))


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Derived]:
    with derived(tmp_path_factory.mktemp("chains"), [(CASES / "input.ndjson").read_bytes()]) as case:
        yield case


def build(case: Derived, *documents: SealedDocument) -> None:
    register.build(case.engine, documents, EMPTY, microseconds(case.report.as_of))


def owners(case: Derived, when: When) -> list[tuple[str, str]] | None:
    found = entry(case.engine, "payments-deploy", when)
    return None if found is None else [(one.value, one.state.value) for one in found.claims if one.field == "owner"]


@pytest.mark.parametrize(
    ("as_of", "known_at", "told"),
    [
        (None, None, [("team:one", "replaced"), ("team:two", "held")]),
        (SECOND, None, [("team:one", "replaced"), ("team:two", "held")]),
        (SECOND - 1, None, [("team:one", "held"), ("team:two", "later")]),
        (None, SECOND - 1, [("team:one", "held")]),
        (FIRST - 1, SECOND, [("team:one", "later"), ("team:two", "later")]),
        (FIRST, FIRST, [("team:one", "held")]),
        (FIRST, FIRST - 1, []),
    ],
)
def test_the_owner_at_any_time_with_what_was_known_at_any_other(
    chains: Derived, as_of: int | None, known_at: int | None, told: list[tuple[str, str]]
) -> None:
    build(chains, *TWO)

    assert owners(chains, When(as_of=as_of, known_at=known_at)) == told


def test_a_correction_for_the_past_holds_in_the_past_once_it_is_known(chains: Derived) -> None:
    build(chains, TWO[0], version("team:two", 1002, SECOND, ", since: 2026-01-06"))

    assert owners(chains, When(as_of=FIRST)) == [("team:one", "held"), ("team:two", "held")]
    assert owners(chains, When(as_of=FIRST, known_at=FIRST)) == [("team:one", "held")]


def test_credentials_are_counted_as_they_were(chains: Derived) -> None:
    build(chains, *TWO)

    def seen(when: When) -> tuple[int, int, int]:
        found = entry(chains.engine, ROLE, when)
        assert found is not None
        return found.credentials, len(found.lives), sum(each.alive for each in found.lifecycles)

    assert seen(When()) == (3, 3, 1)
    assert seen(When(as_of=at("2026-01-07T10:30:00Z"))) == (2, 2, 1)
    assert seen(When(as_of=at("2026-01-07T12:00:00Z"))) == (2, 2, 0)
    assert seen(When(size=2)) == (1, 1, 0)


def test_an_identity_that_nothing_showed_yet_is_not_there(chains: Derived) -> None:
    build(chains)

    assert entry(chains.engine, ROLE, When(as_of=at("2026-01-05T10:00:00Z"))) is not None
    assert entry(chains.engine, ROLE, When(as_of=at("2026-01-05T09:59:59Z"))) is None
    assert entry(chains.engine, ROLE, When(size=1)) is None
    assert list(entries(chains.engine, When(size=1))) == []
    assert entry(chains.engine, "aws:role/other") is None


def test_a_claim_without_an_end_lasts_four_hundred_days(chains: Derived) -> None:
    build(chains, TWO[0])

    def state(when: int) -> dict[str, State]:
        found = entry(chains.engine, "payments-deploy", When(as_of=when))
        assert found is not None
        return {one.field: one.state for one in found.claims}

    assert state(FIRST + 400 * DAY - 1)["owner"] is State.HELD
    assert state(FIRST + 400 * DAY) == {"kind": State.HELD, "owner": State.EXPIRED, "purpose": State.EXPIRED}


def test_any_name_leads_to_the_entry(chains: Derived) -> None:
    build(chains, *TWO)
    called = ("payments-deploy", ROLE, "aws:role/deploy", "arn:aws:iam::111122223333:role/deploy",
              "arn:aws:sts::111122223333:assumed-role/deploy/x", " aws:111122223333:role/deploy ",
              "aws_akid:aws:ASIA000000000000LATE")  # fmt: skip

    found = [entry(chains.engine, name) for name in called]

    assert [None if one is None else one.identity for one in found] == ["payments-deploy"] * len(called)
    assert [one.identity for one in entries(chains.engine)] == ["payments-deploy"]


def test_the_last_part_of_a_name_leads_nowhere_and_is_told(chains: Derived) -> None:
    build(chains)

    assert entry(chains.engine, "deploy") is None
    assert ending_in(chains.engine, "deploy") == [ROLE]
    assert ending_in(chains.engine, "eploy") == []
    assert ending_in(chains.engine, "") == []
    assert ending_in(chains.engine, "%") == []


def test_an_entry_can_be_written_as_json_and_read_again(chains: Derived) -> None:
    build(chains, *TWO)
    found = entry(chains.engine, ROLE)
    assert found is not None

    plain = json.loads(msgspec.json.encode(found))

    assert plain["identity"] == "payments-deploy"
    assert msgspec.convert(plain["claims"][0], Said) == found.claims[0]


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ('{"Owner":"payments","Name":"x"}', [("owner", "payments")]),
        ('{"acme.example.com/team":" payments "}', [("owner", "payments")]),
        ('{"labels":{"env":"prod","team":"t"}}', [("environment", "prod"), ("owner", "t")]),
        ('{"owner":" ","team":7,"purpose":null}', []),
        ('["owner"]', []),
        ('{"labels":"owner"}', []),
    ],
)
def test_what_tags_say(tags: str, said: list[tuple[str, str]]) -> None:
    assert list(tags_of(tags)) == said


def test_the_order_of_leaves_decides_not_that_of_the_list(chains: Derived) -> None:
    build(chains, *TWO)
    before = {name: chains.rows(sql) for name, sql in register.TABLES.items() if "grant" not in name}
    build(chains, *TWO[::-1])

    assert {name: chains.rows(sql) for name, sql in register.TABLES.items() if "grant" not in name} == before


def test_the_shape_of_the_tables_follows_their_sql() -> None:
    texts = register.texts()

    assert len(texts) == len(set(texts))
    assert all(any(name in text for text in texts) for name in register.TABLES)


def test_a_name_without_room_gives_way_to_a_shorter_one_that_can_be_copied() -> None:
    long = "aws_arn:111122223333:arn:aws:iam::111122223333:role/payments-deploy-production"
    assert _name(long, 90) == "arn:aws:iam::111122223333:role/payments-deploy-production"
    assert _name(long, 50) == "aws:111122223333:role/payments-deploy-production"
    assert _name(long, 20) == "arn:aws:i…production"
