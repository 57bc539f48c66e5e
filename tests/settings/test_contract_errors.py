import textwrap
from typing import NamedTuple

import pytest

from custody.errors import ContractError, UsageError
from custody.settings.contract import parse_contract
from custody.settings.problems import MAX_SHOWN


class Case(NamedTuple):
    text: str
    where: str
    message: str
    found: str = ""
    advice: str = ""


def error_of(text: str | bytes) -> ContractError:
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(ContractError) as caught:
        parse_contract(data, "c.yaml")
    return caught.value


def a_class(fields: str, match: str = "{workload: w}") -> str:
    return f"classes:\n  one:\n    match: {match}\n    {fields}\n"


CASES = {
    "empty file": Case("", "1:1", "empty"),
    "comment only": Case("# nothing\n", "1:1", "empty"),
    "nothing in it": Case("{}", "1:1", "bad value for the contract", "a mapping"),
    "a list": Case("- a\n", "1:1", "bad value for the contract", "a list"),
    "a text": Case("hello", "1:1", "bad value for the contract", "'hello'"),
    "newer version": Case("version: 2\norigins: {}\n", "1:10", "version", "the number 2"),
    "unknown field": Case("orgins: {}\n", "1:1", "unknown field", "'orgins'", "did you mean origins?"),
    "unknown class field": Case(a_class("ttk: 15m"), "4:5", "unknown field", "'ttk'", "did you mean ttl?"),
    "unknown match field": Case(
        a_class("owner: o", "{workload: w, zone: z}"), "3:26", "unknown field", "'zone'", "known here: workload"
    ),
    "class without match": Case("classes:\n  one: {owner: o}\n", "2:3", "classes.one has no 'match'"),
    "match empty": Case(a_class("owner: o", "{}"), "3:12", "bad value for classes.one.match", "a mapping"),
    "match not a mapping": Case(a_class("owner: o", "w"), "3:12", "bad value for classes.one.match", "'w'"),
    "pattern empty": Case(a_class("owner: o", "{workload: ''}"), "3:23", "classes.one.match.workload", "''"),
    "class not a mapping": Case("classes:\n  one: w\n", "2:8", "bad value for classes.one", "'w'"),
    "class name": Case("classes:\n  a b: {match: {workload: w}}\n", "2:3", "bad name in classes", "'a b'"),
    "duration with words": Case(a_class("ttl: 36 hours"), "4:10", "classes.one.ttl", "'36 hours'"),
    "duration without unit": Case(a_class("ttl: 15"), "4:10", "classes.one.ttl", "the number 15"),
    "duration of nothing": Case(a_class("ttl: 0m"), "4:10", "classes.one.ttl", "'0m'"),
    "duration too long": Case(a_class("ttl: 99999999d"), "4:10", "duration too long", "'99999999d'"),
    "ttl over max_life": Case(a_class("ttl: 2h\n    max_life: 1h"), "4:10", "ttl is longer", "2h"),
    "owner is a number": Case(a_class("owner: 7"), "4:12", "classes.one.owner", "the number 7", "in quotes"),
    "owner is a boolean": Case(a_class("owner: true"), "4:12", "classes.one.owner", "the boolean true", "in quotes"),
    "owner is nothing": Case(a_class("owner:"), "4:11", "classes.one.owner", "nothing"),
    "owner is blank": Case(a_class("owner: '  '"), "4:12", "classes.one.owner", "'  '"),
    "approval without by": Case(a_class("approval: {count: 1}"), "4:5", "classes.one.approval has no 'by'"),
    "approval by nobody": Case(a_class("approval: {by: g, count: 0}"), "4:30", "approval.count", "the number 0"),
    "approval count in quotes": Case(a_class("approval: {by: g, count: '1'}"), "4:30", "approval.count", "'1'"),
    "approval not a list": Case(a_class("approval: {by: g, not: requester}"), "4:28", "approval.not", "'requester'"),
    "granularity": Case(a_class("granularity: pods"), "4:18", "granularity", "'pods'"),
    "population": Case(a_class("population: people"), "4:17", "population", "'people'"),
    "class origins empty": Case(a_class("origins: []"), "4:14", "classes.one.origins", "an empty list"),
    "class origin": Case(a_class("origins: [1.2.3.4, 1.2.3.400]"), "4:24", "not an origin", "'1.2.3.400'"),
    "origin not a list": Case("origins:\n  i-1: 1.2.3.4\n", "2:8", "origins.i-1", "'1.2.3.4'"),
    "origin with host bits": Case(
        "origins:\n  i-1:\n  - 10.1.2.3/8\n", "3:5", "not an origin", "'10.1.2.3/8'", "that address is 10.0.0.0/8"
    ),
    "origin of everything": Case("origins: {i-1: [0.0.0.0/0]}", "1:17", "every address", "'0.0.0.0/0'"),
    "origin of nothing named": Case("origins: {'': [1.2.3.4]}", "1:11", "bad name in origins", "''"),
    "expect": Case("sources:\n  a.b: {expect: often}\n", "2:17", "sources.a.b.expect", "'often'"),
    "account too short": Case(
        "sources: {aws.x: {accounts: [12345678901]}}", "1:30", "not an AWS account", "'12345678901'", "leading zeros"
    ),
    "account with dashes": Case("sources: {aws.x: {accounts: [1234-5678-9012]}}", "1:30", "not an AWS account"),
    "hours without a zone": Case(a_class('hours: "Mon-Fri 07:00-19:00"'), "4:12", "classes.one.hours", "'Mon-Fri 07"),
    "hours in a zone of nowhere": Case(
        a_class('hours: "Mon-Fri 07:00-19:00 Europe/Zuerich"'), "4:12", "not a time zone", "'Europe/Zuerich'"
    ),
    "hours where this machine is": Case(
        a_class('hours: "Mon-Fri 07:00-19:00 localtime"'), "4:12", "not a time zone", "'localtime'"
    ),
    "hours of a day in words": Case(a_class('hours: "Monday 07:00-19:00 UTC"'), "4:12", "not a day", "'Monday'"),
    "hours of no length": Case(
        a_class('hours: "Mon 07:00-07:00 UTC"'), "4:12", "hours of no length", "", "a whole day is 00:00-24:00"
    ),
    "hours past the day": Case(a_class('hours: "Mon 07:00-24:01 UTC"'), "4:12", "no time of day", "'24:01'"),
    "depends_on is a text": Case(a_class("depends_on: aws"), "4:17", "classes.one.depends_on", "'aws'"),
    "environment that is not there": Case(a_class("environments: [prod]"), "4:20", "no such environment", "'prod'"),
    "environment misspelt": Case(
        "environments: {production: {match: [a]}}\n" + a_class("environments: [prodution]"),
        "5:20",
        "no such environment",
        "'prodution'",
        "did you mean production?",
    ),
    "environment of nothing": Case("environments:\n  prod: {}\n", "2:9", "environments.prod", "a mapping"),
    "environment name": Case("environments: {a b: {match: [a]}}\n", "1:16", "bad name in environments", "'a b'"),
    "risk": Case(a_class("risk: huge"), "4:11", "classes.one.risk", "'huge'"),
    "provenance of a risk": Case("provenance: {hihg: run}\n", "1:14", "unknown field", "'hihg'", "mean high?"),
    "provenance of a class": Case(a_class("provenance: run"), "4:5", "unknown field", "'provenance'"),
    "workloads": Case(a_class("workloads: 0"), "4:16", "classes.one.workloads", "the number 0"),
    "rotation": Case(a_class("rotation: yearly"), "4:15", "classes.one.rotation", "'yearly'"),
    "approval without a role": Case(a_class("approval: {by: g, not: [boss]}"), "4:29", "approval.not", "'boss'"),
    "approval within": Case(a_class("approval: {by: g, within: 8}"), "4:31", "approval.within", "the number 8"),
    "exception without an end": Case(
        a_class("exception: {owner: o, reason: r, compensating: [c]}"), "4:5", "exception has no 'until'"
    ),
    "exception until someday": Case(
        a_class("exception: {until: someday, owner: o, reason: r, compensating: [c]}"), "4:24", "until", "'someday'"
    ),
    "exception until a day that is none": Case(
        a_class("exception: {until: 2027-02-29, owner: o, reason: r, compensating: [c]}"), "4:24", "no real time"
    ),
    "exception that nothing compensates": Case(
        a_class("exception: {until: 2027-01-01, owner: o, reason: r, compensating: []}"),
        "4:71",
        "exception.compensating",
        "an empty list",
    ),
    "since without a zone": Case("since: 2026-01-01T00:00:00\n", "1:8", "bad value for since", "'2026-01-01T00"),
    "since long ago": Case("since: 1848-09-12\n", "1:8", "bad value for since", "'1848-09-12'"),
    "suppressions of nothing": Case(
        "suppressions:\n  - {owner: o, reason: r, until: 2027-01-01}\n", "2:5", "nothing in particular", "neither"
    ),
    "suppression of two kinds": Case(
        "suppressions: [{finding: f-01234567, rule: a, owner: o, reason: r, until: 2027-01-01}]\n",
        "1:16",
        "nothing in particular",
        "finding and rule",
    ),
    "suppression of a whole rule": Case(
        "suppressions: [{rule: a, owner: o, reason: r, until: 2027-01-01}]\n", "1:16", "nothing in particular", "rule"
    ),
    "suppression without a reason": Case(
        "suppressions: [{finding: f-01234567, owner: o, until: 2027-01-01}]\n", "1:16", "has no 'reason'"
    ),
    "suppression of no finding": Case(
        "suppressions: [{finding: c-01234567, owner: o, reason: r, until: 2027-01-01}]\n", "1:26", "finding", "'c-012"
    ),
    "suppressed twice": Case(
        "suppressions:\n" + 2 * "  - {rule: a, subject: s, owner: o, reason: r, until: 2027-01-01}\n",
        "3:5",
        "the same is suppressed in line 2",
    ),
    "source name": Case("sources: {AWS: {}}", "1:11", "bad name in sources", "'AWS'"),
    "two classes alike": Case(
        "classes:\n  a: {match: {workload: w*}}\n  b: {match: {workload: w**}}",
        "3:14",
        "class b matches what class a in line 2",
    ),
    "duplicate key": Case("origins: {}\nsources: {}\norigins: {}\n", "3:1", "duplicate key", "'origins'", "line 1"),
    "duplicate key, quoted": Case("origins: {}\n'origins': {}\n", "2:1", "duplicate key", "'origins'"),
    "number as key": Case("classes:\n  7: {match: {workload: w}}\n", "2:3", "not a key", "the number 7", "in quotes"),
    "list as key": Case("? [a]\n: b\n", "1:3", "not a key", "a list"),
    "anchor": Case("origins: &a {}\n", "1:10", "an anchor", "", "remove &a"),
    "merge key": Case("<<: {}\norigins: {}\n", "1:1", "a merge key"),
    "tag": Case("origins: !!map {}\n", "1:10", "a tag", "", "remove"),
    "python tag": Case("origins: !!python/object/apply:os.system [x]\n", "1:10", "a tag"),
    "two documents": Case("origins: {}\n---\nsources: {}\n", "2:1", "a second document"),
    "too deep": Case("[" * 40, "1:33", "nested too deeply"),
    "not closed": Case("origins: {a: [1.2.3.4]\n", "2:1", "not YAML"),
    "tab as indent": Case("classes:\n\tone: {}\n", "2:1", "not YAML"),
    "colon in a plain text": Case("version: 1\nclasses: a: b\n", "2:11", "not YAML", "mapping values are not allowed"),
    "escape out of range": Case('version: "\\UFFFFFFFF"', "1:8", "not YAML after here"),
    "half a surrogate pair": Case('version: "\\ud800"', "1:10", "cannot be seen", "U+D800"),
    "terminal escape": Case(a_class('owner: "\\e[31m"'), "4:12", "cannot be seen", "U+001B"),
    "control character": Case("origins: {}\n# \x07\n", "2:3", "cannot be seen", "U+0007"),
    "text turned around": Case("# \u202e\norigins: {}\n", "1:3", "turns the text around", "U+202E"),
    "line break of yaml 1.1": Case("# a\u2028origins: {}\n", "1:4", "cannot be seen", "U+2028"),
    "lone carriage return": Case("# a\rorigins: {}\n", "1:4", "cannot be seen", "U+000D"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_an_error_says_where_what_and_why(case: Case) -> None:
    error = error_of(case.text)
    assert error.where == f"c.yaml:{case.where}", str(error)
    assert case.message in error.message
    assert case.found in error.found
    assert case.advice in error.advice


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_one_mistake_is_one_problem(case: Case) -> None:
    assert "problems" not in str(error_of(case.text))


def test_bytes_that_are_not_utf_8_are_found_at_their_place() -> None:
    error = error_of("origins: {}\n# é ".encode() + b"\xff\n")
    assert (error.where, error.found) == ("c.yaml:2:5", "byte 0xff")


def test_columns_count_characters() -> None:
    text = "classes: {one: {match: {workload: 'é😀'}, ttl: x}}"
    assert error_of(text).where == f"c.yaml:1:{text.index('x}') + 1}"


def test_all_problems_of_a_file_come_in_one_error_in_their_order() -> None:
    error = error_of(
        textwrap.dedent("""\
        version: 3
        classes:
          deploy:
            mach: {workload: x}
            ttl: 15 minutes
            origins: [10.0.0.1/8]
          other: {match: {workload: w}, ttl: 2h, max_life: 1h}
          other: {match: {workload: w}}
          third: {match: {workload: w}, approval: {by: g, count: 0}}
        sources:
          aws.cloudtrail: {expect: sometimes, accounts: [1]}
        """)
    )
    head, *lines = error.message.splitlines()
    assert head == "11 problems in the contract"
    assert [line.split(": ")[0].removeprefix("c.yaml:") for line in lines] == [
        "1:10", "3:3", "4:5", "5:10", "6:15", "7:38", "8:3", "9:18", "9:58", "11:28", "11:50",
    ]  # fmt: skip
    assert all(line.startswith("c.yaml:") for line in lines)
    assert error.where == "c.yaml:1:10"


def test_advice_stands_apart_and_names_its_line() -> None:
    error = error_of("orgins: {}\nsorces: {}\n")
    assert error.advice.splitlines() == ["c.yaml:1:1: did you mean origins?", "c.yaml:2:1: did you mean sources?"]
    assert "did you mean" not in str(error)


def test_anchor_alias_and_tag_are_told_together() -> None:
    error = error_of("origins: &a {}\nsources: *a\nversion: !!int 1\n")
    assert [line.split(": ", 1)[1] for line in error.message.splitlines()[1:]] == [
        "an anchor (expected a value without a name)",
        "an alias (expected the value itself)",
        "a tag (expected a value without a tag)",
    ]


def test_a_very_wrong_file_is_told_in_part_and_counted() -> None:
    error = error_of("classes:\n" + "".join(f"  c{number}: x\n" for number in range(250)))
    lines = error.message.splitlines()
    assert lines[0] == "250 problems in the contract"
    assert lines[-1] == f"and {250 - MAX_SHOWN} more"
    assert len(lines) == MAX_SHOWN + 2


def test_hostile_values_are_shown_escaped_and_cut() -> None:
    error = error_of(f"classes: {{one: {{match: {{workload: w}}, ttl: 'é{'x' * 5_000}'}}}}")
    assert error.found.startswith(r"'\xe9xxx")
    assert len(str(error)) < 300
    assert str(error).isascii()


def test_a_contract_error_is_a_usage_error_and_sets_the_exit_code() -> None:
    error = error_of("")
    assert isinstance(error, UsageError)
    assert error.exit_code == 2
