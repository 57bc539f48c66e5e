"""Route 1: a person pushes, another approves, a GitHub job assumes a role, that assumes the next, and the job ends."""

from enum import StrEnum
from functools import partial

import msgspec

from custody.model.events import Stage
from custody.model.verdicts import Question, State
from custody.simulation.book import WRONG
from custody.simulation.chance import Chance
from custody.simulation.estate import Estate
from custody.simulation.systems import approvals, aws, aws_issues, github
from custody.simulation.systems.github import Flow
from custody.simulation.times import MINUTE, SECOND, seconds
from custody.simulation.truth import Approval, Run
from custody.simulation.world import (
    DEVELOPERS,
    GITHUB_PROVIDER,
    MAIN,
    MANAGERS,
    RUNNERS,
    Workload,
    access_key,
)  # fmt: skip
from custody.simulation.world import (
    SECOND as OTHER,
)

ENVIRONMENT = "production"
LIFE = 3600
BUILD = (
    aws.read("sts", "GetCallerIdentity"),
    aws.read("ecr", "GetAuthorizationToken"),
    aws.write("ecr", "PutImage", repositoryName="web", imageTag="main"),
    aws.read("ecs", "DescribeServices", cluster="web", services=["web"]),
)
RELEASE = (
    aws.read("cloudformation", "DescribeStacks", stackName="web"),
    aws.write("cloudformation", "CreateChangeSet", stackName="web", changeSetName="release"),
    aws.write("cloudformation", "ExecuteChangeSet", stackName="web", changeSetName="release"),
    aws.read("cloudformation", "DescribeStackEvents", stackName="web"),
)


class Approved(StrEnum):
    """How a deployment came by its approval."""

    BEFORE = "before"
    LATE = "late"
    SELF = "self"
    NEVER = "never"


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How a deployment goes: ``late_use`` is how long (µs) after its end a key is used."""

    approved: Approved = Approved.BEFORE
    late_use: int | None = None


NORMAL = Manner()


class Deployed(msgspec.Struct, frozen=True, kw_only=True):
    """What a deployment left: its run, its two keys, the runner's address, when it began to work, when it ended."""

    flow: Flow
    first: str
    second: str
    runner: str
    began: int
    ended: int


def begin(estate: Estate, workload: Workload) -> None:
    """Let the workload be deployed again and again."""
    chance = estate.chance.fork("deploy", workload.name)
    estate.at(estate.since + chance.seconds(240, 2400), partial(_turn, estate, workload, chance, 1))


def _turn(estate: Estate, workload: Workload, chance: Chance, number: int, time: int) -> None:
    done = deploy(estate, workload, chance.fork(number), number, time)
    estate.at(done.ended + chance.seconds(900, 2400), partial(_turn, estate, workload, chance, number + 1))


def deploy(
    estate: Estate, workload: Workload, chance: Chance, number: int, time: int, manner: Manner = NORMAL
) -> Deployed:
    """One run from push to end."""
    flow = Flow(
        workload=workload,
        run=8_000_000_000 + workload.number * 1_000_000 + number * 1_009 + chance.below(1_000),
        job=24_000_000_000 + workload.number * 1_000_000 + number * 1_013 + chance.below(1_000),
        number=number,
        attempt=1,
        actor=chance.pick(DEVELOPERS),
        sha=chance.hex(40),
        environment=ENVIRONMENT,
        created=time - time % SECOND,
    )
    runner = chance.pick(RUNNERS)
    began = flow.created + chance.seconds(240, 900)
    ended = began + chance.seconds(300, 540)
    began, ended = began - began % SECOND, ended - ended % SECOND
    _start(estate, chance, flow)
    _decide(estate, chance, flow, began, ended, manner.approved)
    _job(estate, chance, flow, began, ended, runner)
    first, second = _work(estate, chance, flow, (began, ended), runner, manner)
    return Deployed(flow=flow, first=first, second=second, runner=runner, began=began, ended=ended)


def _start(estate: Estate, chance: Chance, flow: Flow) -> None:
    pushed = flow.created - chance.seconds(2, 6)
    github.audited(estate, chance, pushed, "git.push", flow.actor, flow, {"transport_protocol_name": "ssh"})
    github.run_changed(estate, chance, flow, flow.created, "requested")
    started = (Stage.START, flow.key)
    name = "workflows.created_workflow_run"
    github.audited(estate, chance, flow.created + 310_000, name, flow.actor, flow, github.run_fields(flow), started)


def _decide(estate: Estate, chance: Chance, flow: Flow, began: int, ended: int, how: Approved) -> None:
    """The approval, by a review at GitHub or at the change desk, as the repository has it."""
    asked = flow.created + 5 * SECOND
    decided = ended + 10 * MINUTE if how is Approved.LATE else began - chance.seconds(20, 90)
    decided -= decided % SECOND
    approver = flow.actor if how is Approved.SELF else chance.pick(MANAGERS)
    if by_desk(flow.workload):
        _at_the_desk(estate, chance, flow, asked, decided, approver, how)
        return
    github.review(estate, chance, flow, asked, "requested", flow.actor)
    if how is Approved.NEVER:
        return
    github.review(estate, chance, flow, decided, "approved", approver)
    fields = github.run_fields(flow) | {"environment_name": flow.environment}
    name, approved = "workflows.approve_workflow_job", (Stage.APPROVE, flow.key)
    github.audited(estate, chance, decided + 240_000, name, approver, flow, fields, approved)
    who, asker = f"github_user:github:{approver}", f"github_user:github:{flow.actor}"
    estate.book.approvals.append(Approval(target=flow.key, approver=who, requester=asker, time=decided))


def by_desk(workload: Workload) -> bool:
    """Whether a change desk approves the deployments of a workload, instead of reviewers at GitHub."""
    return workload.number % 2 == 1


