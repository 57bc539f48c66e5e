"""What a script did, typed: credentials with the keys that custody names them by, links, refusals, survivors.

The truth is written from what the script itself saw (answers of servers), never from the logs that are to be judged.
Times are RFC 3339 UTC. ``None`` means that the script does not know.
"""

from datetime import UTC, datetime
from pathlib import Path

import msgspec


class Credential(msgspec.Struct, kw_only=True):
    """One credential: ``key`` as custody names it, ``parent`` the key of the credential that asked for it."""

    key: str
    what: str
    parent: str | None = None
    holder: str | None = None
    run: str | None = None
    policy: str | None = None
    issued: str | None = None
    not_after: str | None = None
    uses: int = 0
    """Successful uses after the issue, as far as the script made them itself."""
    refused: int = 0
    ended: str | None = None
    how_ended: str | None = None
    """revoked | cascade | expired | object deleted | unwrapped; None while it lives at the end of the script."""
    survives: bool = False
    """Whether something opened with it went on after its end."""
    aliases: list[str] = []
    expected: dict[str, str] = {}
    """Question → verdict that the logs suffice for."""


class Link(msgspec.Struct, frozen=True):
    """One true link: ``kind`` is parent, asked, session, end or binding; ``grade`` what the logs allow."""

    kind: str
    source: str
    target: str
    grade: str = "exact"


class Truth(msgspec.Struct, kw_only=True):
    """All that one scene did."""

    scene: str
    servers: dict[str, str]
    started: str
    ended: str | None = None
    credentials: list[Credential] = []
    links: list[Link] = []
    notes: list[str] = []

    def issue(self, credential: Credential, grade: str = "exact") -> Credential:
        """Enter a credential and the link to its parent, which the logs prove to ``grade``."""
        credential.issued = credential.issued or now()
        self.credentials.append(credential)
        if credential.parent is not None:
            self.links.append(Link("parent", credential.parent, credential.key, grade))
        return credential

    def end(self, credential: Credential, how: str) -> None:
        """Enter the end of a credential as of now."""
        credential.ended, credential.how_ended = now(), how

    def write(self, folder: Path) -> None:
        """Write ``truth.json``."""
        self.ended = self.ended or now()
        for credential in self.credentials:
            credential.expected = _expected(credential) | credential.expected
        (folder / "truth.json").write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")


def _expected(credential: Credential) -> dict[str, str]:
    """Verdicts that follow from what was done alone: an end that was told, and one that something outlived.

    A token that falls with its parent is told of nowhere (its leases are, in the server log); a wrapping token ends by
    its one use; a person's login is not asked about.
    """
    unheard = credential.how_ended == "cascade" and not credential.key.startswith("vault_lease")
    if credential.ended is None or unheard or credential.how_ended == "unwrapped" or credential.holder == "staff":
        return {}
    return {"end recorded": "proved"} | ({"end effective": "violated"} if credential.survives else {})


def now() -> str:
    """The time as the script sees it, in milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read(folder: Path) -> Truth:
    """The truth of a kept scene; raises msgspec.ValidationError where the file is not one."""
    return msgspec.json.decode((folder / "truth.json").read_bytes(), type=Truth)
