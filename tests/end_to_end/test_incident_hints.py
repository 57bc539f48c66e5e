"""What asks for action leads to an incident: the command that opens one stands below it, with the real id."""

from __future__ import annotations

from pathlib import Path

import pytest

from custody.cli import main
from custody.model.report import Report
from custody.settings.catalog import Settings

MORE = "--title TEXT --reason TEXT --sign-with KEY"
"""What only people know. The files are asked for where no setting names them: they cannot be handed over later."""


def _config(folder: Path) -> Path:
    for name in ("response.toml", "allowed-signers"):
        (folder / name).touch()
    path = folder / "custody.toml"
    path.write_text('response = "response.toml"\nsigners = "allowed-signers"\n', encoding="utf-8")
    return path


def told(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert main(list(words)) == 0
    return capsys.readouterr().out.splitlines()


def test_findings_end_with_the_command_that_opens_an_incident_on_the_first_about_a_credential(
    sample_store: tuple[Settings, Report], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    settings, report = sample_store
    store = ("--store", str(settings.store))
    first = next(each for each in report.findings if each.credential)

    assert told(capsys, "findings", *store)[-1] == (
        f"→ custody incident open --finding {first.id} {MORE} --response FILE --signers FILE"
    )
    files = ("--config", str(_config(tmp_path)))
    assert told(capsys, "findings", *store, *files)[-1] == f"→ custody incident open --finding {first.id} {MORE}"
    for more in (("--suppressed",), ("--sample", "1", "--seed", "x"), ("--control", "NHI1:2025")):
        assert not any("incident open" in line for line in told(capsys, "findings", *more, *store)), more


def test_contain_names_the_finding_about_a_living_key_and_says_nothing_of_what_is_over(
    real_store: tuple[Settings, Report], capsys: pytest.CaptureFixture[str]
) -> None:
    settings, report = real_store
    store = ("--store", str(settings.store))
    subjects = {each.subject: each.id for each in report.findings if each.credential}

    over = told(capsys, "contain", "ASIATFQR7NSC36DZQP7P", *store)
    assert "nothing" in over[0]
    assert not any("incident open" in line for line in over)
    alive = told(capsys, "contain", "AKIATFQR7NSC8Q4X20BJ", *store)
    known = subjects.get("aws_akid:aws:AKIATFQR7NSC8Q4X20BJ")
    seed = "--key AKIATFQR7NSC8Q4X20BJ" if known is None else f"--finding {known}"
    assert alive[-1] == f"→ custody incident open {seed} {MORE} --response FILE --signers FILE"
