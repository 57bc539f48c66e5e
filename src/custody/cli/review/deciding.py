"""``custody review sign``: seal decisions."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from custody.cli import options
from custody.cli.register.signing import given_of, signing
from custody.settings.catalog import Settings

if TYPE_CHECKING:
    from custody.pipeline.reviewing.signing import Decided

LOG = "approvals"


@click.command("sign")
@click.argument("name")
@click.option(
    "--decisions", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE",
    help="What was decided: YAML, or the exported table filled in.",
)  # fmt: skip
@click.option("--partial", is_flag=True, help="They may leave identities of the population out.")
@signing
@options.approving
@options.as_json
def COMMAND(  # noqa: N802
    name: str, decisions: Path, partial: bool, settings: Settings, as_json: bool, **given: object
) -> None:
    """Seal what was decided about the review NAME in the log of approvals.

    With --signature (ssh-keygen -Y sign -n custody-review FILE, checked against --signers) or --token-file it says who
    decided. Without either the decisions are claimed. They are judged by the next audit or rebuild.
    """
    from custody.cli.output import emit
    from custody.pipeline.reviewing.signing import sign

    found = sign(settings, name, decisions, given_of(given), partial=partial)
    if as_json:
        emit(_fields(found))
        return
    click.echo("\n".join(_lines(found)))


def _fields(found: Decided) -> dict[str, object]:
    plain = {field: getattr(found, field) for field in found.__struct_fields__}
    return {
        **plain,
        "decisions": [msgspec.to_builtins(each) for each in found.decisions],
        "leaf": {"log": LOG, "index": found.leaf},
    }


def _lines(found: Decided) -> list[str]:
    from custody.cli.register.signing import signed_by
    from custody.reports.safe import plain
    from custody.reports.terminal.layout import COLUMNS, labelled, wrapped
    from custody.reports.words import number

    counts = Counter(each.choice.value for each in found.decisions)
    told = ", ".join(f"{name} {number(counts[name])}" for name in ("keep", "narrow", "remove"))
    left = f"{number(found.undecided)} of the review still undecided" if found.undecided else "all of it is decided"
    rows = (
        ("review", f"{found.review}  {told}; {left}"),
        ("sealed" if found.sealed else "known already", f"leaf {LOG}:{found.leaf}  SHA-256 {found.digest[:16]}…"),
        ("signed by", signed_by(found.signature)),
        ("sealed by", f"{found.by}, as the system names them"),
        *(("note", note) for note in found.notes),
    )
    return [line for label, text in rows for line in labelled(label, wrapped(plain(text), COLUMNS - 14))]
