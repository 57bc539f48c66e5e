"""The command line: a door, no logic of its own. Each command is one file in ``commands``, loaded when asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from custody import __version__
from custody.cli.exits import CODES, MEANING
from custody.cli.lazy import Lazy
from custody.errors import CustodyError, UsageError

COMMANDS: dict[str, str] = {
    "audit": "Read logs, seal them, join them into chains, judge every chain, and show it.",
    "trace": "Show the chain of one credential, or what matches a key, address, role, …",
    "register": "Say who answers for each identity, why it exists, and who said so.",
    "review": "Review access: open, decide and sign, carry out, close.",
    "incident": "Keep the record of an incident: who asked, who approved, what was done, what is proved.",
    "privileges": "Show what a principal may do as of any time, who gave it and who approved.",
    "contain": "Say what is alive of a credential and its descendants, and what would end each.",
    "serve": "Issue short-lived credentials to workloads, with the evidence built in.",
    "lease": "Run a command with a credential of the broker, and give it back at the end.",
    "request": "List and show what waits for the approval of people.",
    "approve": "Approve a request to the broker, exactly as it is shown.",
    "deny": "Deny a request to the broker.",
    "approvals": "Serve approvals over HTTP: the process that writes the log of approvals.",
    "policy": "Check, try and explain the policies of a broker.",
    "break-glass": "Seal a credential for when the broker is down: two people open it, loudly.",
    "drill": "Play a break-glass from beginning to end, and measure every step.",
    "findings": "List what asks for action.",
    "coverage": "Show every question and how many chains answer it.",
    "scope": "Show what was read and what was not.",
    "report": "Write the report as HTML or JSON.",
    "export": "Write events, findings, assessment results or tables for other tools.",
    "show": "Show one event: its record, its leaf and what it means.",
    "locate": "Say for each record of a file at which leaf it is sealed.",
    "prove": "Write the C2SP proof that an event is in the log.",
    "pack": "Write the evidence about some credentials into one file that anybody can check.",
    "erase": "Erase the bytes of records for good; their entries and proofs stay.",
    "hold": "Put a legal hold on records: nothing that it covers is erased.",
    "anchor": "Have the checkpoint cosigned by witnesses and time-stamped, and seal the answers.",
    "rotate-key": "Go on with a new signing key; the old one signs that this is so.",
    "witness": "Be a witness: cosign checkpoints of other people's logs, never two that contradict.",
    "verify": "Check the whole store against its log, and the log against its key; or a pack.",
    "rebuild": "Judge again, from the sealed records and the contract given now.",
    "joins": "List the joins: what each links, on which fields, how surely, and its pitfalls.",
    "rules": "List the rules: what each asks, why, and its controls.",
    "sources": "List the kinds of log that are understood.",
    "settings": "Show every setting and where its value came from.",
    "simulate": "Write the logs of an invented organisation, and the truth about them.",
    "demo": "Invent an organisation's logs, audit them, and write the report.",
}
"""Every command and its one-line help; a test holds this list against the folder."""


PLACES = {name: f"custody.cli.commands.{name.replace('-', '_')}" for name in COMMANDS}


@click.group(
    cls=Lazy,
    helps=COMMANDS,
    places=PLACES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="custody")
def cli() -> None:
    """The chain of custody for machine identities.

    custody joins logs into one chain per short-lived credential, seals every record in a tamper-evident log, and says
    of every question about a chain whether it is proved, violated, unproven or still open.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit code (see docs/exit-codes.md)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in (given[: given.index("--")] if "--" in given else given)
    try:
        _check(given)
        result = cli.main(args=given, prog_name="custody", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo(f"custody: {MEANING['interrupted']}", err=True)
        return CODES["interrupted"]
    except click.ClickException as error:
        error.show()
        return _failed(UsageError(error.format_message()), as_json=as_json)
    except CustodyError as error:
        _explain(error)
        return _failed(error, as_json=as_json)
    except (BrokenPipeError, SystemExit):  # click ends the process where the reader of a pipe is gone
        _let_go()
        return CODES["done"]
    except OSError as error:
        return _refused(error, as_json=as_json)
    return result if isinstance(result, int) else 0


def _check(given: Sequence[str]) -> None:
    from custody.cli.options import check_text

    for argument in given:
        check_text(argument, "the command line")
    if sys.stdout is None:
        raise UsageError("the answer has nowhere to go", where="stdout", found="closed")


def _failed(error: CustodyError, *, as_json: bool) -> int:
    """The exit code of an error, after the object that a program waits for."""
    if as_json and sys.stdout is not None:
        from custody.cli.output import emit

        names = ("message", "where", "found", "expected", "advice")
        told = {name: getattr(error, name) for name in names}
        emit({"error": {**told, "exit_code": error.exit_code}})
    return error.exit_code


def _refused(error: OSError, *, as_json: bool) -> int:
    """What the operating system refused: a file that the error names, else what was being written."""
    reason = error.strerror or str(error)
    if error.filename is None:
        _let_go()
        click.echo(f"custody: stdout, or a file being written: {reason}", err=True)
        return CODES["usage"]
    refused = UsageError(reason, where=os.fsdecode(error.filename))
    _explain(refused)
    return _failed(refused, as_json=as_json)


def _let_go() -> None:
    """Send what is still held back nowhere: Python would try, and complain, once more at its end."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        return


def _explain(error: CustodyError) -> None:
    from custody.reports.safe import plain

    first, *rest = str(error).split("\n")
    click.echo(f"custody: {plain(first)}", err=True)
    for line in rest:
        click.echo(f"  {plain(line)}", err=True)
    if error.advice:
        click.echo(f"  {plain(error.advice)}", err=True)


def run() -> None:
    """The console script."""
    sys.exit(main())
