"""A real issuer that rotates its keys, lies, hangs and goes away; and addresses that must never be asked."""

import asyncio
import gzip
import json
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from custody.broker.proof.addresses import allowed, checked_url, literal
from custody.broker.proof.discovery import by_discovery, from_file
from custody.broker.proof.fetching import Fetch, Limits, guarded
from custody.broker.proof.held import APART, LIFETIME, STALE, Held
from custody.broker.proof.held import SECOND as S
from custody.broker.proof.key_set import MAX_DOCUMENT, PublicKeys, parsed_keys
from custody.broker.proof.oidc import KEYS_AGE, OidcProver
from custody.broker.proof.refusals import refused
from custody.errors import UsageError
from tests.broker.issuer import DISCOVERY, JWKS, Answer, Handler, Issuer, SigningKey
from tests.broker.proof.asking import NOW, SECOND, fetching, of_issuer, presented, prove, reason, refusal, together


@pytest.fixture(scope="module")
def serving() -> Iterator[Issuer]:
    with Issuer(SigningKey("RS256", "r"), SigningKey("ES256", "e")) as issuer:
        yield issuer


@pytest.fixture
def issuer(serving: Issuer) -> Iterator[Issuer]:
    yield serving
    serving.answers.clear()
    serving.asked.clear()
    serving.keys = [SigningKey("RS256", "r"), SigningKey("ES256", "e")]


def prover_of(issuer: Issuer, fetch: Fetch | None = None) -> OidcProver:
    return OidcProver(of_issuer(issuer.url), Held(by_discovery(issuer.url, fetch or fetching(issuer))))


def test_keys_come_by_discovery_over_tls_and_are_fetched_once(issuer: Issuer) -> None:
    mine = prover_of(issuer)
    first = prove(mine, issuer.token(SECOND)).proof
    prove(mine, issuer.token(SECOND), NOW + LIFETIME - S)

    assert first.subject == "workload"
    assert first.trust == sha256(json.dumps({"keys": [key.jwk() for key in issuer.keys]}).encode()).hexdigest()
    assert issuer.asked == [DISCOVERY, JWKS]


def test_many_who_come_at_once_wait_for_one_fetch(issuer: Issuer) -> None:
    mine = prover_of(issuer)
    found = together(*(mine.prove(presented(issuer.token(SECOND)), NOW) for _ in range(20)))

    assert {type(each).__name__ for each in found} == {"Proved"}
    assert issuer.asked == [DISCOVERY, JWKS]


def test_rotated_keys_are_taken_after_one_fetch_and_the_old_ones_are_dropped(issuer: Issuer) -> None:
    mine = prover_of(issuer)
    old = issuer.token(SECOND)
    prove(mine, old)
    issuer.rotate()
    later = NOW + APART

    assert prove(mine, issuer.token(SECOND), later).proof.subject == "workload"
    assert issuer.asked == [DISCOVERY, JWKS] * 2
    assert reason(mine, old, later) == "unknown-key"  # though its signature was verified before
    assert prove(mine, issuer.token(SECOND), later).proof.subject == "workload"


def test_old_keys_are_dropped_in_a_bounded_time_without_anybody_asking_for_new_ones(issuer: Issuer) -> None:
    mine = prover_of(issuer)
    old = issuer.token(SECOND, exp=SECOND + 7200)
    prove(mine, old)
    issuer.rotate()

    assert prove(mine, old, NOW + LIFETIME - S).proof.subject == "workload"
    assert reason(mine, old, NOW + LIFETIME) == "unknown-key"


def test_a_key_id_that_is_given_to_another_key_verifies_nothing_of_the_old_one(issuer: Issuer) -> None:
    mine, old = prover_of(issuer), issuer.token(SECOND)
    prove(mine, old)
    issuer.keys = [SigningKey("ES256", "e", 77)]

    assert prove(mine, issuer.token(SECOND), NOW + LIFETIME).proof.subject == "workload"
    assert reason(mine, old, NOW + LIFETIME) == "bad-signature"


