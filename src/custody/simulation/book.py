"""The book in which the lives write down what is true while they write the logs."""

from collections import Counter, defaultdict
from collections.abc import Iterator

import msgspec

from custody.model.events import Stage
from custody.model.verdicts import Question, State
from custody.simulation.entry import BROKER, Entry, Thing
from custody.simulation.truth import (
    Approval,
    Credential,
    Dropped,
    Expected,
    Grant,
    Link,
    Planted,
    Run,
    Session,
    Skew,
    Uses,
)

COMPLETE_JOINS = (
    "access_key", "brokered_parent", "brokered_run", "certificate", "database_role_name", "forward_session",
    "github_run_window", "github_session", "kubernetes_parent", "parent_key", "pod_identity", "pod_token_end",
    "run_end", "span_request", "token_review", "vault_cascade", "vault_parent",
)  # fmt: skip
"""The joins whose true links are all written down. The others have no list of their own: their facts are the stages,
sessions, parents and ends of the credentials."""


SOUND = (State.PROVED, State.UNPROVEN, State.OPEN, State.NOT_APPLICABLE)
"""What may be said where nothing is wrong: never a violation."""
WRONG = (State.VIOLATED, State.UNPROVEN)
"""What may be said where something is wrong: never a proof."""
LAST, COUNT = 1, 2
"""Places in what is remembered of the uses of a key: the first, the last (µs), and how many."""
MAKES = (Stage.ISSUE, Stage.REVOKE)
"""What a call does to another credential that it makes or ends."""
ALWAYS = (Question.HOLDER, Question.LIFETIME, Question.WITHIN, Question.RENEWED, Question.END_EFFECTIVE)
"""The questions in which a credential without a fault can not be violated."""


