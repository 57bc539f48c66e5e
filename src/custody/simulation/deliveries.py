"""CloudTrail's deliveries: log files by account, region and five minutes, and signed digest files by the hour.

Formats: "CloudTrail log file name format" and "CloudTrail digest file structure", AWS CloudTrail User Guide. What is
signed: the end of the digest, bucket and object, the SHA-256 of its content, the signature before it, one a line.
"""

import base64
import gzip
import hashlib
from collections.abc import Iterator

import msgspec

from custody.simulation.chance import BASE62, Chance
from custody.simulation.entry import Entry, encoded
from custody.simulation.piece import Piece
from custody.simulation.rsa import PrivateKey
from custody.simulation.times import HOUR, MINUTE, START, day, long_stamp, seconds, stamp
from custody.simulation.world import BUCKET, HOME, MAIN, REGION, SECOND

WINDOW = 5 * MINUTE
PLACES = tuple(f"{account}/{region}" for account in (MAIN, SECOND) for region in (HOME, REGION))
ALGORITHM = "SHA-256"


class Delivered(msgspec.Struct, frozen=True):
    """A log file: its object, the hash of its content, and the first and last time in it."""

    name: str
    digest: str
    oldest: int
    newest: int


class Chain(msgspec.Struct):
    """Where the chain of digests of one place stands."""

    name: str | None = None
    content: str | None = None
    signature: str | None = None


class Deliveries:
    """Holds the windows that are open. ``stopped`` tells until when (µs) a place delivers, where it stops."""

    def __init__(self, chance: Chance, key: PrivateKey) -> None:
        self._chance = chance
        self._key = key
        self._windows: dict[tuple[int, str], list[tuple[int, bytes]]] = {}
        self._files: dict[str, list[Delivered]] = {place: [] for place in PLACES}
        self._chains = {place: Chain() for place in PLACES}
        self._hour = START
        self.stopped: dict[str, int] = {}

    @property
    def fingerprint(self) -> str:
        """By what the digests name the key."""
        return hashlib.sha256(self._key.public).hexdigest()[:32]

    def take(self, entry: Entry) -> None:
        """One record, for the window in which it is delivered."""
        window = (entry.time + entry.delay - START) // WINDOW + 1
        self._windows.setdefault((START + window * WINDOW, entry.place), []).append((entry.time, entry.line))

    def advance(self, time: int) -> Iterator[Piece]:
        """Deliver the windows and sign the hours that are over."""
        while self._hour + HOUR <= time:
            yield from self._deliver(self._hour + HOUR)
            yield from self._sign(self._hour + HOUR)
            self._hour += HOUR
        yield from self._deliver(time)

    def finish(self, until: int) -> Iterator[Piece]:
        """Deliver the last windows, whose hour is not over and so not signed; then the list of public keys."""
        yield from self.advance(until)
        yield from self._deliver(max((window for window, _ in self._windows), default=until))
        yield self._public_keys(until)

    def _deliver(self, time: int) -> Iterator[Piece]:
        for window, place in sorted(key for key in self._windows if key[0] <= time):
            yield self._log_file(window, place, self._windows.pop((window, place)))

    def _log_file(self, window: int, place: str, records: list[tuple[int, bytes]]) -> Piece:
        account, region = place.split("/")
        content = b'{"Records":[' + b",".join(line for _, line in records) + b"]}"
        suffix = self._chance.fork(window, place).letters(BASE62, 16)
        name = f"AWSLogs/{account}/CloudTrail/{region}/{day(window)}/"
        name += f"{account}_CloudTrail_{region}_{stamp(window)}_{suffix}.json.gz"
        times = [time for time, _ in records]
        digest = hashlib.sha256(content).hexdigest()
        self._files[place].append(Delivered(name, digest, min(times), max(times)))
        return Piece(f"aws/{name}", gzip.compress(content, 6, mtime=0))

    def _sign(self, end: int) -> Iterator[Piece]:
        for place in PLACES:
            if end <= self.stopped.get(place, end):
                yield self._digest(place, end)

    def _digest(self, place: str, end: int) -> Piece:
        account, region = place.split("/")
        chain, files = self._chains[place], self._files[place]
        name = f"AWSLogs/{account}/CloudTrail-Digest/{region}/{day(end)}/"
        name += f"{account}_CloudTrail-Digest_{region}_{BUCKET}_{HOME}_{long_stamp(end)}.json.gz"
        content = encoded(self._fields(account, name, end, chain, files))
        digest = hashlib.sha256(content).hexdigest()
        text = f"{seconds(end)}\n{BUCKET}/{name}\n{digest}\n{chain.signature or 'null'}"
        chain.name, chain.content, chain.signature = name, digest, self._key.sign(text.encode()).hex()
        files.clear()
        return Piece(f"aws/{name}", gzip.compress(content, 6, mtime=0))

    def _fields(self, account: str, name: str, end: int, chain: Chain, files: list[Delivered]) -> dict[str, object]:
        return {
            "awsAccountId": account,
            "digestStartTime": seconds(end - HOUR),
            "digestEndTime": seconds(end),
            "digestS3Bucket": BUCKET,
            "digestS3Object": name,
            "digestPublicKeyFingerprint": self.fingerprint,
            "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": seconds(max(each.newest for each in files)) if files else None,
            "oldestEventTime": seconds(min(each.oldest for each in files)) if files else None,
            "previousDigestS3Bucket": BUCKET if chain.name else None,
            "previousDigestS3Object": chain.name,
            "previousDigestHashValue": chain.content,
            "previousDigestHashAlgorithm": ALGORITHM if chain.name else None,
            "previousDigestSignature": chain.signature,
            "logFiles": [_named(each) for each in files],
        }

    def _public_keys(self, until: int) -> Piece:
        key = {
            "Value": base64.b64encode(self._key.public).decode(),
            "ValidityStartTime": seconds(START - 24 * HOUR).replace("Z", "+00:00"),
            "ValidityEndTime": seconds(until + 24 * HOUR).replace("Z", "+00:00"),
            "Fingerprint": self.fingerprint,
        }
        listed = msgspec.json.format(encoded({"PublicKeyList": [key]}), indent=4)
        return Piece("aws/public-keys.json", listed + b"\n")


def _named(each: Delivered) -> dict[str, str]:
    return {
        "s3Bucket": BUCKET,
        "s3Object": each.name,
        "hashValue": each.digest,
        "hashAlgorithm": ALGORITHM,
        "newestEventTime": seconds(each.newest),
        "oldestEventTime": seconds(each.oldest),
    }
