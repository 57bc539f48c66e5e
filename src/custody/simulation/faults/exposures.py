"""Keys that were found lying open, and one that outlives what was approved."""

from functools import partial

from custody.model.events import Stage
from custody.model.verdicts import Severity
from custody.simulation import entry as sources
from custody.simulation.entry import Entry, encoded
from custody.simulation.fault import Fault, Planting
from custody.simulation.lives import people
from custody.simulation.systems import approvals, aws, aws_issues
from custody.simulation.times import HOUR, MINUTE, seconds, whole
from custody.simulation.truth import Approval
from custody.simulation.world import DEVELOPERS, HOME, MAIN, MAIN_NAT, MANAGERS, access_key

EXPOSED, OUTLIVED = "exposed-key", "approval-outlived"
POLICY = "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3"
CALLS = (aws.read("s3", "ListBuckets"), aws.read("athena", "ListWorkGroups", maxResults=50))


def _expose(planting: Planting) -> None:
    planting.estate.at(planting.part(1, 4), partial(_leak, planting))


def _leak(planting: Planting, time: int) -> None:
    """A key lands in a repository; AWS puts its user under quarantine, a scanner finds it, and it goes on working."""
    estate, chance = planting.estate, planting.chance(EXPOSED)
    user, own = estate.world.users["batch-archive"], access_key(chance, "AKIA", MAIN)
    made = aws_issues.access_key(estate, chance, people.operator(estate, time), user, own, time)
    caller = aws.by_user(user, own, MAIN_NAT, aws.BOTO)
    times = chance.spread(time + MINUTE, time + 80 * MINUTE, 8)
    aws.work(estate, chance, caller, CALLS, times)
    estate.book.link(times[0], "access_key", made.key, made.key)
    estate.book.change(made.key, origins=(MAIN_NAT,))
    call = aws.write("iam", "AttachUserPolicy", userName=user.name, policyArn=POLICY)
    aws.say(estate, chance, aws.by_service("iam", MAIN), call, time + 22 * MINUTE, region=HOME)
    _scan(planting, own, time + 20 * MINUTE, time + 40 * MINUTE)
    text = f"a key of {user.name} lies in a repository and works on"
    planting.enter(EXPOSED, made.key, text, ("exposed-secret",), Severity.MEDIUM)


def _scan(planting: Planting, key: str, committed: int, scanned: int) -> None:
    """What a scanner says of it, as SARIF (2.1.0)."""
    commit = planting.chance(EXPOSED).fork("commit").hex(40)
    result = {
        "ruleId": "aws-access-token",
        "message": {"text": "aws-access-token has detected secret for file deploy/archive.env."},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "deploy/archive.env"},
                    "region": {"startLine": 4, "snippet": {"text": f"AWS_ACCESS_KEY_ID={key} must-not-stay"}},
                }
            }
        ],
        "partialFingerprints": {"commitSha": commit, "date": seconds(whole(committed))},
    }
    run = {
        "tool": {"driver": {"name": "gitleaks", "semanticVersion": "v8.24.2"}},
        "invocations": [{"executionSuccessful": True, "endTimeUtc": seconds(whole(scanned))}],
        "versionControlProvenance": [{"repositoryUri": "https://github.com/example-org/archive"}],
        "results": [result],
    }
    line = encoded({"version": "2.1.0", "runs": [run]})
    about = ((Stage.CHANGE, aws.key_of(key)),)
    planting.estate.say(Entry(time=whole(scanned), source=sources.SARIF, line=line, about=about))


def _outlive(planting: Planting) -> None:
    planting.estate.at(planting.part(1, 5), partial(_work_on, planting))


def _work_on(planting: Planting, time: int) -> None:
    """The change desk approves a key for an hour; it is used for two."""
    estate, chance = planting.estate, planting.chance(OUTLIVED)
    user, own = estate.world.users["batch-backfill"], access_key(chance, "AKIA", MAIN)
    made = aws_issues.access_key(estate, chance, people.operator(estate, time), user, own, time)
    who = (chance.pick(DEVELOPERS), chance.pick(MANAGERS))
    request = "CHG-2417"
    approvals.say(estate, chance, time + MINUTE, "requested", made.key, request, who[0], valid=HOUR)
    approvals.say(estate, chance, time + 2 * MINUTE, "granted", made.key, request, *who, valid=HOUR)
    estate.book.approvals.append(
        Approval(
            target=made.key,
            approver=approvals.person(who[1]),
            requester=approvals.person(who[0]),
            time=time + 2 * MINUTE,
        )
    )
    times = chance.spread(time + 5 * MINUTE, time + 55 * MINUTE, 5)
    times += chance.spread(time + 70 * MINUTE, time + 110 * MINUTE, 4)
    aws.work(estate, chance, aws.by_user(user, own, MAIN_NAT, aws.BOTO), CALLS, times)
    estate.book.link(times[0], "access_key", made.key, made.key)
    estate.book.change(made.key, origins=(MAIN_NAT,))
    text = f"a key of {user.name} was approved for an hour and is used for two"
    planting.enter(OUTLIVED, made.key, text, ("approved-exercised",), Severity.MEDIUM)


FAULTS = (
    Fault(EXPOSED, "a long-lived key lies in a repository, was found, and works on", _expose),
    Fault(OUTLIVED, "a key is used after the end of the approval that it was made under", _outlive),
)