class Book:
    """Lists that grow; ``cut`` makes them the truth of an estate that was collected at one moment."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.credentials: dict[str, Credential] = {}
        self.sessions: list[Session] = []
        self.approvals: list[Approval] = []
        self.links: list[tuple[int, Link]] = []
        self.planted: list[Planted] = []
        self.expected: dict[tuple[str, str], tuple[str, ...]] = {}
        self.dropped: list[Dropped] = []
        self.skews: list[Skew] = []
        self.grants: list[Grant] = []
        self.records: Counter[str] = Counter()
        self._stages: dict[str, Counter[str]] = defaultdict(Counter)
        self._seen: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._uses: dict[str, list[int]] = {}
        self._touched: dict[str, set[Thing]] = defaultdict(set)

    def run(self, run: Run) -> Run:
        """Enter a run."""
        return self.runs.setdefault(run.key, run)

    def credential(self, credential: Credential) -> Credential:
        """Enter a credential, and that nothing about it is wrong."""
        for question in ALWAYS if credential.population != "person" else ():
            self.expected.setdefault((credential.key, question.value), tuple(state.value for state in SOUND))
        return self.credentials.setdefault(credential.key, credential)

    def change(self, key: str, **fields: object) -> None:
        """Say more of a credential that is entered: how it ended, for example."""
        self.credentials[key] = msgspec.structs.replace(self.credentials[key], **fields)

    def link(self, time: int, join: str, from_key: str, to_key: str) -> None:
        """Enter a link, with the time of the later of its two records."""
        self.links.append((time, Link(join=join, from_key=from_key, to_key=to_key)))

    def expect(self, key: str, question: Question, *states: State) -> None:
        """Enter the states that are right for a question; what was entered last holds."""
        self.expected[(key, question.value)] = tuple(state.value for state in states)

    def happened(self, entry: Entry) -> None:
        """Remember with which credentials the call succeeded that a record tells of, delivered or not."""
        about, things = entry.about, entry.touched
        used = [key for stage, key in about if stage is Stage.USE]
        if not used:
            return
        if len(about) > len(used):
            things += tuple(("key", key) for stage, key in about if stage in MAKES and key not in used)
        for key in dict.fromkeys(used) if len(used) > 1 else used:
            known = self._uses.get(key)
            if known is None:
                self._uses[key] = [entry.time, entry.time, 1]
                self._touched[key].update(things)
                continue
            known[LAST] = entry.time  # records come in order of time
            known[COUNT] += 1
            touched = self._touched[key]
            for thing in things:
                touched.add(thing)

    def written(self, entry: Entry) -> None:
        """Count a record that went into a file."""
        self.records[entry.source] += 1
        for stage, key in entry.about:
            self._stages[key][stage.value] += 1
            self._seen[(key, stage.value)].add(entry.source)

    def stages(self, key: str) -> Counter[str]:
        """How many records of each stage of a key are in the files."""
        return self._stages.get(key, Counter())

    def seen(self, key: str, *stages: Stage) -> tuple[str, ...]:
        """The sources whose files hold records of these stages of a key."""
        return tuple(sorted(set().union(*(self._seen.get((key, stage.value), set()) for stage in stages))))

    def _issuance(self, each: Credential) -> tuple[State, ...]:
        """Proved by a record of the key itself; one of its other names may or may not be joined to it."""
        if self.stages(each.key)[Stage.ISSUE.value]:
            return (State.PROVED,)
        return (State.PROVED, State.UNPROVEN) if each.records.get(Stage.ISSUE.value) else (State.UNPROVEN,)

    def expectations(self) -> Iterator[Expected]:
        """Every question with the states that are right for it, by key."""
        for (key, question), states in sorted(self.expected.items()):
            yield Expected(key=key, question=question, states=states)

    def cut(self, until: int) -> None:
        """Leave out what had not happened at ``until``, and count what the files hold of each key."""
        self.runs = {run.key: self._run(run, until) for run in self.runs.values() if run.started <= until}
        self.credentials = {
            each.key: self._credential(each, until)
            for each in self.credentials.values()
            if each.issued_at is None or each.issued_at <= until
        }
        self.sessions = [
            msgspec.structs.replace(each, closed=_before(each.closed, until))
            for each in self.sessions
            if each.opened <= until
        ]
        self.approvals = [
            msgspec.structs.replace(each, seen=self.seen(each.target, Stage.APPROVE))
            for each in self.approvals
            if each.time <= until
        ]
        self.links = [(time, link) for time, link in self.links if time <= until and self._held(link)]
        self.links += self._ends()
        told = {each.key for each in self.credentials.values() if each.records}
        self.expected = {what: states for what, states in self.expected.items() if what[0] in told}
        for each in self.credentials.values():
            if each.population == "machine" and each.records:
                self.expect(each.key, Question.ISSUANCE, *self._issuance(each))
            if each.parent_join == "brokered_parent" and not self._told_by_broker(each.key):
                self._without_broker(each.key)

    def _run(self, run: Run, until: int) -> Run:
        seen = set(self.seen(run.key, Stage.START, Stage.END))
        for alias in run.aliases:
            seen.update(self.seen(alias, Stage.START, Stage.END))
        return msgspec.structs.replace(run, ended=_before(run.ended, until), seen=tuple(sorted(seen)))

    def _credential(self, each: Credential, until: int) -> Credential:
        ended = _before(each.ended_at, until)
        told: Counter[str] = sum((self.stages(key) for key in (each.key, *each.aliases)), Counter())
        issued = told.get(Stage.ISSUE.value, 0) > 0
        if each.parent_join == "brokered_parent":
            issued = self._told_by_broker(each.key)
        return msgspec.structs.replace(
            each,
            ended_at=ended,
            ended_by=each.ended_by if ended is not None else None,
            parent_visible=each.parent_visible if issued else "none",
            run_visible=each.run_visible if issued else "none",
            records=dict(sorted(told.items())),
            uses=self._used(each),
            touched=self._things(each),
        )

    def _used(self, each: Credential) -> Uses | None:
        """By all names: a record that names a credential twice names it by every name that is used of it."""
        found = [self._uses[key] for key in (each.key, *each.aliases) if key in self._uses]
        if not found:
            return None
        firsts, lasts, counts = zip(*found, strict=True)
        return Uses(min(firsts), max(lasts), max(counts))

    def _things(self, each: Credential) -> dict[str, tuple[str, ...]]:
        every = sorted(set().union(*(self._touched.get(key, set()) for key in (each.key, *each.aliases))))
        return {kind: tuple(name for other, name in every if other == kind) for kind in sorted({k for k, _ in every})}

    def _held(self, link: Link) -> bool:
        """Whether the records that a link joins are in the files."""
        below, above = self._names(link.from_key), self._names(link.to_key)
        match link.join:
            case "access_key" | "certificate":
                return self._any(below, Stage.ISSUE) and self._any(below, Stage.USE)
            case "forward_session":
                return self._any(below, Stage.USE) and self._any(above, Stage.USE)
            case "github_session" | "github_run_window" | "pod_identity":
                return self._any(below, Stage.ISSUE) and self._any(above, Stage.START, Stage.END)
            case "brokered_parent" | "brokered_run":
                return self._told_by_broker(link.from_key)
            case "token_review":
                return self._any(below, Stage.ISSUE) and self._any(above, Stage.USE)
            case "span_request":
                return self._any(above, Stage.USE)
            case "vault_cascade":
                return self._any(below, Stage.REVOKE) and self._any(above, Stage.ISSUE)
        return self._any(below, Stage.ISSUE)

    def _told_by_broker(self, key: str) -> bool:
        """Whether the line in which a broker issued it is in the files."""
        return BROKER in self.seen(key, Stage.ISSUE)

    def _without_broker(self, key: str) -> None:
        """The database tells that the broker made the role, and neither for whom nor by which policy."""
        for question in (Question.BOUND, Question.DECIDED):
            if (key, question.value) in self.expected:
                self.expect(key, question, State.UNPROVEN)

    def _ends(self) -> Iterator[tuple[int, Link]]:
        """What the recorded end of a run says of the credentials that their issuers bound to it."""
        for each in self.credentials.values():
            run = self.runs.get(each.run or "")
            bound = each.run_visible == "issuer" and each.kind not in ("role session of a pod", "role of a broker")
            if run is None or run.ended is None or not bound or not self._any((run.key,), Stage.END):
                continue
            yield run.ended, Link(join="run_end", from_key=run.key, to_key=each.key)
            if each.issued_at is not None and each.key.startswith("k8s_cred:") and each.issued_at <= run.ended:
                yield run.ended, Link(join="pod_token_end", from_key=run.key, to_key=each.key)

    def _names(self, key: str) -> tuple[str, ...]:
        known = self.credentials.get(key)
        return (key, *(known.aliases if known else ()))

    def _any(self, keys: tuple[str, ...], *stages: Stage) -> bool:
        return any(self.stages(key)[stage.value] for key in keys for stage in stages)


def _before(time: int | None, until: int) -> int | None:
    return time if time is not None and time <= until else None
