"""What an OCSF event was to credentials, sessions and accounts, by the numbers of its class and activity.

Numbers are those of the schema 1.0 to 1.9. All parts are declared: somebody translated them.
"""

from collections.abc import Iterator

from custody.model.events import Asserter, Outcome, Part, Stage
from custody.sources import moments
from custody.sources.ocsf import names
from custody.sources.ocsf.records import Actor, Credential, Number, Record, Session, User

_DECLARED = Asserter.DECLARED
_AUTHENTICATION, _API = 3002, 6003
_LOGON, _LOGOFF, _TICKET, _SERVICE_TICKET, _RENEW, _SWITCH = 1, 2, 3, 4, 5, 7
_ACCOUNT = {
    1: "user.create", 2: "principal.enable", 3: "password.change", 4: "password.reset", 5: "principal.disable",
    7: "policy.attach", 8: "policy.detach", 9: "principal.lock", 10: "mfa.enable", 11: "mfa.disable",
    12: "principal.unlock",
}  # fmt: skip
_USER = {
    1: "user.create", 2: "user.update", 4: "principal.enable", 5: "principal.disable", 6: "principal.lock",
    10: "policy.attach", 11: "policy.detach", 14: "grant.create", 15: "grant.delete", 16: "grant.create",
    17: "grant.delete",
}  # fmt: skip
_ACCESS = {1: "grant.create", 2: "grant.delete"}
_GROUP = {1: "grant.create", 2: "grant.delete", 3: "grant.create", 4: "grant.delete"}
_CHANGES = {3001: _ACCOUNT, 3005: _ACCESS, 3006: _GROUP, 3007: _USER}
_DELETES = ((3001, 6), (3007, 3))
_ADDED, _REMOVED = (3007, 18), (3007, 19)


def parts(record: Record, outcome: Outcome) -> tuple[Part, ...]:
    """The use of a credential, and what a call that succeeded did beyond."""
    done = _done(record) if outcome is Outcome.SUCCESS and record.final else ()
    return (*_use(record), *done)


def presented(record: Record) -> str | None:
    """The key of the credential that the actor showed, the most telling first."""
    actor, api = record.actor or Actor(), record.api
    own, session = actor.user or User(), actor.session or Session()
    return (
        names.credential(record, own.credential_uid or session.credential_uid)
        or names.token(record, api.token.uid if api and api.token else None)
        or names.certificate(record.certificate)
        or names.session(record, session.uid)
    )


def _use(record: Record) -> Iterator[Part]:
    key = presented(record)
    network = 4000 <= record.class_uid < 5000
    if key is not None and not network:
        yield Part(stage=Stage.USE, key=key, asserter=_DECLARED)


def _done(record: Record) -> Iterator[Part]:
    what = (record.class_uid, record.activity_id or 0)
    if record.class_uid == _AUTHENTICATION:
        yield from _authentication(record, what[1])
    elif what in (_ADDED, _REMOVED):
        yield from _credentials(record, what == _ADDED)
    elif what in _DELETES:
        key = names.account(record, record.user)
        if key:
            yield Part(stage=Stage.END, key=key, effect="principal.delete", asserter=_DECLARED)
    elif record.class_uid in _CHANGES:
        yield from _change(record, what[1])


def _authentication(record: Record, activity: int) -> Iterator[Part]:
    session, token = record.session or Session(), record.authentication_token or Credential()
    user = names.principal(record, record.user)
    opened, issued = names.session(record, session.uid), names.token(record, token.uid)
    if activity == _LOGON and opened:
        yield _part(Stage.START, opened, "session.open", parent=presented(record), subject=user)
    elif activity == _LOGON and user:
        yield _part(Stage.START, user, "user.login")
    elif activity == _LOGOFF and opened:
        yield _part(Stage.END, opened, "session.close")
    elif activity in (_TICKET, _SERVICE_TICKET, _SWITCH):
        key = names.credential(record, record.user.credential_uid if record.user else None) or issued
        if key and key != presented(record):
            until = _moment(token.expiration_time or session.expiration_time, "expiration_time")
            yield _part(Stage.ISSUE, key, None, parent=presented(record), subject=user, not_after=until)
    elif activity == _RENEW and issued:
        yield _part(Stage.REFRESH, issued, None, not_after=_moment(token.expiration_time, "expiration_time"))


def _credentials(record: Record, added: bool) -> Iterator[Part]:
    """Programmatic credentials that an account was given, or that were taken from it."""
    user = names.account(record, record.user)
    for each in (record.user.programmatic_credentials if record.user else None) or ():
        key = names.credential(record, each.uid)
        if key and added:
            yield _part(
                Stage.ISSUE, key, None, subject=user, not_after=_moment(each.expiration_time, "expiration_time")
            )
        elif key:
            yield _part(Stage.REVOKE, key, "credential.revoke")


def _change(record: Record, activity: int) -> Iterator[Part]:
    effect = _CHANGES[record.class_uid].get(activity)
    key = names.account(record, record.user)
    if effect is None or key is None:
        return
    group = record.group or record.policy
    thing = ",".join(record.privileges or ()) or (group.name or group.uid if group else None)
    yield Part(stage=Stage.CHANGE, key=key, effect=effect, object=thing, asserter=_DECLARED)


def _part(
    stage: Stage,
    key: str,
    effect: str | None,
    *,
    parent: str | None = None,
    subject: str | None = None,
    not_after: int | None = None,
) -> Part:
    return Part(
        stage=stage,
        key=key,
        effect=effect,
        parent=parent if parent != key else None,
        subject=subject,
        not_after=not_after,
        asserter=_DECLARED,
    )


def _moment(number: Number | None, where: str) -> int | None:
    return moments.of_milliseconds(number, where) if number else None
