"""The steps of an incident drill, one function each: what it does, and what has to be seen for it to count as done.

Every step is the code that an incident uses; none takes the word of another step for what it says.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from custody.errors import CustodyError, PolicyDenied, StoreError, UsageError
from custody.incidents.judging import answers, surviving
from custody.incidents.judging.checklist import Listed
from custody.incidents.record.folding import Incident, Where
from custody.incidents.record.weighing import where
from custody.incidents.telling.answered import Lease
from custody.model.incident_view import ActionView, IncidentView
from custody.model.incidents import ActionKind, Item, SeedKind
from custody.model.times import microseconds
from custody.model.verdicts import Severity, State
from custody.packs import parts
from custody.packs.manifest import Options
from custody.pipeline.drills.comparing import compared
from custody.pipeline.drills.playing import Play
from custody.pipeline.drills.theft import RULE
from custody.pipeline.incidents import acting, closing, doing, opening, reading
from custody.pipeline.incidents.judging import judged
from custody.pipeline.packing.pack import pack
from custody.pipeline.verify import verify_pack
from custody.store.keyring import VKEY
from custody.store.storefile import read_store_file

MINUTE = 60 * 1_000_000
PACK = "incident.zip"
KNOWN_BY = 12 * MINUTE
"""How long after the last record somebody looks at the end (µs)."""
LIVING = (answers.VERIFIED, surviving.SURVIVES)
"""Answers that nobody may call proved while something lives on."""
EARLY = "checklist-open"
"""Why it may not work again yet."""


def step_of(play: Play, name: str) -> str:
    """Play a step; gives what was seen. An error of the tree where it was not done."""
    return _STEPS[name](play)


def _generate(play: Play) -> str:
    play.generate()
    return f"{sum(play.stage.truth.records.values()):,} records of {len(play.stage.truth.credentials)} credentials"


def _collect(play: Play) -> str:
    report = play.collect(play.theft.at.alarm)
    return f"{report.run.records if report.run else 0:,} records in {report.run.files if report.run else 0} files"


def _detect(play: Play) -> str:
    """The alarm: a finding about exactly the stolen key, and none about what is not stolen."""
    assert play.report is not None
    found = [each for each in play.report.findings if each.rule == RULE]
    mine = next((each for each in found if each.subject == play.theft.stolen), None)
    if mine is None:
        raise StoreError("no alarm was raised", expected=f"{RULE} of {play.theft.stolen}")
    strange = [each.subject for each in found if each.subject not in play.theft.family]
    if strange:
        raise StoreError("an alarm about what is not stolen", found=", ".join(strange)[:200])
    play.finding = mine.id
    return f"{mine.rule}, {mine.severity}, {mine.id}"


def _open(play: Play) -> str:
    play.now = play.theft.at.opened
    seeds = opening.seeds_of(play.settings, [(SeedKind.FINDING, play.finding)])
    wanted = opening.Wanted(
        title="a key is used by somebody else", severity=Severity.HIGH, reason="drill: the alarm", seeds=seeds
    )
    found = opening.open_incident(play.desk, wanted, play.people.ann.signer)
    play.incident = found.step.incident
    return f"{found.step.incident}, signed by {play.people.ann.name}"


def _scope(play: Play) -> str:
    """All that had been issued and delivered by then, and nothing else: the key that comes later is not there yet."""
    view = play.look()
    told = {each.key for each in view.scope.credentials if each.join == "exact" and not each.apart}
    true = {play.theft.stolen, play.theft.session}
    if told != true:
        missed, strange = ", ".join(sorted(true - told)) or "none", ", ".join(sorted(told - true)) or "none"
        raise StoreError("the scope is another", found=f"missed: {missed}; not of the theft: {strange}"[:300])
    return f"{len(told)} of {len(true)} credentials of the theft, and no other"


def _ask(play: Play) -> str:
    play.now += MINUTE // 2
    play.first = play.ask(ActionKind.CONTAIN, (play.theft.stolen,), "drill: the key is abused")
    return f"{play.first}, waits for approval"


def _own_approval(play: Play) -> str:
    """Who asked for it is in the group that approves, and is refused all the same."""
    play.now += MINUTE // 2
    try:
        play.approve(play.first, play.people.ann, "drill: my own")
    except PolicyDenied as error:
        if play.action(play.first).decisions:
            raise StoreError("an approval of one's own is sealed", where=play.first) from None
        return f"refused ({error.reason})"
    raise StoreError("somebody approved what they asked for", where=play.first)


def _approve(play: Play) -> str:
    play.now = play.theft.at.approved
    play.approve(play.first, play.people.bob, "drill: agreed")
    stands = where(play.action(play.first), play.now)
    if stands is not Where.READY:
        raise StoreError("it may not be done", where=play.first, found=stands.value)
    return f"by {play.people.bob.name}, signed"


def _done(play: Play) -> str:
    """They say so, and are wrong: nothing but the log of the system that checks the key can tell."""
    play.now = play.theft.at.claimed
    play.done(play.first)
    return "said to be done, which it is not"


def _survivor(play: Play) -> str:
    """The key works on, and what the thief made with it: never proved, and both are named."""
    play.now = play.theft.at.look
    play.collect(play.now)
    view = play.look()
    _check_vain(play, view)
    told = {each.key for each in view.scope.credentials if each.alive and each.join == "exact" and not each.apart}
    true = play.theft.alive(microseconds(view.as_of) or 0)
    if told != true:
        names = ", ".join(sorted(told)) or "nobody"
        raise StoreError("what lives on is not what is named", found=names, expected=", ".join(sorted(true)))
    proved = [each.question for each in view.answers if each.question in LIVING and each.state == State.PROVED]
    if proved:
        raise StoreError("while both keys work this is called proved", found="; ".join(proved))
    return f"{_state(view, play.first)}: {' and '.join(sorted(true))} live on"


def _contain_again(play: Play) -> str:
    """Both keys, and this time it is so."""
    at = play.theft.at
    play.now = at.ended - 6 * MINUTE
    play.second = play.ask(ActionKind.CONTAIN, (play.theft.stolen, play.theft.hidden), "drill: both work on")
    play.now = at.ended - 4 * MINUTE
    play.approve(play.second, play.people.carl, "drill: agreed")
    play.now = at.hidden_ended
    play.done(play.second)
    return f"{play.second}, approved by {play.people.carl.name}"


def _enable_early(play: Play) -> str:
    """Two people approve it, and the checklist keeps it from being done."""
    play.now += MINUTE
    action = play.ask(ActionKind.ENABLE, (play.theft.identity,), "drill: may it work again?")
    for person in (play.people.bob, play.people.carl):
        play.now += MINUTE // 2
        play.approve(action, person, "drill: agreed")
    wanted = doing.Wanted(action=action)

    def judge(incident: Incident, items: tuple[Item, ...]) -> Iterable[Listed]:
        return judged(play.settings, incident, play.now, items).checklist

    try:
        doing.do(play.desk, wanted, _NoBroker(), judge, play.people.ann.signer)
    except PolicyDenied as error:
        if error.reason != EARLY:
            raise
        acting.settle(play.desk, action, "withdrawn", "drill: too early", play.people.ann.signer)
        return f"refused ({error.reason}), and withdrawn"
    raise StoreError("it may work again before anything was checked", where=action)


def _outcome(play: Play) -> str:
    """With all the logs: what was said too early is never proved, what ended in truth is."""
    play.collect(None)
    play.now = play.stage.truth.until + KNOWN_BY
    view = play.look()
    _check_vain(play, view)
    second = _state(view, play.second)
    if second != State.PROVED:
        raise StoreError("the end of both keys is not proved", found=f"{second}: {_text(view, play.second)}")
    return f"the first is {_state(view, play.first)}, the second {second}"


def _answers(play: Play) -> str:
    """Held against the truth. What is wrong is a figure besides, and fails the step as well.

    What each credential did is in the logs, so it has to be listed, whether or not that is said to be all.
    """
    assert play.view is not None
    silent = play.theft.family - {each.by for each in play.view.scope.touched}
    records = {each.key: sum(each.records.values()) for each in play.stage.truth.credentials}
    play.compared = compared(play.knowing(play.theft, records), play.view)
    counts = play.compared.counts
    told = f"{counts['right']} right, {counts['not known']} not known, {counts['wrong']} wrong"
    if counts["wrong"]:
        raise StoreError(told, found="; ".join(name for name, _, held in play.compared.answers if held == "wrong"))
    if silent:
        raise StoreError("nothing is listed that these touched", found=", ".join(sorted(silent)))
    return told


def _timeline(play: Play) -> str:
    """Every step of both logs, and what the systems recorded of each credential: its issue, uses and end."""
    assert play.view is not None
    sealed = len(reading.read(play.settings).one(play.incident).heard)
    lines = play.view.timeline.moments
    steps = [each for each in lines if each.party == "person"]
    logs = {each.leaf.log for each in steps}
    systems = sum(each.party == "system" for each in lines)
    ends = {("end", key) for key in (play.theft.stolen, play.theft.hidden)}
    needed = {(kind, key) for kind in ("issue", "use") for key in play.theft.family} | ends
    known = {(each.kind, each.key) for each in lines if each.party == "system"}
    if logs != {"operations", "approvals"} or len(steps) != sealed or needed - known:
        raise StoreError(
            "lines are missing", found=f"{len(steps)} steps of {', '.join(sorted(logs))}, {systems} records"
        )
    return f"{systems} lines of what systems recorded, {len(steps)} steps of both logs"


def _close(play: Play) -> str:
    """First while an action is open, which has to be refused."""
    play.now += MINUTE
    judge = closing.judge_of(play.settings)
    try:
        closing.close(play.desk, play.incident, "drill: too early", judge, play.people.ann.signer)
    except UsageError:
        if reading.read(play.settings).one(play.incident).closed is not None:
            raise StoreError("a close that was refused is sealed", where=play.incident) from None
    else:
        raise StoreError("it is closed while an action is open", where=play.first)
    acting.settle(play.desk, play.first, "failed", "drill: it was said too early", play.people.ann.signer)
    closing.close(play.desk, play.incident, "drill: both keys are deleted", judge, play.people.ann.signer)
    view = play.look()
    if view.state != "closed":
        raise StoreError("it is not closed", found=view.state)
    return f"refused while an action was open, then closed by {play.people.ann.name}"


def _pack(play: Play) -> str:
    """Checked with nothing but the file, the seal beside it, and the log's key; a changed one is refused."""
    path = play.folder / PACK
    play.packed = pack(play.settings, Options(incident=play.incident), path, lambda _: None)
    vkey = play.settings.keys / read_store_file(play.settings.store).store / VKEY
    found = verify_pack(path, str(vkey), None, None)
    if found.status != "ok" or found.steps == 0 or found.signed != found.steps:
        problem = f"{found.problems[0][0]}: {found.problems[0][1]}" if found.problems else f"{found.signed} signed"
        raise StoreError("the pack does not hold", where=PACK, found=problem)
    if _holds_changed(path, str(vkey)):
        raise StoreError("a pack that somebody changed is said to hold", where=PACK)
    return f"{found.steps} steps, all signed; verified offline, and refused with a bit of it changed"


