"""All provers together, and who may act for whom: what a token carries is its issuer's word, unsigned is nobody's."""

import asyncio
from collections.abc import Mapping

import pytest

from custody.broker.proof.exchange import Provers, actors_of
from custody.broker.proof.oidc import OidcProver
from custody.broker.proof.prover import Presented, Proved
from custody.model.broker_terms import Actor
from tests.broker.issuer import SigningKey
from tests.broker.proof.asking import (
    ISSUER,
    NOW,
    claims,
    of_issuer,
    presented,
    prove,
    prover,
    reason,
    refusal,
    source,
    token,
)

AGENTS = "https://agents.example.com"
A, B, OTHER = SigningKey("ES256", "k-1"), SigningKey("ES256", "k-1", 41), SigningKey("ES256", "k-1", 42)
BLUE = OidcProver(of_issuer("https://kubernetes.default.svc", audience="custody-blue"), source(A))
GREEN = OidcProver(of_issuer("https://kubernetes.default.svc", audience="custody-green"), source(B))
PROVERS = Provers([prover(A), OidcProver(of_issuer(AGENTS), source(B)), BLUE, GREEN])


def subject(**said: object) -> Proved:
    return prove(PROVERS, token(A, None, **said))


def agent(name: str = "agent", **said: object) -> Proved:
    return prove(PROVERS, token(B, None, iss=AGENTS, sub=name, **said))


def test_a_token_is_verified_by_the_keys_of_its_own_issuer() -> None:
    assert subject().proof.issuer == ISSUER
    assert agent().proof.issuer == AGENTS
    assert reason(PROVERS, token(B)) == "bad-signature"
    assert reason(PROVERS, token(A, None, iss="https://other.example.com")) == "untrusted-issuer"
    assert reason(PROVERS, token(A, None, iss=None)) == "untrusted-issuer"
    assert reason(PROVERS, token(A, None, iss=[ISSUER])) == "untrusted-issuer"


def test_clusters_that_share_an_issuer_are_told_apart_by_audience_and_verified_by_their_own_keys() -> None:
    shared = {"iss": "https://kubernetes.default.svc"}

    assert prove(PROVERS, token(A, None, aud="custody-blue", **shared)).proof.issuer == shared["iss"]
    assert prove(PROVERS, token(B, None, aud=["custody-green"], **shared)).proof.issuer == shared["iss"]
    assert reason(PROVERS, token(B, None, aud="custody-blue", **shared)) == "bad-signature"
    assert reason(PROVERS, token(A, None, aud="other", **shared)) == "wrong-audience"


def test_nothing_proves_nobody() -> None:
    assert reason(PROVERS, b"") == "no-proof"
    assert reason(Provers([]), token(A)) == "untrusted-issuer"
    certificate = Presented(certificate=(b"x",), type="")
    assert refusal(lambda: asyncio.run(PROVERS.prove(certificate, NOW))).reason == "untrusted-issuer"
    saml = presented(token(A), kind="urn:ietf:params:oauth:token-type:saml2")
    assert refusal(lambda: asyncio.run(PROVERS.prove(saml, NOW))).reason == "token-type"


def test_the_actor_who_proves_itself_comes_first_and_what_the_token_carries_is_history() -> None:
    carried = {"sub": "agent-1", "act": {"sub": "agent-0", "iss": AGENTS}}
    mine, actor = subject(act=carried), agent()

    assert mine.actors == (Actor(subject="agent-1", issuer=ISSUER), Actor(subject="agent-0", issuer=AGENTS))
    assert actors_of(mine, None) == mine.actors
    assert actors_of(mine, actor) == (Actor(subject="agent", issuer=AGENTS, proof=actor.proof), *mine.actors)
    assert not any(link.claimed for link in actors_of(mine, actor))


@pytest.mark.parametrize(
    ("may", "allowed"),
    [
        (None, True),
        ({"sub": "agent", "iss": AGENTS}, True),
        ({"sub": "agent"}, False),
        ({"sub": "other", "iss": AGENTS}, False),
        ({"sub": "agent", "iss": ISSUER}, False),
        ({"sub": "agent", "iss": AGENTS, "client_id": "c"}, True),
        ({"sub": "agent", "iss": AGENTS, "client_id": "d"}, False),
        ({"sub": "agent", "iss": AGENTS, "unknown": "c"}, False),
    ],
)
def test_only_whom_the_subject_lets_may_act(may: Mapping[str, str] | None, allowed: bool) -> None:
    mine, actor = subject(may_act=may), agent(client_id="c")

    if allowed:
        assert [link.subject for link in actors_of(mine, actor)] == ["agent"]
    else:
        assert refusal(lambda: actors_of(mine, actor)).reason == "actor-not-allowed"
    assert actors_of(mine, None) == ()


def test_may_act_without_an_issuer_means_the_token_s_own() -> None:
    mine = subject(may_act={"sub": "agent"})

    assert [link.issuer for link in actors_of(mine, subject(sub="agent"))] == [ISSUER]


def test_an_actor_is_not_somebody_whom_another_one_acts_for() -> None:
    delegated = agent(act={"sub": "thief"})

    assert refusal(lambda: actors_of(subject(), delegated)).reason == "actor-delegated"


def chain(depth: int) -> dict[str, object]:
    link: dict[str, object] = {"sub": "agent-0"}
    for number in range(1, depth):
        link = {"sub": f"agent-{number}", "act": link}
    return link


def test_a_chain_is_bounded() -> None:
    longest = subject(act=chain(8))

    assert len(longest.actors) == 8
    assert longest.actors[0].subject == "agent-7"
    assert reason(PROVERS, token(A, None, act=chain(9))) == "act-malformed"
    assert refusal(lambda: actors_of(longest, agent())).reason == "act-malformed"


@pytest.mark.parametrize(
    "link",
    [{"sub": ""}, {"sub": "a\n"}, {"sub": "x" * 1025}, {"sub": None}, {"iss": ISSUER}, {"sub": "a", "iss": 1}, []],
)  # fmt: skip
def test_a_link_that_names_nobody_is_refused(link: object) -> None:
    whole = A.sign({**claims(), "act": {"sub": "agent", "act": link}})

    assert reason(PROVERS, whole) == "act-malformed"


def test_an_act_claim_that_nobody_signed_is_refused() -> None:
    """In the header, in a token whose claims were changed, and in a token of an actor's own making."""
    honest = token(A, None, act={"sub": "agent"})
    head, _, signature = honest.split(b".")
    forged = b".".join((head, token(A, None, act={"sub": "admin"}).split(b".")[1], signature))

    assert reason(PROVERS, token(A, {"act": {"sub": "admin"}})) == "act-malformed"
    assert reason(PROVERS, forged) == "bad-signature"
    assert reason(PROVERS, token(OTHER, None, act={"sub": "admin"})) == "bad-signature"
