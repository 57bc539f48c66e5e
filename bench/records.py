"""The records of the benchmark's log, block by block, as JSON text. Speed matters here: strings are filled in, once."""

from __future__ import annotations

import base64
import random
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from shapes import (
    BROWSER,
    CALLS,
    DECRYPT,
    DENIED,
    DOERS,
    FROM_CONSOLE,
    GRANTS,
    RESTRICT,
    SERVICES,
    TAGS,
    TLS,
    WEB,
    Kind,
    created_key,
    launch,
    network,
    terminate,
)
from world import (
    ACCOUNT,
    BLOCK,
    FLEET,
    LIFE,
    REGION,
    Credential,
    User,
    World,
    access_key,
    spelled,
    stamp,
    user_identity,
)

LAYOUT = {"issue": 46, "hot": 50, "use": 84, "use forward": 40, "console": 60, "user": 110, "user forward": 70} | {
    "grant": 4,
    "launch": 1,
    "terminate": 1,
    "service": 424,
}
"""How many records of each kind a block of a thousand has. 6 of the issuing ones are uses of issued keys as well; a
forward access session comes right after the call that it is for, and is a record of its own."""
WINDOW = 7
RECENT = 30
"""Uses fall on one of the last 30 issued keys, or on a long-lived session of the last 7 blocks: never after expiry."""
OPENING = ["key", *(["address", "gateway"] * 8), *(["launch"] * FLEET)]
"""The records that the log opens with: the hot key is made, the networks are built, the first instances start."""


class Caller(NamedTuple):
    """``identity`` is a userIdentity without its closing brace; ``keyless`` the same as JSON members before its key."""

    identity: str
    origin: str
    agent: str


