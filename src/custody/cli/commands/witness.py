"""``custody witness``: watch over other people's logs."""

from __future__ import annotations

from pathlib import Path

import click

from custody.cli import options
from custody.errors import UsageError

FOLDER = click.option(
    "--folder", type=click.Path(path_type=Path), default=Path("custody-witness"), show_default=True, metavar="DIR",
    help="The witness's key and memory.",
)  # fmt: skip


@click.group("witness")
def COMMAND() -> None:  # noqa: N802
    """Be a witness (C2SP tlog-witness): cosign checkpoints of logs, and never two that contradict each other.

    Run it elsewhere than the logs it watches: another machine, another account, other people.
    """


@COMMAND.command("init")
@click.option("--name", required=True, help="The name of the witness: a domain and path without a scheme.")
@FOLDER
@options.as_json
def init(name: str, folder: Path, as_json: bool) -> None:
    """Draw a key, and print the witness's verifier key for the policies of those who trust it."""
    from custody.cli.output import emit
    from custody.witness.folder import make

    vkey = make(folder, name).witness.vkey
    if as_json:
        emit({"folder": str(folder), "vkey": vkey})
    else:
        click.echo(vkey)


@COMMAND.command("know")
@click.argument("vkey")
@FOLDER
@options.as_json
def know(vkey: str, folder: Path, as_json: bool) -> None:
    """Watch over the log whose verifier key is VKEY (`custody verify` prints it), or accept its next key."""
    from custody.cli.output import emit
    from custody.witness.folder import know as known
    from custody.witness.folder import opened

    fresh = known(opened(folder)[1], vkey.strip())
    if as_json:
        emit({"log": vkey.partition("+")[0], "new": fresh})
    else:
        click.echo("known from now on" if fresh else "was known already")


@COMMAND.command("show")
@FOLDER
@options.as_json
def show(folder: Path, as_json: bool) -> None:
    """Show the logs that are watched, and the size cosigned last of each."""
    from custody.cli.output import emit
    from custody.reports.safe import plain
    from custody.witness.folder import opened

    cosigner, memory = opened(folder)
    logs = memory.logs()
    if as_json:
        rows = [{"origin": one.origin, "size": one.size, "root": one.root.hex(), "vkeys": one.vkeys} for one in logs]
        emit({"vkey": cosigner.witness.vkey, "logs": rows})
        return
    click.echo(cosigner.witness.vkey)
    for one in logs:
        click.echo(f"{one.size:>12,}  {plain(one.origin)}")


@COMMAND.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8731, show_default=True, type=click.IntRange(0, 65535), help="The port; 0: any.")
@click.option("--certificate", type=click.Path(path_type=Path, exists=True), metavar="PEM", help="TLS: the chain.")
@click.option("--private-key", type=click.Path(path_type=Path, exists=True), metavar="PEM", help="TLS: its key.")
@FOLDER
def serve(host: str, port: int, certificate: Path | None, private_key: Path | None, folder: Path) -> None:
    """Answer add-checkpoint. Beyond this machine use TLS, here or in a proxy before it."""
    if (certificate is None) != (private_key is None):
        raise UsageError("TLS needs both", expected="--certificate and --private-key")
    from custody.witness.serving import serve as run

    run(folder, host, port, certificate, private_key)
