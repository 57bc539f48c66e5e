"""One credential, step by step: from the derived tables to a ``Chain``."""

from collections.abc import Iterable

import msgspec

from custody.chains import beside
from custody.chains.join import PARENT, use_join
from custody.engine.duck import Cell, Engine
from custody.model.effects import said
from custody.model.events import STAGE_ORDER, Asserter
from custody.model.keys import credential_id, lineage_id
from custody.model.report import LeafRef, Related, Step
from custody.model.times import duration, text

LOG = "operations"
SHOWN_USES = 40
SHOWN_RELATED = 50


class Credential(msgspec.Struct, frozen=True, array_like=True):
    """The columns of ``judged`` that a chain shows."""

    key: str
    credential: str
    who: str
    population: str
    identity_class: str | None
    unissued_class: str | None
    unissued_evidence: str | None
    issued_at: int | None
    issue_event: str | None
    issue_leaf: int | None
    method: str | None
    issuing_service: str | None
    requester: str | None
    subject: str | None
    session_name: str | None
    workload: str | None
    granularity: str | None
    bound_by: str | None
    not_after: int | None
    parent: str | None
    root: str | None
    lineage: str | None
    uses: int
    successes: int
    denied: int
    run: str | None
    run_grade: str | None
    run_asserter: str | None
    run_link: str | None
    policy: str | None
    source: str | None
    run_started: int | None
    run_start_leaf: int | None
    run_start_event: str | None
    run_ended: int | None
    run_end_leaf: int | None
    run_end_event: str | None
    conflicted: bool
    created: int | None
    end_time: int | None
    end_until: int | None
    as_of: int

    @property
    def lineage_id(self) -> str | None:
        """The stable id of the lineage, None outside of one."""
        return None if self.lineage is None else lineage_id(self.lineage)


def credential(engine: Engine, key: str) -> Credential | None:
    """The credential of ``key``, None where there is none."""
    names = ", ".join(f'"{name}"' for name in Credential.__struct_fields__)
    rows = engine.rows(f"SELECT {names} FROM judged WHERE key = ?", [key])
    return msgspec.convert(rows[0], Credential) if rows else None


def steps(engine: Engine, found: Credential) -> tuple[Step, ...]:
    """Every step in the order of time and stage, from the start of its run to the end of it."""
    every = [*_issue(found), *_run(found), *_uses(engine, found.key), *_ends(engine, found.key)]
    every += beside.steps(engine, found.key)
    return ordered(every)


def ordered(every: Iterable[Step]) -> tuple[Step, ...]:
    """Steps in the order of time and stage."""
    return tuple(sorted(every, key=_place))


def _place(step: Step) -> tuple[str, int, int]:
    """By time, without its Z: a whole second comes before its fractions."""
    return step.time.rstrip("Z"), STAGE_ORDER.get(step.stage, 99), step.leaf.index


def _issue(found: Credential) -> list[Step]:
    if found.issued_at is None or found.issue_leaf is None:
        return []
    by = found.issuing_service or _requester(found.requester or "unknown")
    life = (
        ""
        if found.not_after is None
        else f", until {text(found.not_after)} ({duration(found.not_after - found.issued_at)})"
    )
    return [
        Step(
            stage="issue",
            time=text(found.issued_at) or "",
            event=found.issue_event or "",
            leaf=LeafRef(LOG, found.issue_leaf),
            join="exact",
            asserter=Asserter.ISSUER.value,
            rule=use_join(found.key),
            text=f"{found.method or 'issued'} by {by}{life}",
            source=found.source,
        )
    ]


def _requester(key: str) -> str:
    """Its name; of an entity, whose name is a bare id, what it is too."""
    name = key.split(":", 2)[-1]
    return f"entity {name}" if key.startswith("vault_entity:") else name


def _run(found: Credential) -> list[Step]:
    ends = (
        (found.run_started, found.run_start_leaf, found.run_start_event, "start", "run starts"),
        (found.run_ended, found.run_end_leaf, found.run_end_event, "end", "run ends"),
    )
    return [
        Step(
            stage=stage,
            time=text(moment) or "",
            event=event or "",
            leaf=LeafRef(LOG, leaf),
            join=found.run_grade or "exact",
            asserter=found.run_asserter or Asserter.ISSUER.value,
            rule="run_end" if found.run_link in (None, "bound at issue") else found.run_link,
            text=f"{what}: {(found.run or found.workload or '').split(':', 2)[-1]}",
        )
        for moment, leaf, event, stage, what in ends
        if moment is not None and leaf is not None
    ]


