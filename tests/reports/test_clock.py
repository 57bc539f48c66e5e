"""Times beside steps, and words for keys."""

import pytest

from custody.model.keys import KEY_TYPES
from custody.reports.clock import clock
from custody.reports.kinds import WORDS, alias_kind, kind, named, system

DAY = "2026-11-22T"
CASES = [
    # times of the steps, the one shown, and how
    ([f"{DAY}12:44:02Z", f"{DAY}12:45:00Z"], f"{DAY}12:44:02Z", "12:44:02"),
    ([f"{DAY}12:44:02.100000Z", f"{DAY}12:44:02.200000Z"], f"{DAY}12:44:02.100000Z", "12:44:02.100"),
    ([f"{DAY}12:44:02.100000Z", f"{DAY}12:44:02.200000Z"], f"{DAY}12:44:09.300000Z", "12:44:09"),
    ([f"{DAY}12:44:02Z", f"{DAY}12:44:02.200000Z"], f"{DAY}12:44:02Z", "12:44:02"),
    ([f"{DAY}12:44:02.100000Z", f"{DAY}12:44:02.100000Z"], f"{DAY}12:44:02.100000Z", "12:44:02"),
    ([f"{DAY}12:44:02Z"], "2026-11-23T00:00:00Z", "11-23 00:00:00"),
    ([f"{DAY}12:44:02Z"], "2027-11-23T00:00:00Z", "2027-11-23 00:00:00"),
    ([f"{DAY}12:44:02Z", "2026-11-23T00:00:00Z"], f"{DAY}12:44:02Z", "11-22 12:44:02"),
    (["2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"], "2027-01-01T00:00:00Z", "2027-01-01 00:00:00"),
    (["soon"], "soon", "soon"),
    ([], "", "?"),
    ([f"{DAY}12:44:02Z"], "the day before yesterday", "the…rday"),
]


@pytest.mark.parametrize(("times", "one", "shown"), CASES)
def test_a_time_is_as_short_as_its_neighbours_allow(times: list[str], one: str, shown: str) -> None:
    assert clock(times).show(one) == shown


def test_every_time_fits_its_column() -> None:
    found = clock([f"{DAY}12:44:02.1Z", f"{DAY}12:44:02.2Z"])

    assert found.columns == len("12:44:02.100") + 2
    assert clock([]).columns == 10


def test_times_within_a_sentence_are_written_alike_and_nothing_else_is_touched() -> None:
    found = clock([f"{DAY}12:44:02Z"])

    assert found.within(f"until {DAY}13:44:07Z (1 h), not 2026-13-45T99:99:99Z") == (
        "until 13:44:07 (1 h), not 2026-13-45T99:99:99Z"
    )


def test_every_type_of_key_has_a_word() -> None:
    assert set(KEY_TYPES) - set(WORDS) == {"custom"}
    assert set(WORDS) <= set(KEY_TYPES)


@pytest.mark.parametrize(
    ("key", "word"),
    [
        ("vault_accessor:plain:aqXS", "Vault token aqXS"),
        ("k8s_cred:-:JTI=414f", "Kubernetes credential JTI=414f"),
        ("k8s_pod:k8s:9f3a", "pod 9f3a"),
        ("custom:m:1", "custom 1"),
        ("no key at all", "key no key at all"),
        ("", "key "),
    ],
)
def test_a_key_is_named_by_its_kind_and_value(key: str, word: str) -> None:
    assert named(key) == word


def test_what_a_device_hashed_is_a_name_and_no_credential_of_its_own() -> None:
    assert [alias_kind(f"{name}:x") for name in ("vault_token:hmac", "vault_accessor:hmac", "db_role_hmac:hmac")] == [
        "hashed token",
        "hashed accessor",
        "hashed name",
    ]
    assert alias_kind("vault_lease:vault:x") == kind("vault_lease:vault:x") == "lease"


def test_sources_and_keys_are_of_a_system() -> None:
    assert [system(name) for name in ("vault.audit", "db_role:postgresql:x", "aws.cloudtrail", "kubernetes.audit")] == [
        "Vault",
        "PostgreSQL",
        "AWS",
        "Kubernetes",
    ]
    assert system("new.source") == "new.source"
    assert system("what is this: nothing") == ""
