"""Names that two servers may both have: what one log says of such a name need not be about the other's."""

from custody.model.keys import MADE_UP

SAME_NAME = "the records name no server, and another one may have a principal of this name"


def of_many_servers(key: str, effect: str | None) -> bool:
    """Whether the end of ``key`` rests on a name that is no server's alone: records of these logs name no cluster."""
    if key.startswith("db_role:"):
        return MADE_UP.fullmatch(key) is None
    return key.startswith("k8s_cred:-:") and effect == "principal.delete"
