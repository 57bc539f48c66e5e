"""One generated estate, audited: what custody told beside what is true."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from accuracy import incidents
from accuracy.counted import Counted
from custody.chains.join import use_join
from custody.model.report import Report
from custody.model.verdicts import SEVERITY_ORDER
from custody.pipeline.audit import audit
from custody.pipeline.simulate import simulate
from custody.pipeline.tables import Answers, answers
from custody.rules import judging
from custody.settings.catalog import MIB, Color, Settings
from custody.simulation.truth import Truth

MACHINES = "SELECT key FROM credentials WHERE population = 'machine' ORDER BY key"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What custody told of one estate: links by join, verdicts by key and question, findings, names of keys.

    A link is (from key, to key, number of candidates beside it). ``aliases`` leads from every other name of a
    credential to its first.
    """

    report: Report
    links: dict[str, tuple[tuple[str, str, int], ...]]
    verdicts: dict[str, dict[str, str]]
    aliases: dict[str, str]

    def name(self, key: str) -> str:
        """The first name of a key."""
        return self.aliases.get(key, key)


def played(
    folder: Path, seed: int, hours: int, workloads: int, faults: Sequence[str], responded: Counted | None = None
) -> tuple[Truth, Told]:
    """Write an estate into ``folder``, audit it, and give both sides; ``responded`` counts incidents in it."""
    simulate(folder / "estate", seed=seed, hours=hours, workloads=workloads, names=tuple(faults))
    truth = msgspec.json.decode((folder / "estate" / "truth.json").read_bytes(), type=Truth)
    settings = _settings(folder, folder / "estate" / truth.contract)
    report = audit(settings, [folder / "estate" / "logs"], lambda _: None)
    with _opened(settings) as tables:
        told = _told(tables, report)
        if responded is not None:
            incidents.count(truth, tables, responded)
        return truth, told


def _settings(folder: Path, contract: Path) -> Settings:
    return Settings(
        store=folder / "store",
        keys=folder / "keys",
        approval_keys=folder / "approval-keys",
        contract=contract,
        jobs=2,
        memory=700,
        max_record=16 * MIB,
        max_ratio=200,
        max_content=16 * 1024 * MIB,
        color=Color.NEVER,
        file=None,
        layers=(),
    )


@contextmanager
def _opened(settings: Settings) -> Iterator[Answers]:
    with answers(settings) as tables:
        tables.all_parts()
        yield tables


def _told(tables: Answers, report: Report) -> Told:
    engine = tables.engine
    keys = [str(key) for (key,) in engine.rows(MACHINES)]
    verdicts: dict[str, dict[str, str]] = {}
    for start in range(0, len(keys), 500):
        found = judging.verdicts_of(engine, tables.rules, tables.versions, keys[start : start + 500])
        verdicts |= {key: {name: each.state.value for name, each in one.items()} for key, one in found.items()}
    aliases = {str(key): str(target) for key, target in engine.rows("SELECT key, target FROM aliases")}
    return Told(report=report, links=_links(tables), verdicts=verdicts, aliases=aliases)


def _links(tables: Answers) -> dict[str, tuple[tuple[str, str, int], ...]]:
    found: dict[str, list[tuple[str, str, int]]] = {}
    rows = tables.engine.rows(
        "SELECT link, from_key, to_key, count(*) OVER (PARTITION BY link, from_key) FROM ("
        "SELECT DISTINCT link, from_key, to_key FROM links) once"
    )
    uses = tables.engine.rows(
        "SELECT DISTINCT key FROM parts WHERE stage = 'use' AND key IN (SELECT c.key FROM credentials c WHERE c.issued)"
    )
    for link, child, parent, candidates in rows:
        found.setdefault(str(link), []).append((str(child), str(parent), int(str(candidates))))
    for (key,) in uses:
        found.setdefault(use_join(str(key)), []).append((str(key), str(key), 1))
    return {link: tuple(each) for link, each in found.items()}


def at_least(severity: str, wanted: str | None) -> bool:
    """Whether a finding is as severe as it has to be."""
    return wanted is None or SEVERITY_ORDER[severity] >= SEVERITY_ORDER[wanted]
