"""Ends without effect: a key that is used after it was deleted, a token that works after it was revoked."""

from functools import partial

from custody.model.events import Stage
from custody.model.verdicts import Question, Severity
from custody.simulation.book import WRONG
from custody.simulation.chance import Chance
from custody.simulation.fault import Fault, Planting
from custody.simulation.lives import cluster, people, pods
from custody.simulation.systems import aws, aws_issues, openbao
from custody.simulation.systems.openbao import Place, Token
from custody.simulation.times import MINUTE, SECOND
from custody.simulation.truth import Credential
from custody.simulation.world import HOME, MAIN, MAIN_NAT, OFFICE, Workload, access_key

AFTER, WITHOUT, SESSION = "use-after-end", "revocation-without-effect", "surviving-session"
RULES = ("used-after-end", "end-effective")
CALLBACK = Place(operation="read", path="auth/oidc/oidc/callback", mount="auth/oidc/", kind="oidc")
REVOKE = Place(operation="update", path="auth/token/revoke-accessor", mount="auth/token/", kind="token")
CALLS = (aws.read("s3", "ListBuckets"), aws.read("cloudwatch", "GetMetricData", maxDatapoints=500))


def _wrong(planting: Planting, key: str) -> None:
    for question in (Question.WITHIN, Question.END_EFFECTIVE):
        planting.estate.book.expect(key, question, *WRONG)


def _after(planting: Planting) -> None:
    planting.estate.at(planting.part(1, 5), partial(_use_deleted, planting))


def _use_deleted(planting: Planting, time: int) -> None:
    """Made, used, deleted, used again five minutes later."""
    estate, chance = planting.estate, planting.chance(AFTER)
    user, own = estate.world.users["batch-mirror"], access_key(chance, "AKIA", MAIN)
    entry = aws_issues.access_key(estate, chance, people.operator(estate, time), user, own, time)
    ended = time + 30 * MINUTE
    caller = aws.by_user(user, own, MAIN_NAT, aws.BOTO)
    times = chance.spread(time + MINUTE, ended - MINUTE, 6)
    aws.work(estate, chance, caller, CALLS, [*times, ended + 5 * MINUTE, ended + 6 * MINUTE])
    estate.book.link(times[0], "access_key", entry.key, entry.key)
    call = aws.on(aws.write("iam", "DeleteAccessKey", userName=user.name, accessKeyId=own), own)
    people.operate(estate, chance, call, ended, (Stage.REVOKE, entry.key), region=HOME)
    estate.book.change(entry.key, ended_at=ended, ended_by="key.delete", origins=(MAIN_NAT,))
    _wrong(planting, entry.key)
    text = f"a key of {user.name} is used five minutes after it was deleted"
    planting.enter(AFTER, entry.key, text, RULES, Severity.HIGH)


def _without(planting: Planting) -> None:
    workload = planting.workload(WITHOUT, "pod", 1)
    planting.estate.at(planting.part(1, 4), partial(_revoke_in_vain, planting, workload))


def _revoke_in_vain(planting: Planting, workload: Workload, time: int) -> None:
    """An operator revokes a pod's token by its accessor, and the pod goes on reading with it."""
    estate, chance = planting.estate, planting.chance(WITHOUT)
    served = pods.serve(estate, workload, chance, time)
    device, revoked = cluster.device_of(estate), time + 20 * MINUTE
    by = _operator(planting, chance, revoked - 2 * MINUTE)
    openbao.say(
        estate, device, chance, revoked, by, REVOKE, OFFICE,
        data={"accessor": served.token.accessor}, about=((Stage.REVOKE, served.token_key),),
    )  # fmt: skip
    estate.book.change(served.token_key, ended_at=revoked + openbao.TOOK, ended_by="credential.revoke")
    _wrong(planting, served.token_key)
    _wrong(planting, served.lease.key)
    text = f"a token of {workload.name} works on after an operator revoked it"
    planting.enter(WITHOUT, served.token_key, text, RULES, Severity.HIGH, (served.lease.key,))
    text = f"the database role of {workload.name} is used after the token that got it was revoked"
    planting.enter(WITHOUT, served.lease.key, text, RULES, Severity.HIGH)


def _operator(planting: Planting, chance: Chance, time: int) -> Token:
    """A person logs in to the store in their browser."""
    estate, device = planting.estate, cluster.device_of(planting.estate)
    token = openbao.token(chance, time, "oidc-ops-ilka", {"role": "operators"}, "operators", 1800)
    auth, key = openbao.given(device, token), device.key(token)
    response: openbao.Fields = {"auth": auth, "mount_type": "oidc"}
    data: openbao.Fields = {"code": "must-not-stay", "state": "st_1"}
    openbao.say(
        estate, device, chance, time, None, CALLBACK, OFFICE,
        data=data, auth=auth, response=response, about=((Stage.ISSUE, key),),
    )  # fmt: skip
    issued = time + openbao.TOOK
    estate.book.credential(
        Credential(
            key=key,
            kind="token of the secret store",
            population="person",
            aliases=(device.alias(token),),
            issued_at=issued,
            not_after=issued + token.life * SECOND,
            origins=(OFFICE,),
        )
    )
    return token


def _session(planting: Planting) -> None:
    workload = planting.workload(SESSION, "pod", 11)
    planting.estate.at(planting.part(1, 6), partial(_outlive, planting, workload))


def _outlive(planting: Planting, workload: Workload, time: int) -> None:
    chance = planting.chance(SESSION)
    served = pods.serve(planting.estate, workload, chance, time, pods.Manner(lingers=20 * MINUTE))
    _wrong(planting, served.lease.key)
    text = f"a database session of {workload.name} goes on for twenty minutes after its role was dropped"
    planting.enter(SESSION, served.lease.key, text, RULES, Severity.HIGH)


FAULTS = (
    Fault(AFTER, "a key is used after it was deleted", _after),
    Fault(WITHOUT, "a token is revoked and works on", _without),
    Fault(SESSION, "a database session goes on after its role was dropped", _session),
)
