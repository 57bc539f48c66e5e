"""What a rich report has beside itself: a small register, exceptions, an anchor, and the cover of a pack."""

from custody.model.annex import (
    AnchorRef,
    Annex,
    ClaimRef,
    Cover,
    DependencyRef,
    DocumentRef,
    ExceptionRef,
    GrantRef,
    IdentityRef,
    LifecycleRef,
    RegisterRef,
)
from custody.model.report import LeafRef
from tests.reports.sample_chains import HOSTILE

SEALED = LeafRef("operations", 2950)


def claim(field: str, value: str, **more: object) -> ClaimRef:
    usual = {"said_by": "register:payments", "signer": "ann@example.com,team:payments", "vouched": True, "leaf": SEALED}
    return ClaimRef(field=field, value=value, **{**usual, **more})  # type: ignore[arg-type]


def deploy() -> IdentityRef:
    """An identity about whose owner two speak differently."""
    return IdentityRef(
        identity="payments-deploy",
        kind="role",
        declared=True,
        population="machine",
        account="111122223333",
        first_seen="2026-03-02T06:26:30Z",
        last_seen="2026-03-02T11:44:54Z",
        credentials=27,
        alive=4,
        names=("aws_arn:111122223333:arn:aws:iam::111122223333:role/deploy", "payments-deploy"),
        claims=(
            claim("owner", "team:release", said_by="contract:deploy", signer=None, vouched=False, contradicted=True),
            claim(
                "owner", "team:payments", since="2026-01-01T00:00:00Z", expires="2027-01-01T00:00:00Z",
                known_at="2026-01-05T10:00:08Z", contradicted=True,
            ),
            claim("purpose", "deploys the payment service", vouched=False),
            claim("deputy", "ben@example.com", state="expired"),
            claim("privilege", "PowerUserAccess on 111122223333", note="approved by ann@example.com, PAY-7"),
        ),
        grants=(
            GrantRef(kind="attached", what="PowerUserAccess", since="2026-02-01T00:00:00Z", by="admin", leaf=SEALED),
        ),
        grants_total=3,
        lifecycles=(
            LifecycleRef(
                kind="aws_akid", credentials=27, issued=27, endless=1, shortest="15 m", longest="1 h", alive=4, ended=2,
                renewed=0, last_used="2026-03-02T11:44:54Z", leaf=LeafRef("operations", 460),
            ),
        ),
        dependencies=(
            DependencyRef(name="ecr.amazonaws.com", declared=False, observed=True),
            DependencyRef(name="s3.amazonaws.com", declared=True, observed=False),
            DependencyRef(name="sts.amazonaws.com", declared=True, observed=True),
        ),
        missing=(),
    )  # fmt: skip


def stranger() -> IdentityRef:
    """An identity that nobody declared, with a hostile name."""
    return IdentityRef(
        identity=HOSTILE, kind="user", declared=False, population=None, account=None, first_seen=None, last_seen=None,
        credentials=0, alive=0, names=(HOSTILE,), claims=(claim("risk", HOSTILE, said_by="inventory:iam"),), grants=(),
        grants_total=0, lifecycles=(), dependencies=(), missing=("purpose", "owner", "privileges", "lifecycle"),
    )  # fmt: skip


def register() -> RegisterRef:
    return RegisterRef(
        moment="2026-03-02T12:00:00Z",
        total=1234,
        declared=1,
        missing={"owner": 1, "purpose": 1, "privileges": 1, "lifecycle": 1},
        contradicted=1,
        documents=(
            DocumentRef(
                name="payments", digest="aa52f8ad" * 8, by="root@example.com", signer="ann@example.com,team:payments",
                sealed="2026-01-05T10:00:08Z", leaf=SEALED,
            ),
            DocumentRef(name="legacy", digest="00" * 32, by=HOSTILE, signer=None, sealed=None, leaf=SEALED),
        ),
        identities=(deploy(), stranger()),
    )  # fmt: skip


def sample_annex() -> Annex:
    """The annex of a report about a whole store."""
    return Annex(
        register=register(),
        exceptions=(
            ExceptionRef(
                of="legacy-batch", said_by="contract", owner="team:finance-it", reason="no OIDC in the scheduler",
                until="2027-04-01T00:00:00Z", compensating=("flow logs",), over=False,
            ),
            ExceptionRef(
                of=HOSTILE, said_by="document payments", owner="team:payments", reason=HOSTILE,
                until="2026-02-01T00:00:00Z", compensating=(), over=True,
            ),
        ),
        anchors=(AnchorRef(size=2000, how="witness", by="witness.example.org+0a1b2c3d+BK", leaf=SEALED),),
        controls=("NHI2:2025", "NHI4:2025", "AC-12", "PCI 8.6.3"),
    )  # fmt: skip


def cover() -> Cover:
    return Cover(
        made_for="Example Audit Ltd",
        about="control NHI7; a sample of 4, seed 2026-Q1",
        what="credentials that these rules look at: end-effective",
        chosen=4,
        population=157,
        digest="e4b2b481" * 8,
        sample=4,
        seed="2026-Q1",
        populations={"machine": 3, "unknown": 1},
        identities=2,
        findings_of_population=40,
        leaves=140,
        shows=("every entry in the pack is in the log",),
        shows_not=("that there are no other records",),
    )
