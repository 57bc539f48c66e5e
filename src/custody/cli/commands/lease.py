"""``custody lease``: run a command with a credential of the broker, and give it back at the end."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click
import msgspec

from custody.errors import ApprovalNeeded, CustodyError, UsageError

if TYPE_CHECKING:
    from custody.client import Broker, Credential, Ended, Identity
    from custody.client.command import Signals

P = ParamSpec("P")
R = TypeVar("R")

BROKER, TOKEN_FILE = "CUSTODY_BROKER", "CUSTODY_TOKEN_FILE"


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """The options as they were given."""

    command: tuple[str, ...]
    broker: str | None
    authority: str | None
    token_file: str | None
    token_env: str | None
    github: bool
    token_audience: str | None
    svid_cert: str | None
    svid_key: str | None
    backend: str | None
    scope: tuple[str, ...]
    audience: tuple[str, ...]
    resource: tuple[str, ...]
    purpose: str | None
    ticket: str | None
    run: str | None
    ttl: str | None
    parent: str | None
    request: str | None
    reason: str | None
    break_glass: bool
    wait: str | None
    env: str | None
    print_: bool
    give_back: str | None
    as_json: bool


def identifying(function: Callable[P, R]) -> Callable[P, R]:
    """Add the options that say where the broker is and what proves who asks."""
    for option in (
        click.option("--svid-key", metavar="FILE", help="Its key, without a password."),
        click.option("--svid-cert", metavar="FILE", help="An X.509-SVID: the certificate of the connection."),
        click.option("--token-audience", metavar="TEXT", help="With --github: for whom.  [default: the broker's URL]"),
        click.option("--github", is_flag=True, help="A token of this GitHub Actions job (id-token: write)."),
        click.option("--token-env", metavar="NAME", help="The variable with the workload's token."),
        click.option("--token-file", metavar="FILE", help=f"Its file, read anew each time.  [{TOKEN_FILE}]"),
        click.option("--authority", metavar="FILE", help="The only authorities for the broker's certificate."),
        click.option("--broker", metavar="URL", help=f"The broker: https, or http to this machine.  [{BROKER}]"),
    ):
        function = option(function)
    return function


def asking(function: Callable[P, R]) -> Callable[P, R]:
    """Add the options that say what is asked for."""
    for option in (
        click.option("--wait", metavar="TIME", help="Wait for people to approve: 10m.  [default: not at all]"),
        click.option("--request", metavar="ID", help="Fetch what people approved, instead of --backend."),
        click.option("--break-glass", is_flag=True, help="Nobody can approve first; takes --reason and --ticket."),
        click.option("--reason", metavar="TEXT", help="Why, with --break-glass: it is sealed."),
        click.option("--parent", metavar="CHAIN", help="The chain that this credential descends from."),
        click.option("--ttl", metavar="TIME", help="How long it is needed at most: 15m."),
        click.option("--run", metavar="KEY", help="The execution that it is for."),
        click.option("--ticket", metavar="TEXT", help="The ticket that it is for."),
        click.option("--purpose", metavar="TEXT", help="What it is for: it is sealed."),
        click.option("--resource", metavar="URI", multiple=True, help="Where it is to be used; may be repeated."),
        click.option("--audience", metavar="NAME", multiple=True, help="For whom it is to be; may be repeated."),
        click.option("--scope", metavar="NAME", multiple=True, help="What it is to allow; may be repeated."),
        click.option("--backend", metavar="NAME", help="The backend that makes it."),
    ):
        function = option(function)
    return function


@click.command("lease", context_settings={"allow_interspersed_args": False})
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND [ARGS]…")
@identifying
@asking
@click.option("--env", metavar="PREFIX", help="Name the variables PREFIX_FIELD instead of as programs expect them.")
@click.option("--print", "print_", is_flag=True, help="Print the credential on stdout, and do not give it back.")
@click.option("--give-back", metavar="CHAIN", help="Give back what was printed, and run nothing.")
@click.option(
    "--json", "as_json", is_flag=True, help="What is told (stderr), and with --print what is printed, as JSON."
)
def COMMAND(command: tuple[str, ...], **options: object) -> int:  # noqa: N802
    """Run COMMAND with a credential in its environment, and give it back at the end (docs/client.md).

    Variables by kind: PGUSER, PGPASSWORD, PGHOST, PGPORT, PGDATABASE; AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
    AWS_SESSION_TOKEN, AWS_REGION; CUSTODY_TOKEN. Always: CUSTODY_CHAIN, CUSTODY_RECEIPT, CUSTODY_EXPIRES. What proves
    who asks is not handed on. The exit code is the command's, 128+n where signal n ended it, 7 where the broker gives
    no credential.
    """
    given = msgspec.convert({**options, "command": command}, Given)
    if sum((bool(command), given.print_, given.give_back is not None)) != 1:
        raise UsageError("give a command to run", expected="-- COMMAND, or --print, or --give-back CHAIN")
    try:
        from custody.client import environment
        from custody.client.command import Signals, Stopped
    except ImportError as error:
        advice = "Install it with: pip install 'custody[client]'"
        raise UsageError("the client is not installed", found=str(error.name), advice=advice) from None
    environment.variables("", {}, {}, given.env)  # what is wrong is said before anything is asked for
    with Signals() as signals:
        try:
            return _done(given, signals)
        except Stopped as stopped:
            _tell(given, "stopped", f"stopped by signal {stopped.number}", signal=stopped.number)
            return 128 + stopped.number


def _done(given: Given, signals: Signals) -> int:
    from custody.client import Broker

    url = given.broker or os.environ.get(BROKER)
    if not url:
        raise UsageError("no broker", expected=f"--broker URL, or {BROKER} in the environment")
    identity = _identity(given, url)
    proofs = _proofs(identity)
    with Broker(url, identity, authority=given.authority, sleep=signals.sleep) as broker:
        if given.give_back is not None:
            _tell_end(given, broker.complete(given.give_back))
            return 0
        with signals.asking():
            credential = _obtained(given, broker)
        told = f"leased {given.backend or given.request} as {credential.chain} until {credential.expires_text}"
        _tell(
            given, "leased", f"{told}, receipt {credential.receipt}",
            chain=credential.chain, receipt=credential.receipt, expires=credential.expires_text, kind=credential.kind,
        )  # fmt: skip
        if credential.review is not None:
            review, until = credential.review, credential.review_by
            told = f"break-glass: somebody else has to approve it until {until}: custody approve {review} --reason …"
            _tell(given, "break-glass", told, review=review, review_by=until)
        if given.print_:
            return _printed(given, broker, credential)
        try:
            return _run(given, signals, credential, hidden=identity.hidden, secrets=proofs)
        finally:
            _give_back(given, broker, credential.chain)


def _identity(given: Given, url: str) -> Identity:
    """The one source of proof that is named; the file of the environment only where none is."""
    from custody.client import GitHubActions, Svid, TokenFile, TokenVariable

    svid = given.svid_cert is not None or given.svid_key is not None
    ways = sum((given.token_file is not None, given.token_env is not None, given.github, svid))
    told = "one of --token-file, --token-env, --github, or --svid-cert with --svid-key"
    if ways > 1 or (svid and (given.svid_cert is None or given.svid_key is None)):
        raise UsageError("which proof is meant is not clear", expected=told)
    if given.svid_cert is not None and given.svid_key is not None:
        return Svid(given.svid_cert, given.svid_key)
    if given.token_env is not None:
        return TokenVariable(given.token_env)
    if given.github:
        return GitHubActions(given.token_audience or url.rstrip("/"))
    file = given.token_file or os.environ.get(TOKEN_FILE)
    if not file:
        raise UsageError("nothing proves who asks", expected=f"{told}, or {TOKEN_FILE} in the environment")
    return TokenFile(file)


def _obtained(given: Given, broker: Broker) -> Credential:
    """The credential. Where people have to approve, the error says how they do, and how to go on then."""
    wait = _seconds(given.wait)

    def pending(request: str) -> None:
        told = f"{request} waits for people: custody request show {request}, custody approve {request} --reason …"
        _tell(given, "pending", told, request=request)

    if (given.backend is None) == (given.request is None):
        raise UsageError("what is asked for is not clear", expected="--backend NAME, or --request ID")
    if given.break_glass and (given.request is not None or not given.reason or not given.ticket):
        raise UsageError("break-glass is not asked for so", expected="--backend NAME --reason TEXT --ticket TEXT")
    try:
        if given.request is not None:
            return broker.fetch(given.request, wait=wait, on_pending=pending)
        ttl = _seconds(given.ttl)
        return broker.exchange(
            given.backend or "",
            scope=[name for each in given.scope for name in each.split()],
            audience=given.audience,
            resource=given.resource,
            purpose=given.purpose,
            ticket=given.ticket,
            run=given.run,
            ttl=None if ttl is None else int(ttl),
            parent=given.parent,
            reason=given.reason,
            break_glass=given.break_glass,
            wait=wait,
            on_pending=pending,
        )
    except ApprovalNeeded as error:
        error.advice = (
            f"Approvers: custody request show {error.found}, then custody approve {error.found} --reason … "
            f"When they have: custody lease --request {error.found} … -- COMMAND (or wait for them: --wait 10m)."
        )
        raise


def _proofs(identity: Identity) -> tuple[str, ...]:
    """What proves who asks, as far as it is at hand: no variable that holds it goes to the command."""
    from custody.client import TokenFile, TokenVariable

    return (identity.token().reveal(),) if isinstance(identity, TokenFile | TokenVariable) else ()


def _run(
    given: Given, signals: Signals, credential: Credential, *, hidden: frozenset[str], secrets: tuple[str, ...]
) -> int:
    from custody.client.command import NOT_FOUND, NOT_RUN
    from custody.client.environment import handed_down

    environment = handed_down(
        os.environ,
        credential.kind,
        credential.environment(prefix=given.env),
        hidden=hidden | {TOKEN_FILE},
        secrets=secrets,
        own_names=given.env is None,
    )
    sys.stdout.flush()
    try:
        return signals.run(given.command, environment)
    except OSError as error:
        _tell(given, "not-run", f"{given.command[0][:200]}: {error.strerror}", found=error.strerror or "")
        return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_RUN


def _printed(given: Given, broker: Broker, credential: Credential) -> int:
    """Print the credential; where it cannot be printed nobody has it, so it is given back."""
    from custody.cli.output import emit

    told = credential.environment(prefix=given.env)
    try:
        if given.as_json:
            names = {"chain": credential.chain, "receipt": credential.receipt, "expires": credential.expires_text}
            emit({**names, "kind": credential.kind, "fields": dict(credential.fields), "environment": told})
        else:
            click.echo("\n".join(f"{name}={shlex.quote(value)}" for name, value in told.items()))
        sys.stdout.flush()
    except OSError:
        _give_back(given, broker, credential.chain)
        raise
    _tell(given, "kept", f"it is not given back by itself: custody lease --give-back {credential.chain}")
    return 0


def _give_back(given: Given, broker: Broker, chain: str) -> None:
    """Complete the lease; that it could not be is told, and changes nothing about the command's exit code."""
    try:
        _tell_end(given, broker.complete(chain))
    except CustodyError as error:
        told = f"{chain} was not given back, it ends at its expiry: {error}"
        _tell(given, "not-given-back", f"{told}; try: custody lease --give-back {chain}", chain=chain)


