"""What a broker really writes is read whole: asked for, approved, issued, renewed, given back, refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.broker.trial import ANNA, SECOND, Trial, caller, played, wants
from tests.chains.running import derived

from custody.broker.broker import Broker
from custody.errors import ApprovalNeeded, IdentityRefused
from custody.model import brokered
from custody.model.broker_terms import Asked, Verdict
from custody.model.contracts import EMPTY
from custody.model.verdicts import Question


def written(trial: Trial) -> bytes:
    return b"".join(brokered.line(entry) + b"\n" for entry in trial.evidence.said)


def test_a_broker_is_read_as_it_writes(tmp_path: Path) -> None:
    trial = Trial()

    async def play(broker: Broker) -> tuple[str, str]:
        trial.says.verdict, trial.says.asked = Verdict.APPROVAL, Asked(count=1, group="leads", within=600)
        with pytest.raises(ApprovalNeeded) as caught:
            await broker.exchange(caller("deploy/7"), wants())
        trial.approve(caught.value.found, ANNA)
        trial.clock.time += 5 * SECOND
        old = await broker.fetch(caller("deploy/7"), caught.value.found)
        trial.says.verdict, trial.says.asked = Verdict.ALLOW, None
        trial.clock.time += 5 * SECOND
        new = await broker.renew(caller("deploy/7"), old.chain, reason='it takes "longer"')
        with pytest.raises(IdentityRefused):
            await broker.exchange(caller("bad"), wants())
        trial.clock.time += 5 * SECOND
        await broker.complete(caller("deploy/7"), new.chain)
        return old.keys[0], new.keys[0]

    old, new = played(trial, play)

    with derived(tmp_path, [written(trial)], EMPTY) as case:
        verdicts = case.verdicts()
        rows = {str(row["key"]): row for row in case.rows("SELECT * FROM judged")}
        sound = {str(row["key"]): row["sound"] for row in case.rows("SELECT key, sound FROM brokered")}
        approvals = case.rows("SELECT key, approver, effect FROM approvals")
        assert case.report.skips == 0
        assert case.report.findings == ()
        (certificate,) = case.report.certificates
        assert certificate.expected == certificate.received == len(trial.evidence.said)
        assert len(certificate.whole) == 1
    assert sound == {old: True, new: True}
    assert [(row["key"], row["approver"], row["effect"]) for row in approvals] == [(old, ANNA.key, "approval.grant")]
    assert {rows[key]["parent"] for key in (old, new)} == {"jwt_jti:idp.example:deploy"}
    assert {rows[key]["end_effect"] for key in (old, new)} == {"credential.gone"}
    for key in (old, new):
        found = verdicts[key.rpartition(":")[2]]
        for question in (Question.REQUESTER, Question.DECIDED, Question.ISSUANCE, Question.END_RECORDED):
            assert found[question.value].state.value == "proved", (key, question)
