"""The edges of the judges about time and runs, and the facts that no log of today brings about."""

import msgspec
import pytest

from custody.engine.duck import Cell, Engine
from custody.model.contracts import EMPTY, Contract, IdentityClass
from custody.model.verdicts import Best, Severity, State
from custody.rules import delivery, outlived_run, retention, silent_runs, used_by_holder
from tests.rules.test_judges import holder, of

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
RUN = "github_run:github:7/1"
ENDED = 100 * DAY


def kept(**given: object) -> retention.Row:
    known = {"identity_class": "one", "source": "aws.cloudtrail", "retention": 90 * DAY, "stated_by": "product"}
    return of(retention.Row, **{**known, "credentials": 3, "leaves": [4, 2], "until": ENDED, **given})


def asking(life: int | None) -> Contract:
    return Contract(classes=(IdentityClass(name="one", match=(), retention=life),))


@pytest.mark.parametrize(("asked", "found"), [(None, False), (90 * DAY, False), (90 * DAY + 1, True), (DAY, False)])
def test_a_class_that_asks_for_more_than_is_kept(asked: int | None, found: bool) -> None:
    verdict = retention.judge(kept(), asking(asked))

    assert (verdict is not None) is found


def test_too_short_a_retention_says_who_states_it() -> None:
    product = retention.judge(kept(), asking(365 * DAY))
    declared = retention.judge(kept(stated_by="contract", credentials=1), asking(365 * DAY))

    assert product is not None
    assert declared is not None
    assert (product.state, product.best, product.severity) == (State.UNPROVEN, Best.INDICATED, Severity.MEDIUM)
    assert (product.count, product.leaves) == (3, (2, 4))
    assert "says its product" in product.text
    assert "1 chain rests on aws.cloudtrail, which keeps its records 90 d, says the contract" in declared.text


@pytest.mark.parametrize(
    ("number", "longest", "words"),
    [
        (1, 5 * MINUTE, "1 credential lives 5 m; vault.audit, which records its use, usually takes 15 m to arrive"),
        (4, 9 * MINUTE, "4 credentials live 5 m to 9 m; vault.audit, which records their use, usually takes 15 m"),
    ],
)
def test_a_life_shorter_than_the_way_of_its_log(number: int, longest: int, words: str) -> None:
    known = {"source": "vault.audit", "delivery_delay": 15 * MINUTE, "shortest": 5 * MINUTE, "leaves": [7]}
    verdict = delivery.judge(of(delivery.Row, **known, longest=longest, credentials=number), EMPTY)

    assert words in verdict.text
    assert (verdict.severity, verdict.count, verdict.leaves) == (Severity.LOW, number, (7,))


def outlived(**given: object) -> outlived_run.Row:
    known = {"how": "bound", "run": RUN, "asserter": "issuer", "run_ended": ENDED, "as_of": ENDED + 2 * HOUR}
    return of(outlived_run.Row, **{**known, "leaf": 1, "other_leaf": 2, **given})


@pytest.mark.parametrize(
    ("given", "severity"),
    [
        ({"not_after": ENDED + 12 * HOUR}, None),
        ({"not_after": ENDED + 12 * HOUR + 1}, Severity.LOW),
        ({"not_after": ENDED + 13 * HOUR, "end_time": ENDED + 3 * HOUR}, None),
        ({"not_after": ENDED + 13 * HOUR, "end_time": ENDED, "end_until": ENDED + 1}, Severity.LOW),
        ({"not_after": ENDED + 13 * HOUR, "as_of": ENDED + HOUR}, None),
        ({"not_after": None}, None),
        ({"endless": True}, Severity.MEDIUM),
        ({"endless": True, "as_of": ENDED + HOUR}, None),
        ({"endless": True, "end_time": ENDED + HOUR}, None),
        ({"endless": True, "end_time": ENDED + HOUR + 1}, Severity.MEDIUM),
        ({"endless": True, "end_time": ENDED, "end_until": ENDED + 1}, Severity.MEDIUM),
        ({"endless": True, "how": "told", "as_of": 0, "asserter": "self-reported"}, Severity.MEDIUM),
    ],
)
def test_what_outlives_its_run(given: dict[str, object], severity: Severity | None) -> None:
    verdict = outlived_run.judge(outlived(**given), EMPTY)

    assert (None if verdict is None else verdict.severity) is severity
    assert verdict is None or verdict.state is State.UNPROVEN


