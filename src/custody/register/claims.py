"""What was said of identities, by whom, and how surely: all claims are kept, contradicting and replaced ones too.

``claims``: identity, field (``kind``, ``owner``, ``deputy``, ``purpose``, ``risk``, ``environment``, ``repository``,
``pipeline``, ``workload``, ``resource``, ``dependency``, ``privilege``, ``exception``), value, said_by
(``register:<document>``, ``contract:<class>``, ``inventory:<source>``), asserter (``declared``, or ``signed`` where a
signature was checked), signer (principals of the signature, comma-separated, NULL without one), method (``ssh``,
``oidc``), vouched (BOOLEAN: signed by who may say it), since, until (as declared), expires (from when it no longer
holds), known_at, superseded_at (µs; NULL in the contract and inventory, and where nothing replaced it), state (a
``State``, as of the moment of the build), note (what an exception is for, who approved a privilege), leaf.
``parties``: party, member (a key or name, NULL for a party without members), ended (µs), signer, leaf.
"""

from collections.abc import Iterator, Sequence

import msgspec

from custody.engine.duck import Cell, Engine
from custody.model.contracts import Contract
from custody.model.register import Declared, SealedDocument
from custody.register.times import LIFE, state_of
from custody.register.versions import Version, in_force, versions

COLUMNS = {
    "identity": "VARCHAR", "field": "VARCHAR", "value": "VARCHAR", "said_by": "VARCHAR", "asserter": "VARCHAR",
    "signer": "VARCHAR", "method": "VARCHAR", "vouched": "BOOLEAN", "since": "BIGINT", "until": "BIGINT",
    "expires": "BIGINT", "known_at": "BIGINT", "superseded_at": "BIGINT", "state": "VARCHAR", "note": "VARCHAR",
    "leaf": "BIGINT",
}  # fmt: skip
PARTIES = {"party": "VARCHAR", "member": "VARCHAR", "ended": "BIGINT", "signer": "VARCHAR", "leaf": "BIGINT"}
SAYS = {"class": "VARCHAR", "field": "VARCHAR", "value": "VARCHAR", "since": "BIGINT"}

STALE = frozenset(("owner", "deputy", "purpose"))
"""Claims that end by themselves where no end is declared."""

TAGS: dict[str, str] = {
    "owner": "owner", "owned-by": "owner", "ownedby": "owner", "team": "owner", "purpose": "purpose",
    "environment": "environment", "env": "environment", "repository": "repository", "repo": "repository",
}  # fmt: skip
"""Tags and labels of inventories that say something of an identity, in lower case."""

TAGGED = """
    SELECT coalesce(a.identity, p.key) AS identity, p.source, p.tags, min(p.leaf) AS leaf
    FROM parts p
    LEFT JOIN declared_as a ON a.name = p.key
    WHERE p.stage = 'inventory' AND p.effect IN ('inventory.user', 'inventory.role', 'inventory.service_account')
      AND p.tags IS NOT NULL AND NOT p.in_conflict AND coalesce(a.identity, p.key) IN (SELECT identity FROM identities)
    GROUP BY coalesce(a.identity, p.key), p.source, p.tags
    ORDER BY 1, 2, 3
"""

OF_CONTRACT = """
    INSERT INTO claims
    SELECT DISTINCT k.identity, s.field, s.value, concat('contract:', s.class), 'declared', CAST(NULL AS VARCHAR),
           CAST(NULL AS VARCHAR), FALSE, s.since, CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT),
           CAST(NULL AS BIGINT), 'held', CAST(NULL AS VARCHAR), CAST(NULL AS BIGINT)
    FROM key_identities k
    JOIN credentials c ON c.key = k.key
    JOIN contract_says s ON s.class = c.identity_class
"""

STEPS = (TAGGED, OF_CONTRACT, str(COLUMNS), str(sorted(TAGS.items())), str(LIFE))


