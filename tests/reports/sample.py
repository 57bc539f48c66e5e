"""A rich report, as an audit of a small attacked account would give it, hostile values included."""

import msgspec

from custody.model.report import (
    CheckpointRef,
    ContractRef,
    Coverage,
    Keys,
    QuestionCounts,
    Ratio,
    Report,
    Run,
    Scope,
    ScopePart,
)
from custody.model.verdicts import Basis, Finding, Question, Severity, State
from tests.reports.sample_chains import HOSTILE, STOLEN, at, deploy_chain, hostile_chain, stolen_chain


def finding(name: str, severity: Severity, title: str, who: str, text: str, **more: object) -> Finding:
    usual: dict[str, object] = {
        "id": name,
        "rule": "used-by-holder",
        "severity": severity,
        "title": title,
        "subject": STOLEN,
        "credential": None,
        "who": who,
        "text": text,
        "why": "A machine's key at work where another principal works is the mark of a stolen key.",
        "action": "Contain the key (custody contain), then look at what it did and what was made with it.",
        "question": Question.HOLDER.value,
        "state": State.VIOLATED,
        "basis": Basis.OBSERVED,
        "controls": ("NHI2:2025", "NHI9:2025", "ASI03", "AC-2(12)", "DE.CM-03", "CC7.2"),
        "count": 12,
        "leaves": (810, 812, 900, 1190, 1204, 1220, 1310, 1311),
    }
    return msgspec.convert(msgspec.to_builtins({**usual, **more}), Finding)


def sample_findings() -> tuple[Finding, ...]:
    return (
        finding(
            "f-3a9c04d2e1b75f68",
            Severity.HIGH,
            "used by someone else",
            "temporary key …36DZQP7P of i-0dbc91f429e48eeed",
            "2 calls from 192.168.10.20, where a key of bert-jan works; the workload's own address is 3.225.16.109 "
            "(NAT of its network)",
            credential=stolen_chain().credential,
        ),
        finding(
            "f-77aa04d2e1b75f00",
            Severity.HIGH,
            "end without effect",
            "temporary key …LOY0001 of github:acme/payments:environment:prod",
            "1 successful call after the end",
            credential=deploy_chain().credential,
            rule="end-effective",
            why="Revoked in one log is not dead in another.",
            count=3,
            leaves=(1990, 2300, 5100),
            action="End it again by a way that is verified, and look at what it did in between.",
            controls=("NHI1:2025", "ASI10", "AC-12", "IR-4"),
            question=Question.END_EFFECTIVE.value,
        ),
        finding(
            "f-0123456789abcdef",
            Severity.MEDIUM,
            "no known issuance",
            f"key … of {HOSTILE}",
            f"used 3 times by {HOSTILE}, and no log says who issued it",
            credential=hostile_chain().credential,
            subject=HOSTILE,
            state=State.UNPROVEN,
            basis=None,
            count=3,
            leaves=(77, 78, 79),
            rule="issuance-recorded",
        ),
        finding(
            "f-89ab000000000001",
            Severity.MEDIUM,
            "source with holes",
            "123837392027_CloudTrail_us-east-1_20230710T1205Z.json.gz",
            "truncated gzip: 41 of an unknown number of records were read",
            rule="source-with-holes",
            question=None,
            why="What a hole hides can be neither proved nor ruled out.",
            controls=("AU-5", "AU-12", "PR.PS-04", "10.7.2"),
            action="Fetch the file again, or find out why nothing was delivered.",
            count=1,
            leaves=(44,),
        ),
        *(
            finding(
                f"f-cafe00000000000{n}",
                Severity.LOW,
                "variant copies",
                f"aws.cloudtrail in form {n}",
                "the copies differ only in fields that one form lacks",
                rule="variant-copies",
                question=None,
                count=n,
                leaves=tuple(range(n)),
                controls=("AU-10",),
            )
            for n in range(3)
        ),
    )


