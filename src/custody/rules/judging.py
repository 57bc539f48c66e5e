"""Run every rule over the chains: verdicts counted by question, and findings."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from custody.chains.naming import WHO
from custody.engine.duck import Cell, Engine
from custody.model.contracts import EMPTY, Contract, Exempt, Versions
from custody.model.keys import credential_id, stable_id
from custody.model.verdicts import (
    SEVERITY_ORDER,
    Best,
    Finding,
    Population,
    Question,
    Severity,
    State,
    Verdict,
    not_applicable,
    unproven,
)
from custody.rules.borne import excepted, exceptions
from custody.rules.rule import Rule

QUESTIONS = [question.value for question in Question]
NOT_JUDGED = unproven("not judged yet")
AnyRule = Rule[msgspec.Struct]
FEW = 10_000


class Subject(msgspec.Struct, frozen=True, array_like=True):
    """Who a row is about: what every finding needs to name it."""

    key: str
    credential: str
    population: str
    who: str
    version: int


class Judged(msgspec.Struct, kw_only=True):
    """What the rules said: per question counts over machines, findings, and what is complete.

    A chain is complete where every question is proved or does not apply and its class has no exception in force
    (those are ``exempt``); an identity where all of its chains are.
    ``settles`` counts the unproven answers that each change would settle, ``concerned`` the credentials that have one.
    """

    counts: dict[str, Counter[str]]
    findings: list[Finding]
    complete: int
    machines: int
    complete_identities: int
    identities: int
    settles: Counter[str]
    concerned: Counter[str] = msgspec.field(default_factory=Counter)
    runs: int = 0
    runs_with_chain: int = 0
    exempt: int = 0


class Demands:
    """What is asked: by the version that holds at the time of judgement, and of credentials by the version of each."""

    def __init__(self, versions: Versions, as_of: int | None) -> None:
        self.now = versions.at(as_of)
        self.exceptions = exceptions(self.now, as_of)
        self._by_index = [*(each.contract for each in versions.sealed), EMPTY]

    def of(self, version: Cell) -> Contract:
        """The version with that index; -1 is the last of the list. Without one, the version that holds now."""
        return self._by_index[version] if isinstance(version, int) else self.now


def credentials_sql(rule: AnyRule, where: str) -> str:
    """The query that gives a rule its rows: who it is about, then the rule's own columns."""
    columns = ", ".join(_columns(rule))
    return (
        f"SELECT c.key, c.credential, c.population, c.who, c.contract_version, {columns} FROM {_joined(rule)} "
        f"WHERE {where} ORDER BY c.key"
    )


def _columns(rule: AnyRule) -> list[str]:
    return [f'f."{name}"' if _from_facts(rule, name) else f'c."{name}"' for name in _fields(rule)]


def _joined(rule: AnyRule) -> str:
    return "judged c" + (f" LEFT JOIN {facts_table(rule)} f ON f.key = c.key" if rule.facts else "")


def define(engine: Engine, as_of: int, kind: str = "VIEW") -> None:
    """Make the view ``judged``: credentials with their names and the time of judgement (µs)."""
    engine.run(
        f"CREATE OR REPLACE {kind} judged AS SELECT c.*, {WHO} AS who, CAST({as_of} AS BIGINT) AS as_of "
        "FROM credentials c"
    )


def prepare(engine: Engine, rules: Sequence[AnyRule], as_of: int) -> None:
    """Make ``judged`` and the table of each rule's facts about credentials.

    Of few credentials ``judged`` is a table: each of a hundred queries would plan the view anew.
    """
    define(engine, as_of, "TABLE" if engine.number("SELECT count(*) FROM credentials") <= FEW else "VIEW")
    for rule in rules:
        if rule.question is not None and rule.facts:
            engine.run(f"CREATE OR REPLACE TABLE {facts_table(rule)} AS {rule.facts}")


