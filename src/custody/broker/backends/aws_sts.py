"""The backend that assumes AWS roles: sessions that carry their receipt as session name, source identity and tags.

A session cannot be killed. With ``deny_older`` its end attaches a policy to the role that denies the session all it may
do; what that policy does is AWS's to carry out, so nothing is called gone before the session has expired.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

import msgspec

from custody.broker.backends import asking
from custody.broker.backends.aws_calls import Answer, Calls, Client, there
from custody.broker.backends.backend import Door, Held, Made, Order, Secret, Seen
from custody.errors import BackendFailed, UsageError
from custody.model import keys, times
from custody.model.broker_terms import Ending, Plan
from custody.model.brokered import Effect

KIND = "aws_sts"
LEAST = 900
CHAINED = 3600
"""The longest session of a role that is assumed by a role's session, in seconds."""
_MOST = 43_200
_SECOND = 1_000_000
_SLACK = 900 * _SECOND
"""How far AWS's clock and a late answer may lie behind the broker's where AWS never told when the session expires."""
_ARN = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/([\x21-\x7e]*/)?([\w+=,.@-]{1,64})", re.ASCII)
_TAGGABLE = re.compile(r"[^\W_]|[ _.:/+@-]")
_LONGEST_TAG = 256
_HERE = ("127.0.0.1", "::1", "localhost")


