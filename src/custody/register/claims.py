"""What was said of identities, by whom, and how surely: all claims are kept, contradicting ones too.

``claims``: identity, field (``owner``, ``deputy``, ``purpose``, ``environment``, ``dependency``, ``privilege``, …),
value, said_by (``register:<document>``, ``contract:<class>``, ``inventory:<source>``), asserter (``declared``, or
``signed`` where a signature was checked), signer (principals of the signature, comma-separated, NULL without one),
method (``ssh``, ``oidc``), since, until, known_at (µs), leaf.
``parties``: party, member (a key or name, NULL for a party without members), ended (µs), signer, leaf.
"""

from collections.abc import Iterator, Sequence

from custody.engine.duck import Cell, Engine
from custody.model.contracts import Contract
from custody.model.register import Declared, SealedDocument
from custody.register.identities import in_force

COLUMNS = {
    "identity": "VARCHAR", "field": "VARCHAR", "value": "VARCHAR", "said_by": "VARCHAR", "asserter": "VARCHAR",
    "signer": "VARCHAR", "method": "VARCHAR", "since": "BIGINT", "until": "BIGINT", "known_at": "BIGINT",
    "leaf": "BIGINT",
}  # fmt: skip
PARTIES = {"party": "VARCHAR", "member": "VARCHAR", "ended": "BIGINT", "signer": "VARCHAR", "leaf": "BIGINT"}


def build(engine: Engine, documents: Sequence[SealedDocument], contract: Contract) -> None:
    """Make ``claims`` and ``parties``."""
    rows = [row for sealed in in_force(documents) for one in sealed.document.identities for row in _of(sealed, one)]
    engine.table("claims", COLUMNS, [*rows, *_of_contract(engine, contract)])
    engine.table("parties", PARTIES, [row for sealed in in_force(documents) for row in _parties(sealed)])


def fields_of(one: Declared) -> Iterator[tuple[str, str]]:
    """Every claim of an entry as (field, value)."""
    for field in ("owner", "deputy", "purpose", "risk", "repository", "pipeline", "workload"):
        value = getattr(one, field)
        if value is not None:
            yield field, str(value)
    for field, values in (
        ("environment", one.environments),
        ("resource", one.resources),
        ("dependency", one.depends_on),
        ("privilege", tuple(each.what for each in one.privileges)),
    ):
        yield from ((field, value) for value in values)


def _of(sealed: SealedDocument, one: Declared) -> Iterator[tuple[Cell, ...]]:
    signed = sealed.signature
    for field, value in fields_of(one):
        yield (
            one.identity, field, value, f"register:{sealed.document.name}", "signed" if signed else "declared",
            ",".join(signed.principals) if signed else None, signed.method if signed else None,
            one.since, one.until, sealed.at, sealed.leaf,
        )  # fmt: skip


def _of_contract(engine: Engine, contract: Contract) -> Iterator[tuple[Cell, ...]]:
    classes = {each.name: each for each in contract.classes}
    sql = (
        "SELECT DISTINCT k.identity, c.identity_class FROM key_identities k JOIN credentials c ON c.key = k.key "
        "WHERE c.identity_class IS NOT NULL ORDER BY 1, 2"
    )
    for identity, name in engine.rows(sql):
        one = classes[str(name)]
        for field, value in (("owner", one.owner), ("purpose", one.purpose)):
            if value:
                yield (identity, field, value, f"contract:{one.name}", "declared", *(None,) * 6)


def _parties(sealed: SealedDocument) -> Iterator[tuple[Cell, ...]]:
    signer = ",".join(sealed.signature.principals) if sealed.signature else None
    for party in sealed.document.parties:
        for member in party.members or (None,):
            yield (party.name, member, party.ended, signer, sealed.leaf)
