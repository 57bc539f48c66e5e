"""Route with a broker: a pod's token → a request, decided → a role in the database → a session → an end that was seen.

``ledger`` borrows a role for its work, has it renewed with a reason and gives it back; now and then it asks for more
than policies allow. ``migrate`` asks for what somebody has to approve first, and lets it run out.
"""

from functools import partial

import msgspec

from custody.model.broker_terms import ApprovalRef, Verdict
from custody.model.brokered import Approved, Effect, EndAsked, Ended, Refused, Service
from custody.model.events import Stage
from custody.model.verdicts import Question, State
from custody.simulation.chance import Chance
from custody.simulation.estate import Estate
from custody.simulation.lives import cluster
from custody.simulation.systems import broker, broker_roles, kubernetes, postgresql
from custody.simulation.systems.broker import Client, Lease, Wish
from custody.simulation.systems.postgresql import Connection
from custody.simulation.times import HOUR, MINUTE, SECOND, microseconds
from custody.simulation.truth import Approval, Credential, Session
from custody.simulation.world import MANAGERS

NAMESPACE = "ledger"
LIFE = 3600
MADE, OUTCOME = 13_000, 40_000
"""When the role is there and when the outcome is sealed, in microseconds after the request."""
LOCKED, CUT, DROPPED, LOOKED = 9_000, 20_000, 29_000, 45_000
"""The same of an end: no login, sessions ended, role gone, looked at, in microseconds after it was asked for."""
QUERIES = (
    "SELECT sum(amount) FROM entries",
    "SELECT id FROM entries WHERE open LIMIT 20",
    "SELECT max(day) FROM closed",
)
KIND = "role of a broker"
MIGRATION = Wish(scope="write", purpose="moves the books to a new form", ttl=600, ticket="LEDGER-12")


def begin(estate: Estate) -> None:
    """The broker starts; its clients follow one another."""
    own = postgresql.role_key(broker_roles.OWN)
    estate.book.credential(Credential(key=own, kind="database role", population="unknown", issued_at=None))
    started = Service(what="started", version=broker.VERSION)
    estate.at(estate.since + 20 * SECOND, lambda time: void(broker.say(estate, time, started)))
    chance = estate.chance.fork("brokered")
    estate.at(estate.since + chance.seconds(180, 600), partial(_keep_books, estate, chance.fork("ledger"), 0))
    estate.at(estate.since + chance.seconds(600, 1800), partial(_migrate, estate, chance.fork("migrate"), 0))


def void(number: int) -> None:
    """Nobody asks for the number of the line."""


