"""Chains as an audit of a small attacked account would give them, hostile values included."""

import msgspec

from custody.model.report import Answer, Chain, LeafRef, Related, Step
from custody.model.verdicts import Question

DAY = "2023-07-10T"
STOLEN = "aws_akid:aws:ASIATFQR7NSC36DZQP7P"
ROLE = "aws_arn:123837392027:arn:aws:iam::123837392027:role/stratus-red-team-ec2-steal-credentials-role"
INSTANCE = "aws_instance:123837392027:i-0dbc91f429e48eeed"
HOSTILE = (
    "</script><script>alert(1)</script> \x1b[2J\x1b]0;owned\x07 \u202egnp.exe\u2066 \x9b31m "
    "\u200b\" onload='x' {{ 7*7 }}"
)


def at(clock: str) -> str:
    return f"{DAY}{clock}Z"


def step(stage: str, clock: str, leaf: int, text: str, origin: str | None = None, outcome: str = "success") -> Step:
    issuer = stage != "use"
    return Step(
        stage=stage,
        time=at(clock),
        event=f"4e8f3c1a-0000-4000-8000-{leaf:012d}",
        leaf=LeafRef("operations", leaf),
        join="exact",
        asserter="issuer" if issuer else "verifier",
        rule="access_key" if stage in ("issue", "use") else "run_end" if text.startswith("run ") else "principal_end",
        text=text,
        origin=origin,
        outcome=outcome,
    )


def answer(
    question: Question,
    state: str,
    text: str,
    *leaves: int,
    basis: str | None = None,
    best: str | None = None,
    settles: str | None = None,
    until: str | None = None,
) -> Answer:
    cited = tuple(LeafRef("operations", leaf) for leaf in leaves)
    return Answer(
        question=question.value,
        state=state,
        text=text,
        basis=basis,
        best=best,
        settles=settles,
        until=until,
        count=len(cited),
        leaves=cited,
    )


def answers(issue: int, **changed: Answer) -> tuple[Answer, ...]:
    """All fifteen, mostly proved; ``changed`` by the name of the question's member."""
    register = "a contract with owner and purpose"
    usual = {
        Question.BOUND: answer(
            Question.BOUND, "proved", "bound to i-0dbc91f429e48eeed (instance)", issue, basis="observed"
        ),
        Question.HOLDER: answer(Question.HOLDER, "n/a", "no use was seen"),
        Question.REQUESTER: answer(Question.REQUESTER, "proved", "ec2.amazonaws.com", issue, basis="observed"),
        Question.ROOT: answer(Question.ROOT, "proved", "instance i-0dbc91f429e48eeed", issue, basis="observed"),
        Question.OWNER: answer(
            Question.OWNER, "unproven", "no contract names an owner", best="nothing", settles=register
        ),
        Question.PURPOSE: answer(
            Question.PURPOSE,
            "unproven",
            "deploys the payment service, says the contract",
            best="claimed",
            settles="a register with signed purposes",
        ),
        Question.PRIVILEGE: answer(
            Question.PRIVILEGE,
            "unproven",
            "inline buckets; managed deploy; trust; since when is not known: its making was not seen",
            issue,
            best="indicated",
            settles="a trail proved whole from the making of its principal on",
        ),
        Question.APPROVED: answer(Question.APPROVED, "n/a", "no contract asks for approval"),
        Question.DECIDED: answer(Question.DECIDED, "unproven", "not judged yet", best="nothing"),
        Question.ISSUANCE: answer(Question.ISSUANCE, "proved", "AssumeRole is recorded", issue, basis="observed"),
        Question.LIFETIME: answer(
            Question.LIFETIME, "proved", "6 h 35 m; no contract, the service allows 12 h", issue, basis="observed"
        ),
        Question.WITHIN: answer(Question.WITHIN, "proved", "every use is within its life", issue, basis="observed"),
        Question.RENEWED: answer(Question.RENEWED, "n/a", "the first of its lineage"),
        Question.END_RECORDED: answer(Question.END_RECORDED, "proved", "role.delete", 1711, basis="observed"),
        Question.END_EFFECTIVE: answer(
            Question.END_EFFECTIVE,
            "proved",
            "role.delete, and no later success was seen",
            issue,
            1711,
            basis="issuer-enforced",
        ),
    }
    usual.update({Question[name]: value for name, value in changed.items()})
    return tuple(usual[question] for question in Question)


