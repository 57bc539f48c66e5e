"""What counts as asking less: pairs of contracts, and the sentences that tell what the second asks less."""

from collections.abc import Sequence
from typing import NamedTuple

import pytest

from custody.model.contracts import Contract
from custody.settings.contract import parse_contract
from custody.settings.contract_weakening import weakenings

UNTIL = "owner: o, reason: r, compensating: [c]"


class Pair(NamedTuple):
    """Two versions, and what the second asks less; the other way round gives ``back``."""

    old: str
    new: str
    less: Sequence[str]
    back: Sequence[str] = ()


TOP = "environments: {p: {accounts: [a]}, q: {accounts: [b]}}\n"


def of_class(fields: str) -> str:
    return TOP + f"classes: {{one: {{match: {{workload: w*}}, {fields}}}}}"


def a_pair(old: str, new: str, less: str, back: str = "") -> Pair:
    less_, back_ = ([f"class one: {each}"] if each else [] for each in (less, back))
    return Pair(of_class(old), of_class(new), less_, back_)


def read(text: str) -> Contract:
    return parse_contract(text.encode(), "c.yaml")


PAIRS = {
    "other words": a_pair("owner: a, purpose: x", "owner: b, purpose: y", ""),
    "ttl longer": a_pair("ttl: 15m", "ttl: 1h", "ttl 15 m became 1 h"),
    "ttl gone": a_pair("ttl: 15m", "owner: a", "ttl 15 m is gone"),
    "max_life longer": a_pair("max_life: 1d", "max_life: 2d", "max_life 1 d became 2 d"),
    "rotation gone": a_pair("rotation: 90d", "owner: a", "rotation 90 d is gone"),
    "retention shorter": a_pair("retention: 400d", "retention: 30d", "retention 400 d became 30 d"),
    "granularity coarser": a_pair("granularity: run", "granularity: pod", "granularity run became pod"),
    "workloads more": a_pair("workloads: 1", "workloads: 2", "workloads 1 became 2"),
    "workloads any": a_pair("workloads: 1", "owner: a", "workloads 1 became any number"),
    "risk lower": a_pair("risk: high", "risk: low", "risk high became low"),
    "risk not said": a_pair("risk: low", "owner: a", "risk low became not said"),
    "approval gone": a_pair("approval: {by: ann}", "owner: a", "approval is gone"),
    "approval by fewer": a_pair("approval: {by: a, count: 2}", "approval: {by: a}", "2 approvals became 1"),
    "approval by wider": a_pair("approval: {by: ann}", "approval: {by: '*'}", "approval by ann became by *"),
    "approval by others": a_pair(
        "approval: {by: ann}", "approval: {by: bob}", "approval by ann became by bob", "approval by bob became by ann"
    ),
    "separation dropped": a_pair(
        "approval: {by: a, not: [requester]}", "approval: {by: a}", "approval by the requester counts"
    ),
    "within longer": a_pair(
        "approval: {by: a, within: 8h}", "approval: {by: a, within: 1d}", "approval within 8 h became 1 d"
    ),
    "origins wider": a_pair(
        "origins: [10.0.0.0/16]", "origins: [10.0.0.0/8, 10.0.1.2]", "origins became wider by 10.0.0.0/8"
    ),
    "origins gone": a_pair("origins: [10.0.0.0/16]", "owner: a", "origins are gone"),
    "origins elsewhere": a_pair(
        "origins: ['2001:db8::/48']",
        "origins: [10.0.0.1]",
        "origins became wider by 10.0.0.1",
        "origins became wider by 2001:db8::/48",
    ),
    "depends_on wider": a_pair("depends_on: ['r/a*']", "depends_on: ['r/*']", "depends_on became wider by r/*"),
    "depends_on gone": a_pair("depends_on: [a]", "owner: a", "depends_on is gone"),
    "environments more": a_pair("environments: [p]", "environments: [p, q]", "environments became wider by q"),
    "hours wider": a_pair('hours: "Mon-Fri 07:00-19:00 UTC"', 'hours: "Mon-Sat 07:00-19:00 UTC"', "hours became wider"),
    "hours past midnight": a_pair(
        'hours: "Mon 22:00-02:00 UTC"', 'hours: "Mon-Tue 00:00-24:00 UTC"', "hours became wider"
    ),
    "hours gone": a_pair('hours: "Mon 07:00-19:00 UTC"', "owner: a", "hours are gone"),
    "hours elsewhere": a_pair(
        'hours: "Mon 07:00-19:00 UTC"', 'hours: "Mon 07:00-19:00 Asia/Tokyo"',
        "hours are those of Asia/Tokyo, not of UTC", "hours are those of UTC, not of Asia/Tokyo",
    ),
    "population overruled": a_pair("owner: a", "population: person", "population as found became person"),
    "population no longer machine": a_pair("population: machine", "owner: a", "population machine became as found"),
    "an exception": a_pair("owner: a", f"exception: {{until: 2027-03-31, {UNTIL}}}", "an exception until 2027-03-31"),
    "a longer exception": a_pair(
        f"exception: {{until: 2027-03-31, {UNTIL}}}",
        f"exception: {{until: 2028-03-31, {UNTIL}}}",
        "an exception until 2028-03-31",
    ),
    "match narrower": Pair(
        "classes: {one: {match: {workload: w*}, ttl: 1h}}", "classes: {one: {match: {workload: wa*}, ttl: 1h}}",
        ["class one: matches no longer all that it matched"],
    ),
    "a pattern more": Pair(
        "classes: {one: {match: {workload: w*}, ttl: 1h}}",
        "classes: {one: {match: {workload: w*, account: a}, ttl: 1h}}",
        ["class one: matches no longer all that it matched"],
    ),
    "a letter is no star": Pair(
        "classes: {one: {match: {workload: 'w*'}, ttl: 1h}}", "classes: {one: {match: {workload: 'w?'}, ttl: 1h}}",
        ["class one: matches no longer all that it matched"],
    ),
    "a class that asked nothing": Pair(
        "classes: {one: {match: {workload: w}, owner: a}}", "classes: {two: {match: {workload: v}, owner: a}}", []
    ),
    "a class gone": Pair("classes: {one: {match: {workload: w}, ttl: 1h}}", "classes: {}", ["class one is gone"]),
    "a class renamed": Pair(
        "classes: {one: {match: {workload: w}, ttl: 1h}}", "classes: {two: {match: {workload: w}, ttl: 1h}}", []
    ),
    "overtaken": Pair(
        "classes: {one: {match: {workload: 'aws:*'}, ttl: 1h}}",
        "classes: {two: {match: {workload: 'aws:role/?*'}, ttl: 2h}, one: {match: {workload: 'aws:*'}, ttl: 1h}}",
        ["class two comes before class one and asks less"],
    ),
    "overtaken by one that asks as much": Pair(
        "classes: {one: {match: {workload: 'aws:*'}, ttl: 1h}}",
        "classes: {two: {match: {workload: 'aws:role/a'}, ttl: 5m}, one: {match: {workload: 'aws:*'}, ttl: 1h}}",
        [],
        ["class two: ttl 5 m became 1 h"],
    ),
    "overtaken by a stranger": Pair(
        "classes: {one: {match: {workload: 'aws:*'}, ttl: 1h}}",
        "classes: {two: {match: {workload: 'k8s:*'}, owner: a}, one: {match: {workload: 'aws:*'}, ttl: 1h}}",
        [],
    ),
    "an order turned round": Pair(
        "classes: {one: {match: {workload: a*}, ttl: 1h}, two: {match: {workload: '*b'}, ttl: 2h}}",
        "classes: {two: {match: {workload: '*b'}, ttl: 2h}, one: {match: {workload: a*}, ttl: 1h}}",
        ["class two comes before class one and asks less"],
    ),
    "risk asks less": Pair(
        "provenance: {high: run}\nclasses: {one: {match: {workload: w}, risk: high}}",
        "provenance: {high: pod}\nclasses: {one: {match: {workload: w}, risk: high}}",
        ["class one: granularity run became pod"],
    ),
    "risk asks less than the class": Pair(
        "provenance: {high: pod}\nclasses: {one: {match: {workload: w}, risk: high, granularity: run}}",
        "provenance: {high: account}\nclasses: {one: {match: {workload: w}, risk: high, granularity: run}}",
        [],
    ),
    "a default shorter": Pair(
        "retention: 1d\nclasses: {one: {match: {workload: w}}}", "classes: {one: {match: {workload: w}}}",
        ["class one: retention 1 d is gone"],
    ),
    "origins of a workload": Pair(
        "origins: {i-1: [10.0.0.0/24]}", "origins: {i-1: [10.0.0.0/23]}", ["i-1: origins became wider by 10.0.0.0/23"]
    ),
    "a source gone": Pair("sources: {a.b: {expect: 1h}}", "classes: {}", ["source a.b is expected no more"]),
    "a source seldom": Pair(
        "sources: {a.b: {expect: hourly}}", "sources: {a.b: {expect: daily}}", ["source a.b: expect 1 h became 1 d"]
    ),
    "an account less": Pair(
        "sources: {a.b: {accounts: [x, y]}}", "sources: {a.b: {accounts: [y]}}", ["source a.b: expected no more of x"]
    ),
    "an environment less": Pair(
        "environments: {p: {accounts: [x, y]}}", "environments: {p: {accounts: [y]}}", ["environment p holds less"]
    ),
    "a suppression": Pair(
        "classes: {}",
        "suppressions: [{finding: f-01234567, owner: o, reason: r, until: 2027-03-31}]",
        ["suppresses f-01234567 until 2027-03-31"],
    ),
    "a suppression of a rule, for longer": Pair(
        "suppressions: [{rule: a, subject: b*, owner: o, reason: r, until: 2027-03-31}]",
        "suppressions: [{rule: a, subject: b*, owner: o, reason: r, until: 2027-04-30}]",
        ["suppresses findings of a on b* until 2027-04-30"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS.keys())
def test_what_asks_less_is_told_and_what_asks_more_is_not(pair: Pair) -> None:
    old, new = read(pair.old), read(pair.new)
    assert weakenings(old, new) == list(pair.less)
    assert weakenings(new, old) == list(pair.back)
    assert weakenings(new, new) == weakenings(old, old) == []


def test_nothing_is_weaker_than_no_contract() -> None:
    assert weakenings(Contract(), read(PAIRS["overtaken"].new)) == []


def test_hostile_patterns_are_compared_in_time() -> None:
    one, other = "*a" * 200 + "b", "*a" * 200 + "c"
    old_text = f"classes: {{one: {{match: {{workload: '{one}'}}, ttl: 1h}}}}"
    old = read(old_text)
    new = read(old_text.replace("{one:", f"{{two: {{match: {{workload: '{other}'}}, owner: a}}, one:"))
    assert weakenings(old, new) == []
