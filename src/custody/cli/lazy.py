"""Groups whose commands are imported when they are asked for: start-up time is part of every answer."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import click


class Lazy(click.Group):
    """A group of commands by name: ``helps`` has the one-line help of each, in the order in which people meet them.

    ``places`` has the module of each, whose ``COMMAND`` it is.
    """

    def __init__(
        self, *arguments: object, helps: Mapping[str, str], places: Mapping[str, str], **named: object
    ) -> None:
        super().__init__(*arguments, **named)  # type: ignore[arg-type]  # click's own arguments, passed on
        self._helps, self._places = helps, places

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Every command, in order."""
        return list(self._helps)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command."""
        if cmd_name not in self._places:
            return None
        found = importlib.import_module(self._places[cmd_name]).COMMAND
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list of commands, without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._helps.items()))
