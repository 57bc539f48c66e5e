"""The service of approvals over HTTP: who may, what is taken, what is said, and what never is."""

from __future__ import annotations

import asyncio
import hmac
import json
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from pathlib import Path

import httpx
import msgspec
import pytest
from litestar.testing import AsyncTestClient

from custody.broker.approvals.decision import read
from custody.broker.approvals.webhooks import Secret
from custody.errors import IdentityRefused, UsageError
from custody.pipeline import approvals
from custody.pipeline.approving.desk import ApprovalDesk
from custody.serve.approving.app import build
from custody.serve.approving.parts import ApprovalParts, Approver
from custody.serve.approving.serving import address_of, secret_of
from custody.settings.broker_file import Approvals, BrokerFile
from tests.broker.approvals.requests import BROKER, NOW, RQ, SECOND, WITHIN, Estate, acting, identifier, proof, request

LOGIN = "person:login.example.com:"
KEY = b"must-not-stay-" + b"k" * 18
SECRET = "whsec_" + b64encode(KEY).decode()
GROUPS = {
    "releasers": (LOGIN + "ann", LOGIN + "bob", LOGIN + "dora", "person:webhook/chat:U1", "person:webhook/chat:U2")
}
ROLES = {"ann": "approver", "bob": "approver", "dora": "approver", "max": "auditor", "root": "admin", "nil": ""}
TWO = request(2, count=2)
BODY = {"verdict": "grant", "reason": "the release is planned", "digest": request().digest}
Answer = Callable[["Service"], Awaitable[None]]


class Tokens:
    """Knows people by tokens ``must-not-stay-NAME``."""

    async def approver(self, token: bytes, now: int) -> Approver:
        name = token.decode("utf-8", "replace").removeprefix("must-not-stay-")
        if name not in ROLES:
            raise IdentityRefused("the token does not verify", reason="bad-signature")
        return Approver(key=LOGIN + name, roles=frozenset({ROLES[name]}), facts={"issuer": "https://login.example.com"})


