"""A broker's log as a broker writes it, and what two targets write of the same credentials."""

from __future__ import annotations

import msgspec

from custody.model import brokered
from custody.model.broker_terms import Asked, Decision, Ending, Intent, Plan, PolicyRef, Proof, Verdict
from custody.model.brokered import Body, Entry, Issued, Request
from custody.model.times import microseconds, text

DAY = "2026-03-02T"
POD = "k8s_service_account:shop:shop/api"
UID = "33333333-3333-4333-8333-333333333333"
TOKEN = "k8s_cred:shop:JTI=11111111-1111-4111-8111-111111111111"
SET = "5" * 64
HOUR = 3600
ACCOUNT = "111122223333"


def moment(time: str) -> str:
    """A time of the day of the cases (``HH:MM:SS``, with a fraction or not) as the broker writes it."""
    return text(microseconds(f"{DAY}{time}Z")) or ""


def chain(number: int) -> str:
    """A chain id that is easy to tell from others."""
    return f"cc-01jq{number:022d}"


def request_of(number: int) -> str:
    return f"rq-01jq{number:022d}"


def digest(number: int) -> str:
    return f"{number:064x}"


def role(number: int) -> str:
    return chain(number).replace("-", "_")


class Log:
    """The lines of one broker, numbered and chained."""

    def __init__(self, broker: str = "shop-broker") -> None:
        self.broker = broker
        self.lines: list[bytes] = []

    def add(self, time: str, body: Body, chain_id: str | None = None) -> int:
        """Write an entry; gives its ``seq``."""
        prev = brokered.digest_of(self.lines[-1]) if self.lines else brokered.NO_LINE
        entry = Entry(
            custody=brokered.FORMAT, broker=self.broker, seq=len(self.lines) + 1, prev=prev, at=moment(time),
            body=body, chain=chain_id,
        )  # fmt: skip
        self.lines.append(brokered.line(entry))
        return entry.seq

    def file(self, leaving_out: tuple[int, ...] = ()) -> bytes:
        """The log as a file, without the lines of these numbers."""
        return b"".join(line + b"\n" for seq, line in enumerate(self.lines, 1) if seq not in leaving_out)


def proof(token: str | None = TOKEN, **given: object) -> Proof:
    plain = Proof(
        method="oidc", issuer="https://k8s.shop.test", subject="system:serviceaccount:shop:api", workload=POD,
        digest="a" * 64, key="thumbprint", trust="b" * 64, expires=moment("11:00:00"), granularity="pod",
        run=f"k8s_pod:k8s:{UID}", credential=token,
    )  # fmt: skip
    return msgspec.structs.replace(plain, **given)


def decision(verdict: Verdict, asked: Asked | None = None) -> Decision:
    return Decision(
        verdict=verdict, engine="cedarpy/4.12", policy_set=SET, schema="6" * 64, entities="7" * 64, request="8" * 64,
        policies=() if verdict is Verdict.DENY else (PolicyRef("shop-database", "9" * 64),),
        why="no-permit-matched" if verdict is Verdict.DENY else "", asked=asked,
    )  # fmt: skip


def asked(
    number: int, verdict: Verdict, until: str | None = None, backend: str = "database", **given: object
) -> Request:
    """A request with its decision; with ``until`` it plans a credential."""
    plan = None if until is None else Plan(
        backend=backend, kind="postgresql", ends=Ending.KILLED_WITH_SESSIONS, name=role(number), ttl=HOUR,
        not_after=moment(until), scope=("read",),
    )  # fmt: skip
    wants = Asked(count=1, group="leads", within=900) if verdict is Verdict.APPROVAL else None
    plain = Request(
        request=request_of(number), digest=digest(number), proof=proof(), decision=decision(verdict, wants), plan=plan,
        intent=Intent(backend=backend, scope=("read",), purpose="nightly report", ticket="OPS-7"), origin="192.0.2.10",
    )  # fmt: skip
    return msgspec.structs.replace(plain, **given)


def issued(number: int, decided: int, key: str, until: str, **given: object) -> Issued:
    plain = Issued(
        request=request_of(number), decided=decided, backend="database", type="postgresql",
        ends=Ending.KILLED_WITH_SESSIONS, keys=(key,), not_after=moment(until), requester=POD, workload=POD,
        identity="shop-api", granularity="pod", run=f"k8s_pod:k8s:{UID}", parent=TOKEN, scope=("read",),
        policies=(PolicyRef("shop-database", "9" * 64),), policy_set=SET,
    )  # fmt: skip
    return msgspec.structs.replace(plain, **given)


