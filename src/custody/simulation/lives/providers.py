"""What AWS does for itself all day: service-linked roles, the trail's own calls, with no workload behind them."""

from functools import partial

from custody.simulation.chance import Chance
from custody.simulation.estate import Estate
from custody.simulation.systems import aws, aws_issues
from custody.simulation.times import MINUTE
from custody.simulation.world import BUCKET, HOME, MAIN, REGION, SECOND, access_key

ACL = aws.read("s3", "GetBucketAcl", bucketName=BUCKET, Host=f"{BUCKET}.s3.amazonaws.com")
DESCRIBE = aws.read("ec2", "DescribeInstances", instancesSet={}, filterSet={})
LIFE = 3600


def begin(estate: Estate) -> None:
    """Each account has its own."""
    for account in (MAIN, SECOND):
        chance = estate.chance.fork("provider", account)
        estate.at(estate.since, partial(_trail, estate, chance.fork("trail"), account))
        estate.at(estate.since + chance.seconds(60, 600), partial(_config, estate, chance.fork("config"), account))


def _trail(estate: Estate, chance: Chance, account: str, time: int) -> None:
    for region in (HOME, REGION):
        moment = time + chance.seconds(0, 30)
        aws.say(estate, chance, aws.by_service("cloudtrail", account), ACL, moment, region=region)
    estate.at(time + chance.seconds(300, 600), partial(_trail, estate, chance, account))


def _config(estate: Estate, chance: Chance, account: str, time: int) -> None:
    """A session of a service-linked role: used by the service, which shows no key."""
    role = estate.world.roles[f"{account}/AWSServiceRoleForConfig"]
    session = aws.Session(key=access_key(chance, "ASIA", account), role=role, name="AWSConfig-Describe", created=time)
    entry = aws_issues.entry_of(session, LIFE, "service-linked role session", "provider-internal")
    aws_issues.by_aws(estate, chance, "config", session, LIFE, entry)
    caller = aws.forwarded(aws.by_session(session, "", ""), "config", None)
    aws.work(estate, chance, caller, (DESCRIBE,), chance.spread(time, time + MINUTE, 3))
    estate.at(time + chance.seconds(1800, 3600), partial(_config, estate, chance, account))