def judge_all(engine: Engine, rules: Sequence[AnyRule], versions: Versions, as_of: int | None) -> Judged:
    """Judge every credential and record; the order of findings depends on nothing but themselves.

    A credential is judged by the version of the contract in force at its issue (else its first use), anything else by
    the one that holds at ``as_of``.
    """
    demands = Demands(versions, as_of)
    judged = Judged(
        counts={}, findings=[], complete=0, machines=0, complete_identities=0, identities=0, settles=Counter()
    )
    rows = engine.rows("SELECT key, subject FROM credentials WHERE population = 'machine'")
    machines = {str(key): subject for key, subject in rows}
    judged.runs = engine.number("SELECT count(*) FROM runs")
    judged.runs_with_chain = engine.number("SELECT count(DISTINCT run) FROM best_runs WHERE grade = 'exact'")
    judged.machines, judged.identities = len(machines), len(set(map(str, machines.values())))
    wanting = _Wanting()
    answered = {rule.question for rule in rules if rule.question is not None}
    for rule in rules:
        if rule.question is None:
            judged.findings += _records(engine, rule, demands)
        else:
            _credentials(engine, rule, demands, judged, wanting)
    for question in Question:
        if question not in answered:
            judged.counts[question.value] = Counter({State.UNPROVEN.value: judged.machines})
    exempt = _exempt(engine, demands.exceptions)
    judged.exempt = len(exempt)
    if answered >= set(Question):
        judged.complete = judged.machines - len(wanting.keys.keys() | exempt)
        open_identities = {subject for key, subject in machines.items() if key in wanting.keys or key in exempt}
        judged.complete_identities = judged.identities - len(open_identities)
    judged.concerned = wanting.concerned()
    judged.findings = _uncovered(judged.findings, rules)
    judged.findings = _excepted(engine, judged.findings, rules, demands.exceptions)
    judged.findings.sort(key=_weight)
    return judged


def _exempt(engine: Engine, classes: Iterable[str]) -> set[str]:
    """The machine credentials of classes with an exception in force."""
    names = list(classes)
    if not names:
        return set()
    marks = ", ".join("?" for _ in names)
    sql = f"SELECT c.key FROM credentials c WHERE c.population = 'machine' AND c.identity_class IN ({marks})"
    return {str(key) for (key,) in engine.rows(sql, names)}


def _excepted(
    engine: Engine, findings: list[Finding], rules: Sequence[AnyRule], exempt: dict[str, Exempt]
) -> list[Finding]:
    """The findings, with the exception of their class on those that ask what a class asks.

    One about a principal is excepted where all that speaks for it is of one class.
    """
    excusable = {rule.id for rule in rules if rule.excusable}
    asking = [each for each in findings if each.rule in excusable]
    if not exempt or not asking:
        return findings
    about = "coalesce(c.subject, c.workload, c.key)"
    alone = "CASE WHEN count(DISTINCT coalesce(c.identity_class, '')) = 1 THEN min(c.identity_class) END"
    classes = _looked_up(engine, about, alone, [each.subject for each in asking])
    classes.update(_looked_up(engine, "c.key", "min(c.identity_class)", [each.subject for each in asking]))
    found = {each.id: exempt.get(classes.get(each.subject, "")) for each in asking}
    return [each if (one := found.get(each.id)) is None else excepted(each, one) for each in findings]


def _uncovered(findings: list[Finding], rules: Sequence[AnyRule]) -> list[Finding]:
    """One finding for one fact: those for which a violation by another rule on the same subject stands are left out."""
    covers = {rule.id: rule.covered_by for rule in rules}
    violations = {(each.rule, each.subject) for each in findings if each.state is State.VIOLATED}
    return [each for each in findings if (covers[each.rule], each.subject) not in violations]


def _weight(found: Finding) -> tuple[int, int, str, str]:
    """Most severe first; then what questions the evidence itself, then in the order of the questions."""
    place = -1 if found.question is None else QUESTIONS.index(found.question)
    return (-SEVERITY_ORDER[found.severity], place, found.rule, found.id)


def verdicts_of(
    engine: Engine, rules: Sequence[AnyRule], versions: Versions, keys: Sequence[str]
) -> dict[str, dict[str, Verdict]]:
    """Every question's verdict on each credential, in the order of the list."""
    demands = Demands(versions, None)
    marks = ", ".join("?" for _ in keys)
    found: dict[str, dict[str, Verdict]] = {key: {} for key in keys}
    for rule in rules:
        if rule.question is None:
            continue
        for subject, row in _rows(engine, rule, f"c.key IN ({marks})", list(keys)):
            asked = subject.population in rule.populations
            verdict = rule.judge(row, demands.of(subject.version)) if asked else _not_asked(subject)
            if verdict is not None:
                found[subject.key][rule.question.value] = verdict
    return {key: {name: each.get(name, NOT_JUDGED) for name in QUESTIONS} for key, each in found.items()}


