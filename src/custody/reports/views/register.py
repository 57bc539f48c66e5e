"""The register in a report: an overview, and what is said of each identity, by whom, and what is missing."""

from collections.abc import Iterable, Sequence

import msgspec

from custody.model.annex import ClaimRef, GrantRef, IdentityRef, LifecycleRef, RegisterRef
from custody.reports.words import counted, day, granted_since, leaf_text, number, said_by, stamp

FIELDS = (
    "owner", "deputy", "purpose", "privilege", "exception", "risk", "environment", "repository", "pipeline",
    "workload", "resource",
)  # fmt: skip
"""The fields of claims in the order of the page; kind and dependency stand elsewhere."""
NAMED = {"privilege": "privilege declared"}
LACKS = {
    "owner": "no owner",
    "purpose": "no purpose",
    "privileges": "privileges not known",
    "lifecycle": "lifecycle with gaps",
}
ORDER = {"held": 0, "later": 1, "expired": 2, "replaced": 3}


class ClaimView(msgspec.Struct, frozen=True):
    """A claim as shown. ``marks`` are words about it, each with its style; ``period`` is when it holds."""

    field: str
    value: str
    who: str
    period: str
    note: str
    marks: tuple[tuple[str, str], ...]
    leaf: str


class GrantView(msgspec.Struct, frozen=True):
    """A grant that the records show, in words."""

    what: str
    since: str
    by: str
    leaf: str


class LifecycleView(msgspec.Struct, frozen=True):
    """The credentials of one kind, in words."""

    kind: str
    counts: str
    lives: str
    last_used: str
    leaf: str


class Beside(msgspec.Struct, frozen=True):
    """The claim that counts, in an overview: its value and who says it; both empty where nobody says anything."""

    value: str
    who: str
    contradicted: bool


class IdentityView(msgspec.Struct, frozen=True, kw_only=True):
    """One identity. ``anchor`` is its place in the page; ``lacks`` are words for what is missing or contradicted."""

    anchor: str
    identity: IdentityRef
    meta: str
    owner: Beside
    purpose: Beside
    privileges: str
    credentials: str
    lacks: tuple[str, ...]
    contradicted: bool
    claims: tuple[ClaimView, ...]
    grants: tuple[GrantView, ...]
    more_grants: int
    lifecycles: tuple[LifecycleView, ...]
    dependencies: tuple[tuple[str, str], ...]


class RegisterView(msgspec.Struct, frozen=True, kw_only=True):
    """The whole section: ``tiles`` are a name, a number and a sentence."""

    register: RegisterRef
    tiles: tuple[tuple[str, str, str], ...]
    identities: tuple[IdentityView, ...]


def register_view(register: RegisterRef) -> RegisterView:
    """Everything that the section shows, in the order given."""
    missing = register.missing
    return RegisterView(
        register=register,
        tiles=(
            ("Identities", number(register.total), f"{number(register.declared)} of them declared in a document"),
            ("No owner", number(missing.get("owner", 0)), "nobody says who answers for them"),
            ("No purpose", number(missing.get("purpose", 0)), "nobody says why they exist"),
            ("Privileges not known", number(missing.get("privileges", 0)), "no grant was read, none is declared"),
            (
                "Lifecycle with gaps",
                number(missing.get("lifecycle", 0)),
                "a credential without a recorded issue",
            ),
            ("Contradictions", number(register.contradicted), "identities of which two claims say different things"),
        ),
        identities=tuple(_identity(f"identity-{at}", each) for at, each in enumerate(register.identities, 1)),
    )


def _identity(anchor: str, one: IdentityRef) -> IdentityView:
    against = dict.fromkeys(claim.field for claim in one.claims if claim.contradicted)
    known = "declared" if one.declared else "seen in the records, declared nowhere"
    shown = [claim for field in FIELDS for claim in _ranked(one.claims) if claim.field == field]
    return IdentityView(
        anchor=anchor,
        identity=one,
        meta=" · ".join(part for part in (one.kind, one.population or "never seen", one.account, known) if part),
        owner=_beside(one, "owner"),
        purpose=_beside(one, "purpose"),
        privileges=_privileges(one),
        credentials=f"{number(one.credentials)}, {number(one.alive)} alive" if one.credentials else "none seen",
        lacks=(*(LACKS.get(name, name) for name in one.missing), *(f"{field} contradicted" for field in against)),
        contradicted=bool(against),
        claims=tuple(map(_claim, shown)),
        grants=tuple(map(_grant, one.grants)),
        more_grants=one.grants_total - len(one.grants),
        lifecycles=tuple(map(_lifecycle, one.lifecycles)),
        dependencies=tuple((each.name, _depends(each.declared, each.observed)) for each in one.dependencies),
    )


