"""What credentials were used on, and whether that is among what their class or the register declares.

A use has names: the service as the log has it (``s3.amazonaws.com``), the resource, and ``service:resource``
(``vault:database/creds/app``); an ARN also goes by the short names of ``keys.names_of``; where the use issued another
credential, whom that speaks for. What a credential asks about itself or does to its own life is no dependency.
"""

from collections.abc import Iterable, Sequence

import msgspec

from custody.model.contracts import Contract, matches
from custody.model.keys import aws_arn, names_of
from custody.rules.asked import of_class
from custody.rules.packed import framed, unframed

MOST = 1000
"""Targets of one credential that are looked at; more are counted and not judged."""

_OF_ITSELF = """(
    p.action IN ('GetCallerIdentity', 'GetAccessKeyInfo') AND p.service = 'sts.amazonaws.com'
    OR p.service = 'vault' AND (p.resource LIKE 'auth/token/%-self' OR p.resource LIKE 'sys/leases/%'
                                OR p.resource LIKE 'sys/internal/%')
    OR p.service = 'authorization.k8s.io' AND p.resource LIKE 'self%')"""

CHOSEN = f"""
    SELECT c.key, k.identity FROM credentials c
    LEFT JOIN key_identities k ON k.key = c.key
    WHERE c.population IN ('machine', 'unknown')
      AND ({of_class("depends_on")}
           OR k.identity IN (SELECT d.identity FROM claims d WHERE d.field = 'dependency' AND d.state = 'held'))
"""
"""Credentials of whose dependencies anything is declared."""

USED_ON = f"""
    SELECT p.key, p.service, p.resource, i.subject AS led_to, count(*) AS calls, min(p.leaf) AS leaf
    FROM parts p
    JOIN chosen h ON h.key = p.key
    LEFT JOIN issues i ON i.leaf = p.leaf AND i.parent = p.key
    WHERE p.stage = 'use' AND p.outcome = 'success' AND p.invoked_by IS NULL AND NOT p.in_conflict AND NOT p.extra
      AND coalesce(p.effect, '') <> 'stream.open' AND NOT coalesce({_OF_ITSELF}, FALSE)
    GROUP BY p.key, p.service, p.resource, i.subject
"""
"""Sound successes, over ``chosen``: a call that was refused touched nothing."""

TARGET = framed("u.leaf", "u.calls", "u.service", "u.led_to", "u.resource")


class Target(msgspec.Struct, frozen=True):
    """One thing that a credential was used on: how often, with the first record."""

    leaf: int
    calls: int
    service: str
    led_to: str
    resource: str

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that a declared pattern may fit."""
        arn = names_of(aws_arn(self.resource)) if self.resource.startswith("arn:") else ()
        led = names_of(self.led_to)
        path = (f"vault:{self.led_to.split(':', 2)[2]}",) if self.led_to.startswith("vault_role:") else ()
        both = (self.resource, f"{self.service}:{self.resource}") if self.resource else ()
        return (self.service, *both, *arn, *led, *path)

    @property
    def shown(self) -> str:
        """What people are told."""
        if not self.resource or self.resource.startswith("arn:"):
            return self.resource or self.service
        return f"{self.service} {self.resource}"


def read(text: str) -> Target:
    """The target that ``TARGET`` framed."""
    leaf, calls, *rest = unframed(text)
    return Target(int(leaf), int(calls), *rest)


def outside(targets: Iterable[Target], patterns: Sequence[str]) -> list[Target]:
    """Those that no pattern fits. A use that names no resource is left out where a pattern speaks of its service."""
    return [each for each in targets if not _within(each, patterns)]


def _within(target: Target, patterns: Sequence[str]) -> bool:
    if any(matches(pattern, name) for pattern in patterns for name in target.names):
        return True
    return not target.resource and any(_speaks_of(pattern, target.service) for pattern in patterns)


def _speaks_of(pattern: str, service: str) -> bool:
    word = service.partition(".")[0]
    return f":{word}:" in pattern or pattern.startswith((f"{word}:", f"{word}.", "*")) or ":*:" in pattern


def declared(contract: Contract, name: str | None) -> tuple[str, ...]:
    """What the class declares; nothing where it declares nothing, which forbids nothing."""
    return next((each.depends_on for each in contract.classes if each.name == name), ())
