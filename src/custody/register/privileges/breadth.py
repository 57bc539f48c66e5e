"""How wide what a principal holds is: everything on everything, powers over others, and whole services.

What is read here is a reason to look, never a proof: conditions and documents that are not at hand may narrow it.
"""

from collections.abc import Iterator, Sequence

import msgspec

from custody.register.privileges.evaluate import Answer, Effective, Held, Layer, allows, effective
from custody.register.privileges.policy import Statement

BY_NAME = ("AdministratorAccess", "PowerUserAccess", "IAMFullAccess")
"""Policies of AWS whose meaning AWS documents: their text need not be at hand to know that they are wide."""
_AWS_POLICY = ":iam::aws:policy/"

POWERS = ("iam:PassRole", "sts:AssumeRole", "iam:CreatePolicyVersion", "iam:AttachRolePolicy", "iam:CreateAccessKey")
"""Actions by which one who may do them on every resource can get more than was granted."""

LOUD = frozenset(
    "acm autoscaling batch cloudformation cloudtrail codebuild codepipeline config ec2 ecr ecs eks elasticache "
    "elasticloadbalancing elasticmapreduce iam kms organizations rds redshift route53 secretsmanager states sts".split()
)
"""Services whose every use is a management event, under the name that their actions have. Of any other service the
daily use may be data events, which few trails hold: there, no use seen says nothing."""


class Breadth(msgspec.Struct, frozen=True, kw_only=True):
    """What is wide. ``everything`` names the grants that allow all on all, ``powers`` the actions allowed on all.

    ``services`` are those granted whole (``svc:*``), as grants name them. ``narrowed`` says why it may be less.
    """

    everything: tuple[str, ...] = ()
    powers: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    narrowed: str | None = None


def breadth(found: Effective) -> Breadth:
    """What is wide in the documents at hand, as far as a boundary that is at hand leaves it."""
    known = effective([each for each in found.held if not each.document.problem])
    everything = tuple(sorted({each.via for each in known.of(Layer.IDENTITY) if _is_all(each)} | set(_by_name(found))))
    bounds = [each for each in found.held if each.layer is not Layer.IDENTITY]
    if everything and known.of(Layer.BOUNDARY) and not any(_is_all(each) for each in known.of(Layer.BOUNDARY)):
        everything = ()
    if everything:
        return Breadth(everything=everything, narrowed=_narrowed(known, bounds))
    powers = tuple(each for each in POWERS if allows(known, each, "*") is Answer.ALLOWED)
    services = tuple(sorted({name for name in _services(known.statements()) if _bounded(known, name)}))
    return Breadth(powers=powers, services=services, narrowed=_narrowed(known, bounds))


def _is_all(held: Held) -> bool:
    return any(
        one.allow and one.condition is None and "*" in one.actions and "*" in one.resources
        for one in held.document.statements
        if not one.but and not one.elsewhere
    )


def _by_name(found: Effective) -> Iterator[str]:
    """Grants of documented policies of AWS whose text is not at hand."""
    for each in found.of(Layer.IDENTITY):
        if each.document.problem and _AWS_POLICY in each.via and each.via.rpartition("/")[2] in BY_NAME:
            yield each.via


def _narrowed(known: Effective, bounds: Sequence[Held]) -> str | None:
    if any(each.document.problem for each in bounds):
        return "a permissions boundary whose text is not known may narrow it"
    if any(not one.allow for one in known.statements()):
        return "denials narrow it"
    return None


def _services(statements: Sequence[Statement]) -> Iterator[str]:
    """The services of which an allowing statement grants every action."""
    for one in statements:
        if one.allow and not one.but and one.condition is None:
            yield from (each[:-2].lower() for each in one.actions if each.endswith(":*") and "*" not in each[:-1])


def _bounded(known: Effective, service: str) -> bool:
    """Whether a boundary leaves the whole service in reach; without one it is."""
    boundary = known.statements(Layer.BOUNDARY)
    return not known.of(Layer.BOUNDARY) or any(
        each in ("*", f"{service}:*")
        for one in boundary
        if one.allow and not one.but
        for each in map(str.lower, one.actions)
    )


def unused(services: Sequence[str], used: frozenset[str]) -> tuple[str, ...]:
    """The services granted whole that a trail would show in use, and does not. ``used`` are without their domain."""
    return tuple(each for each in services if each in LOUD and each not in used)
