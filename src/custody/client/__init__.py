"""The broker's client: a credential for a program, given back at its end.

    from custody.client import Broker, TokenFile

    with Broker("https://broker.example.com", TokenFile("/var/run/secrets/broker/token")) as broker:
        with broker.lease("payments-db", scope="read", purpose="nightly report") as credential:
            connect(user=credential.fields["username"], password=credential.fields["password"])

Needs the extra ``client``. See docs/client.md.
"""

from custody.client.answers import Ended, Lease
from custody.client.broker import Asked, Broker
from custody.client.credential import Credential, Fields
from custody.client.identities import GitHubActions, GitLab, Identity, JwtSvidFile, Svid, TokenFile, TokenVariable
from custody.client.leasing import Leasing

__all__ = [
    "Asked",
    "Broker",
    "Credential",
    "Ended",
    "Fields",
    "GitHubActions",
    "GitLab",
    "Identity",
    "JwtSvidFile",
    "Lease",
    "Leasing",
    "Svid",
    "TokenFile",
    "TokenVariable",
]
