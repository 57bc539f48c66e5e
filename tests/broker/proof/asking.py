"""Provers as the tests ask them: one place that runs them, and that looks at what a refusal says."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import pytest

from custody.broker.proof.fetching import Fetch, Limits, guarded
from custody.broker.proof.held import Held
from custody.broker.proof.key_set import PublicKeys, parsed_keys
from custody.broker.proof.oidc import OidcProver
from custody.broker.proof.prover import TOKEN_JWT, Presented, Proved
from custody.broker.proof.refusals import REASONS
from custody.errors import IdentityRefused
from custody.model.times import microseconds
from custody.settings.broker_file import OidcIssuer
from tests.broker.issuer import Issuer, SigningKey

NOW = microseconds("2026-11-22T12:00:00Z") or 0
SECOND = NOW // 1_000_000
ISSUER = "https://issuer.example.com"


class CanProve(Protocol):
    async def prove(self, presented: Presented, now: int) -> Proved: ...


def presented(token: bytes, *certificates: bytes, kind: str = TOKEN_JWT) -> Presented:
    return Presented(token=token, type=kind, certificate=certificates)


def prove(prover: CanProve, token: bytes, now: int = NOW, *certificates: bytes) -> Proved:
    return asyncio.run(prover.prove(presented(token, *certificates), now))


def refusal(call: Callable[[], object], *hidden: bytes) -> IdentityRefused:
    """The refusal of a call: a known reason, and no part of what was presented in any of its words."""
    with pytest.raises(IdentityRefused) as caught:
        call()
    error = caught.value
    text = f"{error!r} {error} {error.advice} {error.__reduce__()}"
    assert error.reason in REASONS
    assert error.message == REASONS[error.reason]
    assert error.__cause__ is None
    assert "must-not-stay" not in text
    behind = error.__context__
    while behind is not None:
        text += f" {behind!r} {behind.args} {vars(behind)}"
        behind = behind.__context__
    for part in re.findall(r"[A-Za-z0-9_-]{12,}", b" ".join(hidden).decode("latin-1")):
        assert part not in text
    return error


def reason(prover: CanProve, token: bytes, now: int = NOW, *certificates: bytes) -> str:
    return refusal(lambda: prove(prover, token, now, *certificates), token).reason


def source(*keys: SigningKey, more: Sequence[dict[str, object]] = ()) -> Held[PublicKeys]:
    """Keys that need no server."""
    import json

    document = json.dumps({"keys": [*(key.jwk() for key in keys), *more]}).encode()

    async def load() -> PublicKeys:
        return parsed_keys(document, ISSUER)

    return Held(load)


def of_issuer(issuer: str = ISSUER, **more: object) -> OidcIssuer:
    return OidcIssuer(**{"issuer": issuer, "audience": "custody", **more})  # type: ignore[arg-type]


def prover(*keys: SigningKey, **more: object) -> OidcProver:
    return OidcProver(of_issuer(**more), source(*keys or (SigningKey(),)))  # type: ignore[arg-type]


def claims(**said: object) -> dict[str, object]:
    usual = {"iss": ISSUER, "aud": "custody", "sub": "workload", "iat": SECOND, "exp": SECOND + 300, "jti": "j-1"}
    return {name: value for name, value in {**usual, **said}.items() if value is not None}


def token(key: SigningKey | None = None, header: dict[str, object] | None = None, **said: object) -> bytes:
    return (key or SigningKey()).sign(claims(**said), header)


def fetching(issuer: Issuer, *, whole: float = 5.0, size: int = 1 << 16) -> Fetch:
    """A guarded fetch that may reach the issuer."""
    return guarded(private=True, authority=issuer.authority, limits=Limits(whole=whole, size=size))


def together(*calls: Awaitable[object]) -> list[object]:
    async def all_of() -> list[object]:
        return list(await asyncio.gather(*calls, return_exceptions=True))

    return asyncio.run(all_of())
