"""What the calls of the server's API were to workloads, agents and entries, by method. Only calls that succeeded count.

An audit line of an SVID has no serial: it is the request of one, known by whom it speaks for. An entry is the grant
that SVIDs rest on; its deletion ends their renewal, not the certificates that are out.
"""

from collections.abc import Callable

from custody.model import keys
from custody.model.events import Part, Stage
from custody.sources.spire import names
from custody.sources.spire.lines import Line

_GRANTS = {
    "BatchCreateEntry": "grant.create",
    "BatchUpdateEntry": "grant.update",
    "BatchDeleteEntry": "grant.delete",
}
_AGENTS = {"BanAgent": "agent.ban", "DeleteAgent": "agent.delete"}
_AUTHORITIES = ("Prepare", "Activate", "Taint", "Revoke")
REQUESTS = ("BatchNewX509SVID", "MintX509SVID", "NewJWTSVID", "BatchNewJWTSVID", "MintJWTSVID", "NewX509SVID")


def parts(line: Line) -> tuple[Part, ...]:
    """What a call did, None of it where the method has no meaning of its own."""
    method = line.get("method") or ""
    if method in REQUESTS:
        return _requested(line, line.get("spiffe_id"))
    if method in _GRANTS:
        return _granted(line, _GRANTS[method])
    if method in _AGENTS:
        return _changed(names.workload(line.get("spiffe_id")), _AGENTS[method])
    told = _TELLING.get(method)
    return told(line) if told else _authority(line, method)


def _requested(line: Line, name: str | None, effect: str = "svid.request") -> tuple[Part, ...]:
    """The request of an SVID; an older server names only the entry."""
    entry = names.entry(line)
    key = names.workload(name) or entry
    if key is None:
        return ()
    part = Part(
        stage=Stage.REQUEST,
        key=key,
        subject=names.workload(line.get("caller_id")),
        method=line.get("method"),
        not_after=names.expiry(line),
        effect=effect,
        related=entry if entry != key else None,
        population="machine",
    )
    return (part,)


def _agent(line: Line) -> tuple[Part, ...]:
    """An agent's certificate, first or renewed: an agent renews its own."""
    return _requested(line, line.get("agent_id", "caller_id"))


def _authority_of_another(line: Line) -> tuple[Part, ...]:
    return _requested(line, line.get("caller_id"), "ca.request")


def _granted(line: Line, effect: str) -> tuple[Part, ...]:
    """What became of an entry. Its key is the workload, or the entry where the line has only that."""
    entry, workload = names.entry(line), names.workload(line.get("spiffe_id"))
    key = workload or entry
    if key is None:
        return ()
    parent = names.workload(line.get("parent_id"))
    return (
        Part(
            stage=Stage.CHANGE,
            key=key,
            effect=effect,
            object=entry if workload else None,
            related=parent,
            not_after=names.expiry(line),
        ),
    )


def _changed(key: str | None, effect: str) -> tuple[Part, ...]:
    return (Part(stage=Stage.CHANGE, key=key, effect=effect),) if key else ()


def _join_token(line: Line) -> tuple[Part, ...]:
    return _changed(names.workload(line.get("spiffe_id")), "join_token.create")


def _authority(line: Line, method: str) -> tuple[Part, ...]:
    """A signing key of the server, by the id that the log gives it."""
    number = line.get("local_authority_id")
    verb = next((verb for verb in _AUTHORITIES if method.startswith(verb)), None)
    if number is None or verb is None or "Authority" not in method:
        return ()
    return _changed(keys.scoped("custom", "spire/authority", number), f"authority.{verb.lower()}")


_TELLING: dict[str, Callable[[Line], tuple[Part, ...]]] = {
    "AttestAgent": _agent,
    "RenewAgent": _agent,
    "CreateJoinToken": _join_token,
    "NewDownstreamX509CA": _authority_of_another,
}
