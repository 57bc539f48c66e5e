"""Recordings: kept logs, scrubbed, one gzip file a source, the truth and the servers' versions in JSON beside them.

``twins`` holds logs that tell the same again in another form (a second audit device, a second format); a log that its
own writer sealed in the store of the scene (``sealed``) stands beside the others.

Scrubbed are secrets that would still be secrets elsewhere (passwords in statements, bearer tokens, private keys) and
what names the machine (its host name, the folder of the scene). What replaces a secret says so and keeps the form of
what it replaces. HMACs, accessors, lease ids and names of roles stay: their servers are gone.
"""

import gzip
import re
import shutil
import socket
from pathlib import Path

from lab import truth
from lab.parts import rows

LIMIT = 60_000
"""Bytes that the recordings of one scene may have, logs compressed."""

SECRETS = (
    (re.compile(rb"(PASSWORD ')[^']+(')"), rb"\1must-not-stay-password\2"),
    (re.compile(rb"(SCRAM-SHA-256\$)[^'\"\\ ]+"), rb"\1must-not-stay"),
    (re.compile(rb"\b(eyJ[\w-]{10,})\.(eyJ[\w-]+)\.([\w-]{20,})"), rb"\1.\2.must-not-stay"),
    (re.compile(rb"\bhv[sbr]\.[\w-]{20,}"), rb"hvs.must-not-stay"),
    (
        re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL),
        b"must-not-stay",
    ),
)


def write(scene: Path, target: Path) -> int:
    """Write the recordings of a kept scene; gives their size in bytes, raises ValueError where it is over LIMIT."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    told = truth.read(scene)
    for folder in [kept for name in ("logs", "sealed", "twins") if (kept := scene / name).exists()]:
        place = target / "twins" if folder.name == "twins" else target
        place.mkdir(exist_ok=True)
        for log in sorted(folder.iterdir()):
            (place / f"{log.name}.gz").write_bytes(gzip.compress(scrub(_chosen(log), scene), mtime=0))
    (target / "truth.json").write_bytes(scrub((scene / "truth.json").read_bytes(), scene))
    note = {"scene": told.scene, "servers": told.servers, "played": told.started, "scrubbed": "see lab/recordings.py"}
    (target / "servers.json").write_bytes(rows(note))
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    if size > LIMIT:
        raise ValueError(f"recordings of {told.scene} have {size:,} bytes, more than {LIMIT:,}")
    return size


def scrub(raw: bytes, scene: Path) -> bytes:
    """The bytes without secrets and without what names the machine."""
    for pattern, replacement in SECRETS:
        raw = pattern.sub(replacement, raw)
    host = socket.gethostname().encode()
    raw = raw.replace(str(scene).encode(), b"/srv/laboratory")
    raw = raw.replace(str(Path.home()).encode() + b"/", b"/srv/")
    return raw.replace(host, b"server.example.org") if len(host) > 3 else raw


def _chosen(log: Path) -> bytes:
    """A log without the lines that say nothing about credentials and are many."""
    noise = (b'"checkpointer"', b"checkpoint ")
    lines = log.read_bytes().splitlines(keepends=True)
    return b"".join(line for line in lines if not any(word in line for word in noise))
