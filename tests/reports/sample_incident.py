"""An incident as its pages are given it: approved and unapproved actions, skewed clocks, hostile texts."""

from custody.model.incident_view import (
    ActionView,
    CheckView,
    IncidentView,
    Judged,
    LaneView,
    MissingView,
    MomentView,
    OutcomeView,
    ReachedView,
    ScopeView,
    ShiftView,
    TimelineView,
    Told,
    TouchedView,
)
from custody.model.leaf import LeafRef
from custody.model.report import CheckpointRef

HOSTILE = '=HYPERLINK("http://evil.example")\x1b[31m</pre></svg><script>alert(1)</script>\u202e\n@SUM(1)'
KEY = "aws_akid:aws:ASIATFQR7NSC36DZQP7P"


def at(clock: str) -> str:
    return f"2023-07-10T{clock}Z"


def leaf(index: int, log: str = "operations") -> LeafRef:
    return LeafRef(log, index)


def told(who: str, clock: str, what: str, index: int, **more: object) -> Told:
    log = "approvals" if more.pop("approves", False) else "operations"
    signed = not who.startswith("account:")
    why, cites = more.pop("why", ""), more.pop("cites", ())
    assert not more
    assert isinstance(why, str)
    assert isinstance(cites, tuple)
    return Told(who=who, at=at(clock), what=what, leaf=leaf(index, log), signed=signed, why=why, cites=cites)


def contained() -> ActionView:
    return ActionView(
        action="a-contain-1",
        kind="contain",
        targets=(KEY,),
        content=("aws iam put-role-policy --role-name payments --policy-name deny-before …",),
        status="done",
        asked=told("ann@example.com", "12:21:10", f"asks to contain {KEY}: used from 192.168.10.20", 3001),
        lapses=at("13:21:10"),
        digest="5f" * 32,
        policy="the policies ask for approval",
        policies=("contain-by-responders",),
        approvals_asked="1 of approvers within 30 min",
        decisions=(
            told("ann@example.com", "12:21:40", "approves contain: mine", 3, approves=True, why="its author asked"),
            told("ben@example.com", "12:23:02", "approves contain: agreed", 4, approves=True),
        ),
        done=(told("ann@example.com", "12:25:00", "says to have done contain", 3004, cites=(leaf(4, "approvals"),)),),
        said_at=at("12:24:30"),
        outcome=OutcomeView(
            judged=Judged(
                question="contain had its effect",
                state="proved",
                text="the key ended at 12:24:31, and nothing succeeded with it afterwards",
                basis="observed",
                leaves=(leaf(1711), leaf(1712)),
                count=2,
            ),
            observed_at=at("12:24:31"),
        ),
    )


def revoked() -> ActionView:
    return ActionView(
        action="a-revoke-2",
        kind="revoke",
        targets=("db_role:payments:v-token-deploy-x1",),
        content=('DROP ROLE "v-token-deploy-x1";', HOSTILE),
        status="done without approval",
        asked=told("account:oncall", "12:30:00", "asks to revoke as break-glass, without waiting: it is in use", 3010),
        lapses=at("13:30:00"),
        digest="6a" * 32,
        policy="the policies ask for approval",
        break_glass=True,
        second_by=at("13:00:00"),
        review_by="2023-07-11T12:30:00Z",
        overdue=("second person",),
        unapproved="it was done as break-glass",
        done=(told("account:oncall", "12:31:00", "says to have done revoke", 3011, why="it was done as break-glass"),),
        said_at=at("12:30:20"),
        outcome=OutcomeView(
            judged=Judged(
                question="revoke had its effect",
                state="violated",
                text="the role was dropped, and a session that it opened went on",
                basis="observed",
                parts=("session payments:4711 was not seen to close",),
                leaves=(leaf(1800),),
                count=9,
            ),
            observed_at=at("12:30:21"),
            last_success_after=at("12:33:40"),
            surviving=("db_session:payments:4711",),
        ),
    )


def moment(clock: str, lane: str, kind: str, text: str, index: int, **more: object) -> MomentView:
    party = more.pop("party", "system")
    log = "approvals" if kind == "approve" and party == "person" else "operations"
    usual = {"grade": "exact", "asserter": "verifier", "known": at("12:20:00")}
    fields = {**usual, **more}
    return MomentView(at=at(clock), lane=lane, party=str(party), kind=kind, text=text, leaf=leaf(index, log), **fields)  # type: ignore[arg-type]


