"""CloudTrail digests: signatures, files, and hours that are missing."""

import base64
import hashlib
from functools import cache

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from custody.chains.digests import NOT_CHECKED, VERIFIED, WRONG, Digest, check, public_key, spans

HOUR = 3_600_000_000
START = 1_767_571_200_000_000
CONTENTS = {"log-0.json.gz": frozenset({"aa"}), "log-1.json.gz": frozenset({"bb"}), "log-2.json.gz": frozenset({"cc"})}
HASHES = ("aa", "bb", "cc")


@cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def keys() -> dict[str, bytes]:
    return {"f": private_key().public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)}


def chained(hours: tuple[int, ...] = (0, 1, 2, 3)) -> list[Digest]:
    """Digests as a trail signs them; the signature of each stands in the next one that was kept."""
    made: list[Digest] = []
    previous: str | None = None
    for hour in range(max(hours) + 1):
        content = hashlib.sha256(str(hour).encode()).hexdigest()
        text = f"end-{hour}\nb/d-{hour}\n{content}\n{previous or 'null'}"
        signature = private_key().sign(text.encode(), PKCS1v15(), SHA256()).hex()
        files = ((f"AWSLogs/1/log-{hour}.json.gz", HASHES[hour]),) if hour < len(HASHES) else ()
        made.append(
            Digest(
                leaf=hour, account="1", region="eu-west-1", start=START + hour * HOUR, end=START + (hour + 1) * HOUR,
                content=content, place=f"b/d-{hour}", end_text=f"end-{hour}", fingerprint="f", previous=previous,
                previous_place=f"d-{hour - 1}" if hour else None, signature=signature if hour < max(hours) else None,
                files=files,
            )
        )  # fmt: skip
        previous = signature
    return [made[hour] for hour in hours]


def test_a_whole_chain_is_verified_but_for_the_newest() -> None:
    checked = [check(each, keys(), CONTENTS) for each in chained()]
    (span,) = spans(checked)

    assert [each.signature for each in checked] == [VERIFIED, VERIFIED, VERIFIED, NOT_CHECKED]
    assert span.whole == ((START, START + 3 * HOUR),)
    assert (span.digests, span.absent, span.expected, span.received, span.problems) == (4, 0, 3, 3, ())


def test_missing_hours_count_in_full_and_split_what_is_whole() -> None:
    (span,) = spans([check(each, keys(), CONTENTS) for each in chained((0, 3, 4))])

    assert span.absent == 2
    assert span.problems == (("no digest for 2 h", 3),)
    assert span.whole == ((START, START + HOUR), (START + 3 * HOUR, START + 4 * HOUR))


@pytest.mark.parametrize("changed", ["content", "end_text", "place", "previous"])
def test_a_changed_digest_has_a_wrong_signature(changed: str) -> None:
    digest = msgspec.structs.replace(chained()[1], **{changed: "00"})

    assert check(digest, keys(), CONTENTS).signature == WRONG
    assert not check(digest, keys(), CONTENTS).whole
    assert "signature" in spans([check(digest, keys(), CONTENTS)])[0].problems[0][0]


def test_a_file_that_was_changed_or_not_read_is_named() -> None:
    without = {name: hashes for name, hashes in CONTENTS.items() if name != "log-0.json.gz"}
    changed = {**CONTENTS, "log-1.json.gz": frozenset({"dd"})}

    missing = check(chained()[0], keys(), without)
    other = check(chained()[1], keys(), changed)

    assert (missing.missing, missing.whole) == (("AWSLogs/1/log-0.json.gz",), False)
    assert (other.changed, other.whole) == (("AWSLogs/1/log-1.json.gz",), False)


def test_without_its_key_or_with_another_nothing_is_whole() -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    wrong = {"f": other.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)}

    assert check(chained()[0], {}, CONTENTS).signature == NOT_CHECKED
    assert check(chained()[0], wrong, CONTENTS).signature == WRONG
    assert check(chained()[0], {"f": b"no key"}, CONTENTS).signature == WRONG


def test_a_public_key_is_base64_of_der() -> None:
    der = keys()["f"]

    assert public_key(base64.b64encode(der).decode()) == der
    assert public_key("not base64!") is None


def test_a_cut_off_tail_is_seen() -> None:
    checked = [check(each, keys(), CONTENTS) for each in chained((0, 1))]
    (span,) = spans(checked, START + 5 * HOUR)
    (whole,) = spans(checked, START + 2 * HOUR + HOUR // 2)

    assert span.absent == 3
    assert span.problems == (("no digest for 3 h, to the end", 1),)
    assert (whole.absent, whole.problems) == (0, ())
