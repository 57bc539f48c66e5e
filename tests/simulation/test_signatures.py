"""The key of a seed is a real RSA key, and the digests are signed and chained as CloudTrail's are."""

import base64
import gzip
import hashlib
import itertools
import json
from collections import defaultdict

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from custody.simulation import rsa
from custody.simulation.chance import Chance
from custody.simulation.deliveries import PLACES
from tests.simulation.conftest import HOURS, Made, content

Digest = dict[str, object]


def public(der: bytes) -> RSAPublicKey:
    key = load_der_public_key(der)
    assert isinstance(key, RSAPublicKey)
    return key


def test_the_key_is_one_that_others_take() -> None:
    key = rsa.make(Chance("a key"))

    public(key.public).verify(key.sign(b"text"), b"text", PKCS1v15(), SHA256())
    with pytest.raises(InvalidSignature):
        public(key.public).verify(key.sign(b"text"), b"another", PKCS1v15(), SHA256())
    assert public(key.public).key_size == rsa.BITS
    assert rsa.make(Chance("a key")) == key


def digests(made: Made) -> dict[str, list[tuple[Digest, bytes]]]:
    """By place, in order: each digest with its bytes."""
    found: dict[str, list[tuple[Digest, bytes]]] = defaultdict(list)
    for path in sorted(made.logs.glob("aws/AWSLogs/*/CloudTrail-Digest/**/*.gz")):
        raw = content(path)
        account, region = path.relative_to(made.logs).parts[2], path.relative_to(made.logs).parts[4]
        found[f"{account}/{region}"].append((json.loads(raw), raw))
    return found


def test_every_hour_of_every_place_has_a_digest(clean: Made) -> None:
    found = digests(clean)

    assert sorted(found) == sorted(PLACES)
    for chain in found.values():
        starts = [each["digestStartTime"] for each, _ in chain]
        assert starts == [f"2026-03-02T{6 + hour:02d}:00:00Z" for hour in range(HOURS)]
        assert [each["previousDigestS3Object"] for each, _ in chain] == [
            None,
            *(each["digestS3Object"] for each, _ in chain[:-1]),
        ]


def test_each_signature_is_that_of_the_digest_before(clean: Made) -> None:
    listed = json.loads((clean.logs / "aws/public-keys.json").read_bytes())["PublicKeyList"][0]
    key = public(base64.b64decode(listed["Value"]))

    for chain in digests(clean).values():
        for (digest, raw), (following, _) in itertools.pairwise(chain):
            assert digest["digestPublicKeyFingerprint"] == listed["Fingerprint"]
            assert following["previousDigestHashValue"] == hashlib.sha256(raw).hexdigest()
            place = f"{digest['digestS3Bucket']}/{digest['digestS3Object']}"
            previous = digest["previousDigestSignature"] or "null"
            text = f"{digest['digestEndTime']}\n{place}\n{hashlib.sha256(raw).hexdigest()}\n{previous}"
            signature = bytes.fromhex(str(following["previousDigestSignature"]))
            key.verify(signature, text.encode(), PKCS1v15(), SHA256())


def hashes(made: Made) -> dict[str, str]:
    """The names of log files with the hashes that digests have for them."""
    every = [digest for chain in digests(made).values() for digest, _ in chain]
    return {str(each["s3Object"]): str(each["hashValue"]) for digest in every for each in digest["logFiles"]}  # type: ignore[attr-defined]


def test_digests_name_every_file_but_those_of_the_hour_that_is_not_over(clean: Made) -> None:
    named = hashes(clean)

    for name, value in named.items():
        assert hashlib.sha256(gzip.decompress((clean.logs / "aws" / name).read_bytes())).hexdigest() == value
    written = {
        str(path.relative_to(clean.logs / "aws")) for path in clean.logs.glob("aws/AWSLogs/*/CloudTrail/**/*.gz")
    }
    late = set(written - named.keys())
    assert named.keys() <= written
    assert all("20260302T100" in name or "20260302T101" in name for name in late), late


def test_a_file_that_was_tampered_with_has_another_hash(faulty: Made) -> None:
    wrong = [
        name
        for name, value in hashes(faulty).items()
        if hashlib.sha256(gzip.decompress((faulty.logs / "aws" / name).read_bytes())).hexdigest() != value
    ]

    assert len(wrong) == 1
    assert b"curl/8.5.0" in content(faulty.logs / "aws" / wrong[0])
