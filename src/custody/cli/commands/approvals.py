"""``custody approvals``: the process that people and their systems send decisions to."""

from __future__ import annotations

import os
from pathlib import Path

import click

from custody.cli import options
from custody.errors import UsageError
from custody.settings.catalog import Settings


@click.group("approvals")
def COMMAND() -> None:  # noqa: N802
    """The process that writes the log of approvals: an account of its own, a key of its own (docs/approving.md)."""


@COMMAND.command("serve")
@click.option(
    "--broker-file", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=True, metavar="FILE",
    help="The broker's file: who signs in, who may approve, which webhooks decide, where to listen.",
)  # fmt: skip
@options.approving
def serve(broker_file: Path, settings: Settings) -> None:
    """Take decisions over HTTP until a signal: from people who sign in, and from signed webhooks."""
    from custody.settings.broker_file import read_broker_file

    try:
        from custody.serve.approving import serving
    except ImportError:
        raise UsageError("a service needs the extra broker", advice="pip install 'custody[broker]'") from None
    serving.serve(settings, read_broker_file(broker_file), os.environ)
