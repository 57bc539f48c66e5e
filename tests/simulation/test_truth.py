"""The truth agrees with the files and with itself."""

import json
import re

import pytest

from custody.model import keys
from custody.model.verdicts import Question, State
from custody.settings.contract import parse_contract
from custody.simulation.times import HOUR, START
from custody.simulation.truth import Credential
from tests.simulation.conftest import HOURS, Made

ADMINS = ("vault-admin", "custody_broker")
"""Roles that make others: their connections are no sessions of a credential of the truth."""


def in_files(each: Credential, text: bytes) -> bool:
    """Whether some name of the credential stands in the files, as its product writes it."""
    return any(_written(name).encode() in text for name in (each.key, *each.aliases))


def _written(key: str) -> str:
    parsed = keys.parse(key)
    return str(int(parsed.value, 16)) if parsed.type == "x509_serial" else parsed.value


def test_every_credential_is_in_the_files(clean: Made) -> None:
    text = clean.text()
    absent = [each.key for each in clean.truth.credentials if each.records and not in_files(each, text)]

    assert absent == []
    machines = [each for each in clean.truth.credentials if each.population == "machine"]
    assert [each.key for each in machines if not each.records.get("issue")] == []


def test_nothing_that_was_issued_in_the_files_is_missing_from_the_truth(clean: Made) -> None:
    text = clean.text()
    known = {_written(name) for each in clean.truth.credentials for name in (each.key, *each.aliases)}
    issued = set(re.findall(rb'"credentials":\{"accessKeyId":"([A-Z0-9]+)"', text))
    issued |= set(re.findall(rb'issued-credential-id":"(JTI=[0-9a-f-]+)"', text))
    issued |= set(re.findall(rb'CREATE ROLE \\"(v-[^"\\]+)', text))
    issued |= set(re.findall(rb'CREATE ROLE \\"(cc_[^"\\]+)', text))
    issued |= set(re.findall(rb"serial_num=([0-9]+)", text))

    assert len(issued) > 40
    assert {each.decode() for each in issued} <= known


def test_every_key_is_one(clean: Made, faulty: Made) -> None:
    for truth in (clean.truth, faulty.truth):
        named = [name for each in truth.credentials for name in (each.key, *each.aliases)]
        named += [each.key for each in truth.runs] + [each.key for each in truth.sessions]
        named += [key for link in truth.links for key in (link.from_key, link.to_key)]
        assert [str(keys.parse(name)) for name in named] == named


def test_links_parents_and_runs_are_known(clean: Made) -> None:
    truth = clean.truth
    credentials = {name for each in truth.credentials for name in (each.key, *each.aliases)}
    runs = {name for each in truth.runs for name in (each.key, *each.aliases)}

    assert {each.parent for each in truth.credentials} - {None} <= credentials
    assert {each.run for each in truth.credentials} - {None} <= runs
    assert {each.credential for each in truth.sessions} <= credentials
    for link in truth.links:
        if link.join != "forward_session":
            assert {link.from_key, link.to_key} <= credentials | runs, link
    partly = {"database_parent"}  # written down only where nothing else tells who asked for the role
    assert {link.join for link in truth.links} - partly == set(truth.complete_joins)


def test_nothing_is_later_than_the_end(clean: Made) -> None:
    truth = clean.truth

    assert truth.until - truth.since == HOURS * HOUR
    assert truth.since == START
    for run in truth.runs:
        assert truth.since <= run.started <= (run.ended or truth.until) <= truth.until
    for each in truth.credentials:
        assert (each.issued_at or 0) <= (each.ended_at or truth.until) <= truth.until, each
    assert any(run.ended is None for run in truth.runs)
    assert any(session.closed is None for session in truth.sessions)


def test_a_run_is_seen_by_its_orchestrator(clean: Made) -> None:
    by_kind = {run.kind: run.seen for run in clean.truth.runs}

    assert by_kind["instance"] == ("aws.cloudtrail",)
    assert by_kind["pod"] == ("kubernetes.audit",)
    assert by_kind["invocation"] == ("aws.lambda",)
    assert by_kind["agent task"] == ("otel.otlp",)
    assert all(
        run.seen == ("github.audit", "github.workflow") for run in clean.truth.runs if run.kind == "workflow run"
    )


