"""``custody review``: is the access that identities have still justified, who says so, and was it carried out?"""

from __future__ import annotations

import click

from custody.cli.lazy import Lazy

SUBCOMMANDS: dict[str, str] = {
    "open": "Open a review: seal its population, and write it to be filled in.",
    "show": "List every review, or show one: what is decided, by whom, what became of it.",
    "sign": "Seal decisions about a review, signed or claimed.",
    "close": "Close a review of which all is decided and carried out.",
}
"""Every subcommand and its one-line help."""

PLACES = {
    "open": "custody.cli.review.opening",
    "show": "custody.cli.review.showing",
    "sign": "custody.cli.review.deciding",
    "close": "custody.cli.review.closing",
}
"""The module that holds each."""


@click.group("review", cls=Lazy, helps=SUBCOMMANDS, places=PLACES)
def COMMAND() -> None:  # noqa: N802
    """Reviews of access: who was asked about which identities, what was decided and why, and was it carried out.

    Opening is sealed in the operations log; decisions and the close in the log of approvals, by the process and key of
    whoever approves (docs/reviews.md, docs/approvals.md).
    """
