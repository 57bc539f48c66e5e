"""What a responder sees of what a broker was asked, decided, issued and ended: every way to it, every word with a leaf.

One store of one broker's log and of the database in which it made roles. The texts are hostile or secret on purpose.
"""

from __future__ import annotations

import json

import msgspec
import pytest

from custody.cli import main
from custody.model.broker_terms import Actor
from custody.model.broker_terms import Verdict as Said
from custody.model.broker_told import Brokered
from custody.model.brokered import Approved, Effect, EndAsked, Ended, Failed, Refused
from custody.model.report import Chain
from custody.pipeline import report, trace
from custody.pipeline.tables import answers
from custody.reports.safe import INVISIBLE
from custody.settings.catalog import Settings
from tests.end_to_end.conftest import run, settings_for
from tests.sources.custody_broker.life import LEAD, live
from tests.sources.custody_broker.writing import (
    POD,
    Database,
    Log,
    asked,
    chain,
    digest,
    issued,
    moment,
    proof,
    request_of,
    role,
)

WHOLE, PENDING, LAPSED, REFUSED, FAILED, CONTAINED, WAITING, ALIVE, ACTED, DENIED = range(1, 11)
TRACE, OTHER_TRACE, EARLY_TRACE = "a" * 31 + "1", "b" * 31 + "2", "c" * 31 + "3"
SECRET = "password=must-not-stay"
HOSTILE = "\x1b[2J\u202e</dd><script>alert(1)</script>"
REGISTER = f"""\
version: 1
register: shop
identities:
  orders-job:
    kind: workload
    names: ["{POD}", "orders-nightly"]
    owner: team:orders
    purpose: makes the nightly report
"""


def lives(log: Log, database: Database) -> None:
    live(log, database, WHOLE, 0)
    log.add("10:05:00", asked(LAPSED, Said.APPROVAL, trace=OTHER_TRACE), chain(LAPSED))
    log.add("10:06:00", asked(REFUSED, Said.DENY, trace=TRACE), chain(REFUSED))
    log.add("10:07:00", asked(FAILED, Said.ALLOW, "11:00:00"), chain(FAILED))
    log.add("10:07:01", Failed(backend="database", reason="connection refused", left="unknown"), chain(FAILED))
    for number, effect, basis, cause in (
        (CONTAINED, Effect.GONE, "probe", "containment"),
        (WAITING, Effect.WAITING, "none", "operator"),
        (ALIVE, Effect.ALIVE, "probe", "parent"),
    ):
        at, key = f"10:1{number}", f"db_role:postgresql:{role(number)}"
        body = asked(number, Said.ALLOW, "11:30:00", trace=TRACE if number == ALIVE else None)
        made = issued(number, log.add(f"{at}:00", body, chain(number)), key, "11:30:00", audience=("reports",))
        log.add(f"{at}:00.060", made, chain(number))
        log.add(f"{at}:10", EndAsked(cause=cause, by="person:idp.shop.test:olga", reason=HOSTILE), chain(number))
        log.add(f"{at}:11", Ended(effect=effect, basis=basis, keys=(key,), cause=cause), chain(number))  # type: ignore[arg-type]
    actors = (
        Actor(subject="agent-7", proof=proof(None, subject="agent-7")),
        Actor(subject="planner", issuer="https://k8s.shop.test"),
        Actor(subject="anybody", claimed=True),
    )
    intent = msgspec.structs.replace(asked(ACTED, Said.DENY).intent, purpose=f"{HOSTILE} {SECRET}", ttl=600)
    log.add("10:30:00", asked(ACTED, Said.DENY, actors=actors, intent=intent), chain(ACTED))
    log.add("10:31:00", Refused(reason="bad-signature", detail="no key fits", trace=EARLY_TRACE, count=3))
    log.add("10:32:00", asked(DENIED, Said.APPROVAL), chain(DENIED))
    log.add("10:32:10", Approved(
        request=request_of(DENIED), digest=digest(DENIED), verdict="deny", approver=LEAD, leaf=9,
        given=moment("10:32:09"), reason="not today",
    ))  # fmt: skip
    log.add("10:40:00", asked(PENDING, Said.APPROVAL), chain(PENDING))
    log.add("10:40:20", Approved(
        request=request_of(PENDING), digest=digest(PENDING), verdict="grant", approver=LEAD, leaf=8,
        given=moment("10:40:19"), reason="it is due", counts=False, why="requester",
    ))  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("brokered")
    log, database = Log(), Database()
    lives(log, database)
    (folder / "broker.ndjson").write_bytes(log.file())
    (folder / "postgresql.ndjson").write_bytes(database.file())
    (folder / "register.yaml").write_text(REGISTER)
    settings = settings_for(folder)
    flags = ["--store", str(settings.store), "--keys", str(settings.keys)]
    assert main(["register", "import", str(folder / "register.yaml"), *flags]) == 0
    run(folder, [folder / "broker.ndjson", folder / "postgresql.ndjson"])
    return settings


