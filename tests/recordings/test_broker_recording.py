"""What a broker sealed, against what cluster and database wrote of the same minute; read without any product code."""

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

SCENE = Path(__file__).parent / "broker"
RECEIPT = re.compile(r"COMMENT ON ROLE \"(\w+)\" IS '(\{[^']*\})'")


def raw(name: str) -> list[bytes]:
    return gzip.decompress((SCENE / f"{name}.log.gz").read_bytes()).splitlines()


def objects(name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in raw(name)]


@pytest.fixture(scope="module")
def entries() -> list[dict[str, object]]:
    return objects("custody-broker")


def of_kind(entries: list[dict[str, object]], kind: str) -> list[tuple[dict[str, object], dict[str, object]]]:
    bodies = [(entry, entry["body"]) for entry in entries]
    return [(entry, body) for entry, body in bodies if isinstance(body, dict) and body["kind"] == kind]


def test_its_lines_are_numbered_without_gaps_and_each_names_the_one_before(entries: list[dict[str, object]]) -> None:
    lines = raw("custody-broker")
    digests = ["0" * 64, *(hashlib.sha256(line).hexdigest() for line in lines)]

    assert [entry["seq"] for entry in entries] == list(range(1, len(lines) + 1))
    assert [entry["prev"] for entry in entries] == digests[:-1]


def test_every_role_carries_the_receipt_of_the_line_that_decided_it(entries: list[dict[str, object]]) -> None:
    written = [match for row in objects("jsonlog") if (match := RECEIPT.search(str(row.get("message"))))]
    told = {match[1]: json.loads(match[2]) for match in written}
    sealed = {
        str(entry["chain"]).replace("-", "_"): {"chain": entry["chain"], "broker": "lab", "seq": body["decided"]}
        for entry, body in of_kind(entries, "issued")
        if body["backend"] == "orders"
    }

    assert told == sealed
    assert len(told) == 4


def test_the_tokens_that_were_shown_are_those_that_the_cluster_issued(entries: list[dict[str, object]]) -> None:
    annotations = [row.get("annotations") or {} for row in objects("kubernetes-audit")]
    issued = {str(each.get("authentication.kubernetes.io/issued-credential-id")) for each in annotations}  # type: ignore[attr-defined]
    proofs = [body["proof"] for _, body in of_kind(entries, "request")]
    shown = {str(proof["credential"]).removeprefix("k8s_cred:-:") for proof in proofs}  # type: ignore[index]
    tokens = {each for each in shown if each.startswith("JTI=")}

    assert len(tokens) == 3
    assert tokens <= issued


def test_a_role_that_the_broker_says_is_gone_gets_no_further_than_a_refusal(entries: list[dict[str, object]]) -> None:
    ended = {str(entry["chain"]).replace("-", "_"): str(entry["at"])[:23] for entry, _ in of_kind(entries, "ended")}
    later = [
        (str(row["user"]), str(row["error_severity"]))
        for row in objects("jsonlog")
        if str(row["timestamp"]).removesuffix(" UTC").replace(" ", "T") > ended.get(str(row.get("user")), "~")
    ]

    assert sorted(later) == sorted((role, "FATAL") for role in ended)
    assert len(ended) == 4
