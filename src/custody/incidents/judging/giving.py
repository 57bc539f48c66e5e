"""Access that is given, taken away, or renewed: from grants and issuances that were recorded after it was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from custody.chains.credentials import PROPAGATION
from custody.incidents.judging import endings, made, saying
from custody.incidents.scope.grounds import (
    MOST,
    SKEW,
    Credential,
    Grounds,
    apart,
    chosen,
    credentials,
    descendants,
    refs,
)
from custody.model.incident_view import Judged
from custody.model.times import duration, text
from custody.model.verdicts import Basis, Best, State, Verdict
from custody.rules.settling import grants_of, issuer_log

_GRANTS = """
    SELECT g.principal, g.kind, coalesce(g.what, ''), coalesce(g.through, ''), g.since, g.until, g.since_how, g.leaf,
           g.end_leaf, g.by_key
    FROM grants g WHERE g.principal IN (SELECT unnest(?)) AND g.kind NOT IN ('version', 'rules', 'profile')
    ORDER BY g.principal, g.kind, 3, 4, coalesce(g.since, 0), g.leaf
"""
_BEHIND = """
    SELECT g.principal, g.kind, coalesce(g.what, ''), coalesce(g.through, ''), g.since, g.until, g.since_how, g.leaf,
           g.end_leaf, g.by_key
    FROM grants g WHERE g.since >= ? AND g.until IS NULL AND g.kind NOT IN ('trust', 'boundary')
      AND EXISTS (SELECT 1 FROM unnest(?) h(what)
                  WHERE ends_with(g.principal, ':' || h.what) OR ends_with(g.principal, '/' || h.what))
    ORDER BY g.principal, g.kind, 3, 4, g.since, g.leaf LIMIT 10001
"""
"""What was given since to the groups, policies and roles that a principal has: the texts of these, too."""
_OF_PRINCIPALS = """
    SELECT c.key FROM credentials c WHERE c.subject IN (SELECT unnest(?)) ORDER BY c.key LIMIT 10001
"""
_MADE_BY = "SELECT m.leaf, m.by_key FROM made m WHERE m.leaf IN (SELECT unnest(?)) ORDER BY m.leaf, m.by_key"
TEXTS = ("inline", "trust", "boundary")
"""Grants that are a text of their own: that one was written shows a change, and not that it is less."""
LIMITS = ("trust", "boundary")
"""Kinds that give nothing by themselves."""
REFUSING = ("deny", "quarantine")
"""Words in the names of policies that refuse: to take one away takes nothing."""
SHIPPED = ":iam::aws:policy/"
"""Stands in the names of policies that AWS wrote: what these are called they do."""


class Grant(msgspec.Struct, frozen=True, array_like=True):
    """A grant of a principal, from when until when (µs)."""

    principal: str
    kind: str
    what: str
    through: str
    since: int | None
    until: int | None
    since_how: str
    leaf: int | None
    end_leaf: int | None
    by_key: str | None

    @property
    def same(self) -> tuple[str, str, str, str]:
        """What makes two grants the same one, given again."""
        return (self.principal, self.kind, self.what, self.through)

    @property
    def may_refuse(self) -> bool:
        """Whether it is a policy of somebody's own, whose text may refuse as well as allow: it is not judged."""
        return self.kind == "inline" or (self.kind == "managed" and SHIPPED not in self.what)

    @property
    def named_to_refuse(self) -> bool:
        """Whether its name says that it refuses: nothing is taken away with it. A name proves nothing of its text."""
        return any(word in self.what.casefold() for word in REFUSING)

    @property
    def gives(self) -> bool:
        """Whether it may give something: all do but what limits, and policies of AWS that are named to refuse."""
        return self.kind not in LIMITS and not (self.named_to_refuse and SHIPPED in self.what)

    @property
    def told(self) -> str:
        """In words."""
        return f"{self.kind} {self.what}".strip() + f" of {self.principal}"


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """When it was asked for, when it is said to have been done, and by when it had to be over (µs; None: never).

    ``sealed`` says that it was asked at that time by the clock of this machine, which may differ from that of a log.
    """

    asked: int
    done: int | None = None
    until: int | None = None
    sealed: bool = False


def grants(grounds: Grounds, principals: Iterable[str]) -> list[Grant]:
    """The grants of ``principals``, ended ones too."""
    return msgspec.convert(chosen(grounds.engine, _GRANTS, principals), list[Grant])


