"""Who has the key of one log cannot end what others may do: no step keeps an incident from being read or closed.

Each is sealed past the commands, unsigned, with the key of the operations log alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from custody.cli.incident.page import listing
from custody.errors import UsageError
from custody.incidents.record.folding import Action, Where
from custody.incidents.record.times import readable, whole
from custody.incidents.record.weighing import needs_review, reviewed, unapproved, where
from custody.ledger.note import encode64
from custody.model.incidents import STEP, Closed, Decided, Done, Ended, Noted, Opened, Settled, Step, text_of
from custody.model.leaf import LeafRef
from custody.model.times import text
from custody.model.verdicts import Severity
from custody.pipeline import sealed_text
from custody.pipeline.incidents import acting, closing, reading
from custody.pipeline.incidents.closing import Judgement
from custody.pipeline.incidents.heads import head_by
from custody.pipeline.incidents.viewing import viewed
from custody.pipeline.registering.documents import REGISTER
from custody.reports.terminal.style import Style
from custody.store.reader import Reader
from custody.store.verification import verify
from tests.pipeline.incidents.scene import CARL, DORA, MINUTE, Scene, signer
from tests.ssh_signing import ANN, BOB

EMPTY = [0, encode64(sha256(b"").digest())]
FAR = "2099-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(tmp_path_factory.mktemp("denial"))


@pytest.fixture
def scene(shared: Scene) -> Iterator[Scene]:
    shared.now += MINUTE
    yield shared
    shared.now += MINUTE


def sealed(scene: Scene, step: Step, at: str | None = None, seen: object = None) -> int:
    """Seal a step with the fields that its writer likes; its leaf."""
    with scene.writer() as writer:
        fields = {"at": at or str(text(scene.now)), "by": "x@host", **({} if seen is None else {"approvals": seen})}
        return sealed_text.seal(writer, STEP, text_of(step), fields)


def deed(action: Action, at: str) -> Done:
    return Done(incident=action.request.incident, action=action.id, how="elsewhere", did=("x",), at=at)


def acted(scene: Scene, title: str) -> tuple[str, str]:
    """An incident with an action that was approved, then done."""
    name = scene.open(title=title)
    action = scene.asked(name)
    scene.decide(action, CARL)
    scene.now += MINUTE
    scene.done(action)
    scene.now += MINUTE
    return name, action


def close(scene: Scene, name: str) -> None:
    closing.close(scene.desk, name, "over", lambda _: Judgement(), signer(ANN))


def test_what_was_done_after_it_was_settled_is_settled_once_more(scene: Scene) -> None:
    """Anybody may say that it was done; before, no command could end an incident with such an action."""
    name = scene.open(title="settled")
    action = scene.asked(name)
    for times in range(2):
        acting.settle(scene.desk, action, "failed", "r", signer(ANN))
        scene.now += MINUTE
        assert where(scene.action(action), scene.now) is Where.SETTLED
        with pytest.raises(UsageError, match="it is settled already"):
            acting.settle(scene.desk, action, "accepted", "r", signer(ANN))
        sealed(scene, deed(scene.action(action), str(text(scene.now))))
        found = scene.action(action)
        assert [unapproved(found, each) for each in found.done] == ["it had been settled before"] * (times + 1)
    scene.now += MINUTE
    scene.review(action, BOB)
    with pytest.raises(UsageError, match="not everything is over"):
        close(scene, name)
    assert acting.settle(scene.desk, action, "failed", "r", signer(ANN)).sealed.sealed
    close(scene, name)
    found = scene.action(action)

    assert scene.incident(name).closed is not None
    assert [unapproved(found, each) for each in found.done] == ["it had been settled before"] * 2
    assert scene.incident(name).odd == ()


def test_it_is_settled_once_for_what_was_done(scene: Scene) -> None:
    name = scene.open(title="twice settled")
    action = scene.asked(name)
    first = sealed(scene, Settled(incident=name, action=action, how="withdrawn", reason="r"))
    second = sealed(scene, Settled(incident=name, action=action, how="failed", reason="r"))
    found, settled = scene.incident(name), scene.action(action).settled

    assert settled is not None
    assert settled.leaf.index == first
    assert [(each.heard.leaf.index, each.why) for each in found.odd] == [(second, "it was settled before")]


def test_a_tree_that_the_log_of_approvals_never_had_was_seen_by_nobody(scene: Scene) -> None:
    """A deed that says it saw a billion decisions came after every review to come: none would have covered it."""
    action = scene.asked(scene.open(title="many"), break_glass=True)
    for seen in (
        [10**9, EMPTY[1]],
        [2, EMPTY[1]],
        [-1, EMPTY[1]],
        [1 << 41, EMPTY[1]],
        [True, ""],
        ["2", ""],
        "2",
        [2],
    ):
        sealed(scene, deed(scene.action(action), str(text(scene.now))), seen=seen)
    found = scene.action(action)
    assert [each.seen for each in found.done] == [None] * 8
    assert needs_review(found)
    scene.now += MINUTE
    scene.review(action, DORA)

    assert reviewed(scene.action(action)) is not None


@pytest.mark.parametrize("seen", [EMPTY, [2, "AAAA"], None], ids=["none", "another", "unsaid"])
def test_a_later_step_with_a_clock_far_ahead_undoes_no_approval(scene: Scene, seen: object) -> None:
    """It would make every grant late: what was done with approval then counted as done without."""
    name, action = acted(scene, f"ahead {seen}")
    sealed(scene, Noted(incident=name, text="x"), FAR, seen)
    found = scene.action(action)

    assert [each.why for each in found.decisions] == [""]
    assert [unapproved(found, each) for each in found.done] == [""]
    assert where(found, scene.now) is Where.DONE


def test_who_names_an_older_log_than_was_seen_before_is_found(tmp_path_factory: pytest.TempPathFactory) -> None:
    """And steps from before the log of approvals, which saw nothing of it, are no damage."""
    scene = Scene(tmp_path_factory.mktemp("older"))
    name, action = acted(scene, "verified")
    assert scene.action(action).asked.seen == 0
    assert verify(scene.settings.store, processes=1).problems == ()
    leaf = sealed(scene, Noted(incident=name, text="x"), seen=EMPTY)
    (problem,) = verify(scene.settings.store, processes=1).problems

    assert problem.text == f"leaf {leaf} of the operations log saw an older one: size 0, after 8"


BAD = ["2026-01-01", "2026-01-01T00:00:00", "garbage", "", "0001-01-01T00:00:00+14:00", "\u0662"]


@pytest.mark.parametrize("bad", BAD)
def test_a_time_that_is_none_keeps_nobody_from_reading_the_others(bad: str) -> None:
    assert not readable(bad)
    assert not readable(None)
    assert not readable(5)


def test_a_step_with_a_time_that_is_none_is_no_step(scene: Scene) -> None:
    """One alone kept every command about any incident from its end."""
    name, action = acted(scene, "no time")
    request = scene.action(action).request
    other = msgspec.structs.replace(request, action="ac-other")
    decision = msgspec.structs.replace(request.decision, context={**request.decision.context, "now": BAD[0]})
    plain: dict[str, Callable[[str], Step]] = {
        "at": lambda bad: deed(scene.action(action), bad),
        "lapses": lambda bad: msgspec.structs.replace(other, lapses=bad),
        "until": lambda bad: msgspec.structs.replace(other, until=bad),
        "review": lambda bad: msgspec.structs.replace(other, review_by=bad, break_glass=True),
        "context": lambda _: msgspec.structs.replace(other, decision=decision),
        "aware": lambda bad: Opened(
            incident="in-other", title="t", severity=Severity.HIGH, seeds=(), reason="r", aware=bad
        ),
        "as of": lambda bad: Closed(
            incident=name, reason="r", answers="", as_of=bad,
            ended=(Ended(action=action, how="proved", leaves=(LeafRef("operations", 0),)),),
        ),
        "decided": lambda bad: Decided(
            incident=name, action=action, digest="", verdict="grant", reason="r", until=bad
        ),
    }  # fmt: skip
    assert [name for name, make in plain.items() if any(whole(make(bad)) for bad in BAD)] == []
    leaves = [sealed(scene, make(BAD[place % len(BAD)])) for place, make in enumerate(plain.values())]
    leaves += [sealed(scene, Noted(incident=name, text="x"), at=bad or " ") for bad in BAD]
    record = reading.read(scene.settings)

    assert [each.index for each in record.unread if each.log == "operations"] == leaves
    assert viewed(scene.settings, name, now=scene.now).state == "open"
    with Reader.open(scene.settings.store) as reader:
        assert head_by(reader, scene.now) is not None
    acting.settle(scene.desk, action, "accepted", "r", signer(ANN))
    close(scene, name)
    assert scene.incident(name).closed is not None


@pytest.mark.parametrize(
    ("data", "at"),
    [
        (b"not: [yaml", "2026-01-01T00:00:00Z"),
        (b"version: 1\nregister: x\n", "2026-01-01T00:00:00"),
        (b"version: 1\nregister: x\n", "soon"),
        (b"version: 1\nregister: other\n", "2026-01-01T00:00:00Z"),
    ],
)
def test_a_register_document_that_is_not_whole_keeps_nobody_from_reading(tmp_path: Path, data: bytes, at: str) -> None:
    own = Scene(tmp_path)
    name = own.open()
    with own.writer() as writer:
        sealed_text.seal(writer, REGISTER, data, {"name": "x", "at": at, "by": "ops"})
    with Reader.open(own.settings.store) as reader:
        (leaf,) = [each.leaf for each in reader.statements(REGISTER)]
    record = reading.read(own.settings)

    assert [each.index for each in record.unread] == [leaf]
    assert record.one(name).id == name
    told = "\n".join(listing(record.incidents, record.unread, own.now, Style()))
    assert f"1 sealed step could not be read, and changes nothing: operations:{leaf}" in told
