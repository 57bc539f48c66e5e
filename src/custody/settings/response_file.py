"""The response file: who may do and who approves what in an incident. TOML 1.0, strict. See docs/incidents.md.

Paths are relative to the folder of the file. Lengths of time are written ``30m``, ``4h``.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from custody.errors import UsageError
from custody.model.incidents import Item
from custody.settings.amounts import MICROSECONDS, parse_duration
from custody.settings.hooks import Caep, Hook
from custody.settings.hooks import check as check_hooks
from custody.settings.settings_file import read_settings_file

_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}", re.ASCII)
"""The names of groups, as ``@approval`` of a policy can name them."""
MOST = 1000
"""Members of a group, and groups."""


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lengths of time in seconds.

    ``lapse`` is how long an action may be done after it was asked for, where it waits for approval: after the time to
    approve it. ``break_glass_ttl`` is the same for break-glass; ``second_within`` and ``review_within`` are when the
    second person has to decide about it, and somebody else has to review it. ``keep`` is how long the records of an
    incident are held after its close.
    """

    lapse: int = 3600
    break_glass_ttl: int = 4 * 3600
    second_within: int = 1800
    review_within: int = 24 * 3600
    keep: int = 2557 * 86_400


class ResponseFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything in the file. ``folder`` is where it lies.

    ``groups`` gives for each group its members, as the allowed-signers file names them. ``people`` gives names that are
    one person, under any label. ``policies`` is a folder of Cedar policies, empty: those that custody ships.
    ``checklist`` is what is asked for before an identity is enabled again. ``hooks`` and ``caep`` are who is
    told of the steps: they are read by who tells them, and are no part of what is sealed.
    """

    groups: dict[str, tuple[str, ...]] = {}
    people: dict[str, tuple[str, ...]] = {}
    policies: str = ""
    limits: Limits = Limits()
    checklist: tuple[Item, ...] = tuple(Item)
    hooks: tuple[Hook, ...] = ()
    caep: Caep | None = None
    folder: str = "."

    def policy_folder(self) -> Path | None:
        """The folder of policies, None where there is none of its own."""
        return Path(self.folder) / self.policies if self.policies else None


def read_response_file(path: Path) -> ResponseFile:
    """The file, checked. UsageError names the key that is wrong."""
    table = read_settings_file(path)
    if "folder" in table:
        raise UsageError("an unknown key", where=str(path), found="folder")
    plain = {**table, "limits": _seconds(table.get("limits", {}), str(path)), "folder": str(path.parent)}
    try:
        found = msgspec.convert(plain, ResponseFile)
    except msgspec.ValidationError as error:
        raise UsageError("the response file is wrong", where=str(path), found=str(error)[:300]) from None
    _check(found, str(path))
    return found


def _seconds(limits: object, where: str) -> object:
    """The table of limits with its lengths of time in seconds."""
    if not isinstance(limits, dict):
        return limits
    found: dict[str, object] = {}
    for name, value in limits.items():
        if not isinstance(value, str):
            raise UsageError("not a duration", where=f"{where}: limits.{name}", expected='text such as "30m"')
        try:
            found[name] = parse_duration(value) // MICROSECONDS["s"]
        except UsageError as error:
            place = f"{where}: limits.{name}"
            raise UsageError(error.message, where=place, found=error.found, expected=error.expected) from None
    return found


def _check(found: ResponseFile, where: str) -> None:
    for group, members in found.groups.items():
        if not _GROUP.fullmatch(group):
            raise UsageError("not the name of a group", where=where, found=repr(group[:60]))
        _names(members, f"{where}: groups.{group}")
    for label, names in found.people.items():
        _names(names, f"{where}: people.{label}"[:200])
    if len(found.groups) > MOST:
        raise UsageError("too many groups", where=where, expected=f"{MOST} at most")
    if len(set(found.checklist)) != len(found.checklist):
        raise UsageError("an item twice", where=f"{where}: checklist")
    if not all(getattr(found.limits, name) > 0 for name in found.limits.__struct_fields__):
        raise UsageError("a limit of nothing", where=f"{where}: limits")
    check_hooks(found.hooks, found.caep, where)


def _names(names: tuple[str, ...], where: str) -> None:
    wrong = [each for each in names if not each.strip() or len(each) > 200 or not each.isprintable()]
    if wrong or len(names) > MOST:
        raise UsageError("not names of people", where=where, found=repr(wrong[0][:60]) if wrong else str(len(names)))
