"""The edges of the judges about what a contract or the register declares; whole cases are under tests/cases/chains."""

from datetime import UTC, datetime

import msgspec
import pytest

from custody.model.contracts import Contract, Environment, Exempt, Hours, IdentityClass
from custody.model.events import Granularity
from custody.model.verdicts import Severity, State
from custody.rules import (
    coarse_binding,
    dependency_not_declared,
    outside_hours,
    person_used_credential,
    rotation_overdue,
    several_workloads,
    static_secret,
    targets,
    two_environments,
    used_within,
)
from custody.rules.packed import SEPARATOR, unpacked
from custody.rules.targets import Target
from tests.rules.test_judges import of

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
ROLE = "aws_arn:111122223333:arn:aws:iam::111122223333:role/app"


def pack(*parts: object) -> str:
    return SEPARATOR.join("" if part is None else str(part) for part in parts)


def frame(*parts: object) -> str:
    return "".join(f"{len(str(part))}:{part}" for part in parts)


def one(**given: object) -> Contract:
    top = {name: given.pop(name) for name in ("environments", "provenance") if name in given}
    return Contract(classes=(IdentityClass(name="c", match=(("subject", "*"),), **given),), **top)  # type: ignore[arg-type]  # fields by name


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


def test_a_text_of_a_log_stays_whole_whatever_is_in_it() -> None:
    hostile = f"a{SEPARATOR}b\x1b[31m<script>"

    assert unpacked(pack(7, "x", hostile), 3) == ["7", "x", hostile]
    assert targets.read(frame(1, 2, hostile, "", hostile)) == Target(1, 2, hostile, "", hostile)


@pytest.mark.parametrize(
    ("resource", "service", "led_to", "pattern"),
    [
        ("arn:aws:iam::111122223333:role/x/deploy", "sts.amazonaws.com", "", "aws:role/x/deploy"),
        ("arn:aws:iam::111122223333:role/deploy", "sts.amazonaws.com", "", "aws:111122223333:role/*"),
        ("arn:aws:s3:::data/k", "s3.amazonaws.com", "", "arn:aws:s3:::data/*"),
        ("database/creds/app", "vault", "", "vault:database/creds/app"),
        ("", "vault", "vault_role:vault:database/creds/app", "vault:database/creds/*"),
        ("items", "postgresql", "", "postgresql"),
        ("", "ssm.amazonaws.com", "", "ssm.*"),
    ],
)
def test_what_was_used_goes_by_its_names(resource: str, service: str, led_to: str, pattern: str) -> None:
    used = Target(1, 1, service, led_to, resource)

    assert targets.outside([used], [pattern]) == []
    assert targets.outside([used], ["nothing.of.it:x"]) == [used]


def test_a_call_without_a_resource_is_not_held_against_a_pattern_on_resources() -> None:
    silent = Target(1, 1, "s3.amazonaws.com", "", "")
    named = Target(2, 1, "s3.amazonaws.com", "", "arn:aws:s3:::other")

    assert targets.outside([silent, named], ["arn:aws:s3:::data"]) == [named]
    assert targets.outside([silent, named], ["arn:aws:sqs:::q"]) == [silent, named]


def depends(*used: str, listed: list[str] | None = None, key: str = "aws_akid:aws:ASIA") -> dependency_not_declared.Row:
    packed = [frame("c", key, frame(number, 2, service, "", "")) for number, service in enumerate(used, 1)]
    return of(dependency_not_declared.Row, subject=ROLE, used=packed, listed=listed)


def test_a_class_that_declares_nothing_forbids_nothing() -> None:
    assert dependency_not_declared.judge(depends("s3.amazonaws.com"), one()) is None
    assert dependency_not_declared.judge(depends("s3.amazonaws.com"), one(depends_on=("s3.*",))) is None


