"""One delegation over Kubernetes, Vault, PostgreSQL and GitHub: its chain, its tree, and how whole its logs are."""

import msgspec

from custody.chains.tree import Branch, Tree
from custody.model.keys import credential_id
from custody.model.report import Certificate, Chain, ClockRef, LeafRef, Related, Scope, ScopePart, Step
from custody.model.verdicts import Question
from tests.reports.sample_chains import answer, answers, chain_of

ROLE = "db_role:postgresql:v-kubernet-app-UguiIuEgGoBmQ3Dy2ch0-1795351442"
TOKEN = "vault_accessor:plain:aqXSnLsH6hnv35NeyAF9iPWe"
POD = "k8s_pod:k8s:2b1d0c5e-0000-4000-8000-00000000a001"
REVIEWED = (
    "k8s_cred:-:JTI=414f04fd-0000-4000-8000-00000000c001",
    "k8s_cred:-:JTI=b8cedf43-0000-4000-8000-00000000c002",
)
ADMIN = "k8s_cred:-:X509SHA256=" + "62cfd6b3" * 8


def at(clock: str) -> str:
    return f"2026-11-22T{clock}Z"


def moment(
    stage: str, clock: str, leaf: int, text: str, rule: str, said: str = "exact, issuer", origin: str | None = None
) -> Step:
    join, _, asserter = said.partition(", ")
    return Step(
        stage=stage,
        time=at(clock),
        event=f"line-{leaf}",
        leaf=LeafRef("operations", leaf),
        join=join,
        asserter=asserter,
        rule=rule,
        text=text,
        origin=origin,
    )


def related(key: str, join: str, leaf: int, grade: str = "exact") -> Related:
    return Related(key=key, credential=credential_id(key), join=join, leaf=LeafRef("operations", leaf), grade=grade)


def database_chain() -> Chain:
    """A database role with every kind of step, many of them in one second."""
    seen = "exact, verifier"
    denied = msgspec.structs.replace(
        moment("use", "12:44:03.100000", 166, "postgresql:SELECT", "database_role", seen, "192.0.2.14"),
        outcome="denied",
    )
    pod = POD.rpartition(":")[2]
    stages = (
        moment("start", "12:44:01", 118, f"run starts: {pod}", "run_end", "bounded, issuer"),
        moment("approve", "12:44:01.500000", 120, "approved by mona, through the run", "github.audit"),
        moment(
            "issue",
            "12:44:02.227475",
            155,
            "database:creds by entity 7c9e6679-0000-4000-8000-00000000e001, until 2026-11-22T13:44:07Z (1 h 4 s)",
            "database_role",
        ),
        moment("start", "12:44:02.247000", 158, "session opened: 6b02e392.3729", "session", seen),
        moment("use", "12:44:02.247000", 158, "postgresql:connection authorized", "database_role", seen, "192.0.2.14"),
        moment("use", "12:44:02.249000", 159, "postgresql:SELECT", "database_role", seen, "192.0.2.14"),
        moment("use", "12:44:02.250000", 160, "postgresql:SELECT", "database_role", seen, "192.0.2.14"),
        moment("use", "12:44:02.260000", 161, "chat payments-agent", "otel.otlp", "exact, self-reported"),
        denied,
        moment("refresh", "12:50:00", 170, "renewed until 2026-11-22T14:44:07Z", "vault.audit"),
        moment("end", "12:51:00.100000", 171, "session closed: 6b02e392.3729", "session", seen),
        moment("end", "12:51:09.900000", 172, "role dropped", "key_end"),
        moment("end", "12:52:00", 180, f"run ends: {pod}", "run_end", "bounded, issuer"),
    )
    return chain_of(
        ROLE,
        f"database role {ROLE.rpartition(':')[2]} of database/creds/app",
        stages,
        answers(155, OWNER=answer(Question.OWNER, "proved", "team:payments", 155, basis="observed")),
        keys=(
            ROLE,
            "db_role_hmac:hmac:" + "87cbf0be" * 8,
            "db_role_hmac:hmac:" + "c05d882f" * 8,
            "vault_lease:vault:database/creds/app/VLYylQ3tQtx3V9wrUMOakoZ7",
        ),
        subject="vault_role:vault:database/creds/app",
        workload=None,
        root=ADMIN,
        parent=related(TOKEN, "vault_parent", 155),
        candidates=(related(REVIEWED[0], "token_review", 133, "inferred"), related(REVIEWED[1], "pod", 134, "bounded")),
        run=POD,
        run_grade="bounded",
        policy="app",
        issued_at=at("12:44:02.227475"),
        not_after=at("13:44:07"),
        provable_until="2026-12-22T12:44:02Z",
        provable_by="postgresql",
    )


