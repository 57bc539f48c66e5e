"""The theft that a drill is about: planted in a generated estate, with all that is true of it.

A key of a batch user lies in a repository and is found there. A thief uses it from where a key of their own works, and
takes a session of a role with it, which runs out. When the alarm is raised already they make a key of another user: it
is in no record that was delivered by then. People say that the first key is deleted, and it is not: both work on until
they are deleted in truth.
"""

from __future__ import annotations

from functools import partial

import msgspec

from custody.model.events import Stage
from custody.model.verdicts import Question
from custody.simulation import entry as sources
from custody.simulation.book import WRONG
from custody.simulation.chance import Chance
from custody.simulation.entry import Entry, encoded
from custody.simulation.estate import Estate
from custody.simulation.lives import people
from custody.simulation.systems import aws, aws_issues
from custody.simulation.times import MINUTE, SECOND, seconds
from custody.simulation.truth import Credential
from custody.simulation.world import HOME, MAIN, MAIN_NAT, THIEF, User, access_key

HOURS = 4
"""How long the estate lives: the digests of all that happens in the theft are signed by then."""
VICTIM, OTHER, THIEFS = "batch-report", "batch-mirror", "partner-audit"
RULE = "used-by-holder"
WORK = (aws.read("s3", "ListBuckets"), aws.read("athena", "ListWorkGroups", maxResults=50))
LOOT = (
    aws.read("sts", "GetCallerIdentity"),
    aws.read("s3", "ListBuckets"),
    aws.read("secretsmanager", "ListSecrets", maxResults=100),
)
LIFE = 900
"""Seconds that the thief's session lives: the least that AWS gives."""


class Moments(msgspec.Struct, frozen=True, kw_only=True):
    """When it all happens (µs, whole seconds), in order.

    ``alarm`` is how far the logs were delivered when the alarm was raised, ``claimed`` when people say that the stolen
    key is deleted, ``look`` how far the logs were delivered when they looked. ``ended`` is when it is deleted in truth,
    ``hidden_ended`` when the other one is.
    """

    made: int
    exposed: int
    scanned: int
    abused: int
    session: int
    alarm: int
    hidden: int
    opened: int
    approved: int
    claimed: int
    look: int
    ended: int
    hidden_ended: int
    again: int

    @classmethod
    def of(cls, since: int, chance: Chance) -> Moments:
        """Those of an estate that begins at ``since``: what has to be so far apart is, the rest is drawn."""

        def later(than: int, low: int, high: int) -> int:
            return than + chance.between(low * 60, high * 60) * SECOND

        exposed = later(since, 50, 60)
        abused = later(exposed, 8, 15)
        alarm = later(abused, 26, 32)
        claimed = later(alarm, 12, 15)
        ended = later(claimed, 35, 40)
        return cls(
            made=since + 20 * MINUTE,
            exposed=exposed,
            scanned=exposed + 15 * MINUTE,
            abused=abused,
            session=abused + 3 * MINUTE,
            alarm=alarm,
            hidden=alarm + MINUTE,
            opened=alarm + 2 * MINUTE,
            approved=claimed - 4 * MINUTE,
            claimed=claimed,
            look=claimed + 20 * MINUTE,
            ended=ended,
            hidden_ended=ended + 20 * SECOND,
            again=ended + 15 * MINUTE,
        )


class Theft(msgspec.Struct, frozen=True, kw_only=True):
    """What is true of it: the keys (as custody names them), and when what happened."""

    stolen: str
    session: str
    hidden: str
    identity: str
    thief: str
    at: Moments

    @property
    def ends(self) -> dict[str, int]:
        """The stolen key and all that truly comes from it, and when each could not be used any more (µs)."""
        at = self.at
        return {self.stolen: at.ended, self.session: at.session + LIFE * SECOND, self.hidden: at.hidden_ended}

    @property
    def family(self) -> frozenset[str]:
        """All of them."""
        return frozenset(self.ends)

    def alive(self, moment: int) -> frozenset[str]:
        """Those that can still be used at a moment (µs)."""
        return frozenset(key for key, end in self.ends.items() if end > moment)


def plant(estate: Estate) -> Theft:
    """Plant it in an estate whose day has not begun."""
    chance = Chance("drill", estate.plan.seed)
    at = Moments.of(estate.since, chance.fork("moments"))
    keys = {name: access_key(chance.fork("key", name), "AKIA", MAIN) for name in ("stolen", "hidden", "own", "again")}
    taken = access_key(chance.fork("key", "session"), "ASIA", MAIN)
    plot = _Plot(estate, chance, at, keys, taken)
    estate.at(at.made, plot.work)
    estate.at(at.abused - MINUTE, plot.steal)
    estate.at(at.hidden, plot.hide)
    estate.at(at.ended, partial(plot.delete, VICTIM, "stolen"))
    estate.at(at.hidden_ended, partial(plot.delete, OTHER, "hidden"))
    estate.at(at.again, plot.replace)
    return Theft(
        stolen=aws.key_of(keys["stolen"]),
        session=aws.key_of(taken),
        hidden=aws.key_of(keys["hidden"]),
        identity=estate.world.users[VICTIM].key,
        thief=THIEF,
        at=at,
    )