def machine_states(engine: Engine, rule: AnyRule, versions: Versions) -> Iterator[tuple[str, State]]:
    """Key and state of every answer of a rule about a machine credential."""
    for key, population, verdict in _verdicts(engine, rule, Demands(versions, None)):
        if population == Population.MACHINE:
            yield key, verdict.state


def _not_asked(subject: Subject) -> Verdict:
    if subject.population == Population.UNKNOWN:
        return unproven("asked of machines only; whether this is one is unknown")
    return not_applicable(f"asked of machines only; population: {subject.population}")


def names_of(engine: Engine, keys: Sequence[str]) -> dict[str, str]:
    """What to call each key; keys without a credential (forward access sessions) are absent."""
    return _looked_up(engine, "c.key", "min(c.who)", keys)


def _looked_up(engine: Engine, by: str, value: str, names: Sequence[str]) -> dict[str, str]:
    """An aggregate over credentials, for each of ``names`` that they go by; those without a value are absent."""
    found: dict[str, str] = {}
    for start in range(0, len(names), 1000):
        some = list(names[start : start + 1000])
        marks = ", ".join("?" for _ in some)
        rows = engine.rows(f"SELECT {by}, {value} FROM judged c WHERE {by} IN ({marks}) GROUP BY {by}", some)
        found.update((str(name), str(cell)) for name, cell in rows if cell is not None)
    return found


class _Wanting:
    """The machine credentials with a question that is neither proved nor inapplicable, and what would settle those.

    A bit for each change and one number for each key: there may be a million keys.
    """

    def __init__(self) -> None:
        self.keys: dict[str, int] = {}
        self._bits: dict[str, int] = {}

    def add(self, key: str, settles: str | None) -> None:
        bit = 0 if settles is None else self._bits.setdefault(settles, 1 << len(self._bits))
        self.keys[key] = self.keys.get(key, 0) | bit

    def concerned(self) -> Counter[str]:
        """For each change, how many credentials it concerns."""
        alike = Counter(self.keys.values())
        return Counter(
            {text: sum(count for bits, count in alike.items() if bits & bit) for text, bit in self._bits.items()}
        )


def _credentials(engine: Engine, rule: AnyRule, demands: Demands, judged: Judged, wanting: _Wanting) -> None:
    """Judge every credential by one rule. Names are looked up afterwards, for the few that are findings."""
    assert rule.question is not None
    counts: Counter[str] = Counter()
    found: dict[str, Verdict] = {}
    for key, population, verdict in _verdicts(engine, rule, demands):
        if population == Population.MACHINE:
            counts[verdict.state.value] += 1
            if verdict.best in (Best.INDICATED, Best.CLAIMED):
                counts[verdict.best.value] += 1
            settles = verdict.settles if verdict.state is State.UNPROVEN else None
            if verdict.state not in (State.PROVED, State.NOT_APPLICABLE):
                wanting.add(key, settles)
            if settles:
                judged.settles[str(settles)] += 1
        if (verdict.state is State.VIOLATED or verdict.severity is not None) and verdict.title not in rule.told_by:
            found[key] = verdict
    judged.counts[rule.question.value] = counts
    names = names_of(engine, list(found))
    judged.findings += [finding(rule, verdict, key, credential_id(key), names[key]) for key, verdict in found.items()]


def _verdicts(engine: Engine, rule: AnyRule, demands: Demands) -> Iterator[tuple[str, str, Verdict]]:
    """Key, population and verdict of every credential that the rule asks about.

    Facts that cite no leaf repeat (an owner is the same for a whole class): each is judged once.
    """
    columns = ", ".join(_columns(rule))
    populations = ", ".join(f"'{each.value}'" for each in rule.populations)
    sql = (
        f"SELECT c.key, c.population, c.contract_version, {columns} FROM {_joined(rule)} "
        f"WHERE c.population IN ({populations})"
    )
    repeats = not any(name.endswith(("leaf", "leaves")) for name in _fields(rule))
    known: dict[tuple[Cell, ...], Verdict | None] = {}
    for cells in engine.stream(sql):
        facts = cells[2:]
        if repeats and facts in known:
            verdict = known[facts]
        else:
            verdict = rule.judge(msgspec.convert(facts[1:], rule.row), demands.of(facts[0]))
            if repeats:
                known[facts] = verdict
        if verdict is not None:
            yield str(cells[0]), str(cells[1]), verdict