class Blocks:
    """Yields the records from one number to another. What it remembers of the past it can work out again."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.users = [_by_user(user) for user in world.users]
        self.hot = _by_user(world.hot)
        self.recent: deque[Credential] = deque(maxlen=RECENT)
        self.long: list[list[Credential]] = []
        self.rng = random.Random(0)
        self.last: tuple[Caller, int] = (self.users[0], 0)

    def records(self, start: int, stop: int) -> Iterator[str]:
        """The records numbered ``start`` to ``stop`` (exclusive), in order of time."""
        first = start // BLOCK
        for block in range(max(0, first - WINDOW), first):
            self._remember([entry for entry in self._plan(block) if isinstance(entry, Credential)])
        for block in range(first, -(-stop // BLOCK)):
            base = block * BLOCK
            for position, text in enumerate(self._block(block)):
                if start <= base + position < stop:
                    yield text

    def _plan(self, block: int) -> list[Credential | str]:
        """What each record of the block is, in order: a kind's name, or the credential that it issues."""
        rng = self.world.rng("plan", block)
        opening = OPENING if block == 0 else []
        pairs = [kind for kind, count in LAYOUT.items() for _ in range(count)]
        pairs = pairs[: len(pairs) - len(opening)]
        rng.shuffle(pairs)
        kinds = opening + [kind for pair in pairs for kind in pair.split()]
        places = [place for place, kind in enumerate(kinds) if kind == "issue"]
        numbers = rng.sample(range(40), 40)
        chained = sorted(rng.sample(range(1, 46), 6))
        plan: list[Credential | str] = list(kinds)
        following = iter(range(40, 46))
        for turn, place in enumerate(places):
            number = next(following) if turn in chained else numbers.pop()
            plan[place] = self.world.credential(rng, block, number, block * BLOCK + place)
        return plan

    def _block(self, block: int) -> Iterator[str]:
        plan = self._plan(block)
        issued = {entry.number: entry for entry in plan if isinstance(entry, Credential)}
        before = {credential.number: credential for credential in self.long[-1]} if self.long else {}
        rng = self.rng = self.world.rng("records", block)
        self.last = (self.users[0], self.world.time(block * BLOCK))
        for place, entry in enumerate(plan):
            time = self.world.time(block * BLOCK + place)
            if isinstance(entry, Credential):
                parent = issued.get(entry.number - 2) if entry.number >= 42 else before.get(entry.number - 40)
                yield self._issue(entry, parent, time)
                if entry.kind != "linked":
                    self.recent.append(entry)
            elif entry == "forward":
                yield self._forward(access_key("ASIA", rng))
            else:
                yield self._plain(entry, block, place, time)
        self._keep(list(issued.values()))

    def _remember(self, issued: list[Credential]) -> None:
        self.recent.extend(credential for credential in issued if credential.kind != "linked")
        self._keep(issued)

    def _keep(self, issued: list[Credential]) -> None:
        self.long = [*self.long[1 - WINDOW :], [entry for entry in issued if entry.kind in ("ec2", "pod")]]

    def _plain(self, kind: str, block: int, place: int, time: int) -> str:
        """A record that issues nothing."""
        rng = self.rng
        match kind:
            case "use" | "hot" | "user":
                caller = self.hot if kind == "hot" else self._user() if kind == "user" else self._user_of_issued()
                self.last = (caller, time)
                return self._render(caller, CALLS[int(rng.random() * len(CALLS))], time, rng.random() < 0.02)
            case "console":
                return self._console(time)
            case "service":
                domain = DOERS[int(rng.random() * len(DOERS))] + ".amazonaws.com"
                caller = Caller(f'{{"type":"AWSService","invokedBy":"{domain}"', domain, domain)
                return self._render(caller, SERVICES[int(rng.random() * len(SERVICES))], time)
            case "grant":
                return self._render(self._user(), GRANTS[int(rng.random() * len(GRANTS))], time)
            case "key":
                return self._render(self.users[0], created_key(self.world.hot, time), time)
            case "address" | "gateway":
                return self._render(self.users[0], network(self.world, kind, (place - 1) // 2), time)
            case "launch" if block == 0 and place < len(OPENING):
                return self._render(self.users[0], launch(self.world, place - len(OPENING), time), time)
            case "launch":
                return self._render(self.users[0], launch(self.world, block, time), time)
            case _:
                return self._render(self.users[0], terminate(self.world, block - 8 - FLEET), time)

    def _user(self) -> Caller:
        return self.users[int(self.rng.random() * len(self.users))]

    def _user_of_issued(self) -> Caller:
        """One of the last issued keys, most often; else a long-lived session; the hot key while there is none."""
        rng = self.rng
        if self.long and rng.random() < 0.3:
            sessions = self.long[int(rng.random() * len(self.long))]
            used = sessions[int(rng.random() * len(sessions))]
        elif self.recent:
            used = self.recent[int(rng.random() * len(self.recent))]
        else:
            return self.hot
        return Caller(used.identity, used.origin, used.agent)

    def _forward(self, key: str) -> str:
        """A service calls on for the last caller, in the same second, with a key that nobody issued."""
        caller, time = self.last
        head, _, tail = caller.identity.partition('"accessKeyId":"')
        after = tail.partition('"')[2]
        before, dated, rest = after.partition('"creationDate":"')
        if dated:
            context = before + dated + stamp(time or self.world.time(0)) + rest[20:]
        else:
            context = (
                f',"sessionContext":{{"attributes":{{"creationDate":"{stamp(time)}","mfaAuthenticated":"false"}}}}'
            )
        domain = "secretsmanager.amazonaws.com"
        identity = f'{head}"accessKeyId":"{key}"{context},"invokedBy":"{domain}"'
        return self._render(Caller(identity, domain, domain), DECRYPT, time)

    def _console(self, time: int) -> str:
        """A person at the console: one login a day, six keys with the login's second as their creation."""
        number, day = int(self.rng.random() * 3), (time - self.world.time(0)) // 86_400
        login = self.world.time(0) + day * 86_400 + number * 60
        key = access_key("ASIA", self.world.rng("console", day, number, int(self.rng.random() * 6)))
        user = self.world.people[number]
        identity = (
            f'{user_identity(user)}{key}","sessionContext":{{"attributes":{{"creationDate":"{stamp(login)}",'
            '"mfaAuthenticated":"true"}}'
        )
        call = CALLS[int(self.rng.random() * 3)]._replace(more="")
        return self._render(Caller(identity, user.address, BROWSER), call, time, console=True)

    def _issue(self, issued: Credential, parent: Credential | None, time: int) -> str:
        """The record that issues a key: by a service, by web identity, by a user's key or by a parent's."""
        token = base64.b64encode(self.rng.randbytes(810)).decode()
        role = issued.role
        target = f"arn:aws:iam::{ACCOUNT}:role/{role.path}"
        response = (
            f'{{"credentials":{{"accessKeyId":"{issued.key}","sessionToken":"{token}",'
            f'"expiration":"{spelled(time + LIFE[issued.kind])}"}},"assumedRoleUser":{{'
            f'"assumedRoleId":"{role.id}:{issued.session}",'
            f'"arn":"arn:aws:sts::{ACCOUNT}:assumed-role/{role.name}/{issued.session}"}}}}'
        )
        params = f'{{"roleArn":"{target}","roleSessionName":"{issued.session}","durationSeconds":{LIFE[issued.kind]}'
        params += TAGS if issued.kind == "pod" else ""
        params += f',"policy":"{RESTRICT}"' if issued.kind == "linked" else ""
        more = f'"resources":[{{"accountId":"{ACCOUNT}","type":"AWS::IAM::Role","ARN":"{target}"}}],'
        action = "AssumeRoleWithWebIdentity" if issued.kind == "web" else "AssumeRole"
        call = Kind("sts", action, params + "}", response=response, more=more)
        caller = self._issuer(issued, parent)
        if parent is not None and issued.kind == "chain":
            self.last = (caller, time)
        return self._render(caller, call, time)

    def _issuer(self, issued: Credential, parent: Credential | None) -> Caller:
        if issued.kind == "chain" and parent is not None:
            return Caller(parent.identity, parent.origin, parent.agent)
        if issued.kind == "user":
            return self.users[issued.number % len(self.users)]
        if issued.kind == "web":
            return Caller(WEB, issued.origin, issued.agent)
        domain = {"ec2": "ec2", "lambda": "lambda", "pod": "pods.eks"}.get(issued.kind, "rds") + ".amazonaws.com"
        return Caller(f'{{"type":"AWSService","invokedBy":"{domain}"', domain, domain)

    def _render(self, caller: Caller, call: Kind, time: int, refused: bool = False, console: bool = False) -> str:
        bits = f"{self.rng.getrandbits(256):064x}"
        event = f"{bits[:8]}-{bits[8:12]}-4{bits[12:15]}-a{bits[15:18]}-{bits[18:30]}"
        request = f"{bits[30:38]}-{bits[38:42]}-4{bits[42:45]}-b{bits[45:48]}-{bits[48:60]}"
        params = call.params % bits[44:61] if "%s" in call.params else call.params
        more = call.more % request if "%s" in call.more else call.more
        error = DENIED % (call.service, call.action) if refused else ""
        tls = "" if caller.origin[-1] == "m" else TLS % call.service
        return (
            f'{{"eventVersion":"1.11","userIdentity":{caller.identity}}},"eventTime":"{stamp(time)}",'
            f'"eventSource":"{call.service}.amazonaws.com","eventName":"{call.action}","awsRegion":"{REGION}",'
            f'"sourceIPAddress":"{caller.origin}","userAgent":"{caller.agent}",{error}"requestParameters":{params},'
            f'"responseElements":{"null" if refused else call.response},"requestID":"{request}","eventID":"{event}",'
            f'"readOnly":{"false" if call.writes else "true"},{more}"eventType":"AwsApiCall","managementEvent":true,'
            f'"recipientAccountId":"{ACCOUNT}","eventCategory":"Management"{tls}'
            f"{FROM_CONSOLE if console else ''}}}"
        )


def _by_user(user: User) -> Caller:
    agent = (
        "APN/1.0 HashiCorp/1.0 Terraform/1.10.5 (+https://www.terraform.io) terraform-provider-aws/5.89.0 "
        "(+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.36.3 ua/2.1 os/linux lang/go#1.23.5 "
        "md/GOOS#linux md/GOARCH#amd64 api/ec2#1.203.1"
    )
    return Caller(f'{user_identity(user)}{user.key}"', user.address, agent)
