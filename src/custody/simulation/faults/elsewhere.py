"""Keys that are used where their holder is not: one that was stolen, one that two workloads share."""

from functools import partial

from custody.model.verdicts import Question, Severity
from custody.simulation.book import WRONG
from custody.simulation.fault import Fault, Planting
from custody.simulation.lives import instances, people
from custody.simulation.systems import aws, aws_issues
from custody.simulation.times import MINUTE, SECOND
from custody.simulation.truth import Credential
from custody.simulation.world import MAIN, MAIN_NAT, SECOND_NAT, THIEF, Instance, access_key

STOLEN, SHARED = "stolen-key", "shared-key"
LOOT = (
    aws.read("sts", "GetCallerIdentity"),
    aws.read("s3", "ListBuckets"),
    aws.read("secretsmanager", "ListSecrets", maxResults=100),
)
EXPORT = (
    aws.read("s3", "ListBuckets"),
    aws.read("athena", "GetQueryExecution", queryExecutionId="0f5cbe0e-1b4c-4a6e-8b9a-5d2a86b3f7a1"),
)


def _steal(planting: Planting) -> None:
    workload = planting.workload(STOLEN, "instance", 2)
    chance = planting.chance(STOLEN)
    made = instances.of_workload(planting.estate, workload, chance)
    begun = planting.estate.since + 130 * SECOND
    planting.estate.at(begun, partial(instances.start, planting.estate, made, chance, instances.CALLS, None))
    planting.estate.at(planting.part(1, 3), partial(_use_elsewhere, planting, made, begun + 30 * SECOND))


def _use_elsewhere(planting: Planting, made: Instance, first: int, time: int) -> None:
    """The thief tries the instance's key where a key of their own works too."""
    estate, chance = planting.estate, planting.chance(STOLEN).fork("thief")
    number = max(0, (time - first) // instances.GENERATION)
    created = first + number * instances.GENERATION
    session = instances.session_of(made, planting.chance(STOLEN), number, created)
    times = chance.spread(time, time + 20 * MINUTE, 9)
    aws.work(estate, chance, aws.by_session(session, THIEF, aws.CLI), LOOT, times)
    own = access_key(chance, "AKIA", MAIN)
    partner = estate.world.users["partner-audit"]
    aws.work(
        estate, chance, aws.by_user(partner, own, THIEF, aws.CLI), LOOT[:2], [each - 40 * SECOND for each in times]
    )
    estate.book.credential(
        Credential(
            key=aws.key_of(own),
            kind="access key",
            population="unknown",
            issued_at=None,
            origins=(THIEF,),
            subject=partner.key,
        )
    )
    key = aws.key_of(session.key)
    estate.book.expect(key, Question.HOLDER, *WRONG)
    text = f"the key of {made.id} is used from {THIEF}, where a key of {partner.name} works"
    planting.enter(STOLEN, key, text, ("used-by-holder",), Severity.HIGH, (aws.key_of(own), made.key))


def _share(planting: Planting) -> None:
    """The second holder is beside an instance of the other account, which has that network's address."""
    neighbour = planting.workload(SHARED, "instance", 12)
    chance = planting.chance(SHARED)
    made = instances.of_workload(planting.estate, neighbour, chance)
    begun = planting.estate.since + 140 * SECOND
    planting.estate.at(begun, partial(instances.start, planting.estate, made, chance, instances.CALLS, None))
    planting.estate.at(planting.part(1, 6), partial(_use_twice, planting))


def _use_twice(planting: Planting, time: int) -> None:
    estate, chance = planting.estate, planting.chance(SHARED).fork("key")
    user, own = estate.world.users["batch-export"], access_key(chance, "AKIA", MAIN)
    entry = aws_issues.access_key(estate, chance, people.operator(estate, time), user, own, time)
    for origin in (MAIN_NAT, SECOND_NAT):
        times = chance.spread(time + MINUTE, time + 60 * MINUTE, 8)
        aws.work(estate, chance, aws.by_user(user, own, origin, aws.BOTO), EXPORT, times)
        estate.book.link(times[0], "access_key", entry.key, entry.key)
    estate.book.change(entry.key, origins=(MAIN_NAT,))
    estate.book.expect(entry.key, Question.HOLDER, *WRONG)
    text = f"one key of {user.name} is used by two workloads, from {MAIN_NAT} and from {SECOND_NAT}"
    planting.enter(SHARED, entry.key, text, ("used-by-holder",), Severity.MEDIUM)


FAULTS = (
    Fault(STOLEN, "an instance's key is used from elsewhere, beside another principal's", _steal),
    Fault(SHARED, "one long-lived key is used by two workloads", _share),
)
