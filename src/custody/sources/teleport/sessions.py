"""Sessions to servers, databases, applications, desktops and clusters: their start and end."""

from collections.abc import Iterator

from custody.model.events import Part, Stage
from custody.sources.teleport import names
from custody.sources.teleport.records import Audited

STARTS = frozenset(
    ("session.start", "db.session.start", "app.session.start", "windows.desktop.session.start", "mcp.session.start")
)
ENDS = frozenset(event.replace(".start", ".end") for event in STARTS)


def parts(found: Audited) -> Iterator[Part]:
    """The start or end of a session. A start has a part for each approval and database role it rests on."""
    if not found.sid or found.success is False:
        return
    key = names.session(found.sid)
    if found.event in ENDS:
        yield Part(stage=Stage.END, key=key, effect="session.close")
        return
    role = f"db_role:postgresql:{found.db_user}" if found.db_user and found.db_protocol == "postgres" else None
    approvals = [names.approval(number) for number in found.access_requests or ()]
    named: list[str | None] = [*approvals, *([role] if role else [])]
    for related in named or [None]:
        yield Part(
            stage=Stage.START,
            key=key,
            effect="session.open",
            parent=names.instance_of(found),
            subject=names.actor(found),
            session_name=found.user if found.aws_role_arn else None,
            object=thing(found),
            related=related,
            population=names.population(found),
        )


def thing(found: Audited) -> str | None:
    """What a session is to, the most telling name that the event has."""
    if found.db_service:
        return f"{found.db_service}/{found.db_name}" if found.db_name else found.db_service
    server = found.server_hostname or found.server_id
    if found.login and server:
        return f"{found.login}@{server}"
    return found.aws_role_arn or found.app_name or found.kubernetes_cluster or server
