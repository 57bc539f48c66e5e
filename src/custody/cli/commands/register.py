"""``custody register``: who answers for which identity, why it exists, and who said so."""

from __future__ import annotations

import importlib

import click

SUBCOMMANDS: dict[str, str] = {
    "list": "List every identity: its owner, purpose, and what is missing.",
    "show": "Show one identity: every claim, who made it, and its credentials.",
    "import": "Seal a register document, signed or not, and judge again.",
    "export": "Write the register as YAML, CSV or JSON.",
    "check": "Check documents before they are imported; nothing is sealed.",
}
"""Every subcommand and its one-line help."""

FILES = {
    "list": "listing",
    "show": "showing",
    "import": "importing",
    "export": "exporting",
    "check": "checking",
}
"""The module of ``custody.cli.register`` that holds each."""


class Lazy(click.Group):
    """A group whose subcommands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Every subcommand, in the order in which people meet them."""
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one subcommand."""
        if cmd_name not in SUBCOMMANDS:
            return None
        found = importlib.import_module(f"custody.cli.register.{FILES[cmd_name]}").COMMAND
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list of subcommands, without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(SUBCOMMANDS.items()))


@click.group("register", cls=Lazy)
def COMMAND() -> None:  # noqa: N802
    """The register of non-human identities: owner, purpose, privileges and lifecycle of each, and who said so.

    It is built from the sealed records and from documents under version control (docs/register.md). A document that is
    signed says who answers for it; one that is not is claimed.
    """
