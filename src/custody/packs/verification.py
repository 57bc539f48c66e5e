"""The check of a pack, offline and without a store, in numbered steps.

It shares with the code that writes packs the hash functions, the reading of notes, proofs and entries (which refuse all
but one form), and the layout of the archive; nothing else. It believes nothing that the pack says of itself before the
step that shows it. Problems are collected, one a file, so that a damaged pack says where.
"""

from collections.abc import Callable, Iterator
from hashlib import file_digest, sha256
from pathlib import Path
from typing import BinaryIO

import msgspec

from custody.errors import LogError
from custody.ledger import note
from custody.ledger.checkpoint import Checkpoint
from custody.ledger.policy import Policy, accept, cosigners, parse_policy
from custody.ledger.timestamp import Stamped
from custody.model.times import text
from custody.packs import archive, documents, manifest, parts
from custody.packs.approvals import Approvals, Beside
from custody.packs.cited import Citations
from custody.packs.manifest import Listed, Manifest
from custody.packs.proven import FOLDERS, Proven
from custody.packs.seal import Seal, read_seal
from custody.packs.stamps import Roots, stamps
from custody.packs.steps import Listed as Step
from custody.packs.steps import Steps
from custody.store.rotation import decode, followed

LARGEST = 64 << 20
"""Bytes of a file that is read as a whole."""

Progress = Callable[[int, int], None]

OWN_WORD = "the pack's own word"
"""Whose word the key is where none was given."""

PROVES = (
    "every entry in the pack is in the log of the checkpoint, at its leaf",
    "every record in the pack is, to the byte, what its entry commits to",
    "every leaf that the pack's documents cite is in the pack",
    "the contract and the digests of the derived tables are those that the log seals",
)
"""What a pack that verifies shows."""

NOT_PROVED = (
    "that there are no other records: a proof shows presence, never absence; scope.json says what was read",
    "the verdicts, findings and counts: they rest on the whole store, where `custody rebuild` makes them again",
)
"""What it does not."""

PROVES_OF_INCIDENT = (
    "every step of the incident in the pack was sealed, to the byte, in the log that it is said to be in",
    "the signatures that steps.json names hold, by the signers of the response file that the incident was opened under",
    "the log of approvals in the pack is one that the operations log had sealed",
)
"""What a pack of an incident that verifies shows beside."""
NOT_PROVED_OF_INCIDENT = (
    "that nobody sealed other steps of the incident; that steps were sealed at the times that they say",
)