def _ranked(claims: Iterable[ClaimRef]) -> Sequence[ClaimRef]:
    """Claims in the order in which they count: those that hold, by who may say it, signed first."""
    return sorted(claims, key=lambda one: (ORDER.get(one.state, len(ORDER)), not one.vouched, one.signer is None))


def _beside(one: IdentityRef, field: str) -> Beside:
    held = [claim for claim in _ranked(one.claims) if claim.field == field and claim.state == "held"]
    if not held:
        return Beside("", "", False)
    return Beside(held[0].value, _who(held[0]), any(claim.contradicted for claim in held))


def _privileges(one: IdentityRef) -> str:
    declared = sum(claim.field == "privilege" and claim.state == "held" for claim in one.claims)
    told = [counted(one.grants_total, "grant") + " in the records"] if one.grants_total else []
    told += [f"{number(declared)} declared"] if declared else []
    return ", ".join(told)


def _who(one: ClaimRef) -> str:
    how, where = said_by(one.said_by, one.signer, one.field, vouched=one.vouched)
    return f"{how}, {'document ' if one.said_by.startswith('register:') else ''}{where}"


def _end(moment: str) -> str:
    """``through`` the last day where something ends with one, else ``until`` the second."""
    shown = day(moment)
    return f"{'through' if len(shown) == len('2026-01-01') else 'until'} {shown}"


def _start(moment: str) -> str:
    """The day alone where something begins with it."""
    return moment[: len("2026-01-01")] if moment.endswith("T00:00:00Z") else stamp(moment)


def _claim(one: ClaimRef) -> ClaimView:
    held = {"held": ()}.get(one.state, ((one.state, "na"),))
    against = (("contradicted", "violated"),) if one.contradicted else ()
    times = [f"from {_start(one.since)}" if one.since else "", _end(one.expires) if one.expires else ""]
    times += [f"known since {stamp(one.known_at)}" if one.known_at else ""]
    return ClaimView(
        field=NAMED.get(one.field, one.field),
        value=one.value,
        who=_who(one),
        period=", ".join(part for part in times if part),
        note=one.note or "",
        marks=(*held, *against),
        leaf=leaf_text(one.leaf),
    )


def _grant(one: GrantRef) -> GrantView:
    through = f" through {one.through}" if one.through else ""
    given = f"given by {one.by}; " if one.by else ""
    return GrantView(
        what=f"{one.kind}: {one.what}{through}" if one.what else f"{one.kind}{through}",
        since=granted_since(one.since_how, stamp(one.since) if one.since else None),
        by=given + (f"approved by {one.approver}" if one.approver else "no approval seen"),
        leaf=leaf_text(one.leaf),
    )


def _lifecycle(one: LifecycleRef) -> LifecycleView:
    lives = one.shortest or "" if one.shortest == one.longest else f"{one.shortest} to {one.longest}"
    endless = f"{number(one.endless)} without an end" if one.endless else ""
    counts = (
        f"{number(one.credentials)} seen, issue of {number(one.issued)} recorded, {number(one.alive)} alive, "
        f"{number(one.ended)} ended, {number(one.renewed)} renewed"
    )
    return LifecycleView(
        kind=one.kind,
        counts=counts,
        lives=", ".join(part for part in (lives, endless) if part) or "not recorded",
        last_used=stamp(one.last_used) if one.last_used else "never used",
        leaf=leaf_text(one.leaf),
    )


def _depends(declared: bool, observed: bool) -> str:
    if declared and observed:
        return "declared and seen"
    return "declared, never seen" if declared else "seen, not declared"
