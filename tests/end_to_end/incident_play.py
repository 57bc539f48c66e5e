"""The real theft played as an incident, and what is true of it: counted over the raw records, by no code of custody."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import msgspec

from tests.end_to_end.responders import APPROVES, ASKS, OWNS, SECONDS, Desk, Json

ADDRESS = "192.168.10.20"
STOLEN = "ASIATFQR7NSC36DZQP7P"
OPERATOR = "AKIATFQR7NSC8Q4X20BJ"
BACKDOOR = "AKIATFQR7NSC3ZO6PKAZ"
INSTANCE = "i-0dbc91f429e48eeed"
AWARE = "2023-07-10T12:20:00Z"


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What a person can count in the raw files. ``reached`` are the keys that worked from the address and all below."""

    seeds: frozenset[str]
    issued: frozenset[str]
    of_made_roles: frozenset[str]
    first: str
    last: str
    secrets: int
    made: int
    uses: dict[str, int]
    successes: dict[str, int]
    ended: dict[str, str]
    abused: str

    @property
    def reached(self) -> frozenset[str]:
        """Every key that the incident reaches."""
        return self.seeds | self.issued | self.of_made_roles


def counted(records: Sequence[bytes]) -> Counted:
    """Count with plain JSON."""
    every = [cast("Json", json.loads(record)) for record in records]
    good = [each for each in every if not each.get("errorCode")]
    seeds = {key(each) for each in good if each["sourceIPAddress"] == ADDRESS} - {""}
    by_seeds = [each for each in good if key(each) in seeds]
    issued = {new_key(each) for each in by_seeds if each["eventName"] in ("AssumeRole", "CreateAccessKey")} - {""}
    roles = {str(at(each, "responseElements", "role", "arn")) for each in by_seeds if each["eventName"] == "CreateRole"}
    assumed = (each for each in good if each["eventName"] == "AssumeRole" and new_key(each))
    of_roles = {new_key(each) for each in assumed if at(each, "requestParameters", "roleArn") in roles}
    reached = seeds | issued | of_roles
    times = sorted(str(each["eventTime"]) for each in good if key(each) in reached)
    made = [each for each in by_seeds if each["eventName"] in ("CreateUser", "CreateRole")]
    return Counted(
        seeds=frozenset(seeds),
        issued=frozenset(issued),
        of_made_roles=frozenset(of_roles - seeds - issued),
        first=times[0],
        last=times[-1],
        secrets=len(set(secrets(by_seeds))),
        made=len(made),
        uses={one: sum(key(each) == one for each in every) for one in seeds},
        successes={one: sum(key(each) == one for each in good) for one in seeds},
        ended=ends(good),
        abused=min(str(each["eventTime"]) for each in good if key(each) == STOLEN),
    )


def ends(good: Sequence[Json]) -> dict[str, str]:
    """When the stolen key's role, the backdoor's user's key and the operator's key were deleted, where they were."""
    found = {}
    role = next(str(at(each, "requestParameters", "roleArn")) for each in good if new_key(each) == STOLEN)
    for each in good:
        name = at(each, "requestParameters", "roleName")
        if each["eventName"] == "DeleteRole" and role.endswith(f"/{name}"):
            found[STOLEN] = str(each["eventTime"])
        target = str(at(each, "requestParameters", "accessKeyId"))
        if each["eventName"] in ("DeleteAccessKey", "UpdateAccessKey") and target in (BACKDOOR, OPERATOR):
            found[target] = str(each["eventTime"])
    return found


def secrets(records: Sequence[Json]) -> Iterator[str]:
    """The names of secrets and decrypted parameters that were read."""
    for each in records:
        asked = cast("Json", each.get("requestParameters") or {})
        if each["eventName"] == "GetSecretValue":
            yield str(asked["secretId"]).rpartition(":")[2]
        elif asked.get("withDecryption"):
            names = asked.get("names") or [asked.get("name")]
            yield from map(str, cast("list[object]", names))


def key(record: Json) -> str:
    """The access key that a record was made with; empty where there is none."""
    return str(at(record, "userIdentity", "accessKeyId") or "")


def new_key(record: Json) -> str:
    """The access key that a record issued; empty where it issued none."""
    kinds = ("credentials", "accessKey")
    return next((str(found) for kind in kinds if (found := at(record, "responseElements", kind, "accessKeyId"))), "")


def at(record: object, *names: str) -> object:
    """What is at a path of a record; None where the path ends before."""
    for name in names:
        record = record.get(name) if isinstance(record, dict) else None
    return record


