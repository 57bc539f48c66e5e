"""People in the console: a login gives several keys, services call on for them, and what they build is in the log."""

from functools import partial

from custody.model.events import Stage
from custody.simulation.chance import Chance
from custody.simulation.estate import Estate
from custody.simulation.systems import aws
from custody.simulation.times import HOUR, MINUTE, SECOND, whole
from custody.simulation.truth import Credential
from custody.simulation.world import HOME, MAIN, OFFICE, User, access_key

LOOKS = (
    aws.read("ec2", "DescribeInstances", instancesSet={}, filterSet={}, maxResults=50),
    aws.read("cloudwatch", "DescribeAlarms", maxRecords=100),
    aws.read("rds", "DescribeDBInstances", maxRecords=100),
    aws.read("logs", "DescribeLogGroups", limit=50),
)
SHIFT = 8 * HOUR
HEALTH = aws.read("health", "DescribeEventAggregates", aggregateField="eventTypeCategory")


def begin(estate: Estate) -> None:
    """One person logs in, in the morning and after that every two hours."""
    chance = estate.chance.fork("people")
    estate.at(estate.since + 5 * SECOND, partial(_shift, estate))
    estate.at(estate.since + chance.seconds(300, 900), partial(_morning, estate, chance))


def _morning(estate: Estate, chance: Chance, time: int) -> None:
    login(estate, chance, estate.world.users["ops-jorn"], time)
    estate.at(time + chance.seconds(6000, 7800), partial(_morning, estate, chance))


def login(estate: Estate, chance: Chance, user: User, time: int) -> None:
    """A login, and what the person looks at in the hour after it."""
    enter(estate, chance, user, time)
    for turn in range(3):
        caller = console_key(estate, chance, user, time)
        start = time + (turn * 15 + 1) * MINUTE
        aws.work(estate, chance, caller, LOOKS, chance.spread(start, start + 14 * MINUTE, 5), HOME)
        for moment in chance.spread(start, start + 14 * MINUTE, 2):
            _forward(estate, chance, caller, moment)


def enter(estate: Estate, chance: Chance, user: User, time: int) -> None:
    """The record of a login that succeeded."""
    extra: aws.Fields = {
        "additionalEventData": {"LoginTo": "https://console.aws.amazon.com/", "MobileVersion": "No", "MFAUsed": "Yes"}
    }
    call = aws.Call(
        service="signin",
        action="ConsoleLogin",
        response={"ConsoleLogin": "Success"},
        writes=True,
        kind="AwsConsoleSignIn",
        extra=extra,
    )
    aws.say(estate, chance, aws.by_login(user), call, time, region=HOME)


def console_key(estate: Estate, chance: Chance, user: User, time: int) -> aws.Caller:
    """One of the keys that a login gives: its issue is in no log."""
    key = access_key(chance, "ASIA", MAIN)
    entry = Credential(
        key=aws.key_of(key),
        kind="console key",
        population="person",
        issued_at=whole(time),
        not_after=whole(time) + 12 * HOUR,
        origins=(OFFICE,),
        subject=user.key,
    )
    estate.book.credential(entry)
    return aws.by_console(user, key, time)


def _forward(estate: Estate, chance: Chance, caller: aws.Caller, time: int) -> None:
    """The console's own pages make a service call on, with a key that nobody issued."""
    aws.say(estate, chance, caller, HEALTH, time, region=HOME)
    key = access_key(chance, "ASIA", MAIN)
    aws.say(estate, chance, aws.forwarded(caller, "health", key), HEALTH, time, region=HOME)
    estate.book.link(time, "forward_session", aws.key_of(key), aws.key_of(caller.key or ""))


def operator(estate: Estate, time: int) -> aws.Caller:
    """The person who builds networks, instances and keys, with the console key of the shift of that time."""
    shift = (time - estate.since) // SHIFT
    chance = estate.chance.fork("operator", shift)
    login_at = estate.since + shift * SHIFT + 5 * SECOND
    return console_key(estate, chance, estate.world.users["ops-ilka"], login_at)


def _shift(estate: Estate, time: int) -> None:
    shift = (time - estate.since) // SHIFT
    enter(estate, estate.chance.fork("operator login", shift), estate.world.users["ops-ilka"], time)
    estate.at(time + SHIFT, partial(_shift, estate))


def operate(estate: Estate, chance: Chance, call: aws.Call, time: int, *about: tuple[Stage, str], region: str) -> None:
    """One call of the operator in the console."""
    aws.say(estate, chance, operator(estate, time), call, time, region=region, about=about)
