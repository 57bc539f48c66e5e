"""The service put together from a broker file: a real ID token, the groups that it names, the clock of this machine."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import msgspec
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from litestar.testing import AsyncTestClient

from custody.errors import UsageError
from custody.serve.approving.serving import application, serve
from custody.settings.broker_file import Approvals, BrokerFile, People, Webhook
from tests.broker.approvals.requests import BROKER, Estate, identifier, request
from tests.end_to_end.conftest import settings_for

ISSUER, AUDIENCE = "https://login.example.com", "custody-approvals"
KEY = ECKey.generate_key("P-256", {"kid": "one"})


def token(**changed: object) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "iat": now, "exp": now + 300, "groups": ["releasers"]}
    return jwt.encode({"alg": "ES256", "kid": "one", "typ": "JWT"}, {**claims, **changed}, KEY)


def file_in(folder: Path, **changed: object) -> BrokerFile:
    (folder / "jwks.json").write_text(json.dumps({"keys": [KEY.as_dict(private=False)]}))
    people = People(issuer=ISSUER, audience=AUDIENCE, jwks="jwks.json", roles={"approver": ("releasers",)})
    whole = BrokerFile(broker=BROKER, issuer="https://tunnel.example.com", people=people, folder=str(folder))
    return msgspec.structs.replace(whole, **changed)


def test_who_signs_in_with_a_token_of_the_issuer_decides(tmp_path: Path) -> None:
    estate, body = Estate(tmp_path), request(request=identifier(1, time.time_ns() // 1000))
    estate.seal([body])
    settings = settings_for(tmp_path, approval_keys=str(estate.approver))
    path, message = f"/requests/{body.request}/decisions", {"verdict": "grant", "reason": "x", "digest": body.digest}

    async def played() -> list[int]:
        async with AsyncTestClient(application(settings, file_in(tmp_path), {})) as client:
            statuses = []
            for each in (token(aud="another"), token(groups=["others"]), token(exp=1), token()):
                found = await client.post(path, json=message, headers={"Authorization": f"Bearer {each}"})
                statuses.append(found.status_code)
            assert found.json()["approver"] == "person:login.example.com:ann"
        return statuses

    assert asyncio.run(played()) == [401, 403, 401, 201]
    sealed = b"".join(path.read_bytes() for path in estate.root.rglob("*") if path.is_file())
    assert token().split(".", maxsplit=1)[0].encode() not in sealed


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"approvals": Approvals(address="0.0.0.0:8441")}, "in the clear"),
        ({"approvals": Approvals(webhooks=(Webhook(name="chat", secret="env:NONE"),))}, "where the secret should be"),
        ({"approvals": Approvals(webhooks=(Webhook(name="chat", secret="env:SHORT"),))}, "not the secret of a webhook"),
        ({"approvals": Approvals(address="nowhere")}, "not an address"),
    ],
)
def test_what_cannot_be_served_is_said_before_anything_is(
    tmp_path: Path, changed: dict[str, object], told: str
) -> None:
    with pytest.raises(UsageError, match=told) as caught:
        serve(settings_for(tmp_path), file_in(tmp_path, **changed), {"SHORT": "must-not-stay"})

    assert "must-not-stay" not in str(caught.value)
