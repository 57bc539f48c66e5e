"""Privileges that people change in an incident: taken away or lent for a while, well and in vain.

Each scene has a principal of its own. What it could do at any time follows from ``grants`` of the truth: whether access
was narrowed, and whether what was lent ended, is there, and not in what somebody says.
"""

from functools import partial

import msgspec

from custody.simulation.chance import Chance
from custody.simulation.estate import Estate
from custody.simulation.fault import Fault, Planting
from custody.simulation.lives import grants, people
from custody.simulation.lives.grants import Holder, Power
from custody.simulation.systems import aws, aws_issues, postgresql
from custody.simulation.times import MINUTE, whole
from custody.simulation.truth import Credential, Grant
from custody.simulation.world import MAIN, MAIN_NAT, User, access_key, unique_id

CHANGED = "changed-privileges"
CALLS = (aws.read("s3", "ListBuckets"), aws.read("athena", "ListWorkGroups", maxResults=50))
LENDING = 60
"""Minutes for which what is lent is lent, in every scene."""
RELEASES = ("cloudformation:DescribeStacks", "cloudformation:ExecuteChangeSet")

WORK = Power(kind="inline", what="work", allows=("s3:GetObject", "s3:ListBucket"))
LESS = Power(kind="inline", what="work", allows=("s3:ListBucket",))
OTHER = Power(kind="inline", what="reports", allows=("s3:GetObject", "s3:ListBucket"))
EXPORT = Power(kind="inline", what="export", allows=("athena:StartQueryExecution",))
RELEASE = Power(kind="managed", what=f"arn:aws:iam::{MAIN}:policy/release-changes", allows=RELEASES)
SAME = Power(kind="inline", what="changes", allows=RELEASES)
LIMIT = Power(kind="boundary", what=f"arn:aws:iam::{MAIN}:policy/release-changes", allows=RELEASES)
REFUSAL = Power(kind="inline", what="deny-exports", refuses=("athena:StartQueryExecution",))
RAILS = Power(kind="inline", what="guard-rails", refuses=("athena:StartQueryExecution",))


def _bound(name: str, role: str = "reader") -> Power:
    allows = (f"k8s:{role}",)
    return Power(kind="role-binding", what=f"Role/tools/{role}", allows=allows, through=f"rolebindings/tools/{name}")


def _member(group: str) -> Power:
    return Power(kind="database", what=f"db_role:postgresql:{group}", allows=(f"db:{group}",))


