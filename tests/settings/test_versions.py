import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.model.contracts import EMPTY, Contract, SealedContract, Versions

Since = int | None


def versions(*sinces: Since) -> Versions:
    """One version for each time, in the order of their sealing."""
    sealed = (
        SealedContract(contract=Contract(digest=str(index), since=since), leaf=index, at=1000 + index)
        for index, since in enumerate(sinces)
    )
    return Versions(sealed=tuple(sealed))


@pytest.mark.parametrize(
    ("sinces", "periods"),
    [
        ((), ()),
        ((None,), ((None, 0),)),
        ((5,), ((5, 0),)),
        ((None, 5), ((None, 0), (5, 1))),
        ((None, 5, 9), ((None, 0), (5, 1), (9, 2))),
        ((None, 5, None), ((None, 2),)),
        ((None, 9, 5), ((None, 0), (5, 2))),
        ((None, 5, 5), ((None, 0), (5, 2))),
        ((5, 3), ((3, 1),)),
        ((5, 3, 9, 7), ((3, 1), (7, 3))),
    ],
)
def test_a_later_version_takes_over_from_its_time_on(sinces: tuple[Since, ...], periods: tuple[object, ...]) -> None:
    assert versions(*sinces).periods == periods


@pytest.mark.parametrize(("moment", "index"), [(4, 0), (5, 1), (8, 1), (9, 2), (100, 2), (None, 2)])
def test_the_version_at_a_time(moment: int | None, index: int) -> None:
    assert versions(None, 5, 9).index_at(moment) == index


def test_before_the_first_version_there_is_no_contract() -> None:
    found = versions(5)
    assert (found.index_at(4), found.at(4)) == (-1, EMPTY)
    assert found.at(5).digest == "0"
    assert (Versions().at(None), Versions().index_at(7)) == (EMPTY, -1)


@given(st.lists(st.none() | st.integers(0, 20), max_size=8), st.integers(-1, 21))
def test_it_is_the_last_sealed_of_those_that_hold(sinces: list[Since], moment: int) -> None:
    found = versions(*sinces)
    holding = [index for index, since in enumerate(sinces) if since is None or since <= moment]
    assert found.index_at(moment) == (holding[-1] if holding else -1)