def _tell_end(given: Given, ended: Ended) -> None:
    lease = ended.lease
    words = {
        "ended": "it is gone, as the broker saw",
        "surviving": "it lives on, or sessions of it: the broker goes on trying",
        "waiting": f"nothing ends it before {lease.not_after.isoformat()}",
        "ending": "what became of it is not known yet: the broker goes on trying",
    }
    alive = [each.chain for each in ended.below if each.standing not in ("ended", "failed")]
    told = f"gave {lease.chain} back, {lease.standing}: {words.get(lease.standing, 'see the log')}"
    if ended.below:
        told += f"; below it {len(ended.below) - len(alive)} of {len(ended.below)} are gone"
    _tell(given, "ended", told, chain=lease.chain, standing=lease.standing, effect=lease.effect, alive=alive)


def _tell(given: Given, event: str, told: str, **fields: object) -> None:
    """One line on stderr; a stderr that nobody reads stops nothing."""
    from custody.reports.safe import plain

    text = msgspec.json.encode({"event": event, **fields}).decode() if given.as_json else f"custody: {plain(told)}"
    try:
        click.echo(text, err=True)
    except OSError:
        return


def _seconds(text: str | None) -> float | None:
    from custody.settings.amounts import parse_duration

    return None if text is None else parse_duration(text) / 1_000_000
