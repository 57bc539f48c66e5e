"""What every kind of tables keeps, and how it answers: the fake in memory, SQLite and a real PostgreSQL."""

from itertools import pairwise, product

import pytest

from custody.broker.desk import Page, RequestState, Standing
from custody.broker.state.fold import HELD_ONCE
from custody.broker.state.tables import UNDECIDED, Changes, MemoryTables, Tables, is_open
from tests.broker.state.life import NOON, SECOND
from tests.broker.state.rows import ODD, containment, every_standing, full, kept, lease, once

ALL = Page(limit=1000)


def test_what_is_saved_comes_back_as_it_was(tables: Tables) -> None:
    one, request, key = full(1), kept(1), once(1, NOON)
    tables.save(Changes(through=9, leases=(one,), requests=(request,), containments=(containment(ODD),), once=(key,)))

    assert tables.lease(one.chain) == one
    assert list(tables.leases(ALL, now=NOON)) == [one]
    assert tables.request(request.pending.request) == request
    assert list(tables.requests(ALL)) == [request]
    assert tables.once(key.key) == key
    loaded = tables.load(NOON)
    assert (loaded.through, loaded.approvals) == (9, 0)
    assert (loaded.leases, loaded.requests, loaded.containments) == ((one,), (request,), (containment(ODD),))


def test_what_is_not_there_is_none(tables: Tables) -> None:
    assert [tables.lease("cc-x"), tables.request("rq-x"), tables.once("x")] == [None, None, None]
    assert [*tables.below("cc-x"), *tables.leases(ALL, now=NOON), *tables.requests(ALL)] == []
    assert [tables.lease(ODD), tables.request(ODD), tables.once(ODD), *tables.below(ODD)] == [None] * 3
    assert list(tables.leases(Page(after=ODD), now=NOON, identity=ODD)) == []


def test_a_later_value_takes_the_place_of_an_earlier_one(tables: Tables) -> None:
    tables.save(Changes(through=1, leases=(lease(1), lease(2)), requests=(kept(1),), once=(once(1, NOON),)))
    later = Changes(
        through=2,
        leases=(full(1),),
        requests=(kept(1, RequestState.ISSUED),),
        once=(once(1, NOON + 5),),
    )
    tables.save(later)

    assert tables.leases(ALL, now=NOON) == [full(1), lease(2)]
    assert tables.request(kept(1).pending.request) == kept(1, RequestState.ISSUED)
    assert tables.once(once(1, 0).key) == once(1, NOON + 5)


@pytest.mark.parametrize("through", [4, 5])
def test_what_is_saved_already_changes_nothing(tables: Tables, through: int) -> None:
    tables.save(Changes(through=5, leases=(lease(1),), approvals=7))
    tables.save(Changes(through=through, leases=(full(1), lease(2)), containments=(containment("x"),), approvals=9))

    loaded = tables.load(NOON)
    assert (loaded.through, loaded.approvals, loaded.leases, loaded.containments) == (5, 7, (lease(1),), ())


def test_the_leaf_of_the_log_of_approvals_never_goes_back(tables: Tables) -> None:
    for through, approvals in ((1, 7), (2, 3)):
        tables.save(Changes(through=through, approvals=approvals))

    assert (tables.load(NOON).through, tables.load(NOON).approvals) == (2, 7)


def test_what_is_loaded_is_what_is_not_over(tables: Tables) -> None:
    leases = every_standing()
    requests = [kept(number, state) for number, state in enumerate(RequestState)]
    tables.save(Changes(through=1, leases=tuple(leases), requests=tuple(requests)))

    for now in (NOON - 2 * SECOND, NOON, NOON + 2 * SECOND):
        loaded = tables.load(now)
        assert sorted(each.chain for each in loaded.leases) == [each.chain for each in leases if is_open(each, now)]
        assert {each.pending.state for each in loaded.requests} == UNDECIDED


