"""What is shown of a principal's privileges as of a time: its grants, what they come to, and what is not known."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from custody.engine.duck import Engine
from custody.errors import NotFound
from custody.model.keys import names_of
from custody.model.privileges import (
    ApprovalView,
    GrantView,
    PrivilegesView,
    StatementView,
    Texts,
    TrustView,
)
from custody.model.report import LeafRef
from custody.model.times import text
from custody.register.privileges import state
from custody.register.privileges.evaluate import Effective
from custody.register.privileges.policy import Document
from custody.register.privileges.state import LATEST, Grant, Library, State
from custody.register.privileges.trust import trusted

LOG = "operations"

PRINCIPALS = "SELECT DISTINCT principal FROM grants WHERE kind NOT IN ('version', 'rules') ORDER BY principal"
OF_IDENTITY = """
    SELECT DISTINCT o.name FROM identity_names n JOIN identity_names o ON o.identity = n.identity WHERE n.name = ?
"""


def principals_of(engine: Engine, name: str) -> tuple[str, ...]:
    """The principals with grants that ``name`` means: a key, an ARN, a short name, or an identity of the register.

    A bare name (``deploy``) means every principal whose last word it is. NotFound where it means none.
    """
    known = [str(principal) for (principal,) in engine.rows(PRINCIPALS)]
    named = {str(other) for (other,) in engine.rows(OF_IDENTITY, [name])} | {name}
    exact = tuple(each for each in known if named.intersection(names_of(each)))
    found = exact or tuple(each for each in known if _last(each) == name)
    if not found:
        raise NotFound(
            "no grant of this principal was read",
            where=name,
            expected="a role, user, service account or database role with grants in a log or inventory",
            advice="custody sources says what shows grants: aws.iam_details, kubernetes.inventory, aws.cloudtrail.",
        )
    return found


def _last(principal: str) -> str:
    return principal.rpartition("/")[2] if "/" in principal else principal.rpartition(":")[2]


def of_principals(
    engine: Engine, principals: Sequence[str], time: int | None, texts: Texts
) -> tuple[PrivilegesView, ...]:
    """What each of ``principals`` had at ``time`` (µs; None: as far as the records go), in their order."""
    if not principals:
        return ()
    library = Library(engine, texts)
    marks = ", ".join("?" for _ in principals)
    starts = {str(row[0]): row[1] for row in engine.rows("SELECT principal, since FROM principal_starts")}
    rows = state.rows(engine, f"principal IN ({marks})", list(principals))
    found = {principal: list(some) for principal, some in groupby(rows, key=lambda each: each.principal)}
    return tuple(_view(each, found[each], library, time, starts.get(each)) for each in principals if each in found)


def _view(principal: str, own: Sequence[Grant], library: Library, time: int | None, made: object) -> PrivilegesView:
    moment = LATEST if time is None else time
    then = state.at(own, library, moment)
    trust = then.trust.document if then.trust else Document()
    profiles = [each for each in own if each.kind == "profile" and each.holds_at(moment)]
    return PrivilegesView(
        principal=principal,
        as_of=text(time),
        made=text(made) if isinstance(made, int) and made <= moment else None,
        complete=then.effective.complete,
        grants=(*_grants(then, principal), *(_grant(each, None, principal) for each in profiles)),
        statements=tuple(_statements(then.effective)),
        trust=tuple(
            TrustView(who=each.who, actions=each.actions, condition=each.condition, wide=each.wide)
            for each in trusted(trust)
        ),
        unresolved=_unresolved(then),
        outside=then.effective.outside,
    )


def _unresolved(then: State) -> tuple[str, ...]:
    """What is not known of the documents, of the trust policy among them."""
    problem = then.trust.document.problem if then.trust else None
    return (*then.effective.unresolved, *((f"trust policy: {problem}",) if problem else ()))


def _grants(then: State, principal: str) -> Iterator[GrantView]:
    for place, grant in enumerate(then.grants):
        yield _grant(grant, then.reads.get(place), principal)


def _grant(grant: Grant, read: state.Read | None, principal: str) -> GrantView:
    return GrantView(
        kind=grant.kind,
        what=grant.what,
        through=grant.through,
        since=text(grant.since),
        until=text(grant.until),
        since_how=grant.since_how,
        by=grant.by_principal,
        by_key=grant.by_key,
        leaf=LeafRef(LOG, grant.leaf),
        end_leaf=_leaf(grant.end_leaf),
        text=read.document.problem if read else None,
        text_leaf=_leaf(read.leaf) if read and read.document.problem is None else None,
        inherited=None if grant.principal == principal else grant.principal,
        approval=_approval(grant),
    )


def _leaf(leaf: int | None) -> LeafRef | None:
    return None if leaf is None else LeafRef(LOG, leaf)


def _approval(grant: Grant) -> ApprovalView | None:
    if grant.approval_leaf is None:
        return None
    return ApprovalView(
        by=grant.approver,
        at=text(grant.approved_at),
        leaf=LeafRef(LOG, grant.approval_leaf),
        grade=grant.approval_grade or "",
        asserter=grant.approval_asserter or "",
    )


def _statements(found: Effective) -> Iterator[StatementView]:
    for held in found.held:
        for one in held.document.statements:
            yield StatementView(
                effect="allow" if one.allow else "deny",
                layer=held.layer.value,
                via=held.via,
                actions=one.actions,
                resources=one.resources,
                not_actions=one.but,
                not_resources=one.elsewhere,
                condition=one.condition,
            )