def branch(key: str, depth: int, joined: Related | None, who: str, **more: object) -> Branch:
    usual: dict[str, object] = {
        "key": key,
        "credential": credential_id(key),
        "who": who,
        "population": "machine",
        "depth": depth,
        "joined": joined,
        "candidates": 0,
        "issued_at": at("12:44:02"),
        "not_after": at("13:44:07"),
        "ended": None,
        "ended_at": None,
        "alive": True,
        "uses": 2,
        "asked": False,
        "again": False,
        "unshown": 0,
    }
    return msgspec.convert(msgspec.to_builtins({**usual, **more}), Branch)


def delegation() -> Tree:
    """Two pod tokens of one administrator, one of which got the Vault token that got the role."""
    dropped: dict[str, object] = {"ended": "role dropped", "ended_at": at("12:51:09.9"), "alive": False}
    second = {"issued_at": at("12:44:02.284"), "candidates": 2, "not_after": None}
    return Tree(
        key=ROLE,
        as_of=at("12:53:00"),
        above=(related("oidc_subject:issuer.example.org:repo:acme/shop", "pod", 90, "inferred"),),
        branches=(
            branch(ADMIN, 0, None, "", issued_at=None, not_after=None, alive=False, unshown=3),
            branch(
                REVIEWED[0], 1, related(ADMIN, "kubernetes_parent", 117), "Kubernetes credential …0000c001 of shop/shop"
            ),
            branch(
                TOKEN,
                2,
                related(REVIEWED[0], "token_review", 133, "inferred"),
                "Vault token …AF9iPWe of shop/shop",
                **second,
            ),
            branch(
                ROLE,
                3,
                related(TOKEN, "vault_parent", 155),
                "database role x of database/creds/app",
                asked=True,
                **dropped,
            ),
            branch(
                REVIEWED[1],
                1,
                related(ADMIN, "kubernetes_parent", 121),
                "Kubernetes credential …0000c002 of shop/shop",
                uses=0,
            ),
            branch(
                TOKEN,
                2,
                related(REVIEWED[1], "token_review", 133, "inferred"),
                "Vault token …AF9iPWe of shop/shop",
                again=True,
                **second,
            ),
        ),
        cut_off=False,
    )


def certificates() -> tuple[Certificate, ...]:
    """A source with a hole, and one whose vendor signs what it delivers."""
    vault = Certificate(
        source="vault.audit",
        account=None,
        region=None,
        since=at("12:44:01"),
        until=at("12:44:22"),
        how="a request line for each response line",
        expected=111,
        received=109,
        signatures={},
        whole=(),
        problems=tuple(f"call 5d87d991-0000-4000-8000-00000000000{n} has no request line" for n in range(4)),
        problems_total=7,
    )
    signed = msgspec.structs.replace(
        vault,
        source="aws.cloudtrail",
        account="111122223333",
        region="us-east-1",
        how="every file that a digest names",
        expected=12,
        received=12,
        signatures={"valid": 12, "not checked": 0},
        whole=((at("11:00:00"), at("12:00:00")),),
        problems=(),
        problems_total=0,
    )
    return (vault, signed)


def clocks() -> tuple[ClockRef, ...]:
    ahead = ClockRef(source="postgresql", other="vault.audit", apart=0.0083, widest=0.5, samples=32, how="made in both")
    return (ahead, msgspec.structs.replace(ahead, source="vault.audit", other="postgresql", apart=-0.0083))


def scope() -> Scope:
    """Several sources beside the accounts of AWS; Vault with two namespaces."""
    vault = ScopePart(
        source="vault.audit",
        account="root",
        regions=(),
        categories=("approle", "database", "kubernetes"),
        first=at("12:44:01"),
        last=at("12:44:22"),
        events=446,
    )
    return Scope(
        read=(
            vault,
            msgspec.structs.replace(vault, account="team-a", first=at("12:30:00"), events=4),
            msgspec.structs.replace(
                vault, source="postgresql", account=None, categories=("client backend",), events=518
            ),
            msgspec.structs.replace(
                vault,
                source="aws.cloudtrail",
                account="111122223333",
                regions=("us-east-1",),
                categories=("Management",),
            ),
        ),
        not_read=("other accounts", "data events"),
    )
