import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.model.contracts import EMPTY, Contract, IdentityClass, matches


def contract_of(*patterns: tuple[str, dict[str, str]]) -> Contract:
    return Contract(classes=tuple(IdentityClass(name=name, match=tuple(match.items())) for name, match in patterns))


@pytest.mark.parametrize(
    ("glob", "value"),
    [
        ("role/a", "role/a"),
        ("role/*", "role/"),
        ("role/*", "role/a/b"),
        ("*", ""),
        ("*:role/deploy", "aws_arn:1:arn:aws:iam::1:role/deploy"),
        ("a?c", "abc"),
        ("a*c*e", "abcde"),
        ("a*", "a\nb"),
        ("arr[0]", "arr[0]"),
        ("[!a]", "[!a]"),
        ("a.c", "a.c"),
        ("a\\*", "a\\b"),
        ("(a|b)+", "(a|b)+"),
    ],
)
def test_a_pattern_fits(glob: str, value: str) -> None:
    assert matches(glob, value)


@pytest.mark.parametrize(
    ("glob", "value"),
    [
        ("role/a", "role/ab"),
        ("role/a", "xrole/a"),
        ("role/a", "Role/a"),
        ("role/a", "role/a\n"),
        ("a?c", "ac"),
        ("arr[0]", "arr0"),
        ("[a-z]", "b"),
        ("[!a]", "b"),
        ("a.c", "abc"),
        ("", "a"),
    ],
)
def test_a_pattern_does_not_fit(glob: str, value: str) -> None:
    assert not matches(glob, value)


@given(st.text(max_size=30))
def test_a_text_without_wildcards_fits_itself_alone(text: str) -> None:
    literal = text.replace("*", "").replace("?", "")
    assert matches(literal, literal)
    assert not matches(literal, literal + "x")


@given(st.lists(st.text(alphabet="ab[]!-.", max_size=4), min_size=1, max_size=4), st.text(alphabet="ab[", max_size=4))
def test_a_star_fits_whatever_stands_in_its_place(literals: list[str], between: str) -> None:
    assert matches("*".join(literals), between.join(literals))


def test_a_pattern_of_many_stars_is_not_slow() -> None:
    start = time.perf_counter()
    assert not matches("*a" * 100 + "b", "a" * 400)
    assert time.perf_counter() - start < 1


def test_the_first_class_in_the_file_wins() -> None:
    contract = contract_of(("one", {"workload": "x*"}), ("two", {"workload": "*"}))
    assert [each.name for each in (contract.class_of({"workload": (v,)}) for v in ("xa", "ya")) if each] == [
        "one",
        "two",
    ]


def test_every_pattern_of_a_class_must_fit() -> None:
    contract = contract_of(("both", {"workload": "w*", "account": "1*"}))
    assert contract.class_of({"workload": ("w",), "account": ("1",)})
    assert contract.class_of({"workload": ("w",), "account": ("2",)}) is None


def test_a_pattern_on_an_absent_field_never_fits() -> None:
    contract = contract_of(("any", {"workload": "*"}))
    assert contract.class_of({"subject": ("s",)}) is None
    assert contract.class_of({}) is None


def test_the_empty_contract_has_no_class_for_anything() -> None:
    assert EMPTY.class_of({"workload": ("w",), "subject": ("s",), "account": ("1",)}) is None
    assert EMPTY.not_judged == ()


def test_what_is_declared_and_not_judged_is_listed_with_its_class() -> None:
    declaring = IdentityClass(name="one", match=(("workload", "*"),), declared=("hours", "depends_on"))
    contract = Contract(classes=(declaring,), declared=("retention",))
    assert contract.not_judged == ((None, "retention"), ("one", "hours"), ("one", "depends_on"))
