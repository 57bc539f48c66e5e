"""What the effects of ends are called in sentences."""

SAID: dict[str, str] = {
    "key.delete": "key deleted",
    "key.deactivate": "key made inactive",
    "key.activate": "key made active again",
    "role.delete": "role deleted",
    "user.delete": "user deleted",
    "sessions.revoke": "sessions revoked",
    "instance.terminate": "instance terminated",
    "function.delete": "function deleted",
}


def said(effect: str | None) -> str:
    """The words for an effect; one without words stands as it is, none at all is ``ended``."""
    return "ended" if effect is None else SAID.get(effect, effect)
