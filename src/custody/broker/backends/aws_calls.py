"""How AWS is called and what it answers: one call each, never tried twice, and every failure as BackendFailed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from threading import Lock
from typing import Protocol, cast

import msgspec

from custody.broker.backends import asking
from custody.errors import BackendFailed

_BEFORE = frozenset("ConnectTimeoutError EndpointConnectionError NoCredentialsError ParamValidationError".split())
"""What fails before anything was asked of AWS."""
_SILENT = {
    "ConnectTimeoutError": "unreachable",
    "EndpointConnectionError": "unreachable",
    "SSLError": "unreachable",
    "ReadTimeoutError": "no-answer",
    "ConnectionClosedError": "no-answer",
    "NoCredentialsError": "no-secret",
}
_NOT_LET_IN = frozenset(
    "AccessDenied AccessDeniedException InvalidClientTokenId ExpiredToken SignatureDoesNotMatch".split()
)
_BUSY = frozenset("Throttling ThrottlingException LimitExceeded RequestLimitExceeded".split())


class Client(Protocol):
    """What is called of STS and IAM: every answer is a dictionary."""

    def assume_role(self, **asked: object) -> Mapping[str, object]:
        """STS AssumeRole."""
        ...

    def put_role_policy(self, **asked: object) -> Mapping[str, object]:
        """IAM PutRolePolicy."""
        ...

    def delete_role_policy(self, **asked: object) -> Mapping[str, object]:
        """IAM DeleteRolePolicy."""
        ...

    def get_role_policy(self, **asked: object) -> Mapping[str, object]:
        """IAM GetRolePolicy."""
        ...

    def close(self) -> None:
        """Close its connections."""
        ...


class Maker(Protocol):
    """A session of the SDK."""

    def client(self, service: str, **how: object) -> Client:
        """A client of a service."""
        ...


class Credentials(msgspec.Struct, frozen=True, rename="pascal"):
    """What STS made."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expiration: datetime

    def __repr__(self) -> str:
        return f"Credentials({self.access_key_id}, …)"


class AssumedUser(msgspec.Struct, frozen=True, rename="pascal"):
    """Who the session is."""

    assumed_role_id: str
    arn: str


class Metadata(msgspec.Struct, frozen=True):
    """What came with an answer."""

    RequestId: str = ""
    HTTPStatusCode: int = 500


class Answer(msgspec.Struct, frozen=True, rename="pascal"):
    """The answer to AssumeRole."""

    credentials: Credentials
    assumed_role_user: AssumedUser
    packed_policy_size: int | None = None
    source_identity: str | None = None
    response_metadata: Metadata = Metadata()


class _Problem(msgspec.Struct, frozen=True, rename="pascal"):
    code: str = ""


class _Refusal(msgspec.Struct, frozen=True, rename="pascal"):
    error: _Problem = _Problem()
    response_metadata: Metadata = Metadata()


class Calls:
    """Clients for single calls. Sessions of the SDK are not safe to share between threads; the clients are."""

    def __init__(
        self, name: str, *, region: str, endpoint_url: str | None, connect_timeout: float, read_timeout: float
    ) -> None:
        self._name = name
        self._region = region
        self._endpoint_url = endpoint_url
        self._timeouts = connect_timeout, read_timeout
        self._lock = Lock()
        self._maker: Maker | None = None

    @contextmanager
    def client(self, service: str, step: str, credential: tuple[str | None, ...]) -> Iterator[Client]:
        """A client for one call; what goes wrong is a BackendFailed that names ``step``.

        Of AWS's words only the code is kept: the rest may quote what was sent.
        """
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            client = self._made(service, credential)
            try:
                yield client
            finally:
                client.close()
        except ClientError as error:
            code, status = _code(error.response)
            raise self._failed(step, code, left_unknown=status >= 500, reason=_reason(code)) from None
        except BotoCoreError as error:
            kind = type(error).__name__
            reason = _SILENT.get(kind, "failed")
            raise self._failed(step, kind, left_unknown=kind not in _BEFORE, reason=reason) from None
        except (ResponseParserError, LookupError, ValueError, TypeError) as error:
            # An answer that is none of AWS's: the SDK fails over it as it happens to, and quotes all of it.
            raise self._failed(step, type(error).__name__, left_unknown=True, reason="failed") from None

    def _made(self, service: str, credential: tuple[str | None, ...]) -> Client:
        from botocore.config import Config

        access, secret, token = credential
        connect, read = self._timeouts
        config = Config(connect_timeout=connect, read_timeout=read, retries={"total_max_attempts": 1})
        with self._lock:
            self._maker = self._maker or self._begun()
            return self._maker.client(
                service,
                endpoint_url=self._endpoint_url,
                config=config,
                aws_access_key_id=access,
                aws_secret_access_key=secret,
                aws_session_token=token,
            )

    def _begun(self) -> Maker:
        import boto3

        return cast("Maker", boto3.session.Session(region_name=self._region))

    def _failed(self, step: str, found: str, *, left_unknown: bool, reason: str) -> BackendFailed:
        where = f"backend {self._name}"
        return BackendFailed(
            f"AWS did not do it: {step}", reason=reason, where=where, found=found, left_unknown=left_unknown
        )


def there(call: Callable[[], object]) -> bool:
    """Whether what a call is about exists."""
    from botocore.exceptions import ClientError

    try:
        call()
    except ClientError as error:
        if _code(error.response)[0] != "NoSuchEntity":
            raise
        return False
    return True


def _reason(code: str) -> str:
    return "not-let-in" if code in _NOT_LET_IN else "busy" if code in _BUSY else "failed"


def _code(response: object) -> tuple[str, int]:
    try:
        told = msgspec.convert(response, _Refusal)
    except msgspec.ValidationError:
        return "", 500
    return asking.shown(told.error.code).strip("'"), told.response_metadata.HTTPStatusCode