Step = tuple[int, str, Power]
"""Minutes after the scene begins, ``give`` or ``take``, and what."""


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What one principal had before the day, and what is changed of it; ``system`` is where it lives."""

    name: str
    had: tuple[Power, ...] = ()
    steps: tuple[Step, ...]
    system: str = "aws"


SCENES = (
    Scene(name="narrowed", had=(WORK, EXPORT), steps=((20, "take", EXPORT),)),
    Scene(name="detached", had=(WORK, RELEASE), steps=((20, "take", RELEASE),)),
    Scene(name="given-again", had=(WORK, EXPORT), steps=((20, "take", EXPORT), (35, "give", EXPORT))),
    Scene(name="given-still", had=(WORK, RELEASE, SAME), steps=((20, "take", RELEASE),)),
    Scene(name="by-another-name", had=(WORK,), steps=((20, "take", WORK), (22, "give", OTHER))),
    Scene(name="limited", had=(WORK, RELEASE), steps=((20, "give", LIMIT),)),
    Scene(name="rewritten", had=(WORK,), steps=((20, "give", LESS),)),
    Scene(name="refusal-lifted", had=(WORK, EXPORT, REFUSAL), steps=((20, "take", REFUSAL),)),
    Scene(name="rails-lifted", had=(WORK, EXPORT, RAILS), steps=((20, "take", RAILS),)),
    Scene(name="lent", had=(WORK,), steps=((20, "give", RELEASE), (20 + 50, "take", RELEASE))),
    Scene(name="lent-inline", had=(WORK,), steps=((20, "give", EXPORT), (20 + 45, "take", EXPORT))),
    Scene(name="kept", had=(WORK,), steps=((20, "give", RELEASE),)),
    Scene(name="back-late", had=(WORK,), steps=((20, "give", RELEASE), (20 + 95, "take", RELEASE))),
    Scene(
        name="half-taken-back",
        had=(WORK,),
        steps=((20, "give", RELEASE), (22, "give", EXPORT), (20 + 50, "take", RELEASE)),
    ),
    Scene(name="unbound", steps=((2, "give", _bound("read")), (20, "take", _bound("read"))), system="kubernetes"),
    Scene(
        name="bound-twice",
        steps=((2, "give", _bound("read-1")), (3, "give", _bound("read-2")), (20, "take", _bound("read-1"))),
        system="kubernetes",
    ),
    Scene(
        name="bound-late",
        steps=((20, "give", _bound("fix", "writer")), (20 + 95, "take", _bound("fix", "writer"))),
        system="kubernetes",
    ),
    Scene(
        name="joined",
        had=(_member("items_read"),),
        steps=((20, "give", _member("items_write")), (20 + 50, "take", _member("items_write"))),
        system="postgresql",
    ),
    Scene(name="left", had=(_member("items_read"),), steps=((20, "take", _member("items_read")),), system="postgresql"),
)


def _plant(planting: Planting) -> None:
    estate = planting.estate
    for who in (grants.operator().key, postgresql.role_key(grants.OPERATOR)):
        kind = "client certificate" if who.startswith("k8s_cred:") else "database role"
        estate.book.credential(Credential(key=who, kind=kind, population="person", issued_at=None))
        planting.spared.add(who)
    for number, scene in enumerate(SCENES):
        chance = planting.chance(CHANGED).fork(scene.name)
        holder = _holder(estate, chance, scene)
        begun = planting.part(1, 6) + number * MINUTE
        for power in scene.had:
            _enter(estate, holder, power, None, None)
        if holder.user is not None:
            estate.at(begun, partial(_work, estate, chance.fork("work"), holder.user))
        for minutes, what, power in scene.steps:
            estate.at(begun + minutes * MINUTE, partial(_step, estate, chance.fork(minutes), holder, power, what))
        planting.enter(CHANGED, holder.key, f"what {holder.name} may do is changed in an incident: {scene.name}")


def _holder(estate: Estate, chance: Chance, scene: Scene) -> Holder:
    """A principal of the scene's own."""
    if scene.system == "kubernetes":
        name = f"tools/{scene.name}"
        return Holder(key=f"k8s_service_account:-:{name}", name=name)
    if scene.system == "postgresql":
        name = f"tools_{scene.name}"
        return Holder(key=postgresql.role_key(name), name=name)
    user = User(MAIN, f"batch-{scene.name}", unique_id(chance, "AIDA", MAIN))
    estate.world.users[user.name] = user
    return Holder(key=user.key, name=user.name, user=user)


def _work(estate: Estate, chance: Chance, user: User, time: int) -> None:
    """The user has a key, and works with it."""
    own = access_key(chance, "AKIA", MAIN)
    made = aws_issues.access_key(estate, chance, people.operator(estate, time), user, own, time)
    times = chance.spread(time + MINUTE, time + 110 * MINUTE, 6)
    aws.work(estate, chance, aws.by_user(user, own, MAIN_NAT, aws.BOTO), CALLS, times)
    estate.book.link(times[0], "access_key", made.key, made.key)
    estate.book.change(made.key, origins=(MAIN_NAT,))


def _step(estate: Estate, chance: Chance, holder: Holder, power: Power, what: str, time: int) -> None:
    at = whole(time) if power.kind != "role-binding" else time
    if what == "give":
        by = grants.give(estate, chance, holder, power, at)
        _close(estate, holder, power, at, texts_only=True)
        _enter(estate, holder, power, at, by)
    else:
        grants.take(estate, chance, holder, power, at)
        _close(estate, holder, power, at, texts_only=False)


def _enter(estate: Estate, holder: Holder, power: Power, since: int | None, by: str | None) -> None:
    estate.book.grants.append(
        Grant(
            principal=holder.key,
            kind=power.kind,
            what=power.what,
            allows=power.allows,
            refuses=power.refuses,
            through=power.through,
            since=since,
            by=by,
        )
    )


def _close(estate: Estate, holder: Holder, power: Power, time: int, *, texts_only: bool) -> None:
    """End the grant of that name: it was taken away, or (a text of its own) written anew."""
    if texts_only and power.kind not in ("inline", "boundary"):
        return
    slot = (holder.key, power.kind, power.what, power.through)
    for place, each in enumerate(estate.book.grants):
        if (each.principal, each.kind, each.what, each.through) == slot and each.until is None:
            estate.book.grants[place] = msgspec.structs.replace(each, until=time)


FAULTS = (Fault(CHANGED, "privileges are taken away and lent for a while, well and in vain", _plant),)
