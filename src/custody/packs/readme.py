"""The README of a pack: what is in it, how to check it with this tool and with others, what that shows and what not."""

import textwrap

import msgspec

from custody.packs import parts
from custody.packs.manifest import Basis, Options
from custody.packs.verification import NOT_PROVED, NOT_PROVED_OF_INCIDENT, PROVES, PROVES_OF_INCIDENT

WIDTH = 79

TEXT = """\
EVIDENCE PACK
=============

About        {about}
Made for     {made_for}
As of        {as_of}
Log          {origin}
Checkpoint   size {size}, root {root}

Open report.html first: it is the account for people. Everything that it says
cites leaves of a tamper-evident log, and each leaf is in this pack with its
proof.


1. CHECK IT
-----------

Get the verifier key of the log from somebody whom you trust to have the right
one, not from this pack.

    custody verify PACK.zip --vkey KEY

It needs no store and no network. Without --vkey the pack is checked against
the key in its own file `policy`: that shows that it is whole, not whose it is.
Beside the pack there should be a file PACK.zip{seal}, the log's own
statement about this very ZIP file: who made it, for whom, when. With it,
nothing in the ZIP can be changed without being noticed; without it the
documents (verdicts, findings, report) rest on whoever gave you the pack.

With other people's tools:

- Every file: `manifest.json` lists each with its SHA-256; `sha256sum FILE`
  gives the same.
- The checkpoint is a C2SP signed note, and the tree is that of RFC 6962: Go's
  golang.org/x/mod/sumdb/note (note.Open with the key) and .../sumdb/tlog
  (tlog.CheckRecord) check them, as does any other tool for C2SP
  tlog-checkpoint and tlog-proof.
- proofs/<leaf>.tlog-proof (C2SP tlog-proof) leads from the entry to the
  checkpoint: hash 0x00 and entries/<leaf> with SHA-256, follow RFC 9162
  section 2.1.3.2, compare with the root.
- The Ed25519 signature alone: `openssl pkeyutl -verify -rawin` over the text
  of the note.
- records/<leaf>.bin are the bytes of a record as kept, secrets masked in
  place. `leaves.json` has its salt; SHA-256(salt, bytes) is the field `kept`
  of entries/<leaf>:
  `(printf SALT | xxd -r -p; cat records/LEAF.bin) | sha256sum`
- A record without such a file was withheld from the start, or erased since:
  then an entry `erasure` names it.
- The field `file` of a record's entry is the leaf of the file it came from.
  That entry has the SHA-256 of the file as received: hash the original where
  you have it; `at` and `len` say where the record stands.
- The sample, where one was drawn: `population.json` has every id, its digest
  and the seed. The rank of an id is `printf '%s\\n%s' SEED ID | sha256sum`;
  the lowest were drawn.
- Tools that check whole logs (Tessera's fsck, `custody verify` on the store)
  need the whole log, not a pack.


2. WHAT IT SHOWS, AND WHAT NOT
------------------------------

A pack that verifies shows:
{proves}

It does not show:
{not_proved}

The words of verdicts: *proved* and *violated* rest only on exact links between
records, asserted by the system that issued or checked a credential. *unproven*
carries the best there is (indicated, claimed, or nothing) and is never counted
as proved. *open* can still change. *n/a* says why it does not apply. A verdict
cites at most 16 leaves, lowest first, and says how many there are. A chain
shows at most 40 uses.

The log is evident to holders of an earlier checkpoint, and to nobody else,
unless the checkpoint was anchored: then `checkpoint` has more signature lines,
of the witnesses that `policy` names (take their keys from them, and verify
with --policy FILE and a quorum of yours), or there are time stamps in
anchors/:

    openssl ts -verify -data anchors/N.checkpoint \\
        -in anchors/N.tsr -CAfile AUTHORITY.pem


3. WHAT IS IN IT
----------------

report.html                 the report, about what this pack is about
verdicts.json, chains.json  every question's answer for each credential; its
                            steps
findings.json               what asks for action
register.json               owners, purposes and other claims about the
                            identities, each with who said it
population.json             who could have been in this pack: ids, count,
                            digest, sample
scope.json                  what was read and what was not; what each source
                            should hold and does
contract.yaml               the contract that was judged by, where there is one
derived.json                SHA-256 of every derived table at this checkpoint
oscal-assessment-results.json
                            OSCAL 1.2 assessment results
ocsf-events.ndjson, ocsf-findings.ndjson
                            OCSF 1.8
csv/                        tables; cells that a spreadsheet would run are
                            quoted
checkpoint, policy          the signed note; the trust policy (C2SP tlog-policy)
{incident}rotations.json              how the log's key was replaced, where it was: each
                            old key signs for the next
anchors/                    time stamps over the checkpoint, where there are any
entries/, proofs/, records/
                            the leaves; leaves.json lists them
manifest.json               every file, its size and hash; what was asked for

How much of it:

{counts}
"""


INCIDENT = """\
incident/incident.html      the incident: open it first
incident/incident.json, incident/timeline.json
                            the same for programs: actions with approvals and
                            outcomes, answers, checklist, scope; the timeline
incident/steps.json         every step, exactly as it was sealed and signed
incident/response.json      who may do and approve what, as it was sealed when
                            the incident was opened: groups, policies, signers.
                            `ssh-keygen -Y verify -f SIGNERS -I NAME -n SPACE
                            -s SIGNATURE < TEXT` checks a step: the text is in
                            steps.json, the signature in entries/<leaf>, SPACE
                            is custody-incident or custody-approval
approvals/                  the log of approvals, a second log with another key:
                            its checkpoint, which an entry
                            `approvals-checkpoint` seals, and the decisions
"""
"""Lines about what only packs of incidents have."""


def readme(options: Options, basis: Basis, counts: dict[str, int]) -> bytes:
    """The text, ASCII. What people gave as options stands in it as JSON would write it."""
    lines = [f"- {name.replace('_', ' ')}: {value:,}" for name, value in counts.items()]
    of_incident = options.incident is not msgspec.UNSET
    return TEXT.format(
        about=_ascii(about(options)),
        made_for=_ascii(options.made_for or "nobody in particular"),
        as_of=basis.as_of or "no record has a time",
        origin=_ascii(basis.origin),
        size=basis.size,
        root=basis.root,
        seal=parts.SEAL,
        proves=_points((*PROVES, *(PROVES_OF_INCIDENT if of_incident else ()))),
        not_proved=_points((*NOT_PROVED, *(NOT_PROVED_OF_INCIDENT if of_incident else ()))),
        incident=INCIDENT if of_incident else "",
        counts="\n".join(lines),
    ).encode("ascii")


def about(options: Options) -> str:
    """What was asked for, in words."""
    said = [] if options.incident is msgspec.UNSET else [f"incident {options.incident}"]
    said += [
        f"{word} {' or '.join(values)}"
        for word, values in (
            ("identity", options.identities),
            ("credential", options.credentials),
            ("rule", options.rules),
            ("control", options.controls),
        )
        if values
    ]
    if options.period is not None:
        said.append(f"from {options.period[0]} until {options.period[1]}")
    if options.sample is not None:
        said.append(f"a sample of {options.sample}, seed {options.seed}")
    return "; ".join(said)


def _points(sentences: tuple[str, ...]) -> str:
    return "\n".join(
        textwrap.fill(f"{each}.", WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
        for each in sentences
    )


def _ascii(text: str) -> str:
    return "".join(
        each if each.isascii() and each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )
