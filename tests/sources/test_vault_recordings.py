"""What a real server wrote while it was known what happened: each credential with its parent, its uses and its end.

The recordings are of two audit devices: the first hashes accessors, the second does not.
"""

import gzip
from collections import Counter, defaultdict
from pathlib import Path

import msgspec
import pytest

from custody.model.events import Event, Part, Skip, Stage
from custody.sources import vault_audit, vault_audit_hash, vault_server
from custody.sources.masking import mask
from custody.sources.source import Source

SCENES = sorted(path.parent for path in (Path(__file__).parents[1] / "recordings").glob("*/audit-first.log.gz"))
pytestmark = pytest.mark.skipif(not SCENES, reason="needs recordings of a server in tests/recordings")


class Credential(msgspec.Struct):
    """What is known of one credential."""

    key: str
    what: str
    parent: str | None
    uses: int
    refused: int
    how_ended: str | None
    aliases: list[str]


class Truth(msgspec.Struct):
    """What is known of one scene."""

    credentials: list[Credential]


def audit_log(scene: Path, device: str) -> Path:
    """The log of one device; the second lies apart, for two devices of one server are two logs of one life."""
    return scene / "twins" / "audit-second.log.gz" if device == "second" else scene / f"audit-{device}.log.gz"


class Told:
    """What the sources tell of a scene."""

    def __init__(self, scene: Path, device: str) -> None:
        self.issued: dict[str, Part] = {}
        self.uses: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.ends: defaultdict[str, set[str | None]] = defaultdict(set)
        self.names: dict[str, str] = {}
        found = [
            *events(vault_audit.SOURCE, audit_log(scene, device)),
            *events(vault_server.SOURCE, scene / "server.log.gz"),
            *events(vault_audit_hash.SOURCE, scene / "audit-hash.ndjson.gz"),
        ]
        parts = [(event, part) for event in found for part in event.parts if part.key]
        for _, part in parts:
            self._name(part)
        for event, part in parts:
            self._tell(event, part, self.name(part.key) or "")

    def _name(self, part: Part) -> None:
        other = part.object if part.effect == "key.translate" else part.alias
        if part.key and other:
            self.names[part.key] = other
        if part.stage is Stage.USE and part.key and part.related:
            self.names[part.related] = part.key

    def _tell(self, event: Event, part: Part, key: str) -> None:
        if part.stage is Stage.ISSUE and not part.alias:
            assert key not in self.issued
            self.issued[key] = part
        elif part.stage is Stage.USE:
            self.uses[key][event.outcome.value] += 1
        elif part.stage in (Stage.REVOKE, Stage.EXPIRE):
            self.ends[key].add(part.method)

    def name(self, key: str | None) -> str | None:
        """The first name of a key."""
        while key in self.names:
            key = self.names[key]
        return key


def events(source: Source, path: Path) -> list[Event]:
    if not path.exists():
        return []
    result: list[Event] = []
    for raw in gzip.decompress(path.read_bytes()).splitlines():
        identity = source.identify(raw) if source.recognise(raw) else None
        if identity is None:
            assert source is vault_server.SOURCE  # its banner, and lines without a logger
            continue
        read = source.read(mask(raw, identity.secrets), "lines")
        assert not isinstance(read, Skip), read
        assert read == source.read(raw, "lines")
        result += read
    return result


def truth(scene: Path) -> list[Credential]:
    found = msgspec.json.decode((scene / "truth.json").read_bytes(), type=Truth).credentials
    return [one for one in found if one.key.startswith("vault_") and one.what != "root token"]


@pytest.fixture(scope="module", params=SCENES, ids=lambda scene: scene.name)
def scene(request: pytest.FixtureRequest) -> Path:
    assert isinstance(request.param, Path)
    return request.param


@pytest.fixture(scope="module")
def told(scene: Path) -> Told:
    return Told(scene, "first")


def test_every_credential_is_issued_under_its_parent(scene: Path, told: Told) -> None:
    for one in truth(scene):
        part = told.issued[told.name(one.key) or ""]
        elsewhere = one.parent is not None and not one.parent.startswith("vault_")
        assert told.name(part.parent) == (None if elsewhere else told.name(one.parent)), one.what
        assert part.method != "token:create-orphan" or part.related is not None, "who asked is told all the same"


def test_every_token_is_used_as_often_as_it_was(scene: Path, told: Told) -> None:
    tokens = [one for one in truth(scene) if one.key.startswith(("vault_accessor", "vault_token"))]
    assert tokens
    for one in tokens:
        if one.what == "wrapping token":  # what is refused before a check has a request line alone
            assert told.uses[told.name(one.key) or ""] == {"success": 1}
        else:
            counted = told.uses[told.name(one.key) or ""]
            assert counted["denied"] <= one.refused <= counted["denied"] + counted["error"], one.what
            assert counted["success"] == one.uses, one.what


def test_every_end_that_is_logged_is_told(scene: Path, told: Told) -> None:
    for one in truth(scene):
        ends = told.ends[told.name(one.key) or ""]
        if one.key.startswith("vault_lease") and one.how_ended in ("revoked", "expired", "cascade"):
            assert "revoked lease" in ends, one.what
        elif one.how_ended in ("revoked", "unwrapped"):
            assert ends, one.what
        elif one.how_ended == "cascade":
            assert ends == set(), "no log tells that a token ended with its parent"


def test_the_device_with_plain_accessors_tells_the_same_tokens(scene: Path, told: Told) -> None:
    other = Told(scene, "second")
    named = [one for one in truth(scene) if one.aliases and one.aliases[0].startswith("vault_accessor:plain:")]

    assert {key.partition(":")[0] for key in other.issued} == {key.partition(":")[0] for key in told.issued}
    for one in named:
        assert one.aliases[0] in other.issued, one.what
        assert other.uses[one.aliases[0]]["success"] == told.uses[told.name(one.key) or ""]["success"], one.what


def test_nothing_in_the_lines_is_masked_but_what_the_server_left_plain(scene: Path) -> None:
    for raw in gzip.decompress((scene / "audit-first.log.gz").read_bytes()).splitlines():
        identity = vault_audit.SOURCE.identify(raw)
        assert identity is not None
        assert not identity.withheld
        assert identity.secrets == ()


def test_no_two_lines_have_one_identity(scene: Path) -> None:
    lines = [
        raw
        for device in ("first", "second")
        for raw in gzip.decompress(audit_log(scene, device).read_bytes()).splitlines()
    ]
    identities = {identity.id for raw in lines if (identity := vault_audit.SOURCE.identify(raw))}
    assert len(identities) == len(lines)
