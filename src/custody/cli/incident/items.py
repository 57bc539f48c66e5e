"""Items of the checklist as arguments: in their own words, or in one word with hyphens, which a shell can complete."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from custody.model.incidents import Item


class ItemChoice(click.Choice[str]):
    """``cause removed`` or ``cause-removed``; the value has spaces."""

    def __init__(self) -> None:
        super().__init__([each.value for each in Item])

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """click's; BadParameter for no item."""
        return str(super().convert(str(value).replace("-", " "), param, ctx))

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """One word each, as shells put a space into the line as it is."""
        words = (str(each).replace(" ", "-") for each in self.choices)
        return [CompletionItem(each) for each in words if each.startswith(incomplete.replace(" ", "-"))]