def narrowed(
    grounds: Grounds, question: str, principals: Sequence[str], times: Times, tainted: frozenset[str] = frozenset()
) -> list[Judged]:
    """Of every principal: whether something was taken from it since it was asked, not given back, and nothing is left.

    What is left may give the same: then it only indicates.
    What a credential in ``tainted`` took away does not count, nor does the end of a policy that only refuses.
    """
    found = grants(grounds, principals)
    own = _by(grounds, (one.end_leaf for one in found), tainted)
    every = [one for one in found if one.end_leaf not in own]
    since = behind(grounds, every, times.asked)
    return [
        _narrowed(question, name, [one for one in every if one.principal == name], since, times) for name in principals
    ]


def behind(grounds: Grounds, held: Iterable[Grant], since: int) -> list[Grant]:
    """What was given since (µs) to the groups, policies and roles of the grants in ``held`` that stand."""
    names = sorted({one.what for one in held if one.until is None and one.what and one.gives})
    return msgspec.convert(grounds.engine.rows(_BEHIND, [since, names]), list[Grant]) if names else []


def _narrowed(question: str, name: str, every: Sequence[Grant], since: Sequence[Grant], times: Times) -> Judged:
    ended = [one for one in every if one.until is not None and one.until >= times.asked]
    taken = [one for one in ended if one.kind not in LIMITS and not one.named_to_refuse]
    given = {(one.same, one.since) for one in every}
    gone = [one for one in taken if (one.same, one.until) not in given]
    for one in gone:
        again = [each for each in every if each.same == one.same and (each.since or 0) > (one.until or 0)]
        if again and again[-1].until is None:
            told = f"{one.told} was taken away at {text(one.until)}, and given again at {text(again[-1].since)}"
            return saying.violated(question, told, refs(one.end_leaf, again[-1].leaf))
    stands = [one for one in every if one.until is None and one.gives]
    wider = [one for one in stands if (one.since or 0) >= times.asked]
    held = tuple(f"{mark}{one.what}" for one in stands if one.what for mark in ":/")
    wider += [one for one in since if one.principal.endswith(held)]
    if gone and wider:
        told = f"{gone[0].told} was taken away at {text(gone[0].until)}, and {wider[0].told} given since"
        told += "; that this is less is not judged"
        leaves = refs(*(one.end_leaf for one in gone), *(one.leaf for one in wider))
        return saying.unproven(question, told, Best.INDICATED, leaves)
    if gone and stands:
        told = f"{gone[0].told} was taken away at {text(gone[0].until)}, and {stands[0].told} stands"
        told += "; that this does not give the same is not judged"
        leaves = refs(*(one.end_leaf for one in gone), *(one.leaf for one in stands))
        return saying.unproven(question, told, Best.INDICATED, leaves)
    if gone and all(one.may_refuse for one in gone):
        told = f"{gone[0].told} was taken away at {text(gone[0].until)}; that its text allowed something is not judged"
        return saying.unproven(question, told, Best.INDICATED, refs(*(one.end_leaf for one in gone)))
    if gone:
        gone = [one for one in gone if not one.may_refuse]
        told = f"{gone[0].told} was taken away at {text(gone[0].until)}"
        more = "" if len(gone) == 1 else f", and {len(gone) - 1} more"
        return saying.proved(question, told + more, Basis.OBSERVED, refs(*(one.end_leaf for one in gone)))
    written = [one for one in every if (one.since or 0) >= times.asked and one.kind in TEXTS]
    if written:
        told = f"{written[0].told} was written at {text(written[0].since)}; that it takes something away is not judged"
        return saying.unproven(question, told, Best.INDICATED, refs(*(one.leaf for one in written)))
    return _nothing(question, f"no change of what {name} may do was recorded", times, str(grants_of(name)))


def _by(grounds: Grounds, leaves: Iterable[int | None], tainted: frozenset[str]) -> frozenset[int]:
    """Those of ``leaves`` that tell of a change which was made with one of ``tainted``."""
    given = sorted({leaf for leaf in leaves if leaf is not None})
    rows = grounds.engine.rows(_MADE_BY, [given]) if given else []
    return frozenset(int(str(leaf)) for leaf, key in rows if str(key) in tainted)


