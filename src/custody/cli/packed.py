"""What ``pack`` made and what ``verify`` found of a pack, as text."""

from __future__ import annotations

import textwrap

from custody.packs.parts import SEAL
from custody.packs.verification import OWN_WORD, Checked
from custody.pipeline.packing.pack import Packed
from custody.reports.safe import plain

MOST = 50
LABEL = 12
WIDTH = 80


def described(made: Packed) -> str:
    """The file, what it rests on, and how to check it."""
    counts = made.counts
    of = f" of {made.population:,}" if made.population != counts["credentials"] else ""
    lines = [
        _row("pack", f"{plain(made.file)}, {made.bytes:,} bytes"),
        _row("sha256", made.sha256),
        _row(
            "about", f"{_counted(counts['credentials'], 'credential')}{of}, {_counted(counts['findings'], 'finding')}"
        ),
        *_of_incident(made.incident, counts),
        _row("evidence", f"{_counted(counts['leaves'], 'leaf', 'leaves')} at size {made.checkpoint.size:,}"),
        _row("sealed", f"leaf {made.leaf}; {plain(made.seal)}"),
        _row("check", f"custody verify {plain(made.file)}"),
    ]
    return "\n".join(lines)


def checked(found: Checked) -> str:
    """Every problem with its file, whose word the rest is, what holds and what does not follow."""
    count = len(found.problems)
    word = "everything agrees" if found.status == "ok" else f"{_counted(count, 'file')} not as they should be"
    lines = [f"{found.status.upper() if count else found.status:<{LABEL}}{word}"]
    lines += [_row("problem", f"{plain(path)}: {plain(text)}") for path, text in found.problems[:MOST]]
    if count > MOST:
        lines.append(_row("problem", f"and {count - MOST} more; --json lists all"))
    lines += [
        _row("pack", f"{plain(found.pack)}, {_counted(found.files, 'file')}"),
        _row("sha256", found.sha256),
        _row("log", f"{plain(found.origin or 'unknown')}, size {'unknown' if found.size is None else found.size}"),
        _row("leaves", f"{found.leaves:,} proved, {found.cited:,} of them cited; {_counted(found.records, 'record')} "
             f"to the byte, {found.withheld:,} withheld"),
        *_incident(found),
        *(_row("key", plain(vkey)) for vkey in found.vkeys[:MOST]),
        _row("", f"trusted: {found.trusted}{_why_little(found)}"),
        _row("anchored", _anchored(found)),
        _row("sealed", _sealed(found)),
    ]  # fmt: skip
    if not count:
        lines += [_row("shows", text) for text in found.proves]
        lines += [_row("shows not", text) for text in found.not_proved]
    return "\n".join(lines)


def _of_incident(incident: str | None, counts: dict[str, int]) -> list[str]:
    return [] if incident is None else [_row("incident", f"{plain(incident)}, {_counted(counts['steps'], 'step')}")]


def _incident(found: Checked) -> list[str]:
    """The incident, and the log of approvals: its key is to be compared with the one that the approvers have."""
    if found.incident is None:
        return []
    told = f"{_counted(found.steps, 'step')}, {found.signed:,} of them signed by names that the signers give"
    rows = [_row("incident", f"{plain(found.incident)}: {told}")]
    if found.approvals is not None:
        beside = found.approvals
        rows.append(_row("approvals", f"{plain(beside.origin)}, size {beside.size}, sealed at leaf {beside.leaf}"))
        rows += [_row("", plain(beside.vkey)), _row("", f"trusted: {beside.trusted}")]
    return rows


def _anchored(found: Checked) -> str:
    own = ", which is the pack's own word" if found.trusted == OWN_WORD else ""
    said = [f"cosigned by {_witnesses(found.cosigned)}{own}"] if found.cosigned else []
    said += [f"time stamp of {each.time} by {each.authority or 'an authority'} holds" for each in found.stamped]
    if found.time_stamps > len(found.stamped):
        said.append(f"{_counted(found.time_stamps, 'time stamp')}, not checked: give --tsa-roots, or see README.txt")
    return plain("; ".join(said) or "no: evident to holders of an earlier checkpoint")


def _witnesses(names: tuple[str, ...]) -> str:
    return f"{'witness' if len(names) == 1 else 'witnesses'} {', '.join(names)}"


def _sealed(found: Checked) -> str:
    seal = found.sealed
    if seal is None:
        beside = any(path.endswith(SEAL) and "/" not in path for path, _ in found.problems)
        what = "the seal beside it does not hold" if beside else "no seal beside it"
        return f"{what}: every document in it (report, verdicts, tables) rests on whoever gave it to you"
    whom = f" for {seal.made_for}" if seal.made_for else ""
    own = "; that too is the pack's own word" if found.trusted == OWN_WORD else ""
    return plain(f"leaf {seal.leaf}: made by {seal.by}{whom} at {seal.at}{own}")


def _why_little(found: Checked) -> str:
    return "; give --vkey or --policy to find out whose it is" if found.trusted == OWN_WORD else ""


def _counted(count: int, what: str, many: str | None = None) -> str:
    return f"{count:,} {what if count == 1 else many or what + 's'}"


def _row(label: str, text: str) -> str:
    """A row of at most 80 columns where its words allow it; files and keys are never broken."""
    indent = " " * LABEL
    return textwrap.fill(
        text, WIDTH, initial_indent=f"{label:<{LABEL}}", subsequent_indent=indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
