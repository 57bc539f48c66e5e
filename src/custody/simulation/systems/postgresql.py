"""PostgreSQL's jsonlog: the lines of a session, numbered from one, from its connection to its end.

Format: manual, table "Keys and Values of JSON Log Entries", with ``log_connections``, ``log_disconnections`` and
``log_statement = 'all'``.
"""

from custody.model.events import Stage
from custody.simulation.chance import Chance
from custody.simulation.entry import POSTGRESQL, About, Entry, Thing, encoded
from custody.simulation.estate import Estate
from custody.simulation.times import HOUR, MINUTE, SECOND, postgres, postgres_second

ADMIN = "vault-admin"
_TLS = "SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)"


def role_key(name: str) -> str:
    """The key of a role."""
    return f"db_role:postgresql:{name}"


class Connection:
    """One session of a role. Lines have to be said in their order."""

    def __init__(
        self, estate: Estate, chance: Chance, time: int, user: str, database: str, host: str, application: str
    ) -> None:
        self._estate, self.user, self._database = estate, user, database
        self._host, self._application = host, application
        self._start = estate.clock(POSTGRESQL, time)
        self._pid, self._port = chance.between(1_000, 4_000_000), chance.between(32_768, 60_999)
        self._number, self._transaction = 0, 0
        self._open(time)

    @property
    def id(self) -> str:
        """The id of the session."""
        return f"{self._start // SECOND:x}.{self._pid:x}"

    @property
    def key(self) -> str:
        """The key of the session."""
        return f"db_session:postgresql:{self.id}"

    def statement(self, time: int, sql: str, *about: About, touched: tuple[Thing, ...] = ()) -> None:
        """A statement that the client sent; ``touched`` is what it did something to beside the database."""
        self._transaction += 1
        self._say(time, f"statement: {sql}", "idle", (*self._used(), *about), touched=touched)

    def close(self, time: int) -> None:
        """The client leaves."""
        length = self._estate.clock(POSTGRESQL, time) - self._start
        clock = f"{length // HOUR}:{length % HOUR // MINUTE:02d}:{length % MINUTE / SECOND:06.3f}"
        where = f"user={self.user} database={self._database} host={self._host} port={self._port}"
        self._say(time, f"disconnection: session time: {clock} {where}", "idle", ((Stage.END, self.key),))

    def cut(self, time: int) -> None:
        """The server ends the session, as an administrator told it to."""
        message = "terminating connection due to administrator command"
        self._say(time, message, "idle", (), severity="FATAL", state="57P01")
        self.close(time + 1_000)

    def _open(self, time: int) -> None:
        self._say(time, f"connection received: host={self._host} port={self._port}", "", (), known=False)
        who = f'identity="{self.user}" method=scram-sha-256 (/etc/postgresql/pg_hba.conf:91)'
        self._say(time + 2_000, f"connection authenticated: {who}", "authentication", ())
        what = f"user={self.user} database={self._database} application_name={self._application} {_TLS}"
        opened = (*self._used(), (Stage.START, self.key))
        self._say(time + 3_000, f"connection authorized: {what}", "authentication", opened)

    def _used(self) -> tuple[About, ...]:
        return ((Stage.USE, role_key(self.user)),)

    def _say(
        self,
        time: int,
        message: str,
        shown: str,
        about: tuple[About, ...],
        *,
        known: bool = True,
        severity: str = "LOG",
        state: str | None = None,
        touched: tuple[Thing, ...] = (),
    ) -> None:
        self._number += 1
        names = {"user": self.user, "dbname": self._database} if known else {}
        value: dict[str, object] = {
            "timestamp": postgres(self._estate.clock(POSTGRESQL, time)),
            **names,
            "pid": self._pid,
            "remote_host": self._host,
            "remote_port": self._port,
            "session_id": self.id,
            "line_num": self._number,
            "ps": shown,
            "session_start": postgres_second(self._start),
            **({"vxid": f"{self._pid % 90 + 3}/{self._transaction + 1}"} if known else {}),
            "txid": 0,
            "error_severity": severity,
            **({"state_code": state} if state else {}),
            "message": message,
            **({"application_name": self._application} if shown == "idle" else {}),
            "backend_type": "client backend" if known else "not initialized",
            "query_id": 0,
        }
        things = (("resource", self._database), *touched)
        self._estate.say(Entry(time=time, source=POSTGRESQL, line=encoded(value), about=about, touched=things))