def question_counts() -> tuple[QuestionCounts, ...]:
    known = {
        Question.BOUND: (6, 0, 0, 0, 0, 0, 0),
        Question.HOLDER: (2, 1, 1, 0, 2, 1, 0),
        Question.OWNER: (0, 0, 6, 0, 0, 0, 1),
        Question.PURPOSE: (0, 0, 6, 0, 0, 0, 1),
        Question.APPROVED: (0, 0, 0, 0, 6, 0, 0),
        Question.END_EFFECTIVE: (3, 1, 0, 2, 0, 0, 0),
        Question.END_RECORDED: (4, 0, 0, 2, 0, 0, 0),
        Question.RENEWED: (1, 0, 0, 0, 5, 0, 0),
        Question.PRIVILEGE: (0, 0, 6, 0, 0, 4, 0),
        Question.DECIDED: (0, 0, 6, 0, 0, 0, 0),
    }
    rows = [(question, known.get(question, (6, 0, 0, 0, 0, 0, 0))) for question in Question]
    return tuple(
        QuestionCounts(
            question=question.value,
            proved=row[0],
            violated=row[1],
            unproven=row[2],
            open=row[3],
            not_applicable=row[4],
            indicated=row[5],
            claimed=row[6],
            judged=question is not Question.DECIDED,
        )
        for question, row in rows
    )


def sample_report() -> Report:
    why = "owner, purpose: no contract or register yet; not judged yet: decided by which policy"
    return Report(
        version="0.1.0",
        as_of=at("12:37:50"),
        records=2943,
        understood=2900,
        skips=2,
        skipped={"not-json": 1, "duplicate-keys": 1},
        duplicates=41,
        conflicts=1,
        variants=3,
        events=2899,
        keys=Keys(issued=38, used=133, joined=8),
        credentials={"machine": 6, "person": 36, "provider-internal": 20, "unknown": 2},
        forward_sessions={"total": 99, "with candidate parents": 81, "parent unknown": 18},
        unissued={"console": 24, "forward access session": 99, "older than the logs": 2},
        links={"exact": 118, "bounded": 0, "inferred": 161},
        coverage=Coverage(
            population=Ratio(count=None, of=None, why="no orchestrator was read"),
            chains=Ratio(count=0, of=6, why=why),
            identities=Ratio(count=0, of=4, why=why),
            questions=question_counts(),
            cheapest_fix="a contract with owner and purpose",
            cheapest_fix_settles=12,
            contract=None,
        ),
        scope=Scope(
            read=(
                ScopePart(
                    source="aws.cloudtrail",
                    account="123837392027",
                    regions=("us-east-1",),
                    categories=("Management",),
                    first=at("11:42:04"),
                    last=at("12:37:50"),
                    events=2871,
                ),
                ScopePart(
                    source="aws.cloudtrail",
                    account="210987654321",
                    regions=("eu-central-1", "eu-west-1", "us-east-1"),
                    categories=("Data", "Management"),
                    first=at("11:59:58"),
                    last="2023-07-11T09:00:00Z",
                    events=29,
                ),
            ),
            not_read=(
                "other accounts",
                "other regions",
                "data events",
                "network activity events",
                "orchestrators",
                "approvals",
            ),
        ),
        findings=sample_findings(),
        contract=ContractRef(digest=None, classes=0, not_judged=()),
        acquisitions=55,
        checkpoint=CheckpointRef(
            log="custody.local/operations/6f1d2c", size=2957, root="3kFqT0yJH0Wk5c0mJ7pZs0kqO3iK4c2a1bqv0l9yZ1Q="
        ),
        run=Run(files=55, records=2943, new=2900, duplicates=41, seconds=0.08),
    )


def empty_report() -> Report:
    """An audit of nothing: every absent value absent."""
    nothing = Ratio(count=None, of=None, why="no machine credential was seen")
    return msgspec.structs.replace(
        sample_report(),
        as_of=None,
        records=0,
        understood=0,
        skips=0,
        skipped={},
        duplicates=0,
        conflicts=0,
        variants=0,
        events=0,
        keys=Keys(0, 0, 0),
        credentials={},
        forward_sessions={},
        unissued={},
        links={},
        findings=(),
        coverage=Coverage(
            population=nothing,
            chains=nothing,
            identities=nothing,
            questions=(),
            cheapest_fix=None,
            cheapest_fix_settles=0,
            contract=None,
        ),
        scope=Scope(read=(), not_read=()),
        acquisitions=0,
        checkpoint=None,
        run=None,
    )