class Played(msgspec.Struct, kw_only=True):
    """What came of it, by the commands' own JSON; ``refused`` has exit codes by what was tried."""

    desk: Desk
    incident: str = ""
    contain: str = ""
    revoke: str = ""
    late: str = ""
    refused: dict[str, tuple[int, str]] = {}
    before: Json = {}
    after: Json = {}
    of_finding: Json = {}

    def tried(self, name: str, who: str, *command: str) -> None:
        """Try what has to be refused."""
        signed = ("--sign-with", str(self.desk.key(who))) if who else ()
        code, _, said = self.desk.run("incident", *command, *signed, code=None)
        self.refused[name] = (code, said)

    def asked(self, kind: str, target: str, reason: str, *content: str) -> str:
        """Ask for an action; gives its id."""
        more = [word for line in content for word in ("--content", line)]
        told = self.desk.says(ASKS, "act", self.incident, kind, target, "--reason", reason, *more)
        return str(at(told, "step", "action"))


def play(folder: Path, logs: Path) -> Played:
    """From one address to a closed record."""
    found = Played(desk=Desk(folder))
    desk = found.desk
    desk.run("audit", str(logs))
    opened = desk.says(
        ASKS, "open", "--address", ADDRESS, "--title", "calls with keys of others", "--severity", "high",
        "--reason", "an instance's key works from outside", "--aware", AWARE,
    )  # fmt: skip
    found.incident = str(opened["incident"])
    _contain(found)
    _revoke(found)
    _act_first(found)
    found.tried("close while open", ASKS, "close", found.incident, "--reason", "it is over")
    found.before = desk.told("incident", "show", found.incident)
    desk.says(SECONDS, "settle", found.revoke, "--how", "accepted", "--reason", "these logs end before it was asked")
    desk.says(ASKS, "claim", found.incident, "cause removed", "--identity", STOLEN, "--reason", "the role is deleted")
    desk.says(OWNS, "vouch", found.incident, STOLEN, "--reason", "nothing of mine needs it")
    found.tried("close unsigned", "", "close", found.incident, "--reason", "it is over")
    desk.says(ASKS, "close", found.incident, "--reason", "all that was taken is over, or accepted")
    found.tried(
        "act after the close", ASKS, "act", found.incident, "contain", STOLEN, "--reason", "x", "--content", "x"
    )
    found.after = desk.told("incident", "show", found.incident)
    found.of_finding = _from_finding(desk)
    return found


def _from_finding(desk: Desk) -> Json:
    """A second incident, that starts with the one finding: the stolen key itself."""
    findings = cast("list[Json]", desk.told("findings")["findings"])
    opened = desk.says(
        ASKS, "open", "--finding", str(findings[0]["id"]), "--title", "a stolen key", "--reason", "the audit found it",
        "--aware", AWARE,
    )  # fmt: skip
    return desk.told("incident", "show", str(opened["incident"]))


def _contain(found: Played) -> None:
    reason = "its holder is an instance, and it works from outside"
    found.contain = found.asked("contain", STOLEN, reason, f"aws ec2 terminate-instances --instance-ids {INSTANCE}")
    found.tried("approve what one asked for", ASKS, "approve", found.contain, "--reason", "I am sure")
    found.tried("approve as nobody's approver", OWNS, "approve", found.contain, "--reason", "I am sure")
    found.tried("approve another digest", APPROVES, "approve", found.contain, "--reason", "yes", "--digest", "0" * 64)
    found.desk.says(APPROVES, "approve", found.contain, "--reason", "agreed: nothing else runs on it")
    found.desk.says(ASKS, "done", found.contain)


def _revoke(found: Played) -> None:
    found.revoke = found.asked("revoke", OPERATOR, "everything else was done with it")
    found.desk.says(APPROVES, "approve", found.revoke, "--reason", "agreed")
    found.desk.says(ASKS, "done", found.revoke)


def _act_first(found: Played) -> None:
    """Somebody acts, and asks afterwards: it stays visible, and needs a review."""
    found.late = found.asked("revoke", BACKDOOR, "it was made by the same hand", "aws iam delete-access-key")
    found.desk.says(ASKS, "done", found.late)
    found.tried("approve what was done", APPROVES, "approve", found.late, "--reason", "late")
    found.tried("review what one did", ASKS, "review", found.late, "--verdict", "justified", "--reason", "me")
    found.desk.says(SECONDS, "review", found.late, "--verdict", "justified", "--reason", "a minute counted")
