"""What every kind of tables keeps, and how it answers: the fake in memory, SQLite and a real PostgreSQL."""

from itertools import pairwise, product

import msgspec
import pytest

from custody.broker.desk import Page, RequestState, Standing
from custody.broker.state.fold import HELD_ONCE
from custody.broker.state.tables import UNDECIDED, Changes, Kept, MemoryTables, Tables, is_open
from custody.model.broker_terms import Asked
from tests.broker.state.life import NOON, SECOND
from tests.broker.state.rows import ODD, containment, every_standing, full, kept, lease, once

ALL = Page(limit=1000)


def test_what_is_saved_comes_back_as_it_was(tables: Tables) -> None:
    one, request, key = full(1), kept(1), once(1, NOON)
    tables.save(Changes(through=9, leases=(one,), requests=(request,), containments=(containment(ODD),), once=(key,)))

    assert tables.lease(one.chain) == one
    assert list(tables.leases(ALL, now=NOON)) == [one]
    assert tables.request(request.pending.request) == request
    assert list(tables.requests(ALL, now=NOON)) == [request]
    assert tables.once(key.key) == key
    loaded = tables.load(NOON)
    assert (loaded.through, loaded.approvals) == (9, 0)
    assert (loaded.leases, loaded.requests, loaded.containments) == ((one,), (request,), (containment(ODD),))


def test_what_is_not_there_is_none(tables: Tables) -> None:
    assert [tables.lease("cc-x"), tables.request("rq-x"), tables.once("x")] == [None, None, None]
    assert [*tables.below("cc-x", now=NOON), *tables.leases(ALL, now=NOON), *tables.requests(ALL, now=NOON)] == []
    assert [tables.lease(ODD), tables.request(ODD), tables.once(ODD), *tables.below(ODD, now=NOON)] == [None] * 3
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
    assert [
        each.pending.request[-1] for each in tables.requests(Page(after=kept(4).pending.request, limit=2), now=NOON)
    ] == [
        "5",
        "6",
    ]


def test_requests_are_found_by_state(tables: Tables) -> None:
    tables.save(Changes(through=1, requests=(kept(1), kept(2, RequestState.ISSUED), kept(3))))

    assert [each.pending.request[-1] for each in tables.requests(ALL, now=NOON, state="pending")] == ["1", "3"]
    assert [each.pending.request[-1] for each in tables.requests(ALL, now=NOON, state="issued")] == ["2"]
    assert list(tables.requests(ALL, now=NOON, state="odd")) == []


@pytest.mark.parametrize("parents", [(), (lease(60).chain,), (lease(60).chain, lease(61).chain)])
def test_below_a_chain_is_what_descends_from_it_directly_and_is_not_over(
    tables: Tables, parents: tuple[str, ...]
) -> None:
    parent = lease(99).chain
    children = [
        msgspec.structs.replace(each, identity="orders", parent=parent, parents=parents) for each in every_standing()
    ]
    tables.save(Changes(through=1, leases=(lease(99), *children, lease(500, parent=lease(0).chain))))

    for now in (NOON - 2 * SECOND, NOON, NOON + 2 * SECOND):
        wanted = [each.chain for each in children if is_open(each, now)]
        for name in (parent, *parents):
            assert [each.chain for each in tables.below(name, now=now)] == wanted
    assert [each.chain for each in tables.below(lease(0).chain, now=NOON)] == [lease(500).chain]
    assert list(tables.below(lease(62).chain, now=NOON)) == []


def test_what_an_identity_holds_or_takes_part_in_is_found_while_it_is_open(tables: Tables) -> None:
    mine = every_standing()
    others = [
        msgspec.structs.replace(each, chain=lease(200 + number).chain, identity="x", identities=("x", "orders", ODD))
        for number, each in enumerate(mine)
    ]
    tables.save(Changes(through=1, leases=(*mine, *others)))

    for identity, now in product(("orders", "x", ODD, "nobody"), (NOON - 2 * SECOND, NOON, NOON + 2 * SECOND)):
        wanted = [each for each in (*mine, *others) if identity in (each.identity, *each.identities)]
        found = tables.held_by(identity, now=now)
        assert [each.chain for each in found] == [each.chain for each in wanted if is_open(each, now)]
    assert len(tables.held_by("orders", now=NOON)) > len(tables.held_by("x", now=NOON)) > 0


def test_what_is_over_is_found_by_none_of_its_names(tables: Tables) -> None:
    one = lease(1, identities=("payments", "orders"), parent=lease(8).chain, parents=(lease(9).chain,))
    for through in (1, 2):
        tables.save(Changes(through=through, leases=(one,)))
    found = [*tables.held_by("orders", now=NOON), *tables.below(lease(9).chain, now=NOON)]
    assert found == [one, one]

    tables.save(Changes(through=3, leases=(msgspec.structs.replace(one, standing=Standing.ENDED),)))
    assert [*tables.held_by("orders", now=NOON), *tables.below(lease(9).chain, now=NOON)] == []
    tables.save(Changes(through=4, leases=(one,)))
    assert list(tables.held_by("orders", now=NOON)) == [one]


def test_requests_stand_as_they_do_at_the_time_of_asking(tables: Tables) -> None:
    asked = [_needing(number, until=NOON + number * SECOND) for number in range(6)]
    asked[4] = _granted(asked[4], until="2026-11-22T12:00:03Z")
    tables.save(Changes(through=1, requests=(*asked, kept(9, RequestState.LAPSED))))

    def named(state: str | None, now: int, limit: int = 1000) -> list[str]:
        page, found = Page(limit=limit), []
        while rows := tables.requests(page, now=now, state=state):
            assert {each.pending.state for each in rows} == {state} or state is None
            found += [each.pending.request[-1] for each in rows]
            page = Page(after=rows[-1].pending.request, limit=limit)
        return found

    for limit in (1, 2, 1000):
        assert named("pending", NOON, limit) == ["0", "1", "2", "3", "5"]
        assert named("approved", NOON, limit) == ["4"]
        assert named("lapsed", NOON, limit) == ["9"]
        later = NOON + 3 * SECOND
        assert named("pending", later, limit) == ["3", "4", "5"], "the grant has ended"
        assert named("approved", later, limit) == []
        assert named("lapsed", later, limit) == ["0", "1", "2", "9"]
        assert named(None, later, limit) == ["0", "1", "2", "3", "4", "5", "9"]


def _needing(number: int, until: int) -> Kept:
    """A request that one person has to approve in time."""
    one = kept(number)
    decision = msgspec.structs.replace(one.body.decision, asked=Asked(count=1, group="leads", within=600))
    pending = msgspec.structs.replace(one.pending, until=until, granted=())
    body = msgspec.structs.replace(one.body, decision=decision)
    return msgspec.structs.replace(one, pending=pending, body=body, given=())


def _granted(one: Kept, until: str) -> Kept:
    given = msgspec.structs.replace(kept(0).given[0], request=one.pending.request, until=until)
    pending = msgspec.structs.replace(one.pending, state=RequestState.APPROVED)
    return msgspec.structs.replace(one, given=(given,), pending=pending)


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
