"""What a start, an end, a revocation or a change did, in dotted words, and which of them mean the same to a chain.

A source uses the words that fit; a new word is one line here.
"""

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What an effect means to a chain."""

    RUN_START = "run start"
    RUN_END = "run end"
    KEY_END = "key end"
    KEY_PAUSE = "key pause"
    KEY_REOPEN = "key reopen"
    PRINCIPAL_END = "principal end"
    SESSIONS_END = "sessions end"
    SESSION_OPEN = "session open"
    SESSION_CLOSE = "session close"
    EXPOSURE = "exposure"
    OTHER = "other"


class Effect(msgspec.Struct, frozen=True):
    """One effect: what it means, and how a sentence says it."""

    kind: Kind
    said: str


EFFECTS: dict[str, Effect] = {
    "run.start": Effect(Kind.RUN_START, "run started"),
    "run.end": Effect(Kind.RUN_END, "run ended"),
    "instance.run": Effect(Kind.RUN_START, "instance started"),
    "instance.terminate": Effect(Kind.RUN_END, "instance terminated"),
    "function.create": Effect(Kind.RUN_START, "function created"),
    "function.delete": Effect(Kind.RUN_END, "function deleted"),
    "pod.create": Effect(Kind.RUN_START, "pod created"),
    "pod.delete": Effect(Kind.RUN_END, "pod deleted"),
    "key.delete": Effect(Kind.KEY_END, "key deleted"),
    "key.deactivate": Effect(Kind.KEY_PAUSE, "key made inactive"),
    "key.activate": Effect(Kind.KEY_REOPEN, "key made active again"),
    "credential.revoke": Effect(Kind.KEY_END, "credential revoked"),
    "credential.expire": Effect(Kind.KEY_END, "credential expired"),
    "credential.drop": Effect(Kind.KEY_END, "role dropped"),
    "credential.gone": Effect(Kind.KEY_END, "seen to be gone"),
    "role.delete": Effect(Kind.PRINCIPAL_END, "role deleted"),
    "user.delete": Effect(Kind.PRINCIPAL_END, "user deleted"),
    "principal.delete": Effect(Kind.PRINCIPAL_END, "principal deleted"),
    "sessions.revoke": Effect(Kind.SESSIONS_END, "sessions revoked"),
    "session.open": Effect(Kind.SESSION_OPEN, "session opened"),
    "session.close": Effect(Kind.SESSION_CLOSE, "session closed"),
    "secret.exposed": Effect(Kind.EXPOSURE, "secret exposed"),
}
"""Every effect that a chain looks at. A word that is not here is a change that is shown and searched, no more."""


def of_kind(*kinds: Kind) -> tuple[str, ...]:
    """The effects of some kinds, sorted."""
    return tuple(sorted(name for name, effect in EFFECTS.items() if effect.kind in kinds))


def said(effect: str | None) -> str:
    """The words for an effect; one without words stands as it is, none at all is ``ended``."""
    if effect is None:
        return "ended"
    known = EFFECTS.get(effect)
    return effect if known is None else known.said
