"""``custody verify``: check everything."""

from __future__ import annotations

from pathlib import Path

import click

from custody.cli import options
from custody.cli.exits import CODES
from custody.errors import UsageError
from custody.settings.catalog import Settings


@click.command("verify")
@click.argument("pack", required=False, type=click.Path(path_type=Path), metavar="[FILE.zip]")
@click.option("--vkey", help="The verifier key to trust, as text or a file; without it the one in the key folder.")
@click.option(
    "--policy", type=click.Path(path_type=Path), metavar="FILE", help="The C2SP tlog-policy to trust: log, witnesses."
)
@click.option(
    "--tsa-roots", type=click.Path(path_type=Path, exists=True), metavar="PEM", help="Roots of time stamps to trust."
)
@click.option("--approvals-vkey", metavar="KEY", help="The verifier key of the log of approvals, as --vkey.")
@click.option(
    "--against", type=click.Path(path_type=Path, exists=True), metavar="CHECKPOINT", help="A checkpoint held elsewhere."
)
@options.verifying
@options.as_json
def COMMAND(  # noqa: N802
    pack: Path | None,
    vkey: str | None,
    policy: Path | None,
    tsa_roots: Path | None,
    approvals_vkey: str | None,
    against: Path | None,
    settings: Settings,
    as_json: bool,
) -> int:
    """Rebuild the log from its entries and check every file of the store against it. Reads only.

    With FILE.zip, an evidence pack (custody pack): check it offline, without a store. Without --vkey or --policy it is
    checked against the key that it brings, which shows that it is whole and not whose it is.
    """
    if pack is not None:
        if against is not None:
            raise UsageError("a pack is not checked against a checkpoint", where="--against", expected="a store")
        return _pack(pack, vkey, (policy, tsa_roots, approvals_vkey), as_json)
    return _store(vkey, against, (policy, tsa_roots, approvals_vkey), settings, as_json)


def _store(
    vkey: str | None,
    against: Path | None,
    trust: tuple[Path | None, Path | None, str | None],
    settings: Settings,
    as_json: bool,
) -> int:
    from custody.cli.output import emit
    from custody.cli.progress import verifying
    from custody.pipeline.verify import verify

    with verifying() as progress:
        found = verify(settings, vkey, against, progress, *trust)
    if as_json:
        emit(found)
    else:
        from custody.cli.verification import described

        click.echo(described(found))
    return {"ok": CODES["done"], "unfinished": CODES["unfinished"]}.get(found.status, CODES["store"])


def _pack(path: Path, vkey: str | None, trust: tuple[Path | None, Path | None, str | None], as_json: bool) -> int:
    from custody.cli.output import emit
    from custody.cli.progress import verifying
    from custody.pipeline.verify import verify_pack

    with verifying() as progress:
        policy, roots, approvals_vkey = trust
        found = verify_pack(path, vkey, policy, progress, roots, approvals_vkey)
    if as_json:
        emit(found)
    else:
        from custody.cli.packed import checked

        click.echo(checked(found))
    return CODES["done"] if found.status == "ok" else CODES["store"]
