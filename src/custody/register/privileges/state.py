"""What a principal had at one moment: its grants then, with the texts behind them, and what of that is not known."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from custody.engine.duck import Engine
from custody.model.privileges import PolicyText, TextKind, Texts
from custody.register.privileges import policy
from custody.register.privileges.evaluate import Effective, Held, Layer, effective
from custody.register.privileges.policy import Document

OBSERVED, INVENTORY, EARLIER = "observed", "inventory", "earlier"
TEXT_KINDS = ("version", "rules")
NOT_HELD = (*TEXT_KINDS, "profile")
"""Kinds of rows that give nothing: texts behind grants, and instances that may have a role."""
AWS_MANAGED = ":iam::aws:policy/"
LATEST = (1 << 62) - 1
"""Later than every record (µs)."""
MANY = 4096
"""Grants of one principal that are looked into; a principal with more is not understood."""

NOT_KUBERNETES = (
    "bindings of groups (system:authenticated, system:serviceaccounts:…) are not followed",
    "what other authorizers of the cluster allow (nodes, webhooks) is not read",
)
NOT_POSTGRESQL = ("what PUBLIC may do, what the role owns and default privileges are not read",)


class Grant(msgspec.Struct, frozen=True, array_like=True):
    """A row of the table ``grants``; see there."""

    principal: str
    kind: str
    what: str | None
    through: str | None
    since: int | None
    until: int | None
    since_how: str
    effect: str
    by_key: str | None
    by_principal: str | None
    leaf: int
    end_leaf: int | None
    document_leaf: int | None
    source: str
    region: str | None
    created: int | None
    approver: str | None
    approved_at: int | None
    approval_leaf: int | None
    approval_grade: str | None
    approval_asserter: str | None

    def holds_at(self, time: int) -> bool:
        """Whether it was in force: from its begin on, up to its end."""
        return (self.since is None or self.since <= time) and (self.until is None or time < self.until)


COLUMNS = ", ".join(f'"{name}"' for name in Grant.__struct_fields__)


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """A text that was looked up: the document, the leaf that it stands in, and whether a change told it.

    ``since`` (µs) is when a change made a managed policy's version the one in force.
    """

    document: Document
    leaf: int | None = None
    observed: bool = False
    since: int | None = None


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What a principal had: the grants in force, those that came by its groups, the text of each, and all of it as one.

    ``reads`` are by place in ``grants``. ``observed`` says that every grant and text is known from changes.
    """

    grants: tuple[Grant, ...]
    reads: Mapping[int, Read]
    effective: Effective
    trust: Read | None
    observed: bool