class Role(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A role that may be assumed: by its word of scope, or by one of its ``resources``.

    ``max_ttl`` is the role's own greatest session in seconds. ``policy`` (JSON text) and ``policy_arns`` narrow the
    session down.
    """

    arn: str
    resources: tuple[str, ...] = ()
    max_ttl: int = CHAINED
    policy: str | None = None
    policy_arns: tuple[str, ...] = ()


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The roles by word of scope, and who the broker is at AWS.

    ``access_key``, ``secret_key`` and ``session_token`` are references (``env:NAME``, ``file:PATH``); without them the
    SDK finds credentials its own way (an instance's or a pod's role). ``chained`` says that the broker is itself a
    role: then AWS gives an hour at most. ``tags`` go on every session beside custody's own. Timeouts are in seconds.
    """

    region: str
    roles: dict[str, Role]
    audiences: tuple[str, ...] = ()
    access_key: str | None = None
    secret_key: str | None = None
    session_token: str | None = None
    chained: bool = True
    deny_older: bool = False
    tags: dict[str, str] = {}
    endpoint_url: str | None = None
    connect_timeout: float = 5
    read_timeout: float = 10


OPTIONS = Options


class AwsStsBackend:
    """One call a credential, and never a second one by itself: a retry could make a second session."""

    kind = KIND
    ends = Ending.EXPIRY
    quick = False

    def __init__(self, name: str, options: Options, door: Door) -> None:
        self.name = name
        self.max_ttl = max(self._longest(role, options) for role in options.roles.values())
        self._options = options
        self._door = door
        self._calls = Calls(
            name,
            region=options.region,
            endpoint_url=options.endpoint_url,
            connect_timeout=options.connect_timeout,
            read_timeout=options.read_timeout,
        )

    def plan(self, order: Order) -> Plan:
        """The chain id is session name and source identity; one role, found by scope or resource."""
        name = asking.chain_of(self.name, order)
        asking.listed(self.name, "audience", order.intent.audience, self._options.audiences)
        asking.details(self.name, order.intent.details, ())
        word, role = self._role(order)
        asking.within(self.name, order, least=LEAST, most=min(self.max_ttl, self._longest(role, self._options)))
        self._tags(order)
        return asking.planned(
            order,
            kind=KIND,
            ends=self.ends,
            name=name,
            not_after=asking.expiry(order),
            scope=(word,),
            subject=subject(role.arn),
        )

    def issue(self, order: Order, plan: Plan) -> Made:
        """Assume the role."""
        _, role = self._role(order)
        asked: dict[str, object] = {
            "RoleArn": role.arn,
            "RoleSessionName": plan.name,
            "SourceIdentity": plan.name,
            "DurationSeconds": order.ttl,
            "Tags": [{"Key": key, "Value": value} for key, value in self._tags(order).items()],
            "TransitiveTagKeys": [key for key in self._tags(order) if key.startswith("custody-")],
        }
        if role.policy:
            asked["Policy"] = role.policy
        if role.policy_arns:
            asked["PolicyArns"] = [{"arn": arn} for arn in role.policy_arns]
        with self._client("sts", "AssumeRole") as client:
            answered = client.assume_role(**asked)
        return self._made(plan, role, answered)

    def end(self, held: Held) -> None:
        """With ``deny_older``: attach the denial while the session lives, take it off when it has expired.

        Without it nothing: the session lives to its expiry.
        """
        if not self._options.deny_older:
            return
        role = self._role_of(held)
        which = {"RoleName": _name_of(role.arn), "PolicyName": _policy_name(held)}
        with self._client("iam", "end") as client:
            if self._door.clock.now() >= self._expires(held):
                there(lambda: client.delete_role_policy(**which))
            else:
                client.put_role_policy(**which, PolicyDocument=self._denial(held))

    def look(self, held: Held) -> Seen:
        """Waiting until the session has expired by AWS's own word; whether the denial is attached is told only."""
        expires = self._expires(held)
        told = {"expiration": str(times.text(expires))}
        if self._door.clock.now() >= expires:
            return Seen(effect=Effect.GONE, told=told)
        if self._options.deny_older:
            which = {"RoleName": _name_of(self._role_of(held).arn), "PolicyName": _policy_name(held)}
            with self._client("iam", "look") as client:
                attached = there(lambda: client.get_role_policy(**which))
            told["denial"] = "attached" if attached else "not attached"
        return Seen(effect=Effect.WAITING, told=told)

    def probe(self, held: Held, secret: Secret) -> Seen | None:  # noqa: ARG002  # as the protocol has it
        """None: the one call that is always allowed is never denied either."""
        return None

    def orphans(self, known: Callable[[str], bool]) -> tuple[str, ...]:  # noqa: ARG002  # the same
        """None: AWS lists no sessions."""
        return ()

    def _made(self, plan: Plan, role: Role, answered: Mapping[str, object]) -> Made:
        try:
            answer = msgspec.convert(answered, Answer)
        except msgspec.ValidationError:
            raise BackendFailed("AWS answered what is no session", reason="failed", where=self.name) from None
        made, user = answer.credentials, answer.assumed_role_user
        not_after = _microseconds(made.expiration)
        server = {
            "arn": user.arn,
            "assumed_role_id": user.assumed_role_id,
            "request_id": answer.response_metadata.RequestId,
            "expiration": str(times.text(not_after)),
            "packed_policy_size": "" if answer.packed_policy_size is None else str(answer.packed_policy_size),
            "source_identity": answer.source_identity or "",
        }
        return Made(
            keys=(keys.scoped("aws_akid", "aws", made.access_key_id),),
            type=f"custody:{KIND}",
            not_after=not_after,
            scope=plan.scope,
            subject=subject(role.arn),
            secrets={
                "access_key_id": Secret(made.access_key_id),
                "secret_access_key": Secret(made.secret_access_key),
                "session_token": Secret(made.session_token),
            },
            facts={"region": self._options.region, "arn": user.arn},
            server={key: value for key, value in server.items() if value},
        )

    def _role(self, order: Order) -> tuple[str, Role]:
        """The one role of the word of scope; without one, the one role that has every resource asked for."""
        scope, resource, roles = order.intent.scope, order.intent.resource, self._options.roles
        words = asking.listed(self.name, "scope", scope, roles)
        if not words and not resource:
            raise asking.refused(self.name, "no-scope", "a session needs a role: ask for a scope or a resource")
        fitting = [word for word in words or roles if set(resource) <= {roles[word].arn, *roles[word].resources}]
        if not fitting or set(words) - set(fitting):
            raise asking.refused(
                self.name, "unknown-resource", "no such resource of the role", found=" ".join(resource)
            )
        if len(fitting) > 1:
            raise asking.refused(self.name, "several-roles", "a session has one role", found=" ".join(fitting))
        return fitting[0], roles[fitting[0]]

    def _role_of(self, held: Held) -> Role:
        """The role as the broker file has it now. BackendFailed where it was taken out of it."""
        role = self._options.roles.get(held.plan.scope[0]) if held.plan.scope else None
        if role is None:
            raise BackendFailed("the role is not in the broker file any more", reason="no-role", where=self.name)
        return role

    def _tags(self, order: Order) -> dict[str, str]:
        own = {
            "custody-chain": order.chain,
            "custody-broker": order.broker,
            "custody-seq": str(order.decided),
            "custody-identity": taggable(order.identity),
        }
        for value in own.values():
            if len(value) > _LONGEST_TAG:
                raise asking.refused(self.name, "not-taggable", "a name too long for a session tag", found=value)
        return {**self._options.tags, **own}

    def _longest(self, role: Role, options: Options) -> int:
        return min(role.max_ttl, CHAINED if options.chained else _MOST)

    def _expires(self, held: Held) -> int:
        """When the session has ended by AWS's word; by the plan and some slack where the word is not known. In µs."""
        told = times.microseconds(held.server.get("expiration"))
        return asking.expiry_of(held.plan) + _SLACK if told is None else told

    def _denial(self, held: Held) -> str:
        """Deny everything to the sessions of this chain that exist by now, and to those that they were chained into."""
        now = times.text(self._door.clock.now() // _SECOND * _SECOND + _SECOND)
        condition = {"StringEquals": {"aws:SourceIdentity": held.chain}, "DateLessThan": {"aws:TokenIssueTime": now}}
        statement = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}
        return msgspec.json.encode({"Version": "2012-10-17", "Statement": [statement]}).decode()

    @contextmanager
    def _client(self, service: str, step: str) -> Iterator[Client]:
        options = self._options
        own = tuple(self._own(each) for each in (options.access_key, options.secret_key, options.session_token))
        with self._calls.client(service, step, own) as client:
            yield client

    def _own(self, reference: str | None) -> str | None:
        try:
            return None if reference is None else self._door.secret(reference).reveal()
        except UsageError as error:
            raise BackendFailed(
                "the broker's own credential is not there",
                reason="no-secret",
                where=f"backend {self.name}",
                found=error.message,
                left_unknown=False,
            ) from None


def taggable(text: str) -> str:
    """A text as the value of a session tag: what tags cannot hold, and ``=``, becomes ``=HEX.`` of its code point.

    Two texts never become one.
    """
    return "".join(each if _TAGGABLE.fullmatch(each) else f"={ord(each):x}." for each in text)


def subject(arn: str) -> str:
    """The key of a role, without the path as in every log that names a session's role."""
    parts = arn.split(":", 5)
    return keys.aws_arn(":".join((*parts[:5], f"role/{_name_of(arn)}")))


def _name_of(arn: str) -> str:
    return arn.rpartition("/")[2]


def _policy_name(held: Held) -> str:
    return f"custody-{held.chain}"


def _microseconds(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return times.microseconds(aware.isoformat()) or 0


def build(name: str, options: Options, door: Door) -> AwsStsBackend:
    """The backend; nothing is called yet."""
    where = f"backends.{name}.options"
    try:
        import boto3  # noqa: F401
    except ImportError:
        raise UsageError("AWS sessions need boto3", where=where, advice="pip install custody[broker-aws]") from None
    if not options.roles:
        raise UsageError("no role", where=f"{where}.roles", expected="a role for each word of scope")
    for word, role in options.roles.items():
        if not _ARN.fullmatch(role.arn):
            raise UsageError("not the ARN of a role", where=f"{where}.roles.{word}.arn", found=ascii(role.arn[:100]))
        if not LEAST <= role.max_ttl <= _MOST:
            raise UsageError(
                "a session that AWS does not give", where=f"{where}.roles.{word}.max_ttl", found=str(role.max_ttl)
            )
    if (options.access_key is None) != (options.secret_key is None):
        raise UsageError("half of a credential", where=where, expected="access_key and secret_key, or neither")
    if any(key.startswith(("custody-", "aws:")) for key in options.tags):
        raise UsageError(
            "a tag that is not yours", where=f"{where}.tags", expected="names other than custody-… and aws:…"
        )
    url = urlsplit(options.endpoint_url or "https://sts")
    if url.scheme != "https" and not (url.scheme == "http" and url.hostname in _HERE):
        raise UsageError("an endpoint that nobody verifies", where=f"{where}.endpoint_url", expected="https")
    return AwsStsBackend(name, options, door)
