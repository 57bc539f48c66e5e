"""The steps of a drill, one function each: what it does, and what has to be seen for it to count as done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from custody.broker.backends.backend import Held
from custody.broker.clock import Random
from custody.broker.evidence.standby import hold_journal
from custody.broker.glass import file as glass_file
from custody.broker.glass import holders, shares
from custody.broker.glass.sealing import Opened
from custody.broker.state.fold import held_of
from custody.errors import BackendFailed, EvidenceUnavailable, StoreError
from custody.model.events import MICROSECONDS
from custody.model.report import Report
from custody.pipeline import audit
from custody.pipeline.brokering.places import journal_folder
from custody.pipeline.brokering.sealing import Sealer
from custody.pipeline.glass import acting, ingesting, reviewing
from custody.pipeline.glass.opening import OfflineJournal, journal_beside
from custody.pipeline.glass.preparing import Wish
from custody.pipeline.glass.session import Parts
from custody.pipeline.glass.targets import LONGEST, NAME, SCOPE, Target
from custody.pipeline.report import stored
from custody.pipeline.signatures import Given

BROKER, ACCOUNT = "drill", "emergency"
PEOPLE = ("person:drill:first", "person:drill:second", "person:drill:third")
REVIEWER = "person:drill:reviewer"
BY = "drill"
RULE = "break-glass-used"


class Play:
    """What the steps of one drill hand on to each other."""

    def __init__(self, folder: Path, parts: Parts, target: Target, random: Random) -> None:
        self.folder, self.parts, self.target, self.random = folder, parts, target, random
        self.keys = tuple(holders.new_key(random) for _ in PEOPLE)
        self.file = folder / "sealed.glass"
        self.held: Held | None = None
        self.opened: Opened | None = None

    @property
    def until(self) -> int:
        """As long as a drill's credentials may live (µs)."""
        return self.parts.clock.now() + LONGEST * MICROSECONDS

    def sealed(self, path: Path | None = None) -> glass_file.Sealed:
        """The glass file as anybody reads it."""
        path = path or self.file
        return glass_file.read(path.read_bytes(), str(path))

    def works(self) -> bool:
        """Whether the credential that was opened opens the target now."""
        assert self.opened is not None
        assert self.held is not None
        return self.target.works(self.opened.contents, self.held)


async def step_of(play: Play, name: str) -> str:
    """Play a step; gives what was seen. An error of the tree where it was not done."""
    return await _STEPS[name](play)


async def _prepare(play: Play) -> str:
    wish = Wish(
        backend=NAME,
        account=ACCOUNT,
        holders=tuple(holders.holder_of(*each) for each in zip(PEOPLE, play.keys, strict=True)),
        until=play.until,
        reason="drill: the broker will be down",
        by=BY,
        scope=(SCOPE,),
    )
    done = await acting.prepared(play.parts, wish, play.file)
    play.held = held_of(await play.parts.broker.lease(done.sealed.chain))
    return f"{done.sealed.glass} for {len(PEOPLE)} holders, receipt {done.receipt}"


async def _broker_down(play: Play) -> str:
    """Nobody holds the journal, and the broker gives nothing."""
    hold_journal(journal_folder(play.parts.settings.store)).release()
    try:
        play.parts.broker.running.check_serving()
    except EvidenceUnavailable as error:
        return f"nothing is issued: {error.reason}"
    raise StoreError("the broker still serves")


async def _open(play: Play) -> str:
    """The first holder gives a share, the second opens with it, as on two machines."""
    sealed, clock = play.sealed(), play.parts.clock
    share = shares.give(sealed, play.keys[0], PEOPLE[1], "drill: opening", play.random)
    opened, reason = shares.take(sealed, share, play.keys[1])
    journal = OfflineJournal(journal_beside(play.file), sealed, clock.now(), play.random)
    try:
        journal.say("opened", reason, opened, clock.now())
    finally:
        journal.close()
    play.opened = opened
    return f"by {' and '.join(opened.people)}"


async def _use(play: Play) -> str:
    sealed, clock, opened = play.sealed(), play.parts.clock, play.opened
    assert opened is not None
    journal = OfflineJournal(journal_beside(play.file), sealed, clock.now(), play.random)
    try:
        journal.say("used", "drill: one login", opened, clock.now())
        taken = play.works()
        journal.say("ended", "drill: logged out" if taken else "drill: refused", opened, clock.now())
    finally:
        journal.close()
    if not taken:
        raise BackendFailed("the target refused the credential", reason="refused", where=NAME)
    return f"a login at {play.target.kind} was taken"


async def _detect(play: Play) -> str:
    """The alarm: a finding about exactly this glass, from the target's log where it keeps one."""
    sealed, settings = play.sealed(), play.parts.settings
    report: Report
    if play.target.keeps_log:
        path = play.target.log(sealed.keys[0].rpartition(":")[2])
        report = audit.audit(settings, [path], lambda _: None)
    else:
        Sealer(settings, BROKER).derive()
        report = stored(settings)
    found = [each for each in report.findings if each.rule == RULE and sealed.glass in each.who]
    if not found:
        raise StoreError("no alarm was raised", expected=RULE)
    source = "the target's log" if play.target.keeps_log else "the journal"
    return f"{found[0].rule}, {found[0].severity}, from {source}"


async def _revoke(play: Play) -> str:
    """Ended, seen to be gone in the target's own state, and refused when it is tried."""
    lease = await acting.ended(play.parts, str(play.file), by=BY, reason="drill: the emergency is over")
    if play.works():
        raise BackendFailed("the credential still works", reason="still-works", where=NAME)
    return f"{lease.effect}, seen in the target's state; a login was refused"


async def _rotate(play: Play) -> str:
    """Another one for the same holders, which another pair of them can open."""
    out = play.folder / "rotated.glass"
    done = await acting.rotated(play.parts, str(play.file), out, until=play.until, by=BY, reason="drill: rotated")
    opened = shares.both(play.sealed(out), play.keys[1], play.keys[2])
    held = held_of(await play.parts.broker.lease(done.new.sealed.chain))
    if not play.target.works(opened.contents, held):
        raise BackendFailed("the new credential does not work", reason="refused", where=NAME)
    await acting.ended(play.parts, str(out), by=BY, reason="drill: over")
    return f"{done.new.sealed.glass} works, and is ended with the drill"


async def _ingest(play: Play) -> str:
    found = ingesting.ingest(play.parts.settings, journal_beside(play.file))
    return f"{found.fresh} signed lines, the last at operations:{found.leaf}"


async def _review(play: Play) -> str:
    """By one who did not open it."""
    settings, clock = play.parts.settings, play.parts.clock
    made = reviewing.draft(settings, str(play.file), "drill: looked at every step")
    found = reviewing.review(settings, made, Given(), REVIEWER, clock, play.random)
    signed = "signed" if found.signed else "claimed, as a drill has no people"
    return f"by {found.reviewer} ({signed}), operations:{found.leaf}"


_STEPS: dict[str, Callable[[Play], Awaitable[str]]] = {
    "prepare": _prepare,
    "broker-down": _broker_down,
    "open": _open,
    "use": _use,
    "detect": _detect,
    "revoke": _revoke,
    "rotate": _rotate,
    "ingest": _ingest,
    "review": _review,
}
