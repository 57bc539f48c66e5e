"""The ways in which audit events arrive: the same event, whatever is around it."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from custody.model.records import Framed
from custody.readers.content import Content
from custody.readers.framing import frame
from custody.sources.kubernetes_audit import SOURCE
from custody.sources.kubernetes_audit.secrets import find
from custody.sources.kubernetes_inventory import SOURCE as INVENTORY
from custody.sources.masking import mask
from custody.sources.registry import sources


@pytest.fixture
def event(cases: Path) -> bytes:
    """A TokenRequest: it has a secret to hide and an issue to tell."""
    return msgspec.json.encode(msgspec.json.decode((cases / "kubernetes_audit/token_request_pod.json").read_bytes()))


def framed(data: bytes) -> list[Framed]:
    wrappings = [wrapping for source in sources() for wrapping in source.wrappings]
    return list(frame(Content.of(data), wrappings))


def wrapped(event: bytes) -> Mapping[str, tuple[bytes, str]]:
    text = msgspec.json.encode(event.decode())
    azure = (
        b'{"time":"2024-03-01T10:00:05Z","category":"kube-audit","operationName":"x","properties":{"pod":"p","log":%s}}'
    )
    return {
        "lines": (event + b"\n" + b"{}", "lines"),
        "list": (b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[%s]}' % event, "list"),
        "list, items first": (b'{"items":[%s],"kind":"EventList"}' % event, "list"),
        "subscription": (
            b'{"messageType":"DATA_MESSAGE","owner":"111122223333","logGroup":"/aws/eks/main/cluster",'
            b'"logEvents":[{"id":"1","timestamp":1709287200123,"message":%s}]}' % text,
            "cloudwatch",
        ),
        "get-log-events": (
            b'{"events":[{"timestamp":1,"message":%s,"ingestionTime":2}],"nextForwardToken":"f/1"}' % text,
            "cloudwatch",
        ),
        "filter-log-events": (
            b'{"events":[{"logStreamName":"s","message":%s,"eventId":"3"}],"searchedLogStreams":[]}' % text,
            "cloudwatch",
        ),
        "azure line, string": (azure % text + b"\n", "azure"),
        "azure line, object": (azure % event + b"\n", "azure"),
        "azure records, string": (b'{"records":[%s]}' % (azure % text), "azure"),
        "azure records, object": (b'{"records":[%s]}' % (azure % event), "azure"),
    }


WAYS = tuple(wrapped(b"{}"))


@pytest.mark.parametrize("way", WAYS)
def test_every_way_gives_the_same_event_and_keeps_no_token(event: bytes, way: str) -> None:
    data, form = wrapped(event)[way]

    found = framed(data)[0]

    assert found.problem is None
    assert found.form == form
    assert found.raw is not None
    assert data[found.at : found.at + found.length] == found.raw
    assert SOURCE.recognise(found.raw)
    identity, plain = SOURCE.identify(found.raw), SOURCE.identify(event)
    assert identity is not None
    assert plain is not None
    assert identity.id == plain.id
    kept = mask(found.raw, identity.secrets)
    assert b"must-not-stay" not in kept
    assert SOURCE.read(kept, found.form) == SOURCE.read(event, "lines")


def test_an_object_with_items_but_without_kind_is_no_list(event: bytes) -> None:
    assert [one.form for one in framed(b'{"items":[%s]}' % event)] == ["lines"]


def test_an_event_of_the_core_api_is_no_audit_event() -> None:
    raw = b'{"kind":"Event","apiVersion":"v1","metadata":{"name":"e","uid":"u"},"reason":"Started","user":{},"verb":""}'
    assert SOURCE.identify(raw) is None


def test_the_items_of_a_kubectl_list_are_records(cases: Path) -> None:
    pod = (cases / "kubernetes_inventory/pod.json").read_bytes().strip()
    found = framed(b'{"apiVersion":"v1","items":[%s],"kind":"List","metadata":{"resourceVersion":""}}' % pod)
    assert [(one.form, one.raw) for one in found] == [("list", pod)]
    assert INVENTORY.identify(pod) is not None
    assert SOURCE.identify(pod) is None


def test_the_screen_lets_no_secret_through(cases: Path) -> None:
    raws = [path.read_bytes().strip() for path in sorted((cases / "kubernetes_audit").glob("*.json"))]
    raws = [raw for raw in raws if SOURCE.identify(raw) is not None]
    assert len(raws) > 100
    for raw, identity in zip(raws, SOURCE.identities(raws), strict=True):
        assert identity is not None
        assert (identity.secrets, identity.withheld) == find(raw)
        assert identity == SOURCE.identify(raw)


def test_a_copy_without_ids_is_identified_by_what_is_kept_of_it(cases: Path) -> None:
    record = msgspec.json.decode((cases / "kubernetes_audit/token_request_pod.json").read_bytes())
    del record["auditID"]
    raw = msgspec.json.encode(record)
    other = raw.replace(b"must-not-stay", b"must-not-stay either")
    encoded = msgspec.json.encode(raw.decode())

    known = [SOURCE.identify(each) for each in (raw, other, encoded)]

    assert len({one.id for one in known if one}) == 1
    for each, identity in zip((raw, other, encoded), known, strict=True):
        assert identity is not None
        assert identity.scheme == "content/1"
        again = SOURCE.identify(mask(each, identity.secrets))
        assert again is not None
        assert again.id == identity.id