def chain_of(key: str, who: str, stages: tuple[Step, ...], verdicts: tuple[Answer, ...], **more: object) -> Chain:
    uses = [each for each in stages if each.stage == "use"]
    origins = sorted({each.origin for each in uses if each.origin})
    issued = next((each.time for each in stages if each.stage == "issue"), None)
    usual: dict[str, object] = {
        "credential": f"c-{abs(hash_of(key)):016x}",
        "who": who,
        "population": "machine",
        "keys": (key,),
        "subject": ROLE,
        "workload": INSTANCE,
        "lineage": None,
        "identity_class": None,
        "unissued": None,
        "root": key,
        "parent": None,
        "children": (),
        "children_total": 0,
        "issued_at": issued,
        "not_after": at("18:30:22"),
        "uses": len(uses),
        "successes": sum(each.outcome == "success" for each in uses),
        "denied": sum(each.outcome == "denied" for each in uses),
        "forward_sessions": 0,
        "origins": tuple(
            (o, sum(u.origin == o for u in uses), min(u.time for u in uses if u.origin == o)) for o in origins
        ),
        "stages": stages,
        "verdicts": verdicts,
    }
    return msgspec.convert(msgspec.to_builtins({**usual, **more}), Chain)


def hash_of(text: str) -> int:
    return int.from_bytes(text.encode("utf-8", "replace")[-7:].rjust(8, b"\0"), "big")


def stolen_chain() -> Chain:
    text = (
        "2 calls from 192.168.10.20, where a key of bert-jan works; the workload's own address is 3.225.16.109 "
        "(NAT of its network)"
    )
    return chain_of(
        STOLEN,
        "temporary key …36DZQP7P of i-0dbc91f429e48eeed",
        (
            step("start", "11:55:21", 1190, "run starts: i-0dbc91f429e48eeed"),
            step("issue", "11:55:22", 1204, f"AssumeRole by ec2.amazonaws.com, until {at('18:30:22')} (6 h 35 m)"),
            step("use", "11:57:22", 1310, "sts:GetCallerIdentity", "192.168.10.20"),
            step("use", "11:57:24", 1311, "ec2:DescribeInstances", "192.168.10.20"),
            step("use", "11:58:02", 1340, "iam:CreateUser", "192.168.10.20", "denied"),
            step("end", "12:08:06", 1702, "run ends: i-0dbc91f429e48eeed"),
            step("end", "12:08:39", 1711, "role.delete"),
        ),
        answers(
            1204,
            HOLDER=answer(Question.HOLDER, "violated", text, 900, 1190, 1310, 1311, basis="observed"),
        ),
        findings=("f-3a9c04d2e1b75f68",),
    )


def deploy_chain() -> Chain:
    """A child of a child, over two days, with bounded and inferred steps."""
    key = "aws_akid:aws:ASIAEXAMPLEDEPLOY0001"
    late = msgspec.structs.replace(
        step("use", "09:00:00", 5100, "s3:PutObject", "10.0.3.7"), time="2023-07-11T09:00:00Z"
    )
    guessed = msgspec.structs.replace(
        step("use", "12:20:10", 2110, "ec2:RunInstances", "cloudformation.amazonaws.com"), join="inferred"
    )
    return chain_of(
        key,
        "temporary key …LOY0001 of github:acme/payments:environment:prod",
        (
            step(
                "issue",
                "12:10:00",
                1990,
                f"AssumeRoleWithWebIdentity by token.actions.githubusercontent.com, until {at('13:10:00')} (1 h)",
            ),
            *(step("use", f"12:{10 + n:02d}:05", 2000 + n, "s3:PutObject", "140.82.112.3") for n in range(6)),
            guessed,
            step("revoke", "12:40:00", 2300, "sessions.revoke"),
            late,
        ),
        answers(
            1990,
            HOLDER=answer(
                Question.HOLDER,
                "unproven",
                "every call was made by a service on its behalf",
                2000,
                best="indicated",
                settles="the service's own log",
            ),
            END_EFFECTIVE=answer(
                Question.END_EFFECTIVE, "violated", "1 successful call after the end", 5100, basis="observed"
            ),
        ),
        workload="oidc_subject:token.actions.githubusercontent.com:repo:acme/payments:environment:prod",
        not_after=at("13:10:00"),
        identity_class="production-deploy",
        lineage="deploy",
        root="aws_akid:aws:AKIAEXAMPLEROOT00001",
        parent=Related(
            key="aws_akid:aws:ASIAEXAMPLEPARENT0001",
            credential="c-00000000000000aa",
            join="parent_key",
            leaf=LeafRef("operations", 1990),
        ),
        children=tuple(
            Related(
                key=f"aws_akid:aws:ASIAEXAMPLECHILD000{n}",
                credential=f"c-00000000000000b{n}",
                join="parent_key",
                leaf=LeafRef("operations", 2050 + n),
            )
            for n in range(2)
        ),
        children_total=7,
        forward_sessions=3,
        findings=("f-77aa04d2e1b75f00",),
    )


