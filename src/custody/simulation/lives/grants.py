"""What a principal may do, given and taken away: IAM's calls, Kubernetes' bindings of roles, PostgreSQL's memberships.

Who does it is the operator of the shift: in the console of AWS, with a certificate in the cluster, with a role of their
own in the database. Formats: "Actions", AWS IAM API Reference; ``rbac.authorization.k8s.io/v1``; manual, "GRANT".
"""

import msgspec

from custody.model.events import Stage
from custody.simulation.chance import Chance
from custody.simulation.entry import encoded
from custody.simulation.estate import Estate
from custody.simulation.lives import people
from custody.simulation.systems import aws, iam, kubernetes, postgresql
from custody.simulation.systems.aws import Fields
from custody.simulation.times import SECOND
from custody.simulation.world import HOME, OFFICE, User

DATABASE, OPERATOR = "items", "ops_ilka"
_LIST = "rbac.authorization.k8s.io"


class Power(msgspec.Struct, frozen=True, kw_only=True):
    """One grant: its kind and name as custody has them, what it allows, and what it refuses.

    ``boundary`` allows nothing by itself and limits the others; of a binding ``through`` is its name.
    """

    kind: str
    what: str
    allows: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()
    through: str | None = None


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Whose grants they are: ``key`` as custody names the principal; a user of IAM has ``user`` besides."""

    key: str
    name: str
    user: User | None = None


def give(estate: Estate, chance: Chance, holder: Holder, power: Power, time: int) -> str:
    """Give it; the key of the credential that did."""
    return _change(estate, chance, holder, power, time, gives=True)


def take(estate: Estate, chance: Chance, holder: Holder, power: Power, time: int) -> str:
    """Take it away; the key of the credential that did."""
    return _change(estate, chance, holder, power, time, gives=False)


def _change(estate: Estate, chance: Chance, holder: Holder, power: Power, time: int, *, gives: bool) -> str:
    if holder.user is not None:
        call = aws.on(_call(holder.user, power, gives=gives), power.what, "grant")
        people.operate(estate, chance, call, time, (Stage.CHANGE, holder.key), region=HOME)
        return aws.key_of(people.operator(estate, time).key or "")
    if power.kind == "role-binding":
        _bind(estate, chance, holder, power, time, gives=gives)
        return operator().key
    _member(estate, chance, holder, power, time, gives=gives)
    return postgresql.role_key(OPERATOR)


def operator() -> kubernetes.User:
    """Who changes bindings."""
    return kubernetes.certified("ops-ilka", ("example:operators", "system:authenticated"), OFFICE, "kubectl/v1.33.4")


def _call(user: User, power: Power, *, gives: bool) -> aws.Call:
    name: Fields = {"userName": user.name}
    match power.kind:
        case "inline":
            text: Fields = (
                {"policyDocument": encoded(iam.document(power.allows, power.refuses)).decode()} if gives else {}
            )
            action = "PutUserPolicy" if gives else "DeleteUserPolicy"
            return aws.write("iam", action, None, **name, policyName=power.what, **text)
        case "managed":
            return aws.write("iam", f"{'At' if gives else 'De'}tachUserPolicy", None, **name, policyArn=power.what)
    if gives:
        return aws.write("iam", "PutUserPermissionsBoundary", None, **name, permissionsBoundary=power.what)
    return aws.write("iam", "DeleteUserPermissionsBoundary", None, **name)


def _bind(estate: Estate, chance: Chance, holder: Holder, power: Power, time: int, *, gives: bool) -> None:
    """A binding of a role of the namespace; who deletes it is answered with a status, as the server does."""
    namespace, _, account = holder.name.partition("/")
    role, name = power.what.rpartition("/")[2], (power.through or "").rpartition("/")[2]
    made: Fields = {
        "kind": "RoleBinding",
        "apiVersion": f"{_LIST}/v1",
        "metadata": {"name": name, "namespace": namespace},
        "roleRef": {"apiGroup": _LIST, "kind": "Role", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    }
    gone: Fields = {"kind": "Status", "apiVersion": "v1", "status": "Success", "details": {"name": name}}
    kubernetes.say(
        estate, chance, time, operator(), "create" if gives else "delete", "rolebindings", namespace, name,
        201 if gives else 200, asked=made if gives else None, answered=made if gives else gone,
        about=((Stage.CHANGE, holder.key),), touched=("grant", power.what),
    )  # fmt: skip


def _member(estate: Estate, chance: Chance, holder: Holder, power: Power, time: int, *, gives: bool) -> None:
    group = power.what.rpartition(":")[2]
    sql = f'GRANT "{group}" TO "{holder.name}"' if gives else f'REVOKE "{group}" FROM "{holder.name}"'
    session = postgresql.Connection(estate, chance, time - SECOND, OPERATOR, DATABASE, OFFICE, "psql")
    session.statement(time, sql, (Stage.CHANGE, holder.key), touched=(("grant", power.what),))
    session.close(time + 5 * SECOND)
