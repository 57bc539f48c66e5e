"""Which OCSF class and activity an event of a log is: from the stage and effect of the part that says most."""

from collections.abc import Sequence

from custody.model.effects import EFFECTS, Kind
from custody.model.events import Outcome, Stage
from custody.reports.ocsf.classes import (
    ACCOUNT_CHANGE,
    API_ACTIVITY,
    APPLICATION_LIFECYCLE,
    AUTHENTICATION,
    ENTITY_MANAGEMENT,
    EVENT_LOG_ACTIVITY,
    NETWORK_ACTIVITY,
    OTHER,
    OcsfClass,
)
from custody.reports.ocsf.rows import Row

Meaning = tuple[OcsfClass, int, str]
"""Class, activity, and the words for activity 99."""

WEIGHT: dict[str | None, int] = {
    Stage.ISSUE.value: 0,
    Stage.REVOKE.value: 1,
    Stage.REFRESH.value: 2,
    Stage.EXPIRE.value: 3,
    Stage.CHANGE.value: 4,
    Stage.END.value: 5,
    Stage.START.value: 6,
    Stage.APPROVE.value: 7,
    Stage.INVENTORY.value: 8,
    Stage.USE.value: 9,
    Stage.DECIDE.value: 10,
    Stage.REQUEST.value: 11,
    None: 12,
}
"""Of the parts of an event the one with the least number says what the event is. Every call is also a use of the key
that it was made with; an AssumeRole is first of all an issue."""

VERBS: dict[str, int] = {
    **dict.fromkeys(("create", "insert", "post", "run", "allocate", "import", "generate"), 1),
    **dict.fromkeys(("get", "list", "read", "describe", "head", "select", "watch", "lookup", "scan", "query"), 2),
    **dict.fromkeys(("update", "put", "patch", "modify", "alter", "set", "attach", "detach", "tag", "untag"), 3),
    **dict.fromkeys(("delete", "deletecollection", "drop", "remove", "terminate", "truncate"), 4),
}
"""The first word of an operation, in lower case, by what it does to what it names. A log that says it another way says
no more than that there was a call: activity 99."""

PLAIN_METHODS = ("post",)
"""As methods of HTTP these say nothing about what was done."""

EXPLICIT: dict[str, Meaning] = {
    "user.create": (ACCOUNT_CHANGE, 1, ""),
    "user.delete": (ACCOUNT_CHANGE, 6, ""),
    "user.update": (ACCOUNT_CHANGE, OTHER, "Update"),
    "principal.create": (ACCOUNT_CHANGE, 1, ""),
    "principal.delete": (ACCOUNT_CHANGE, 6, ""),
    "password.change": (ACCOUNT_CHANGE, 3, ""),
    "login.update": (ACCOUNT_CHANGE, 3, ""),
    "login.create": (ACCOUNT_CHANGE, OTHER, "Enable password"),
    "login.delete": (ACCOUNT_CHANGE, OTHER, "Remove password"),
    "password.remove": (ACCOUNT_CHANGE, OTHER, "Remove password"),
    "key.activate": (ACCOUNT_CHANGE, OTHER, "Activate key"),
    "key.deactivate": (ACCOUNT_CHANGE, OTHER, "Deactivate key"),
    "key.delete": (ACCOUNT_CHANGE, OTHER, "Delete key"),
    "console.login": (AUTHENTICATION, 1, ""),
    "user.login": (AUTHENTICATION, 1, ""),
    "session.open": (AUTHENTICATION, 1, ""),
    "session.open_failed": (AUTHENTICATION, 1, ""),
    "session.close": (AUTHENTICATION, 2, ""),
    "session.terminate": (AUTHENTICATION, 2, ""),
    "token.review": (AUTHENTICATION, OTHER, "Token review"),
    "trust.change": (ENTITY_MANAGEMENT, 3, ""),
    "flow": (NETWORK_ACTIVITY, 6, ""),
    "digest.period": (EVENT_LOG_ACTIVITY, 3, ""),
    "digest.file": (EVENT_LOG_ACTIVITY, 3, ""),
    "digest.public_key": (EVENT_LOG_ACTIVITY, OTHER, "Publish key"),
}
"""Effects with a class of their own, whatever their stage. A key is not an account: what happens to one key of it has
no number among the account changes of this version."""

