"""What every backend keeps to, the fake among them."""

import copy
import itertools
import pickle

import msgspec
import pytest

from custody.broker.backends.backend import Secret
from custody.errors import BackendFailed, IntentRefused
from custody.model import keys, times
from custody.model.broker_terms import Ending
from custody.model.brokered import Effect
from tests.broker.backends.rigs import SECRETS, Rig, held, new_chain

HOSTILE = (
    'read"; DROP ROLE postgres; --',
    "read' OR '1'='1",
    "pg_read_all_data",
    "read\x00",
    "read\nlog line",
    "ｒｅａｄ",
    "rea\u202ed",
    "READ",
    " read",
    "",
    "../../read",
    "*",
    "a" * 10_000,
    "\ud800",
)
BAD_DETAILS = (
    ("unknown-detail-type", '{"type":"never-heard-of"}'),
    ("malformed-detail", "not json"),
    ("malformed-detail", '{"type":"query","type":"other"}'),
    ("malformed-detail", '{"type":"query","n":NaN}'),
    ("malformed-detail", '{"type":"query","n":1e999}'),
    ("malformed-detail", '{"type":"query","s":"\\ud800"}'),
    ("malformed-detail", '["query"]'),
    ("malformed-detail", '{"no":"type"}'),
    ("malformed-detail", '{"type":7}'),
    ("malformed-detail", "[" * 100_000),
)


def test_a_plan_is_pure_and_the_same_for_the_same_order(rig: Rig) -> None:
    order = rig.order()
    before = copy.deepcopy(order)

    plans = {msgspec.json.encode(rig.backend.plan(order)) for _ in range(3)}

    assert len(plans) == 1
    assert order == before


def test_a_plan_says_what_will_be_made(rig: Rig) -> None:
    order = rig.order()

    plan = rig.backend.plan(order)

    assert (plan.backend, plan.kind, plan.ends, plan.ttl) == (
        rig.table.name,
        rig.kind,
        rig.backend.ends,
        order.ttl,
    )
    assert order.chain.partition("-")[2] in plan.name
    ends = times.microseconds(plan.not_after) or 0
    assert order.now < ends <= order.now + order.ttl * 1_000_000
    assert plan.key is None or str(keys.parse(plan.key)) == plan.key


def test_what_is_made_is_what_was_planned_and_carries_the_receipt(rig: Rig) -> None:
    order, plan, made = rig.issued()

    assert made.keys
    assert [str(keys.parse(key)) for key in made.keys] == list(made.keys)
    assert plan.key is None or made.keys[0] == plan.key
    assert made.secrets
    assert made.scope == plan.scope
    assert made.subject == plan.subject
    late = made.not_after - (times.microseconds(plan.not_after) or 0)
    assert late == 0 if rig.kind != "aws_sts" else -1_000_000 <= late <= 120_000_000, "AWS counts from when it answers"
    carried = rig.carries(made, order)
    assert f'"chain":"{order.chain}"' in carried
    assert '"seq":41' in carried


def test_a_secret_shows_nowhere_but_where_it_is_handed_over(rig: Rig) -> None:
    order, plan, made = rig.issued()

    public = [repr(made), str(made), repr(plan), repr(held(order, plan, made)), rig.shows(), repr(rig.backend)]
    public += [msgspec.json.encode(plan).decode(), repr(vars(rig.backend))]
    public += [repr(made.facts), repr(made.server), repr(made.keys)]
    hidden = {key: each.reveal() for key, each in made.secrets.items() if key not in ("username", "access_key_id")}
    assert hidden
    assert all(len(each) >= 16 for each in hidden.values())
    for text in public:
        assert not [key for key, each in hidden.items() if each in text]
        assert not [each for each in SECRETS.values() if each in text]
    with pytest.raises(TypeError):
        msgspec.json.encode(made)
    with pytest.raises(TypeError):
        pickle.dumps(made)


def test_no_two_credentials_share_a_key_or_a_secret(rig: Rig) -> None:
    made = [rig.issued()[2] for _ in range(3)]

    assert len({key for each in made for key in each.keys}) == 3
    assert len({value.reveal() for each in made for value in each.secrets.values()}) == sum(
        len(each.secrets) for each in made
    )


def test_ended_twice_it_is_ended_and_looks_so(rig: Rig) -> None:
    order, plan, made = rig.issued()
    one = held(order, plan, made)

    before = rig.backend.look(one)
    rig.backend.end(one)
    after = rig.backend.look(one)
    rig.backend.end(one)
    again = rig.backend.look(one)

    if rig.backend.ends is Ending.EXPIRY:
        assert {each.effect for each in (before, after, again)} == {Effect.WAITING}
    else:
        assert before.effect is Effect.ALIVE
        assert (after.effect, after.sessions) == (Effect.GONE, 0)
        assert again == after


def test_past_its_expiry_and_ended_it_is_gone(rig: Rig) -> None:
    order, plan, made = rig.issued()
    rig.clock.forward(order.ttl + 120)

    rig.backend.end(held(order, plan, made))

    assert rig.backend.look(held(order, plan, made)).effect is Effect.GONE


def test_a_credential_is_not_gone_before_the_broker_knows_it(rig: Rig) -> None:
    """The broker stopped between issue and outcome: it knows the plan alone."""
    order, plan, _ = rig.issued()
    one = held(order, plan)

    first = rig.backend.look(one).effect
    rig.backend.end(one)

    assert first is (Effect.WAITING if rig.backend.ends is Ending.EXPIRY else Effect.ALIVE)
    assert rig.backend.look(one).effect is (Effect.WAITING if rig.backend.ends is Ending.EXPIRY else Effect.GONE)