def sample_timeline() -> TimelineView:
    ann = {"party": "person", "asserter": "signed", "action": "a-contain-1"}
    skewed = {"shifted": -2.5, "unsure": 0.25, "source": "vault.audit"}
    moments = (
        moment("11:55:22", "AWS", "issue", "AssumeRole by ec2.amazonaws.com, until 18:30:22", 1204, asserter="issuer"),
        moment("11:57:22", "AWS", "use", "sts:GetCallerIdentity from 192.168.10.20", 1310, who="key …36DZQP7P"),
        moment("11:57:23", "AWS", "use", "s3:GetObject on several resources", 1311, count=4120, last=at("12:19:01")),
        moment("11:58:00", "AWS", "secret", "secretsmanager:GetSecretValue on payments/db", 1320, grade="inferred"),
        moment("11:58:10", "AWS", "made", "user.create: arn:aws:iam::123:user/backdoor", 1330, who=HOSTILE),
        moment("11:58:32.500000", "Vault", "issue", "database credentials", 1400, corrected=at("11:58:30"), **skewed),
        moment("12:01:00", "PostgreSQL", "session", "session opened: 4711", 1500),
        moment("12:02:00", "PostgreSQL", "use", HOSTILE, 1501, outcome="denied", grade="bounded"),
        moment("12:05:00", "custody", "finding", "high: used by someone else: 2 calls", 1311, party="custody"),
        moment("12:15:00", "ann@example.com", "aware", "came to know of it", 3000, **{**ann, "grade": "said"}),
        moment("12:20:30", "ann@example.com", "opened", "opens the incident (high): theft", 3000, **ann),
        moment("12:21:10", "ann@example.com", "request", "asks to contain the key", 3001, **ann),
        moment("12:21:40", "ann@example.com", "approve", "approves contain: mine", 3, outcome="void", **ann),
        moment("12:23:02", "ben@example.com", "approve", "approves contain: agreed", 4, **ann),
        moment("12:24:30", "ann@example.com", "done", "says to have done contain", 3004, **{**ann, "grade": "said"}),
        moment("12:24:31", "AWS", "end", "role deleted", 1711, asserter="issuer"),
        moment("12:30:20", "account:oncall", "done", "says to have done revoke", 3011, party="person", grade="said",
               asserter="account", outcome="unapproved", action="a-revoke-2"),
        moment("12:30:21", "PostgreSQL", "end", "role dropped", 1800, asserter="issuer"),
        moment("12:33:40", "PostgreSQL", "use", "SELECT on accounts", 1802, count=9, last=at("12:33:59")),
    )  # fmt: skip
    names = dict.fromkeys((each.party, each.lane) for each in moments)
    return TimelineView(
        moments=moments,
        lanes=tuple(
            LaneView(lane=lane, party=party, moments=sum((each.party, each.lane) == (party, lane) for each in moments))
            for party, lane in sorted(names, key=lambda name: name[0] == "person")
        ),
        reference="aws.cloudtrail",
        shifts=(
            ShiftView(source="aws.cloudtrail", shifted=0.0, unsure=0.0, samples=0, over=(), why="the reference"),
            ShiftView(source="postgresql", shifted=None, unsure=None, samples=0, over=(), why="nothing compares it"),
            ShiftView(source="vault.audit", shifted=-2.5, unsure=0.25, samples=3, over=("aws.cloudtrail",),
                      why="made in both"),
        ),
        left_out=12,
    )  # fmt: skip


def sample_scope() -> ScopeView:
    return ScopeView(
        as_of=at("12:37:50"),
        credentials=(
            ReachedView(credential="c-0000000000000001", key=KEY, who="temporary key …36DZQP7P of i-0dbc91f429e48eeed",
                        why="asked for", join="exact", depth=0, alive=False, ended=at("12:24:31"),
                        first_success=at("11:57:22"), last_success=at("12:19:01"), leaf=leaf(1204)),
            ReachedView(credential="c-0000000000000002", key="db_role:x:y", who=f"database role {HOSTILE}",
                        why=f"a child of {KEY}", join="bounded", depth=1, alive=True, last_success=at("12:33:59")),
            ReachedView(credential="c-0000000000000003", key="aws_akid:aws:ASIAOTHER", who="temporary key …OTHER",
                        why="the same role", join="inferred", depth=0, alive=True, apart=True),
        ),
        credentials_total=3,
        alive=1,
        identities=("payments",),
        runs=("aws_instance:i-0dbc91f429e48eeed",),
        touched=(
            TouchedView(what="secret", name="payments/db", by=KEY, event="secretsmanager:GetSecretValue",
                        first=at("11:58:00"), last=at("11:58:00"), count=1, outcome="success", leaf=leaf(1320)),
            TouchedView(what="user", name=HOSTILE, by=KEY, event="user.create", first=at("11:58:10"),
                        last=at("11:58:10"), count=1, outcome="denied", leaf=leaf(1330)),
        ),
        touched_total=2,
        counts={"secret": 1, "user": 1},
        surviving=("db_session:payments:4711",),
        first_success=at("11:57:22"),
        last_success=at("12:33:59"),
        unknown=("address 203.0.113.9",),
        cut_off=True,
    )  # fmt: skip


def sample_incident() -> IncidentView:
    """The whole of it."""
    return IncidentView(
        incident="inc-2023-07-10-1",
        title="Key of an instance used from outside of it",
        severity="high",
        state="open",
        version="0.1.0",
        opened=told("ann@example.com", "12:20:30", "opens the incident (high): theft; alert of the SIEM", 3000),
        aware=at("12:15:00"),
        seeds=(f"key {KEY}", "address 192.168.10.20"),
        as_of=at("12:37:50"),
        response="7b" * 32,
        notes=(told("ben@example.com", "12:40:00", f"notes: {HOSTILE}", 3020, cites=(leaf(1311),)),),
        actions=(contained(), revoked()),
        answers=(
            Judged(question="who asked, who approved, by which policy", state="unproven", best="claimed",
                       text="an account asked for one of two actions", settles="a signed request",
                       parts=("contain: asked by ann@example.com", "revoke: asked by account:oncall"),
                       leaves=(leaf(3001), leaf(3010))),
            Judged(question="was revocation verified", state="violated", text="a session survived",
                       basis="observed", leaves=tuple(leaf(1800 + n) for n in range(9)), count=9),
            Judged(question="which evidence is missing", state="n/a", text=HOSTILE),
        ),
        checks=(
            CheckView(identity="payments", items=(
                Judged(question="new credential", state="open", text="none was issued since"),
                Judged(question="owner signs", state="proved", text="signed", basis="observed"),
            )),
        ),
        scope=sample_scope(),
        missing=(MissingView(what="not read: data events", source="aws.cloudtrail", settles="what was read"),),
        timeline=sample_timeline(),
        odd=(told("account:oncall", "12:50:00", "says to have done something", 3030, why="no such action"),),
        not_read=("data events", "other regions"),
        checkpoint=CheckpointRef(log="custody.example/operations", size=3031, root="3kFq" * 11),
    )  # fmt: skip