OF_ENTITIES: dict[str, int] = {
    "create": 1, "put": 3, "change": 3, "attach": 3, "detach": 3, "add": 3, "remove": 3, "version": 3, "default": 3,
    "settings": 3, "rename": 3, "delete": 4,
}  # fmt: skip
ENTITIES = ("role", "policy", "boundary", "profile", "group", "grant", "trust")
RUN_KINDS = {Kind.RUN_START: 3, Kind.RUN_END: 4}


def main(parts: Sequence[Row]) -> Row:
    """The part that says what the event is."""
    return min(parts, key=lambda part: WEIGHT.get(part.stage, len(WEIGHT)))


def meaning(part: Row, *, called: bool) -> Meaning:
    """Class and activity of the event whose main part is ``part``; ``called``: a credential was used for it."""
    effect = part.effect or ""
    if effect in EXPLICIT:
        return EXPLICIT[effect]
    thing, _, done = effect.partition(".")
    if thing in ENTITIES and part.stage in (Stage.CHANGE, Stage.START, Stage.END):
        return _of_entity(part, done)
    kind = EFFECTS[effect].kind if effect in EFFECTS else Kind.OTHER
    if kind in RUN_KINDS and not called:
        return (APPLICATION_LIFECYCLE, RUN_KINDS[kind], "")
    match part.stage:
        case Stage.ISSUE.value:
            return (API_ACTIVITY, 1, "")
        case Stage.REVOKE.value:
            return (API_ACTIVITY, 4, "")
        case Stage.REFRESH.value:
            return (API_ACTIVITY, 3, "")
        case Stage.EXPIRE.value:
            return (AUTHENTICATION, 2, "")
        case Stage.INVENTORY.value:
            return (ENTITY_MANAGEMENT, OTHER, "Inventory")
        case Stage.APPROVE.value | Stage.DECIDE.value | Stage.REQUEST.value:
            return (API_ACTIVITY, OTHER, said(effect) or part.stage.capitalize())
    return (API_ACTIVITY, verb(part.action, http=part.source == "envoy.access"), said(effect) or "Call")


def _of_entity(part: Row, done: str) -> Meaning:
    """A change of a policy on a user is one of the user; any other is one of what carries it."""
    if part.key is not None and ":user/" in part.key and part.effect in ("policy.attach", "policy.detach"):
        return (ACCOUNT_CHANGE, 7 if part.effect == "policy.attach" else 8, "")
    return (ENTITY_MANAGEMENT, OF_ENTITIES.get(done, OTHER), said(part.effect or ""))


def said(effect: str) -> str:
    """``approval.grant`` as ``Approval grant``."""
    return effect.replace(".", " ").replace("_", " ").capitalize()


def verb(action: str, *, http: bool = False) -> int:
    """The activity of a call by the first word of its operation: ``GetObject``, ``delete pods``, ``UPDATE``."""
    word = action.strip().partition(" ")[0].rpartition(":")[2].rpartition(".")[2]
    head = word if word.isupper() else word[:1] + _until_capital(word[1:])
    lower = head.lower()
    return OTHER if http and lower in PLAIN_METHODS else VERBS.get(lower, OTHER)


def _until_capital(text: str) -> str:
    return next((text[:position] for position, letter in enumerate(text) if letter.isupper()), text)


def status(part: Row) -> tuple[int, str]:
    """The number and word of how it ended. That something was asked for does not say that it was granted."""
    if part.outcome != Outcome.SUCCESS.value:
        return 2, "Failure"
    return (0, "Unknown") if part.stage == Stage.REQUEST.value else (1, "Success")
