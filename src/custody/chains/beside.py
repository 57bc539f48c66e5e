"""What stands beside a credential's issue and uses: approvals, renewals, sessions, and what is only told."""

from custody.chains.brokered import SOURCE as BROKER
from custody.chains.join import CANDIDATE
from custody.engine.duck import Cell, Engine
from custody.model.effects import said
from custody.model.keys import credential_id
from custody.model.report import LeafRef, Related, Step
from custody.model.times import text

LOG = "operations"
SHOWN = 16

APPROVED = {"approval.grant": "approved", "approval.deny": "refused", "approval.withdraw": "approval withdrawn"}
DECIDED = {
    "decision.allow": "allowed",
    "decision.deny": "denied",
    "decision.approval_required": "needs approval",
}


def steps(engine: Engine, key: str) -> list[Step]:
    """Every step of these kinds, unordered."""
    return [
        *_brokered(engine, key),
        *_approvals(engine, key),
        *_refreshes(engine, key),
        *_sessions(engine, key),
        *_told(engine, key),
    ]


def _brokered(engine: Engine, key: str) -> list[Step]:
    """What a broker was asked, and what it decided before it issued the credential."""
    rows = engine.rows(
        "SELECT asked_at, asked_leaf, decided_at, decided_leaf, workload, request, chain, verdict FROM brokered "
        "WHERE key = ?",
        [key],
    )
    found = []
    for asked_at, asked_leaf, decided_at, decided_leaf, workload, request, chain, verdict in rows:
        who = str(workload).split(":", 2)[-1]
        each = (
            ("request", asked_at, asked_leaf, f"asked for by {who}: {request!s} of {chain!s}"),
            ("decide", decided_at, decided_leaf, f"decided: {DECIDED.get(str(verdict), str(verdict))}"),
        )
        for stage, moment, leaf, words in each:
            if moment is not None and leaf is not None:
                found.append(_step(stage, moment, leaf, words, join="exact", asserter="issuer", rule=BROKER))
    return found


def _approvals(engine: Engine, key: str) -> list[Step]:
    rows = engine.rows(
        "SELECT time, leaf, effect, approver, via, grade, asserter, source FROM approvals WHERE key = ? "
        f"ORDER BY time, leaf, via LIMIT {SHOWN}",
        [key],
    )
    return [_approval(*row) for row in rows]


def _approval(
    moment: Cell, leaf: Cell, effect: Cell, approver: Cell, via: Cell, grade: Cell, asserter: Cell, source: Cell
) -> Step:
    by = "someone" if approver is None else str(approver).split(":", 2)[-1]
    return _step(
        "approve",
        moment,
        leaf,
        f"{APPROVED.get(str(effect), str(effect))} by {by}, through the {via!s}",
        join=str(grade),
        asserter=str(asserter),
        rule=str(source),
    )


def _refreshes(engine: Engine, key: str) -> list[Step]:
    rows = engine.rows(
        f"SELECT time, leaf, not_after, source FROM refreshes WHERE key = ? ORDER BY time, leaf LIMIT {SHOWN}", [key]
    )
    return [
        _step(
            "refresh",
            moment,
            leaf,
            "renewed" if until is None else f"renewed until {text(int(str(until)))}",
            join="exact",
            asserter="issuer",
            rule=str(source),
        )
        for moment, leaf, until, source in rows
    ]


def _sessions(engine: Engine, key: str) -> list[Step]:
    rows = engine.rows(
        "SELECT session, opened, open_leaf, closed, close_leaf FROM sessions WHERE key = ? "
        f"ORDER BY opened, session LIMIT {SHOWN}",
        [key],
    )
    found = []
    for session, opened, open_leaf, closed, close_leaf in rows:
        name = str(session).split(":", 2)[-1]
        ends = ((opened, open_leaf, "start", "session.open"), (closed, close_leaf, "end", "session.close"))
        for moment, leaf, stage, effect in ends:
            if moment is not None and leaf is not None:
                words = f"{said(effect)}: {name}"
                found.append(_step(stage, moment, leaf, words, join="exact", asserter="verifier", rule="session"))
    return found


def _told(engine: Engine, key: str) -> list[Step]:
    rows = engine.rows(
        "SELECT time, leaf, stage, asserter, source, action, effect, object FROM told WHERE key = ? "
        f"ORDER BY time, leaf LIMIT {SHOWN}",
        [key],
    )
    return [
        _step(
            str(stage or "use"),
            moment,
            leaf,
            " ".join(str(each) for each in (action, effect, thing) if each),
            join="exact",
            asserter=str(asserter),
            rule=str(source),
        )
        for moment, leaf, stage, asserter, source, action, effect, thing in rows
    ]


def _step(stage: str, moment: Cell, leaf: Cell, words: str, *, join: str, asserter: str, rule: str) -> Step:
    return Step(
        stage=stage,
        time=text(int(str(moment))) or "",
        event="",
        leaf=LeafRef(LOG, int(str(leaf))),
        join=join,
        asserter=asserter,
        rule=rule,
        text=words,
        source=None if rule == "session" else rule,
    )


def candidates(engine: Engine, key: str) -> tuple[Related, ...]:
    """The credentials that may be the parent by a join that is not exact, at most SHOWN."""
    rows = engine.rows(
        f"SELECT to_key, link, leaf, grade FROM links WHERE from_key = ? AND relation = '{CANDIDATE}' "
        f"ORDER BY link, to_key LIMIT {SHOWN}",
        [key],
    )
    return tuple(
        Related(
            key=str(other),
            credential=credential_id(str(other)),
            join=str(link),
            leaf=LeafRef(LOG, int(str(leaf))),
            grade=str(grade),
        )
        for other, link, leaf, grade in rows
    )


def aliases(engine: Engine, key: str) -> tuple[str, ...]:
    """The other keys of the credential, as its issuing record names them."""
    rows = engine.rows(f"SELECT key FROM aliases WHERE target = ? ORDER BY key LIMIT {SHOWN}", [key])
    return tuple(str(name) for (name,) in rows)