def test_unknown_key_ids_cannot_make_the_broker_hammer_the_issuer(issuer: Issuer) -> None:
    mine = prover_of(issuer)
    prove(mine, issuer.token(SECOND))
    words = {reason(mine, issuer.token(SECOND, {"kid": f"x{number}"}), NOW + APART - S) for number in range(50)}

    assert words == {"unknown-key"}
    assert issuer.asked == [DISCOVERY, JWKS]
    assert reason(mine, issuer.token(SECOND, {"kid": "x"}), NOW + APART) == "unknown-key"
    assert reason(mine, issuer.token(SECOND, {"kid": "y"}), NOW + APART) == "unknown-key"
    assert issuer.asked == [DISCOVERY, JWKS] * 2


def gone(handler: Handler) -> None:
    handler.send(b"{}", status=503)


def test_while_the_issuer_is_down_its_keys_count_for_a_bounded_time_and_the_proof_says_so(issuer: Issuer) -> None:
    mine = prover_of(issuer)
    prove(mine, issuer.token(SECOND))
    issuer.answers[DISCOVERY] = gone
    late, last = NOW + LIFETIME, NOW + STALE - S
    kept = prove(mine, issuer.token(late // S), late).proof

    assert kept.claims[KEYS_AGE] == str(LIFETIME // S)
    assert prove(mine, issuer.token(last // S), last).proof.claims[KEYS_AGE] == str(STALE // S - 1)
    assert reason(mine, issuer.token(last // S), NOW + STALE) == "issuer-unreachable"
    issuer.answers.clear()
    back = prove(mine, issuer.token(last // S), NOW + STALE + APART).proof
    assert KEYS_AGE not in back.claims


def test_an_issuer_that_is_down_is_not_asked_by_every_request(issuer: Issuer) -> None:
    mine = prover_of(issuer)
    issuer.answers[DISCOVERY] = gone
    words = {reason(mine, issuer.token(SECOND), NOW + number) for number in range(20)}

    assert words == {"issuer-unreachable"}
    assert issuer.asked == [DISCOVERY]
    issuer.answers.clear()
    assert prove(mine, issuer.token(SECOND), NOW + APART).proof.subject == "workload"


@pytest.mark.parametrize("step", [-3600 * S, 3600 * S, -61 * S, -86_400 * S, 365 * 86_400 * S])
def test_a_step_of_the_clock_fetches_again_and_nothing_worse(issuer: Issuer, step: int) -> None:
    mine = prover_of(issuer)
    prove(mine, issuer.token(SECOND))
    moved = NOW + step

    assert prove(mine, issuer.token(moved // S), moved).proof.subject == "workload"
    assert issuer.asked == [DISCOVERY, JWKS] * 2


def test_keys_from_the_future_do_not_outlive_an_issuer_that_is_down(issuer: Issuer) -> None:
    mine = prover_of(issuer)
    prove(mine, issuer.token(SECOND))
    issuer.answers[DISCOVERY] = gone

    assert reason(mine, issuer.token(SECOND - 3600), NOW - 3600 * S) == "issuer-unreachable"


def saying(document: object) -> Answer:
    return lambda handler: handler.json(document)


def slowly(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while not handler.issuer.released.wait(0.02):
        try:
            handler.wfile.write(b" ")
        except OSError:
            return


def endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.end_headers()
    handler.close_connection = True
    try:
        while True:
            handler.wfile.write(b" " * 65536)
    except OSError:
        return


def bomb(handler: Handler) -> None:
    handler.send(gzip.compress(b" " * 10_000_000), Content_Encoding="gzip")


def redirecting(to: str, status: int = 302) -> Answer:
    return lambda handler: handler.send(b"{}", status=status, Location=to)


def document(of: Issuer, /, **said: object) -> dict[str, object]:
    return {**of.document(), **said}


@pytest.mark.parametrize(
    ("path", "answer", "word"),
    [
        (DISCOVERY, lambda _: gone, "issuer-unreachable"),
        (DISCOVERY, lambda it: it.hang, "issuer-unreachable"),
        (DISCOVERY, lambda _: slowly, "issuer-unreachable"),
        (JWKS, lambda it: it.hang, "issuer-unreachable"),
        (DISCOVERY, lambda _: endless, "issuer-document"),
        (JWKS, lambda _: endless, "issuer-document"),
        (JWKS, lambda _: bomb, "issuer-document"),
        (JWKS, lambda _: lambda h: h.send(b'{"keys": []}' + b" " * 70_000), "issuer-document"),
        (DISCOVERY, lambda _: redirecting("http://169.254.169.254/latest/meta-data/"), "issuer-unreachable"),
        (DISCOVERY, lambda it: redirecting(f"{it.url}/elsewhere"), "issuer-unreachable"),
        (JWKS, lambda it: redirecting(f"{it.url}/elsewhere", 307), "issuer-unreachable"),
        (DISCOVERY, lambda _: lambda h: h.send(b"<html>", Content_Type="text/html"), "issuer-document"),
        (DISCOVERY, lambda _: lambda h: h.send(b"not json"), "issuer-document"),
        (DISCOVERY, lambda _: lambda h: h.send(b"[" * 50_000), "issuer-document"),
        (DISCOVERY, lambda it: saying(document(it, issuer="https://evil.example.com")), "issuer-document"),
        (DISCOVERY, lambda it: saying(document(it, issuer=it.url + "/")), "issuer-document"),
        (DISCOVERY, lambda it: saying(document(it, issuer=[it.url])), "issuer-document"),
        (DISCOVERY, lambda it: saying(document(it, jwks_uri=None)), "issuer-document"),
        (DISCOVERY, lambda it: saying(document(it, jwks_uri=["x"])), "issuer-document"),
        (DISCOVERY, lambda it: saying(document(it, jwks_uri=f"http://127.0.0.1:{it.port}/keys")), "issuer-address"),
        (DISCOVERY, lambda it: saying(document(it, jwks_uri="file:///etc/passwd")), "issuer-address"),
        (DISCOVERY, lambda it: saying(document(it, jwks_uri="https://169.254.169.254/x")), "issuer-address"),
        (DISCOVERY, lambda it: saying(document(it, jwks_uri="https://[fe80::1%25eth0]/x")), "issuer-address"),
        (DISCOVERY, lambda it: saying(document(it, jwks_uri="https://a:b@localhost/x")), "issuer-address"),
        (DISCOVERY, lambda it: saying(document(it, jwks_uri="https://0.0.0.0/x")), "issuer-address"),
        (DISCOVERY, lambda it: saying(document(it, jwks_uri="https://localhost:1/x")), "issuer-unreachable"),
        (JWKS, lambda _: saying({}), "issuer-document"),
        (JWKS, lambda _: saying({"keys": {}}), "issuer-document"),
        (JWKS, lambda _: saying({"keys": []}), "issuer-document"),
        (JWKS, lambda _: saying({"keys": [1]}), "issuer-document"),
        (JWKS, lambda _: saying({"keys": [{"kty": "RSA"}] * 201}), "issuer-document"),
        (JWKS, lambda it: saying({"keys": [it.keys[1].jwk(use="enc")]}), "issuer-document"),
        (JWKS, lambda it: saying({"keys": [it.keys[1].jwk(key_ops=["sign"])]}), "issuer-document"),
        (JWKS, lambda it: saying({"keys": [it.keys[1].jwk(d="must-not-stay")]}), "issuer-document"),
        (JWKS, lambda it: saying({"keys": [it.keys[1].jwk(), {"kty": "oct", "k": "must"}]}), "issuer-document"),
        (JWKS, lambda it: saying({"keys": [it.keys[1].jwk(crv="P-384")]}), "issuer-document"),
        (JWKS, lambda it: saying({"keys": [it.keys[1].jwk(x="AAAA")]}), "issuer-document"),
        (JWKS, lambda it: saying({"keys": [it.keys[1].jwk(kty="OKP")]}), "issuer-document"),
        (JWKS, lambda it: saying({"keys": [it.keys[0].jwk(n=it.keys[0].jwk()["n"][:171])]}), "issuer-document"),
        (JWKS, lambda it: saying({"keys": [it.keys[0].jwk(n="_" * 4000)]}), "issuer-document"),
        (JWKS, lambda it: saying({"keys": [it.keys[0].jwk(e="AQ")]}), "issuer-document"),
        (JWKS, lambda it: saying({"keys": [it.keys[0].jwk(e="AQAAAAE")]}), "issuer-document"),
        (JWKS, lambda it: saying({"keys": [it.keys[0].jwk(n="%")]}), "issuer-document"),
    ],
)  # fmt: skip
def test_an_issuer_that_misbehaves_proves_nobody(
    issuer: Issuer, path: str, answer: Callable[[Issuer], Answer], word: str
) -> None:
    issuer.answers[path] = answer(issuer)
    mine = prover_of(issuer, fetching(issuer, whole=0.25 if word == "issuer-unreachable" else 5.0))

    assert reason(mine, issuer.token(SECOND)) == word
    assert "/elsewhere" not in issuer.asked


def test_a_key_that_cannot_be_used_does_not_spoil_the_others(issuer: Issuer) -> None:
    """Issuers publish keys of new kinds before everybody knows them."""
    strange = [{"kty": "AKP", "alg": "ML-DSA-65", "pub": "x"}, {"kty": 3}, {"crv": "P-256"}, issuer.keys[0].jwk(n=1)]
    issuer.answers[JWKS] = saying({"keys": [*strange, issuer.keys[1].jwk()]})

    assert prove(prover_of(issuer), issuer.token(SECOND)).proof.subject == "workload"


@pytest.mark.parametrize("said", [{"use": "enc"}, {"alg": "ES512"}, {"key_ops": ["sign"]}, {"key_ops": "verify"}])
def test_a_key_for_another_use_verifies_nothing(issuer: Issuer, said: dict[str, object]) -> None:
    issuer.answers[JWKS] = saying({"keys": [issuer.keys[0].jwk(), issuer.keys[1].jwk(**said)]})

    assert reason(prover_of(issuer), issuer.token(SECOND)) in ("unknown-key", "algorithm")


def test_another_authority_or_name_than_the_settings_say_is_no_issuer(issuer: Issuer) -> None:
    def by_other_name(_: str, __: int) -> Awaitable[Sequence[str]]:
        async def found() -> Sequence[str]:
            return ["127.0.0.1"]

        return found()

    web = guarded(private=True)
    assert reason(prover_of(issuer, web), issuer.token(SECOND)) == "issuer-unreachable"
    renamed = guarded(private=True, authority=issuer.authority, resolve=by_other_name)
    url = f"https://other.example.com:{issuer.port}{DISCOVERY}"
    assert refusal(lambda: asyncio.run(_fetched(renamed, url))).reason == "issuer-unreachable"
    assert issuer.asked == []


async def _fetched(fetch: Fetch, url: str) -> bytes:
    return await fetch(url)


def resolver(*answers: Sequence[str]) -> tuple[Callable[[str, int], Awaitable[Sequence[str]]], list[str]]:
    """Answers each question with the next of these, the last for ever; and the questions."""
    asked: list[str] = []

    async def resolve(host: str, _: int) -> Sequence[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    return resolve, asked


def test_a_name_is_resolved_once_and_the_connection_goes_where_was_looked(issuer: Issuer) -> None:
    """DNS rebinding: the first answer is checked, a second one would be the metadata service."""
    resolve, asked = resolver(["127.0.0.1"], ["169.254.169.254"])
    fetch = guarded(private=True, authority=issuer.authority, resolve=resolve)

    assert json.loads(asyncio.run(_fetched(fetch, issuer.url + DISCOVERY)))["issuer"] == issuer.url
    assert asked == ["localhost"]
    assert refusal(lambda: asyncio.run(_fetched(fetch, issuer.url + JWKS))).reason == "issuer-address"


@pytest.mark.parametrize(
    "told",
    [
        ["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["10.0.0.1"], ["192.168.1.1"], ["172.16.0.1"], ["169.254.169.254"],
        ["100.64.0.1"], ["0.0.0.0"], ["::1"], ["fd00::1"], ["fe80::1"], ["::ffff:127.0.0.1"], ["::ffff:8.8.8.8", "::"],
        ["64:ff9b::7f00:1"], ["2002:7f00:1::"], ["224.0.0.1"], ["255.255.255.255"], ["168.63.129.16"],
        ["100.100.100.200"], ["192.0.0.192"], ["fd00:ec2::254"],
    ],
    ids=",".join,
)  # fmt: skip
def test_addresses_inside_are_never_asked_for_a_public_issuer(told: list[str]) -> None:
    resolve, _ = resolver(told)
    fetch = guarded(resolve=resolve, limits=Limits(whole=0.5))

    assert refusal(lambda: asyncio.run(_fetched(fetch, "https://issuer.example.com/x"))).reason == "issuer-address"


@pytest.mark.parametrize(
    ("address", "public", "private"),
    [
        ("8.8.8.8", True, True), ("2600::1", True, True), ("10.1.2.3", False, True), ("127.0.0.1", False, True),
        ("::1", False, True), ("fd12::1", False, True), ("100.64.0.1", False, True), ("::ffff:10.0.0.1", False, True),
        ("169.254.169.254", False, False), ("::ffff:169.254.169.254", False, False), ("fe80::1", False, False),
        ("fe80::1%1", False, False), ("0.0.0.0", False, False), ("::", False, False), ("239.1.1.1", False, False),
        ("ff02::1", False, False), ("168.63.129.16", False, False), ("100.100.100.200", False, False),
        ("fd00:ec2::254", False, False), ("64:ff9b::a9fe:a9fe", False, False), ("2002:a9fe:a9fe::", False, False),
        ("240.0.0.1", False, False), ("192.0.0.192", False, False),
    ],
)  # fmt: skip
def test_which_addresses_may_be_asked(address: str, public: bool, private: bool) -> None:
    found = literal(address)

    assert found is not None
    assert allowed(found, private=False, plain=False) is public
    assert allowed(found, private=True, plain=False) is private
    assert allowed(found, private=False, plain=True) is False
    assert allowed(found, private=True, plain=True) is (address in ("127.0.0.1", "::1"))


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example.com/", "file:///etc/passwd", "ftp://issuer.example.com/", "gopher://x/", "//x/", "",
        "https://", "https:///x", "https://user@issuer.example.com/", "https://issuer.example.com/#x",
        "https://issuer.example.com:0/", "https://issuer.example.com:99999/", "https://issuer.example.com:x/",
        "https://issuer example.com/", "https://issuer.example.com/\r\nHost: x", "https://exa\u043cple.com/",
        "https://[::1", "https://-x/", "https://x\\@y/", "https://" + "x" * 2100, "HTTPS\t://x/",
    ],
)  # fmt: skip
def test_which_urls_may_be_asked(url: str) -> None:
    assert refusal(lambda: checked_url(url, private=False, where="x")).reason == "issuer-address"


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost"])
def test_other_spellings_of_this_machine_are_this_machine(host: str) -> None:
    error = refusal(lambda: asyncio.run(_fetched(guarded(), f"https://{host}:9/")))

    assert error.reason in ("issuer-address", "issuer-unreachable")


def test_without_tls_only_this_machine_is_asked() -> None:
    with Issuer(SigningKey(), tls=False) as plain:
        proof = prove(prover_of(plain), plain.token(SECOND)).proof
        resolve, _ = resolver(["10.0.0.1"])
        away = guarded(private=True, resolve=resolve)

        assert proof.workload == f"oidc_subject:http%3A//localhost%3A{plain.port}:workload"
        assert refusal(lambda: asyncio.run(_fetched(away, "http://inside.example.com/"))).reason == "issuer-address"
        assert reason(prover_of(plain, guarded()), plain.token(SECOND)) == "issuer-address"


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy"])
def test_the_environment_names_no_proxy(issuer: Issuer, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)

    assert prove(prover_of(issuer), issuer.token(SECOND)).proof.subject == "workload"


def test_a_host_that_does_not_resolve_is_not_reached() -> None:
    async def nothing(_: str, __: int) -> Sequence[str]:
        raise OSError("no such host")

    for resolve in (nothing, resolver([])[0], resolver(["not an address"])[0]):
        error = refusal(lambda: asyncio.run(_fetched(guarded(resolve=resolve), "https://x.example.com/")))  # noqa: B023
        assert error.reason == "issuer-unreachable"


def test_a_slow_resolver_is_given_up() -> None:
    async def never(_: str, __: int) -> Sequence[str]:
        await asyncio.sleep(30)
        return []

    began = time.monotonic()
    fetch = guarded(resolve=never, limits=Limits(whole=0.05))

    assert refusal(lambda: asyncio.run(_fetched(fetch, "https://x.example.com/"))).reason == "issuer-unreachable"
    assert time.monotonic() - began < 5


def test_a_file_of_authorities_that_is_none_is_said_at_the_start(tmp_path: Path) -> None:
    for name in ("missing.pem", "empty.pem"):
        (tmp_path / "empty.pem").write_text("x")
        with pytest.raises(UsageError, match="not a file of certificates"):
            guarded(authority=tmp_path / name)


def test_keys_of_a_file_are_read_again_and_nothing_is_fetched(tmp_path: Path) -> None:
    old, new = SigningKey("ES256", "a"), SigningKey("ES256", "b", 5)
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [old.jwk()]}))
    mine = OidcProver(of_issuer(), Held(from_file(path)))
    told = {"iss": "https://issuer.example.com", "aud": "custody", "sub": "w", "iat": SECOND, "exp": SECOND + 3000}

    assert prove(mine, old.sign(told)).proof.subject == "w"
    path.write_text(json.dumps({"keys": [new.jwk()]}))
    assert prove(mine, new.sign(told), NOW + APART).proof.subject == "w"
    path.unlink()
    assert prove(mine, new.sign(told), NOW + LIFETIME + APART).proof.claims[KEYS_AGE] == str(LIFETIME // S)
    assert reason(mine, old.sign(told), NOW + LIFETIME + APART) == "unknown-key"
    path.write_bytes(b" " * (MAX_DOCUMENT + 1))
    assert reason(OidcProver(of_issuer(), Held(from_file(path))), new.sign(told)) == "issuer-document"


def test_who_may_use_what_is_held_does_not_wait_for_a_fetch_and_one_that_is_given_up_goes_on() -> None:
    async def play() -> list[object]:
        began, release = asyncio.Event(), asyncio.Event()
        keys = parsed_keys(json.dumps({"keys": [SigningKey().jwk()]}).encode(), "x")
        fetches = 0

        async def load() -> PublicKeys:
            nonlocal fetches
            fetches += 1
            if fetches > 1:
                began.set()
                await release.wait()
            return keys

        held = Held(load)
        first = await held.get(NOW)
        late = NOW + LIFETIME
        waits = asyncio.create_task(held.get(late + 5))  # side by side, times come in any order
        await began.wait()
        beside = await asyncio.wait_for(held.get(late), 1)
        waits.cancel()
        await asyncio.gather(waits, return_exceptions=True)
        release.set()
        after = await held.newer(first, late)
        return [beside.at, after.at, fetches]

    assert asyncio.run(play()) == [NOW, NOW + LIFETIME + 5, 2]


def test_a_refusal_that_is_raised_again_is_not_the_same_object() -> None:
    """One error raised for many requests would gather the traces of all of them."""

    async def play() -> list[BaseException]:
        async def load() -> PublicKeys:
            raise refused("issuer-unreachable")

        held = Held(load)
        return list(await asyncio.gather(held.get(NOW), held.get(NOW), return_exceptions=True))  # type: ignore[arg-type]

    first, second = asyncio.run(play())
    assert first is not second
    assert str(first) == str(second)