class Service:
    """The application over a store, called as a client does; ``now`` is its clock."""

    def __init__(self, folder: Path) -> None:
        self.estate, self.time = Estate(folder), NOW + 60 * SECOND
        self.estate.seal([request(), TWO])
        desk = ApprovalDesk(
            self.estate.root, self.estate.approver, self.now, by="ops@host", groups=GROUPS, broker=BROKER
        )
        webhooks = {"chat": Secret(SECRET, "chat")}
        self.app = build(ApprovalParts(desk=desk, clock=self, sign_in=Tokens(), webhooks=webhooks))
        self.client: AsyncTestClient = AsyncTestClient(self.app, raise_server_exceptions=False)  # type: ignore[type-arg]

    def now(self) -> int:
        return self.time

    async def get(self, path: str, who: str | None = "ann") -> httpx.Response:
        return await self.client.get(path, headers=_bearer(who))

    async def decide(self, who: str | None, name: str = RQ, **changed: object) -> httpx.Response:
        return await self.client.post(f"/requests/{name}/decisions", json={**BODY, **changed}, headers=_bearer(who))

    async def hook(self, body: Mapping[str, object], key: bytes = KEY, **headers: str) -> httpx.Response:
        return await self.send(json.dumps(body).encode(), key, **headers)

    async def send(self, raw: bytes, key: bytes = KEY, name: str = "chat", **headers: str) -> httpx.Response:
        told = {"id": "msg-1", "timestamp": str(self.time // SECOND), **headers}
        code = hmac.digest(key, f"{told['id']}.{told['timestamp']}.".encode() + raw, sha256)
        told.setdefault("signature", "v1," + b64encode(code).decode())
        found = {f"webhook-{each}": value for each, value in told.items()}
        return await self.client.post(f"/webhooks/{name}", content=raw, headers=found)

    def sealed(self) -> list[tuple[str, str, str]]:
        found = (read(each.leaf, each.entry) for each in approvals.everything(self.estate.root).said)
        return [(e.decision.approver, e.decision.verdict, e.decision.method) for e in found if e is not None]


def _bearer(who: str | None) -> dict[str, str]:
    return {} if who is None else {"Authorization": f"Bearer must-not-stay-{who}"}


def hook(approver: str = "U1", **changed: object) -> dict[str, object]:
    return {**BODY, "request": RQ, "approver": approver, **changed}


def running(folder: Path, play: Answer) -> Service:
    """Play against a service; everything that was answered or sealed is looked through for what must not stay."""
    service = Service(folder)
    answered: list[bytes] = []

    async def played() -> None:
        async with service.client as client:
            client.event_hooks["response"] = [lambda found: _keep(found, answered)]
            await play(service)

    asyncio.run(played())
    files = [path.read_bytes() for path in service.estate.root.rglob("*") if path.is_file()]
    assert not any(b"must-not-stay" in each or SECRET.encode() in each for each in (*answered, *files))
    return service


async def _keep(found: httpx.Response, answered: list[bytes]) -> None:
    answered.append(await found.aread() + str(found.headers).encode())


def reason(found: httpx.Response) -> tuple[int, str]:
    assert found.headers["content-type"] == "application/problem+json"
    assert found.json()["status"] == found.status_code
    return found.status_code, found.json()["type"].removeprefix("urn:custody:problem:")


def test_a_request_is_shown_approved_and_then_counted(tmp_path: Path) -> None:
    async def play(service: Service) -> None:
        shown = (await service.get(f"/requests/{RQ}")).json()
        assert sha256(shown["shown"].encode()).hexdigest() == shown["digest"] == request().digest
        assert (shown["state"], shown["asked"]["count"], shown["granted"]) == ("pending", 1, [])
        found = await service.decide("ann", digest=shown["digest"])
        assert (found.status_code, found.json()["sealed"], found.json()["approver"]) == (201, True, LOGIN + "ann")
        after = (await service.get(f"/requests/{RQ}", "max")).json()
        assert (after["state"], after["granted"]) == ("approved", [LOGIN + "ann"])
        assert [each["why"] for each in after["decisions"]] == [""]
        assert [each["request"] for each in (await service.get("/requests?state=pending")).json()] == [identifier(2)]

    assert running(tmp_path, play).sealed() == [(LOGIN + "ann", "grant", "oidc")]


def test_answers_are_kept_nowhere_and_run_nothing(tmp_path: Path) -> None:
    async def play(service: Service) -> None:
        for found in (await service.get("/requests"), await service.get("/requests/rq-none"), await service.get("/no")):
            assert found.headers["cache-control"] == "no-store"
            assert found.headers["content-security-policy"].startswith("default-src 'none'")
            assert found.headers["x-content-type-options"] == "nosniff"
        assert (await service.get("/healthz", None)).json() == {"status": "ok"}
        document = (await service.get("/docs/openapi.json", None)).json()
        assert document["openapi"].startswith("3.1")
        assert {path: [each["description"] for each in item.values()] for path, item in document["paths"].items()} == {
            "/requests": ["Roles: admin, approver, auditor, operator"],
            "/requests/{request_id}": ["Roles: admin, approver, auditor, operator"],
            "/requests/{request_id}/decisions": ["Roles: approver"],
            "/webhooks/{name}": ["Who has the secret of the webhook"],
            "/healthz": ["Anybody who reaches the service"],
        }

    running(tmp_path, play)


def test_who_may_do_what(tmp_path: Path) -> None:
    async def play(service: Service) -> None:
        for who, read_status, decide_status in (
            (None, 401, 401), ("eve", 401, 401), ("nil", 403, 403), ("max", 200, 403), ("root", 200, 403),
        ):  # fmt: skip
            assert (await service.get("/requests", who)).status_code == read_status, who
            assert (await service.get(f"/requests/{RQ}", who)).status_code == read_status, who
            assert (await service.decide(who)).status_code == decide_status, who
        for header in ("Basic must-not-stay-ann", "Bearer", "Bearer " + "a" * 20_000, ""):
            found = await service.client.get("/requests", headers={"Authorization": header})
            assert reason(found) == (401, "not-signed-in")
            assert found.headers["www-authenticate"] == "Bearer"

    assert running(tmp_path, play).sealed() == []


def test_what_is_refused_says_why_and_seals_nothing(tmp_path: Path) -> None:
    async def play(service: Service) -> None:
        for changed, told in (
            ({"digest": TWO.digest}, (409, "wrong-digest")),
            ({"digest": ""}, (409, "wrong-digest")),
            ({"reason": " "}, (422, "reason-or-time")),
            ({"until": "2027-01-01T00:00:00Z"}, (422, "until")),
            ({"verdict": "withdraw"}, (409, "nothing-to-withdraw")),
            ({"verdict": "maybe"}, (400, "malformed")),
            ({"approver": "somebody else"}, (400, "malformed")),
            ({"reason": 5}, (400, "malformed")),
            ({"reason": "x" * 20_000}, (413, "too-long")),
        ):
            assert reason(await service.decide("ann", **changed)) == told, changed
        assert reason(await service.decide("ann", identifier(9))) == (404, "not-found")
        assert reason(await service.client.put("/requests")) == (405, "method")
        raw = await service.client.post(f"/requests/{RQ}/decisions", content=b"{", headers=_bearer("ann"))
        assert reason(raw) == (400, "malformed")
        service.time = NOW + WITHIN * SECOND
        assert reason(await service.decide("ann")) == (409, "too-late")

    assert running(tmp_path, play).sealed() == []


def test_nobody_approves_their_own_request(tmp_path: Path) -> None:
    mine = {
        3: request(3, proof=proof(issuer="https://login.example.com", subject="ann", person=True)),
        4: request(4, actors=acting("ann")),
        5: request(5, proof=proof(claims={"actor": "ANN"})),
    }

    async def play(service: Service) -> None:
        service.estate.seal(list(mine.values()), first=3)
        for body in mine.values():
            assert reason(await service.decide("ann", body.request, digest=body.digest)) == (403, "barred")
        assert (await service.decide("bob", mine[4].request, digest=mine[4].digest)).status_code == 201
        assert reason(await service.decide("dora")) == (403, "barred")  # who started the run

    assert running(tmp_path, play).sealed() == [(LOGIN + "bob", "grant", "oidc")]


def test_people_race_and_each_counts_once(tmp_path: Path) -> None:
    async def play(service: Service) -> None:
        who = ["ann", "bob", "ann", "bob", "ann"]
        calls = (service.decide(each, identifier(2), digest=TWO.digest) for each in who)
        statuses = [each.status_code for each in await asyncio.gather(*calls)]
        assert sorted(statuses) == [201, 201, 409, 409, 409]
        assert (await service.get(f"/requests/{identifier(2)}")).json()["state"] == "approved"

    sealed = running(tmp_path, play).sealed()
    assert sorted(sealed) == [(LOGIN + "ann", "grant", "oidc"), (LOGIN + "bob", "grant", "oidc")]


def test_a_signed_webhook_decides_and_its_repetition_does_not(tmp_path: Path) -> None:
    async def play(service: Service) -> None:
        first, again = await service.hook(hook()), await service.hook(hook())
        assert (first.status_code, again.status_code, again.json()["sealed"]) == (201, 200, False)
        assert again.json()["leaf"] == first.json()["leaf"]
        assert reason(await service.hook(hook("U2"))) == (409, "replayed")
        assert reason(await service.hook(hook(), id="msg-2")) == (409, "replayed")
        assert reason(await service.hook(hook("U9"), id="msg-3")) == (403, "not-in-group")
        denied = await service.hook(hook("U2", verdict="deny"), id="msg-4")
        assert (denied.status_code, denied.json()["approver"]) == (201, "person:webhook/chat:U2")
        assert (await service.get(f"/requests/{RQ}")).json()["state"] == "rejected"

    sealed = running(tmp_path, play).sealed()
    assert sealed == [("person:webhook/chat:U1", "grant", "webhook"), ("person:webhook/chat:U2", "deny", "webhook")]


def test_a_webhook_that_is_not_signed_so_and_now_is_refused(tmp_path: Path) -> None:
    async def play(service: Service) -> None:
        raw, seconds = json.dumps(hook()).encode(), service.time // SECOND
        right = "v1," + b64encode(hmac.digest(KEY, b"msg-1.%d." % seconds + raw, sha256)).decode()
        for told, headers in (
            ("webhook-bad-signature", {"signature": ""}),
            ("webhook-bad-signature", {"signature": "v1,!!!"}),
            ("webhook-bad-signature", {"signature": right.replace("v1,", "v1a,")}),
            ("webhook-bad-signature", {"signature": right, "id": "msg-2"}),
            ("webhook-bad-signature", {"signature": right, "timestamp": str(seconds + 1)}),
            ("webhook-bad-signature", {"signature": " ".join(["v1,AAAA"] * 8 + [right])}),
            ("webhook-malformed", {"id": ""}),
            ("webhook-malformed", {"id": "a.b c"}),
            ("webhook-malformed", {"timestamp": "now"}),
            ("webhook-stale", {"timestamp": str(seconds - 301)}),
            ("webhook-stale", {"timestamp": str(seconds + 301)}),
            ("webhook-unknown", {"name": "mail"}),
        ):
            assert reason(await service.send(raw, **headers)) == (401, told), headers  # type: ignore[arg-type]
        assert reason(await service.send(raw, b"x" * 32)) == (401, "webhook-bad-signature")
        assert reason(await service.send(raw + b" ", signature=right)) == (401, "webhook-bad-signature")

    assert running(tmp_path, play).sealed() == []


def test_a_signed_message_that_is_no_decision_is_refused(tmp_path: Path) -> None:
    async def play(service: Service) -> None:
        for raw in (b"", b"[]", b"\xff", b'{"request":"x"}', json.dumps(hook(groups=["releasers"])).encode()):
            assert reason(await service.send(raw)) == (422, "malformed")
        assert reason(await service.hook(hook(""))) == (422, "malformed")
        assert reason(await service.hook(hook("U1\u202e"))) == (422, "malformed")
        other = "v1,AAAA " + "v2,BBBB "
        raw = json.dumps(hook()).encode()
        right = "v1," + b64encode(hmac.digest(KEY, b"msg-1.%d." % (service.time // SECOND) + raw, sha256)).decode()
        assert (await service.send(raw, signature=other + right)).status_code == 201

    running(tmp_path, play)


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_" + b64encode(b"short").decode(), b64encode(KEY).decode(), "whsec_*"]
)
def test_a_secret_is_one_or_is_refused_and_shows_itself_nowhere(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Secret(text, "chat")

    assert len(text) < 10 or text not in str(caught.value)
    assert "must-not-stay" not in repr(Secret(SECRET, "chat")) + str(caught.value)


FILE = BrokerFile(broker=BROKER, issuer="https://tunnel.example.com")


def test_the_secret_is_where_the_file_says(tmp_path: Path) -> None:
    file = msgspec.structs.replace(FILE, folder=str(tmp_path))
    (tmp_path / "secret").write_text(f"{SECRET}\n")

    assert secret_of("file:secret", file, {}, "chat") == secret_of("env:HOOK", file, {"HOOK": SECRET}, "chat") == SECRET


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        (
            "env:NONE",
            "chat: nothing is where the secret should be (found the environment variable NONE, which is not set",
        ),
        ("env:EMPTY", "found the environment variable EMPTY, which is empty"),
        ("file:none", "none: No such file or directory"),
        ("file:binary", "binary: not text"),
        ("file:", "nothing is where the secret should be (expected env:NAME or file:PATH)"),
        ("env:", "nothing is where the secret should be (expected env:NAME or file:PATH)"),
        (f"env:{SECRET}", "nothing is where the secret should be (expected"),
        (SECRET, "nothing is where the secret should be (expected"),
    ],
)
def test_a_secret_that_is_missing_is_named_and_one_in_its_place_is_not_shown(
    tmp_path: Path, reference: str, told: str
) -> None:
    (tmp_path / "binary").write_bytes(b"must-not-stay\xff")
    with pytest.raises(UsageError) as caught:
        secret_of(
            reference,
            msgspec.structs.replace(FILE, folder=str(tmp_path)),
            {"": "must-not-stay", "EMPTY": "", SECRET: "must-not-stay"},
            "chat",
        )

    assert told in str(caught.value)
    assert "must-not-stay" not in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "found"),
    [("127.0.0.1:8441", ("127.0.0.1", 8441)), ("[::1]:1", ("::1", 1)), ("8441", None), ("a:b", None)],
)
def test_an_address_is_a_host_and_a_port(address: str, found: tuple[str, int] | None) -> None:
    file = msgspec.structs.replace(FILE, approvals=Approvals(address=address))
    if found is None:
        with pytest.raises(UsageError, match="not an address"):
            address_of(file)
    else:
        assert address_of(file) == found
