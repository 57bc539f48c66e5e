"""Names that two servers may both have: what one log says of such a name need not be about the other's."""

import re

MADE_UP = re.compile(r"db_role:postgresql:v-.*-[A-Za-z0-9]{20}-[0-9]{10}")
"""A role that Vault's default template named: twenty random characters are in it."""

SAME_NAME = "the records name no server, and another one may have a principal of this name"


def of_many_servers(key: str, effect: str | None) -> bool:
    """Whether the end of ``key`` rests on a name that is no server's alone: records of these logs name no cluster."""
    if key.startswith("db_role:"):
        return MADE_UP.fullmatch(key) is None
    return key.startswith("k8s_cred:-:") and effect == "principal.delete"