def _holds_changed(path: Path, vkey: str) -> bool:
    """Whether the same pack is said to hold with one bit of it changed."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    with tempfile.TemporaryDirectory(prefix="custody-drill-") as folder:
        other = Path(folder) / PACK
        other.write_bytes(data)
        seal = path.with_name(PACK + parts.SEAL)
        other.with_name(seal.name).write_bytes(seal.read_bytes())
        try:
            return verify_pack(other, vkey, None, None).status == "ok"
        except CustodyError:
            return False


def _again(play: Play) -> str:
    """The same files once more change nothing, and the same is said of the incident."""
    assert play.view is not None
    before = play.view
    report = play.collect(None)
    new = report.run.new if report.run is not None else 0
    after = play.look()
    if new or _said(before) != _said(after):
        raise StoreError("another reading says something else", found=f"{new} new records")
    return f"the same {len(after.answers)} answers, no new record"


def _said(view: IncidentView) -> bytes:
    """All that is said of it, without the checkpoint, which grows with every reading."""
    return msgspec.json.encode(msgspec.structs.replace(view, checkpoint=None), order="sorted")


def _check_vain(play: Play, view: IncidentView) -> None:
    """Nothing had ended when it was said: to call it proved is wrong, and the other key has to be in the scope."""
    if _state(view, play.first) == State.PROVED:
        raise StoreError("what had no effect is called proved", where=play.first, found=_text(view, play.first))
    if play.theft.hidden not in {each.key for each in view.scope.credentials if each.join == "exact"}:
        raise StoreError("the key that the thief made is not in the scope", expected=play.theft.hidden)


def _view(view: IncidentView, action: str) -> ActionView:
    found = next((each for each in view.actions if each.action == action), None)
    if found is None:
        raise StoreError("the incident has lost an action", where=action)
    return found


def _state(view: IncidentView, action: str) -> str:
    outcome = _view(view, action).outcome
    return "not judged" if outcome is None else outcome.judged.state


def _text(view: IncidentView, action: str) -> str:
    outcome = _view(view, action).outcome
    return "" if outcome is None else outcome.judged.text[:200]


class _NoBroker:
    """There is none: whoever asks it for something was not kept from it in time."""

    def contained(self) -> Mapping[str, doing.Held]:
        raise StoreError("a broker was asked")

    def leases(self, target: str) -> Iterable[Lease]:
        raise StoreError("a broker was asked", where=target)

    def contain(self, identity: str, reason: str, incident: str) -> Iterable[Lease]:
        raise StoreError("a broker was asked", where=identity, found=reason, expected=incident)

    def revoke(self, chain: str, reason: str) -> Iterable[Lease]:
        raise StoreError("a broker was asked", where=chain, found=reason)

    def enable(self, identity: str, reason: str) -> None:
        raise StoreError("a broker was asked", where=identity, found=reason)


_STEPS: dict[str, Callable[[Play], str]] = {
    "generate": _generate,
    "collect": _collect,
    "detect": _detect,
    "open": _open,
    "scope": _scope,
    "ask": _ask,
    "own-approval": _own_approval,
    "approve": _approve,
    "done": _done,
    "survivor": _survivor,
    "contain-again": _contain_again,
    "enable-early": _enable_early,
    "outcome": _outcome,
    "answers": _answers,
    "timeline": _timeline,
    "close": _close,
    "pack": _pack,
    "again": _again,
}
