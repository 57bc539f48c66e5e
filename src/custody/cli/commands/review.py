"""``custody review``: is the access that identities have still justified, who says so, and was it carried out?"""

from __future__ import annotations

import importlib

import click

SUBCOMMANDS: dict[str, str] = {
    "open": "Open a review: seal its population, and write it to be filled in.",
    "show": "List every review, or show one: what is decided, by whom, what became of it.",
    "sign": "Seal decisions about a review, signed or claimed.",
    "close": "Close a review of which all is decided and carried out.",
}
"""Every subcommand and its one-line help."""

FILES = {"open": "opening", "show": "showing", "sign": "deciding", "close": "closing"}
"""The module of ``custody.cli.review`` that holds each."""


class Lazy(click.Group):
    """A group whose subcommands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Every subcommand, in the order of a review."""
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one subcommand."""
        if cmd_name not in SUBCOMMANDS:
            return None
        found = importlib.import_module(f"custody.cli.review.{FILES[cmd_name]}").COMMAND
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list of subcommands, without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(SUBCOMMANDS.items()))


@click.group("review", cls=Lazy)
def COMMAND() -> None:  # noqa: N802
    """Reviews of access: who was asked about which identities, what was decided and why, and was it carried out.

    Opening is sealed in the operations log; decisions and the close in the log of approvals, by the process and key of
    whoever approves (docs/reviews.md, docs/approvals.md).
    """
