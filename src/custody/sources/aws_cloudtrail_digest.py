# ruff: noqa: N815 - fields have the names that they have in the log
"""AWS CloudTrail digest files: which log files were delivered, hour by hour, each hour signed and chained to the last.

Log format: "CloudTrail digest file structure", AWS CloudTrail User Guide; one JSON document a file. The public keys
come from ``aws cloudtrail list-public-keys``. The signature of a digest stands in the next one, so that all but the
newest can be checked offline; the newest needs the metadata of its S3 object, which no file holds.
"""

import hashlib

import msgspec

from custody.model.events import Event, Outcome, Part, Skip, Stage
from custody.model.records import Identity, Wrapping
from custody.sources import identities
from custody.sources.decoding import events_of
from custody.sources.moments import SECOND, rfc3339
from custody.sources.source import Source

SCHEME = "digest/1"
DIGEST_FILE = "digest.file"
DIGEST = "digest.period"
PUBLIC_KEY = "digest.public_key"


class LogFile(msgspec.Struct, frozen=True, gc=False):
    """One log file that the digest vouches for: its hash is of the decompressed bytes."""

    s3Object: str
    hashValue: str
    hashAlgorithm: str = "SHA-256"


class Digest(msgspec.Struct, frozen=True, gc=False):
    """One digest file."""

    awsAccountId: str
    digestStartTime: str
    digestEndTime: str
    digestS3Bucket: str
    digestS3Object: str
    digestPublicKeyFingerprint: str
    previousDigestSignature: str | None
    previousDigestS3Object: str | None = None
    previousDigestHashValue: str | None = None
    logFiles: list[LogFile] = msgspec.field(default_factory=list)


class PublicKey(msgspec.Struct, frozen=True, gc=False):
    """One key of ``list-public-keys``: PKCS #1 DER in base64."""

    Value: str
    Fingerprint: str
    ValidityStartTime: str | float | int
    ValidityEndTime: str | float | int


class Signed(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What the check of a digest's signature needs, kept in the event's ``tags``.

    ``content`` is the SHA-256 (hex) of the digest file; ``previous`` the signature of the digest before it.
    """

    content: str
    bucket: str
    name: str
    end: str
    fingerprint: str
    previous: str | None
    previous_name: str | None
    previous_hash: str | None


_DIGEST = msgspec.json.Decoder(Digest)
_KEY = msgspec.json.Decoder(PublicKey)


def recognise(raw: bytes) -> bool:
    """Whether ``raw`` looks like a digest file or one of the public keys that sign them."""
    return b'"digestStartTime"' in raw or (b'"Fingerprint"' in raw and b'"ValidityStartTime"' in raw)


def identify(raw: bytes) -> Identity | None:
    """A digest by its place in the bucket, a key by its fingerprint. Neither holds a secret: signatures are public."""
    try:
        if b'"digestStartTime"' in raw:
            found = _DIGEST.decode(raw)
            return Identity(SCHEME, identities.canonical(f"{found.digestS3Bucket}/{found.digestS3Object}"))
        return Identity(SCHEME, identities.canonical(f"key/{_KEY.decode(raw).Fingerprint}"))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def read(kept: bytes, _form: str) -> tuple[Event, ...] | Skip:
    """One event a digest, with a part a log file that it names; one event a key."""
    if b'"digestStartTime"' in kept:
        return events_of(kept, _DIGEST, lambda found: (_digest(found, hashlib.sha256(kept).hexdigest()),))
    return events_of(kept, _KEY, lambda found: (_key(found),))


def _digest(found: Digest, content: str) -> Event:
    signed = Signed(
        content=content,
        bucket=found.digestS3Bucket,
        name=found.digestS3Object,
        end=found.digestEndTime,
        fingerprint=found.digestPublicKeyFingerprint,
        previous=found.previousDigestSignature,
        previous_name=found.previousDigestS3Object,
        previous_hash=found.previousDigestHashValue,
    )
    files = (
        Part(stage=Stage.INVENTORY, effect=DIGEST_FILE, object=each.s3Object, related=each.hashValue.lower())
        for each in found.logFiles
        if each.hashAlgorithm == "SHA-256"
    )
    return Event(
        id=f"{found.digestS3Bucket}/{found.digestS3Object}",
        time=rfc3339(found.digestEndTime, "$.digestEndTime"),
        service="cloudtrail.amazonaws.com",
        action="DeliverDigest",
        outcome=Outcome.SUCCESS,
        parts=(Part(stage=Stage.INVENTORY, effect=DIGEST, object=found.digestS3Object), *files),
        account=found.awsAccountId,
        region=_region(found.digestS3Object),
        created=rfc3339(found.digestStartTime, "$.digestStartTime"),
        resource=found.digestS3Object,
        tags=msgspec.json.encode(signed).decode(),
    )


def _region(name: str) -> str | None:
    """The region in ``AWSLogs/<account>/CloudTrail-Digest/<region>/…``."""
    _, found, rest = name.partition("/CloudTrail-Digest/")
    return rest.partition("/")[0] or None if found else None


def _key(found: PublicKey) -> Event:
    start = found.ValidityStartTime
    moment = rfc3339(start, "$.ValidityStartTime") if isinstance(start, str) else round(start * SECOND)
    return Event(
        id=f"key/{found.Fingerprint}",
        time=moment,
        service="cloudtrail.amazonaws.com",
        action="ListPublicKeys",
        outcome=Outcome.SUCCESS,
        parts=(Part(stage=Stage.INVENTORY, effect=PUBLIC_KEY, object=found.Fingerprint, related=found.Value),),
    )


SOURCE = Source(
    name="aws.cloudtrail_digest",
    title="AWS CloudTrail digest files",
    wrappings=(Wrapping(form="public-keys", container="PublicKeyList"),),
    recognise=recognise,
    identify=identify,
    read=read,
    marks=(b'"digestStartTime"', b'"ValidityStartTime"'),
    time_resolution=SECOND,
    delivery_delay=2 * 3600 * SECOND,
    proves="which log files CloudTrail delivered in which hour, and that none was changed or left out since",
    enable="aws cloudtrail update-trail --name TRAIL --enable-log-file-validation; keep AWSLogs/…/CloudTrail-Digest/ "
    "too, and the output of aws cloudtrail list-public-keys --start-time … beside it",
)
