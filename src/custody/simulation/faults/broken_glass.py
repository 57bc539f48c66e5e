"""Break-glass credentials that are used: one by two people, with a signed journal; one by nobody knows whom."""

from functools import partial

from custody.model.broker_terms import Proof, Verdict
from custody.model.brokered import EndAsked, Glass
from custody.model.verdicts import Severity
from custody.simulation.fault import Fault, Planting
from custody.simulation.lives import brokered
from custody.simulation.systems import broker
from custody.simulation.systems.broker import Client, Lease, Wish
from custody.simulation.times import HOUR, MINUTE, SECOND, microseconds
from custody.simulation.world import OFFICE, THIEF

FAULT = "break-glass-used"
RULES = (FAULT,)
HOLDERS = tuple(brokered.person(who) for who in ("ops-ilka", "ops-jorn", "rel-gerda"))
WISH = Wish(scope="repair", purpose="when the broker is down", ttl=8 * 3600, reason="the broker may be down")


def _plant(planting: Planting) -> None:
    planting.estate.at(planting.part(1, 6), partial(_prepare, planting, "opened", OFFICE))
    planting.estate.at(planting.part(1, 5), partial(_prepare, planting, "alone", THIEF))


def _prepare(planting: Planting, how: str, origin: str, time: int) -> None:
    """A role is made, put under seal, and opened half an hour later."""
    estate, chance = planting.estate, planting.chance(FAULT).fork(how)
    client = _account(how, origin, time)
    lease = brokered.ask(estate, broker.new(chance, client, WISH, time), time, Verdict.ALLOW)
    brokered.lend(estate, chance, lease)
    glass = broker.name(chance, "bg", time)
    prepared = Glass(
        step="prepared",
        glass=glass,
        people=HOLDERS,
        reason=WISH.reason or "",
        keys=(lease.key,),
        not_after=microseconds(lease.not_after),
    )
    estate.at(time + SECOND, partial(_say, planting, lease, prepared))
    used = time + 30 * MINUTE
    closed = used + 12 * MINUTE
    brokered.session(estate, chance, lease, used, closed).close(closed)
    subject, other = f"break_glass:custody:{glass}", (lease.key,)
    if how == "opened":
        _journal(planting, lease, glass, (used, closed))
        text = "a break-glass credential that two people opened and used"
        planting.enter(FAULT, subject, text, RULES, Severity.MEDIUM, other)
    else:
        text = "a break-glass credential that was used, and that nobody is on record as opening"
        planting.enter(FAULT, subject, text, RULES, Severity.HIGH, other)


def _account(how: str, origin: str, time: int) -> Client:
    """The account that is under seal: nobody proves to be anybody, the policies are asked about it."""
    digest = broker.sha256(how)
    proof = Proof(
        method="break-glass",
        issuer=broker.AUDIENCE,
        subject=f"items-{how}",
        workload=f"break_glass:{broker.NAME}:items-{how}",
        digest=digest,
        key=digest,
        trust=digest,
        expires=microseconds(time + 8 * HOUR),
        claims={"needed": "2"},
    )
    return Client(proof=proof, identity=f"items-{how}", address=origin)


def _journal(planting: Planting, lease: Lease, glass: str, span: tuple[int, int]) -> None:
    """What was written without the broker, in a log of its own, and what came after: ended, rotated, reviewed."""
    estate, (used, closed), log = planting.estate, span, f"glass-{glass[-12:]}"
    steps = (("opened", used - 20 * SECOND), ("used", used - SECOND), ("ended", closed + SECOND))
    for step, time in steps:
        said = Glass(step=step, glass=glass, people=HOLDERS[:2], reason="INC-9", offline=True, signature="invented")
        estate.at(time, partial(_say, planting, None, said, log=log))
    estate.at(closed + 10 * MINUTE, partial(_end, planting, lease))
    for step, time in (("rotated", closed + 11 * MINUTE), ("reviewed", closed + 40 * MINUTE)):
        said = Glass(step=step, glass=glass, people=HOLDERS[2:], reason="looked at every statement", keys=(lease.key,))
        estate.at(time, partial(_say, planting, lease, said))


def _end(planting: Planting, lease: Lease, time: int) -> None:
    chance = planting.chance(FAULT).fork("end")
    body = EndAsked(cause="break-glass", by=HOLDERS[2], reason="opened for INC-9")
    broker.say(planting.estate, time, body, lease.chain)
    brokered.over(planting.estate, chance, lease, "break-glass", time)


def _say(planting: Planting, lease: Lease | None, body: Glass, time: int, log: str = broker.NAME) -> None:
    broker.say(planting.estate, time, body, None if lease is None else lease.chain, log=log)


FAULTS = (Fault(FAULT, "sealed credentials are opened and used", _plant),)
