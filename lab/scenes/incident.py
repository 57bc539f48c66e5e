"""An incident at a real database: a role is contained while a session of it is open, and the session goes on.

Told here: the responders drop the role, and say that it is done. The server's own log shows the end, and
the session that outlived it: custody has to call the revocation violated, and to name the session. Then they end the
session, and only then does the log prove that nothing is left. At every step what custody says is compared with what
the script saw; the scene breaks off where they differ.
"""

import secrets
import shutil
import time
from pathlib import Path
from typing import cast

import msgspec
from tests.end_to_end.responders import APPROVES, ASKS, SECONDS, Desk

from custody.incidents.judging.surviving import SURVIVES
from custody.model.incident_view import IncidentView
from lab import parts
from lab.postgresql import PostgreSQL, Session
from lab.truth import Credential, Link, Truth, now
from lab.web import Json

NAME = "incident"
NEEDS = ("postgresql",)
MAKE = """CREATE ROLE "{role}" LOGIN PASSWORD 'made-up-batch-word' VALID UNTIL '2099-01-01T00:00:00+00'"""
WORD = "made-up-batch-word"
DROP = 'DROP ROLE "{role}"'
END = "SELECT pg_terminate_backend({pid})"
"""The role has no name any more by then: its session is found by the process id, which the session's key ends in."""


class Told(msgspec.Struct, frozen=True):
    """One thing that custody had to say, and what it said."""

    when: str
    what: str
    true: str
    told: str


class Response:
    """The responders at their desk, the database, and what was compared."""

    def __init__(self, folder: Path, database: PostgreSQL) -> None:
        self.desk = Desk(folder / "desk")
        self.database = database
        self.logs = folder / "desk" / "logs"
        self.logs.mkdir()
        self.compared: list[Told] = []
        self.incident = ""
        self.role, self.other = (f"v-batch-app-{secrets.token_hex(10)}-{int(time.time())}" for _ in range(2))
        """Named as Vault names them: of a name that another server may have as well, nothing could be violated."""
        self.key = f"db_role:postgresql:{self.role}"

    def open(self) -> None:
        """Open the incident from the key of the role, and keep its id."""
        told = self.desk.says(
            ASKS, "open", "--key", self.key, "--title", "the role of a batch job is used by somebody else",
            "--severity", "high", "--reason", "queries that the job does not make",
        )  # fmt: skip
        self.incident = str(told["incident"])

    def read(self) -> None:
        """Hand the server's log over as it is now."""
        shutil.copyfile(self.database.logs["jsonlog"], self.logs / "postgresql.json")
        self.desk.run("audit", "logs")

    def act(self, kind: str, statement: str, reason: str) -> str:
        """Ask, have it approved by another, do it in the database, and say so; gives the id of the action."""
        asked = self.desk.says(ASKS, "act", self.incident, kind, self.key, "--reason", reason, "--content", statement)
        action = str(cast("Json", asked["step"])["action"])
        self.desk.says(APPROVES, "approve", action, "--reason", f"agreed: {reason}")
        self.database.administer(statement)
        self.desk.says(ASKS, "done", action, "--did", statement, "--at", now())
        self.read()
        return action

    def shown(self) -> IncidentView:
        """The incident as custody shows it."""
        return msgspec.json.decode(self.desk.run("incident", "show", self.incident, "--json")[1], type=IncidentView)

    def outcome(self, action: str) -> tuple[str, tuple[str, ...]]:
        """What custody says became of an action, and which sessions it says survive."""
        (found,) = (each.outcome for each in self.shown().actions if each.action == action)
        return ("nothing", ()) if found is None else (found.judged.state, found.surviving)

    def survives(self) -> str:
        """The state of the answer on what survives."""
        (found,) = (each.state for each in self.shown().answers if each.question == SURVIVES)
        return found

    def compare(self, when: str, what: str, true: str, told: str) -> None:
        """Keep one comparison."""
        self.compared.append(Told(when, what, true, told))

    def close(self, code: int, *more: str) -> None:
        """Try to close the incident: custody has to end with ``code``."""
        got, _, said = self.desk.run(
            "incident", "close", self.incident, "--reason", "over", *more, "--sign-with", str(self.desk.key(ASKS)),
            "--json", code=None,
        )  # fmt: skip
        self.compare("close", "exit code", str(code), str(got) if got == code else f"{got}: {said[-300:]}")


def play(folder: Path, found: parts.Found) -> None:
    """Play the scene in ``folder``; RuntimeError where a server, or custody, says other than what is so."""
    database = PostgreSQL(found["postgresql"].path, folder / "postgresql")
    truth = Truth(scene=NAME, servers={"postgresql": database.version}, started=now())
    try:
        database.start()
        response = Response(folder, database)
        _respond(response, truth)
    finally:
        database.stop()
    parts.keep(folder, {"jsonlog": database.logs["jsonlog"]})
    truth.write(folder)
    (folder / "compared.json").write_bytes(parts.rows(response.compared))
    wrong = [each for each in response.compared if each.true != each.told]
    if wrong:
        raise RuntimeError(f"custody says what is not so: {wrong}")


def _respond(response: Response, truth: Truth) -> None:
    role, session, survivor = _role(response.database, truth, response.role)
    _, other, _ = _role(response.database, truth, response.other)
    role.uses += _run(session, "SELECT count(*) FROM pg_class")
    response.read()
    response.open()
    revoke = response.act("revoke", DROP.format(role=response.role), "nobody may log in with it any more")
    truth.end(role, "revoked")
    survives = _run(session, "SELECT 1")
    role.uses += survives
    role.survives = bool(survives)
    again = Session(response.database, response.role, WORD, application="after-the-end")
    role.refused += bool(again.refused)
    again.close()
    response.read()
    response.compare("a session works on", "revoke", "violated" if survives else "proved", response.outcome(revoke)[0])
    response.compare("a session works on", "surviving", survivor, " ".join(response.outcome(revoke)[1]))
    response.close(2)
    end = END.format(pid=int(survivor.rpartition(".")[2], 16))
    contain = response.act("contain", end, "its session works on")
    gone = session.run("SELECT 1")
    truth.notes.append(f"after {end}: {gone!r}")
    response.read()
    response.compare("the session is ended", "contain", "proved" if gone else "violated", response.outcome(contain)[0])
    response.compare("the session is ended", "surviving", "", " ".join(response.outcome(contain)[1]))
    response.compare("the session is ended", "revoke", "violated", response.outcome(revoke)[0])
    response.compare("the session is ended", "what survives", "proved", response.survives())
    reached = " ".join(each.key for each in response.shown().scope.credentials if not each.apart)
    response.compare("the session is ended", "scope", response.key, reached)
    truth.notes.append(f"the role that nobody contained works on: {other.run('SELECT 1')!r}")
    other.close()
    session.close()
    response.desk.says(SECONDS, "settle", revoke, "--how", "accepted", "--reason", "its session was ended after it")
    response.close(0)


def _role(database: PostgreSQL, truth: Truth, name: str) -> tuple[Credential, Session, str]:
    """A role with an open session, and the session's key."""
    database.administer(MAKE.format(role=name))
    credential = truth.issue(Credential(key=f"db_role:postgresql:{name}", what="database role", holder=name, uses=3))
    session = Session(database, name, WORD, application=name)
    if session.refused:
        raise RuntimeError(session.refused)
    opened = f"db_session:postgresql:{session.identity()}"
    truth.links.append(Link("session", credential.key, opened))
    return credential, session, opened


def _run(session: Session, statement: str) -> int:
    """1 where the statement succeeded, else 0."""
    return int(session.run(statement) == "")
