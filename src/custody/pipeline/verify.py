"""Check a store against its log, and the log against a key; or a pack, which needs neither store nor keys."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import msgspec
from cryptography.x509 import Certificate

from custody.errors import LogError, StoreError, StoreNewer, UsageError
from custody.ledger import timestamp
from custody.ledger.policy import Policy, parse_policy, satisfied
from custody.ledger.proof import MAX_PROOF
from custody.packs import parts
from custody.packs import verification as packs
from custody.pipeline import approvals
from custody.pipeline.anchor import WITNESS, Anchor, held, policy_of
from custody.pipeline.approvals import Beside
from custody.settings.catalog import Settings
from custody.store import layout
from custody.store.keyring import read_last_signed, stored_vkey
from custody.store.rotation import keys_of
from custody.store.storefile import StoreFile, read_store_file
from custody.store.verification import Verification
from custody.store.verification import verify as check

ANCHOR = "tamper-evident to holders of an earlier checkpoint"


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was found. ``status`` is ok, unfinished or damaged; ``trusted`` says whose word the key is.

    ``anchored`` is whether an anchor holds that is trusted from outside, ``anchors`` are all that are sealed.
    """

    status: str
    log: str
    origin: str
    vkey: str
    trusted: str
    size: int | None
    root: str | None
    records: int
    exempt: tuple[str, ...]
    damage: tuple[tuple[str, str], ...]
    unfinished: tuple[tuple[str, str], ...]
    against: str | None
    anchors: tuple[Anchor, ...] = ()
    anchored: bool = False
    claim: str = ANCHOR
    erased: int = 0
    approvals: Beside | None = None


def verify(
    settings: Settings,
    vkey: str | None,
    against: Path | None,
    progress: Callable[[int, int], None] | None,
    policy: Path | None = None,
    roots: Path | None = None,
    approvals_vkey: str | None = None,
) -> Verified:
    """Verify the whole store; ``vkey`` is a key or a file that holds one, ``approvals_vkey`` that of the second log.

    ``policy`` (C2SP tlog-policy) names the log and the witnesses that are trusted, ``roots`` (PEM) those of
    time-stamping authorities: without them the log's anchors rest on its own word.
    """
    asked = None if policy is None else policy_of(policy)  # what is wrong with it is said before an hour of reading
    try:
        store = read_store_file(settings.store)
    except StoreNewer:
        raise
    except StoreError as error:
        return _without_store_file(settings.store, error)
    other = None if against is None else _of_this_log(against, store.origin)
    own = stored_vkey(settings.keys, store.store)
    key, trusted = _key(vkey, own)
    if vkey is None and asked is not None and asked.logs:
        key, trusted = _log_of(asked, settings.store, store), "the policy that was given"
    given, _ = _key(approvals_vkey, None, "--approvals-vkey")
    found = check(
        settings.store,
        vkey=key,
        last_signed=read_last_signed(settings.keys / store.store),
        against=other,
        approvals_vkey=given or approvals.own_vkey(settings),
        progress=progress,
        processes=settings.jobs,
    )
    if key is not None and found.vkey != key:
        trusted += ", and the key rotations since"
    checked = _with_approvals(_verified(settings.store, found, trusted, against), settings, given)
    if found.damage or found.size is None:
        return checked
    return _anchored(checked, held(settings, policy, roots), asked)


def _log_of(policy: Policy, root: Path, store: StoreFile) -> str:
    """The key that a policy trusts this log by; UsageError where it is about other logs only."""
    named = [log.vkey for log in policy.logs if log.vkey.partition("+")[0] == store.origin]
    if not named:
        raise UsageError(
            "a policy of another log", where="--policy", found=policy.logs[0].vkey[:200], expected=store.origin
        )
    try:
        had = keys_of(root, store)
    except StoreError:
        had = ()
    return next((vkey for vkey in had if vkey in named), named[0])


def _with_approvals(found: Verified, settings: Settings, given: str | None) -> Verified:
    """What there is to say of the log of approvals, and how it stands to the note beside its key."""
    if found.size is None:
        return found
    damage, unfinished = (tuple(filter(None, (each,))) for each in approvals.behind(settings))
    status = "damaged" if damage else "unfinished" if unfinished and found.status == "ok" else found.status
    return msgspec.structs.replace(
        found,
        status=status,
        damage=(*found.damage, *damage),
        unfinished=(*found.unfinished, *unfinished),
        approvals=approvals.beside(settings, given),
    )


def _anchored(found: Verified, anchors: tuple[Anchor, ...], policy: Policy | None) -> Verified:
    """What the sealed anchors add; one that contradicts the log is damage."""
    wrong = tuple((layout.LOG, f"leaf {each.leaf}: the anchor does not hold: {each.problem}") for each in anchors)
    wrong = tuple(said for said, each in zip(wrong, anchors, strict=True) if each.problem)
    trusted = _of_quorum([each for each in anchors if each.holds and each.trusted], policy)
    claim = found.claim
    if trusted:
        last = max(trusted, key=lambda each: each.size)
        claim = f"up to size {last.size:,}, at {last.time} by {last.by}; above it {ANCHOR}"
    elif any(each.trusted for each in anchors):
        claim = f"witnesses of the policy cosigned, and no quorum of it. Until then {ANCHOR}"
    elif anchors:
        claim = (
            f"{len(anchors)} sealed, by the log's own word; --policy or --tsa-roots checks them. Until then {ANCHOR}"
        )
    return msgspec.structs.replace(
        found,
        status="damaged" if wrong else found.status,
        damage=(*found.damage, *wrong),
        anchors=anchors,
        anchored=bool(trusted),
        claim=claim,
    )


