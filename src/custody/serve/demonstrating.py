"""Runs the demo: the register document is sealed, and a token for the workload is always at hand."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

from custody.pipeline.audit import Progress
from custody.pipeline.registering.importing import import_document
from custody.pipeline.signatures import Given
from custody.serve.composing import compose
from custody.serve.demo import LIFE, LISTEN, Folder
from custody.serve.service import serve
from custody.settings.broker_file import read_broker_file
from custody.settings.catalog import Settings


def shown(folder: Path, *, fresh: bool) -> str:
    """What a person sees who starts it."""
    made = "made" if fresh else "found"
    token, store = folder / "identity.token", folder / "store"
    return "\n".join(
        (
            f"demo     everything is in {folder} ({made}); its issuer is believed by nobody else",
            "",
            "In another terminal, get a credential for a command (a signed token: nothing ends it but its expiry):",
            "",
            f"  custody lease --broker http://{LISTEN} --token-file {token} --backend tokens \\",
            "    --audience reports --scope reports:read --purpose 'nightly report' -- sh -c 'echo $CUSTODY_CHAIN'",
            "",
            "and then (a few seconds later, when it is sealed and joined) see what is known of it:",
            "",
            f"  custody trace cc-… --store {store}",
            "",
        )
    )


async def demonstrate(folder: Folder, settings: Settings) -> None:
    """Serve until a signal."""
    file = read_broker_file(folder.path / "broker.toml")
    document = folder.path / "register.yaml"
    await asyncio.to_thread(import_document, settings, document, Given(), _unseen, judge=False)
    composed = compose(settings, file)
    minting = asyncio.ensure_future(_mint(folder, file.issuer, composed.clock.now))
    try:
        await serve(composed)
    finally:
        minting.cancel()


async def _mint(folder: Folder, url: str, now: object) -> None:
    assert callable(now)
    while True:
        await asyncio.to_thread(folder.mint, url, now(), secrets.token_bytes)
        await asyncio.sleep(LIFE / 3)


def _unseen(_: Progress) -> None:
    """Nobody watches the import."""
