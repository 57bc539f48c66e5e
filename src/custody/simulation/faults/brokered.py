"""What goes wrong around a broker: ends that were none, a renewal after the pod, lines that were lost."""

from collections.abc import Callable, Iterator
from functools import partial

from custody.model.broker_terms import Verdict
from custody.model.brokered import Contained, Effect, EndAsked, Ended
from custody.model.events import Stage
from custody.model.verdicts import Question, Severity
from custody.simulation import entry as sources
from custody.simulation.book import WRONG
from custody.simulation.entry import Entry
from custody.simulation.fault import Fault, Planting
from custody.simulation.lives import brokered
from custody.simulation.piece import Piece
from custody.simulation.systems import broker, broker_roles
from custody.simulation.systems.broker import Client, Lease, Wish
from custody.simulation.times import MINUTE, SECOND
from custody.simulation.truth import Dropped

AFTER, SURVIVOR = "use-after-broker-end", "contained-survivor"
RENEWED, LOST = "renewed-after-run", "dropped-broker-lines"
RULES = ("used-after-end", "end-effective")
Then = Callable[[Planting, Client, int], None]


def _borrowed(planting: Planting, fault: str, client: Client, wish: Wish, time: int) -> Lease:
    chance = planting.chance(fault).fork("lease", time)
    lease = brokered.ask(planting.estate, broker.new(chance, client, wish, time), time, Verdict.ALLOW)
    brokered.lend(planting.estate, chance, lease)
    return lease


def _wrong(planting: Planting, key: str, *questions: Question) -> None:
    for question in questions:
        planting.estate.book.expect(key, question, *WRONG)


def _after(planting: Planting) -> None:
    planting.estate.at(planting.part(1, 4), partial(_start, planting, AFTER, "late", _use_late))


def _survive(planting: Planting) -> None:
    planting.estate.at(planting.part(1, 5), partial(_start, planting, SURVIVOR, "contained", _contain))


def _start(planting: Planting, fault: str, account: str, then: Then, time: int) -> None:
    chance = planting.chance(fault)
    client, _ = brokered.pod_of(planting.estate, chance, account, time, time + 40 * MINUTE)
    planting.estate.at(time + 4 * SECOND, partial(then, planting, client))


def _use_late(planting: Planting, client: Client, time: int) -> None:
    """The broker looks at the wrong server and says that the role is gone; it is used five minutes later."""
    estate, chance = planting.estate, planting.chance(AFTER).fork("use")
    lease = _borrowed(planting, AFTER, client, Wish(ttl=1800), time)
    closed = time + 8 * MINUTE
    brokered.session(estate, chance, lease, time + SECOND, closed).close(closed)
    ended = time + 9 * MINUTE
    estate.at(ended, partial(brokered.give_back, estate, lease, "complete"))
    estate.at(ended + brokered.LOOKED, partial(brokered.gone, estate, lease, "complete"))
    estate.book.change(lease.key, ended_at=ended + brokered.LOOKED, ended_by="credential.gone")
    again = ended + 5 * MINUTE
    brokered.session(estate, chance.fork("again"), lease, again, again + 5 * MINUTE).close(again + 5 * MINUTE)
    _wrong(planting, lease.key, Question.WITHIN, Question.END_EFFECTIVE)
    text = "a role that the broker saw gone opens a session five minutes later"
    planting.enter(AFTER, lease.key, text, RULES, Severity.HIGH)


def _contain(planting: Planting, client: Client, time: int) -> None:
    """An identity is contained. Its role is locked, but not its session, as the broker itself says."""
    estate, chance = planting.estate, planting.chance(SURVIVOR).fork("use")
    lease = _borrowed(planting, SURVIVOR, client, Wish(ttl=1800), time)
    ended = time + 6 * MINUTE
    closed = ended + 15 * MINUTE
    brokered.session(estate, chance, lease, time + SECOND, closed).close(closed)
    estate.at(ended, partial(_end_in_part, planting, lease))
    _wrong(planting, lease.key, Question.WITHIN, Question.END_EFFECTIVE)
    text = "an identity is contained, and a session of its role goes on for a quarter of an hour"
    planting.enter(SURVIVOR, lease.key, text, RULES, Severity.HIGH)


def _end_in_part(planting: Planting, lease: Lease, time: int) -> None:
    estate, by = planting.estate, brokered.person("ops-ilka")
    reason = "its pod calls where it never called"
    contained = Contained(identity=lease.client.identity, by=by, reason=reason, incident="INC-7")
    broker.say(estate, time, contained)
    asked = EndAsked(cause="containment", by=by, reason=reason)
    broker.say(estate, time + 1_000, asked, lease.chain)
    broker_roles.lock(estate, planting.chance(SURVIVOR).fork("lock"), time + 5_000, lease)
    estate.book.change(lease.key, ended_at=time + brokered.LOCKED, ended_by="credential.revoke")
    estate.at(time + brokered.LOOKED, partial(_seen_alive, planting, lease))


