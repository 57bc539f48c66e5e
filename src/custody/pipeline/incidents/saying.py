"""One more step of an incident, said by somebody: made, checked, signed where they sign, and sealed."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from custody.errors import LogError, UsageError
from custody.incidents.record.acting import Who, check, check_texts
from custody.incidents.record.folding import Heard, Incident
from custody.ledger import allowed_signers
from custody.ledger.allowed_signers import AllowedSigners
from custody.model.incidents import APPROVALS, DECISION_NAMESPACE, STEP_NAMESPACE, Step, digest_of, text_of
from custody.model.leaf import LeafRef
from custody.pipeline import signatures
from custody.pipeline.incidents.reading import OPERATIONS, Record, read
from custody.pipeline.incidents.sealing import Check, Desk, Sealed, Signer, known_of, seal
from custody.pipeline.signatures import Signed


class Saying(msgspec.Struct, frozen=True, kw_only=True):
    """What a step is made from: everything that is sealed, its incident, who says it, and when (µs)."""

    record: Record
    incident: Incident
    who: Who
    now: int


Make = Callable[[Saying], Step]


def who_signs(signer: Signer | None, signers: AllowedSigners | None, desk: Desk, space: str = STEP_NAMESPACE) -> Who:
    """Who will sign in the namespace ``space``, by the allowed signers; without a signer the account.

    UsageError where the key is nobody's.
    """
    if signer is None:
        return Who(author=f"account:{desk.by}")
    if signers is None:
        raise UsageError(
            "whose the key is cannot be said",
            expected="an allowed-signers file",
            advice="It is named when an incident is opened: open another, with --signers FILE.",
        )
    names = signers.principals(signer.key, space, desk.now())
    if not names:
        raise UsageError(
            "the allowed signers give the key no name",
            found=signers.why_not(signer.key, space, desk.now()),
            advice="The file that was sealed when the incident was opened is the one that counts.",
        )
    return Who(author=names[0], principals=names)


def signed(step: Step, armored: bytes, signers: bytes, now: int) -> Signed:
    """The signature of a step, checked. UsageError where it does not hold."""
    namespace = DECISION_NAMESPACE if isinstance(step, APPROVALS) else STEP_NAMESPACE
    try:
        allowed = allowed_signers.parse(signers, "the allowed signers")
        signature = signatures.verified(text_of(step), armored, namespace, allowed, now)
    except LogError as error:
        raise UsageError(
            error.message,
            where="the signature",
            found=error.found,
            expected=error.expected,
            advice=f"ssh-keygen -Y sign -f KEY -n {namespace} FILE signs a file; it must not change afterwards.",
        ) from None
    return Signed(signature=signature, armored=armored.decode("ascii"), signers=signers)


def say(desk: Desk, name: str, make: Make, signer: Signer | None, *more: Check) -> Sealed:
    """Seal one more step of the incident ``name`` in the operations log: ``make`` gives it, from what is sealed now.

    It is checked before it is signed, and again under the lock, by ``acting.check`` and ``more``.
    """
    record = read(desk.settings)
    incident = record.one(name)
    signers = signers_text(record, incident)
    allowed = None if signers is None else allowed_signers.parse(signers, "the allowed signers")
    who, now = who_signs(signer, allowed, desk), desk.now()
    step = make(Saying(record=record, incident=incident, who=who, now=now))
    check_texts(step, desk.secretive)

    def checked(found: Record, heard: Heard) -> None:
        check(found.one(name), step, heard.at)
        for each in more:
            each(found, heard)

    new = Heard(leaf=LeafRef(OPERATIONS, record.size), at=now, by=desk.by, step=step, digest=digest_of(step))
    if known_of(record, new, signer) is None:
        checked(record, new)
    given = None if signer is None or signers is None else _given(step, signer, signers, who, now)
    return seal(desk, step, given, checked)


def _given(step: Step, signer: Signer, signers: bytes, who: Who, now: int) -> Signed:
    """The step signed, by exactly who it says."""
    found = signed(step, signer.sign(text_of(step), STEP_NAMESPACE), signers, now)
    if found.signature.principals != who.principals:
        raise UsageError("somebody else signed", found=", ".join(found.signature.principals), expected=who.author)
    return found


def signers_text(record: Record, incident: Incident) -> bytes | None:
    """The allowed-signers file of an incident: that of its opening, and no other, whoever hands one over later."""
    pinned = record.response(incident).signers
    return None if pinned is None else pinned.encode()


def given_signers(desk: Desk) -> bytes | None:
    """The allowed-signers file of the settings, None where there is none."""
    path = desk.settings.signers
    return None if path is None else signatures.read_bounded(path, allowed_signers.MAX_FILE)
