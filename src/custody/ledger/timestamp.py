"""Time stamps (RFC 3161, updated by RFC 5816) over a whole checkpoint note: its text and its signatures.

A time-stamping authority signs that these bytes existed at its time. The SHA-256 of the note is what it sees. Requests
ask for the authority's certificates, so that the answer can be checked for as long as a root is trusted.
Needs the extra ``timestamp`` (rfc3161-client).
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec
from cryptography import x509

from custody.errors import LogError, UsageError

if TYPE_CHECKING:
    from rfc3161_client import TimeStampResponse

QUERY = "application/timestamp-query"
REPLY = "application/timestamp-reply"
MAX_REPLY = 48_000
"""Bytes in the longest answer that is kept: one statement holds it."""


class Stamped(msgspec.Struct, frozen=True):
    """A time stamp that holds: when (µs since 1970, the authority's clock), its serial number, and the authority."""

    time: int
    serial: str
    authority: str


class Query(msgspec.Struct, frozen=True):
    """A request as it is sent, and the nonce that the answer must carry."""

    data: bytes
    nonce: int


def query(note: bytes) -> Query:
    """The request to stamp ``note``, with a nonce and the wish for certificates."""
    _installed()
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    builder = TimestampRequestBuilder().data(note).hash_algorithm(HashAlgorithm.SHA256)
    built = builder.nonce(nonce=True).cert_request(cert_request=True).build()
    assert built.nonce is not None
    return Query(built.as_bytes(), built.nonce)


def roots_of(pem: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates in a PEM file; LogError where there are none."""
    try:
        return tuple(x509.load_pem_x509_certificates(pem))
    except ValueError as error:
        raise LogError("not certificates in PEM", found=str(error).partition(". ")[0]) from None


def check(answer: bytes, note: bytes, roots: tuple[x509.Certificate, ...], nonce: int | None = None) -> Stamped:
    """What the time stamp ``answer`` says of ``note``, under ``roots``.

    LogError where it is not granted, of other bytes, not signed by an authority for time stamping under these roots,
    or (``nonce`` given) not the answer to that request.
    """
    _installed()
    from rfc3161_client import VerificationError, VerifierBuilder

    response = _decoded(answer)
    if not roots:
        raise LogError("a time stamp cannot be checked without the root of its authority")
    builder = VerifierBuilder(roots=list(roots), nonce=nonce)
    try:
        builder.build().verify(response, sha256(note).digest())
    except (VerificationError, ValueError) as error:
        raise LogError("a time stamp does not hold", found=str(error)[:200], expected="one over this note") from None
    return described(response)


def described(response: TimeStampResponse) -> Stamped:
    """What an answer says, unchecked."""
    info = response.tst_info
    value = getattr(info.name, "value", info.name)
    name = value.rfc4514_string() if isinstance(value, x509.Name) else str(value or "")
    return Stamped(int(info.gen_time.timestamp() * 1_000_000), str(info.serial_number), name[:200])


def _decoded(answer: bytes) -> TimeStampResponse:
    from rfc3161_client import decode_timestamp_response

    if len(answer) > MAX_REPLY:
        raise LogError("a time stamp is too long", found=f"{len(answer)} bytes", expected=f"at most {MAX_REPLY}")
    try:
        response = decode_timestamp_response(answer)
        _ = response.tst_info  # a refusal carries none
    except (ValueError, TypeError) as error:
        raise LogError("not a granted time stamp", found=str(error)[:200]) from None
    return response


def _installed() -> None:
    try:
        import rfc3161_client  # noqa: F401  # only whether it is there
    except ImportError:
        raise UsageError("time stamps need the extra timestamp", advice="pip install 'custody[timestamp]'") from None
