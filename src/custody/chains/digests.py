"""Which hours of CloudTrail are whole: digests tiled over time, their signatures, and the files that they name.

Walking the pointers from digest to digest sees a missing one only while its neighbour is there; tiling the hours counts
every missing hour in full, and a cut-off tail is an hour like any other. Algorithm: "CloudTrail log file integrity
validation", AWS CloudTrail User Guide: RSA PKCS #1 v1.5 over SHA-256, with the key named by its fingerprint.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from itertools import groupby

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

SOURCE = "aws.cloudtrail"
VERIFIED = "verified"
NOT_CHECKED = "not checked"
WRONG = "wrong"


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """One digest: its hour [``start``, ``end``) in µs, what its signature covers, and the files that it names.

    ``signature`` (hex) is the one that the next digest holds of this one, None where no next one was read.
    """

    leaf: int
    account: str
    region: str
    start: int
    end: int
    content: str
    place: str
    end_text: str
    fingerprint: str
    previous: str | None
    previous_place: str | None
    signature: str | None
    files: tuple[tuple[str, str], ...]


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What one digest's hour came to. ``missing`` and ``changed`` are names of log files."""

    digest: Digest
    signature: str
    missing: tuple[str, ...]
    changed: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether every file that the hour had was read, and the digest is proved to be CloudTrail's."""
        return self.signature == VERIFIED and not self.missing and not self.changed


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """The digests of one account and region: how many hours there should be, and the stretches that are whole."""

    account: str
    region: str
    since: int
    until: int
    digests: int
    absent: int
    expected: int
    received: int
    signatures: tuple[tuple[str, int], ...]
    whole: tuple[tuple[int, int], ...]
    problems: tuple[tuple[str, int], ...]


def check(digest: Digest, keys: Mapping[str, bytes], contents: Mapping[str, frozenset[str]]) -> Checked:
    """Verify one digest, and look for its files: ``contents`` maps the name of a file read to its hashes."""
    missing, changed = [], []
    for name, wanted in digest.files:
        hashes = contents.get(name.rpartition("/")[2])
        if hashes is None:
            missing.append(name)
        elif wanted not in hashes:
            changed.append(name)
    return Checked(digest=digest, signature=_signature(digest, keys), missing=tuple(missing), changed=tuple(changed))


def _signature(digest: Digest, keys: Mapping[str, bytes]) -> str:
    der = keys.get(digest.fingerprint)
    if der is None or digest.signature is None:
        return NOT_CHECKED
    text = f"{digest.end_text}\n{digest.place}\n{digest.content}\n{digest.previous or 'null'}"
    try:
        key = load_der_public_key(der)
        if not isinstance(key, RSAPublicKey):
            return WRONG
        key.verify(binascii.unhexlify(digest.signature), text.encode(), PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return WRONG
    return VERIFIED


def public_key(value: str) -> bytes | None:
    """The DER of a key as ``list-public-keys`` gives it, None where it is no base64."""
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        return None


def spans(checked: Sequence[Checked], until: int | None = None) -> tuple[Span, ...]:
    """What the digests of each account and region come to, tiled over time.

    ``until`` is the time (µs) up to which digests must have come by now: what is missing before it was cut off.
    """
    ordered = sorted(checked, key=lambda each: (each.digest.account, each.digest.region, each.digest.start))
    grouped = groupby(ordered, key=lambda each: (each.digest.account, each.digest.region))
    return tuple(_span(account, region, list(those), until) for (account, region), those in grouped)


def _span(account: str, region: str, those: Sequence[Checked], until: int | None) -> Span:
    length = max(those[0].digest.end - those[0].digest.start, 1)
    gaps = _gaps(those)
    last = max(each.digest.end for each in those)
    if until is not None and until - last >= length:
        gaps.append((last, until))
    counts = {name: sum(each.signature == name for each in those) for name in (VERIFIED, NOT_CHECKED, WRONG)}
    return Span(
        account=account,
        region=region,
        since=those[0].digest.start,
        until=max(each.digest.end for each in those),
        digests=len(those),
        absent=sum(-(-(end - start) // length) for start, end in gaps),
        expected=sum(len(each.digest.files) for each in those),
        received=sum(len(each.digest.files) - len(each.missing) for each in those),
        signatures=tuple((name, count) for name, count in counts.items() if count),
        whole=_whole(those),
        problems=tuple(_problems(those, gaps)),
    )


def _gaps(those: Sequence[Checked]) -> list[tuple[int, int]]:
    found, reached = [], those[0].digest.end
    for each in those[1:]:
        if each.digest.start > reached:
            found.append((reached, each.digest.start))
        reached = max(reached, each.digest.end)
    return found


def _whole(those: Sequence[Checked]) -> tuple[tuple[int, int], ...]:
    """The longest stretches of whole hours without a gap between them."""
    stretches: list[tuple[int, int]] = []
    for each in those:
        if not each.whole:
            continue
        start, end = each.digest.start, each.digest.end
        if stretches and stretches[-1][1] >= start:
            stretches[-1] = (stretches[-1][0], max(end, stretches[-1][1]))
        else:
            stretches.append((start, end))
    return tuple(stretches)


CHANGED = "was changed: its hash is not that of the digest"
FORGED = "the signature is wrong"


def is_change(problem: str) -> bool:
    """Whether a problem says that something was changed, and not merely that it is missing."""
    return problem.endswith((CHANGED, FORGED))


def _problems(those: Sequence[Checked], gaps: Sequence[tuple[int, int]]) -> list[tuple[str, int]]:
    """Each problem in words with the leaf that shows it; the digest after a gap shows the gap."""
    found: list[tuple[str, int]] = []
    after = {each.digest.start: each.digest.leaf for each in those}
    newest = max(those, key=lambda each: each.digest.end).digest.leaf
    found += [
        (f"no digest for {(end - start) // 3_600_000_000 or 1} h{'' if end in after else ', to the end'}", leaf)
        for start, end in gaps
        for leaf in (after.get(end, newest),)
    ]
    for each in those:
        leaf = each.digest.leaf
        found += [(f"{name} {CHANGED}", leaf) for name in each.changed]
        found += [(f"{name} is named by the digest and was not read", leaf) for name in each.missing]
        if each.signature == WRONG:
            found.append((f"{each.digest.place}: {FORGED}", leaf))
    return found