def _of_quorum(anchors: list[Anchor], policy: Policy | None) -> list[Anchor]:
    """The anchors that suffice: time stamps, and cosignatures of a size that a quorum of the policy has cosigned.

    Who cosigned a larger tree of this log has cosigned the smaller one with it.
    """
    names = {} if policy is None else {each.vkey: each.name for each in policy.witnesses}
    seen = [(each.size, names[each.by]) for each in anchors if each.how == WITNESS and each.by in names]
    return [
        each
        for each in anchors
        if each.how != WITNESS
        or (policy is not None and satisfied(policy, (name for size, name in seen if size >= each.size)))
    ]


def verify_pack(
    path: Path,
    vkey: str | None,
    policy: Path | None,
    progress: Callable[[int, int], None] | None,
    roots: Path | None = None,
    approvals_vkey: str | None = None,
) -> packs.Checked:
    """Verify an evidence pack with the seal beside it; ``policy`` and ``roots`` (PEM) are files, the keys as above.

    UsageError where a key or policy is not one, there is no such file, roots cannot be used, or ``approvals_vkey`` is
    given for a pack that has no log of approvals.
    """
    if vkey is not None and policy is not None:
        raise UsageError("a key and a policy were given", where="--vkey", expected="--vkey or --policy")
    if not path.is_file():
        raise UsageError("no such pack", where=str(path), expected="a file")
    beside = path.with_name(path.name + parts.SEAL)
    given, _ = _key(approvals_vkey, None, "--approvals-vkey")
    found = packs.verify(path, _policy(vkey, policy), _seal(beside), progress, _roots(roots), given)
    if given is not None and found.status == "ok" and found.approvals is None:
        raise UsageError("the pack has no log of approvals", where="--approvals-vkey", expected="a pack of an incident")
    return found


def _seal(path: Path) -> bytes | None:
    """The seal in a file, None where there is none; no more of it is read than a proof may be long."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return file.read(MAX_PROOF + 1)


def _roots(path: Path | None) -> tuple[Certificate, ...]:
    if path is None:
        return ()
    try:
        return timestamp.roots_of(path.read_bytes())
    except LogError as error:
        raise UsageError(str(error), where=str(path)) from None


def _policy(vkey: str | None, policy: Path | None) -> Policy | None:
    try:
        if policy is not None:
            return policy_of(policy)
        key, _ = _key(vkey, None)
        return None if key is None else parse_policy(f"log {key}\nquorum none\n".encode())
    except LogError as error:
        raise UsageError(f"not to be trusted: {error}", where="--vkey") from None


def _of_this_log(path: Path, origin: str) -> bytes:
    """The note in a file; UsageError where it is of another log, which says nothing about this one."""
    data = path.read_bytes()
    found = data.split(b"\n", 1)[0].decode("utf-8", "replace")
    if found != origin:
        raise UsageError(
            "a checkpoint of another log", where=str(path), found=found[:100], expected=origin,
            advice="a checkpoint of this log begins with its origin",
        )  # fmt: skip
    return data


def _without_store_file(root: Path, error: StoreError) -> Verified:
    """A store whose store.json cannot be read is damaged; where there is no store at all the error stands."""
    if not (root / layout.LOG).is_dir():
        raise error
    text = f"{error.message}: {error.found}" if error.found else error.message
    return Verified(
        status="damaged",
        log=str((root / layout.LOG).absolute()),
        origin="unknown",
        vkey="unknown",
        trusted="nothing: the file that names the log cannot be read",
        size=None,
        root=None,
        records=0,
        exempt=exempt_files(root),
        damage=((layout.STORE_FILE, text),),
        unfinished=(),
        against=None,
    )


def _key(given: str | None, own: str | None, where: str = "--vkey") -> tuple[str | None, str]:
    if given is not None:
        text = Path(given).read_text(encoding="utf-8").strip() if _is_file(given) else given.strip()
        if "+" not in text:
            raise UsageError("not a verifier key", where=where, found=repr(text[:60]), expected="name+hash+key")
        return text, "the key that was given"
    if own is not None:
        return own, "the key folder"
    return None, "the store's own word"


def exempt_files(root: Path) -> tuple[str, ...]:
    """What is not covered, relative to the store: the lock, the folder of caches, and every file in that now."""
    caches = [path for name in layout.EXEMPT for path in (root / name).rglob("*") if path.is_file()]
    return (*layout.EXEMPT, *sorted(str(path.relative_to(root)) for path in caches))


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def _verified(root: Path, found: Verification, trusted: str, against: Path | None) -> Verified:
    return Verified(
        status="damaged" if found.damage or found.size is None else "unfinished" if found.unfinished else "ok",
        log=str((root / found.log).absolute()),
        origin=found.origin,
        vkey=found.vkey,
        trusted=trusted,
        size=found.size,
        root=None if found.root is None else base64.b64encode(bytes.fromhex(found.root)).decode(),
        records=found.records,
        erased=found.erased,
        exempt=exempt_files(root),
        damage=tuple((problem.path, problem.text) for problem in found.damage),
        unfinished=tuple((problem.path, problem.text) for problem in found.unfinished),
        against=None if against is None else str(against),
    )