def hostile_chain() -> Chain:
    return chain_of(
        f"aws_akid:aws:ASIA{HOSTILE}",
        f"key … of {HOSTILE}",
        (
            step("use", "11:45:00", 77, f"s3:{HOSTILE}", HOSTILE),
            msgspec.structs.replace(
                step("use", "11:46:00", 78, "s3:ListBuckets", "203.0.113.9"), time=f"not a time {HOSTILE}"
            ),
            step(
                "use", "11:50:00", 79, "s3:GetObject " + "A" * 300, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "denied"
            ),
        ),
        answers(
            77,
            BOUND=answer(
                Question.BOUND,
                "unproven",
                f"session name {HOSTILE} is the client's word",
                best="claimed",
                settles=HOSTILE,
            ),
            ISSUANCE=answer(
                Question.ISSUANCE,
                "unproven",
                "no issuance is recorded",
                best="nothing",
                settles="the log of the issuing account",
            ),
            END_EFFECTIVE=answer(Question.END_EFFECTIVE, "open", "alive", until=at("19:00:00")),
        ),
        population="unknown",
        unissued=f"unexplained {HOSTILE}",
        workload=None,
        not_after=None,
        subject=HOSTILE,
        root=None,
        conflicted=True,
        findings=("f-0123456789abcdef",),
    )


def quiet_chain() -> Chain:
    key = "aws_akid:aws:ASIATFQR7NSCSHSEVYP5"
    uses = tuple(
        step("use", f"11:5{6 + n // 30}:{(n * 2) % 60:02d}", 1220 + n, "ssm:UpdateInstanceInformation", "3.225.16.109")
        for n in range(40)
    )
    return chain_of(
        key,
        "temporary key …SHSEVYP5 of i-0dbc91f429e48eeed",
        (
            step("issue", "11:55:22", 1203, f"AssumeRole by ec2.amazonaws.com, until {at('18:15:01')} (6 h 19 m)"),
            *uses,
            step("end", "12:08:06", 1702, "run ends: i-0dbc91f429e48eeed"),
            step("end", "12:08:39", 1711, "role.delete"),
        ),
        answers(
            1203,
            HOLDER=answer(
                Question.HOLDER,
                "proved",
                "every origin is explained by the log: NAT of its network",
                1220,
                1190,
                basis="observed",
            ),
        ),
        not_after=at("18:15:01"),
    )


def unused_chain() -> Chain:
    return chain_of(
        "aws_akid:aws:ASIAEXAMPLELAMBDA0001",
        "temporary key …AMBDA0001 of arn:aws:lambda:us-east-1:123837392027:function:nightly-report",
        (step("issue", "12:01:40", 1502, f"AssumeRole by lambda.amazonaws.com, until {at('23:59:59')} (11 h 58 m)"),),
        answers(1502, END_EFFECTIVE=answer(Question.END_EFFECTIVE, "open", "alive", 1502, until=at("23:59:59"))),
        not_after=at("23:59:59"),
    )


def sample_chains() -> tuple[Chain, ...]:
    return (stolen_chain(), deploy_chain(), hostile_chain(), quiet_chain(), unused_chain())


def many_chains() -> tuple[Chain, ...]:
    """200 chains of 40 steps: the most that a report holds."""
    base = sample_chains()[3]
    return tuple(
        msgspec.structs.replace(
            base, credential=f"c-{n:016x}", keys=(f"aws_akid:aws:ASIA{n:016d}",), stages=base.stages[:40]
        )
        for n in range(200)
    )