class Library:
    """The grants of every principal that others refer to (groups, policies, roles), and the texts of records.

    A record is read once: a text is kept as long as it is near.
    """

    def __init__(self, engine: Engine, texts: Texts) -> None:
        self._texts, self._near = texts, dict[int, tuple[PolicyText, ...]]()
        self._shared: dict[str, list[Grant]] = defaultdict(list)
        for grant in rows(engine, f"kind IN {TEXT_KINDS} OR principal LIKE '%:group/%'"):
            self._shared[common(grant.principal)].append(grant)

    def shared(self, principal: str) -> Sequence[Grant]:
        """The grants of a group or the versions of a policy; those of a role of Kubernetes by its name."""
        return self._shared.get(common(principal), ())

    def texts(self, grant: Grant) -> tuple[PolicyText, ...]:
        """The texts in the record of a grant."""
        leaf = grant.document_leaf
        if leaf is None:
            return ()
        if leaf not in self._near:
            if len(self._near) >= MANY:
                self._near.clear()
            self._near[leaf] = self._texts(grant.source, leaf)
        return self._near[leaf]

    def inline(self, grant: Grant, kind: TextKind) -> Read:
        """The text of an inline or trust policy: in the record of the change, or of the list."""
        some = [each for each in self.texts(grant) if each.kind is kind and each.name in (grant.what, None)]
        text = some[0].text if len(some) == 1 else None
        return Read(document=policy.read(text), leaf=grant.document_leaf, observed=grant.since_how == OBSERVED)

    def managed(self, arn: str, time: int) -> Read:
        """The text of a managed policy that was in force: as changes tell it, else as a list has it."""
        known = [each for each in self.shared(key_of(arn)) if each.kind == "version"]
        found = self._by_changes([each for each in known if each.since is not None and each.since <= time])
        return found or self._by_list([each for each in known if each.since is None], time)

    def rules(self, name: str, time: int) -> Read:
        """The rules of a role of Kubernetes: of the last change, else as a list has them."""
        known = [each for each in self.shared(name) if each.kind == "rules"]
        changed = [each for each in known if each.since is not None and each.since <= time]
        if changed:
            last = max(changed, key=lambda each: (each.since or 0, each.leaf))
            if last.effect == "grant.delete":
                return Read(document=Document(problem="the role was deleted"), leaf=last.leaf, observed=True)
            return Read(document=policy.read_rules(self._rules(last)), leaf=last.leaf, observed=True)
        return _agreeing([Read(document=policy.read_rules(self._rules(each)), leaf=each.leaf) for each in known])

    def created(self, grant: Grant) -> Iterator[int | None]:
        """When the version in force was made, of a policy that a list has."""
        if grant.kind == "version" and grant.since is None:
            yield from (each.created for each in self.texts(grant) if each.default)

    def _rules(self, grant: Grant) -> bytes | None:
        return next((each.text for each in self.texts(grant) if each.kind is TextKind.RULES), None)

    def _by_changes(self, changes: Sequence[Grant]) -> Read | None:
        """The version that was last made the default, and its text; None where no change tells one."""
        versions: dict[str | None, tuple[bytes | None, int]] = {}
        default: tuple[str | None, int, int | None] | None = None
        for change in sorted(changes, key=lambda each: (each.since or 0, each.leaf)):
            if change.effect == "policy.default":
                default = (change.what, change.leaf, change.since)
            for told in self.texts(change):
                versions[told.name] = (told.text, change.leaf)
                default = (told.name, change.leaf, change.since) if told.default else default
        if default is None:
            return None
        text, leaf = versions.get(default[0], (None, default[1]))
        return Read(document=policy.read(text), leaf=leaf, observed=True, since=default[2])

    def _by_list(self, lists: Sequence[Grant], time: int) -> Read:
        return _agreeing([self._listed(each, time) for each in lists])

    def _listed(self, grant: Grant, time: int) -> Read:
        default = next((each for each in self.texts(grant) if each.default), None)
        if default is not None and default.created is not None and default.created > time:
            return Read(document=Document(problem="its version in force was made later"), leaf=grant.leaf)
        return Read(document=policy.read(default.text if default else None), leaf=grant.leaf)


def rows(engine: Engine, where: str, parameters: Sequence[str] = ()) -> Iterator[Grant]:
    """Rows of ``grants`` by principal, as they came to be."""
    order = "principal, kind, coalesce(what, ''), coalesce(through, ''), coalesce(since, 0), leaf"
    for cells in engine.stream(f"SELECT {COLUMNS} FROM grants WHERE {where} ORDER BY {order}", parameters):
        yield msgspec.convert(cells, Grant)


def at(own: Sequence[Grant], library: Library, time: int) -> State:
    """What a principal with the grants ``own`` had at ``time`` (µs)."""
    held_then = [each for each in own if each.holds_at(time) and each.kind not in NOT_HELD]
    groups = [each for each in held_then if each.kind == "group"]
    inherited = [one for each in groups for one in library.shared(group_of(each)) if one.holds_at(time)]
    every = (*held_then, *inherited)
    reads = {place: found for place, each in enumerate(every) if (found := _read(each, library, time)) is not None}
    trusts = [found for place, found in reads.items() if every[place].kind == "trust"]
    held = [held for place, found in reads.items() if (held := _held(every[place], found)) is not None]
    observed = all(each.since_how == OBSERVED for each in every) and all(found.observed for found in reads.values())
    return State(
        grants=every,
        reads=reads,
        effective=_effective(own, held, groups, library),
        trust=_agreeing(trusts) if trusts else None,
        observed=observed,
    )


