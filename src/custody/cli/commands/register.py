"""``custody register``: who answers for which identity, why it exists, and who said so."""

from __future__ import annotations

import click

from custody.cli.lazy import Lazy

SUBCOMMANDS: dict[str, str] = {
    "list": "List every identity: its owner, purpose, and what is missing.",
    "show": "Show one identity: every claim, who made it, and its credentials.",
    "import": "Seal a register document, signed or not, and judge again.",
    "export": "Write the register as YAML, CSV or JSON.",
    "check": "Check documents before they are imported; nothing is sealed.",
}
"""Every subcommand and its one-line help."""

PLACES = {
    "list": "custody.cli.register.listing",
    "show": "custody.cli.register.showing",
    "import": "custody.cli.register.importing",
    "export": "custody.cli.register.exporting",
    "check": "custody.cli.register.checking",
}
"""The module that holds each."""


@click.group("register", cls=Lazy, helps=SUBCOMMANDS, places=PLACES)
def COMMAND() -> None:  # noqa: N802
    """The register of non-human identities: owner, purpose, privileges and lifecycle of each, and who said so.

    It is built from the sealed records and from documents under version control (docs/register.md). A document that is
    signed says who answers for it; one that is not is claimed.
    """