class _Plot:
    """What happens at each moment, as the logs tell it."""

    def __init__(self, estate: Estate, chance: Chance, at: Moments, keys: dict[str, str], taken: str) -> None:
        self.estate, self.chance, self.at, self.keys, self.taken = estate, chance, at, keys, taken
        self.loot = aws.by_user(self._user(VICTIM), keys["stolen"], THIEF, aws.CLI)

    def work(self, time: int) -> None:
        """The key is made, used by its holder until it is deleted, committed by mistake, and found by a scanner."""
        self._made(VICTIM, "stolen", people.operator(self.estate, time), time)
        self._used(VICTIM, "stolen", MAIN_NAT, WORK, (time + MINUTE, self.at.ended - MINUTE, 30))
        self.estate.book.change(aws.key_of(self.keys["stolen"]), origins=(MAIN_NAT,))
        self._wrong("stolen")
        self._found()

    def steal(self, time: int) -> None:
        """The thief tries the key beside one of their own, and takes a session with it."""
        self._used(THIEFS, "own", THIEF, LOOT[:2], (time - 10 * MINUTE, self.at.ended, 18))
        estate, first = self.estate, self.at.abused
        own = aws.key_of(self.keys["own"])
        estate.book.credential(
            Credential(key=own, kind="access key", population="unknown", issued_at=None, origins=(THIEF,))
        )
        aws.work(estate, self.chance, self.loot, LOOT, [first])
        times = self.chance.fork("loot").spread(first + MINUTE, self.at.ended - MINUTE, 18)
        aws.work(estate, self.chance, self.loot, LOOT, times)
        estate.at(self.at.session, self.take)

    def take(self, time: int) -> None:
        """A session of a role; it is used while it lives."""
        estate, role = self.estate, self.estate.world.roles[f"{MAIN}/release"]
        session = aws.Session(key=self.taken, role=role, name="release", created=time)
        entry = aws_issues.entry_of(session, LIFE, "role session")
        stolen = aws.key_of(self.keys["stolen"])
        entry = msgspec.structs.replace(entry, parent=stolen, parent_visible="exact", parent_join="parent_key")
        aws_issues.by_chain(estate, self.chance, self.loot, session, LIFE, entry)
        estate.book.expect(aws.key_of(self.taken), Question.HOLDER, *WRONG)
        times = self.chance.fork("session").spread(time + MINUTE, time + 12 * MINUTE, 4)
        aws.work(estate, self.chance, aws.by_session(session, THIEF, aws.CLI), LOOT, times)

    def hide(self, time: int) -> None:
        """The thief makes a key of another user, and works with it until it is deleted."""
        self._made(OTHER, "hidden", self.loot, time)
        stolen = aws.key_of(self.keys["stolen"])
        self.estate.book.change(aws.key_of(self.keys["hidden"]), parent=stolen, parent_visible="exact")
        self._used(OTHER, "hidden", THIEF, LOOT, (time + MINUTE, self.at.ended - MINUTE, 18))
        self._wrong("hidden")

    def delete(self, user: str, name: str, time: int) -> None:
        """A key is deleted in the console."""
        key = self.keys[name]
        call = aws.write("iam", "DeleteAccessKey", userName=user, accessKeyId=key)
        people.operate(self.estate, self.chance, call, time, (Stage.REVOKE, aws.key_of(key)), region=HOME)
        self.estate.book.change(aws.key_of(key), ended_at=time, ended_by="key.delete")

    def replace(self, time: int) -> None:
        """The holder gets a new key when it is over."""
        self._made(VICTIM, "again", people.operator(self.estate, time), time)
        self._used(VICTIM, "again", MAIN_NAT, WORK, (time + MINUTE, self.estate.until, 10))
        self.estate.book.change(aws.key_of(self.keys["again"]), origins=(MAIN_NAT,))

    def _user(self, name: str) -> User:
        return self.estate.world.users[name]

    def _made(self, user: str, name: str, caller: aws.Caller, time: int) -> None:
        aws_issues.access_key(self.estate, self.chance, caller, self._user(user), self.keys[name], time)

    def _used(self, user: str, name: str, origin: str, calls: tuple[aws.Call, ...], when: tuple[int, int, int]) -> None:
        caller = aws.by_user(self._user(user), self.keys[name], origin, aws.BOTO if origin == MAIN_NAT else aws.CLI)
        times = self.chance.fork("uses", name, origin).spread(*when)
        aws.work(self.estate, self.chance, caller, calls, times)
        self.estate.book.link(times[0], "access_key", aws.key_of(self.keys[name]), aws.key_of(self.keys[name]))

    def _wrong(self, name: str) -> None:
        self.estate.book.expect(aws.key_of(self.keys[name]), Question.HOLDER, *WRONG)

    def _found(self) -> None:
        """What a scanner says of the commit, as SARIF (2.1.0)."""
        commit = self.chance.fork("commit").hex(40)
        key = self.keys["stolen"]
        result = {
            "ruleId": "aws-access-token",
            "message": {"text": "aws-access-token has detected secret for file jobs/report.env."},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": "jobs/report.env"},
                        "region": {"startLine": 2, "snippet": {"text": f"AWS_ACCESS_KEY_ID={key} must-not-stay"}},
                    }
                }
            ],
            "partialFingerprints": {"commitSha": commit, "date": seconds(self.at.exposed)},
        }
        run = {
            "tool": {"driver": {"name": "gitleaks", "semanticVersion": "v8.24.2"}},
            "invocations": [{"executionSuccessful": True, "endTimeUtc": seconds(self.at.scanned)}],
            "versionControlProvenance": [{"repositoryUri": "https://github.com/example-org/report"}],
            "results": [result],
        }
        line = encoded({"version": "2.1.0", "runs": [run]})
        about = ((Stage.CHANGE, aws.key_of(key)),)
        self.estate.say(Entry(time=self.at.scanned, source=sources.SARIF, line=line, about=about))