def test_ending_what_never_was_is_no_error(rig: Rig) -> None:
    order = rig.order()
    one = held(order, rig.backend.plan(order))

    rig.backend.end(one)

    assert rig.backend.look(one).effect in (Effect.GONE, Effect.WAITING)


def test_one_is_ended_and_the_other_lives(rig: Rig) -> None:
    first, second = rig.issued(), rig.issued()

    rig.backend.end(held(*first))

    assert rig.backend.look(held(*second)).effect in (Effect.ALIVE, Effect.WAITING)
    rig.backend.end(held(*second))


@pytest.mark.parametrize("kind", ["memory", "postgresql"], scope="session")
def test_a_name_that_is_taken_is_an_error_that_leaves_it_open_what_is_there(rig: Rig) -> None:
    order, plan, made = rig.issued()

    with pytest.raises(BackendFailed) as failed:
        rig.backend.issue(order, plan)

    assert (failed.value.reason, failed.value.left_unknown) == ("exists", True)
    assert rig.backend.look(held(order, plan, made)).effect is Effect.ALIVE


@pytest.mark.parametrize("kind", ["postgresql", "aws_sts"], scope="session")
def test_out_of_reach_nothing_was_made_and_the_rest_is_not_known(rig: Rig) -> None:
    backend, order = rig.other(**rig.away), rig.order()
    plan = backend.plan(order)

    with pytest.raises(BackendFailed) as failed:
        backend.issue(order, plan)
    assert (failed.value.reason, failed.value.left_unknown) == ("unreachable", False)
    assert "must-not-stay" not in repr(failed.value) + str(failed.value) + repr(failed.value.__dict__)
    if rig.backend.ends is not Ending.EXPIRY:
        for call in (backend.end, backend.look):
            with pytest.raises(BackendFailed, match=r"look|end"):
                call(held(order, plan))
        assert (seen := backend.probe(held(order, plan), Secret("x" * 20))) is not None
        assert seen.effect is Effect.UNKNOWN


@pytest.mark.parametrize(("kind", "key"), [("postgresql", "password"), ("aws_sts", "secret_key")], scope="session")
def test_its_own_secret_is_missing_nothing_was_made(rig: Rig, key: str) -> None:
    backend, order = rig.other(**{key: "env:NONE"}), rig.order()

    with pytest.raises(BackendFailed) as failed:
        backend.issue(order, backend.plan(order))

    assert (failed.value.reason, failed.value.left_unknown) == ("no-secret", False)


@pytest.mark.parametrize("ttl", [0, -1, 10**9])
def test_a_life_out_of_bounds_is_refused(rig: Rig, ttl: int) -> None:
    with pytest.raises(IntentRefused) as refused:
        rig.backend.plan(rig.order(ttl=ttl))

    assert refused.value.reason == ("ttl-too-short" if ttl < 1 else "ttl-too-long")


def test_the_bound_of_the_broker_file_holds(rig: Rig) -> None:
    table = msgspec.structs.replace(rig.table, max_ttl=rig.ttl)
    from custody.broker.backends.registry import build

    backend = build(table, rig.door)

    assert backend.max_ttl == rig.ttl
    assert backend.plan(rig.order()).ttl == rig.ttl
    with pytest.raises(IntentRefused, match="too long"):
        backend.plan(rig.order(ttl=rig.ttl + 1))


@pytest.mark.parametrize("field", ["scope", "audience", "resource"])
def test_words_that_are_not_listed_are_refused(rig: Rig, field: str) -> None:
    listed = getattr(rig.intent, field)
    expected = "audience" if rig.kind == "jwt" and field == "resource" else field

    for word, before in itertools.product(HOSTILE, ((), listed)):
        with pytest.raises(IntentRefused) as refused:
            rig.backend.plan(rig.order(**{field: (*before, word)}))

        assert refused.value.reason == f"unknown-{expected}", ascii(word[:40])
        assert str(refused.value).isascii()
        assert "\n" not in str(refused.value)
        assert len(str(refused.value)) < 1_000


def test_details_that_are_not_known_are_refused(rig: Rig) -> None:
    for reason, detail in BAD_DETAILS:
        with pytest.raises(IntentRefused) as refused:
            rig.backend.plan(rig.order(details=(detail,)))

        assert refused.value.reason == reason, detail[:40]


@pytest.mark.parametrize("purpose", HOSTILE[:5], ids=range(5))
def test_a_purpose_goes_nowhere_but_into_the_log(rig: Rig, purpose: str) -> None:
    order = rig.order(purpose=f"must-not-go {purpose}", ticket=purpose)

    order, plan, made = rig.issued(order)

    assert "must-not-go" not in repr(plan) + repr(made) + rig.carries(made, order) + rig.shows()
    rig.backend.end(held(order, plan, made))


@pytest.mark.parametrize(
    "chain", ["", "cc-", "postgres", 'cc-"; DROP ROLE x', "cc-" + "0" * 25 + "\n", "cc-" + "u" * 26]
)
def test_only_a_chain_id_becomes_a_name(rig: Rig, chain: str) -> None:
    with pytest.raises(IntentRefused) as refused:
        rig.backend.plan(rig.order(chain=chain))

    assert refused.value.reason == "not-a-chain"


def test_orphans_are_what_is_there_and_not_known(rig: Rig) -> None:
    known, lost = rig.issued(), rig.issued()

    found = rig.backend.orphans(lambda chain: chain != lost[0].chain)

    if rig.kind in ("jwt", "aws_sts"):
        assert found == ()
    else:
        assert found == (lost[0].chain,)
    assert new_chain() not in found
    rig.backend.end(held(*known))
    rig.backend.end(held(*lost))
    assert rig.backend.orphans(lambda chain: chain not in (known[0].chain, lost[0].chain)) == ()
