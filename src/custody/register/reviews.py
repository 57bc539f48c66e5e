"""Reviews as tables: what was asked, what was decided by whom, and which credentials and grants that is about.

``reviews``: review, opened_at, due, closed_at, moment (µs; the last moment of which anything is known), reviewer, by,
population (digest), identities, decided, signed (decisions that count, and those that the named reviewer signed),
kept, reasons (different ones), others (signers that are not the reviewer, NULL without), first_at, last_at (of the
decisions that count), owned (identities of which the one signer of all is the only owner), leaf (of its opening).
``review_decisions``: review, identity, choice, reason, decided_at, closed_at, accepted (BOOLEAN: closed though it was
not carried out), carry_by (µs: what happens later is against it), by, signer (NULL where nobody signed), signed
(BOOLEAN: by the reviewer who was named), in_approvals (its place in that log), seen (size of the operations log then),
leaf (of the opening).
``review_names``: review, identity, name (exact names that led to it when the review was opened).
``review_keys``: review, identity, key (of a credential), exact (BOOLEAN: a machine's, whose
records name the principal that was reviewed).
``review_grants``: review, identity, what (a grant as it was shown), stays (BOOLEAN: it is to stay).

A review is of what was shown: an identity that goes by another id since is found by the names that it had.
"""

from collections.abc import Iterator, Sequence

from custody.engine.duck import Cell, Engine
from custody.model.reviews import Choice, Opening, Review, Standing, standing
from custody.register.entry import Granted
from custody.register.gaps import GIVING
from custody.register.spelling import plain
from custody.register.times import DAY

GRACE = 7 * DAY
"""How long a decision may take to be carried out before what goes on is a finding (µs); its close ends that at once."""

REVIEWS = {
    "review": "VARCHAR", "opened_at": "BIGINT", "due": "BIGINT", "closed_at": "BIGINT", "moment": "BIGINT",
    "reviewer": "VARCHAR", "by": "VARCHAR", "population": "VARCHAR", "identities": "BIGINT", "decided": "BIGINT",
    "signed": "BIGINT", "kept": "BIGINT", "reasons": "BIGINT", "others": "VARCHAR", "first_at": "BIGINT",
    "last_at": "BIGINT", "owned": "BIGINT", "leaf": "BIGINT",
}  # fmt: skip
DECISIONS = {
    "review": "VARCHAR", "identity": "VARCHAR", "choice": "VARCHAR", "reason": "VARCHAR", "decided_at": "BIGINT",
    "closed_at": "BIGINT", "accepted": "BOOLEAN", "carry_by": "BIGINT", "by": "VARCHAR", "signer": "VARCHAR",
    "signed": "BOOLEAN", "in_approvals": "BIGINT", "seen": "BIGINT", "leaf": "BIGINT",
}  # fmt: skip
NAMES = {"review": "VARCHAR", "identity": "VARCHAR", "name": "VARCHAR"}
GRANTS = {"review": "VARCHAR", "identity": "VARCHAR", "what": "VARCHAR", "stays": "BOOLEAN"}
TABLES = ("reviews", "review_decisions", "review_names", "review_keys", "review_grants")
SHAPE = tuple(map(str, (REVIEWS, DECISIONS, NAMES, GRANTS, GRACE)))

KEYS = """
    CREATE OR REPLACE TABLE review_keys AS
    SELECT r.review, r.identity, r.key,
           bool_or(r.named) AND min(c.population) = 'machine'
               AND NOT bool_or(k.contested OR c.issue_disputed OR c.use_disputed OR c.chain_disputed) AS exact
    FROM (
        SELECT n.review, n.identity, c.key, TRUE AS named FROM review_names n JOIN credentials c ON c.subject = n.name
        UNION ALL
        SELECT n.review, n.identity, c.key, TRUE FROM review_names n JOIN credentials c ON c.key = n.name
        UNION ALL
        SELECT n.review, n.identity, k.key, FALSE FROM review_names n JOIN key_identities k ON k.name = n.name
        UNION ALL
        SELECT d.review, d.identity, k.key, FALSE
        FROM review_decisions d
        JOIN key_identities k ON k.identity = d.identity
    ) r
    JOIN credentials c ON c.key = r.key
    JOIN key_identities k ON k.key = r.key
    GROUP BY r.review, r.identity, r.key
"""


