"""Opening an incident: what it starts from, and the response file that holds for it, sealed with it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from custody.broker.clock import ulid
from custody.broker.policy.folder import refusal, texts
from custody.errors import LogError, NotFound, UsageError
from custody.incidents.policy.deciding import DEFAULT, check, shipped
from custody.incidents.record.acting import moment, one_line
from custody.incidents.record.folding import Heard
from custody.incidents.record.response import STATEMENT, Response, digest_of, text_of
from custody.incidents.record.weighing import SKEW
from custody.ledger import allowed_signers
from custody.model import incidents
from custody.model.incidents import STEP_NAMESPACE, Opened, Seed, SeedKind
from custody.model.leaf import LeafRef
from custody.model.times import text
from custody.model.verdicts import Severity
from custody.pipeline.incidents import unfound
from custody.pipeline.incidents.reading import OPERATIONS, Record, read
from custody.pipeline.incidents.saying import given_signers, signed, who_signs
from custody.pipeline.incidents.sealing import Desk, Sealed, Signer, known_of, seal
from custody.settings.catalog import Settings
from custody.settings.response_file import read_response_file
from custody.store.reader import Reader

MOST_TITLE, MOST_SEEDS = 200, 200


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody opens. ``aware`` (RFC 3339) is when people came to know; None: nobody says. No seeds: by hand."""

    title: str
    severity: Severity
    reason: str
    seeds: tuple[Seed, ...] = ()
    aware: str | None = None


def open_incident(desk: Desk, wanted: Wanted, signer: Signer | None) -> Sealed:
    """Seal the opening, and the response file where it is a new one. UsageError where something given is wrong.

    Where the same is open already, opened by the same author, that is what is given back.
    """
    record, response = read(desk.settings), response_of(desk.settings, given_signers(desk))
    step = _step(desk, wanted, response)
    new = Heard(
        leaf=LeafRef(OPERATIONS, record.size), at=desk.now(), by=desk.by, step=step, digest=incidents.digest_of(step)
    )
    known = known_of(record, new, signer)
    given = None
    if signer is not None and known is None:
        signers = given_signers(desk)
        allowed = None if signers is None else allowed_signers.parse(signers, "the allowed signers")
        who_signs(signer, allowed, desk)
        given = signed(step, signer.sign(incidents.text_of(step), STEP_NAMESPACE), signers or b"", desk.now())
    if known is not None:
        again = unfound.seeds(desk.settings, wanted.seeds)
        return Sealed(
            leaf=known.leaf, step=known.step, digest=known.digest, sealed=False, author=known.author, notes=again
        )
    found = seal(desk, step, given, _check_new, (STATEMENT, text_of(response)))
    notes = (*_notes(desk.settings, record, response), *unfound.seeds(desk.settings, wanted.seeds))
    return msgspec.structs.replace(found, notes=(*found.notes, *notes))


def response_of(settings: Settings, signers: bytes | None = None) -> Response:
    """The response file of the settings as it will be sealed. UsageError where its policies cannot decide."""
    path = settings.response
    if path is None:
        return Response(policies={DEFAULT: shipped()}, signers=_text(signers))
    file = read_response_file(path)
    folder = file.policy_folder()
    files, extension = ({DEFAULT: shipped()}, None) if folder is None else texts(folder)
    found = check(files, extension)
    if found.found is None or not files:
        raise refusal(folder or path, found.flaws)
    return Response(
        groups=file.groups,
        people=tuple(names for _, names in sorted(file.people.items())),
        limits=file.limits,
        checklist=file.checklist,
        policies=files,
        extension=extension,
        signers=_text(signers),
    )


def seeds_of(settings: Settings, given: Sequence[tuple[SeedKind, str]]) -> tuple[Seed, ...]:
    """What an incident grows from, each once.

    NotFound where an alert is no record of the store, or a finding none of the last audit.
    """
    if len(given) > MOST_SEEDS:
        raise UsageError("too many to start from", found=str(len(given)), expected=f"{MOST_SEEDS} at most")
    found = tuple(dict.fromkeys(_seed(settings, kind, value) for kind, value in given))
    unfound.check_findings(settings, found)
    return found


def leaf_of(settings: Settings, given: str) -> LeafRef:
    """The leaf that ``operations:1204``, ``approvals:3`` or ``1204`` names. UsageError, NotFound past the end."""
    log, colon, number = given.rpartition(":")
    if log not in ("", "operations", "approvals") or not number.isascii() or not number.isdecimal() or len(number) > 15:
        raise UsageError("not a leaf", where="--cite", found=given[:60], expected="operations:N, approvals:N or N")
    leaf = LeafRef(log if colon else OPERATIONS, int(number))
    if leaf.log == OPERATIONS:
        with Reader.open(settings.store) as reader:
            if leaf.index >= reader.size:
                raise NotFound("no such leaf", where=given[:60], expected=f"below {reader.size}")
    return leaf


def _seed(settings: Settings, kind: SeedKind, value: str) -> Seed:
    if kind is not SeedKind.ALERT:
        return Seed(kind=kind, value=one_line(value, f"--{kind.value}"))
    leaf = leaf_of(settings, value)
    with Reader.open(settings.store) as reader:
        record = reader.record(leaf.index)
    return Seed(kind=kind, value=f"{record.source} {record.id}", record=leaf)


def _step(desk: Desk, wanted: Wanted, response: Response) -> Opened:
    now = desk.now()
    aware = moment(wanted.aware, "--aware")
    if aware is not None and aware > now + SKEW:
        raise UsageError("nobody can have known it by then", where="--aware", found=str(wanted.aware)[:40])
    return Opened(
        incident=f"in-{ulid(now, desk.random)}",
        title=one_line(wanted.title, "--title", MOST_TITLE),
        severity=wanted.severity,
        seeds=wanted.seeds,
        reason=one_line(wanted.reason, "--reason"),
        aware=text(aware),
        response=digest_of(response),
    )


def _check_new(record: Record, heard: Heard) -> None:
    if any(each.id == heard.step.incident for each in record.incidents):
        raise UsageError("an incident of this id is open already", where=heard.step.incident)


def _notes(settings: Settings, record: Record, response: Response) -> tuple[str, ...]:
    """What somebody should know about who can approve anything."""
    notes = []
    if response.signers is None:
        notes.append(
            "no allowed signers: nobody can sign, so nothing can be asked for or approved, and it cannot be closed; "
            "open another with --signers FILE"
        )
    elif settings.response is None:
        notes.append("no response file: people can ask, nobody can approve; what cannot wait is break-glass")
    last = next(reversed(list(record.responses)), None)
    if last is not None and last != digest_of(response):
        notes.append(f"another response file than the last: {last[:12]}… before, {digest_of(response)[:12]}… now")
    return tuple(notes)


def _text(data: bytes | None) -> str | None:
    if data is None:
        return None
    try:
        allowed_signers.parse(data, "--signers")
        return data.decode()
    except LogError as error:
        raise UsageError(error.message, where=error.where, found=error.found, expected=error.expected) from None
