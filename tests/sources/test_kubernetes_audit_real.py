"""Published samples of audit events against what was counted in them by hand.

Seventeen of them have no time at all, because whoever published them cut it off: they are recognised and refused for
that. What they mean is looked at with a time put in.
"""

from collections import Counter
from pathlib import Path

import msgspec
import pytest

from custody.model.events import Event, Outcome, Part, Skip, Stage
from custody.sources.kubernetes_audit import SOURCE
from custody.sources.masking import mask

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/data/samples"
TIMED = {
    "k8s_audit/eks_aws_iam_accesskey_extra.ndjson": 2,
    "k8s_audit/eks_issued_credential_id.ndjson": 1,
    "k8s_audit/eks_pod_extra.ndjson": 4,
    "k8s_audit/eks_ocsf_examples.json": 1,
}
UNTIMED = {"k8s_audit/eks_tokenrequest_and_csr.ndjson": (10, 10), "gcp/gke_audit.ndjson": (8, 7)}
"""Records, and how many of them have no time."""
TIME = {"requestReceivedTimestamp": "2024-03-01T10:00:00Z", "timestamp": "2024-03-01T10:00:00Z"}


def records(name: str) -> list[bytes]:
    path = SAMPLES / name
    if not path.exists():
        pytest.skip(f"needs the sample events in ../shared/data/samples/{name}")
    data = path.read_bytes()
    return [data.strip()] if path.suffix == ".json" else [line for line in data.splitlines() if line.strip()]


def results(raws: list[bytes]) -> list[tuple[Event, ...] | Skip]:
    found = []
    for raw in raws:
        identity = SOURCE.identify(raw)
        assert SOURCE.recognise(raw)
        assert identity is not None
        assert not identity.withheld
        found.append(SOURCE.read(mask(raw, identity.secrets), "lines"))
        assert found[-1] == SOURCE.read(raw, "lines")
    return found


def events(name: str, *, timed: bool = True) -> list[Event]:
    raws = records(name)
    if not timed:
        raws = [msgspec.json.encode({**TIME, **msgspec.json.decode(raw)}) for raw in raws]
    read = results(raws)
    assert not [one for one in read if isinstance(one, Skip)]
    return [event for one in read if not isinstance(one, Skip) for event in one]


def parts(found: list[Event]) -> list[Part]:
    return [part for event in found for part in event.parts]


@pytest.mark.parametrize(("name", "count"), TIMED.items())
def test_every_sample_with_a_time_is_understood(name: str, count: int) -> None:
    assert len(events(name)) == count


@pytest.mark.parametrize(("name", "counts"), UNTIMED.items())
def test_a_sample_without_a_time_is_refused_for_that_alone(name: str, counts: tuple[int, int]) -> None:
    read = results(records(name))
    refused = [one for one in read if isinstance(one, Skip)]
    assert (len(read), len(refused)) == counts
    assert {one.reason for one in refused} == {"malformed"}
    assert all("the record has no time" in one.detail for one in refused)
    assert len(events(name, timed=False)) == counts[0]


def test_iam_principals_present_the_key_that_cloudtrail_names() -> None:
    found = events("k8s_audit/eks_aws_iam_accesskey_extra.ndjson")
    assert [(part.stage, part.key, part.effect) for part in parts(found)] == [
        (Stage.USE, "aws_akid:aws:ASIARLIVEKVNN6Y6J5UW", "stream.open"),
        (Stage.USE, "aws_akid:aws:ASIAXXXXXXXXXXXXXXXX", None),
    ]
    assert [event.principal for event in found] == ["k8s_user:-:kubernetes-admin", "k8s_user:-:eks:addon-manager"]
    assert found[0].session == "arn:aws:sts::123412341234:assumed-role/DevAdministrator/1669660343296132000"
    assert (found[0].time, found[0].action) == (1_669_680_544_380_000, "get pods/log")


def test_the_token_that_a_kubelet_got() -> None:
    found = events("k8s_audit/eks_issued_credential_id.ndjson")
    assert [(part.stage, part.key, part.subject, part.parent, part.not_after) for part in parts(found)] == [
        (
            Stage.ISSUE,
            "k8s_cred:-:JTI=2e6389af-b8bc-4c26-92d2-714fbe9cb4fa",
            "k8s_service_account:-:kube-system/kube-proxy",
            None,
            None,
        )
    ]
    assert found[0].principal == "k8s_node:-:ip-192-168-3-178.us-west-2.compute.internal"


def test_watches_of_a_server_that_names_the_pod_but_no_credential() -> None:
    found = events("k8s_audit/eks_pod_extra.ndjson")
    assert parts(found) == []
    assert len({event.id for event in found}) == 1
    assert Counter(event.outcome for event in found) == {Outcome.DENIED: 2, Outcome.SUCCESS: 2}
    assert {event.origin for event in found} == {"10.0.27.115", "5.5.5.5"}
    assert {event.time for event in found} == {1_669_761_246_892_000}
    assert all("5b9488ae-5563-42aa-850b-b0d82edb3e22" in (event.tags or "") for event in found)


def test_a_node_joins_by_its_instance_role() -> None:
    (event,) = events("k8s_audit/eks_ocsf_examples.json")
    assert [(part.stage, part.key) for part in event.parts] == [(Stage.USE, "aws_akid:aws:EXAMPLEUIDTEST")]
    assert (event.action, event.outcome, event.time) == ("create nodes", Outcome.SUCCESS, 1_631_047_050_502_680)


def test_bindings_and_certificate_requests() -> None:
    found = events("k8s_audit/eks_tokenrequest_and_csr.ndjson", timed=False)
    assert [(part.effect, part.key, part.object) for part in parts(found)] == [
        ("grant.create", "k8s_user:-:attacker@example.com", "ClusterRole/cluster-admin"),
        ("grant.create", "k8s_service_account:-:default/attacker-sa", "ClusterRole/system:kube-controller-manager"),
        ("grant.create", "k8s_user:-:readonly-user@example.com", "ClusterRole/view"),
        ("grant.create", None, "ClusterRole/cluster-admin"),
        ("grant.create", None, "ClusterRole/cluster-admin"),
        ("approval.request", "approval:kubernetes:csr/malicious-csr", "kubernetes.io/kube-apiserver-client"),
        ("approval.request", "approval:kubernetes:csr/sa-cert", "kubernetes.io/kube-apiserver-client"),
        ("approval.request", "approval:kubernetes:csr/system-cert", "kubernetes.io/kube-apiserver-client"),
    ]
    assert [event.outcome for event in found].count(Outcome.DENIED) == 1


def test_gke() -> None:
    found = events("gcp/gke_audit.ndjson", timed=False)
    assert [event.action for event in found] == [
        "create pods",
        "create ingresses",
        "create pods/exec",
        "create pods/exec",
        "list pods",
        "get pods",
        "list componentstatuses",
        "create clusterroles",
    ]
    assert [(part.effect, part.object) for part in parts(found)] == [("grant.create", "ClusterRole/cleanup-role")]
    assert [event.outcome for event in found].count(Outcome.DENIED) == 1
    assert found[0].principal == "k8s_user:test-project/gke-cluster:user@company.com"
    assert found[5].principal == "k8s_user:-:system:anonymous"
    assert found[0].origin == "1.2.3.4"
