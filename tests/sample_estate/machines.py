"""The machines of the estate on an ordinary day: instances, pods, functions, deployments, and AWS's own sessions."""

from collections.abc import Sequence

import msgspec

from custody.model.verdicts import Population
from tests.sample_estate import calls, issuing
from tests.sample_estate.cloudtrail import (
    ACTIONS,
    BOTO,
    GO,
    Call,
    Caller,
    Session,
    by_service,
    by_session,
    forwarded,
)
from tests.sample_estate.estate import CLUSTER, FRANKFURT, GITHUB, MAIN, RUNNER, SECOND, VIRGINIA, Instance, Role
from tests.sample_estate.journal import OLDER, Journal, at

HOUR = 3600
INSTANCE_LIFE = 23_700
POD_LIFE = 21_600
FUNCTION_LIFE = 7_200
REPOSITORY = "repo:tarnholm/freight-portal:environment:production"


def lineage(
    journal: Journal,
    instance: Instance,
    start: int,
    hours: int,
    repertoire: tuple[Call, ...],
    revoked: int | None = None,
) -> list[Session]:
    """An instance gets a key at ``start`` and one every hour, and works with each until the next.

    From ``revoked`` on, keys issued before it are refused.
    """
    sessions: list[Session] = []
    for turn in range(hours):
        time = start + turn * HOUR + (journal.invent.between(0, 150) if turn else 0)
        sessions.append(renew(journal, instance, time))
        cut = revoked if revoked is not None and time < revoked else None
        shift(journal, sessions[-1], instance, (time + 5, start + (turn + 1) * HOUR - 5), repertoire, cut)
    return sessions


def renew(journal: Journal, instance: Instance, time: int) -> Session:
    """EC2 issues the instance's next key."""
    role, network = instance.role, instance.network
    key = journal.invent.key("ASIA", role.account)
    session = Session(key=key, role=role, name=instance.id, created=time, delivery="2.0")
    return issuing.by_aws(journal, "ec2", session, INSTANCE_LIFE, network.region)


def shift(
    journal: Journal,
    session: Session,
    instance: Instance,
    span: tuple[int, int],
    repertoire: tuple[Call, ...],
    revoked: int | None,
) -> None:
    """An instance's hour of work, through its network's address; secrets it reads are decrypted on its behalf."""
    network = instance.network
    caller = by_session(session, network.address, BOTO)
    late = [revoked + 75] if revoked is not None and span[0] < revoked < span[1] - 75 else []
    for turn, time in enumerate(sorted(journal.spread(span[0], span[1], 6) + late)):
        call = repertoire[turn % len(repertoire)]
        refused = revoked is not None and time >= revoked
        journal.say(caller, time, calls.refused_everywhere(call, session) if refused else call, network.region)
        if call is calls.GET_SECRET and not refused:
            decrypted(journal, caller, time)


def decrypted(journal: Journal, caller: Caller, time: int) -> None:
    """Secrets Manager decrypts what ``caller`` asked for, with a key of a forward access session."""
    key = journal.invent.key("ASIA", caller.account)
    journal.say(forwarded(caller, "secretsmanager", key, time), time, calls.DECRYPT, VIRGINIA)


def pods(journal: Journal, node: Sequence[Session], address: str) -> None:
    """Three pods get their credentials through the node they run on, twice a day, with tags that name the pod."""
    role = journal.estate.roles["shipment-tracker"]
    for number, pod in enumerate(("tracker-web-6f7c9", "tracker-worker-0", "tracker-worker-1")):
        uid = journal.invent.uuid()
        for turn in range(2):
            time = at("06:40:00") + turn * (POD_LIFE - 900) + number * 47
            holder = [session for session in node if session.created < time][-1]
            agent = by_session(holder, address, "eks-pod-identity-agent/0.1.21 " + GO)
            journal.say(agent, time, calls.pod_identity("tarn-prod"), VIRGINIA)
            session = pod_session(journal, role, pod, uid, time)
            caller = by_session(session, address, GO)
            journal.work(caller, journal.spread(time + 5, time + POD_LIFE - 900, 12), calls.TRACKER, VIRGINIA)


def pod_session(journal: Journal, role: Role, pod: str, uid: str, time: int) -> Session:
    """EKS issues a pod's key."""
    tags = {
        "eks-cluster-arn": CLUSTER,
        "eks-cluster-name": "tarn-prod",
        "kubernetes-namespace": "tracking",
        "kubernetes-service-account": "tracker",
        "kubernetes-pod-name": pod,
        "kubernetes-pod-uid": uid,
    }
    name = f"eks-tarn-prod-{pod[:10]}-{journal.invent.uuid()}"
    session = Session(key=journal.invent.key("ASIA", role.account), role=role, name=name, created=time)
    return issuing.by_aws(journal, "pods.eks", session, POD_LIFE, VIRGINIA, tags)


