"""A credential as variables of the environment: under the names that programs for its kind look at."""

from __future__ import annotations

import re
from collections.abc import Mapping

from custody.errors import BrokerError, UsageError

NAMES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "postgresql": {
        "username": ("PGUSER",),
        "password": ("PGPASSWORD",),
        "host": ("PGHOST",),
        "port": ("PGPORT",),
        "database": ("PGDATABASE",),
        "sslmode": ("PGSSLMODE",),
        "sslrootcert": ("PGSSLROOTCERT",),
    },
    "aws_sts": {
        "access_key_id": ("AWS_ACCESS_KEY_ID",),
        "secret_access_key": ("AWS_SECRET_ACCESS_KEY",),
        "session_token": ("AWS_SESSION_TOKEN",),
        "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    },
    "jwt": {"access_token": ("CUSTODY_TOKEN",)},
}
"""Per kind and field the variables that hold it. A field without a name here is not handed on, but for ``prefix``."""

OVERRULING: Mapping[str, tuple[str, ...]] = {
    "postgresql": ("PGSERVICE", "PGSERVICEFILE", "PGHOSTADDR", "PGPASSFILE"),
    "aws_sts": (
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_SECURITY_TOKEN",
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    ),
}
"""Per kind the inherited variables that would take precedence over the credential, or lead elsewhere with it."""

_ALIASES = {"aws": "aws_sts", "postgres": "postgresql"}
_PREFIX = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)


def variables(kind: str, fields: Mapping[str, str], told: Mapping[str, str], prefix: str | None) -> dict[str, str]:
    """The variables of a credential: those of its kind, and ``CUSTODY_…`` for each of ``told``.

    A kind without names of its own, or a ``prefix``, gives every field as ``PREFIX_FIELD`` (``CUSTODY_…`` without a
    prefix). UsageError for a prefix that is no name, BrokerError for fields that no environment can hold.
    """
    if prefix is not None and not _PREFIX.fullmatch(prefix):
        raise UsageError("not the beginning of a variable", where="--env", expected="letters, digits and _")
    names = None if prefix is not None else NAMES.get(_ALIASES.get(kind, kind))
    found = {f"CUSTODY_{name.upper()}": value for name, value in told.items()}
    for field, value in fields.items():
        if "\0" in value or not _FIELD.fullmatch(field):
            raise BrokerError("the credential fits in no environment", reason="malformed-answer", found="a field")
        if names is None:
            found[f"{(prefix or 'CUSTODY').rstrip('_')}_{field.upper()}"] = value
        else:
            found.update(dict.fromkeys(names.get(field, ()), value))
    return found


def handed_down(
    inherited: Mapping[str, str],
    kind: str,
    given: Mapping[str, str],
    *,
    hidden: frozenset[str],
    secrets: tuple[str, ...],
    own_names: bool,
) -> dict[str, str]:
    """The environment of a command: what is inherited, with the variables of the credential over it.

    Left out are the variables named in ``hidden`` and every one that holds one of ``secrets`` (what proved who asks is
    not the command's), and with ``own_names`` those that would overrule the credential.
    """
    overruling = OVERRULING.get(_ALIASES.get(kind, kind), ()) if own_names else ()
    kept = {
        name: value
        for name, value in inherited.items()
        if name not in hidden and name not in overruling and not any(each in value for each in secrets if each)
    }
    return {**kept, **given}