class Stamp(msgspec.Struct, frozen=True):
    """A time stamp that holds: at what time (RFC 3339), by which authority."""

    time: str
    authority: str


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What was found. ``status`` is ok or damaged; ``trusted`` says whose word the key is.

    ``problems`` are pairs of file and sentence. ``withheld`` counts records without their bytes, ``cited`` the leaves
    that documents cite. ``cosigned`` names the witnesses of the policy that signed the checkpoint too; ``time_stamps``
    counts those over it, ``stamped`` has what those say whose signatures were checked, under roots that were given.
    ``sealed`` is what the log says of this very file, None where no seal stands beside it. Of a pack of an incident:
    its id, its steps and how many are signed, and ``approvals``, the log of approvals that the operations log sealed.
    """

    status: str
    pack: str
    sha256: str
    trusted: str
    origin: str | None = None
    vkeys: tuple[str, ...] = ()
    size: int | None = None
    root: str | None = None
    as_of: str | None = None
    made_for: str | None = None
    files: int = 0
    leaves: int = 0
    records: int = 0
    withheld: int = 0
    cited: int = 0
    cosigned: tuple[str, ...] = ()
    time_stamps: int = 0
    stamped: tuple[Stamp, ...] = ()
    sealed: Seal | None = None
    incident: str | None = None
    steps: int = 0
    signed: int = 0
    approvals: Beside | None = None
    problems: tuple[tuple[str, str], ...] = ()
    proves: tuple[str, ...] = PROVES
    not_proved: tuple[str, ...] = NOT_PROVED


def verify(
    path: Path,
    given: Policy | None,
    seal: bytes | None,
    progress: Progress | None = None,
    roots: Roots = (),
    approvals_vkey: str | None = None,
) -> Checked:
    """Check the pack at ``path`` under the policy ``given``, or under its own; ``seal`` is the proof beside it.

    ``approvals_vkey`` is the key of the log of approvals, which a pack of an incident has; ``roots`` are those of
    time-stamping authorities. Raises OSError where the file cannot be read, UsageError where roots are given and what
    checks time stamps is not installed; all else is in the result.
    """
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
        check = _Check(file, given, progress, roots, approvals_vkey)
        try:
            check.run()
        except LogError as error:
            check.name(error.where or path.name, error)
        if check.policy is not None and seal is not None:
            check.seal(seal, digest, path)
    return check.result(path, digest)


class _Check:
    """One pass over a pack."""

    def __init__(
        self, file: BinaryIO, given: Policy | None, progress: Progress | None, roots: Roots, approvals_vkey: str | None
    ) -> None:
        self.policy = given
        self._approvals_vkey = approvals_vkey
        self._roots = roots
        self._file = file
        self._given = given
        self._progress = progress
        self._problems: dict[str, str] = {}
        self._members: dict[str, archive.Member] = {}
        self._manifest: Manifest | None = None
        self._point: Checkpoint | None = None
        self._proven: Proven | None = None
        self._approvals: Approvals | None = None
        self._steps: tuple[Step, ...] = ()
        self._sealed: Seal | None = None
        self._cosigned: frozenset[str] = frozenset()
        self._stamps: list[Stamped | None] = []
        self._cited = 0

    def run(self) -> None:
        """Every step in turn. LogError where nothing further can be checked."""
        # 1. The archive is of the one form that packs have; nothing is unpacked yet.
        self._members = {each.name: each for each in archive.read_members(self._file)}
        # 2. The manifest, in its one form.
        if manifest.NAME not in self._members:
            raise LogError("not a pack: it has no manifest", where=manifest.NAME)
        self._manifest = found = manifest.decode(self._whole(manifest.NAME, manifest.MAX_MANIFEST))
        # 3. Exactly the files that it lists, in its order, with their hashes.
        self._names(found)
        for listed in found.files:
            self._hashed(listed)
        # 4. The checkpoint, signed as the policy asks.
        self._signed(found)
        # 5. Every leaf: entry, proof, kept bytes, and what it rests on.
        self._leaves(found)
        # 6. Of an incident: the log of approvals, and every step against the leaf that seals it.
        self._incident(found)
        # 7. What the documents cite.
        self._documents(found)

    def name(self, path: str, problem: str | LogError) -> None:
        """Note a problem with a file, unless it has one."""
        if isinstance(problem, LogError):
            sides = ", ".join(f"{word} {text}" for word, text in _sides(problem) if text)
            problem = problem.message + (f" ({sides})" if sides else "")
        self._problems.setdefault(path, problem)

    def seal(self, data: bytes, digest: str, path: Path) -> None:
        """8. The seal beside the pack is the log's own statement about these very bytes."""
        assert self.policy is not None
        try:
            seal = read_seal(data, self.policy, digest)
            if self._point is not None and seal.origin != self._point.origin:
                raise LogError("it is of another log", found=seal.origin, expected=self._point.origin)
            self._sealed = seal
        except LogError as error:
            self.name(path.name + parts.SEAL, error)

    def result(self, path: Path, digest: str) -> Checked:
        """What was found."""
        found, point, proven = self._manifest, self._point, self._proven
        return Checked(
            status="damaged" if self._problems else "ok",
            pack=str(path),
            sha256=digest,
            trusted=self._trusted(),
            origin=None if point is None else point.origin,
            vkeys=() if self.policy is None else tuple(each.vkey for each in self.policy.logs),
            size=None if point is None else point.size,
            root=None if point is None else note.encode64(point.root),
            as_of=None if found is None else found.basis.as_of,
            made_for=None if found is None else found.options.made_for,
            files=len(self._members),
            leaves=0 if proven is None else len(proven.leaves),
            records=0 if proven is None else proven.records,
            withheld=0 if proven is None else proven.withheld,
            cited=self._cited,
            cosigned=tuple(sorted(self._cosigned)),
            time_stamps=len(self._stamps),
            stamped=tuple(Stamp(str(text(each.time)), each.authority) for each in self._stamps if each is not None),
            sealed=self._sealed,
            incident=None if found is None else _incident_of(found),
            steps=len(self._steps),
            signed=sum(each.signed is not None for each in self._steps),
            approvals=None if self._approvals is None else self._approvals.beside,
            problems=tuple(self._problems.items()),
            proves=PROVES if found is None or _incident_of(found) is None else (*PROVES, *PROVES_OF_INCIDENT),
            not_proved=(
                NOT_PROVED if found is None or _incident_of(found) is None else (*NOT_PROVED, *NOT_PROVED_OF_INCIDENT)
            ),
        )

    def _trusted(self) -> str:
        if self._given is None or self.policy is None:
            return OWN_WORD
        later = len(self.policy.logs) - len(self._given.logs)
        return "the key or policy that was given" + (f", and {later} later by key rotation" if later else "")

    def _names(self, found: Manifest) -> None:
        listed = [*(each.path for each in found.files), manifest.NAME]
        expected = set(listed)
        about = _incident_of(found) is not None
        known = parts.KNOWN | (parts.KNOWN_OF_INCIDENT if about else frozenset())
        folders = (*FOLDERS, parts.STAMPS, *(parts.APPROVALS + each for each in FOLDERS if about))
        for path in listed:
            if path not in self._members:
                self.name(path, "the manifest lists it, and it is not there")
        for path in self._members:
            if path not in expected:
                self.name(path, "it is not in the manifest")
            elif path not in known and not path.startswith(folders):
                self.name(path, "no pack has such a file")
        if len(expected) < len(listed):
            self.name(manifest.NAME, "it lists a file twice")
        self._order(listed, expected)
        for path in (*parts.ALWAYS, *(parts.INCIDENT_ALWAYS if about else ())):
            if path not in self._members:
                self.name(path, "every pack has this file, and it is not there")

    def _order(self, listed: list[str], expected: set[str]) -> None:
        there = [path for path in self._members if path in expected]
        for path, place in zip(there, (path for path in listed if path in self._members), strict=False):
            if path != place:
                self.name(path, f"it stands where {place} should, by the manifest")
                break

    def _hashed(self, listed: Listed) -> None:
        member = self._members.get(listed.path)
        if member is None:
            return
        digest, size = sha256(), 0
        try:
            for chunk in archive.read_member(self._file, member):
                digest.update(chunk)
                size += len(chunk)
        except LogError as error:
            self.name(listed.path, error)
            return
        if (size, digest.hexdigest()) != (listed.size, listed.sha256):
            self.name(listed.path, "it is not the file that the manifest lists")

    def _signed(self, found: Manifest) -> None:
        try:
            own = parse_policy(self._whole(parts.POLICY))
        except LogError as error:
            self.name(parts.POLICY, error)
            own = None
        self.policy = self._given or own
        if self.policy is None:
            return
        if parts.ROTATIONS in self._members:
            try:
                self.policy = followed(self.policy, decode(self._whole(parts.ROTATIONS)))
            except (LogError, ValueError) as error:
                self.name(parts.ROTATIONS, error if isinstance(error, LogError) else str(error))
        try:
            signed = self._whole(parts.CHECKPOINT, note.MAX_NOTE)
            point = accept(self.policy, signed)
            stated = (found.basis.origin, found.basis.size, found.basis.root)
            if stated != (point.origin, point.size, note.encode64(point.root)):
                self.name(manifest.NAME, "it states another checkpoint than the pack holds")
            self._point = point
            self._cosigned = cosigners(self.policy, note.parse_note(signed))
            self._stamps = stamps(self._members, self._whole, point, self._roots, self.name)
            self._proven = Proven(signed, point, self._whole, self._chunks, self._members, self.name)
        except LogError as error:
            self.name(parts.CHECKPOINT, error)

    def _leaves(self, found: Manifest) -> None:
        if self._proven is None:
            return
        self._proven.run(self._progress)
        self._proven.foundations(found.basis)

    def _incident(self, found: Manifest) -> None:
        incident = _incident_of(found)
        if self._proven is None or incident is None:
            return
        if any(path.startswith(parts.APPROVALS) for path in self._members):
            vkey = self._approvals_vkey
            self._approvals = Approvals(self._whole, self._chunks, self._members, self.name, vkey)
            self._approvals.run(self._proven.said, found.basis.origin)
        steps = Steps(incident, self._proven.said, {} if self._approvals is None else self._approvals.said)
        self._steps = steps.found
        try:
            kept = self._whole(parts.RESPONSE) if parts.RESPONSE in self._members else None
            steps.run(documents.read_listing(self._chunks(parts.INCIDENT_STEPS)), kept, self.name)
        except LogError as error:
            self.name(parts.INCIDENT_STEPS, error)

    def _documents(self, found: Manifest) -> None:
        if self._proven is None:  # nothing is proved under such a checkpoint: to say so of every document helps nobody
            return
        approvals = frozenset[int]() if self._approvals is None else self._approvals.leaves
        citations = Citations(self._chunks, self._members, frozenset(self._proven.leaves), self.name, approvals)
        self._cited = citations.run(found.options)

    def _chunks(self, path: str) -> Iterator[bytes]:
        member = self._members.get(path)
        if member is None:
            raise LogError("it is not there", where=path)
        return archive.read_member(self._file, member)

    def _whole(self, path: str, most: int = LARGEST) -> bytes:
        """The bytes of a file. LogError where it is missing, damaged or larger than it may be."""
        member = self._members.get(path)
        if member is None:
            raise LogError("it is not there", where=path)
        if member.size > most:
            raise LogError("it is too large", where=path, found=f"{member.size} bytes", expected=f"at most {most}")
        return b"".join(archive.read_member(self._file, member))


def _incident_of(found: Manifest) -> str | None:
    """The id of the incident that a pack is about."""
    incident = found.options.incident
    return None if incident is msgspec.UNSET else incident


def _sides(error: LogError) -> tuple[tuple[str, str], ...]:
    return (("found", error.found), ("expected", error.expected))
