import hashlib
import textwrap
from pathlib import Path

import pytest

from custody.errors import ContractError
from custody.model.contracts import (
    Approval,
    Contract,
    Environment,
    Exempt,
    ExpectedSource,
    Hours,
    IdentityClass,
    Suppression,
)
from custody.model.events import Granularity
from custody.model.times import text
from custody.settings.contract import parse_contract, read_contract

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "contract.yaml"
MINUTE = 60_000_000
DAY = 86_400_000_000


def read(text: str) -> Contract:
    return parse_contract(textwrap.dedent(text).encode(), "contract.yaml")


def only_class(fields: str) -> IdentityClass:
    (single,) = read("classes: {one: {match: {workload: w}, " + fields + "}}").classes
    return single


def test_the_example_of_the_docs_is_read() -> None:
    contract = read_contract(EXAMPLE)
    assert [each.name for each in contract.classes] == ["build-instance", "production-deploy", "legacy-batch"]
    build, deploy, legacy = contract.classes
    assert build.origins == ("3.225.16.109", "10.20.0.0/16", "ec2.amazonaws.com")
    assert build.granularity is Granularity.INSTANCE
    assert (deploy.ttl, deploy.max_life) == (15 * MINUTE, 90 * MINUTE)
    assert deploy.approval == Approval(
        by="group:release-managers", count=1, not_=("requester",), within=8 * 60 * MINUTE
    )
    assert (deploy.risk, deploy.environments, deploy.workloads) == ("high", ("production",), 1)
    assert (legacy.population, legacy.max_life, legacy.rotation) == ("machine", 90 * DAY, 90 * DAY)
    assert legacy.exception is not None
    assert text(legacy.exception.until) == "2027-04-01T00:00:00Z"
    assert (deploy.retention, legacy.retention) == (400 * DAY, 400 * DAY)
    assert dict(contract.provenance) == {"high": Granularity.RUN, "medium": Granularity.INSTANCE}
    assert contract.origins[0] == ("i-0dbc91f429e48eeed", ("3.225.16.109",))


def test_the_example_of_the_docs_matches_what_it_says() -> None:
    contract = read_contract(EXAMPLE)
    subject = "aws_arn:012345678901:arn:aws:iam::012345678901:user/batch-nightly"
    found = contract.class_of({"subject": (subject,), "account": ("012345678901",)})
    assert found is not None
    assert found.owner == "team:finance-it"
    assert contract.class_of({"subject": (subject,), "account": ("123456789012",)}) is None


def test_the_sketch_of_the_design_is_read() -> None:
    sketch = ROOT.parent / "shared" / "ux.md"
    if not sketch.exists():
        pytest.skip("../shared/ux.md is not beside this checkout")
    contract = read(sketch.read_text("utf-8").partition("## A contract\n")[2])
    deploy, legacy = contract.classes
    assert deploy.hours == Hours(days=(0, 1, 2, 3, 4), start=7 * 60, end=19 * 60, zone="Europe/Zurich")
    assert deploy.depends_on == ("aws:123456789012:role/deploy", "vault:database/creds/app")
    assert legacy.exception is not None
    assert legacy.exception.compensating == ("origins",)
    assert contract.not_judged == ()
    assert contract.sources[0].accounts == ("123456789012",)


def test_the_digest_is_of_the_bytes_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(b"\xef\xbb\xbforigins: {}\r\n")
    contract = read_contract(path)
    assert contract.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert contract.path == str(path)


def test_what_is_left_out_is_not_asked() -> None:
    assert only_class("owner: o") == IdentityClass(name="one", match=(("workload", "w"),), owner="o")


@pytest.mark.parametrize("account", ["123456789012", "012345678901", "'012345678901'", "000000000000", "001234567012"])
def test_an_account_is_its_digits_as_written(account: str) -> None:
    contract = read(f"""
        classes: {{one: {{match: {{account: {account}}}}}}}
        sources: {{aws.cloudtrail: {{accounts: [{account}]}}}}
    """)
    digits = account.strip("'")
    assert contract.sources[0].accounts == (digits,)
    assert contract.classes[0].match == (("account", digits),)


@pytest.mark.parametrize(
    "word", ["on", "off", "yes", "no", "Y", "12:30:00", "1_000", "0o17", "0x1F", "1.50", "2027-03-31", "1e3"]
)
def test_words_that_yaml_1_1_would_guess_at_stay_texts(word: str) -> None:
    assert only_class(f"owner: {word}").owner == word


def test_a_class_may_be_named_like_a_boolean() -> None:
    contract = read("classes: {on: {match: {workload: no}}}")
    assert (contract.classes[0].name, contract.classes[0].match) == ("on", (("workload", "no"),))


def test_texts_over_several_lines_lose_the_last_line_break() -> None:
    contract = read("""
        classes:
          one:
            match: {workload: w}
            purpose: >
              builds
              things
    """)
    assert contract.classes[0].purpose == "builds things"


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("hourly", 60 * MINUTE),
        ("daily", DAY),
        ("continuous", 15 * MINUTE),
        ("36h", 36 * 60 * MINUTE),
        ("1d12h", DAY * 3 // 2),
    ],
)
def test_what_is_expected_of_a_source_is_its_longest_gap(text: str, microseconds: int) -> None:
    contract = read(f"sources: {{vault.audit: {{expect: {text}}}}}")
    assert contract.sources == (ExpectedSource(source="vault.audit", expect=microseconds),)


