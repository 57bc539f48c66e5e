"""The manifest of a pack: what was asked for, what it rests on, and every file with its size and hash."""

import json
from typing import Annotated

import msgspec

from custody.errors import LogError
from custody.packs import documents

FORMAT = 1
"""The number of the layout of packs. A pack with a higher one was made by a newer custody."""

NAME = "manifest.json"
MAX_MANIFEST = 200 << 20

_Digest = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for. Values of one kind add up, kinds narrow each other; ``period`` is RFC 3339 times.

    ``made_for`` is who it is for, as given; ``sample`` of ``seed`` says how many credentials were drawn. ``incident``
    is the id of the incident that it is about, and left out where it is about none.
    """

    identities: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    period: tuple[str, str] | None = None
    sample: int | None = None
    seed: str = "0"
    made_for: str | None = None
    incident: str | msgspec.UnsetType = msgspec.UNSET


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """What a pack rests on: log and checkpoint (``root`` base64), ``as_of``, contract, and the derived tables.

    ``derived`` is the SHA-256 (hex) of the manifest of the derived tables, which the statement at ``derived_leaf``
    seals.
    """

    origin: str
    size: int
    root: str
    as_of: str | None
    contract: str | None
    derived: str
    derived_leaf: int


class Listed(msgspec.Struct, frozen=True):
    """One file of the pack."""

    path: str
    size: int
    sha256: _Digest


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The whole manifest; ``files`` are in the order of the archive, in which the manifest itself is the last."""

    format: int
    version: str
    options: Options
    basis: Basis
    counts: dict[str, int]
    files: tuple[Listed, ...]


def encode(manifest: Manifest) -> bytes:
    """The one form of the file: a line for each listed file."""
    value = msgspec.to_builtins(manifest)
    files = [documents.line(each) for each in value.pop("files")]
    return b"".join(documents.listing(value, "files", files))


def decode(data: bytes) -> Manifest:
    """The manifest in ``data``. LogError where it is not one, is of another format, or is not in its one form."""
    try:
        form = msgspec.json.decode(data, type=dict[str, msgspec.Raw]).get("format")
        if form is not None and bytes(form) != b"%d" % FORMAT:
            raise LogError(
                "the pack was made by another version of custody", where=NAME, found=f"format {bytes(form)[:20]!r}",
                expected=f"format {FORMAT}",
            )  # fmt: skip
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, json.JSONDecodeError) as error:
        raise LogError("the manifest of a pack is damaged", where=NAME, found=str(error)) from None
    if encode(manifest) != data:
        raise LogError("the manifest of a pack is not in its one form", where=NAME)
    return manifest
