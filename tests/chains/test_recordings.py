"""What real servers wrote, against what the script that drove them did: exact links are all there and all true."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chains.running import Derived, derived

SCENES = sorted(path.parent for path in (Path(__file__).parents[1] / "recordings").glob("*/truth.json"))
NOT_LOGS = ("truth.json", "servers.json")


class Scene:
    """One recording: the truth, by the first name of each credential, and what was derived from its logs."""

    def __init__(self, folder: Path, case: Derived) -> None:
        self.case = case
        self.truth = json.loads((folder / "truth.json").read_bytes())
        aliases = {str(row["key"]): str(row["target"]) for row in case.rows("SELECT * FROM aliases")}
        self.name = {}
        self.of = {}
        known = {str(row["key"]) for row in case.rows("SELECT key FROM credentials")}
        for one in self.truth["credentials"]:
            names = (one["key"], *one["aliases"])
            first = next((aliases[each] for each in names if each in aliases), one["key"])
            first = first if first in known else next((each for each in names if each in known), first)
            self.of[first] = one
            self.name.update(dict.fromkeys((one["key"], *one["aliases"], first), first))

    def links(self, kind: str, grade: str) -> set[tuple[str, str]]:
        """(child, parent) as the truth has them."""
        return {
            (self.name[link["target"]], self.name[link["source"]])
            for link in self.truth["links"]
            if link["kind"] == kind and link["grade"] == grade
        }

    def verdicts(self) -> dict[str, dict[str, str]]:
        """The state of every answer, by key and question, of the credentials of the truth."""
        found = self.case.verdicts()
        return {
            key: {question: verdict.state.value for question, verdict in found.get(key.rpartition(":")[2], {}).items()}
            for key in self.of
        }


@pytest.fixture(params=SCENES, ids=lambda path: path.name, scope="module")
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder: Path = request.param
    logs = [path for path in sorted(folder.iterdir()) if path.is_file() and path.name not in NOT_LOGS]
    data = [gzip.decompress(path.read_bytes()) for path in logs]
    with derived(tmp_path_factory.mktemp(folder.name), data) as case:
        yield Scene(folder, case)


def test_every_credential_that_was_used_has_a_chain(scene: Scene) -> None:
    known = {str(row["key"]) for row in scene.case.rows("SELECT key FROM credentials")}
    used = {key for key, one in scene.of.items() if one["uses"]}

    assert used <= known


def test_exact_parents_are_all_found_and_all_true(scene: Scene) -> None:
    rows = scene.case.rows("SELECT key, parent FROM parents")
    told = {(str(row["key"]), str(row["parent"])) for row in rows if row["key"] in scene.of}

    assert told == scene.links("parent", "exact")


def test_what_is_not_exact_is_among_the_candidates_and_never_among_the_parents(scene: Scene) -> None:
    rows = scene.case.rows("SELECT key, parent FROM candidate_parents")
    candidates = {(str(row["key"]), str(row["parent"])) for row in rows}
    parents = {(str(row["key"]), str(row["parent"])) for row in scene.case.rows("SELECT key, parent FROM parents")}

    assert scene.links("parent", "bounded") <= candidates
    assert not scene.links("parent", "bounded") & parents


def test_successes_are_counted_as_the_script_made_them(scene: Scene) -> None:
    rows = scene.case.rows("SELECT key, successes FROM credentials")
    told = {str(row["key"]): row["successes"] for row in rows}

    assert {key: told.get(key, 0) for key in scene.of} == {key: one["uses"] for key, one in scene.of.items()}


def test_sessions_belong_to_the_credential_that_opened_them(scene: Scene) -> None:
    rows = scene.case.rows("SELECT key, session FROM sessions")
    told = {(str(row["session"]), str(row["key"])) for row in rows if row["key"] in scene.of}
    true = {
        (link["target"], scene.name[link["source"]])
        for link in scene.truth["links"]
        if link["kind"] == "session" and link["grade"] == "exact"
    }

    assert true <= told


def test_runs_are_those_that_the_server_bound(scene: Scene) -> None:
    rows = scene.case.rows("SELECT key, run FROM key_runs WHERE grade = 'exact' AND asserter = 'issuer' AND depth = 0")
    told = {(str(row["key"]), str(row["run"])) for row in rows}
    true = {(link["target"], link["source"]) for link in scene.truth["links"] if link["kind"] == "binding"}

    assert told == true


def test_ends_are_told_of_what_ended_and_of_nothing_else(scene: Scene) -> None:
    rows = scene.case.rows("SELECT key FROM credentials WHERE end_time IS NOT NULL AND end_until IS NULL")
    told = {str(row["key"]) for row in rows} & set(scene.of)

    assert told == {key for key, one in scene.of.items() if one["ended"] is not None}


def test_nothing_is_called_proved_or_violated_that_is_not(scene: Scene) -> None:
    told = scene.verdicts()
    wrong = [
        (one["what"], question, told[key][question], true)
        for key, one in scene.of.items()
        for question, true in one["expected"].items()
        if told[key].get(question) in ("proved", "violated") and told[key][question] != true
    ]

    assert wrong == []


def test_what_the_truth_knows_for_sure_is_found(scene: Scene) -> None:
    told = scene.verdicts()
    missed = [
        (one["what"], question)
        for key, one in scene.of.items()
        for question, true in one["expected"].items()
        if told[key].get(question) != true and one["how_ended"] != "object deleted"
    ]

    assert missed == []
