"""When claims hold, and who stands for an identity at a time: pure functions, case by case."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.model.register import Document, SealedDocument
from custody.register.spelling import canonical, is_key
from custody.register.standing import Claim, Grade, agree, membership, stretches
from custody.register.times import State, state_of, visible
from custody.register.versions import in_force, versions


@pytest.mark.parametrize(
    ("moment", "since", "expires", "known_at", "superseded_at", "known", "state"),
    [
        (5, None, None, 3, None, None, State.HELD),
        (2, None, None, 3, None, None, State.LATER),
        (2, 1, None, 3, None, None, State.HELD),
        (0, 1, None, 3, None, None, State.LATER),
        (5, None, 5, 3, None, None, State.EXPIRED),
        (4, None, 5, 3, None, None, State.HELD),
        (5, None, None, 3, 5, None, State.REPLACED),
        (4, None, None, 3, 5, None, State.HELD),
        (9, None, None, 3, 5, 4, State.HELD),
        (9, None, None, 3, 5, 5, State.REPLACED),
        (None, None, None, 3, 5, None, State.REPLACED),
        (None, None, 4, 3, None, None, State.HELD),
        (7, None, None, None, None, None, State.HELD),
    ],
)
def test_the_state_of_a_claim(
    moment: int | None,
    since: int | None,
    expires: int | None,
    known_at: int | None,
    superseded_at: int | None,
    known: int | None,
    state: State,
) -> None:
    assert state_of(moment, since, expires, known_at, superseded_at, known) is state


def test_a_claim_is_visible_from_its_sealing() -> None:
    assert visible(3, None)
    assert visible(3, 3)
    assert not visible(3, 2)
    assert visible(None, 0)


def sealed(name: str, leaf: int, at: int) -> SealedDocument:
    return SealedDocument(document=Document(name=name, digest=str(leaf)), leaf=leaf, at=at, by="ann")


def test_a_version_holds_until_the_next_of_its_name() -> None:
    all_of = (sealed("a", 1, 10), sealed("b", 2, 20), sealed("a", 3, 30))

    assert [(each.sealed.leaf, each.superseded_at) for each in versions(all_of)] == [(1, 30), (2, None), (3, None)]
    assert [each.leaf for each in in_force(all_of)] == [2, 3]
    assert [each.leaf for each in in_force(all_of, 29)] == [1, 2]
    assert versions(all_of[::-1]) == versions(all_of)


def test_a_clock_that_was_set_back_moves_no_sealing_back() -> None:
    all_of = (sealed("a", 1, 30), sealed("a", 2, 10), sealed("b", 3, 20))

    assert [(each.sealed.at, each.superseded_at) for each in versions(all_of)] == [(30, 30), (30, None), (30, None)]
    assert [each.leaf for each in in_force(all_of, 29)] == []


def claim(
    value: str,
    said_by: str = "register:a",
    *,
    known_at: int | None = 10,
    superseded_at: int | None = None,
    since: int | None = None,
    expires: int | None = None,
    vouched: bool = False,
    signed: bool = False,
) -> Claim:
    asserter = "signed" if signed or vouched else "declared"
    signer = value if asserter == "signed" else None
    return Claim("i", "owner", value, said_by, asserter, signer, vouched, since, expires, known_at, superseded_at, 1)


def told(*claims: Claim, members: dict[str, frozenset[str]] | None = None) -> list[tuple[object, ...]]:
    return [
        (each.starts, each.ends, each.claim.value, each.grade.value, each.against)
        for each in stretches(claims, members or {})
    ]


def test_before_its_sealing_a_claim_is_later() -> None:
    assert told(claim("x", vouched=True)) == [(None, 10, "x", "later", None), (10, None, "x", "vouched", None)]


def test_a_since_before_the_sealing_does_not_make_it_known_before() -> None:
    assert [each[3] for each in told(claim("x", vouched=True, since=5))] == ["later", "vouched"]
    assert [each[:2] for each in told(claim("x", vouched=True, since=5))] == [(5, 10), (10, None)]


def test_a_version_takes_the_place_of_the_last() -> None:
    found = told(claim("x", vouched=True, superseded_at=20), claim("y", signed=True, known_at=20))

    assert found[1:] == [(10, 20, "x", "vouched", None), (20, None, "y", "signed", None)]


def test_a_version_that_says_nothing_more_ends_the_claim() -> None:
    assert told(claim("x", superseded_at=20))[-1] == (10, 20, "x", "declared", None)


def test_what_ran_out_stands_only_where_nobody_else_claims() -> None:
    assert told(claim("x", expires=30))[-1] == (30, None, "x", "expired", None)
    assert told(claim("x", expires=30), claim("y", "contract:c", known_at=None))[-1][2:4] == ("y", "declared")


def test_another_mouth_speaks_against_the_best() -> None:
    found = told(claim("x", vouched=True), claim("y", "register:b"), claim("z", "contract:c", known_at=None))

    assert found[-1] == (10, None, "x", "vouched", "z, says contract class c; y, says register document b")


def test_a_source_of_several_values_contradicts_where_none_agrees() -> None:
    tags = (claim("x", "inventory:s", known_at=None), claim("y", "inventory:s", known_at=None))

    assert told(claim("x", vouched=True), *tags)[-1][4] is None
    assert told(claim("z", vouched=True), *tags)[-1][4] == "x, says inventory s"


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("team:payments", "Payments", True),
        ("Deploys the  service.", "deploys the service", True),
        ("team:payments", "ann@example.com", True),
        ("team:payments", "ben@example.com", False),
        ("team:payments", "payments-two", False),
    ],
)
def test_values_agree_in_plain_form_or_by_membership(one: str, other: str, alike: bool) -> None:
    members = membership([("team:payments", "ann@example.com")])

    assert agree(one, other, members) is alike
    assert agree(other, one, members) is alike


TIMES = st.one_of(st.none(), st.integers(0, 9))


@given(
    st.lists(
        st.builds(
            claim,
            st.sampled_from("xyz"),
            st.sampled_from(["register:a", "register:b", "contract:c"]),
            known_at=st.integers(0, 9),
            superseded_at=TIMES,
            since=TIMES,
            expires=TIMES,
            vouched=st.booleans(),
        ),
        max_size=5,
    )
)
def test_stretches_follow_each_other_and_never_overclaim(claims: list[Claim]) -> None:
    found = list(stretches(claims, {}))

    for one, following in pairwise(found):
        assert one.ends is not None
        assert following.starts is not None
        assert one.ends <= following.starts
    for each in found:
        if each.grade is Grade.VOUCHED:
            assert each.claim.vouched
            assert each.starts is not None
            assert each.claim.known_at is not None
            assert each.claim.known_at <= each.starts
            assert each.claim.expires is None or each.starts < each.claim.expires


@pytest.mark.parametrize(
    ("name", "form", "whole"),
    [
        ("arn:aws:iam::1:role/a/b/c", "aws_arn:1:arn:aws:iam::1:role/c", True),
        ("arn:aws:sts::1:assumed-role/c/session", "aws_arn:1:arn:aws:iam::1:role/c", True),
        ("aws_arn:1:arn:aws:iam::1:user/p/u", "aws_arn:1:arn:aws:iam::1:user/u", True),
        ("arn:aws:s3:::bucket/a/b", "aws_arn:-:arn:aws:s3:::bucket/a/b", True),
        ("aws:role/c", "aws:role/c", False),
        ("payments robot", "payments robot", False),
        ("spiffe:example.org:/ns/a", "spiffe:example.org:/ns/a", True),
    ],
)
def test_declared_names_have_the_form_of_keys(name: str, form: str, whole: bool) -> None:
    assert canonical(name) == form
    assert canonical(form) == form
    assert is_key(form) is whole
