"""Over TLS: whose certificate counts, and the client's own, as it is in its files at that moment."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from custody.client import Broker, Identity, Svid, TokenVariable
from custody.client import broker as module
from custody.errors import BrokerError, UsageError
from custody.serve.server import tls_context
from custody.settings.broker_file import BrokerFile, Tls
from tests.client.certificates import HERE, Authority, workload
from tests.serve.desk import SUBJECT, Script, chain
from tests.serve.running import parts_of, served

TOKEN = TokenVariable("T", {"T": SUBJECT})


class Secured(NamedTuple):
    url: str
    desk: Script
    folder: Path


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("tls")
    root = Authority(folder, "root")
    root.write("server", HERE)
    for name in ("first", "second"):
        root.write(name, workload(name))
    Authority(folder, "other").write("stranger", workload("stranger"))
    tls = Tls(certificate="server.pem", key="server.key", client_authorities="root.pem")
    context = tls_context(BrokerFile(broker="b", issuer="https://b.example", folder=str(folder), tls=tls), tls)
    desk = Script()
    with served(desk, parts_of(folder), context) as port:
        yield Secured(f"https://127.0.0.1:{port}", desk, folder)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch, secured: Secured) -> None:
    monkeypatch.setattr(module, "PAUSES", ())
    secured.desk.forget()


def test_the_named_authority_counts(secured: Secured) -> None:
    with Broker(secured.url, TOKEN, authority=secured.folder / "root.pem") as broker:
        assert broker.exchange("database").chain == chain(1)


@pytest.mark.parametrize("authority", ["other.pem", None])
def test_another_authority_does_not(secured: Secured, authority: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(secured.folder / "root.pem"))
    path = None if authority is None else secured.folder / authority
    with Broker(secured.url, TOKEN, authority=path) as broker, pytest.raises(BrokerError) as raised:
        broker.exchange("database")

    assert raised.value.reason == "tls"
    assert secured.desk.asked == []


def test_a_certificate_proves_who_asks_and_may_be_rotated(secured: Secured, tmp_path: Path) -> None:
    own = Svid(tmp_path / "svid.pem", tmp_path / "svid.key")
    with Broker(secured.url, own, authority=secured.folder / "root.pem") as broker:
        for name in ("first", "second"):
            for end in ("pem", "key"):
                shutil.copy(secured.folder / f"{name}.{end}", tmp_path / f"svid.{end}")
            broker.exchange("database")
        broker.complete(chain(1))

    shown = [each.presented.certificate[0] for each in secured.desk.callers]
    first, second = (
        ssl.PEM_cert_to_DER_cert((secured.folder / f"{name}.pem").read_text()) for name in ("first", "second")
    )
    assert shown == [first, second, second]
    assert all(each.presented.token == b"" for each in secured.desk.callers)


def test_a_certificate_of_a_stranger_ends_it(secured: Secured) -> None:
    own = Svid(secured.folder / "stranger.pem", secured.folder / "stranger.key")
    with (
        Broker(secured.url, own, authority=secured.folder / "root.pem") as broker,
        pytest.raises(BrokerError) as raised,
    ):
        broker.exchange("database")

    assert raised.value.reason in ("tls", "no-answer")  # under TLS 1.3 it is said after the handshake, or not at all
    assert secured.desk.asked == []


def test_files_that_cannot_be_used_are_named(secured: Secured, tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("must-not-stay")
    root, none = secured.folder / "root.pem", tmp_path / "none.pem"
    cases: list[tuple[Identity, Path, Path]] = [
        (TOKEN, none, none),
        (TOKEN, tmp_path / "bad.pem", tmp_path / "bad.pem"),
        (Svid(none, none), root, none),
        (Svid(secured.folder / "first.pem", secured.folder / "second.key"), root, secured.folder / "first.pem"),
    ]
    for identity, authority, where in cases:
        with Broker(secured.url, identity, authority=authority) as broker, pytest.raises(UsageError) as raised:
            broker.exchange("database")
        assert raised.value.where == str(where)
        assert "must-not-stay" not in str(raised.value)


def test_a_certificate_needs_tls(secured: Secured) -> None:
    with pytest.raises(UsageError, match="without TLS"):
        Broker("http://127.0.0.1:1", Svid("a", "b"))
