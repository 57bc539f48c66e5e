"""The keys of holders: the private one under a passphrase, the public one under a name."""

from __future__ import annotations

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from custody.broker.glass import holders, names
from custody.errors import UsageError
from tests.broker.glass.sealed import ANNA, KEYS

PHRASE = "phrase-must-not-stay"


def test_a_private_key_comes_back_by_its_passphrase_alone() -> None:
    data = holders.private_file(KEYS[0], PHRASE)

    assert holders.read_private(data, PHRASE, "k").private_bytes_raw() == KEYS[0].private_bytes_raw()
    for phrase in ("", PHRASE + "x"):
        with pytest.raises(UsageError) as told:
            holders.read_private(data, phrase, "k")
        assert "must-not-stay" not in str(told.value)
    assert b"ENCRYPTED" in data
    assert KEYS[0].private_bytes_raw() not in data


def test_a_short_passphrase_is_none() -> None:
    with pytest.raises(UsageError, match="too short"):
        holders.private_file(KEYS[0], "x" * 11)


def test_a_key_of_another_kind_is_none() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    data = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PHRASE.encode()))

    for wrong in (data, b"", b"-----BEGIN PRIVATE KEY-----"):
        with pytest.raises(UsageError, match="not the private key"):
            holders.read_private(wrong, PHRASE, "k")


def test_a_public_file_says_whose_key_it_is() -> None:
    holder = holders.holder_of(ANNA, KEYS[0])

    assert holders.read_public(holders.public_file(holder), "p") == holder
    assert holder.public.public_bytes_raw() == KEYS[0].public_key().public_bytes_raw()


@pytest.mark.parametrize(
    "change",
    [{"custody": "other"}, {"holder": "anna"}, {"holder": "k8s_pod:k8s:1"}, {"key": "AAAA"}, {"key": ""}, {"more": 1}],
    ids=str,
)
def test_a_public_file_that_is_none_is_refused(change: dict[str, object]) -> None:
    told = {**msgspec.json.decode(holders.public_file(holders.holder_of(ANNA, KEYS[0]))), **change}

    with pytest.raises(UsageError):
        holders.read_public(msgspec.json.encode(told), "p")


@pytest.mark.parametrize(
    "text", ["", "anna", "person:x", "person:x:", "person:x:\x1b[31m", "agent:x:y", "person:x:" + "y" * 200]
)
def test_a_holder_is_a_person(text: str) -> None:
    with pytest.raises(UsageError):
        names.person_of(text, "--holder")


@pytest.mark.parametrize("text", ["", "   ", "a\nb", "x" * 501, "a\x1bb", "\u202eabc"])
def test_a_reason_can_be_read(text: str) -> None:
    with pytest.raises(UsageError, match="not a reason"):
        names.reason_of(text)
    assert names.reason_of("  the database is down ") == "the database is down"


@pytest.mark.parametrize("text", ["", "A", "-a", "a b", "a:b", "x" * 65])
def test_an_account_is_a_name(text: str) -> None:
    with pytest.raises(UsageError, match="not a name"):
        names.account_key("prod", text)
    assert names.account_key("prod", "payments-db") == "break_glass:prod:payments-db"


def test_the_ids_of_logs_fit_where_the_id_of_a_broker_does() -> None:
    from custody.sources.custody_broker.identity import _BROKER

    now = 1_795_348_800_000_000
    for made in (names.log_id(now, bytes), names.drill_id(now, bytes)):
        assert names.LOG.fullmatch(made)
        assert _BROKER.fullmatch(made)
    assert names.GLASS.fullmatch(names.glass_id(now, bytes))