def given(
    grounds: Grounds,
    question: str,
    keys: Sequence[str],
    principals: Sequence[str],
    times: Times,
    tainted: frozenset[str] = frozenset(),
) -> list[Judged]:
    """Whether access was given since it was asked, and ended by its time.

    A credential that the request itself names counts, with what descends from it, and grants of the principals. That a
    principal got another credential meanwhile may be its daily work: it only indicates.
    """
    given = [key for key, each in credentials(grounds.engine, keys).items() if _issued(each, times.asked)]
    named = list(credentials(grounds.engine, descendants(grounds.engine, given)).values())
    verdicts = endings.verdicts(grounds.engine, (each.key for each in named))
    found = [_credential_ended(question, grounds, each, times, verdicts[each.key]) for each in named]
    new = _granted(grounds, principals, times, tainted)
    found += [_grant_ended(question, grounds, one, times) for one in new]
    if found:
        return found
    others = _of(grounds, principals)
    meanwhile = [
        each for each in others if _issued(each, times.asked) and (each.issued_at or 0) <= (times.until or 2**62)
    ]
    if meanwhile:
        told = f"{meanwhile[0].key} was issued at {text(meanwhile[0].issued_at)}; that it was for this is not recorded"
        return [saying.unproven(question, told, Best.INDICATED, refs(meanwhile[0].issue_leaf))]
    return [_nothing(question, "no grant or credential of its targets was recorded since", times, None)]


def _granted(grounds: Grounds, principals: Iterable[str], times: Times, tainted: frozenset[str]) -> list[Grant]:
    new = [one for one in grants(grounds, principals) if (one.since or 0) >= times.asked and one.kind not in LIMITS]
    return [one for one in new if one.since_how == "observed" and one.by_key not in tainted]


def times_given(
    grounds: Grounds, keys: Sequence[str], principals: Sequence[str], times: Times, tainted: frozenset[str]
) -> list[int]:
    """When each of what ``given`` counts was recorded (µs), first first."""
    named = [each.issued_at for each in credentials(grounds.engine, keys).values() if _issued(each, times.asked)]
    new = [one.since for one in _granted(grounds, principals, times, tainted)]
    return sorted(each for each in (*named, *new) if each is not None)


def first_taken(grounds: Grounds, principals: Sequence[str], times: Times, tainted: frozenset[str]) -> int | None:
    """When the first of what ``narrowed`` counts was taken away (µs), None where nothing was."""
    every = [one for one in grants(grounds, principals) if one.until is not None and one.until >= times.asked]
    taken = [one for one in every if one.kind not in LIMITS and not one.named_to_refuse]
    own = _by(grounds, (one.end_leaf for one in taken), tainted)
    ends = [one.until for one in taken if one.end_leaf not in own]
    return min((each for each in ends if each is not None), default=None)


def _grant_ended(question: str, grounds: Grounds, one: Grant, times: Times) -> Judged:
    told = f"{one.told} was given at {text(one.since)}"
    leaves = refs(one.leaf, one.end_leaf)
    if one.until is not None:
        return _over(question, told, one.until, times, Basis.OBSERVED, leaves)
    if times.until is None or (grounds.as_of or 0) <= times.until:
        return saying.still_open(question, f"{told}, and is not due to end yet", leaves)
    late = f"{told}, and no record takes it away by {text(times.until)}"
    return saying.unproven(question, late, Best.INDICATED, leaves, str(grants_of(one.principal)))


def _credential_ended(question: str, grounds: Grounds, each: Credential, times: Times, verdict: Verdict) -> Judged:
    told = f"{each.key} was issued at {text(each.issued_at)}"
    leaves = refs(each.issue_leaf, each.end_leaf)
    late = times.until is not None and (each.last_success or 0) > times.until + SKEW
    if late and not each.use_disputed:
        return saying.violated(
            question, f"{told}, and had a success at {text(each.last_success)}, after its time", leaves
        )
    over = each.ended is not None or each.expired
    if verdict.state is State.VIOLATED or (over and verdict.state is State.UNPROVEN):
        return saying.of_verdict(question, verdict, f"{told}; {verdict.text}")
    if each.ended is not None and not each.end_disputed:
        return _over(question, told, each.ended, times, Basis.OBSERVED, leaves)
    if each.expired and each.not_after is not None:
        return _over(question, told, each.not_after, times, Basis.ISSUER_ENFORCED, leaves)
    if times.until is None or (grounds.as_of or 0) <= times.until:
        return saying.still_open(question, f"{told}, and is not due to end yet", leaves)
    return saying.unproven(
        question, f"{told}, and no record ends it", Best.INDICATED, leaves, str(issuer_log(each.key))
    )


def _over(question: str, told: str, ended: int, times: Times, basis: Basis, leaves: saying.Leaves) -> Judged:
    if times.until is None:
        return saying.proved(question, f"{told}, and ended at {text(ended)}", basis, leaves)
    if ended > times.until + PROPAGATION + SKEW:
        late = f"{told}, and ended at {text(ended)}, {duration(ended - times.until)} after its time"
        return saying.violated(question, late, leaves)
    return saying.proved(question, f"{told}, and ended at {text(ended)}, by its time", basis, leaves)