class Database:
    """The lines of one session of PostgreSQL each, numbered."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self._numbers: dict[str, int] = {}

    def line(self, time: str, user: str, session: str, message: str) -> None:
        number = self._numbers[session] = self._numbers.get(session, 0) + 1
        stamp = f"2026-03-02 {time[:8]}.{(time[9:] or '0').ljust(3, '0')} UTC"
        self.lines.append(msgspec.json.encode({
            "timestamp": stamp, "user": user, "dbname": "shop", "pid": 100, "remote_host": "192.0.2.10",
            "remote_port": 40001, "session_id": session, "line_num": number, "ps": "idle",
            "session_start": "2026-03-02 09:00:00 UTC", "vxid": f"4/{number}", "txid": 0, "error_severity": "LOG",
            "message": message, "application_name": "api", "backend_type": "client backend", "query_id": 0,
        }))  # fmt: skip

    def make(self, time: str, name: str, until: str) -> None:
        """The broker's own role makes one."""
        said = (
            f"statement: CREATE ROLE \"{name}\" WITH LOGIN PASSWORD 'must-not-stay' VALID UNTIL '2026-03-02 {until}+00'"
        )
        self.line(time, "custody_broker", "69a55f3c.64", said)

    def drop(self, time: str, name: str) -> None:
        self.line(time, "custody_broker", "69a55f3c.64", f'statement: DROP ROLE "{name}"')

    def log_in(self, time: str, name: str, session: str) -> None:
        self.line(time, name, session, f"connection authorized: user={name} database=shop application_name=api")

    def log_out(self, time: str, name: str, session: str) -> None:
        self.line(
            time, name, session, f"disconnection: session time: 0:00:02.016 user={name} database=shop host=192.0.2.10"
        )

    def file(self) -> bytes:
        return b"".join(line + b"\n" for line in self.lines)


class Trail:
    """Records of CloudTrail: roles assumed by the broker or by others, and what was done with them."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def _add(self, time: str, name: str, who: object, request: object, response: object) -> None:
        number = len(self.lines) + 1
        self.lines.append(msgspec.json.encode({
            "eventVersion": "1.09", "userIdentity": who, "eventTime": f"{DAY}{time}Z",
            "eventSource": "sts.amazonaws.com", "eventName": name, "awsRegion": "eu-west-1",
            "sourceIPAddress": "198.51.100.7", "userAgent": "example/1.0", "requestParameters": request,
            "responseElements": response, "requestID": f"cccccccc-0000-4000-8000-{number:012d}",
            "eventID": f"dddddddd-0000-4000-8000-{number:012d}", "readOnly": True, "eventType": "AwsApiCall",
            "managementEvent": True, "recipientAccountId": ACCOUNT, "eventCategory": "Management",
        }))  # fmt: skip

    def assume(self, time: str, by: str, key: str, name: str, receipt: str | None, until: str) -> None:
        """Somebody with the key ``by`` assumes the role ``reports``; ``until`` is like ``11:00:00 AM``."""
        who = {
            "type": "IAMUser", "principalId": "AIDAEXAMPLE", "arn": f"arn:aws:iam::{ACCOUNT}:user/{by}",
            "accountId": ACCOUNT, "accessKeyId": by, "userName": by.lower(),
        } if by.startswith("AKIA") else self._session(by, "first")  # fmt: skip
        self._add(time, "AssumeRole", who, {
            "roleArn": f"arn:aws:iam::{ACCOUNT}:role/reports", "roleSessionName": name,
            **({"sourceIdentity": receipt} if receipt else {}),
        }, {
            "credentials": {
                "accessKeyId": key, "sessionToken": "must-not-stay", "expiration": f"Mar 2, 2026, {until}",
            },
            "assumedRoleUser": {
                "assumedRoleId": f"AROAEXAMPLEREPORTS:{name}",
                "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/reports/{name}",
            },
        })  # fmt: skip

    def call(self, time: str, key: str, name: str) -> None:
        self._add(time, "GetCallerIdentity", self._session(key, name), None, None)

    def _session(self, key: str, name: str) -> object:
        return {
            "type": "AssumedRole", "principalId": f"AROAEXAMPLEREPORTS:{name}",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/reports/{name}", "accountId": ACCOUNT, "accessKeyId": key,
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role", "principalId": "AROAEXAMPLEREPORTS",
                    "arn": f"arn:aws:iam::{ACCOUNT}:role/reports", "accountId": ACCOUNT, "userName": "reports",
                },
                "attributes": {"creationDate": f"{DAY}10:00:00Z", "mfaAuthenticated": "false"},
            },
        }  # fmt: skip

    def file(self) -> bytes:
        return b"".join(line + b"\n" for line in self.lines)
