"""The tree of a delegation, as real servers' logs and a made case give it."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from custody.chains import stored
from custody.chains.tree import SHOWN_CHILDREN, Tree, tree
from custody.engine.duck import Engine
from custody.model.contracts import Versions
from custody.pipeline.derive import derive, write
from custody.rules import judging
from custody.rules.registry import load
from tests.chains.running import committed

SCENE = Path(__file__).parents[1] / "recordings" / "kubernetes_vault_postgresql"
CASES = Path(__file__).parents[1] / "cases" / "chains"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    logs = [path for path in sorted(SCENE.iterdir()) if path.is_file() and not path.name.endswith(".json")]
    folder = tmp_path_factory.mktemp("tree")
    with Engine(memory_mib=300, threads=1) as opened:
        attached(opened, folder, [gzip.decompress(path.read_bytes()) for path in logs])
        yield opened


def attached(engine: Engine, folder: Path, data: list[bytes]) -> None:
    """Derive ``data`` and attach its tables, as a question finds them."""
    records = committed(folder, data)
    with Engine(memory_mib=300, threads=1) as building:
        write(building, folder, records.files, derive(building, records, Versions()))
    stored.attach(engine, folder, judging.fact_tables(load()))
    stored.attach_parts(engine, records.files, None)
    judging.define(engine, 0)


def keys(engine: Engine, condition: str) -> list[str]:
    rows = engine.rows(f"SELECT key FROM credentials WHERE {condition} ORDER BY issued_at, key")
    return [str(key) for (key,) in rows]


def of(engine: Engine, key: str) -> Tree:
    found = tree(engine, key)
    assert found is not None
    return found


def kinds(found: Tree) -> list[tuple[int, str, str]]:
    return [
        (each.depth, each.key.partition(":")[0], "" if each.joined is None else each.joined.grade)
        for each in found.branches
    ]


def test_from_a_database_role_the_tree_goes_up_by_exact_links_alone_and_names_the_candidates_above(
    engine: Engine,
) -> None:
    role = keys(engine, "key LIKE 'db_role:%' AND issued AND end_time IS NULL")[0]
    found = of(engine, role)

    assert kinds(found) == [(0, "vault_accessor", ""), (1, "db_role", "exact"), (1, "db_role", "exact")]
    assert [each.asked for each in found.branches].count(True) == 1
    assert next(each.key for each in found.branches if each.asked) == role
    assert {(other.key.partition(":")[0], other.grade) for other in found.above} == {("k8s_cred", "inferred")}
    assert len(found.above) == 2
    assert all(each.alive and each.ended is None for each in found.branches)


def test_from_a_pod_token_candidate_children_hang_below_with_their_grade_and_are_told_once(engine: Engine) -> None:
    token = keys(engine, "key LIKE 'k8s_cred:%JTI=%' AND workload LIKE 'k8s_pod:%'")[0]
    found = of(engine, token)
    vault = [each for each in found.branches if each.key.startswith("vault_accessor:")]
    first, later = [each for each in vault if not each.again], [each for each in vault if each.again]

    assert found.branches[0].key.startswith("k8s_cred:-:X509SHA256=")
    assert found.above == ()
    assert {each.joined.grade for each in vault if each.joined} == {"inferred"}
    assert {each.candidates for each in vault} == {2}
    assert {each.key for each in later} == {each.key for each in first}
    roles = [each.key for each in found.branches if each.key.startswith("db_role:")]
    assert len(roles) == len(set(roles)) == 3


def test_an_ended_branch_says_how_and_when(engine: Engine) -> None:
    role = keys(engine, "key LIKE 'db_role:%' AND end_effect = 'credential.revoke'")[0]
    branch = next(each for each in of(engine, role).branches if each.asked)

    assert not branch.alive
    assert branch.ended == "credential revoked"
    assert branch.ended_at is not None
    assert branch.uses > 0


def test_a_key_without_a_credential_has_no_tree(engine: Engine) -> None:
    assert tree(engine, "vault_accessor:plain:never") is None


def test_any_member_of_a_delegation_shows_the_same_credentials(engine: Engine) -> None:
    parents = keys(engine, "key LIKE 'vault_accessor:plain:%' AND children > 0")
    for parent in parents:
        whole = of(engine, parent)
        below = [each.key for each in whole.branches if each.depth > whole.branches[0].depth]
        assert below
        assert [each.key for each in of(engine, below[0]).branches] == [each.key for each in whole.branches]


def test_many_children_are_cut_but_for_the_one_on_the_way(tmp_path: Path) -> None:
    with Engine(memory_mib=300, threads=1) as engine:
        for table in ("links", "links_by_parent"):
            engine.run(
                f"CREATE TABLE {table} AS SELECT 'child issue → parent key' AS relation, 'vault_parent' AS link, "
                "'exact' AS grade, concat('vault_accessor:plain:c', n) AS from_key, 'vault_accessor:plain:top' AS "
                "to_key, n AS leaf FROM range(30) numbers(n)"
            )
        engine.run(
            "CREATE TABLE judged AS SELECT concat('vault_accessor:plain:c', n) AS key, 'one' AS who, 'machine' AS "
            "population, n AS issued_at, NULL::BIGINT AS not_after, NULL::BIGINT AS end_time, NULL::BIGINT AS "
            "end_until, NULL::VARCHAR AS end_effect, 0 AS uses, 99 AS as_of FROM range(30) numbers(n)"
        )
        found = of(engine, "vault_accessor:plain:c29")

    top, *below = found.branches
    assert (top.who, top.alive, top.unshown) == ("", False, 30 - SHOWN_CHILDREN - 1)
    assert len(below) == SHOWN_CHILDREN + 1
    assert below[-1].asked
    assert not found.cut_off
