"""What a pack is about: from options to credentials, findings and identities, a function of the derived tables."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from custody.engine.duck import Cell
from custody.errors import NotFound, UsageError
from custody.model import controls
from custody.model.keys import names_of
from custody.model.sampling import Sample, sample
from custody.model.verdicts import Finding, Population
from custody.packs.manifest import Options
from custody.pipeline.tables import Answers
from custody.pipeline.trace import resolve
from custody.rules.rule import Rule
from custody.settings.moments import parse_end, parse_start

MOST = 5_000
"""Credentials in one pack."""

MACHINES = (Population.MACHINE.value, Population.UNKNOWN.value)


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """What was chosen. ``population`` has the ids of all, ``keys`` those drawn of them, in order of their ids.

    ``findings`` are about them, or about no credential and within the options, as are the ``suppressed`` ones;
    ``identities`` are the stable ids of theirs, ``controls`` what the rules within the options speak to.
    """

    what: str
    drawn: Sample
    population: tuple[str, ...]
    keys: tuple[str, ...]
    findings: tuple[Finding, ...]
    suppressed: tuple[Finding, ...]
    findings_of_population: int
    controls: tuple[str, ...]
    identities: tuple[str, ...]


class Within(msgspec.Struct, frozen=True, kw_only=True):
    """What an incident reaches: a pack of it is about nothing else."""

    keys: tuple[str, ...]
    identities: tuple[str, ...]


def choose(tables: Answers, options: Options, within: Within | None = None) -> Chosen:
    """What a pack with these options is about, ``within`` what an incident reaches where it is about one.

    UsageError and NotFound where they name nothing, or too much.
    """
    chosen = (options.identities, options.credentials, options.rules, options.controls, options.period, within)
    if not any(chosen):
        raise UsageError(
            "nothing was chosen for the pack",
            expected="--identity, --credential, --rule, --control, --period or --incident",
        )
    named = identities_of(tables, options.identities)
    rules = _rules(tables, options)
    asked = {rule.id for rule in rules or tables.rules}
    found = [each for each in tables.report.findings if each.rule in asked]
    where = [_credentials(tables, options, within), _named(named), _judged(rules, found), _period(options)]
    rows = _rows(tables, [*(each for each in where if each is not None), *_reached(tables, within)])
    if not rows and not found and within is None:
        raise NotFound("no credential and no finding is what the pack should be about")
    drawn = sample(rows, options.sample or max(len(rows), 1), options.seed)
    ids = tuple(sorted(drawn.chosen))
    if len(ids) > MOST:
        raise UsageError(
            "the pack would be about too many credentials", found=f"{len(ids):,}", expected=f"at most {MOST:,}",
            advice="choose less: --identity, --rule, a shorter --period, or --sample N",
        )  # fmt: skip
    keys = tuple(rows[each] for each in ids)
    identities = tuple(sorted({*named, *_identities_of(tables, keys)}))
    subjects = {*identities, *named, *(() if within is None else within.identities)}
    about = _Findings(tables, options, set(rows), subjects, narrow=within is not None)
    return Chosen(
        what=_what(options, rules, within),
        drawn=drawn,
        population=tuple(sorted(rows)),
        keys=keys,
        findings=tuple(each for each in found if about.are(each, set(ids))),
        suppressed=tuple(each for each in tables.report.suppressed if each.rule in asked and about.are(each, set(ids))),
        findings_of_population=sum(about.are(each, set(rows)) for each in found),
        identities=identities,
        controls=_controls(options, rules or tables.rules),
    )


Condition = tuple[str, list[Cell]]


def _rows(tables: Answers, where: Sequence[Condition]) -> dict[str, str]:
    """Id and key of every credential for which all conditions hold."""
    sql = " AND ".join(f"({text})" for text, _ in where) or "TRUE"
    parameters = [cell for _, cells in where for cell in cells]
    return {
        str(name): str(key)
        for name, key in tables.engine.stream(f"SELECT c.credential, c.key FROM judged c WHERE {sql}", parameters)
    }


def _credentials(tables: Answers, options: Options, within: Within | None) -> Condition | None:
    """The credentials named one by one, else those of machines; an incident reaches those of people too."""
    if not options.credentials:
        return None if options.rules or options.controls or within is not None else _of(MACHINES)
    keys = [credential_of(tables, text) for text in options.credentials]
    return f"c.key IN ({_marks(keys)})", [*keys]


def _reached(tables: Answers, within: Within | None) -> list[Condition]:
    """The credentials that an incident reaches."""
    if within is None:
        return []
    tables.engine.table("pack_reached", {"key": "VARCHAR"}, [(key,) for key in within.keys])
    return [("c.key IN (SELECT r.key FROM pack_reached r)", [])]


def credential_of(tables: Answers, text: str) -> str:
    """The key of the one credential that ``text`` means. NotFound and UsageError where it means none, or several."""
    hits = resolve(tables, text).hits
    if not hits:
        raise NotFound("no credential is called this", where=text, advice="`custody trace KEY` says what was searched.")
    if len(hits) > 1:
        raise UsageError(
            "several credentials are called this", where=text, found=f"{len(hits)}, such as {hits[0].key}",
            expected="one credential", advice="name one of them, or use --identity",
        )  # fmt: skip
    return hits[0].key


def identities_of(tables: Answers, texts: Sequence[str]) -> tuple[str, ...]:
    """The stable ids that names mean: an id, or any name that leads to one. NotFound where a name leads nowhere."""
    if not texts:
        return ()
    sql = "SELECT name, identity FROM identity_names UNION SELECT identity, identity FROM identities"
    rows = [(str(name), str(identity)) for name, identity in tables.engine.rows(sql)]
    found: set[str] = set()
    for text in texts:
        mine = {identity for name, identity in rows if text == name} or {
            identity for name, identity in rows if text in names_of(name)
        }
        if not mine:
            raise NotFound("no identity has this name", where=text, advice="`custody register list` shows them.")
        found |= mine
    return tuple(sorted(found))


def _named(identities: Sequence[str]) -> Condition | None:
    if not identities:
        return None
    sql = f"c.key IN (SELECT k.key FROM key_identities k WHERE k.identity IN ({_marks(identities)}))"
    return sql, [*identities]


def _rules(tables: Answers, options: Options) -> tuple[Rule[msgspec.Struct], ...]:
    """The rules that were named, by their ids or by their controls. UsageError for a name that there is not."""
    known = {rule.id: rule for rule in tables.rules}
    for name in options.rules:
        if name not in known:
            raise UsageError("no such rule", where="--rule", found=name, expected=f"one of {', '.join(sorted(known))}")
    wanted = {each.id for name in options.controls for each in controls.resolve(name)}
    chosen = set(options.rules) | {rule.id for rule in tables.rules if not wanted.isdisjoint(rule.controls)}
    if options.controls and not chosen - set(options.rules):
        raise NotFound("no rule speaks to this control", where=", ".join(options.controls), advice="custody rules")
    return tuple(rule for rule in tables.rules if rule.id in chosen)


def _controls(options: Options, rules: Sequence[Rule[msgspec.Struct]]) -> tuple[str, ...]:
    """The controls named, else all that the rules speak to, in the order of the catalogues."""
    named = {each.id for name in options.controls for each in controls.resolve(name)}
    named = named or {name for rule in rules for name in rule.controls}
    return tuple(each.id for each in controls.CATALOGUE if each.id in named)


def _judged(rules: Sequence[Rule[msgspec.Struct]], found: Sequence[Finding]) -> Condition | None:
    """The credentials that the rules look at: whole populations, or those that a rule about other things names."""
    if not rules:
        return None
    populations = {each.value for rule in rules if rule.question is not None for each in rule.populations}
    ids = sorted({each.credential for each in found if each.credential is not None})
    parts = [_of(tuple(sorted(populations)))] if populations else []
    parts += [(f"c.credential IN ({_marks(ids)})", [*ids])] if ids else []
    if not parts:
        return "FALSE", []
    return " OR ".join(text for text, _ in parts), [cell for _, cells in parts for cell in cells]


def _period(options: Options) -> Condition | None:
    """Credentials that were issued or used in the period, or were alive through it."""
    if options.period is None:
        return None
    since, until = _moments(options.period)
    sql = (
        "coalesce(c.issued_at, c.first_use) < ? AND greatest(coalesce(c.last_use, c.issued_at), "
        "coalesce(c.issued_at, c.last_use)) >= ?"
    )
    return sql, [until, since]


def _moments(period: tuple[str, str]) -> tuple[int, int]:
    since, until = parse_start(period[0]), parse_end(period[1])
    if since >= until:
        raise UsageError("a period ends before it begins", where="--period", found="..".join(period))
    return since, until


def _of(populations: Sequence[str]) -> Condition:
    return f"c.population IN ({_marks(populations)})", [*populations]


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" for _ in values)


def _identities_of(tables: Answers, keys: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(keys), 1000):
        some = keys[start : start + 1000]
        sql = f"SELECT DISTINCT identity FROM key_identities WHERE key IN ({_marks(some)})"
        found |= {str(identity) for (identity,) in tables.engine.rows(sql, [*some])}
    return found


def _what(options: Options, rules: Sequence[Rule[msgspec.Struct]], within: Within | None) -> str:
    """Who is counted in the population, in words."""
    who = "the credentials named" if options.credentials else "credentials of machines, or of unknown population"
    if within is not None and not options.credentials:
        who = "credentials"
    if rules:
        who = f"credentials that these rules look at: {', '.join(rule.id for rule in rules)}"
    of = ", of the identities named" if options.identities else ""
    when = ", issued or used within the period or alive through it" if options.period else ""
    reached = "" if within is None else f", in the scope of incident {options.incident}"
    return f"{who}{of}{when}{reached}"


class _Findings:
    """Which findings belong to a pack."""

    def __init__(
        self, tables: Answers, options: Options, population: set[str], identities: set[str], *, narrow: bool
    ) -> None:
        self._tables = tables
        self._narrow = narrow or bool(options.identities or options.credentials)
        self._population = population
        self._identities = identities
        self._period = None if options.period is None else _moments(options.period)
        self._in_period: set[int] | None = None

    def are(self, finding: Finding, ids: set[str]) -> bool:
        """Whether a finding is about the credentials in ``ids``, or about no credential and within the options."""
        if finding.credential is not None:
            return finding.credential in ids
        if self._narrow:
            return finding.subject in self._identities
        return self._period is None or finding.subject in self._identities or self._dated(finding)

    def _dated(self, finding: Finding) -> bool:
        """Whether one of the records that a finding cites is of the period; one without any time is kept."""
        if self._period is None or not finding.leaves:
            return True
        self._tables.all_parts()
        marks = ", ".join(map(str, finding.leaves))
        sql = f"SELECT min(p.time), max(p.time) FROM every_part p WHERE p.leaf IN ({marks})"
        first, last = self._tables.engine.one(sql)
        if not isinstance(first, int) or not isinstance(last, int):
            return True
        return first < self._period[1] and last >= self._period[0]
