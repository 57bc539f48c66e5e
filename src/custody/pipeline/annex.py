"""What a report has beside its own object, out of the derived tables and the log: register, exceptions, anchors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from heapq import nsmallest

from custody.model.annex import (
    AnchorRef,
    Annex,
    ClaimRef,
    DependencyRef,
    DocumentRef,
    ExceptionRef,
    GrantRef,
    IdentityRef,
    LifecycleRef,
    RegisterRef,
)
from custody.model.report import LeafRef
from custody.model.times import duration, microseconds, text
from custody.pipeline.anchor import STATEMENT
from custody.pipeline.tables import Answers
from custody.register.entries import entries
from custody.register.entry import Entry, Granted, Lifecycle, Said
from custody.register.gaps import GIVING
from custody.reports.words import LOG
from custody.store.reader import Reader

MOST = 200
"""Identities that a report shows; the rest are counted."""
MOST_GRANTS = 20
MOST_EACH = 40
"""Names and dependencies of one identity that a report shows."""

DOCUMENTS = """
    SELECT document, digest, said, signer, known_at, leaf FROM register_documents WHERE superseded_at IS NULL
    ORDER BY document
"""
CLASSES = "SELECT DISTINCT c.identity_class FROM judged c WHERE c.identity_class IS NOT NULL"


def annex(tables: Answers, controls: tuple[str, ...], *, size: int | None = None) -> Annex:
    """The annex of a report over ``tables``, which may be restricted to a pack.

    ``controls`` are those that the rules behind it speak to. With ``size`` only anchors over that size are named, and
    of the contract's exceptions those of classes that a chosen credential is in.
    """
    chosen = "" if size is None else " AND c.key IN (SELECT k.key FROM pack_keys k)"
    classes = {str(name) for (name,) in tables.engine.rows(CLASSES + chosen)}
    register = _register(tables)
    borne = _of_contract(tables, None if size is None else classes)
    return Annex(
        register=register,
        exceptions=(*borne, *_of_register(register)),
        anchors=tuple(_anchors(tables.reader, size)),
        controls=controls,
    )


def _register(tables: Answers) -> RegisterRef:
    engine = tables.engine
    missing, total, declared, contradicted = Counter[str](), 0, 0, 0

    def counted(found: Iterable[Entry]) -> Iterator[Entry]:
        nonlocal total, declared, contradicted
        for one in found:
            missing.update(one.missing)
            total, declared = total + 1, declared + one.declared
            contradicted += any(each.contradicted for each in one.claims)
            yield one

    shown = nsmallest(MOST, counted(entries(engine)), key=_weight)
    moment = engine.one("SELECT min(moment) FROM register_moment")[0]
    return RegisterRef(
        moment=text(moment) if isinstance(moment, int) else None,
        total=total,
        declared=declared,
        missing={name: missing[name] for name in ("owner", "purpose", "privileges", "lifecycle")},
        contradicted=contradicted,
        documents=tuple(
            DocumentRef(
                name=str(name),
                digest=str(digest),
                by=str(by),
                signer=None if signer is None else str(signer),
                sealed=_time(known_at),
                leaf=LeafRef(LOG, int(str(leaf))),
            )
            for name, digest, by, signer, known_at, leaf in engine.rows(DOCUMENTS)
        ),
        identities=tuple(map(_identity, shown)),
    )


def _weight(one: Entry) -> tuple[bool, int, int, str]:
    """What is contradicted or lacks most stands first, then who has most credentials."""
    return not any(each.contradicted for each in one.claims), -len(one.missing), -one.credentials, one.identity


def _identity(one: Entry) -> IdentityRef:
    grants = [each for each in one.privileges or () if each.kind in GIVING]
    return IdentityRef(
        identity=one.identity,
        kind=one.kind,
        declared=one.declared,
        population=one.population,
        account=one.account,
        first_seen=text(one.first_seen),
        last_seen=text(one.last_seen),
        credentials=one.credentials,
        alive=sum(each.alive for each in one.lifecycles),
        names=tuple(dict.fromkeys(each.name for each in one.names))[:MOST_EACH],
        claims=tuple(_claim(each) for each in one.claims if each.state != "replaced"),
        grants=tuple(map(_grant, grants[:MOST_GRANTS])),
        grants_total=len(grants),
        lifecycles=tuple(map(_lifecycle, one.lifecycles)),
        dependencies=tuple(
            DependencyRef(name=each.dependency, declared=each.declared, observed=each.observed)
            for each in one.dependencies[:MOST_EACH]
        ),
        missing=one.missing,
    )


def _claim(one: Said) -> ClaimRef:
    return ClaimRef(
        field=one.field,
        value=one.value,
        said_by=one.said_by,
        signer=one.signer,
        vouched=one.vouched,
        since=text(one.since),
        expires=text(one.expires),
        known_at=text(one.known_at),
        state=one.state.value,
        contradicted=one.contradicted,
        note=one.note,
        leaf=_leaf(one.leaf),
    )


def _grant(one: Granted) -> GrantRef:
    return GrantRef(
        kind=one.kind,
        what=one.what,
        through=one.through,
        since=text(one.since),
        since_how=one.since_how,
        by=one.by_principal,
        approver=one.approver,
        leaf=_leaf(one.leaf),
    )


def _lifecycle(one: Lifecycle) -> LifecycleRef:
    return LifecycleRef(
        kind=one.kind,
        credentials=one.credentials,
        issued=one.issued,
        endless=one.endless,
        shortest=None if one.shortest is None else duration(one.shortest),
        longest=None if one.longest is None else duration(one.longest),
        alive=one.alive,
        ended=one.ended,
        renewed=one.renewed,
        last_used=text(one.last_used),
        leaf=_leaf(one.leaf),
    )


def _of_contract(tables: Answers, classes: set[str] | None) -> Iterator[ExceptionRef]:
    """The exceptions of the contract's classes, of all or of those named."""
    now = microseconds(tables.report.as_of) or 0
    for each in tables.contract.classes:
        if each.exception is not None and (classes is None or each.name in classes):
            found = each.exception
            yield ExceptionRef(
                of=each.name,
                said_by="contract",
                owner=found.owner,
                reason=found.reason,
                until=text(found.until) or "",
                compensating=found.compensating,
                over=found.until <= now,
            )


def _of_register(register: RegisterRef) -> Iterator[ExceptionRef]:
    """The exceptions that documents of the register declare, of the identities shown. The note has what watches it."""
    for one in register.identities:
        for each in one.claims:
            if each.field == "exception":
                yield ExceptionRef(
                    of=one.identity,
                    said_by=each.said_by.replace("register:", "document ", 1),
                    owner=each.value,
                    reason=each.note or "",
                    until=each.expires or "",
                    compensating=(),
                    over=each.state == "expired",
                )


def _anchors(reader: Reader, size: int | None) -> Iterator[AnchorRef]:
    for said in reader.statements(STATEMENT):
        fields = said.entry.fields
        over = fields.get("size")
        if isinstance(over, int) and size in (None, over):
            by = str(fields.get("witness") or fields.get("authority") or "")
            yield AnchorRef(size=over, how=str(fields.get("how")), by=by, leaf=LeafRef(LOG, said.leaf))


def _leaf(index: int | None) -> LeafRef | None:
    return None if index is None else LeafRef(LOG, index)


def _time(moment: object) -> str | None:
    return text(moment) if isinstance(moment, int) else None