def test_a_clean_estate_may_be_called_violated_in_nothing(clean: Made) -> None:
    assert clean.truth.planted == ()
    assert clean.truth.dropped == ()
    assert all(State.VIOLATED not in each.states for each in clean.truth.expected)


def test_what_a_client_named_is_never_proved(clean: Made) -> None:
    """An approval reaches a job's key through a session name, which is the client's word; a broker's by its log."""
    brokered = {each.key for each in clean.truth.credentials if each.parent_join == "brokered_parent"}
    asked = [each for each in clean.truth.expected if each.question == Question.APPROVED]
    approved = [each for each in asked if each.key not in brokered]

    assert len(approved) > 3
    assert all(each.states == (State.UNPROVEN,) for each in approved)


def test_every_deployment_is_approved_by_another_before_its_job(clean: Made) -> None:
    began = {run.parent: run.started for run in clean.truth.runs if run.kind == "job"}
    deployments = [each for each in clean.truth.approvals if each.target in began]

    assert {each.target for each in deployments} == set(began)
    for each in deployments:
        assert each.approver != each.requester
        assert each.time < began[each.target]
        assert each.seen


@pytest.mark.parametrize("which", ["clean", "faulty"])
def test_the_contract_is_one(which: str, request: pytest.FixtureRequest) -> None:
    made: Made = request.getfixturevalue(which)
    contract = parse_contract((made.folder / made.truth.contract).read_bytes(), "contract.yaml")

    deploy = next(each for each in contract.classes if each.name == "production-deploy")
    assert deploy.approval is not None
    assert deploy.approval.not_ == ("requester",)
    assert contract.not_judged == ()


def test_sessions_of_the_truth_are_those_of_the_database(clean: Made) -> None:
    opened = {
        f"db_session:postgresql:{each['session_id']}"
        for each in map(json.loads, clean.lines("postgresql/*"))
        if each["message"].startswith("connection authorized") and each["user"] not in ADMINS
    }

    assert opened == {each.key for each in clean.truth.sessions}


def test_uses_are_those_of_the_files_where_nothing_was_lost(clean: Made) -> None:
    """Twice of a certificate, whose records name it by two names."""
    for each in clean.truth.credentials:
        told = each.records.get("use", 0)
        if each.uses is None:
            assert told == 0, each.key
        else:
            assert each.uses.count == told // (2 if each.kind == "certificate" else 1), each.key
            assert clean.truth.since <= each.uses.first <= each.uses.last <= clean.truth.until
            assert each.uses.count > 1 or each.uses.first == each.uses.last


def test_uses_are_known_that_no_file_tells_of(faulty: Made) -> None:
    """Whatever was dropped happened: of a key whose uses were dropped more are known than are in the files."""
    known = {each.key: each for each in faulty.truth.credentials}
    lost = [known[key] for each in faulty.truth.dropped if each.stage == "use" for key in each.keys if key in known]

    assert lost
    for each in lost:
        told = each.records.get("use", 0)
        assert each.uses is not None
        assert each.uses.count > told // (2 if each.kind == "certificate" else 1), each.key
        assert each.touched, each.key


def test_the_stolen_key_was_used_and_touched_from_elsewhere(faulty: Made) -> None:
    stolen = next(each for each in faulty.truth.planted if each.fault == "stolen-key")
    key = next(each for each in faulty.truth.credentials if each.key == stolen.subject)

    assert key.uses is not None
    assert {"s3.amazonaws.com", "secretsmanager.amazonaws.com"} <= set(key.touched["resource"])


def test_what_was_touched_has_its_kind(clean: Made) -> None:
    kinds = {kind for each in clean.truth.credentials for kind in each.touched}
    secrets = {name for each in clean.truth.credentials for name in each.touched.get("secret", ())}
    made = {name for each in clean.truth.credentials for name in each.touched.get("key", ())}
    names = {name for each in clean.truth.credentials for name in (each.key, *each.aliases)}

    assert kinds == {"grant", "key", "resource", "secret"}
    assert all(name.startswith("secret/data/") for name in secrets)
    assert made
    assert made <= names
