"""The hold that an incident is: nobody has to remember it, nobody can release it, and nothing of it is erased."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from custody.cli import main
from custody.cli.exits import CODES
from custody.errors import NotFound, StoreError, UsageError
from custody.model.broker_terms import Decision, Verdict
from custody.model.incidents import (
    ActionKind,
    Asked,
    Claimed,
    Decided,
    Ended,
    Item,
    Noted,
    Reopened,
    Seed,
    SeedKind,
    Settled,
    Step,
    Vouched,
    Widened,
    text_of,
)
from custody.model.leaf import LeafRef
from custody.model.times import microseconds
from custody.pipeline import approvals, sealed_text
from custody.pipeline.erasing import choice, hold, incidents
from custody.pipeline.erasing import erase as erasing
from custody.pipeline.erasing.choice import Asked as Chosen
from custody.pipeline.erasing.erase import Erased
from custody.pipeline.tables import answers
from custody.settings.catalog import Settings
from custody.store.disk import Fault, FaultyDisk
from custody.store.reader import Reader
from custody.store.writer import Writer
from tests.packs.estate import audited, key_of, records, role_of
from tests.pipeline.erasing.steps import AT, NAME, SIGNED, address, closed, copied, key, opened, response, sealed

WHOLE = {0: 3, 1: 3, 2: 3, 9: 3}
ALL = Chosen(before=microseconds("2030-01-01T00:00:00Z"))
ALLOWED = Decision(verdict=Verdict.ALLOW, engine="x", policy_set="x", schema="x", entities="x", request="x")
NUMBERS = (0, 1, 2, 9)
"""Those of the keys; the last is of the same role as the second, and of another instance."""
KEYS = tuple(f"aws_akid:aws:{key_of(number)}" for number in NUMBERS)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    other = json.dumps(records(10)[-3:]).replace(role_of(9), role_of(1)).replace("/app-9/", "/app-1/")
    return audited(tmp_path_factory.mktemp("incidents"), more=json.loads(other))


@pytest.fixture
def store(kept: Settings, tmp_path: Path) -> Settings:
    """A store to change."""
    return copied(kept, tmp_path)


def erased(settings: Settings, asked: Chosen = ALL, *, dry_run: bool = False) -> Erased:
    return erasing.erase(settings, asked, "over", lambda progress: None, dry_run=dry_run, except_held=True)


def there(settings: Settings, gone: Collection[int] = ()) -> dict[int, int]:
    """How many records have their bytes and are not ``gone``, by the number of the key that they are about."""
    found: Counter[int] = Counter()
    with Reader.open(settings.store) as reader:
        for closing in reader.segments():
            for _, record in reader.records(closing):
                kept = b"" if record.leaf in gone else record.kept or b""
                found.update(number for number in NUMBERS if key_of(number).encode() in kept)
    return dict(found)


def leaf_of(settings: Settings, number: int) -> int:
    """The first record with the key of a number."""
    with Reader.open(settings.store) as reader:
        return next(
            record.leaf for closing in reader.segments() for _, record in reader.records(closing)
            if record.kept is not None and key_of(number).encode() in record.kept
        )  # fmt: skip


def asked(target: str) -> Asked:
    return Asked(
        incident=NAME, action="a-1", kind=ActionKind.CONTAIN, targets=(target,), reason="stop it", content=("-",),
        asker="ann", lapses=AT, decision=ALLOWED,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        ([], {}),
        ([opened()], {}),
        ([opened(key(KEYS[1]))], {1: 3}),
        ([opened(key(key_of(1)))], {1: 3}),
        ([opened(), Widened(incident=NAME, seeds=(key(KEYS[2]),), reason="more")], {2: 3}),
        ([opened(key("no-such-key"))], {}),
        ([opened(address("198.51.100.7"))], {0: 3, 1: 3, 2: 3, 9: 3}),
        ([opened(Seed(kind=SeedKind.IDENTITY, value=role_of(0)))], {0: 3}),
        ([opened(), asked(KEYS[0])], {0: 3}),
        ([opened(), Claimed(incident=NAME, identity=role_of(1), item=Item.CAUSE_REMOVED, reason="x")],
         {1: 3, 9: 3}),
        ([opened(key(KEYS[1])), closed()], {1: 3}),
        ([opened(), closed(), Noted(incident=NAME, text="too late", cites=())],
         {1: 1}),
        ([opened(key(KEYS[0])), opened(key(KEYS[2]), name="inc-8")], {0: 3, 2: 3}),
        ([Widened(incident=NAME, seeds=(key(KEYS[2]),), reason="of nothing")], {}),
    ],
    ids=["none", "nothing named", "key", "bare key", "widened", "unknown", "address", "identity", "target", "claim",
         "closed", "odd step", "two", "never opened"],
)  # fmt: skip
def test_what_an_incident_names_or_cites_stays(steps: list[Step], left: dict[int, int], store: Settings) -> None:
    cited = leaf_of(store, 1)
    for step in steps:
        cites = (LeafRef("operations", cited),)
        sealed(store, msgspec.structs.replace(step, cites=cites) if isinstance(step, Noted) else step)
    with answers(store) as tables:
        found = choice.plan(tables, store, ALL, microseconds(AT) or 0, lambda: None)
    gone = {each.closed.first + int(at) for each in found.going for at in each.gone.nonzero()[0]}

    assert there(store, gone) == left
    assert found.records == len(gone) == 12 - sum(left.values())


def test_an_erasure_that_would_take_a_record_of_it_is_refused_with_its_id(store: Settings) -> None:
    sealed(store, opened(key(KEYS[1])))
    before = there(store)
    with pytest.raises(UsageError) as refused:
        erasing.erase(store, ALL, "over", lambda progress: None)

    assert f"incident:{NAME} (3, leaf " in str(refused.value)
    assert "incident close" in refused.value.advice
    assert "hold release" not in refused.value.advice
    assert there(store) == before == WHOLE


def test_steps_and_decisions_stay_whatever_is_erased(store: Settings) -> None:
    grant = Decided(incident=NAME, action="a-1", digest="0" * 64, verdict="grant", reason="yes")
    steps: list[Step] = [opened(), asked(KEYS[0]), grant, Noted(incident=NAME, text="x" * 200_000)]
    leaves = sealed(store, *steps)
    with Reader.open(store.store) as reader:
        whole = Chosen(leaves=((leaves[0], reader.size),))
    with pytest.raises(UsageError, match="files and statements stay"):
        erased(store, Chosen(leaves=((leaves[0], leaves[0] + 1),)))
    assert erased(store, whole, dry_run=True).records == 0
    assert erased(store).records == 9

    with Reader.open(store.store) as reader:
        said = reader.statements("incident-step")
        found = [sealed_text.read(reader, each) for each in said]
    log = approvals.everything(store.store)
    assert found == [text_of(each) for each in steps if each is not grant]
    assert [sealed_text.read(log, each) for each in log.statements("incident-decision")] == [text_of(grant)]


SEVEN_YEARS = 2557


@pytest.mark.parametrize(
    ("steps", "limits", "days", "held"),
    [
        ([opened(key(KEYS[1]))], None, 10_000, True),
        ([opened(key(KEYS[1])), closed()], None, SEVEN_YEARS - 1, True),
        ([opened(key(KEYS[1])), closed()], None, SEVEN_YEARS, False),
        ([opened(key(KEYS[1])), closed(), Reopened(incident=NAME, reason="not over")], None, 10_000, True),
        ([opened(key(KEYS[1])), closed()], {"keep": 30 * 86_400}, 29, True),
        ([opened(key(KEYS[1])), closed()], {"keep": 30 * 86_400}, 30, False),
        ([opened(key(KEYS[1])), closed()], {"lapse": 60}, SEVEN_YEARS - 1, True),
    ],
    ids=["open", "closed", "over", "reopened", "kept by the file", "over by the file", "the file does not say"],
)  # fmt: skip
def test_how_long_it_holds(
    steps: list[Step], limits: dict[str, object] | None, days: int, held: bool, store: Settings
) -> None:
    digest = response(store, limits or {})
    sealed(store, opened(key(KEYS[1]), response=digest), *steps[1:])
    moment = (microseconds(AT) or 0) + days * 86_400_000_000
    with Reader.open(store.store) as reader:
        found = incidents.every(reader, moment)

    assert [each.incident for each in found.in_force] == ([NAME] if held else [])
    assert [(each.name, each.released is None) for each in found.holds] == [(f"incident:{NAME}", held)]


def test_a_clock_that_is_wrong_at_the_close_does_not_end_it_early(store: Settings) -> None:
    digest = response(store, {})
    sealed(store, opened(key(KEYS[1]), response=digest))
    sealed(store, closed(), at="2001-01-01T00:00:00Z")
    sealed(store, opened(name="inc-8", response=digest), closed("inc-8"), at="no time")
    with Reader.open(store.store) as reader:
        found = {each.incident: each.until for each in incidents.every(reader, microseconds(AT) or 0).in_force}

    assert found == {NAME: "2033-03-02T10:00:00Z", "inc-8": None}


class Without(ModuleType):
    """What is left of a module whose extra is not installed."""

    def __getattr__(self, name: str) -> object:
        raise UsageError("incidents need the extra broker", found=name)


def test_a_forged_close_starts_no_clock(store: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    forged = response(store, {}, SIGNED)
    sealed(store, opened(key(KEYS[1]), response=forged), closed(), opened(name="inc-8"), closed("inc-8"))
    sealed(store, opened(name="inc-9", response=response(store, {})), closed("inc-9"))
    moment = (microseconds(AT) or 0) + 10_000 * 86_400_000_000

    def held() -> list[str | None]:
        with Reader.open(store.store) as reader:
            return [each.incident for each in incidents.every(reader, moment).in_force]

    assert held() == [NAME, "inc-8"]
    monkeypatch.setitem(sys.modules, "custody.pipeline.incidents.reading", Without("reading"))
    assert held() == [NAME, "inc-8", "inc-9"]


def test_a_close_that_leaves_something_open_starts_no_clock(store: Settings) -> None:
    """Somebody with the key of the operations log closes an incident past the commands, so that its records can go."""
    digest = response(store, {})
    sealed(store, opened(key(KEYS[1]), response=digest), asked(KEYS[0]), closed())
    moment = (microseconds(AT) or 0) + 10_000 * 86_400_000_000

    def held() -> list[str | None]:
        with Reader.open(store.store) as reader:
            return [each.incident for each in incidents.every(reader, moment).in_force]

    assert held() == [NAME]
    settled = Settled(incident=NAME, action="a-1", how="withdrawn", reason="x")
    sealed(store, settled, msgspec.structs.replace(closed(), ended=(Ended(action="a-1", how="settled"),)))
    assert held() == []


def test_the_clock_runs_from_the_last_that_anybody_said_in_either_log(store: Settings) -> None:
    digest = response(store, {"keep": 30 * 86_400})
    sealed(store, opened(key(KEYS[1]), response=digest), closed())
    vouched = Vouched(incident=NAME, identity="x", reason="y")
    sealed(store, vouched, at="2026-03-12T10:00:00Z")
    with Reader.open(store.store) as reader:
        (found,) = incidents.every(reader, microseconds(AT) or 0).in_force

    assert (found.incident, found.until) == (NAME, "2026-04-11T10:00:00Z")


@pytest.mark.parametrize("text", [b'{"custody":"custody.incident/2","step":"opened"}', b"{}", b"x"])
def test_a_step_that_cannot_be_read_stops_every_erasure(text: bytes, store: Settings) -> None:
    with Writer.open(store.store, store.keys, now=AT, version="1") as writer:
        sealed_text.seal(writer, "incident-step", text, {"at": AT, "by": "ann"})
    with pytest.raises(StoreError, match="cannot be read"):
        erased(store)

    assert there(store) == WHOLE


def test_more_than_can_be_listed_holds_everything(store: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("custody.incidents.scope.reaching.MOST", 1)
    sealed(store, opened(key(KEYS[1])))

    assert (erased(store).records, erased(store).held_records) == (0, 12)


def test_what_cannot_be_worked_out_stops_every_erasure(store: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise NotFound("no table")

    sealed(store, opened(key(KEYS[1])))
    monkeypatch.setattr(incidents, "scope", broken)
    with pytest.raises(UsageError, match="worked out") as refused:
        erased(store)

    assert refused.value.where == f"incident:{NAME}"
    assert there(store) == WHOLE


@pytest.mark.parametrize("command", [["release", f"incident:{NAME}"], ["add", "incident:x", "--all"]], ids=str)
def test_nobody_can_release_it_or_take_its_name(
    command: list[str], store: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    sealed(store, opened(key(KEYS[1])))
    place = ["--store", str(store.store), "--keys", str(store.keys)]

    assert main(["hold", *command, "--reason", "x", *place]) == CODES["usage"]
    assert "incident" in capsys.readouterr().err
    assert [each.name for each in incidents.listed(store).in_force] == [f"incident:{NAME}"]


def test_it_is_listed_with_its_incident(store: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    hold.add(store, "case-7", hold.Scope(everything=True), "Example v. Example", None)
    hostile = "\x1b[31mred"
    sealed(store, opened(key(KEYS[1]), key(hostile)))
    sealed(store, opened(name="inc-8", response=response(store, {})), closed("inc-8"))
    place = ["--store", str(store.store), "--keys", str(store.keys)]
    assert main(["hold", "list", *place]) == CODES["done"]
    out = capsys.readouterr().out

    assert f"incident:{NAME}  in force while the incident is open" in out
    assert "incident:inc-8  in force until 2033-03-02T10:00:00Z" in out
    assert KEYS[1] in out.replace("\n            ", " ")
    assert "case-7  in force" in out
    assert "\x1b" not in out
    found = {each.name: (each.incident, each.until, each.named) for each in incidents.listed(store).in_force}
    assert found["case-7"] == (None, None, ())
    assert found[f"incident:{NAME}"] == (NAME, None, tuple(sorted((KEYS[1], hostile))))


def test_a_clock_that_is_ahead_of_the_records_ends_no_hold(store: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed(store, opened(key(KEYS[1]), response=response(store, {})), closed())
    monkeypatch.setattr(incidents, "now", lambda: "2050-01-01T00:00:00Z")
    monkeypatch.setattr(erasing, "now", lambda: "2050-01-01T00:00:00Z")

    assert [each.incident for each in incidents.listed(store).in_force] == [NAME]
    assert [(each.incident, each.records) for each in erased(store, dry_run=True).held] == [(NAME, 3)]


FAULTS: list[tuple[Fault, bool]] = [("lost", True), ("torn", True), ("kept", True), ("lost", False), ("kept", False)]


def test_whatever_fails_while_it_is_opened_it_is_sealed_and_held_or_neither(kept: Settings, tmp_path: Path) -> None:
    """There is no moment at which it is opened and not held: the step is the hold."""
    seen, step = set(), 0
    while True:
        fault, dead = FAULTS[step % len(FAULTS)]
        mine = copied(kept, tmp_path / str(step))
        disk = FaultyDisk(fail_at=step, fault=fault, dead=dead)
        with suppress(StoreError):
            sealed(mine, opened(key(KEYS[1])), disk=disk)
        with Writer.open(mine.store, mine.keys, now=AT, version="1"), Reader.open(mine.store) as reader:
            there = len(reader.statements("incident-step"))
            held = incidents.every(reader, microseconds(AT) or 0).in_force
        assert [each.incident for each in held] == [NAME] * there
        seen.add(there)
        if not disk.failed:
            break
        step += 1
    assert (seen, step > 10) == ({0, 1}, True)


class Broken:
    """Stands for the writer of an erasure, over a disk that fails."""

    def __init__(self, disk: FaultyDisk) -> None:
        self._disk = disk

    def open(self, root: Path, keys: Path, *, now: str, version: str) -> Writer:
        return Writer.open(root, keys, now=now, version=version, disk=self._disk)


def fails(steps: Iterable[int], store: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Cut an erasure of all off at each step; gives how often it was finished afterwards."""
    done = 0
    for step in steps:
        fault, dead = FAULTS[step % len(FAULTS)]
        mine = copied(store, folder / str(step))
        with monkeypatch.context() as patch, suppress(StoreError):
            patch.setattr(erasing, "Writer", Broken(FaultyDisk(fail_at=step, fault=fault, dead=dead)))
            erased(mine)
        with Writer.open(mine.store, mine.keys, now=AT, version="1"):
            pass  # what was cut off is finished, or undone
        left = there(mine)
        assert left in (WHOLE, {1: 3}), step
        done += left == {1: 3}
    return done


def steps_of(store: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    disk, mine = FaultyDisk(fail_at=10**9, fault="lost"), copied(store, folder / "all")
    with monkeypatch.context() as patch:
        patch.setattr(erasing, "Writer", Broken(disk))
        assert erased(mine).records == 9
    return len(disk.steps)


def test_an_erasure_that_is_cut_off_leaves_the_records_of_an_open_incident(
    store: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed(store, opened(key(KEYS[1])))

    assert fails((20,), store, tmp_path, monkeypatch) == 1


@pytest.mark.slow
def test_an_erasure_that_is_cut_off_anywhere_leaves_them(
    store: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed(store, opened(key(KEYS[1])))

    steps = steps_of(store, tmp_path, monkeypatch)
    assert 0 < fails(range(steps), store, tmp_path, monkeypatch) < steps
