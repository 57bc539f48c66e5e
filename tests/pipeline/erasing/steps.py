"""Steps of incidents, sealed as custody seals them, in a store of their own."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from custody.incidents.record.response import Response
from custody.incidents.record.response import text_of as text_of_response
from custody.model.incidents import (
    APPROVALS,
    DECISION,
    STEP,
    Closed,
    Opened,
    Seed,
    SeedKind,
    Step,
    text_of,
)
from custody.model.verdicts import Severity
from custody.pipeline import sealed_text
from custody.settings.catalog import Settings
from custody.settings.response_file import Limits
from custody.store.approvals import ApprovalsWriter
from custody.store.disk import Disk
from custody.store.writer import Writer
from tests.packs.estate import settings_in

AT = "2026-03-02T10:00:00Z"
NAME = "inc-7"


def copied(settings: Settings, folder: Path) -> Settings:
    """A copy of a store and its keys, to change."""
    shutil.copytree(settings.store, folder / "store")
    shutil.copytree(settings.keys, folder / "keys")
    return settings_in(folder)


def sealed(settings: Settings, *steps: Step, at: str = AT, disk: Disk | None = None) -> list[int]:
    """Seal ``steps``, each in its log; gives the leaves."""
    found = []
    for step in steps:
        fields = {"at": at, "by": "ann", "signature": None, "signers": None, "oidc": None}
        if isinstance(step, APPROVALS):
            with ApprovalsWriter.open(settings.store, settings.approval_keys) as approvals:
                found.append(sealed_text.seal(approvals, DECISION, text_of(step), fields))
        else:
            with Writer.open(settings.store, settings.keys, now=at, version="1", disk=disk) as writer:
                found.append(sealed_text.seal(writer, STEP, text_of(step), fields))
    return found


def opened(*seeds: Seed, name: str = NAME, response: str | None = None) -> Opened:
    return Opened(
        incident=name, title="a key was stolen", severity=Severity.HIGH, seeds=seeds, reason="an alert", aware=AT,
        response=response,
    )  # fmt: skip


def key(value: str) -> Seed:
    return Seed(kind=SeedKind.KEY, value=value)


def address(value: str) -> Seed:
    return Seed(kind=SeedKind.ADDRESS, value=value)


def closed(name: str = NAME) -> Closed:
    return Closed(incident=name, reason="over", answers="0" * 64, as_of=None)


ANYBODY = '@id("anybody") permit (principal, action, resource);'
SIGNED = '@id("signed") permit (principal, action, resource) when { principal.signed };'


def response(settings: Settings, limits: dict[str, object], policy: str = ANYBODY) -> str:
    """Seal a response file with these limits and this policy; gives its digest."""
    data = text_of_response(Response(limits=msgspec.convert(limits, Limits), policies={"all.cedar": policy}))
    with Writer.open(settings.store, settings.keys, now=AT, version="1") as writer:
        sealed_text.seal(writer, "response-file", data, {"at": AT})
    return sealed_text.digest(data)