def test_who_says_that_it_is_of_the_run() -> None:
    issuer = outlived_run.judge(outlived(endless=True), EMPTY)
    client = outlived_run.judge(outlived(endless=True, asserter="client", end_time=ENDED + DAY, end_leaf=9), EMPTY)
    instance = outlived_run.judge(outlived(endless=True, run="aws_instance:1:i-1"), EMPTY)

    assert issuer is not None
    assert client is not None
    assert instance is not None
    assert "its issuer bound it to the run" in issuer.text
    assert issuer.title == "long-lived secret in a short-lived run"
    assert "its client named the run" in client.text
    assert "ended 1 d after" in client.text
    assert client.leaves == (1, 2, 9)
    assert instance.title == "never expires, and its run ended"


@pytest.mark.parametrize(("silent", "bound", "found"), [(1, 1, True), (2, 1, False), (3, 3, True), (4, 3, False)])
def test_silence_is_told_where_most_runs_are_not_silent(silent: int, bound: int, found: bool) -> None:
    row = of(silent_runs.Row, who="shop/api", run=RUN, silent=silent, bound=bound, leaves=[3])
    verdict = silent_runs.judge(row, EMPTY)

    assert (verdict is not None) is found
    assert verdict is None or (verdict.severity, verdict.count) == (Severity.LOW, silent)


def test_several_places_of_one_run_come_after_all_that_says_more() -> None:
    places = {
        "places": ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
        "places_source": "vault.audit",
        "places_leaves": [5, 8],
    }
    stolen = used_by_holder.judge(holder(**places), EMPTY)
    several = used_by_holder.judge(holder(**places, egress=None), EMPTY)
    doubtful = used_by_holder.judge(holder(**places, egress=None, issue_disputed=True), EMPTY)
    explained = used_by_holder.judge(holder(**places, unexplained=0, by_log=4, how="own address", fact_leaf=7), EMPTY)

    assert stolen.state is State.VIOLATED
    assert (several.state, several.severity, several.leaves) == (State.UNPROVEN, Severity.MEDIUM, (5, 8))
    assert "192.0.2.1 and 192.0.2.2 and 1 more, as vault.audit saw it" in several.text
    assert (doubtful.state, doubtful.severity) == (State.UNPROVEN, None)
    assert explained.state is State.PROVED


JUDGED = {
    **dict.fromkeys("key who run run_grade run_asserter population".split(), "VARCHAR"),
    **dict.fromkeys("run_ended issue_leaf run_end_leaf not_after end_time end_leaf end_until as_of".split(), "BIGINT"),
    **dict.fromkeys("issued issue_disputed chain_disputed end_disputed".split(), "BOOLEAN"),
}
TABLES = {
    "issues": {"key": "VARCHAR", "not_after": "BIGINT", "method": "VARCHAR"},
    "uses": {"key": "VARCHAR", "principal_kind": "VARCHAR", "created": "BIGINT", "console": "BOOLEAN"},
    "runs": {"run": "VARCHAR", "started": "BIGINT", "ended": "BIGINT"},
    "join_span_request": {"from_key": "VARCHAR", "to_key": "VARCHAR", "leaf": "BIGINT", "span_leaf": "BIGINT"},
}


def facts(method: str, **given: Cell) -> list[outlived_run.Row]:
    """The rows for one credential that is bound to an ended run and whose issuing record gives no expiry."""
    row: dict[str, Cell] = {
        "key": "db_role:postgresql:one", "who": "one", "run": RUN, "run_grade": "exact", "run_asserter": "issuer",
        "population": "machine", "run_ended": ENDED, "issue_leaf": 1, "run_end_leaf": 2, "as_of": ENDED + DAY,
        "issued": True, "issue_disputed": False, "chain_disputed": False, "end_disputed": False, **given,
    }  # fmt: skip
    with Engine(memory_mib=100, threads=1) as engine:
        engine.table("judged", JUDGED, [[row.get(name) for name in JUDGED]])
        for name, columns in TABLES.items():
            engine.table(name, columns, [(row["key"], None, method)] if name == "issues" else [])
        return msgspec.convert(engine.rows(outlived_run.FACTS), list[outlived_run.Row])


def test_a_role_without_an_expiry_is_endless_and_a_session_without_one_is_not() -> None:
    (role,) = facts("CREATE ROLE")

    assert (role.endless, role.how, role.run, role.leaf, role.other_leaf) == (True, "bound", RUN, 1, 2)
    assert facts("AssumeRole") == facts("login:jwt") == []


@pytest.mark.parametrize(
    "given",
    [
        {"issue_disputed": True},
        {"chain_disputed": True},
        {"end_disputed": True},
        {"run_grade": "inferred"},
        {"run_ended": None},
        {"population": "person"},
    ],
)
def test_nothing_rests_on_doubt_or_on_people(given: dict[str, Cell]) -> None:
    assert facts("CREATE ROLE", **given) == []
