"""A policy folder: what is refused, what reloads, what keeps holding."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest

from custody.broker.policy.folder import PolicyFolder, read
from custody.broker.policy.schema import base_text, combined
from custody.errors import UsageError
from tests.broker.policy.laying_out import EVERYTHING, folder_of

FORBIDS = '@id("never") forbid (principal, action, resource);'

FLAWS = {
    "not Cedar": ("permit (principal", "not Cedar policies"),
    "no id": ("permit (principal, action, resource);", "no usable @id"),
    "an empty id": ("@id permit (principal, action, resource);", "no usable @id"),
    "an id with a space": ('@id("a b") permit (principal, action, resource);', "no usable @id"),
    "a misspelt annotation": (
        '@id("a") @aproval("1 of x within 1m") permit (principal, action, resource);',
        "@aproval",
    ),
    "an approval on a forbid": (
        '@id("a") @approval("1 of x within 1m") forbid (principal, action, resource);',
        "forbid",
    ),
    "an approval without time": ('@id("a") @approval("1 of x") permit (principal, action, resource);', "@approval"),
    "an approval of none": (
        '@id("a") @approval("0 of x within 1m") permit (principal, action, resource);',
        "@approval",
    ),
    "an approval of 21": ('@id("a") @approval("21 of x within 1m") permit (principal, action, resource);', "@approval"),
    "an empty approval": ('@id("a") @approval permit (principal, action, resource);', "@approval"),
    "a bound of nothing": ('@id("a") @max_ttl("0m") permit (principal, action, resource);', "@max_ttl"),
    "a bound of a month": ('@id("a") @max_ttl("30d") permit (principal, action, resource);', "@max_ttl"),
    "a template": ('@id("a") permit (principal == ?principal, action, resource);', "template"),
    "an unknown action": ('@id("a") permit (principal, action == Action::"Destroy", resource);', "Destroy"),
    "an unknown type": ('@id("a") permit (principal is Robot, action, resource);', "a: "),
    "an unknown attribute": ('@id("a") permit (principal, action, resource) when { context.missing };', "missing"),
    "an unguarded attribute": (
        '@id("a") permit (principal, action, resource) when { context.ticket == "" };',
        "ticket",
    ),
    "another type": ('@id("a") permit (principal, action, resource) when { context.ttl == "" };', "not compatible"),
    "a turned text": ('@id("a") permit (principal, action, resource); // \u202e', "cannot be seen"),
}


@pytest.mark.parametrize("name", FLAWS)
def test_a_folder_that_is_not_sound_is_refused_at_the_start(name: str, tmp_path: Path) -> None:
    text, said = FLAWS[name]
    folder_of(tmp_path, EVERYTHING, text)

    with pytest.raises(UsageError) as caught:
        PolicyFolder(tmp_path)

    assert said in str(caught.value)
    assert "1.cedar" in str(caught.value)
    assert read(tmp_path).found is None


def test_every_flaw_is_said_at_once(tmp_path: Path) -> None:
    folder_of(tmp_path, FLAWS["no id"][0], FLAWS["not Cedar"][0], EVERYTHING, EVERYTHING, schema="entity Workload;")

    said = [each.message for each in read(tmp_path).flaws]

    assert [words.split(" (")[0] for words in said] == [
        "no usable @id",
        "not Cedar policies",
        "an @id twice",
        "declared by custody or by Cedar already",
    ]


def test_digests_are_of_the_texts_as_anybody_can_cut_them_out(tmp_path: Path) -> None:
    one = '@id("b") // why; "quoted"\npermit (principal, action, resource)\nwhen { context.environment == "a;//b\\"" };'
    other = '@id("a")\r\nforbid (principal, action, resource);'
    folder_of(tmp_path, f"// before; all\n{one}\n\n// between\n{other} // after")

    found = PolicyFolder(tmp_path).current

    assert {name: each.text for name, each in found.policies.items()} == {"a": other, "b": one}
    digests = {"a": sha256(other.encode()).hexdigest(), "b": sha256(one.encode()).hexdigest()}
    assert {name: each.sha256 for name, each in found.policies.items()} == digests
    assert found.sha256 == sha256(f"a {digests['a']}\nb {digests['b']}\n".encode()).hexdigest()
    assert [each.place for each in found.policies.values()] == ["0.cedar:7", "0.cedar:2"]
    assert found.schema.sha256 == sha256(base_text().encode()).hexdigest()


def test_a_policy_has_its_digest_in_whatever_file_it_stands(tmp_path: Path) -> None:
    one = PolicyFolder(folder_of(tmp_path / "one", f"{EVERYTHING}\n{FORBIDS}")).current
    two = PolicyFolder(folder_of(tmp_path / "two", FORBIDS, f"// moved\n\n{EVERYTHING}")).current

    assert one.sha256 == two.sha256


def test_policies_of_folders_within_count_and_hidden_ones_do_not(tmp_path: Path) -> None:
    folder_of(tmp_path, EVERYTHING)
    folder_of(tmp_path / "teams" / "payments", FORBIDS)
    folder_of(tmp_path / ".git" / "x", "not a policy")
    (tmp_path / "README.md").write_text("not a policy")

    assert set(PolicyFolder(tmp_path).current.policies) == {"all", "never"}


def test_a_linked_folder_is_refused_and_not_passed_over(tmp_path: Path) -> None:
    folder_of(tmp_path / "policies", EVERYTHING)
    folder_of(tmp_path / "elsewhere", FORBIDS)
    (tmp_path / "policies" / "more").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(UsageError, match="linked folder"):
        PolicyFolder(tmp_path / "policies")


@pytest.mark.parametrize("kind", ["missing", "empty", "a file", "not UTF-8", "too large", "a broken link"])
def test_what_cannot_be_read_is_refused(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "policies"
    if kind == "a file":
        place.write_text(EVERYTHING)
    elif kind != "missing":
        folder_of(place)
    if kind == "not UTF-8":
        (place / "a.cedar").write_bytes(b"// \xff")
    if kind == "too large":
        (place / "a.cedar").write_bytes(b" " * ((1 << 20) + 1))
    if kind == "a broken link":
        (place / "a.cedar").symlink_to(tmp_path / "nowhere")

    with pytest.raises(UsageError):
        PolicyFolder(place)


def replaced(path: Path, text: str) -> None:
    """Another file under the name, as a deployment puts it there."""
    beside = path.with_name(".new")
    beside.write_text(text)
    beside.replace(path)


def test_a_sound_change_holds_from_the_next_look_on(tmp_path: Path) -> None:
    folder = PolicyFolder(folder_of(tmp_path, EVERYTHING))
    before = folder.current

    assert folder.reload().changed is False
    replaced(tmp_path / "0.cedar", EVERYTHING + FORBIDS)
    assert folder.current is before
    found = folder.reload()

    assert (found.changed, found.flaws) == (True, ())
    assert set(folder.current.policies) == {"all", "never"}
    assert folder.current.sha256 != before.sha256
    assert folder.reload().changed is False


@pytest.mark.parametrize("change", ["broken", "gone", "no longer valid", "unreadable name", "folder gone"])
def test_a_change_that_is_not_sound_leaves_what_held(change: str, tmp_path: Path) -> None:
    place = folder_of(tmp_path / "policies", EVERYTHING, FORBIDS)
    folder = PolicyFolder(place)
    before = folder.current
    if change == "folder gone":
        place.rename(tmp_path / "away")
    elif change == "gone":
        (place / "0.cedar").unlink()
        (place / "1.cedar").unlink()
    elif change == "unreadable name":
        (place / "a\nb.cedar").write_text(EVERYTHING)
    else:
        replaced(place / "1.cedar", FORBIDS[:-1] + " when { context.missing };" if change != "broken" else "permit")

    found = folder.reload()

    assert found.changed is False
    assert found.flaws
    assert folder.current is before
    assert folder.reload().flaws == found.flaws == folder.flaws
    if change == "broken":
        replaced(place / "1.cedar", FORBIDS)
        assert folder.reload().flaws == ()
        assert folder.flaws == ()
        assert folder.current.sha256 == before.sha256


def test_a_change_of_the_same_size_and_time_is_seen(tmp_path: Path) -> None:
    folder = PolicyFolder(folder_of(tmp_path, EVERYTHING))
    path = tmp_path / "0.cedar"
    seen = path.stat()
    path.write_text(EVERYTHING.replace("all", "any"))
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))

    assert folder.reload().changed is True
    assert set(folder.current.policies) == {"any"}


def test_nothing_is_taken_while_files_change_under_the_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from custody.broker.policy import folder as module

    folder = PolicyFolder(folder_of(tmp_path, EVERYTHING))
    replaced(tmp_path / "0.cedar", FORBIDS)
    really = module.read

    def reading(place: Path) -> object:
        found = really(place)
        replaced(tmp_path / "0.cedar", FORBIDS.replace("never", "ever"))
        return found

    monkeypatch.setattr(module, "read", reading)
    assert folder.reload().changed is False
    assert set(folder.current.policies) == {"all"}
    monkeypatch.setattr(module, "read", really)
    assert folder.reload().changed is True
    assert set(folder.current.policies) == {"ever"}


@pytest.mark.parametrize(
    "text",
    [
        "entity Workload;",
        "type Group = {};",
        "type Situation = {};",
        "entity Agent, Team;",
        "entity /* no comment in Cedar */ String;",
        "entity // a comment\n String;",
        "type datetime = __cedar::Long;",
        "namespace A { type Backend = {}; }",
        'action "Sneak" in ["Obtain"] appliesTo { principal: Workload, resource: Backend };',
        'action "Issue";',
        "entity",
    ],
)
def test_a_folder_cannot_change_what_custody_declares(text: str, tmp_path: Path) -> None:
    folder_of(tmp_path, EVERYTHING, schema=text)

    with pytest.raises(UsageError):
        PolicyFolder(tmp_path)


def test_a_folder_may_declare_more_and_it_is_in_the_digest(tmp_path: Path) -> None:
    text = (
        '// "entity Group"\nentity Service;\nnamespace Acme { type Level = __cedar::Long; entity Team in [Group]; }\n'
    )

    found = PolicyFolder(folder_of(tmp_path, EVERYTHING, schema=text)).current.schema

    assert found.sha256 == sha256(f"{base_text()}\n{text}".encode()).hexdigest()
    assert found.sha256 != combined(None).sha256


def test_a_permit_for_everybody_and_a_set_without_permit_are_noted(tmp_path: Path) -> None:
    wide = read(folder_of(tmp_path / "wide", EVERYTHING))
    none = read(folder_of(tmp_path / "none", FORBIDS))

    assert ["everybody" in each.message for each in wide.notes] == [True]
    assert ["no permit" in each.message for each in none.notes] == [True]
