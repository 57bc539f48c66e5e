"""``custody review open``: seal a population, and write it out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from custody.cli import options
from custody.model.register import IdentityKind
from custody.settings.catalog import Settings

if TYPE_CHECKING:
    from custody.model.reviews import Review

KINDS = [kind.value for kind in IdentityKind]


@click.command("open")
@click.option("--name", metavar="NAME", help="Its name.  [default: review- and today's date]")
@click.option("--identity", metavar="GLOB", help="Identities one of whose names fits.")
@click.option("--owner", metavar="NAME", help="Identities that this owner is said to answer for.")
@click.option("--kind", type=click.Choice(KINDS), help="Identities of this kind.")
@click.option("--class", "identity_class", metavar="CLASS", help="Identities of this class of the contract.")
@click.option("--all", "every", is_flag=True, help="Every identity of the register.")
@click.option("--due", required=True, metavar="DATE", help="By when it is to be decided: a date is its end.")
@click.option("--reviewer", required=True, metavar="NAME", help="Who is to sign, as the allowed signers name them.")
@click.option("--sample", type=int, metavar="N", help="Only a sample of so many, which anybody can draw again.")
@click.option("--seed", metavar="TEXT", help="By what the sample is drawn.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Write the population: .csv (to be filled in and signed), .json or .ndjson (what the digest is over).",
)  # fmt: skip
@options.opening
@options.as_json
def COMMAND(  # noqa: N802
    output: Path | None, settings: Settings, as_json: bool, **wanted: object
) -> None:
    """Open a review of the identities that fit every option given, with what the register knows of each.

    The population is that of the last audit or rebuild. It is sealed with its count and digest in the operations log.
    """
    from custody.cli.output import emit
    from custody.pipeline.reviewing.files import form_of, written
    from custody.pipeline.reviewing.opening import Wanted, open_review

    form = form_of(output) if output is not None else None
    found = open_review(settings, Wanted(**wanted))  # type: ignore[arg-type]
    if output is not None and form is not None:
        output.write_bytes(written(found.opening, form))
    if as_json:
        emit(_fields(found, output))
        return
    click.echo("\n".join(_lines(found, output)))


def _fields(found: Review, output: Path | None) -> dict[str, object]:
    from custody.pipeline.reviewing.showing import Shown, State, summary

    return {
        **summary(Shown(review=found, state=State.OPEN, decided={}, signed=0)),
        "file": None if output is None else str(output),
    }


def _lines(found: Review, output: Path | None) -> list[str]:
    from custody.cli.review.page import chosen
    from custody.model.times import until_text
    from custody.reports.safe import plain
    from custody.reports.terminal.layout import COLUMNS, labelled, wrapped
    from custody.reports.words import counted

    opening = found.opening
    many = counted(len(opening.members), "identity", "identities")
    rows = [
        ("review", opening.name),
        ("population", f"{many}: {chosen(opening)}"),
        ("digest", opening.digest),
        ("reviewer", f"{plain(opening.reviewer)}, due {until_text(opening.due)}"),
        ("sealed", f"leaf operations:{opening.leaf}"),
    ]
    if output is not None:
        rows.append(("written", str(output)))
        if output.suffix == ".csv":
            rows.append(("next", f"fill in decision, to, reason; ssh-keygen -Y sign -f KEY -n custody-review {output}"))
    else:
        rows.append(("next", f"custody review show {opening.name} -o FILE.csv"))
    return [line for label, text in rows for line in labelled(label, wrapped(plain(text), COLUMNS - 14))]