def test_what_the_register_lists_is_a_claim_and_the_contract_a_demand() -> None:
    listed = depends("s3.amazonaws.com", "kms.amazonaws.com", listed=["kms.amazonaws.com"])
    claimed = dependency_not_declared.judge(listed, one())
    asked = dependency_not_declared.judge(listed, one(depends_on=("kms.*",)))

    assert claimed is not None
    assert asked is not None
    assert (claimed.state, claimed.severity, claimed.leaves) == (State.UNPROVEN, Severity.LOW, (1,))
    assert (asked.state, asked.count, asked.leaves) == (State.VIOLATED, 2, (1,))
    assert "2 calls on what its class does not declare: s3.amazonaws.com" in asked.text


def test_a_name_that_two_servers_may_have_violates_nothing() -> None:
    verdict = dependency_not_declared.judge(
        depends("postgresql", key="db_role:postgresql:report"), one(depends_on=("vault",))
    )

    assert verdict is not None
    assert (verdict.state, verdict.severity) == (State.UNPROVEN, Severity.LOW)


def test_many_things_are_told_as_a_few_names_and_a_number() -> None:
    verdict = dependency_not_declared.judge(
        depends(*(f"s{number}.amazonaws.com" for number in range(40))), one(depends_on=("kms.*",))
    )

    assert verdict is not None
    assert (verdict.count, len(verdict.leaves)) == (80, 16)
    assert "and 37 more" in verdict.text
    assert len(verdict.text) < 200


def within(*used: str, **given: object) -> used_within.Row:
    packed = [frame(number, 3, service, "", "") for number, service in enumerate(used, 1)]
    known = {
        "uses": 3,
        "key": "aws_akid:aws:ASIA",
        "identity_class": "c",
        "used_on": packed,
        "used_on_total": len(used),
    }
    return of(used_within.Row, **{**known, **given})


def test_used_on_what_is_declared_is_indicated_and_never_proved() -> None:
    contract = one(depends_on=("s3.*",))
    states = [
        used_within.judge(row, given).state
        for row, given in (
            (within("s3.amazonaws.com"), contract),
            (within("s3.amazonaws.com", listed_dependencies=["s3.*"]), one()),
            (within("s3.amazonaws.com"), one()),
            (within("s3.amazonaws.com", used_on_total=targets.MOST + 1), contract),
        )
    ]

    assert states == [State.UNPROVEN] * 4
    assert used_within.judge(within("s3.amazonaws.com"), contract).severity is None


def test_used_elsewhere_is_violated_for_the_class_and_no_finding_of_each_key() -> None:
    contract = one(depends_on=("s3.*",))
    outside = used_within.judge(within("s3.amazonaws.com", "kms.amazonaws.com"), contract)
    claimed = used_within.judge(within("kms.amazonaws.com", listed_dependencies=["s3.*"]), one())

    assert (outside.state, outside.count, outside.leaves) == (State.VIOLATED, 3, (2,))
    assert used_within.RULE.told_by[outside.title or ""] == dependency_not_declared.RULE.id
    assert (claimed.state, claimed.severity) == (State.UNPROVEN, None)


@pytest.mark.parametrize("given", [{"late_uses": 1, "late_first": 9, "late_leaves": [4]}, {"use_disputed": True}])
def test_what_was_said_before_of_a_life_comes_first(given: dict[str, object]) -> None:
    verdict = used_within.judge(within("kms.amazonaws.com", **given), one(depends_on=("s3.*",)))

    assert "declare" not in verdict.text


OFFICE = Hours(days=(0, 1, 2, 3, 4), start=7 * 60, end=19 * 60, zone="Europe/Zurich")
NIGHT = Hours(days=(4,), start=22 * 60, end=4 * 60, zone="UTC")
ALWAYS = Hours(days=tuple(range(7)), start=0, end=24 * 60, zone="Asia/Kathmandu")


