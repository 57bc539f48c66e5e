"""Audit the kept logs of a scene with custody, and compare its chains with the truth, one kind of link at a time.

Every credential of the truth is traced. ``found`` are those that custody has a chain for; ``parent`` compares the
links from a credential to what was made with it, in both directions; ``uses``, ``ended``, ``verdicts`` compare what the
chains say.
"""

import subprocess
import sys
from pathlib import Path
from typing import cast

import msgspec

from lab import truth
from lab.truth import Credential
from lab.web import Json


class Score(msgspec.Struct, frozen=True):
    """How many true facts there are, how many custody told, and how many of those are true."""

    kind: str
    true: int
    told: int
    both: int

    def __str__(self) -> str:
        recall = f"{self.both / self.true:.2f}" if self.true else "n/a"
        precision = f"{self.both / self.told:.2f}" if self.told else "n/a"
        counts = f"{self.both} of {self.true} true, of {self.told} told"
        return f"  {self.kind:<8} recall {recall}  precision {precision}  ({counts})"


Facts = set[tuple[str, ...]]
SAID = ("proved", "violated")
"""States that claim something: an answer that is left unproven is not known, and not wrong."""


def scene(folder: Path) -> str:
    """The comparison as text; says so where custody could not audit the logs."""
    told = truth.read(folder)
    report, problem = _custody(folder, "audit", str(folder / "logs"))
    if "understood" not in report:
        return f"{told.scene}: custody gave no report: {problem or report.get('error')}"
    chains = {one.key: _chain(folder, one) for one in told.credentials}
    names = {name: one.key for one in told.credentials for name in (one.key, *one.aliases)}
    lines = [f"{told.scene}: {report.get('understood')} of {report.get('records')} records understood"]
    lines += [str(score) for score in _scores(told.credentials, chains, names)]
    lines += [f"  {words}" for one in told.credentials for words in _differences(one, chains[one.key])]
    return "\n".join(lines)


def _differences(credential: Credential, chain: Json) -> list[str]:
    who = f"{credential.what} {credential.key}"
    if "successes" not in chain:
        return [f"no chain: {who}: {chain.get('error', 'no hit')}"]
    words = []
    if chain["successes"] != credential.uses:
        words.append(f"uses: {who}: true {credential.uses}, told {chain['successes']}")
    told = {question: state for _, question, state in _verdicts({"": chain})}
    for question, state in credential.expected.items():
        if told.get(question) != state:
            words.append(f"{question}: {who}: true {state}, told {told.get(question)}")
    return words


def _scores(credentials: list[Credential], chains: dict[str, Json], names: dict[str, str]) -> list[Score]:
    keys = {one.key for one in credentials}
    facts: list[tuple[str, Facts, Facts]] = [
        ("found", {(key,) for key in keys}, {(key,) for key in keys if "successes" in chains[key]}),
        ("parent", {(one.parent, one.key) for one in credentials if one.parent in keys}, _parents(chains, names)),
        ("uses", {(one.key, str(one.uses)) for one in credentials}, _of(chains, "successes")),
        ("ended", {(one.key,) for one in credentials if one.ended}, {(key,) for key in chains if _ended(chains[key])}),
    ]
    expected: Facts = {(one.key, *answer) for one in credentials for answer in one.expected.items()}
    asked = {one[:2] for one in expected}
    facts.append(("verdicts", expected, {fact for fact in _verdicts(chains) if fact[:2] in asked and fact[2] in SAID}))
    return [Score(kind, len(true), len(told), len(true & told)) for kind, true, told in facts]


def _parents(chains: dict[str, Json], names: dict[str, str]) -> Facts:
    links: Facts = set()
    for key, chain in chains.items():
        if chain.get("parent"):
            parent = _name(chain["parent"])
            links.add((names.get(parent, parent), key))
        children = chain.get("children")
        links |= {(key, names.get(name, name)) for name in map(_name, children if isinstance(children, list) else ())}
    return links


def _name(child: object) -> str:
    return str(cast("Json", child).get("key")) if isinstance(child, dict) else str(child)


def _of(chains: dict[str, Json], field: str) -> Facts:
    return {(key, str(chain[field])) for key, chain in chains.items() if field in chain}


def _verdicts(chains: dict[str, Json]) -> set[tuple[str, str, str]]:
    told: set[tuple[str, str, str]] = set()
    for key, chain in chains.items():
        verdicts = chain.get("verdicts")
        for verdict in verdicts if isinstance(verdicts, list) else ():
            one = cast("Json", verdict)
            told.add((key, str(one.get("question")), str(one.get("state"))))
    return told


def _ended(chain: Json) -> bool:
    stages = chain.get("stages")
    told = [cast("Json", stage) for stage in stages] if isinstance(stages, list) else []
    return any(one.get("stage") in ("revoke", "expire", "end") and one.get("rule") != "session" for one in told)


def _chain(folder: Path, credential: Credential) -> Json:
    """The chain under the first of its names that has one; what the last name gave where none has."""
    chain: Json = {}
    for name in (credential.key, *credential.aliases):
        chain, problem = _custody(folder, "trace", name)
        if "successes" in chain:
            return chain
        chain = chain or {"error": problem}
    return chain


def _custody(folder: Path, command: str, argument: str) -> tuple[Json, str]:
    where = ["--store", str(folder / "store"), "--keys", str(folder / "keys")]
    called = [sys.executable, "-m", "custody.cli", command, argument, "--json", *where]
    done = subprocess.run(called, capture_output=True, check=False)
    try:
        return msgspec.json.decode(done.stdout, type=dict[str, object]), ""
    except msgspec.DecodeError:
        return {}, f"exit code {done.returncode}, {done.stderr.decode(errors='replace')[-600:]}"