def renewed(
    grounds: Grounds, question: str, of: Mapping[str, Sequence[str]], times: Times, tainted: frozenset[str]
) -> list[Judged]:
    """Of each target (``of``: its credentials): whether its issuer issued a new credential since it was asked.

    What descends from an old one is no new one, nor is a key that was made with it or with one of ``tainted``.
    """
    below = _old(grounds, of, times, tainted)
    return [_renewed(grounds, question, name, keys, times, below) for name, keys in of.items()]


def first_renewed(
    grounds: Grounds, of: Mapping[str, Sequence[str]], times: Times, tainted: frozenset[str]
) -> int | None:
    """When the first of what ``renewed`` counts was issued (µs), None where nothing was."""
    below = _old(grounds, of, times, tainted)
    new = [each.issued_at for keys in of.values() for each in _new(grounds, keys, times, below)[1]]
    return min((each for each in new if each is not None), default=None)


def _old(grounds: Grounds, of: Mapping[str, Sequence[str]], times: Times, tainted: frozenset[str]) -> frozenset[str]:
    """The old credentials, all that descends from them, and ``tainted``."""
    known = {key for keys in of.values() for key in keys}
    before = {key for key, each in credentials(grounds.engine, known).items() if not _issued(each, times.asked)}
    return tainted | descendants(grounds.engine, before).keys()


def _new(
    grounds: Grounds, keys: Sequence[str], times: Times, below: frozenset[str]
) -> tuple[list[Credential], list[Credential]]:
    """The old credentials of ``keys``, and what was issued in their place."""
    own = credentials(grounds.engine, keys[:MOST])
    had = [each for each in own.values() if each.key in below]
    kinds = {each.key.partition(":")[0] for each in had}
    lasting = any(each.not_after is None for each in had)
    every = {**own, **{each.key: each for each in _of(grounds, {each.subject for each in had if each.subject})}}
    new = [
        each
        for each in sorted(every.values(), key=lambda each: (each.issued_at or 0, each.key))
        if _issued(each, times.asked)
        and each.key not in below
        and each.key.partition(":")[0] in kinds
        and (each.not_after is None or not lasting)
    ]
    by = made.makers(grounds, (each.key for each in new))
    return had, [each for each in new if not by.get(each.key, frozenset()) & below]


def _renewed(
    grounds: Grounds, question: str, name: str, keys: Sequence[str], times: Times, below: frozenset[str]
) -> Judged:
    had, new = _new(grounds, keys, times, below)
    kept = [each for each in new if each.end_time is None and not each.end_disputed]
    measured = apart(grounds, {each.source for each in kept if each.source}) - SKEW if times.sealed and kept else 0
    sure = [each for each in kept if (each.issued_at or 0) >= times.asked + measured]
    if kept:
        first = (sure or kept)[0]
        told = f"{name}: {first.key} was issued at {text(first.issued_at)}"
        if sure:
            return saying.proved(question, told, Basis.OBSERVED, refs(first.issue_leaf))
        told += f", about when it was asked; the clocks may be {duration(measured + SKEW)} apart"
        return saying.unproven(question, told, Best.INDICATED, refs(first.issue_leaf))
    if new:
        told = f"{name}: {new[0].key} was issued at {text(new[0].issued_at)}, and a record ends it, too"
        return saying.unproven(question, told, Best.INDICATED, refs(new[0].issue_leaf, new[0].end_leaf))
    settles = str(issuer_log(had[0].key)) if had else None
    return _nothing(question, f"{name}: no new credential was recorded", times, settles)


def _issued(each: Credential, asked: int) -> bool:
    """Whether its issuer recorded that it was issued, at ``asked`` or later."""
    return each.issue_leaf is not None and not each.issue_disputed and (each.issued_at or 0) >= asked


def _of(grounds: Grounds, principals: Iterable[str]) -> list[Credential]:
    keys = [str(key) for (key,) in chosen(grounds.engine, _OF_PRINCIPALS, principals)]
    return list(credentials(grounds.engine, keys[:MOST]).values())


def _nothing(question: str, told: str, times: Times, settles: str | None) -> Judged:
    if times.done is None:
        return saying.still_open(question, f"{told}, and nobody says that it is done")
    return saying.unproven(question, f"{told}; it is said to be done", Best.CLAIMED, (), settles)