class Use(msgspec.Struct, frozen=True, array_like=True):
    """One use as shown."""

    time: int
    event: str
    leaf: int
    service: str
    action: str
    outcome: str
    origin: str | None
    invoked_by: str | None
    source: str | None


def _uses(engine: Engine, key: str) -> list[Step]:
    rows = engine.rows(
        "SELECT time, event, leaf, service, action, outcome, origin, invoked_by, source FROM parts "
        f"WHERE key = ? AND stage = 'use' ORDER BY time, leaf LIMIT {SHOWN_USES}",
        [key],
    )
    return [_use(key, msgspec.convert(row, Use)) for row in rows]


def _use(key: str, use: Use) -> Step:
    through = f" through {use.invoked_by}" if use.invoked_by else ""
    return Step(
        stage="use",
        time=text(use.time) or "",
        event=use.event,
        leaf=LeafRef(LOG, use.leaf),
        join="exact",
        asserter=Asserter.VERIFIER.value,
        rule=use_join(key),
        text=f"{use.service.split('.')[0]}:{use.action}{through}",
        origin=use.origin,
        outcome=use.outcome,
        source=use.source,
    )


def _ends(engine: Engine, key: str) -> list[Step]:
    rows = engine.rows(
        "SELECT time, event, leaf, effect, source FROM ("
        "SELECT time, event, leaf, effect, source, key FROM ends UNION ALL "
        "SELECT time, event, leaf, effect, NULL AS source, key FROM activations) steps "
        "WHERE key = ? ORDER BY time, leaf LIMIT 16",
        [key],
    )
    return [_end(*row) for row in rows]


def _stage(effect: str) -> str:
    if effect == "key.activate":
        return "change"
    return "revoke" if effect.split(".", maxsplit=1)[0] in ("key", "sessions") else "end"


def _end(moment: Cell, event: Cell, leaf: Cell, effect: Cell, source: Cell) -> Step:
    assert isinstance(moment, int)
    assert isinstance(leaf, int)
    rules = {"key": "key_end", "role": "principal_end", "user": "principal_end", "sessions": "session_revocation"}
    return Step(
        stage=_stage(str(effect)),
        time=text(moment) or "",
        event=str(event),
        leaf=LeafRef(LOG, leaf),
        join="exact",
        asserter=Asserter.ISSUER.value,
        rule=rules.get(str(effect).split(".")[0], "key_end"),
        text=said(str(effect)),
        source=None if source is None else str(source),
    )


def origins(engine: Engine, key: str) -> tuple[tuple[str, int, str], ...]:
    """Where the key was used from: origin, uses, and the first time, most used first."""
    rows = engine.rows(
        "SELECT origin, uses, first FROM use_origins WHERE key = ? ORDER BY uses DESC, origin LIMIT 16", [key]
    )
    return tuple((str(origin), int(str(uses)), text(int(str(first))) or "") for origin, uses, first in rows)


def parent(engine: Engine, key: str) -> Related | None:
    """The exact parent, None where there is none."""
    rows = engine.rows(
        f"SELECT to_key, link, leaf FROM links WHERE from_key = ? AND relation = '{PARENT}' "
        "ORDER BY link, to_key LIMIT 1",
        [key],
    )
    return _related(*rows[0]) if rows else None


def children(engine: Engine, key: str) -> tuple[Related, ...]:
    """The exact children, first issued first, at most SHOWN_RELATED."""
    rows = engine.rows(
        "SELECT from_key, link, leaf FROM links_by_parent "
        f"WHERE to_key = ? AND relation = '{PARENT}' ORDER BY leaf, from_key LIMIT {SHOWN_RELATED}",
        [key],
    )
    return tuple(_related(*row) for row in rows)


def children_total(engine: Engine, key: str) -> int:
    """How many exact children there are."""
    return engine.number(f"SELECT count(*) FROM links_by_parent WHERE to_key = ? AND relation = '{PARENT}'", [key])


def forward_sessions(engine: Engine, key: str) -> int:
    """How many forward access sessions have this key among their candidate parents."""
    return engine.number(
        "SELECT count(DISTINCT from_key) FROM links_by_parent WHERE to_key = ? AND link = 'forward_session'", [key]
    )


def _related(key: Cell, link: Cell, leaf: Cell) -> Related:
    return Related(key=str(key), credential=credential_id(str(key)), join=str(link), leaf=LeafRef(LOG, int(str(leaf))))