def pod_of(estate: Estate, chance: Chance, account: str, time: int, end: int) -> tuple[Client, int]:
    """A pod from ``time`` to ``end`` with a token for the broker; gives when it was gone too."""
    pod = cluster.new_pod(estate, chance, NAMESPACE, account)
    cluster.start_pod(estate, chance, time, pod)
    gone = kubernetes.pod_deleted(estate, chance, end, pod, 3 * SECOND)
    estate.book.runs[pod.key] = msgspec.structs.replace(estate.book.runs[pod.key], ended=gone)
    token, given = f"JTI={chance.uuid()}", time + 2 * SECOND
    cluster.give_token(estate, chance, given, pod, token, broker.AUDIENCE, LIFE, gone)
    return broker.of_pod(pod, token, (given // SECOND + LIFE) * SECOND), gone


def ask(estate: Estate, lease: Lease, time: int, verdict: Verdict, *, asked: bool = False) -> Lease:
    """Write the request and its decision down; gives the lease with the number of that line."""
    lease = msgspec.structs.replace(lease, asked=time, not_after=time + lease.wish.ttl * SECOND)
    body = broker.request(lease, verdict, asked=asked)
    return msgspec.structs.replace(lease, decided=broker.say(estate, time, body, lease.chain))


def lend(estate: Estate, chance: Chance, lease: Lease, *, until: int | None = None) -> None:
    """Make the role of what was decided, hand it over, and enter it. ``until`` where it is not as it was planned."""
    time = lease.asked
    broker_roles.make(estate, chance, time + 5_000, lease, until=until)
    estate.at(time + OUTCOME, partial(_issued, estate, lease, until))
    proof = lease.client.proof
    estate.book.credential(
        Credential(
            key=lease.key,
            kind=KIND,
            population="machine",
            issued_at=time + MADE,
            not_after=until or lease.not_after,
            parent=proof.credential,
            parent_visible="exact" if proof.credential else "none",
            parent_join="brokered_parent",
            run=proof.run,
            run_visible="issuer" if proof.run else "none",
            origins=(lease.client.address,),
            subject=proof.workload,
        )
    )
    if proof.credential is not None:
        estate.book.link(time + OUTCOME, "brokered_parent", lease.key, proof.credential)
    if proof.run is not None:
        estate.book.link(time + OUTCOME, "brokered_run", lease.key, proof.run)
        estate.book.expect(lease.key, Question.BOUND, State.PROVED)
    for question in (Question.REQUESTER, Question.DECIDED):
        estate.book.expect(lease.key, question, State.PROVED)


def _issued(estate: Estate, lease: Lease, until: int | None, time: int) -> None:
    broker.say(estate, time, broker.issued(lease, until=until), lease.chain, (Stage.ISSUE, lease.key))


def session(estate: Estate, chance: Chance, lease: Lease, start: int, end: int) -> Connection:
    """A session with some statements, entered as closed at ``end``; whoever calls closes it."""
    client = lease.client
    made = Connection(estate, chance, start, lease.role, broker_roles.DATABASE, client.address, client.identity)
    for turn, time in enumerate(chance.spread(start + SECOND, end - SECOND, max(1, (end - start) // (2 * MINUTE)))):
        made.statement(time, QUERIES[turn % len(QUERIES)])
    opened = Session(key=made.key, credential=lease.key, opened=start + 3_000, closed=end)
    estate.book.sessions.append(opened)
    return made


def give_back(estate: Estate, lease: Lease, cause: str, time: int) -> None:
    """The client shows its token once more, and ends what it holds or takes another for it."""
    proof = lease.client.proof
    shown = proof if cause == "complete" else None
    broker.say(estate, time, EndAsked(cause=cause, by=proof.workload, proof=shown), lease.chain)


def over(estate: Estate, chance: Chance, lease: Lease, cause: str, time: int) -> None:
    """End the role in the database and seal what is found: nothing is left."""
    broker_roles.lock(estate, chance, time + 5_000, lease)
    broker_roles.drop(estate, chance, time + 25_000, lease)
    estate.at(time + LOOKED, partial(gone, estate, lease, cause))
    estate.book.change(lease.key, ended_at=time + LOCKED, ended_by="credential.revoke")


def gone(estate: Estate, lease: Lease, cause: str, time: int) -> None:
    """The database shows neither the role nor a session of it."""
    seen = {"role": "absent", "sessions": "0"}
    body = Ended(effect=Effect.GONE, basis="state", keys=(lease.key,), sessions=0, cause=cause, seen=seen)
    broker.say(estate, time, body, lease.chain, (Stage.REVOKE, lease.key))


def _keep_books(estate: Estate, chance: Chance, number: int, time: int) -> None:
    """One pod of ``ledger`` after the other."""
    own = chance.fork(number)
    end = time + own.seconds(30 * 60, 40 * 60)
    client, ended = pod_of(estate, own, "ledger", time, end)
    estate.at(time + 4 * SECOND, partial(_borrow, estate, own, client, end))
    if number % 2:
        estate.at(time + 5 * MINUTE, partial(denied, estate, own.fork("denied"), client))
        estate.at(time + 6 * MINUTE, partial(_refused, estate, own.fork("refused"), client))
    estate.at(ended + chance.seconds(20, 90), partial(_keep_books, estate, chance, number + 1))


def _borrow(estate: Estate, chance: Chance, client: Client, end: int, time: int) -> None:
    """The first role; twelve minutes later another takes over from it."""
    lease = ask(estate, broker.new(chance, client, Wish(ttl=1200), time), time, Verdict.ALLOW)
    lend(estate, chance, lease)
    turn = time + 12 * MINUTE
    closed = turn - 2 * SECOND
    session(estate, chance, lease, time + SECOND, closed).close(closed)
    estate.at(turn, partial(_renew, estate, chance.fork("renewed"), lease, end))


def _renew(estate: Estate, chance: Chance, old: Lease, end: int, time: int) -> None:
    """A new role by a new decision, for a reason; then the old one is ended. The new one is given back, in use."""
    wish = Wish(ttl=1800, renews=old.chain, reason="the day has more entries than others")
    lease = ask(estate, broker.new(chance, old.client, wish, time), time, Verdict.ALLOW)
    lend(estate, chance, lease)
    estate.book.expect(lease.key, Question.RENEWED, State.PROVED)
    estate.at(time + 100_000, partial(_end, estate, chance.fork("old"), old, "renewed", None))
    done = end - 15 * SECOND
    held = session(estate, chance, lease, time + SECOND, done + CUT)
    estate.at(done, partial(_end, estate, chance.fork("new"), lease, "complete", held))


def _end(estate: Estate, chance: Chance, lease: Lease, cause: str, held: Connection | None, time: int) -> None:
    give_back(estate, lease, cause, time)
    if held is not None:
        held.cut(time + CUT)
    over(estate, chance, lease, cause, time)


def denied(estate: Estate, chance: Chance, client: Client, time: int) -> None:
    """A request for more than policies allow."""
    ask(estate, broker.new(chance, client, Wish(scope="write"), time), time, Verdict.DENY)


def _refused(estate: Estate, chance: Chance, client: Client, time: int) -> None:
    """A token that is not for the broker."""
    detail = "the token is for another audience, or for several"
    body = Refused(reason="wrong-audience", detail=detail, digest=chance.hex(64), origin=client.address)
    broker.say(estate, time, body)


def _migrate(estate: Estate, chance: Chance, number: int, time: int) -> None:
    """One pod of ``migrate`` an hour or so."""
    own = chance.fork(number)
    client, _ = pod_of(estate, own, "migrate", time, time + 14 * MINUTE)
    estate.at(time + 4 * SECOND, partial(_wanted, estate, own, client))
    estate.at(time + chance.seconds(3000, 4200), partial(_migrate, estate, chance, number + 1))


def _wanted(estate: Estate, chance: Chance, client: Client, time: int) -> None:
    want(estate, chance, client, chance.pick(MANAGERS), None, time)


def want(estate: Estate, chance: Chance, client: Client, approver: str, requester: str | None, time: int) -> Lease:
    """Ask for what needs approval; the approver grants it in three minutes, and a minute later it is asked again."""
    lease = msgspec.structs.replace(broker.new(chance, client, MIGRATION, time), digest=chance.hex(64))
    lease = ask(estate, lease, time, Verdict.APPROVAL, asked=True)
    ref = ApprovalRef(approver=person(approver), leaf=chance.below(900), at=microseconds(time + 3 * MINUTE))
    lease = msgspec.structs.replace(lease, approval=ref)
    estate.at(time + 3 * MINUTE + 2 * SECOND, partial(_approve, estate, lease, ref, requester))
    estate.at(time + 4 * MINUTE, partial(_allowed, estate, chance, lease))
    return lease


def person(who: str) -> str:
    """The key of a person as the broker's sign-in names them."""
    return f"person:login.example.org:{who}"


def _approve(estate: Estate, lease: Lease, ref: ApprovalRef, requester: str | None, time: int) -> None:
    body = Approved(
        request=lease.request,
        digest=lease.digest,
        verdict="grant",
        approver=ref.approver,
        leaf=ref.leaf,
        given=ref.at,
        reason="looked at the steps",
        until=microseconds(time + HOUR),
        requester=None if requester is None else person(requester),
    )
    target = f"approval:{broker.NAME}:{lease.request}"
    broker.say(estate, time, body, lease.chain, (Stage.APPROVE, target))
    estate.book.approvals.append(Approval(target=target, approver=ref.approver, requester=body.requester, time=time))


def _allowed(estate: Estate, chance: Chance, lease: Lease, time: int) -> None:
    """The role is made, used for a while, and runs out; the broker ends it when its time is over."""
    lease = ask(estate, lease, time, Verdict.ALLOW, asked=True)
    lend(estate, chance, lease)
    estate.book.expect(lease.key, Question.APPROVED, State.PROVED, State.UNPROVEN)
    closed = time + 3 * MINUTE
    session(estate, chance, lease, time + SECOND, closed).close(closed)
    estate.at(lease.not_after + chance.between(100_000, 900_000), partial(_expired, estate, chance, lease))


def _expired(estate: Estate, chance: Chance, lease: Lease, time: int) -> None:
    broker.say(estate, time, EndAsked(cause="expired", by=broker.NAME), lease.chain)
    over(estate, chance.fork("end"), lease, "expired", time)