def behind(grant: Grant, library: Library) -> Iterator[Grant]:
    """The grants that decide what a grant means: those of a group with what is behind them, the texts of a policy."""
    match grant.kind:
        case "managed" | "boundary":
            yield from library.shared(key_of(grant.what or ""))
        case "role-binding":
            yield from library.shared(grant.what or "")
        case "group":
            for one in library.shared(group_of(grant)):
                yield one
                if one.kind == "managed":
                    yield from library.shared(key_of(one.what or ""))


def _effective(own: Sequence[Grant], held: Iterable[Held], groups: Sequence[Grant], library: Library) -> Effective:
    principal = own[0].principal if own else ""
    unresolved = [
        f"group {each.what}: its grants are in no record" for each in groups if not library.shared(group_of(each))
    ]
    if len(own) > MANY:
        unresolved.append(f"more than {MANY} grants")
    if principal.startswith("aws_"):
        return effective(held, unresolved)
    return effective(held, unresolved, NOT_KUBERNETES if principal.startswith("k8s_") else NOT_POSTGRESQL)


def _read(grant: Grant, library: Library, time: int) -> Read | None:
    """The text behind a grant; None where there is none to look for."""
    match grant.kind:
        case "inline":
            return library.inline(grant, TextKind.INLINE)
        case "trust":
            return library.inline(grant, TextKind.TRUST)
        case "managed" | "boundary":
            return library.managed(grant.what or "", time)
        case "role-binding":
            scope = grant.principal.split(":", 2)[1]
            if scope != "-":
                return Read(document=Document(problem="records of roles do not name the cluster"))
            return library.rules(grant.what or "", time)
        case "database":
            return Read(document=Document(statements=_said(grant)), leaf=grant.leaf, observed=True)
    return None


def _said(grant: Grant) -> tuple[policy.Statement, ...]:
    """``SELECT, INSERT ON accounts``: what may be done, and on what; else membership of a role, or an attribute."""
    actions, _, things = (grant.what or "").partition(" ON ")
    named = actions.removeprefix("db_role:postgresql:")
    verbs = tuple(sorted({each.strip() for each in actions.split(",")})) if things else (f"as {named}",)
    return (policy.Statement(allow=True, actions=verbs, resources=(things or named,)),)


def _held(grant: Grant, found: Read) -> Held | None:
    if grant.kind == "trust":
        return None
    layer = Layer.BOUNDARY if grant.kind == "boundary" else Layer.IDENTITY
    return Held(via=name_of(grant), layer=layer, document=found.document)


def name_of(grant: Grant) -> str:
    """What a grant is called in a sentence."""
    what = grant.what or ""
    match grant.kind:
        case "managed" | "profile":
            return what
        case "trust":
            return "trust policy"
        case "database":
            return what.removeprefix("db_role:postgresql:")
    return f"{grant.kind} {what}"


def _agreeing(reads: Sequence[Read]) -> Read:
    """The text that several lists agree on."""
    if not reads:
        return Read(document=policy.read(None))
    if any(each.document != reads[0].document for each in reads):
        return Read(document=Document(problem="lists of different times differ"), leaf=reads[0].leaf)
    return min(reads, key=lambda each: each.leaf or 0)


def group_of(grant: Grant) -> str:
    """The key of a group by the key of a member: groups are named without their path there."""
    parts = grant.principal.split(":", 2)[2].split(":", 5)
    return key_of(":".join((*parts[:5], f"group/{grant.what}")))


def key_of(arn: str) -> str:
    """The key of a policy or group by its ARN."""
    parts = arn.split(":", 5)
    return f"aws_arn:{parts[4] if len(parts) == 6 and parts[4] else '-'}:{arn}"


def common(principal: str) -> str:
    """A group without its path; anything else as it is."""
    head, found, path = principal.partition(":group/")
    return f"{head}:group/{path.rpartition('/')[2]}" if found else principal
