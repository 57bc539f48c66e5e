"""What to type after a step of an incident: who is under way should not have to look for the next command."""

from __future__ import annotations

from collections.abc import Iterator

from custody.cli.approving.summary import lasting
from custody.incidents.record.folding import Where
from custody.model.incidents import Asked, Closed, Decided, Done, Opened, Reopened, Step
from custody.reports.words import stamp
from custody.settings.catalog import Settings

SIGNED = "--reason TEXT --sign-with KEY"
SIGNED_OPEN = f"--title TEXT {SIGNED}"

UNSIGNED = (
    "a signature: ask again with --sign-with KEY; where the incident was opened without allowed signers, open another "
    "with --signers FILE"
)


def opening(seed: str, settings: Settings, more: str = "") -> str:
    """The command that opens an incident; ``seed`` is ``--finding ID`` or ``--key KEY``, ``more`` the folders.

    Who may approve and whose the keys are is sealed with the opening and cannot be handed over later. So the files of
    both are asked for wherever ``settings`` name none.
    """
    files = (("--response FILE", settings.response), ("--signers FILE", settings.signers))
    missing = [option for option, named in files if named is None]
    return " ".join(["custody incident open", seed, SIGNED_OPEN, *missing, *([more] if more else [])])


def needs(step: Step, at: str) -> Iterator[tuple[str, str]]:
    """What a request still needs from people, labelled; ``at`` is how far it is (a value of ``Where``)."""
    if not isinstance(step, Asked):
        return
    asked = step.decision.asked
    if step.break_glass and at == Where.READY:
        yield (
            "needs",
            f"a second person by {stamp(step.second_by)}, a review by somebody else by {stamp(step.review_by)}",
        )
    elif at == Where.WAITING and asked is not None:
        yield (
            "needs",
            f"{asked.count} of {asked.group} within {lasting(asked.within)}: not who asked, nor who is to do it",
        )
    elif at == Where.DENIED:
        denied = ", ".join(each.id for each in step.decision.policies)
        yield "because", f"{denied} forbids it" if denied else "no policy allows it"
        if step.decision.context.get("signed") == "false":
            yield "needs", UNSIGNED


def commands(step: Step, at: str) -> tuple[str, ...]:
    """The next commands, each to be copied whole; none where nothing follows by itself."""
    match step:
        case Opened():
            widen = f"custody incident widen {step.incident} --key CREDENTIAL {SIGNED}"
            return (
                f"custody incident show {step.incident}" if step.seeds else widen,
                f"custody incident act {step.incident} contain TARGET {SIGNED}",
            )
        case Asked():
            return _asked(step, at)
        case Decided(verdict="grant") if at in (Where.DONE, Where.UNAPPROVED):
            return (*_review(step.action, at), f"custody incident show {step.incident}")
        case Decided(verdict="grant"):
            return (
                f"custody incident status {step.incident}",
                f"custody incident done {step.action} --sign-with KEY",
            )
        case Decided(verdict="deny"):
            return (f"custody incident settle {step.action} --how withdrawn {SIGNED}",)
        case Done():
            return (*_review(step.action, at), f"custody incident show {step.incident}")
        case Reopened():
            return (f"custody incident show {step.incident}",)
        case Closed():
            return (f"custody pack --incident {step.incident} -o FILE.zip",)
        case _:
            return ()


def _review(action: str, at: str) -> tuple[str, ...]:
    """How somebody else reviews what was done without approval."""
    return (f"custody incident review {action} --verdict justified {SIGNED}",) if at == Where.UNAPPROVED else ()


def _asked(step: Asked, at: str) -> tuple[str, ...]:
    request, approve = f"custody incident request {step.action}", f"custody incident approve {step.action} {SIGNED}"
    if at == Where.WAITING:
        return (request, approve)
    if at != Where.READY:
        return ()
    done = f"custody incident done {step.action} --sign-with KEY"
    return (done, approve) if step.break_glass else (done,)
