"""The first page of a pack, as values: for whom, what was asked for, who could have been in it, what it shows."""

from __future__ import annotations

from custody.engine.duck import Engine
from custody.model.annex import Cover
from custody.packs.manifest import Options
from custody.packs.readme import about
from custody.packs.verification import NOT_PROVED, PROVES
from custody.pipeline.packing.scope import Chosen

POPULATIONS = """
    SELECT c.population, count(*) FROM judged c WHERE c.key IN (SELECT k.key FROM pack_keys k)
    GROUP BY c.population ORDER BY c.population
"""


def cover(engine: Engine, options: Options, chosen: Chosen, leaves: int) -> Cover:
    """The cover of the pack that ``engine`` was restricted to."""
    return Cover(
        made_for=options.made_for,
        about=about(options),
        what=chosen.what,
        chosen=len(chosen.keys),
        population=chosen.drawn.population,
        digest=chosen.drawn.digest,
        sample=options.sample,
        seed=options.seed,
        populations={str(name): int(str(count)) for name, count in engine.rows(POPULATIONS)},
        identities=len(chosen.identities),
        findings_of_population=chosen.findings_of_population,
        leaves=leaves,
        shows=PROVES,
        shows_not=NOT_PROVED,
    )