def build(engine: Engine, documents: Sequence[SealedDocument], contract: Contract, moment: int | None) -> None:
    """Make ``claims`` and ``parties``; ``moment`` (µs) is when their state is judged."""
    rows = [row for each in versions(documents) for one in each.sealed.document.identities
            for row in _of(each, one, moment)]  # fmt: skip
    engine.table("claims", COLUMNS, [*rows, *_of_inventory(engine)])
    engine.table("contract_says", SAYS, list(_says(contract)))
    engine.run(OF_CONTRACT)
    engine.table("parties", PARTIES, [row for sealed in in_force(documents) for row in _parties(sealed)])


def fields_of(one: Declared) -> Iterator[tuple[str, str, str | None]]:
    """Every claim of an entry as (field, value, note)."""
    yield "kind", one.kind.value, None
    for field in ("owner", "deputy", "purpose", "risk", "repository", "pipeline", "workload"):
        value = getattr(one, field)
        if value is not None:
            yield field, str(value), None
    for field, values in (
        ("environment", one.environments),
        ("resource", one.resources),
        ("dependency", one.depends_on),
    ):
        yield from ((field, value, None) for value in values)
    for each in one.privileges:
        on = "" if each.on is None else f" on {each.on}"
        told = (f"approved by {each.approved_by}" if each.approved_by else "", each.ticket or "")
        yield "privilege", f"{each.what}{on}", ", ".join(filter(None, told)) or None
    if one.exception is not None:
        watched = ", ".join(one.exception.compensating)
        note = one.exception.reason + (f" (watched by {watched})" if watched else "")
        yield "exception", one.exception.owner, note


def vouches(principals: Sequence[str], field: str, one: Declared) -> bool:
    """Whether one of ``principals`` may say ``field`` of an entry: the owner; all but who that is, its deputy too.

    The names must be the same text: that somebody belongs to a team is declared, not proved.
    """
    may = {one.owner} if field in ("owner", "deputy") else {one.owner, one.deputy}
    return any(name in may for name in principals)


def _of(version: Version, one: Declared, moment: int | None) -> Iterator[tuple[Cell, ...]]:
    sealed = version.sealed
    signed = sealed.signature
    for field, value, note in fields_of(one):
        until = one.exception.until if field == "exception" and one.exception else one.until
        stale = sealed.at + LIFE if field in STALE and until is None else until
        state = state_of(moment, one.since, stale, sealed.at, version.superseded_at)
        yield (
            one.identity, field, value, f"register:{sealed.document.name}", "signed" if signed else "declared",
            ",".join(signed.principals) if signed else None, signed.method if signed else None,
            signed is not None and vouches(signed.principals, field, one), one.since, until, stale, sealed.at,
            version.superseded_at, state.value, note, sealed.leaf,
        )  # fmt: skip


def _says(contract: Contract) -> Iterator[tuple[Cell, ...]]:
    for one in contract.classes:
        told = (("owner", one.owner), ("purpose", one.purpose), ("risk", one.risk))
        for field, value in (*told, *(("environment", name) for name in one.environments)):
            if value:
                yield one.name, field, value, contract.since


def _of_inventory(engine: Engine) -> Iterator[tuple[Cell, ...]]:
    for identity, source, tags, leaf in engine.stream(TAGGED):
        for field, value in tags_of(str(tags)):
            unsigned, untimed = (None, None, False), (None,) * 5
            yield (
                identity,
                field,
                value,
                "inventory:" + str(source),
                "declared",
                *unsigned,
                *untimed,
                "held",
                None,
                leaf,
            )


def tags_of(text: str) -> Iterator[tuple[str, str]]:
    """What tags or labels (JSON) say of an identity, as (field, value); tags of other names say nothing."""
    found: object = msgspec.json.decode(text)
    flat = found if isinstance(found, dict) else {}
    labels = flat.get("labels")
    for name, value in sorted({**flat, **(labels if isinstance(labels, dict) else {})}.items()):
        field = TAGS.get(name.lower().rpartition("/")[2])
        if field is not None and isinstance(value, str) and value.strip():
            yield field, value.strip()


def _parties(sealed: SealedDocument) -> Iterator[tuple[Cell, ...]]:
    signer = ",".join(sealed.signature.principals) if sealed.signature else None
    for party in sealed.document.parties:
        for member in party.members or (None,):
            yield (party.name, member, party.ended, signer, sealed.leaf)
