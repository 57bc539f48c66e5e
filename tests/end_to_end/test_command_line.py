"""Every command as a person or a program meets it: output, one JSON object, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from custody.cli import COMMANDS, main
from custody.cli.exits import CODES, MEANING
from tests.end_to_end.conftest import ROOT


class Sample:
    """A store of the sample logs, and a way to run commands on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.options = ["--store", str(folder / "store"), "--keys", str(folder / "keys")]

    def reading(self, *arguments: str) -> list[str]:
        return [*arguments, *self.options]


@pytest.fixture(scope="module")
def sample(sample_logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    found = Sample(tmp_path_factory.mktemp("cli"))
    code = main(["audit", str(sample_logs), "--json", "--jobs", "1", *found.options])
    assert code in (CODES["done"], CODES["input"])
    return found


def output(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(list(arguments))
    found = capsys.readouterr()
    return code, found.out, found.err


def object_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    _, out, _ = output(capsys, *arguments, "--json")
    found = json.loads(out)
    assert isinstance(found, dict)
    return found


def stolen(capsys: pytest.CaptureFixture[str], sample: Sample) -> dict[str, object]:
    findings = object_of(capsys, *sample.reading("findings", "--rule", "used-by-holder"))["findings"]
    assert isinstance(findings, list)
    first = findings[0]
    assert isinstance(first, dict)
    return first


def test_audit_and_report_give_the_same_object(
    sample: Sample, sample_logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audited = object_of(capsys, "audit", str(sample_logs), "--jobs", "1", *sample.options)
    reported = object_of(capsys, *sample.reading("report", "--format", "json"))

    assert audited.pop("run")
    reported.pop("run", None)
    assert audited == reported
    wanted = {"records", "understood", "skips", "duplicates", "conflicts", "events", "keys", "credentials", "links"}
    assert wanted | {"coverage", "scope", "findings", "checkpoint"} <= set(audited)


def test_trace_gives_one_chain_with_its_stages(sample: Sample, capsys: pytest.CaptureFixture[str]) -> None:
    key = str(stolen(capsys, sample)["subject"])
    chain = object_of(capsys, *sample.reading("trace", key))

    wanted = {"credential", "keys", "parent", "children", "uses", "stages", "verdicts"}
    assert wanted <= set(chain)
    stages = chain["stages"]
    assert isinstance(stages, list)
    assert {"stage", "time", "event", "leaf", "join", "asserter", "rule"} <= set(stages[0])
    assert set(stages[0]["leaf"]) == {"log", "index"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("findings",), ("coverage",), ("scope",), ("rules",), ("sources",), ("settings",),
        ("report", "--format", "json"), ("verify",), ("show", "operations:200"), ("prove", "operations:200"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_every_command_gives_one_object(
    arguments: tuple[str, ...], sample: Sample, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [] if arguments[0] in ("rules", "sources") else sample.options

    assert object_of(capsys, *arguments, *options)


@pytest.mark.parametrize("name", ["findings", "coverage", "scope", "rules", "sources", "settings", "verify"])
def test_text_is_plain_when_piped(name: str, sample: Sample, capsys: pytest.CaptureFixture[str]) -> None:
    options = [] if name in ("rules", "sources") else sample.options
    code, out, _ = output(capsys, name, *options)

    assert code == 0
    assert out.strip()
    assert "\x1b" not in out


def test_verify_names_the_log_the_key_and_what_is_exempt(sample: Sample, capsys: pytest.CaptureFixture[str]) -> None:
    found = object_of(capsys, *sample.reading("verify"))

    assert (found["status"], found["log"]) == ("ok", str(sample.folder / "store" / "logs" / "operations"))
    assert str(found["vkey"]).startswith(f"{found['origin']}+")
    exempt = found["exempt"]
    assert isinstance(exempt, list)
    assert exempt[:3] == ["lock", "logs/approvals.lock", "index/"]
    assert all(name.startswith("index/") for name in exempt[3:])


def test_show_gives_kept_salt_and_leaf(sample: Sample, capsys: pytest.CaptureFixture[str]) -> None:
    found = object_of(capsys, *sample.reading("show", "operations:200"))

    assert found["leaf"] == {"log": "operations", "index": 200}
    assert found["kept"]
    assert len(str(found["salt"])) == 32


def test_what_is_not_there_is_not_found(sample: Sample, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (("trace", "AKIANOSUCHKEY0000000"), ("show", "no-such-event"), ("contain", "nobody")):
        code, out, err = output(capsys, *sample.reading(*arguments))
        assert code == CODES["not found"], arguments
        assert out or err


def test_usage_errors_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert output(capsys, "no-such-command")[0] == CODES["usage"]
    assert output(capsys, "audit")[0] == CODES["usage"]
    code, _, err = output(capsys, "scope", "--store", str(tmp_path / "nothing"))
    assert code == CODES["store"]
    assert "nothing" in err


def test_findings_change_the_exit_code_only_where_asked(sample: Sample, capsys: pytest.CaptureFixture[str]) -> None:
    assert output(capsys, *sample.reading("findings"))[0] == CODES["done"]
    assert output(capsys, *sample.reading("findings", "--fail-on", "high"))[0] == CODES["findings"]
    assert output(capsys, *sample.reading("findings", "--fail-on", "critical"))[0] == CODES["done"]


def test_nothing_is_written_into_the_working_folder_unasked_but_the_store(sample_logs: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "custody.cli", "audit", str(sample_logs), "--keys", str(tmp_path / "keys")]
    work = tmp_path / "work"
    work.mkdir()
    subprocess.run(command, cwd=work, check=False, capture_output=True)

    assert [path.name for path in work.iterdir()] == ["custody-store"]


def test_the_demo_runs_the_main_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = output(capsys, "demo", "--folder", str(tmp_path / "demo"))

    assert code == 0
    assert "FINDINGS" in out
    assert (tmp_path / "demo" / "report.html").stat().st_size > 10_000


def test_every_exit_code_is_in_the_docs() -> None:
    text = (ROOT / "docs" / "exit-codes.md").read_text()

    for name, code in CODES.items():
        assert f"| {code} | {name} | {MEANING[name]} |" in text


def test_every_command_is_in_the_readme_and_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "README.md").read_text()
    for name in COMMANDS:
        if name not in ("rules", "sources", "settings", "demo"):
            assert f"custody {name}" in text, name
        code, out, _ = output(capsys, name, "--help")
        assert code == 0
        assert out.startswith("Usage: custody")


def test_a_hostile_name_reaches_the_terminal_as_text(sample: Sample, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, err = output(capsys, *sample.reading("trace", "\x1b[31mred\x07"))

    assert "\x1b" not in out + err
    assert "\x07" not in out + err


def test_completion_is_offered() -> None:
    found = subprocess.run(
        [str(Path(sys.executable).with_name("custody"))],
        env={"_CUSTODY_COMPLETE": "bash_source", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=False,
    )

    assert b"complete" in found.stdout


def test_what_is_wrong_with_a_contract_has_a_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contract = tmp_path / "contract.yaml"
    contract.write_text("classes:\n  a:\n    match: {subject: x}\n    ower: team:a\n    ttl: 15 minutes\n")
    store = ["--store", str(tmp_path / "store"), "--keys", str(tmp_path / "keys")]
    code, _, err = output(capsys, "audit", str(tmp_path), "--contract", str(contract), *store)

    assert code == CODES["usage"]
    first, *rest = err.splitlines()
    assert first.startswith("custody: ")
    assert len(rest) == 3
    assert [line.startswith(f"  {contract}:") for line in rest] == [True] * 3


def test_commands_that_only_read_take_no_contract(sample: Sample, capsys: pytest.CaptureFixture[str]) -> None:
    assert output(capsys, *sample.reading("findings", "--contract", "contract.yaml"))[0] == CODES["usage"]
    assert "--keys" not in output(capsys, "findings", "--help")[1]


def test_an_unknown_rule_is_not_an_empty_list(sample: Sample, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = output(capsys, *sample.reading("findings", "--rule", "used-by-holde"))

    assert (code, out) == (CODES["usage"], "")
    assert "used-by-holder" in err


def listed(capsys: pytest.CaptureFixture[str], sample: Sample, *arguments: str) -> tuple[list[str], dict[str, object]]:
    """The ids of findings, and the rest of the answer."""
    found = object_of(capsys, *sample.reading("findings", *arguments))
    findings = found.pop("findings")
    assert isinstance(findings, list)
    return [each["id"] for each in findings], found


def test_findings_of_a_control_are_those_of_its_rules(sample: Sample, capsys: pytest.CaptureFixture[str]) -> None:
    every, _ = listed(capsys, sample)
    some, answer = listed(capsys, sample, "--control", "pr.ac-1")
    rules = object_of(capsys, "rules", "--control", "PR.AC-1")["rules"]
    code, out, err = output(capsys, *sample.reading("findings", "--control", "PR.XX-9"))

    _, page, _ = output(capsys, *sample.reading("findings", "--control", "PR.AC-1"))

    assert answer["controls"] == ["PR.AA-01", "PR.AA-05"]
    assert isinstance(answer["rules"], list)
    assert isinstance(rules, list)
    assert answer["rules"] == [each["id"] for each in rules]
    assert f"PR.AC-1 means PR.AA-01, PR.AA-05; {len(rules)} rules speak to them" in " ".join(page.split())
    assert set(some) < set(every)
    assert all({"PR.AA-01", "PR.AA-05"} & set(each["controls"]) for each in rules)
    assert (code, out) == (CODES["usage"], "")
    assert "PR.AA-0" in err


def test_a_sample_says_what_it_was_drawn_from(sample: Sample, capsys: pytest.CaptureFixture[str]) -> None:
    every, _ = listed(capsys, sample)
    drawn, answer = listed(capsys, sample, "--sample", "2", "--seed", "audit 2026")
    _, text, _ = output(capsys, *sample.reading("findings", "--sample", "2", "--seed", "\x1b[31maudit"))
    known = answer["sample"]

    assert isinstance(known, dict)
    assert (known["population"], known["size"], known["seed"]) == (len(every), 2, "audit 2026")
    assert set(drawn) == set(known["chosen"]) <= set(every)
    assert listed(capsys, sample, "--sample", "2", "--seed", "audit 2026")[0] == drawn
    assert f"SAMPLE        2 of a population of {len(every)}" in text
    assert known["digest"] in text.replace("\n", "").replace(" ", "")
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("arguments", [("--sample", "2"), ("--seed", "x"), ("--sample", "0", "--seed", "x")])
def test_a_sample_without_a_seed_is_nobodys(
    sample: Sample, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert output(capsys, *sample.reading("findings", *arguments))[0] == CODES["usage"]


def test_settings_are_written_as_flags_are(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = output(capsys, "settings", "--max-record", "1536KiB", "--memory", "1GiB", "--max-content", "1025KiB")
    shown = {line.split()[0]: line.split()[1] for line in out.splitlines()}

    assert [shown[name] for name in ("max_record", "memory", "max_content")] == ["1536KiB", "1GiB", "1025KiB"]
    assert shown["contract"] == "none"


def test_an_audit_says_what_the_run_read(sample: Sample, sample_logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, err = output(capsys, "audit", str(sample_logs), "--jobs", "1", *sample.options)

    assert "of them known; 0 new records in" in err
    assert "new records" not in out


def test_the_check_by_hand_in_the_docs_works(
    sample: Sample, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    section = (ROOT / "docs" / "log.md").read_text().split("## One record by hand")[1]
    script = section.split("```python\n")[1].split("```")[0]
    entry = tmp_path / "event.entry"
    proof = str(tmp_path / "event.tlog-proof")
    for leaf in ("200", "1000"):
        assert output(capsys, *sample.reading("prove", leaf, "-o", proof, "--entry", str(entry)))[0] == 0
        (tmp_path / "event.json").write_text(output(capsys, *sample.reading("show", leaf, "--json"))[1])
        (vkey,) = (sample.folder / "keys").glob("*/vkey")
        (tmp_path / "log.vkey").write_bytes(vkey.read_bytes())

        assert by_hand(script, tmp_path) == ["in the tree", "the bytes sealed"]
        assert (tmp_path / "note").read_text().startswith("custody.local/")
    entry.write_bytes(entry.read_bytes().replace(b'"v":1', b'"v":2'))

    assert by_hand(script, tmp_path)[0] == "NOT in the tree"


def by_hand(script: str, folder: Path) -> list[str]:
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()