def functions(journal: Journal) -> None:
    """Two functions wake up now and then; one still has a key from before the logs begin."""
    roles = journal.estate.roles
    network = journal.estate.main
    for turn in range(4):
        run_function(journal, roles["invoice-render"], at("06:45:00") + turn * 9_000, network.address, VIRGINIA)
        run_function(journal, roles["rate-sync"], at("07:20:00") + turn * 9_000, "198.51.100.60", FRANKFURT)
    older = journal.older_key("ASIA", MAIN, Population.UNKNOWN, OLDER)
    session = Session(key=older, role=roles["rate-sync"], name="rate-sync", created=at("05:20:00"))
    journal.work(
        by_session(session, "198.51.100.60", BOTO), [at("06:10:00"), at("06:40:00")], calls.FUNCTION, FRANKFURT
    )


def run_function(journal: Journal, role: Role, time: int, address: str, region: str) -> tuple[Session, Caller]:
    """Lambda issues a key to a function, which works with it for an hour."""
    arn = f"arn:aws:lambda:{region}:{role.account}:function:{role.name}"
    key = journal.invent.key("ASIA", role.account)
    session = Session(key=key, role=role, name=role.name, created=time, function=arn)
    issuing.by_aws(journal, "lambda", session, FUNCTION_LIFE, region)
    caller = by_session(session, address, BOTO)
    journal.work(caller, journal.spread(time, time + HOUR, 5), calls.FUNCTION, region)
    return session, caller


def deployments(journal: Journal) -> list[tuple[Session, Session]]:
    """Four runs of a workflow deploy, each through a second role in the other account; the last asks for two hours."""
    runs = (("07:30:11", 3600), ("10:15:40", 3600), ("13:31:02", 3600), ("16:40:27", 7200))
    return [deploy(journal, at(clock), 8_841_203_310 + turn * 17, life) for turn, (clock, life) in enumerate(runs)]


def deploy(journal: Journal, time: int, run: int, life: int) -> tuple[Session, Session]:
    """One run: a token of the workflow for a session here, that session for one in the second account."""
    roles = journal.estate.roles
    session = Session(
        key=journal.invent.key("ASIA", MAIN),
        role=roles["github-deploy"],
        name=f"freight-portal-{run}-1",
        created=time,
        provider=GITHUB,
    )
    issuing.by_web_identity(journal, session, REPOSITORY, life, RUNNER, ACTIONS)
    caller = by_session(session, RUNNER, CLI_RUNNER)
    journal.work(caller, journal.spread(time, time + 900, 8), calls.DEPLOY, VIRGINIA)
    target = msgspec.structs.replace(
        session,
        key=journal.invent.key("ASIA", SECOND),
        role=roles["deploy-target"],
        created=time + 300,
        provider=None,
    )
    issuing.by_role_chain(journal, caller, target, 3600)
    rollout = by_session(target, RUNNER, CLI_RUNNER)
    journal.work(rollout, journal.spread(time + 300, time + 1200, 8), calls.ROLLOUT, FRANKFURT)
    return session, target


CLI_RUNNER = "aws-cli/2.24.12 md/awscrt#0.23.8 ua/2.0 os/linux#6.8.0-1021 lang/python#3.12.9 exec-env/GitHubActions"


def provider_internal(journal: Journal) -> None:
    """AWS services assume their own linked roles, and call without showing a key."""
    roles = journal.estate.roles
    plan = (
        ("rds", roles["AWSServiceRoleForRDS"], VIRGINIA, 6, "SLRManagement"),
        ("inspector2", roles["AWSServiceRoleForAmazonInspector2"], VIRGINIA, 4, "MandoService"),
        ("autoscaling", roles["AWSServiceRoleForAutoScaling"], FRANKFURT, 6, "AutoScaling"),
    )
    for service, role, region, count, name in plan:
        for time in journal.spread(at("06:00:00"), at("18:00:00"), count):
            key = journal.invent.key("ASIA", role.account)
            session = Session(key=key, role=role, name=name, created=time)
            issuing.by_aws(journal, service, session, 3600, region)
            caller = forwarded(by_session(session, "", ""), service, None, time)
            journal.work(caller, [time, time + 2], (calls.DESCRIBE_INSTANCES,), region)


def services(journal: Journal) -> None:
    """What AWS services do for themselves all day, with no key at all."""
    trail = calls.read("s3", "GetBucketAcl", bucketName="tarnholm-trail", Host="tarnholm-trail.s3.amazonaws.com")
    for account, region, count in ((MAIN, VIRGINIA, 84), (SECOND, FRANKFURT, 40), (SECOND, VIRGINIA, 12)):
        times = journal.spread(at("06:00:00"), at("18:00:00"), count)
        journal.work(by_service("cloudtrail", account), times, (trail,), region)
    rotation = Call(service="kms", action="RotateKey", writes=True, kind="AwsServiceEvent")
    caller = Caller(
        account=MAIN,
        identity={"accountId": MAIN, "invokedBy": "kms.amazonaws.com"},
        origin="kms.amazonaws.com",
        agent="kms.amazonaws.com",
    )
    journal.work(caller, journal.spread(at("09:00:00"), at("17:00:00"), 4), (rotation,), FRANKFURT)
