"""The attributes of an event: who acted, from where, on what, and what custody adds to it."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address

from custody.model.events import Asserter, Outcome, Stage
from custody.model.keys import credential_id, lineage_id
from custody.model.verdicts import Population
from custody.reports.ocsf.classes import Object, given
from custody.reports.ocsf.rows import Row
from custody.reports.safe import Plain
from custody.reports.words import short_key

UNKNOWN = "Unknown"
"""What stands where a class asks for a name and the log gives none."""

USER_TYPES: dict[str, tuple[int, str]] = {
    Population.MACHINE.value: (4, "Service"),
    Population.PERSON.value: (1, "User"),
    Population.PROVIDER.value: (3, "System"),
}
AWS_ACCOUNT: Object = {"type_id": 10, "type": "AWS Account"}
VERIFIER_STAGES = (Stage.USE.value, Stage.DECIDE.value)
ISSUER_STAGES = (Stage.ISSUE.value, Stage.REFRESH.value, Stage.REVOKE.value, Stage.EXPIRE.value)
LONGEST_ADDRESS = 40


def milliseconds(moment: int | None) -> int | None:
    """The time of OCSF: milliseconds since 1970, from microseconds."""
    return None if moment is None else moment // 1000


def endpoint(origin: str | None) -> Object:
    """An address with or without a port, the name of a service, or what else a log calls where a call came from."""
    if not origin:
        return {"name": UNKNOWN}
    address, colon, port = origin.rpartition(":")
    if colon and is_address(address) and port.isascii() and port.isdigit() and len(port) <= 5:
        return {"ip": address, "port": int(port)}
    if is_address(origin):
        return {"ip": origin}
    return {"svc_name": origin} if origin.endswith(".amazonaws.com") else {"name": origin}


@lru_cache(maxsize=65_536)
def is_address(text: str) -> bool:
    """Whether ``text`` is an IP address as OCSF has it."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return len(text) <= LONGEST_ADDRESS and "%" not in text


@lru_cache(maxsize=65_536)
def _credential(key: str) -> str:
    return credential_id(key)


def user(key: str | None, population: str | None, credential: str | None = None, account: str | None = None) -> Object:
    """The principal that ``key`` names. Whether it is a machine or a person is what custody found, not a guess."""
    number, word = USER_TYPES.get(population or "", (0, UNKNOWN))
    return given(
        uid=short_key(key) if key else None,
        name=name_of(key) if key else UNKNOWN,
        type_id=number,
        type=word,
        credential_uid=credential,
        account=given(uid=account),
    )


def name_of(key: str) -> str:
    """The short name in a key: of an ARN what stands after its last slash, else its value."""
    value = short_key(key)
    return (value.rpartition("/")[2] or value) if value.startswith("arn:") else value


def actor(parts: Sequence[Row], used: Row | None) -> Object:
    """Who acted, and by which credential, as the verifier recorded it."""
    first = parts[0]
    population = used.credential_population if used is not None else first.population
    key = first.principal or (used.key if used is not None else None)
    authorizations: Plain = None
    if first.policy:
        decision = "Allow" if first.outcome == Outcome.SUCCESS.value else "Deny"
        authorizations = [{"decision": decision, "policy": {"uid": first.policy}}]
    return given(
        user=user(key, population, None if used is None else used.credential, first.account),
        session=session(first, used),
        invoked_by=first.invoked_by,
        authorizations=authorizations,
    )


def session(first: Row, used: Row | None) -> Object:
    """The session that was presented, with the credential that it stands on."""
    until = None if used is None else used.credential_until
    return given(
        uid=first.session,
        credential_uid=None if used is None else used.credential,
        created_time=milliseconds(first.created),
        expiration_time=milliseconds(until),
    )


def api(part: Row) -> Object:
    """The call."""
    return given(
        operation=part.action or UNKNOWN,
        service=given(name=part.service),
        request=given(uid=part.request_id),
        response=given(error=part.error),
    )


def cloud(part: Row) -> Object | None:
    """The cloud, where the source is one of AWS: no other source says of which provider its accounts are."""
    if not part.source.startswith("aws."):
        return None
    account: Object = {"uid": part.account, **AWS_ACCOUNT} if part.account else {}
    return {"provider": "AWS", **given(account=account, region=part.region)}


def resources(parts: Sequence[Row]) -> list[Plain]:
    """What was touched: the resource, and every credential that was made, renewed or ended."""
    touched: list[Plain] = [{"uid": parts[0].resource}] if parts[0].resource else []
    given_out: list[Plain] = [
        given(uid=short_key(part.key), uid_alt=part.credential, type="credential")
        for part in parts
        if part.stage in ISSUER_STAGES and part.key
    ]
    return touched + given_out


def managed(part: Row) -> Object:
    """What an entity event is about: a user, a policy, or a thing that OCSF has no number for."""
    uid = part.key or part.object or part.resource or UNKNOWN
    thing = (part.effect or "").partition(".")[0]
    if thing in ("policy", "boundary", "trust"):
        named = part.object or thing
        policy: Object = {"name": named, "type": thing}
        return {"uid": short_key(uid), "name": name_of(uid), "type_id": 5, "type": "Policy", "policy": policy}
    return {"uid": short_key(uid), "name": name_of(uid), "type_id": 99, "type": thing or "key"}


def asserter(part: Row) -> str:
    """Who says so: what the source says of the part, else who checks a credential at its use, and who gave it else."""
    if part.asserter:
        return part.asserter
    checked = part.stage in VERIFIER_STAGES or (part.effect or "").startswith("session.")
    return (Asserter.VERIFIER if checked else Asserter.ISSUER).value


def evidence_part(part: Row) -> Object:
    """One part as custody means it. ``grade`` says how its key is joined to a recorded issue."""
    grade = None if part.credential is None else "exact" if part.issued else "none"
    return given(
        stage=part.stage,
        effect=part.effect,
        key=part.key,
        credential=part.credential,
        grade=grade,
        asserter=asserter(part) if part.stage else None,
        parent=part.parent,
        subject=part.subject,
        session_name=part.session_name,
        workload=part.workload,
        granularity=part.granularity,
        bound_by=part.bound_by,
        method=part.method,
        not_after=milliseconds(part.not_after),
        cutoff=milliseconds(part.cutoff),
        object=part.object,
        related=part.related,
    )


def chain(part: Row | None) -> Object:
    """Where the credential of the event stands: its root, its parent, its lineage, its run."""
    if part is None or part.credential is None:
        return {}
    parent = part.credential_parent
    return given(
        credential=part.credential,
        population=part.credential_population,
        lineage=None if part.lineage is None else lineage_id(part.lineage),
        root=part.root,
        parent=parent,
        parent_credential=_credential(parent) if parent else None,
        run=part.run,
        run_grade=part.run_grade,
        in_conflict=part.conflicted or None,
    )