def _at_the_desk(
    estate: Estate, chance: Chance, flow: Flow, asked: int, decided: int, approver: str, how: Approved
) -> None:
    request = f"CR-{flow.run}"
    approvals.say(estate, chance, asked, "requested", flow.key, request, flow.actor)
    if how is Approved.NEVER:
        return
    approvals.say(estate, chance, decided, "granted", flow.key, request, flow.actor, approver)
    who, asker = approvals.person(approver), approvals.person(flow.actor)
    estate.book.approvals.append(Approval(target=flow.key, approver=who, requester=asker, time=decided))


def _job(estate: Estate, chance: Chance, flow: Flow, began: int, ended: int, runner: str) -> None:
    github.job_changed(estate, chance, flow, began, "in_progress", began, runner)
    fields = github.run_fields(flow) | {"job_name": "deploy", "is_hosted_runner": True}
    alias, name = (Stage.START, flow.job_alias), "workflows.prepared_workflow_job"
    github.audited(estate, chance, began + 120_000, name, flow.actor, flow, fields, alias)
    github.job_changed(estate, chance, flow, ended, "completed", began, runner)
    github.run_changed(estate, chance, flow, ended, "completed")
    fields = github.run_fields(flow) | {"completed_at": seconds(ended), "conclusion": "success"}
    over, name = ((Stage.START, flow.key), (Stage.END, flow.key)), "workflows.completed_workflow_run"
    github.audited(estate, chance, ended + 420_000, name, flow.actor, flow, fields, *over)
    estate.book.run(
        Run(key=flow.key, kind="workflow run", workload=flow.workflow_key, started=flow.created, ended=ended)
    )
    estate.book.run(
        Run(
            key=flow.job_key,
            kind="job",
            workload=flow.workflow_key,
            started=began,
            ended=ended,
            parent=flow.key,
            aliases=(flow.job_alias,),
        )
    )


def _work(
    estate: Estate, chance: Chance, flow: Flow, span: tuple[int, int], runner: str, manner: Manner
) -> tuple[str, str]:
    """The two sessions, and what is called with them; their keys."""
    began, ended = span
    middle = began + (ended - began) // 2
    first = _session(estate, chance, flow, began + 20 * SECOND, runner, manner)
    caller = aws.by_session(first, runner, aws.RUNNER_CLI)
    for turn, time in enumerate(chance.spread(began + 21 * SECOND, middle, 5)):
        aws.say(estate, chance, caller, BUILD[turn % len(BUILD)], time)
    second = _chained(estate, chance, flow, caller, middle)
    holder = aws.by_session(second, runner, aws.RUNNER_CLI)
    times = chance.spread(middle + SECOND, ended - 15 * SECOND, 6)
    if manner.late_use is not None:
        times += chance.spread(ended + manner.late_use, ended + manner.late_use + 5 * MINUTE, 3)
    for turn, time in enumerate(times):
        aws.say(estate, chance, holder, RELEASE[turn % len(RELEASE)], time)
    for session, used in ((first, began + 21 * SECOND), (second, times[0])):
        estate.book.link(used, "access_key", aws.key_of(session.key), aws.key_of(session.key))
    return aws.key_of(first.key), aws.key_of(second.key)


def named_by_run(workload: Workload) -> bool:
    """Whether the workflow puts the run id into the session's name; the default name says nothing."""
    return workload.number % 10 != 9


def subject_of(workload: Workload) -> str:
    """The subject of the tokens of the workload's jobs."""
    return f"repo:{workload.repository}:environment:{ENVIRONMENT}"


def _session(estate: Estate, chance: Chance, flow: Flow, time: int, runner: str, manner: Manner) -> aws.Session:
    named = named_by_run(flow.workload)
    session = aws.Session(
        key=access_key(chance, "ASIA", MAIN),
        role=estate.world.roles[f"{MAIN}/github-deploy"],
        name=f"{flow.run}-{flow.attempt}" if named else "GitHubActions",
        created=time,
        provider=GITHUB_PROVIDER,
    )
    entry = aws_issues.entry_of(session, LIFE, "role session of a job")
    entry = msgspec.structs.replace(
        entry, run=flow.key, run_visible="client" if named else "candidates", origins=(runner,)
    )
    subject = subject_of(flow.workload)
    aws_issues.by_web_identity(estate, chance, session, subject, LIFE, runner, entry)
    if named:
        estate.book.link(time, "github_session", entry.key, flow.key)
    else:
        estate.book.link(time, "github_run_window", entry.key, flow.key)
    right = (State.UNPROVEN,) if manner.approved is Approved.BEFORE else WRONG
    estate.book.expect(entry.key, Question.APPROVED, *right)
    estate.book.expect(entry.key, Question.BOUND, State.PROVED)
    return session


def _chained(estate: Estate, chance: Chance, flow: Flow, caller: aws.Caller, time: int) -> aws.Session:
    account = OTHER if flow.workload.number % 10 == 5 else MAIN
    session = aws.Session(
        key=access_key(chance, "ASIA", account),
        role=estate.world.roles[f"{account}/release"],
        name=f"{flow.run}-{flow.attempt}",
        created=time,
    )
    entry = aws_issues.entry_of(session, LIFE, "chained role session of a job")
    entry = msgspec.structs.replace(
        entry,
        run=flow.key,
        run_visible="client" if named_by_run(flow.workload) else "candidates",
        origins=(caller.origin,),
        parent=aws.key_of(caller.key or ""),
        parent_visible="exact",
        parent_join="parent_key",
    )
    aws_issues.by_chain(estate, chance, caller, session, LIFE, entry)
    estate.book.expect(entry.key, Question.BOUND, State.UNPROVEN)
    return session
