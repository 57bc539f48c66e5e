"""How one name is spelt: declared names in the form of keys, and the texts of owners so that they can be compared."""

import re

from custody.errors import SourceError
from custody.model.keys import MADE_UP, aws_arn, parse

_PATH = re.compile(r"(arn:[^:]*:iam::[^:]*:(?:role|user))/(?:[^/]+/)*([^/]+)")
_SESSION = re.compile(r"arn:([^:]*):sts::([^:]*):assumed-role/([^/]+)(?:/.*)?")
_PARTY = re.compile(r"(?:team|group|person|user|mailto)[:/]")


def canonical(name: str) -> str:
    """A declared name in the form that keys have; a name that is neither key nor ARN stays as it is.

    An ARN of a role or user is written without its path, a role session's as that of its role, as keys are: names
    are unique in an account whatever the path.
    """
    arn = name.split(":", 2)[2] if name.startswith("aws_arn:") and name.count(":") > 2 else name
    if not arn.startswith("arn:"):
        return name
    session = _SESSION.fullmatch(arn)
    if session:
        arn = f"arn:{session[1]}:iam::{session[2]}:role/{session[3]}"
    return aws_arn(_PATH.sub(r"\1/\2", arn))


def is_key(name: str) -> bool:
    """Whether a name in canonical form is a whole key: nothing else goes by it.

    Logs name no server with a role of a database, and some no cluster: another one may have the same name, unless
    Vault made it up.
    """
    try:
        key = parse(name)
    except SourceError:
        return False
    if key.type.startswith("db_role"):
        return MADE_UP.fullmatch(name) is not None
    return not (key.type.startswith("k8s_") and key.scope == "-")


def plain(value: str) -> str:
    """A value as it is compared: in one case, blanks joined, no full stop, a party without the word for its kind."""
    return _PARTY.sub("", " ".join(value.lower().split()).rstrip("."), count=1)