@pytest.mark.parametrize(
    ("hours", "moment", "wanted"),
    [
        (OFFICE, "2026-01-05T05:59:59", False),
        (OFFICE, "2026-01-05T06:00:00", True),
        (OFFICE, "2026-01-05T17:59:59", True),
        (OFFICE, "2026-01-05T18:00:00", False),
        (OFFICE, "2026-07-06T05:00:00", True),
        (OFFICE, "2026-01-10T10:00:00", False),
        (NIGHT, "2026-01-09T22:00:00", True),
        (NIGHT, "2026-01-10T03:59:59", True),
        (NIGHT, "2026-01-10T04:00:00", False),
        (NIGHT, "2026-01-09T03:00:00", False),
        (NIGHT, "2026-01-10T22:00:00", False),
        (ALWAYS, "2026-10-25T00:30:00", True),
    ],
)
def test_hours_are_those_of_the_zone(hours: Hours, moment: str, wanted: bool) -> None:
    assert outside_hours.within(hours, at(moment)) is wanted


def worked(first: str, last: str, calls: int = 1, skew: int = 0) -> outside_hours.Row:
    return of(outside_hours.Row, subject=ROLE, quarters=[pack(at(first), at(last), calls, 5, skew, "c")])


@pytest.mark.parametrize(
    ("first", "last", "skew", "wanted"),
    [
        ("2026-01-05T05:50:00", "2026-01-05T05:58:00", 0, 4),
        ("2026-01-05T05:55:00", "2026-01-05T06:05:00", 0, 1),
        ("2026-01-05T06:01:00", "2026-01-05T06:05:00", 0, None),
        ("2026-01-05T05:59:30", "2026-01-05T06:05:00", 60 * SECOND, None),
        ("2026-01-05T05:50:00", "2026-01-05T06:05:00", 60 * SECOND, 1),
    ],
)
def test_calls_are_counted_as_far_as_they_are_surely_outside(
    first: str, last: str, skew: int, wanted: int | None
) -> None:
    verdict = outside_hours.judge(worked(first, last, 4, skew), one(hours=OFFICE))

    assert (None if verdict is None else verdict.count) == wanted
    assert verdict is None or verdict.state is State.VIOLATED


def test_a_class_without_hours_may_work_at_any_time() -> None:
    assert outside_hours.judge(worked("2026-01-10T03:00:00", "2026-01-10T03:00:00"), one()) is None


PROD, DEV = Environment(name="prod", accounts=("111122223333",)), Environment(name="dev", match=("*dev*",))


def seen(*places: tuple[str, str], listed: list[str] | None = None) -> two_environments.Row:
    rows = [pack(leaf, sort, "c", value) for leaf, (sort, value) in enumerate(places, 1)]
    return of(two_environments.Row, subject=ROLE, seen=rows, listed=listed)


@pytest.mark.parametrize(
    ("places", "allowed", "listed", "wanted"),
    [
        ([("key", ROLE)], ("prod",), None, None),
        ([("key", ROLE)], ("dev",), None, State.VIOLATED),
        ([("key", ROLE), ("resource", "arn:aws:s3:::dev-data")], ("prod",), None, State.VIOLATED),
        ([("key", ROLE), ("resource", "arn:aws:s3:::dev-data")], ("prod", "dev"), None, None),
        ([("key", ROLE), ("resource", "arn:aws:s3:::dev-data")], (), None, State.UNPROVEN),
        ([("key", ROLE), ("resource", "arn:aws:s3:::dev-data")], (), ["dev", "prod"], None),
        ([("account", "111122223333"), ("account", "444455556666")], (), None, None),
        ([("account", "*"), ("account", "dev")], (), None, None),
    ],
)
def test_an_environment_is_what_the_contract_says(
    places: list[tuple[str, str]], allowed: tuple[str, ...], listed: list[str] | None, wanted: State | None
) -> None:
    contract = one(environments=(PROD, DEV))
    contract = Contract(
        classes=(IdentityClass(name="c", match=(), environments=allowed),), environments=contract.environments
    )
    verdict = two_environments.judge(seen(*places, listed=listed), contract)

    assert (None if verdict is None else verdict.state) is wanted


def bound(*workloads: str) -> several_workloads.Row:
    rows = [pack(leaf, 2, "c", workload) for leaf, workload in enumerate(workloads, 1)]
    return of(several_workloads.Row, subject=ROLE, bound=rows)


