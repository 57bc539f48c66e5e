"""People: an ID token gives a name, groups and the roles that the broker file has for them, and nothing else."""

import asyncio

import pytest

from custody.broker.proof.person import MAXIMUM_AGE, PersonProver, SignedIn
from custody.settings.broker_file import People
from tests.broker.issuer import SigningKey
from tests.broker.proof.asking import ISSUER, NOW, SECOND, presented, prove, reason, refusal, source, token

ROLES = {
    "auditor": ("auditors", "everyone"), "approver": ("release-managers",), "operator": ("sub:ann",),
    "admin": ("person:issuer.example.com:root", "admins"), "wizard": ("everyone",),
}  # fmt: skip


def prover(**said: object) -> PersonProver:
    people = People(**{"issuer": ISSUER, "audience": "custody", "roles": ROLES, **said})  # type: ignore[arg-type]
    return PersonProver(people, source(SigningKey()))


def signed_in(mine: PersonProver, at: int = NOW, **said: object) -> SignedIn:
    return asyncio.run(mine.sign_in(token(None, None, **said), at))


def refused(mine: PersonProver, at: int = NOW, **said: object) -> str:
    whole = token(None, None, **said)
    return refusal(lambda: asyncio.run(mine.sign_in(whole, at)), whole).reason


@pytest.mark.parametrize(
    ("said", "roles"),
    [
        ({"sub": "bob"}, set()),
        ({"sub": "bob", "groups": []}, set()),
        ({"sub": "bob", "groups": ["auditors"]}, {"auditor"}),
        ({"sub": "bob", "groups": "auditors"}, {"auditor"}),
        ({"sub": "bob", "groups": ["auditors", "release-managers", "x"]}, {"auditor", "approver"}),
        ({"sub": "ann"}, {"operator"}),
        ({"sub": "Ann"}, set()),
        ({"sub": "auditors"}, set()),
        ({"sub": "admins"}, set()),
        ({"sub": "bob", "groups": ["ann", "sub:ann", "person:issuer.example.com:root"]}, set()),
        ({"sub": "root"}, {"admin"}),
        ({"sub": "bob", "groups": ["Admins", "admin", "operator", 7, None, ["admins"], "admins\n"]}, set()),
        ({"sub": "bob", "roles": ["admins"], "group": ["admins"]}, set()),
        ({"sub": "bob", "groups": ["everyone"]}, {"auditor"}),
    ],
)
def test_roles_come_from_groups_and_subjects_of_the_broker_file(said: dict[str, object], roles: set[str]) -> None:
    found = signed_in(prover(), NOW, **said)

    assert found.roles == roles
    assert found.key == f"person:issuer.example.com:{said['sub']}"


def test_the_name_is_clean_and_the_end_is_that_of_the_token() -> None:
    found = signed_in(prover(), name="Ann\x1b[2J Example", groups=["auditors"])

    assert (found.name, found.expires) == ("Ann\ufffd[2J Example", (SECOND + 300) * 1_000_000)
    assert found.groups == {"auditors"}


def test_the_claim_of_groups_can_have_another_name() -> None:
    assert signed_in(
        prover(claim="https://x.example.com/teams"), NOW, **{"https://x.example.com/teams": ["auditors"]}
    ).roles


@pytest.mark.parametrize("groups", [{"a": 1}, 7, ["x"] * 501])
def test_groups_that_cannot_be_read_are_no_groups(groups: object) -> None:
    assert refused(prover(), groups=groups) == "malformed"


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ({"aud": ["custody", "other"]}, "wrong-audience"),
        ({"aud": "client"}, "wrong-audience"),
        ({"iss": "https://evil.example.com"}, "wrong-issuer"),
        ({"exp": SECOND - 60}, "token-expired"),
        ({"azp": "another"}, "wrong-audience"),
        ({"sub": "x\u200b"}, "malformed"),
    ],
)
def test_a_token_that_does_not_hold_signs_nobody_in(said: dict[str, object], word: str) -> None:
    assert refused(prover(client="web"), NOW, **said) == word


def test_the_party_a_token_was_issued_to_is_that_of_the_settings() -> None:
    assert signed_in(prover(client="web"), azp="web").key
    assert signed_in(prover(client="web")).key
    assert signed_in(prover(), azp="another").key


def test_an_access_token_is_no_sign_in_and_a_sign_in_does_not_last_for_ever() -> None:
    access = token(None, {"typ": "at+jwt"})

    assert refusal(lambda: asyncio.run(prover().sign_in(access, NOW)), access).reason == "token-type"
    assert refusal(lambda: asyncio.run(prover().sign_in(b"", NOW))).reason == "no-proof"
    later = NOW + (MAXIMUM_AGE + 60) * 1_000_000
    assert refused(prover(), at=later, exp=SECOND + 10 * MAXIMUM_AGE) == "too-old"


def test_a_person_for_whom_an_agent_acts_is_proved_as_a_person() -> None:
    mine = prover()
    found = prove(mine, token(None, None, sub="ann", may_act={"sub": "agent"}))

    assert found.proof.person is True
    assert found.proof.workload == "person:issuer.example.com:ann"
    assert found.may_act == {"sub": "agent"}
    assert mine.knows(presented(token()))
    assert reason(mine, token(None, None, aud="x")) == "wrong-audience"