def test_accounts_of_sources_outside_of_aws_have_their_own_form() -> None:
    contract = read("sources: {gcp.audit: {accounts: [project-a, 7]}}")
    assert contract.sources[0].accounts == ("project-a", "7")


def test_origins_are_canonical_and_each_once() -> None:
    contract = read("origins: {i-1: ['::ffff:1.2.3.4', 1.2.3.4/32, 1.2.3.0/24, EC2.amazonaws.com]}")
    assert contract.origins == (("i-1", ("1.2.3.4", "1.2.3.0/24", "ec2.amazonaws.com")),)


@pytest.mark.parametrize("granularity", list(Granularity))
def test_every_granularity_of_the_model_is_accepted(granularity: Granularity) -> None:
    assert only_class(f"granularity: {granularity.value}").granularity is granularity


@pytest.mark.parametrize(("text", "days"), [("365d", 365), ("52w", 364), ("36525d", 36525)])
def test_a_class_and_a_source_may_say_how_long_records_are_kept(text: str, days: int) -> None:
    contract = read(f"""
        classes: {{one: {{match: {{workload: w}}, retention: {text}}}}}
        sources: {{aws.cloudtrail: {{retention: {text}}}}}
    """)
    assert contract.classes[0].retention == days * DAY
    assert contract.sources == (ExpectedSource(source="aws.cloudtrail", retention=days * DAY),)
    assert contract.not_judged == ()


@pytest.mark.parametrize("value", ["1y", "90", "7", "[30d]", "null"])
@pytest.mark.parametrize(
    "place", ["classes: {one: {match: {workload: w}, retention: %s}}", "sources: {a: {retention: %s}}"]
)
def test_how_long_records_are_kept_is_a_duration(place: str, value: str) -> None:
    with pytest.raises(ContractError, match=r"retention.*expected a duration"):
        read(place % value)


def test_every_field_of_a_class() -> None:
    contract = read("""
        environments: {prod: {accounts: [012345678901], match: ["k8s_*:prod/*"]}, test: {match: ["*test*"]}}
        classes:
          one:
            match: {workload: w}
            hours: "Sat-Mon,Wed 22:00-06:00 America/New_York"
            depends_on: ["aws:role/*", 7]
            environments: [prod, test, prod]
            risk: medium
            rotation: 90d
            workloads: 3
            approval: {by: ann, count: 2, not: [requester, executor], within: 8h}
            exception: {until: 2027-03-31, owner: team:a, reason: "not yet", compensating: [alerts, origins]}
    """)
    (one,) = contract.classes
    assert one.hours == Hours(days=(0, 2, 5, 6), start=22 * 60, end=6 * 60, zone="America/New_York")
    assert (one.depends_on, one.environments) == (("aws:role/*", "7"), ("prod", "test"))
    assert (one.risk, one.rotation, one.workloads) == ("medium", 90 * DAY, 3)
    assert one.approval == Approval(by="ann", count=2, not_=("requester", "executor"), within=8 * 60 * MINUTE)
    assert one.exception == Exempt(
        until=1_806_537_600_000_000, owner="team:a", reason="not yet", compensating=("alerts", "origins")
    )
    assert contract.environments == (
        Environment(name="prod", accounts=("012345678901",), match=("k8s_*:prod/*",)),
        Environment(name="test", match=("*test*",)),
    )


def test_every_field_of_the_top_level() -> None:
    contract = read("""
        since: 2026-01-01T00:00:00+01:00
        retention: 400d
        provenance: {low: account, high: run}
        suppressions:
          - {finding: f-0123456789abcdef, owner: team:a, reason: known, until: 2026-12-31}
          - {rule: damaged-source, subject: "aws.*", owner: team:b, reason: known, until: 2026-06-30T12:00:00Z}
        classes:
          one: {match: {workload: w}}
          two: {match: {workload: v}, retention: 30d}
    """)
    assert text(contract.since) == "2025-12-31T23:00:00Z"
    assert [each.retention for each in contract.classes] == [400 * DAY, 30 * DAY]
    assert contract.provenance == (("low", Granularity.ACCOUNT), ("high", Granularity.RUN))
    first, second = contract.suppressions
    assert (first.finding, text(first.until)) == ("f-0123456789abcdef", "2027-01-01T00:00:00Z")
    assert second == Suppression(
        rule="damaged-source", subject="aws.*", owner="team:b", reason="known", until=1_782_820_800_000_000
    )


def test_patterns_that_overlap_are_no_error() -> None:
    contract = read("classes: {a: {match: {workload: 'x*'}}, b: {match: {workload: '*'}}, c: {match: {subject: '*'}}}")
    assert len(contract.classes) == 3


@pytest.mark.parametrize("name", ["missing.yaml", "", "nul\0.yaml"])
def test_a_file_that_cannot_be_read_is_a_contract_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(ContractError, match="cannot read the contract") as caught:
        read_contract(tmp_path / name)
    assert str(tmp_path) in caught.value.where