@pytest.mark.parametrize(
    ("workloads", "number"),
    [
        (["oidc_subject:a:repo:acme/shop:ref:refs/heads/a", "github_workflow:github:acme/shop/Deploy"], 1),
        (["oidc_subject:a:repo:acme/shop:ref:x", "oidc_subject:a:repo:acme@1/shop@2:ref:x"], 1),
        (["oidc_subject:a:system:serviceaccount:shop:api", "k8s_service_account:eks:shop/api"], 1),
        (["k8s_service_account:-:shop/api", "k8s_service_account:-:shop/job"], 2),
        (["oidc_subject:a:project_path:acme/shop:ref:a", "oidc_subject:a:project_path:acme/shop:ref:b"], 1),
        (["oidc_subject:a:organization:x:run_phase:plan", "oidc_subject:a:organization:x:run_phase:apply"], 0),
        (["payments", "spiffe:example.org:/ns/a/sa/b"], 2),
    ],
)
def test_a_workload_is_what_stays(workloads: list[str], number: int) -> None:
    verdict = several_workloads.judge(bound(*workloads), one(workloads=1))

    assert (verdict is not None) is (number > 1)
    assert verdict is None or f"{number} workloads" in verdict.text


def acted(*acts: tuple[str, str], **given: object) -> person_used_credential.Row:
    rows = [pack(leaf, how, person) for leaf, (how, person) in enumerate(acts, 1)]
    return of(person_used_credential.Row, subject=ROLE, acts=rows, **given)


@pytest.mark.parametrize(
    ("given", "population", "wanted"),
    [
        ({}, None, None),
        ({}, "machine", State.VIOLATED),
        ({}, "person", None),
        ({"identity": "payments", "whole": True}, None, State.UNPROVEN),
        ({"identity": "payments"}, "person", None),
        ({"machines": 4, "machine_leaf": 9}, None, State.UNPROVEN),
        ({"machines": 4, "machine_leaf": 9}, "unknown", None),
    ],
)
def test_whose_an_identity_is_is_declared(
    given: dict[str, object], population: str | None, wanted: State | None
) -> None:
    row = acted((person_used_credential.ASKED, "user/ann"), **given)
    verdict = person_used_credential.judge(row, one(population=population))

    assert (None if verdict is None else verdict.state) is wanted


def test_a_short_name_in_the_register_weighs_less_than_a_whole_key() -> None:
    act = (person_used_credential.ASKED, "user/ann")
    rows = (acted(act, identity="payments", whole=whole) for whole in (True, False))
    found = [person_used_credential.judge(row, one()) for row in rows]

    assert [each and each.severity for each in found] == [Severity.MEDIUM, Severity.LOW]


def test_a_role_of_a_database_in_two_environments_may_be_two() -> None:
    contract = one(
        environments=(Environment(name="prod", match=("prod*",)), Environment(name="test", match=("test*",)))
    )
    seen = [pack(1, "resource", "c", "prod-accounts"), pack(2, "resource", "c", "test-accounts")]
    role, made_up = (
        of(two_environments.Row, subject=f"db_role:postgresql:{name}", seen=seen)
        for name in ("report", "v-token-app-0123456789abcdefghij-1772438520")
    )
    asked = msgspec.structs.replace(
        contract, classes=(msgspec.structs.replace(contract.classes[0], environments=("prod",)),)
    )
    found = [two_environments.judge(row, each) for row in (role, made_up) for each in (contract, asked)]

    assert [each and (each.state, each.severity) for each in found] == [
        (State.UNPROVEN, Severity.LOW),
        (State.UNPROVEN, Severity.LOW),
        (State.UNPROVEN, Severity.MEDIUM),
        (State.VIOLATED, None),
    ]


def test_a_console_of_people_in_a_shared_role_is_nothing_to_find() -> None:
    row = acted((person_used_credential.CONSOLE, "app/ann"), machines=4, machine_leaf=9)

    assert person_used_credential.judge(row, one()) is None


