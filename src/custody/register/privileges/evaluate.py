"""What a principal may do by its own policies: identity policies, cut down by a boundary and by a session policy.

"Policy evaluation logic", AWS IAM User Guide, for the policies that belong to the principal. Nothing else is looked at:
policies on resources may give more, those of the organisation and of endpoints may take away, and which of them there
are is not read. Conditions and policy variables are kept as text and not evaluated.
"""

import re
from collections.abc import Iterable, Sequence
from enum import IntEnum, StrEnum
from functools import lru_cache

import msgspec

from custody.register.privileges.policy import Document, Statement, shown

OUTSIDE = (
    "policies on resources are not read: they may give more",
    "policies of the organisation (SCP, RCP) and of VPC endpoints are not read: they may take away",
)
"""What stands outside of every answer about an AWS principal."""


class Layer(StrEnum):
    """What a document does: the first gives, each of the others bounds what is given."""

    IDENTITY = "identity"
    BOUNDARY = "boundary"
    SESSION = "session"


class Answer(StrEnum):
    """What the principal's own policies say of one action on one resource.

    ``conditional``: a condition or a policy variable decides, ``unknown``: a document that is not at hand may.
    """

    ALLOWED = "allowed"
    DENIED = "denied"
    CONDITIONAL = "conditional"
    UNKNOWN = "unknown"


class Match(IntEnum):
    """How surely a statement is about something: a condition, a variable or a part of what is asked makes it maybe."""

    NO = 0
    MAYBE = 1
    YES = 2


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A document that a principal has: by which grant (``via``), and as what."""

    via: str
    layer: Layer
    document: Document


class Effective(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a principal has at one moment.

    ``unresolved`` says what could not be read of the principal's own documents, ``complete`` that nothing is missing
    there; ``whole`` that no document itself is missing, whether or not each can be read. ``outside`` is what was not
    looked at in any case.
    """

    held: tuple[Held, ...]
    unresolved: tuple[str, ...]
    complete: bool
    whole: bool = True
    outside: tuple[str, ...] = OUTSIDE

    def of(self, layer: Layer) -> tuple[Held, ...]:
        """The documents of one layer."""
        return tuple(each for each in self.held if each.layer is layer)

    def statements(self, layer: Layer = Layer.IDENTITY) -> tuple[Statement, ...]:
        """The statements of a layer in normal form."""
        return shown([one for each in self.of(layer) for one in each.document.statements])


def effective(held: Iterable[Held], unresolved: Iterable[str] = (), outside: tuple[str, ...] = OUTSIDE) -> Effective:
    """Put the documents of a principal together; ``unresolved`` are further reasons why they are not all."""
    found = tuple(sorted(held, key=lambda each: (each.layer.value, each.via)))
    reasons = {f"{each.via}: {each.document.problem}" for each in found if each.document.problem}
    missing = set(unresolved)
    told = tuple(sorted(reasons | missing))
    return Effective(held=found, unresolved=told, complete=not told, whole=not missing, outside=outside)


def allows(privileges: Effective, action: str, resource: str) -> Answer:
    """Whether the principal's own policies allow ``action`` (``service:Name``) on ``resource`` (an ARN, or ``*``).

    ``*`` for the resource asks for every resource: what is allowed on some of them only is ``conditional``. What no
    policy of the principal allows is ``denied``, though a policy on the resource might.
    """
    layers = {each.layer for each in privileges.held} | {Layer.IDENTITY}
    answers = {_in_layer(privileges, layer, action, resource) for layer in layers}
    worst = (Answer.DENIED, Answer.UNKNOWN, Answer.CONDITIONAL)
    return next((each for each in worst if each in answers), Answer.ALLOWED)


def _in_layer(privileges: Effective, layer: Layer, action: str, resource: str) -> Answer:
    """What one layer says by itself; one of which something is missing says no more than a denial that is there."""
    held = privileges.of(layer)
    denied = _best(held, action, resource, allow=False)
    if denied is Match.YES:
        return Answer.DENIED
    broken = any(each.document.problem for each in held)
    if broken or (layer is Layer.IDENTITY and not privileges.whole):
        return Answer.UNKNOWN
    allowed = _best(held, action, resource, allow=True)
    if allowed is Match.NO:
        return Answer.DENIED
    return Answer.ALLOWED if allowed is Match.YES and denied is Match.NO else Answer.CONDITIONAL


def _best(held: Sequence[Held], action: str, resource: str, *, allow: bool) -> Match:
    """How surely any statement that allows (or denies) is about an action on a resource."""
    found = (
        matched(one, action, resource, variables=each.document.variables)
        for each in held
        for one in each.document.statements
        if one.allow is allow
    )
    return max(found, default=Match.NO)


def matched(one: Statement, action: str, resource: str, *, variables: bool) -> Match:
    """How surely a statement is about an action on a resource, its condition and its variables being unknown."""
    named = any(fits(pattern.lower(), action.lower()) for pattern in one.actions)
    if named is one.but:
        return Match.NO
    there = _there(one.resources, resource, variables=variables)
    found = Match(Match.YES - there) if one.elsewhere else there
    return min(found, Match.MAYBE) if one.condition is not None else found


def _there(patterns: Sequence[str], resource: str, *, variables: bool) -> Match:
    """How surely a resource is among those that patterns name; ``*`` stands for all of them."""
    if resource == "*":
        return Match.YES if "*" in patterns else Match.MAYBE if patterns else Match.NO
    sure = [pattern for pattern in patterns if not (variables and "${" in pattern)]
    if any(fits(pattern, resource) for pattern in sure):
        return Match.YES
    return Match.MAYBE if any(fits(_VARIABLE.sub("*", each), resource) for each in patterns if variables) else Match.NO


_VARIABLE = re.compile(r"\$\{[^}]*\}")


@lru_cache(maxsize=16_384)
def _compiled(piece: str) -> re.Pattern[str]:
    return re.compile("".join("." if each == "?" else re.escape(each) for each in piece), re.DOTALL)


def fits(pattern: str, value: str) -> bool:
    """Whether ``value`` fits ``pattern``: ``*`` is any text, ``?`` one character, all else is literal.

    The text between stars is searched from left to right, so that no pattern takes more than pattern times value.
    """
    if pattern == "*" or pattern == value:
        return True
    head, *rest = pattern.split("*")
    if not rest:
        return _compiled(pattern).fullmatch(value) is not None
    place = len(head)
    if _compiled(head).fullmatch(value[:place]) is None:
        return False
    *middle, tail = rest
    for piece in middle:
        found = _compiled(piece).search(value, place)
        if found is None:
            return False
        place = found.end()
    end = len(value) - len(tail)
    return end >= place and _compiled(tail).fullmatch(value[end:]) is not None