def _rows(
    engine: Engine, rule: AnyRule, where: str, parameters: Sequence[Cell] = ()
) -> Iterator[tuple[Subject, msgspec.Struct]]:
    """Subject and row, side by side: one query, split at the width of Subject."""
    width = len(Subject.__struct_fields__)
    for cells in engine.stream(credentials_sql(rule, where), parameters):
        yield msgspec.convert(cells[:width], Subject), msgspec.convert(cells[width:], rule.row)


def _records(engine: Engine, rule: AnyRule, demands: Demands) -> Iterator[Finding]:
    """Findings of a rule about anything, by the version of the contract that a row names, or that of its credential.

    Rows of several versions about one subject are one finding: the gravest.
    """
    names = ", ".join(f'f."{name}"' for name in _fields(rule))
    version_of = "f.contract_version" if "contract_version" in _fields(rule) else "c.contract_version"
    sql = (
        f"SELECT {names}, {version_of} FROM ({rule.facts}) f LEFT JOIN credentials c ON c.key = f.key "
        f"ORDER BY f.subject, {version_of}"
    )
    found: dict[str, Finding] = {}
    for *cells, version in engine.stream(sql):
        verdict = rule.judge(msgspec.convert(cells, rule.row), demands.of(version))
        if verdict is not None:
            credential = None if cells[2] is None else credential_id(str(cells[2]))
            one = finding(rule, verdict, str(cells[0]), credential, str(cells[1]))
            found[one.id] = min(found.get(one.id, one), one, key=_weight)
    yield from found.values()


def finding(rule: AnyRule, verdict: Verdict, subject: str, credential: str | None, who: str) -> Finding:
    """The finding that a verdict is. Its id is made of the rule and the subject alone."""
    severity: Severity = verdict.severity or rule.severity
    return Finding(
        id=stable_id("f", rule.id, subject),
        rule=rule.id,
        severity=severity,
        title=verdict.title or rule.title,
        subject=subject,
        credential=credential,
        who=who,
        text=verdict.text,
        why=rule.why,
        action=rule.action,
        question=rule.question.value if rule.question else None,
        state=verdict.state,
        basis=verdict.basis,
        controls=rule.controls,
        count=verdict.count,
        leaves=verdict.leaves,
    )


def _fields(rule: AnyRule) -> tuple[str, ...]:
    return rule.row.__struct_fields__


def fact_tables(rules: Sequence[AnyRule]) -> tuple[str, ...]:
    """The names of the tables of the rules' own facts about credentials."""
    return tuple(facts_table(rule) for rule in rules if rule.question is not None and rule.facts)


def facts_table(rule: AnyRule) -> str:
    """The name of the table of a rule's own facts."""
    return "facts_" + rule.id.replace("-", "_")


def _from_facts(rule: AnyRule, name: str) -> bool:
    return rule.facts is not None and name in facts_columns(rule)


def facts_columns(rule: AnyRule) -> frozenset[str]:
    """The columns that a rule's own facts give: those of its row that ``credentials`` does not have."""
    return frozenset(_fields(rule)) - CREDENTIAL_COLUMNS


CREDENTIAL_COLUMNS = frozenset(
    "credential key population identity_class contract_version unissued_class unissued_evidence issued_at "
    "issue_event issue_leaf method issuing_service requester requester_kind requester_origin parent root depth "
    "subject session_name workload granularity bound_by not_after account region tags source_identity uses "
    "successes denied first_use last_use last_success first_use_leaf session created end_time end_effect end_leaf "
    "end_until end_disputed run_started run_start_leaf run_start_event run_ended run_end_leaf run_end_event "
    "late_uses late_first late_last late_leaves late_disputed run_late_uses run_late_leaves lineage lineage_first "
    "lineage_first_leaf lineage_position lineage_size children conflicted chain_disputed issue_disputed "
    "use_disputed issued who as_of run run_grade run_asserter run_link run_bound_leaf surviving_sessions "
    "surviving_open_leaf surviving_close_leaf surviving_closed policy source use_source".split()
)
"""The columns of the ``judged`` view; a test holds this list against it."""