def of_chain(store: Settings, number: int) -> Chain:
    found = trace.find(store, chain(number)).chain
    assert found is not None
    return found


def of_request(store: Settings, query: str) -> Brokered:
    found = trace.find(store, query)
    assert (found.chain, found.hits) == (None, ())
    (only,) = found.requests
    return only


def told(brokered: Brokered | None) -> dict[str, tuple[str, str]]:
    """Each fact by its name: what it says and whose word it is; the last of a name."""
    assert brokered is not None
    return {each.name: (each.value, each.said_by) for each in brokered.facts}


def test_a_chain_says_what_was_asked_for_by_whom_and_how_it_ended(store: Settings) -> None:
    found = of_chain(store, WHOLE)
    brokered = found.brokered
    assert brokered is not None

    assert (brokered.request, brokered.chain, brokered.state) == (request_of(WHOLE), chain(WHOLE), "ended, verified")
    facts = told(brokered)
    assert facts["purpose"] == ("nightly report", "requester")
    assert facts["ticket"] == ("OPS-7", "requester")
    assert facts["scope"] == ("read", "broker")
    assert facts["backend"] == ("database (postgresql); can be ended at once with its sessions", "broker")
    assert facts["approvals asked for"][0].startswith("1 of leads, within 15 m of 2026-03-02T10:00:00")
    assert facts["approvals counted"] == ("lead", "broker")
    assert [(each.verdict, each.approver, each.counts) for each in brokered.approvals] == [("grant", LEAD, True)]
    asked_, seen = brokered.ends
    assert (asked_.step, asked_.cause, asked_.by, asked_.verified) == ("asked", "complete", POD, False)
    assert (seen.step, seen.cause, seen.by, seen.effect, seen.basis) == ("seen", "complete", POD, "gone", "state")
    assert (seen.sessions, seen.verified) == (0, True)


def test_every_word_of_a_broker_cites_the_line_that_says_it(store: Settings) -> None:
    brokered = of_chain(store, WHOLE).brokered
    assert brokered is not None
    cited = [each.leaf.index for each in brokered.facts]
    cited += [each.leaf.index for each in brokered.approvals] + [each.leaf.index for each in brokered.ends]

    with answers(store) as tables:
        kept = {leaf: tables.reader.kept(leaf).kept or b"" for leaf in cited}
    kinds = {leaf: json.loads(line)["body"]["kind"] for leaf, line in kept.items()}
    assert {kinds[each.leaf.index] for each in brokered.facts} == {"request", "issued"}
    assert [kinds[each.leaf.index] for each in brokered.approvals] == ["approved"]
    assert [kinds[each.leaf.index] for each in brokered.ends] == ["ending", "ended"]


def test_the_end_stands_once_among_the_steps(store: Settings) -> None:
    steps = of_chain(store, WHOLE).stages
    of_broker = [step for step in steps if step.source == "custody.broker"]

    assert [step.stage for step in of_broker] == ["request", "approve", "decide", "issue", "change", "end"]
    assert "given back, by shop/api" in of_broker[4].text
    assert "verified" in of_broker[5].text
    assert [step.time for step in steps] == sorted((step.time for step in steps), key=lambda time: time.rstrip("Z"))


@pytest.mark.parametrize(
    ("number", "state", "cause", "verified", "words"),
    [
        (CONTAINED, "ended, verified", "containment", True, "the broker tried it, and it was refused"),
        (WAITING, "waits for its expiry", "operator", False, "nothing ends it before its expiry"),
        (ALIVE, "not ended", "parent", False, "it still works"),
    ],
)
def test_an_end_is_verified_only_where_it_was_seen(
    store: Settings, number: int, state: str, cause: str, verified: bool, words: str
) -> None:
    brokered = of_chain(store, number).brokered
    assert brokered is not None
    last = brokered.ends[-1]

    assert (brokered.state, last.cause, last.verified) == (state, cause, verified)
    assert words in last.text
    assert (last.by, last.reason) == ("person:idp.shop.test:olga", HOSTILE)
    assert told(brokered)["audience"] == ("reports", "broker")


@pytest.mark.parametrize(
    ("number", "state", "fact", "words"),
    [
        (PENDING, "waits for approval", "approvals asked for", "1 of leads"),
        (LAPSED, "time for approval is over", "approvals asked for", "1 of leads"),
        (REFUSED, "refused", "decision", "denied: no-permit-matched"),
        (FAILED, "failed", "outcome", "connection refused; left at the backend: unknown"),
    ],
)
@pytest.mark.parametrize("way", ["request", "chain"])
def test_a_request_without_a_credential_is_found(
    store: Settings, way: str, number: int, state: str, fact: str, words: str
) -> None:
    found = of_request(store, request_of(number) if way == "request" else chain(number))

    assert (found.state, found.request, found.chain) == (state, request_of(number), chain(number))
    assert words in told(found)[fact][0]
    assert told(found)["backend"] == ("database", "requester")


