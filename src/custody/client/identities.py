"""Sources of what proves a workload: read afresh each time, since platforms rotate it, and never shown."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from custody.client.address import checked, shown
from custody.client.carrying import Carrier
from custody.errors import BrokerError, UsageError

JWT = "urn:ietf:params:oauth:token-type:jwt"
MOST = 16 << 10
"""Bytes of a token at most, as the broker has it."""

_TOKEN = re.compile(r"[\x21-\x7e]+", re.ASCII)


class Token:
    """A token on its way to the broker. ``type`` is its RFC 8693 token type."""

    __slots__ = ("_value", "type")

    def __init__(self, value: str, where: str, kind: str = JWT) -> None:
        value = value.strip()
        if not _TOKEN.fullmatch(value) or len(value) > MOST:
            raise UsageError("not a token", where=where, expected=f"one token of at most {MOST} bytes, nothing else")
        self._value = value
        self.type = kind

    def reveal(self) -> str:
        """The token itself: for the request that presents it."""
        return self._value

    def __repr__(self) -> str:
        return "Token(…)"

    def __reduce__(self) -> str:
        """TypeError: a token stays in the process that read it."""
        raise TypeError("a token is not pickled")


class Identity(Protocol):
    """Who asks. ``hidden`` names the variables that lead to the proof: a command that is run does not inherit them."""

    hidden: frozenset[str]

    def token(self) -> Token | None:
        """A token that is valid now; None where the TLS connection proves it. UsageError, BrokerError."""
        ...


class TokenFile:
    """A token in a file: a projected service account token, a JWT-SVID that a helper keeps fresh."""

    hidden = frozenset[str]()

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def token(self) -> Token:
        """The token as it stands in the file now. UsageError."""
        try:
            with self.path.open("rb") as file:
                raw = file.read(MOST + 4)
        except OSError as error:
            raise UsageError(
                "the token cannot be read",
                where=str(self.path),
                found=error.strerror or "an error",
                advice="Give the file in which the platform puts the workload's token.",
            ) from None
        return Token(raw.decode("utf-8", "replace"), str(self.path))


class JwtSvidFile(TokenFile):
    """A JWT-SVID in a file, as spiffe-helper writes it."""


class TokenVariable:
    """A token in a variable of the environment."""

    def __init__(self, name: str, environment: Mapping[str, str] = os.environ) -> None:
        self.name = name
        self.hidden = frozenset({name})
        self._environment = environment

    def token(self) -> Token:
        """The token in the variable. UsageError."""
        found = self._environment.get(self.name)
        if not found:
            raise UsageError("no token", where=self.name, found="no such variable", expected="the workload's token")
        return Token(found, self.name)


class GitLab(TokenVariable):
    """A GitLab CI job: its ``id_tokens`` stand in variables that the job names, each for one audience."""

    def __init__(self, name: str = "CUSTODY_ID_TOKEN", environment: Mapping[str, str] = os.environ) -> None:
        super().__init__(name, environment)


class _Value(msgspec.Struct, frozen=True):
    """GitHub's answer."""

    value: str


class GitHubActions:
    """A GitHub Actions job with ``permissions: id-token: write``: a token for ``audience``, fetched each time."""

    hidden = frozenset({"ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"})

    def __init__(self, audience: str, environment: Mapping[str, str] = os.environ, *, timeout: float = 10.0) -> None:
        self.audience = audience
        self._environment = environment
        self._timeout = timeout

    def token(self) -> Token:
        """A new token of the job. UsageError outside of such a job, BrokerError where GitHub gives none."""
        import httpx

        url = self._environment.get("ACTIONS_ID_TOKEN_REQUEST_URL")
        secret = self._environment.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
        if not url or not secret:
            raise UsageError(
                "this is no GitHub Actions job that may have a token",
                where="ACTIONS_ID_TOKEN_REQUEST_URL",
                found="no such variable",
                advice="Give the job `permissions: id-token: write`.",
            )
        base = checked(url, "ACTIONS_ID_TOKEN_REQUEST_URL", query=True)
        held = Token(secret, "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
        address = str(httpx.URL(base).copy_merge_params({"audience": self.audience}))
        with Carrier(timeout=self._timeout, what="the issuer of the job's token") as carrier:
            answer = carrier.ask("GET", address, {"authorization": f"Bearer {held.reveal()}"})
        try:
            if answer.status == 200:
                return Token(msgspec.json.decode(answer.body, type=_Value).value, shown(base))
        except msgspec.DecodeError:
            pass
        raise BrokerError(
            "GitHub gives the job no token", reason="no-token", where=shown(base), found=f"status {answer.status}"
        )


class Svid:
    """An X.509-SVID in two PEM files: the certificate of the TLS connection. Read for each request: SVIDs rotate."""

    hidden = frozenset[str]()

    def __init__(self, certificate: str | Path, key: str | Path) -> None:
        self.certificate = Path(certificate)
        self.key = Path(key)

    def token(self) -> None:
        """None: the connection proves it."""