def _seen_alive(planting: Planting, lease: Lease, time: int) -> None:
    seen = {"role": "locked", "sessions": "1"}
    body = Ended(effect=Effect.SESSIONS, basis="state", keys=(lease.key,), sessions=1, cause="containment", seen=seen)
    broker.say(planting.estate, time, body, lease.chain, (Stage.REVOKE, lease.key))


def _renew(planting: Planting) -> None:
    planting.estate.at(planting.part(1, 6), partial(_pod_that_ends, planting))


def _pod_that_ends(planting: Planting, time: int) -> None:
    """The pod ends early; whoever has its token asks on, and the broker asks nobody whether the pod lives."""
    chance = planting.chance(RENEWED)
    client, gone = brokered.pod_of(planting.estate, chance, "outlived", time, time + 6 * MINUTE)
    planting.estate.at(time + 4 * SECOND, partial(_first, planting, client, gone))


def _first(planting: Planting, client: Client, gone: int, time: int) -> None:
    estate, chance = planting.estate, planting.chance(RENEWED).fork("first")
    lease = _borrowed(planting, RENEWED, client, Wish(), time)
    closed = time + 5 * MINUTE
    brokered.session(estate, chance, lease, time + SECOND, closed).close(closed)
    estate.at(gone + 7 * MINUTE, partial(_again, planting, client, lease))


def _again(planting: Planting, client: Client, old: Lease, time: int) -> None:
    estate, chance = planting.estate, planting.chance(RENEWED).fork("again")
    wish = Wish(renews=old.chain, reason="the day is long")
    lease = _borrowed(planting, RENEWED, client, wish, time)
    estate.at(time + 100_000, partial(_ended, planting, old, "renewed"))
    closed = time + 10 * MINUTE
    brokered.session(estate, chance, lease, time + SECOND, closed).close(closed)
    estate.at(closed + MINUTE, partial(_ended, planting, lease, "operator"))
    _wrong(planting, lease.key, Question.RENEWED, Question.WITHIN)
    token, pod = client.proof.credential or "", client.proof.run or ""
    _wrong(planting, token, Question.WITHIN, Question.END_EFFECTIVE)
    text = "a role is renewed seven minutes after the pod that it was for had ended"
    planting.enter(RENEWED, lease.key, text, ("renewed",), Severity.HIGH, (token, pod))
    text = "the token of a pod is taken by the broker seven minutes after the pod had ended"
    planting.enter(RENEWED, token, text, RULES, Severity.HIGH, (lease.key,))


def _ended(planting: Planting, lease: Lease, cause: str, time: int) -> None:
    brokered.give_back(planting.estate, lease, cause, time)
    brokered.over(planting.estate, planting.chance(RENEWED).fork(cause), lease, cause, time)


class Lose:
    """Lets no line of the broker through for a while: numbers that are not there, digests that fit nothing."""

    def __init__(self, planting: Planting) -> None:
        self._planting = planting
        self._since, self._until = planting.part(3, 5), planting.part(3, 4)
        self._count = 0
        self._keys: set[str] = set()

    def keeps(self, entry: Entry) -> bool:
        """Whether the line is delivered."""
        if entry.source != sources.BROKER or not self._since <= entry.time < self._until:
            return True
        if any(key in self._planting.spared for _, key in entry.about):
            return True
        self._count += 1
        self._keys.update(key for _, key in entry.about)
        return False

    def saw(self, piece: Piece) -> Piece:
        """Files stay as they are."""
        return piece

    def after(self) -> Iterator[Piece]:
        """Enter what is missing."""
        keys = tuple(sorted(self._keys))
        self._planting.estate.book.dropped.append(
            Dropped(
                source=sources.BROKER,
                stage="all",
                since=self._since,
                until=self._until,
                records=self._count,
                keys=keys,
            )
        )
        text = f"{self._count} lines of the broker were never delivered"
        self._planting.enter(LOST, sources.BROKER, text, ("source-with-holes",), Severity.MEDIUM, keys)
        return iter(())


def _lose(planting: Planting) -> None:
    losing = Lose(planting)
    planting.estate.kept.append(losing.keeps)
    planting.changes.append(losing)


FAULTS = (
    Fault(AFTER, "a role is used after the broker saw it gone", _after),
    Fault(SURVIVOR, "a session goes on after its identity was contained", _survive),
    Fault(RENEWED, "a broker renews a role after the end of the pod that it is for", _renew),
    Fault(LOST, "lines of a broker's log are never delivered for a while", _lose),
)