def build(engine: Engine, reviews: Sequence[Review], moment: int | None) -> None:
    """Make every table; ``moment`` (µs) is the last of which records or documents tell."""
    now = max([moment or 0, *(at for one in reviews for at in _times(one))])
    found = [(one, standing(one)) for one in reviews]
    engine.table("reviews", REVIEWS, [_row(one, decided, now) for one, decided in found])
    engine.table("review_decisions", DECISIONS, [row for one, decided in found for row in _decisions(one, decided)])
    engine.table("review_names", NAMES, [row for one in reviews for row in _names(one.opening)])
    engine.table("review_grants", GRANTS, [row for one, decided in found for row in _grants(one, decided)])
    engine.run(KEYS)


def rebuild(engine: Engine, reviews: Sequence[Review], moment: int | None) -> None:
    """Make the tables anew over stored ones, with what was sealed since; the stored ones stay as they are."""
    for name in TABLES:
        engine.run(f'DROP VIEW IF EXISTS "{name}"')
    build(engine, reviews, moment)


def granted(one: Granted) -> str:
    """A grant as a reviewer is shown it: ``managed arn:… through …``."""
    return " ".join(filter(None, (one.kind, one.what, f"through {one.through}" if one.through else None)))


def gives(one: Granted) -> bool:
    """Whether a grant gives something: who may take a role on, and what bounds it, gives nothing."""
    return one.kind in GIVING


def owns(signer: str, owners: Sequence[str]) -> bool:
    """Whether ``signer`` is the one owner."""
    return len(owners) == 1 and plain(owners[0]) == plain(signer)


def _times(one: Review) -> Iterator[int]:
    yield one.opening.at
    yield from (each.at for each in one.decisions)
    if one.closing is not None:
        yield one.closing.at


def _row(one: Review, decided: dict[str, Standing], now: int) -> tuple[Cell, ...]:
    opening = one.opening
    counts = [decided[each.identity] for each in opening.members if each.identity in decided]
    signers = {name for each in counts for name in _signers(each)}
    times = [each.given.at for each in counts]
    shared = _all_signed(counts)
    return (
        opening.name, opening.at, opening.due, one.closing.at if one.closing else None, now, opening.reviewer,
        opening.by, opening.digest, len(opening.members), len(counts),
        sum(each.signed_by(opening.reviewer) for each in counts),
        sum(each.decision.choice is Choice.KEEP for each in counts),
        len({plain(each.decision.reason) for each in counts}),
        ", ".join(sorted(signers - {opening.reviewer})) or None, min(times, default=None), max(times, default=None),
        sum(any(owns(name, each.owners) for name in shared) for each in opening.members), opening.leaf,
    )  # fmt: skip


def _signers(one: Standing) -> tuple[str, ...]:
    return one.given.signature.principals if one.given.signature is not None else ()


def _all_signed(counts: Sequence[Standing]) -> set[str]:
    """The names of whoever signed every decision."""
    found = [set(_signers(each)) for each in counts]
    return set.intersection(*found) if found else set()


def _decisions(one: Review, decided: dict[str, Standing]) -> Iterator[tuple[Cell, ...]]:
    closed = one.closing.at if one.closing is not None else None
    accepted = frozenset(one.closing.unfinished) if one.closing is not None else frozenset[str]()
    for identity, each in decided.items():
        given = each.given
        carry_by = given.at + GRACE if closed is None else min(given.at + GRACE, max(closed, given.at))
        yield (
            one.opening.name, identity, each.decision.choice.value, each.decision.reason, given.at, closed,
            identity in accepted, carry_by, given.by, ", ".join(_signers(each)) or None,
            each.signed_by(one.opening.reviewer), given.leaf, given.seen, one.opening.leaf,
        )  # fmt: skip


def _names(opening: Opening) -> Iterator[tuple[Cell, ...]]:
    for each in opening.members:
        yield from ((opening.name, each.identity, name) for name in dict.fromkeys((each.identity, *each.names)))


def _grants(one: Review, decided: dict[str, Standing]) -> Iterator[tuple[Cell, ...]]:
    for each in one.opening.members:
        found = decided.get(each.identity)
        stays = frozenset(found.decision.to) if found is not None else frozenset[str]()
        yield from ((one.opening.name, each.identity, what, what in stays) for what in each.granted or ())