def test_decisions_of_people_stand_beside_what_they_decide_on(store: Settings) -> None:
    pending, denied = (of_request(store, request_of(number)).approvals for number in (PENDING, DENIED))

    assert [(each.verdict, each.counts, each.why, each.approvals_leaf) for each in pending] == [
        ("grant", False, "requester", 8)
    ]
    assert [(each.verdict, each.reason) for each in denied] == [("deny", "not today")]


def test_who_acts_for_whom_is_told_with_whose_word_it_is(store: Settings) -> None:
    found = of_request(store, request_of(ACTED))
    acting = [(each.value, each.said_by) for each in found.facts if each.name.startswith("acting")]

    assert acting == [
        ("agent-7 of https://k8s.shop.test, proved by oidc", "broker"),
        ("planner, as https://k8s.shop.test says", "issuer"),
        ("anybody, as the requester says", "requester"),
    ]
    assert told(found)["lifetime asked for"] == ("10 m", "requester")


@pytest.mark.parametrize("form", ["{}", "00-{}-00f067aa0ba902b7-01", "  {}  "])
def test_a_trace_id_leads_to_all_that_was_done_under_it(store: Settings, form: str) -> None:
    found = trace.find(store, form.format(TRACE))

    assert f"db_role:postgresql:{role(ALIVE)}" in {hit.key for hit in found.hits}
    assert {hit.how for hit in found.hits} == {"trace id"}
    assert [each.request for each in found.requests] == [request_of(REFUSED)]


def test_a_refusal_before_any_decision_is_found_by_its_trace(store: Settings) -> None:
    found = of_request(store, EARLY_TRACE)

    assert (found.request, found.state) == (None, "refused before it was decided")
    assert told(found)["refused"] == ("bad-signature: no key fits (3 times)", "broker")


@pytest.mark.parametrize("name", ["orders-job", "orders-nightly"])
def test_a_name_of_the_register_leads_to_the_chains_of_its_identity(store: Settings, name: str) -> None:
    found = trace.find(store, name)

    issued_to_it = {f"db_role:postgresql:{role(number)}" for number in (WHOLE, CONTAINED, WAITING, ALIVE)}
    assert issued_to_it <= {hit.key for hit in found.hits}
    assert {hit.how for hit in found.hits} == {"name in the register"}


@pytest.mark.parametrize(
    ("query", "named"),
    [
        (f"{chain(WHOLE)}@3", None),
        (f"{chain(PENDING)}@999", "receipt"),
        (chain(99), "chain id"),
        (request_of(99), "request"),
        ("d" * 32, "trace id"),
        ("nobody-at-all", "name in the register"),
    ],
)
def test_nothing_found_says_what_was_searched(
    store: Settings, query: str, named: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["trace", query, "--store", str(store.store)])
    text = " ".join(capsys.readouterr().out.split())

    assert (code == 0) is (named is None)
    assert named is None or (named in text and "searched" in text and "would show it" in text)


@pytest.mark.parametrize("query", [request_of(ACTED), chain(CONTAINED), chain(WHOLE), TRACE])
def test_a_terminal_shows_hostile_words_as_what_they_are(
    store: Settings, query: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trace", query, "--store", str(store.store)]) == 0
    text = capsys.readouterr().out

    assert max(len(line) for line in text.splitlines()) <= 80
    assert not INVISIBLE.search(text.replace("\n", ""))
    assert "\x1b" not in text
    assert "leaf" in text


def test_the_words_of_a_terminal(store: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", chain(WHOLE), "--store", str(store.store)]) == 0
    whole = " ".join(capsys.readouterr().out.split())
    assert main(["trace", request_of(PENDING), "--store", str(store.store)]) == 0
    pending = " ".join(capsys.readouterr().out.split())

    for words in (
        "backend database (postgresql)",
        "ticket OPS-7",
        "requester's word",
        "end asked given back, by shop/api",
    ):
        assert words in whole
    assert "ended gone; verified: the server's own state" in whole
    assert pending.startswith(f"request {request_of(PENDING)} waits for approval; no credential came of it")
    assert "does not count: requester" in pending


def test_json_and_page_have_it_and_no_secret_is_in_either(store: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", request_of(ACTED), "--store", str(store.store), "--json"]) == 0
    text = capsys.readouterr().out
    found = json.loads(text)
    page = report.render(store, "html").decode()

    assert found["requests"][0]["state"] == "refused"
    assert (found["chain"], found["hits"]) == (None, [])
    for part in ("<dt>Purpose</dt>", "<dt>Ticket</dt>", "<dt>End asked</dt>", "<dt>Ended</dt>", "requester"):
        assert part in page
    assert "<script" not in page
    for output in (text, page):
        assert "must-not-stay" not in output


def test_help_names_every_way(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())

    for words in ("chain id", "receipt", "request id", "trace id", "traceparent", "name of the register"):
        assert words in text
