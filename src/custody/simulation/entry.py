"""One record on its way into a file."""

import msgspec

from custody.model.events import Stage

CLOUDTRAIL = "aws.cloudtrail"
FLOW = "aws.vpc_flow"
LAMBDA = "aws.lambda"
KUBERNETES = "kubernetes.audit"
VAULT = "vault.audit"
VAULT_SERVER = "vault.server"
VAULT_HASH = "vault.audit_hash"
POSTGRESQL = "postgresql"
GITHUB_AUDIT = "github.audit"
GITHUB_WORKFLOW = "github.workflow"
APPROVALS = "cloudevents"
OTEL = "otel.otlp"
SPIRE = "spire"
ENVOY = "envoy.access"
SARIF = "sarif"
IAM_DETAILS = "aws.iam_details"
BROKER = "custody.broker"

About = tuple[Stage, str]
"""What a record is to a key."""

Thing = tuple[str, str]
"""Something that a call touched: its kind (a word of ``custody.incidents``) and its name, as custody names it."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One record: ``line`` its bytes, ``about`` what it is to which keys, ``place`` which file of the source.

    ``delay`` is how long after ``time`` it is delivered (µs). ``belongs`` is the time of the record that it belongs to:
    where that one is written, this one is. ``touched`` is what the call that it tells of did something to.
    """

    time: int
    source: str
    line: bytes
    about: tuple[About, ...] = ()
    place: str = ""
    delay: int = 0
    belongs: int | None = None
    touched: tuple[Thing, ...] = ()


def encoded(value: object) -> bytes:
    """Compact JSON."""
    return msgspec.json.encode(value)
