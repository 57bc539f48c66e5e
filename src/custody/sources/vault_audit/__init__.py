"""The audit devices of HashiCorp Vault and OpenBao: every call, the tokens and leases that were issued, and their ends.

Log format: "Audit log entry schema" of Vault, equal in OpenBao: one JSON object a line, a line for the request and one
for the response. Lines of syslog and of devices with a ``prefix`` hold text before the object.
"""

from custody.model.records import TextFraming
from custody.sources.source import Source
from custody.sources.vault_audit.document import PREFIXED
from custody.sources.vault_audit.event import read
from custody.sources.vault_audit.identity import identify, recognise

_SECOND = 1_000_000

SOURCE = Source(
    name="vault.audit",
    title="HashiCorp Vault and OpenBao audit devices",
    wrappings=(),
    texts=(TextFraming(form=PREFIXED, head=r'[^{\r\n]{1,300}\{"(?:time|type|auth|request|response)" ?:'),),
    recognise=recognise,
    identify=identify,
    read=read,
    marks=(b'"request"',),
    time_resolution=1,
    delivery_delay=60 * _SECOND,
    standing="laboratory",
    proves=(
        "logins and the token that each gave, child tokens, leased secrets and who asked for them, every use of a "
        "token with the granting policies, denied calls, renewals and revocations that were asked for; not expiry, "
        "not the lifetime of a lease, and nothing across two audit devices, whose HMAC keys differ"
    ),
    enable=(
        "vault audit enable file file_path=/var/log/vault/audit.log; "
        "vault secrets tune -audit-non-hmac-response-keys=username database/"
    ),
)