@pytest.mark.parametrize(
    ("ways", "severity", "words"),
    [
        ([("1place", 5, 3, "aws_instance:1:i-1"), ("3told", 5, None, "AWS_Lambda")], Severity.MEDIUM, "address of i-1"),
        ([("2beside", 5, 3, "payments")], Severity.LOW, "short-lived credentials"),
        ([("3told", 5, None, "AWS_Lambda")], Severity.LOW, "its client says"),
    ],
)
def test_the_surest_way_to_know_is_told(
    ways: list[tuple[str, int, int | None, str]], severity: Severity, words: str
) -> None:
    row = of(static_secret.Row, subject="aws_akid:aws:AKIA", ways=[pack(*way) for way in ways])
    verdict = static_secret.judge(row, one())

    assert (verdict.state, verdict.severity) == (State.UNPROVEN, severity)
    assert words in verdict.text
    assert 5 in verdict.leaves


def key(**given: object) -> rotation_overdue.Row:
    known = {"how": "issued", "identity_class": "c", "born": 0, "as_of": 100 * DAY, "leaf": 1, "active_leaf": 2}
    return of(rotation_overdue.Row, **{**known, **given})


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"active": 90 * DAY}, State.UNPROVEN),
        ({"active": 90 * DAY + 1}, State.VIOLATED),
        ({"active": 90 * DAY + 1, "active_leaf": None}, State.UNPROVEN),
        ({"active": 91 * DAY, "ended": 99 * DAY}, State.VIOLATED),
        ({"active": DAY, "ended": 2 * DAY}, None),
        ({"active": DAY, "as_of": 90 * DAY}, None),
        ({"how": "listed", "active": 91 * DAY, "identity_class": None, "principal": ROLE}, State.VIOLATED),
        ({"identity_class": "other", "active": 91 * DAY}, None),
    ],
)
def test_a_rotation_is_overdue_when_it_was_seen_in_force(given: dict[str, object], wanted: State | None) -> None:
    verdict = rotation_overdue.judge(key(**given), one(rotation=90 * DAY))

    assert (None if verdict is None else verdict.state) is wanted


def test_no_rotation_asked_none_overdue() -> None:
    assert rotation_overdue.judge(key(active=99 * DAY), one()) is None
    assert rotation_overdue.judge(key(active=99 * DAY), Contract()) is None
    assert rotation_overdue.RULE.excusable
    assert static_secret.RULE.excusable


def test_an_exception_is_left_to_the_judging_of_all() -> None:
    exempt = Exempt(until=200 * DAY, owner="team:a", reason="legacy")

    assert rotation_overdue.judge(key(active=99 * DAY), one(rotation=90 * DAY, exception=exempt)) is not None


@pytest.mark.parametrize(
    ("granularity", "asked", "wanted"),
    [
        ("account", None, State.VIOLATED),
        ("node", None, State.VIOLATED),
        ("pod", None, None),
        ("run", None, None),
        ("", None, State.UNPROVEN),
        ("node", Granularity.POD, None),
        ("node", Granularity.INSTANCE, State.VIOLATED),
    ],
)
def test_a_risk_asks_for_a_binding(granularity: str, asked: Granularity | None, wanted: State | None) -> None:
    contract = one(risk="high", granularity=asked, provenance=(("high", Granularity.POD),))
    row = of(coarse_binding.Row, subject=ROLE, bound=[pack(4, 3, granularity, "c")])
    verdict = coarse_binding.judge(row, contract)

    assert (None if verdict is None else verdict.state) is wanted
    assert verdict is None or verdict.count == 3


def test_a_risk_of_which_nothing_is_said_asks_nothing() -> None:
    row = of(coarse_binding.Row, subject=ROLE, bound=[pack(4, 3, "account", "c")])

    assert coarse_binding.judge(row, one(risk="low", provenance=(("high", Granularity.POD),))) is None
    assert coarse_binding.judge(row, one(provenance=(("high", Granularity.POD),))) is None
