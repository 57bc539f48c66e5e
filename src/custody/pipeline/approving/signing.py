"""Deciding from the command line: what has to be signed, and the decision sealed once it is."""

from __future__ import annotations

import time

import msgspec

from custody.broker.approvals.decision import NAMESPACE, Decision
from custody.broker.approvals.people import person_key, ssh_key
from custody.broker.desk import RequestState
from custody.errors import UsageError
from custody.model.times import text
from custody.pipeline import approvals, signatures
from custody.pipeline.approving.deciding import Decided, Place, Wanted, Who, decide, drafted, signable, ssh_who
from custody.pipeline.approving.desk import ApprovalDesk
from custody.pipeline.approving.rechecking import persons
from custody.pipeline.approving.requests import Requests, Shown
from custody.pipeline.approving.standing import Groups, Standing
from custody.pipeline.audit import whoami
from custody.pipeline.signatures import Given, Signed
from custody.settings.broker_file import BrokerFile
from custody.settings.catalog import Settings
from custody.store.approvals import separation
from custody.store.reader import Reader


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A decision before anybody signed it: the request as it is shown, and the ``text`` that has to be signed."""

    shown: Shown
    draft: Decision
    text: bytes


class Approved(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that was sealed. ``separated``: this account is kept from one of the two keys."""

    decided: Decided
    separated: bool
    notes: tuple[str, ...]


def now() -> int:
    """The time of this machine in microseconds."""
    return time.time_ns() // 1000


def prepare(
    settings: Settings, request: str, wanted: Wanted, *, digest: str | None = None, file: BrokerFile | None = None
) -> Prepared:
    """What has to be signed to decide so. NotFound, UsageError and IntentRefused where nothing can be decided."""
    found = Requests(settings.store)
    found.look()
    shown = found.one(request, digest, None if file is None else file.broker)
    if found.issued(request) and wanted.verdict != "deny":
        raise UsageError("a credential was issued for it already", where=request)
    draft = drafted(shown, wanted, now())
    return Prepared(shown=shown, draft=draft, text=signable(draft))


def seal(settings: Settings, prepared: Prepared, given: Given, file: BrokerFile | None = None) -> Approved:
    """Seal a prepared decision as that of who signed it. UsageError where nobody did, or the signature does not hold.

    Whether the decision counts is weighed before: PolicyDenied and IntentRefused say why it would not.
    """
    moment = now()
    signed = signatures.checked(settings, given, prepared.text, NAMESPACE, str(text(moment)))
    if signed is None:
        raise UsageError(
            "nobody signed",
            where=prepared.shown.request.request,
            expected="--sign-with, --signature or --token-file",
            advice="--write FILE writes what is to be signed.",
        )
    groups: Groups = None if file is None else file.approvals.groups
    with Reader.open(settings.store) as reader:
        known, store = persons(reader), reader.store
    place = Place(root=settings.store, keys=settings.approval_keys, by=whoami(), groups=groups, persons=known)
    last = signatures.last_signers(approvals.everything(settings.store))
    decided = decide(place, prepared.shown, prepared.draft, who_of(signed), moment)
    found = separation(settings.keys, settings.approval_keys, store)
    notes = [] if found.enforced else [found.why]
    if file is None:
        notes.append("who may approve was not looked at: --broker-file FILE names the groups; the broker looks again")
    if signed.signers is not None and last is not None and last != signed.signature.anchor:
        notes.append(f"the allowed signers changed: {last[:12]}… before, {signed.signature.anchor[:12]}… now")
    return Approved(decided=decided, separated=found.enforced, notes=tuple(notes))


def who_of(signed: Signed) -> Who:
    """Who signed: by the names of the allowed-signers file, or the subject of the token."""
    if signed.token is None:
        names = tuple(map(ssh_key, signed.signature.principals))
        return ssh_who(signed.signers or b"", (signed.armored or "").encode(), names)
    first, *others = signed.token.principals
    subject = first.removeprefix(f"{signed.token.issuer}#")
    facts = msgspec.to_builtins(signed.token)
    return Who(approver=person_key(signed.token.issuer, subject), method="oidc", names=tuple(others), oidc=facts)


def desk_of(settings: Settings, file: BrokerFile | None) -> ApprovalDesk:
    """The desk over a store, with the groups of a broker file where one is given."""
    groups: Groups = None if file is None else file.approvals.groups
    broker = None if file is None else file.broker
    return ApprovalDesk(settings.store, settings.approval_keys, now, by=whoami(), groups=groups, broker=broker)


def listed(settings: Settings, state: RequestState | None, file: BrokerFile | None) -> list[Standing]:
    """The requests of a store, by id, as they stand now."""
    return desk_of(settings, file).every(state)


def shown(settings: Settings, request: str, digest: str | None, file: BrokerFile | None) -> Standing:
    """One request as it stands now."""
    return desk_of(settings, file).one(request, digest)
