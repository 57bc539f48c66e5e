"""``custody incident policies``: are they sound, and what is shipped?"""

from __future__ import annotations

from pathlib import Path

import click

from custody.cli import options
from custody.cli.exits import CODES
from custody.errors import UsageError


@click.command("policies")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option("--shipped", is_flag=True, help="Print the policies that hold where the response file names no folder.")
@click.option("--schema", is_flag=True, help="Print the schema: everything that a policy of an incident may speak of.")
@options.as_json
def COMMAND(folder: Path | None, shipped: bool, schema: bool, as_json: bool) -> int:  # noqa: N802
    """Check the Cedar policies in FOLDER for incidents: parsed, and valid against the schema of incidents."""
    from custody.cli.output import emit
    from custody.pipeline.incidents import checking
    from custody.reports.safe import plain

    if sum((folder is not None, shipped, schema)) != 1:
        raise UsageError(
            "what is wanted is not clear",
            expected="one of FOLDER, --shipped and --schema",
            advice="--shipped prints the policies to begin with.",
        )
    if folder is None:
        text = checking.shipped() if shipped else checking.schema()
        click.echo(text, nl=False) if not as_json else emit({"text": text})
        return CODES["done"]
    found = checking.check(folder)
    sound = found.found
    if as_json:
        names = ("id", "effect", "place", "sha256", "asked", "max_ttl", "description")
        policies = [{name: getattr(each, name) for name in names} for each in found.policies]
        digest = None if sound is None else sound.sha256
        emit(
            {
                "sound": sound is not None,
                "policy_set": digest,
                "policies": policies,
                "flaws": found.flaws,
                "notes": found.notes,
            }
        )
    else:
        for each in found.policies:
            click.echo(plain(f"{each.effect:<6}  {each.id}  {each.sha256[:12]}  {each.place}"))
        for word, flaws in (("wrong", found.flaws), ("note", found.notes)):
            for flaw in flaws:
                told = f"{flaw.message} {flaw.found} {flaw.expected}".rstrip()
                click.echo(plain(f"{word}  {flaw.where}: {told}"))
        click.echo("sound" if sound is not None else "not sound: no incident could be opened with them")
    return CODES["usage" if sound is None else "done"]
