"""PostgreSQL: which role connected from where, what it did, and which roles were made, changed and dropped.

Log formats: ``jsonlog`` and ``csvlog`` (PostgreSQL manual, chapter "Error Reporting and Logging"), pgaudit's messages
in either, and text with the prefix of Amazon RDS and Aurora.
"""

from custody.model.records import TextFraming
from custody.sources.postgresql.event import read
from custody.sources.postgresql.identity import identify, recognise
from custody.sources.postgresql.layouts import CSV_HEAD, TEXT_HEAD
from custody.sources.postgresql.secrets import SCREEN
from custody.sources.source import Source

_MILLISECOND = 1_000
_MINUTE = 60 * 1_000_000

SOURCE = Source(
    name="postgresql",
    title="PostgreSQL server log",
    wrappings=(),
    texts=(
        TextFraming(form="csvlog", head=CSV_HEAD.pattern.decode(), csv=True),
        TextFraming(form="prefixed", head=TEXT_HEAD.pattern.decode()),
    ),
    recognise=recognise,
    identify=identify,
    read=read,
    glance=SCREEN.look,
    time_resolution=_MILLISECOND,
    delivery_delay=5 * _MINUTE,
    standing="laboratory",
    proves=(
        "sessions opened and closed by a role with the peer's address, refused logins, statements as far as they are "
        "logged, and roles made, renewed, revoked and dropped; a statement that is logged before it runs may still fail"
    ),
    enable=(
        "log_destination = 'jsonlog', logging_collector = on, log_connections = on, log_disconnections = on, "
        "log_statement = 'ddl', log_timezone = 'UTC'"
    ),
)