def test_every_filter_says_what_the_fake_says(tables: Tables) -> None:
    leases = every_standing()
    fake = MemoryTables()
    for each in (fake, tables):
        each.save(Changes(through=1, leases=tuple(leases)))

    found = 0
    for standing, identity, now in product([None, *Standing, "odd"], [None, "orders", "x"], [NOON, NOON + 9 * SECOND]):
        wanted = fake.leases(ALL, now=now, identity=identity, standing=standing)
        assert list(tables.leases(ALL, now=now, identity=identity, standing=standing)) == wanted
        found += len(wanted)
    assert found > 100


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_pages_follow_one_another_without_gap_or_overlap(tables: Tables, limit: int) -> None:
    leases = every_standing()
    tables.save(Changes(through=1, leases=tuple(leases), requests=tuple(map(kept, range(9)))))
    chains: list[str] = []
    after = None
    while page := tables.leases(Page(after=after, limit=limit), now=NOON, standing="ended"):
        assert len(page) <= limit
        chains += [each.chain for each in page]
        after = chains[-1]
    whole = [each.chain for each in tables.leases(ALL, now=NOON, standing="ended")]

    assert chains == whole
    assert all(one < other for one, other in pairwise(chains))
    assert [each.pending.request[-1] for each in tables.requests(Page(after=kept(4).pending.request, limit=2))] == [
        "5",
        "6",
    ]


def test_requests_are_found_by_state(tables: Tables) -> None:
    tables.save(Changes(through=1, requests=(kept(1), kept(2, RequestState.ISSUED), kept(3))))

    assert [each.pending.request[-1] for each in tables.requests(ALL, state="pending")] == ["1", "3"]
    assert [each.pending.request[-1] for each in tables.requests(ALL, state="issued")] == ["2"]
    assert list(tables.requests(ALL, state="odd")) == []


def test_below_a_chain_is_what_descends_from_it_directly_and_is_not_over(tables: Tables) -> None:
    parent = lease(99).chain
    children = [lease(number, parent=parent, standing=standing) for number, standing in enumerate(Standing)]
    tables.save(Changes(through=1, leases=(lease(99), *children, lease(50, parent=lease(0).chain))))

    assert sorted(each.standing for each in tables.below(parent)) == sorted(
        {*Standing} - {Standing.ENDED, Standing.FAILED}
    )
    assert [each.chain for each in tables.below(lease(0).chain)] == [lease(50).chain]


def test_a_containment_ends_and_begins_again(tables: Tables) -> None:
    tables.save(Changes(through=1, containments=(containment("a"), containment("b"), containment(ODD))))
    tables.save(Changes(through=2, enabled=("a", "never", ODD)))
    assert tables.load(NOON).containments == (containment("b"),)

    tables.save(Changes(through=3, enabled=("b",), containments=(containment("b", seq=3),)))
    assert tables.load(NOON).containments == (containment("b", seq=3),)


def test_a_key_holds_until_its_time(tables: Tables) -> None:
    tables.save(Changes(through=1, once=(once(1, NOON), once(2, NOON + 9))))
    tables.save(Changes(through=2, once=(once(3, NOON + 1 + HELD_ONCE),)))

    assert tables.once(once(2, 0).key) == once(2, NOON + 9)
    assert tables.once(once(3, 0).key) is not None


def test_long_names_are_kept_and_told_apart(tables: Tables) -> None:
    long = ["ü" * 5000 + end for end in ("a", "b")]
    tables.save(
        Changes(
            through=1,
            leases=tuple(lease(number, identity=name) for number, name in enumerate(long)),
            containments=tuple(map(containment, long)),
        )
    )
    assert [each.identity for each in tables.leases(ALL, now=NOON, identity=long[1])] == [long[1]]
    tables.save(Changes(through=2, enabled=(long[0],)))
    assert [each.identity for each in tables.load(NOON).containments] == [long[1]]


def test_many_rows_at_once(tables: Tables) -> None:
    leases = tuple(map(lease, range(1200)))
    for through in (1, 2):
        tables.save(Changes(through=through, leases=leases, enabled=tuple(each.chain for each in leases)))

    assert len(tables.load(NOON).leases) == 1200
